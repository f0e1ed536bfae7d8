"""What people do, each by draws of their own: pay in every way, and change their minds.

Whatever they do goes through the real use cases; refusals are theirs to live with. Nothing here
depends on ids that the product draws, so a seed always tells the same year.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from billing.charge import Mode
from billing.errors import BillingRefusal, InvalidField
from billing.ids import SiteId
from billing.money import Money
from billing.period import Cycle, Unit
from controller.store import documents
from controller.store.payers import locked as payers_locked
from controller.usecases import debts, pauses, plan_changes, subscriptions, wallets
from controller.usecases.agreements import NewSubscription
from controller.usecases.documents import credit_in
from controller.usecases.money_in import WITHHELD, receive, reverse
from controller.usecases.promotions import PromotionUsedUp, take_up
from tests.simulation.year.naive import DAY, day_in_nairobi
from tests.simulation.year.provider import GB, GOODS, Line, Person, an_id, drawn, join
from tests.simulation.year.served import History
from tests.simulation.year.sight import moment
from tests.support.builders import MAC, SITE
from tests.support.contracts import used

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.simulation.year.year import Year

REFUSALS = (
    BillingRefusal,
    InvalidField,
    PromotionUsedUp,
    debts.DebtSettled,
    plan_changes.WalletTooLow,
    plan_changes.QuoteChanged,
    wallets.WalletTooLow,
)
WHIMS = (
    ("change_now", 6),
    ("change_later", 3),
    ("pause", 6),
    ("resume", 3),
    ("end", 1),
    ("staff_suspend", 2),
    ("staff_resume", 2),
    ("reverse", 3),
    ("promise", 3),
    ("parts", 2),
    ("write_off", 1),
    ("credit", 2),
    ("adjust", 2),
    ("transfer", 2),
    ("another", 1),
)
OPEN = """
    SELECT b.document_id, b.open_minor, b.due_at FROM debt b
    JOIN document d ON d.id = b.document_id
    WHERE b.subscriber_id = ? AND b.settled_at IS NULL
    ORDER BY b.due_at, d.issued_at, d.number
"""


@dataclass(slots=True)
class Tally:
    """What really moved, in cents by subscriber: the other side of every balance."""

    received: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    given: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    lost: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    used: dict[str, int] = field(default_factory=dict)
    came: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    did: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


async def act(year: Year, person: Person, what: str, *given: Any) -> None:
    """Let somebody do something now."""
    try:
        await ACTS[what](year, person, *given)
    except REFUSALS:
        year.tally.did[f"{what}, refused"] += 1
    else:
        year.tally.did[what] += 1


async def _join(year: Year, person: Person) -> None:
    known = {one.id for one in year.joined} - {person.id}
    await join(year.deps, person, brought=person.referred_by in known)
    for name in person.takes:
        await _take(year, person, name)
    if person.chance.random() < 0.5:
        await _pay(year, person, person.chance.randrange(1_000_00, 8_000_00))
    for line in person.lines:
        await _begin(year, person, line)
    year.plan_whim(person)


async def begin_only(year: Year, person: Person) -> None:
    """Join, and begin with what was agreed on, at once."""
    await join(year.deps, person, brought=False)
    for line in person.lines:
        await _start(year, person, line, begins_at=None)


async def _take(year: Year, person: Person, name: str) -> None:
    try:
        code = {"jan50": "JAN50", "free": "FREE"}.get(name, "")
        await take_up(year.deps, msisdn_or_id=person.id, promotion_id=name, code=code)
    except PromotionUsedUp:
        year.tally.did["coupon, used up"] += 1


async def _begin(year: Year, person: Person, line: Line) -> None:
    """Begin now or, now and then, in some days."""
    later = person.chance.random() < 0.15 and line.rhythm.by_days
    begins_at = year.now() + person.chance.randrange(1, 9) * DAY if later else None
    await _start(year, person, line, begins_at=begins_at)
    if GOODS[line.plan_id].steps is not None:
        year.plan(person, 1 + person.chance.randrange(9), "use", line.id)


async def _start(year: Year, person: Person, line: Line, *, begins_at: datetime | None) -> None:
    now, rhythm = year.now(), line.rhythm
    anchor = year.midnight(begins_at or now) if rhythm.by_days else begins_at or now
    year.witness.histories[line.id] = History(line, [anchor], [(now, line.plan_id, line.bespoke)])
    year.owner[line.id] = person
    await subscriptions.start(
        year.deps,
        NewSubscription(
            id=line.id,
            subscriber=person.id,
            plan_id=line.plan_id,
            site_id=SiteId(SITE),
            mode=Mode(line.mode),
            cycle=Cycle(Unit(rhythm.unit), rhythm.count, rhythm.fixed),
            devices=(MAC,),
            begins_at=begins_at,
            price=None if line.bespoke is None else Money(line.bespoke),
        ),
    )


async def _pay(year: Year, person: Person, minor: int, rail: str = "mpesa") -> None:
    """Pay something; now and then the same receipt is told twice, by two roads."""
    if minor <= 0:
        return
    n = len(year.tally.came[person.id])
    name = an_id("money", person.id, n)
    before = year.sight.tuples(OPEN, person.id)
    telling: dict[str, Any] = {
        "msisdn_or_id": person.id if n % 2 else person.msisdn,
        "amount": Money(minor),
        "rail": rail,
        "receipt": f"R{name[:12].upper()}",
    }
    year.tally.came[person.id].append((name, minor))
    year.tally.received[person.id] += minor
    await receive(year.deps, idempotent=name, **telling)
    if person.chance.random() < 0.05:
        await receive(year.deps, idempotent=an_id(name, "again"), **telling)
        year.tally.did["the same receipt twice"] += 1
    if len(before) > 1:
        _the_oldest_was_paid_first(year, person, before)


def _the_oldest_was_paid_first(year: Year, person: Person, before: list[tuple[Any, ...]]) -> None:
    """A debt that is still whole has none behind it that was paid."""
    after = {name: minor for name, minor, _ in year.sight.tuples(OPEN, person.id)}
    paid = [minor > after.get(name, 0) for name, minor, _ in before]
    for n, (name, _, _) in enumerate(before):
        assert name not in after or not any(paid[n + 1 :]), f"{person.id} paid a newer debt first"


async def _settle(year: Year, person: Person, *, percent: int = 100, rail: str = "mpesa") -> None:
    owed = sum(minor for _, minor, _ in year.sight.tuples(OPEN, person.id))
    await _pay(year, person, owed * percent // 100, rail)


async def _withhold(year: Year, person: Person) -> None:
    """Keep a part of the VAT back, and pay the rest."""
    await _settle(year, person, percent=2, rail=WITHHELD)
    await _settle(year, person)


async def _use(year: Year, person: Person, line_id: str) -> None:
    """What a site reports of a metered grant; now and then it is late, of the one before."""
    chance = person.chance
    found = year.sight.tuples("SELECT grant_id, state FROM subscription WHERE id = ?", line_id)
    grant_id, state = found[0]
    late = year.old_grants.get(line_id)
    if late is not None and chance.random() < 0.2:
        grant_id = late
    elif state != "active":
        grant_id = None
    if grant_id is not None:
        more = chance.randrange(1, 25 * GB)
        year.tally.used[grant_id] = year.tally.used.get(grant_id, 0) + more
        await used(year.world, grant_id, year.tally.used[grant_id])
    if state != "ended":
        year.old_grants[line_id] = grant_id if grant_id != late else None
        rarely = 3 if year.is_big else 1
        year.plan(person, (5 + chance.randrange(20)) * rarely, "use", line_id)


async def _whim(year: Year, person: Person) -> None:
    what = drawn(person.chance, WHIMS)
    year.plan_whim(person)
    if not person.lines:
        return
    line = person.chance.choice(person.lines)
    await act(year, person, what, line)


async def _change_now(year: Year, person: Person, line: Line) -> None:
    plan_id = person.chance.choice(sorted(GOODS))
    bespoke = person.chance.randrange(1_000_00) if person.chance.random() < 0.1 else None
    price = None if bespoke is None else Money(bespoke)
    _know_what_followed(year, line)
    asked = await plan_changes.quote(year.deps, line.id, plan_id, price=price)
    await _pay(year, person, asked.missing.minor)
    asked = await plan_changes.quote(year.deps, line.id, plan_id, price=price)
    await plan_changes.change_now(
        year.deps, line.id, plan_id, price=price, quoted=asked.change.to_pay
    )
    year.witness.histories[line.id].agree(year.now(), plan_id, bespoke)
    if GOODS[plan_id].steps is not None:
        year.plan(person, 3, "use", line.id)


async def _change_later(year: Year, person: Person, line: Line) -> None:
    plan_id = person.chance.choice(sorted(GOODS))
    _know_what_followed(year, line)
    await plan_changes.change_at_renewal(year.deps, line.id, plan_id)
    history = year.witness.histories[line.id]
    on = history.plans[-1][1]
    history.nexts.append((year.now(), None if plan_id == on else plan_id))


def _know_what_followed(year: Year, line: Line) -> None:
    """Note that the plan that was to follow is there since the last renewal.

    In arrears no invoice has told so yet: it comes when the plan's first period is over.
    """
    year.judge.papers.read()
    history = year.witness.histories[line.id]
    query = "SELECT plan_id, paid_until FROM subscription WHERE id = ?"
    for plan_id, renewed_at in year.sight.tuples(query, line.id):
        at = moment(renewed_at)
        if at is not None and plan_id == history.next_at(year.now()):
            history.agree(at, plan_id)


async def _pause(year: Year, person: Person, line: Line) -> None:
    back = timedelta(hours=person.chance.randrange(5, 900))
    until = year.now() + back if person.chance.random() < 0.7 else None
    await pauses.pause(year.deps, line.id, until=until)
    if until is None:
        year.plan(person, person.chance.randrange(1, 40), "resume", line)


async def _resume(year: Year, person: Person, line: Line) -> None:
    if year.witness.histories[line.id].state == "paused":
        await pauses.resume(year.deps, line.id)


async def _end(year: Year, person: Person, line: Line) -> None:
    keeps = person.chance.random() < 0.2
    await subscriptions.end(year.deps, line.id, credit_rest=not keeps)
    year.witness.histories[line.id].kept_rest |= keeps


async def _staff_suspend(year: Year, person: Person, line: Line) -> None:
    if year.witness.histories[line.id].state == "active":
        await subscriptions.suspend(year.deps, line.id)
        year.plan(person, person.chance.randrange(1, 45), "staff_resume", line)


async def _staff_resume(year: Year, person: Person, line: Line) -> None:
    if year.witness.histories[line.id].hold in {"staff", "debt"}:
        await subscriptions.resume(year.deps, line.id)


async def _reverse(year: Year, person: Person, line: Line) -> None:
    del line
    came = year.tally.came[person.id]
    if not came:
        return
    name, minor = person.chance.choice(came[-3:])
    row = await reverse(year.deps, name, reason="the bank took it back")
    assert row.amount_minor == minor
    if name not in year.reversed:
        year.reversed.add(name)
        year.tally.received[person.id] -= minor
    year.plan(person, 2, "settle")


async def _promise(year: Year, person: Person, line: Line) -> None:
    del line
    for document_id, _, _ in year.sight.tuples(OPEN, person.id)[:1]:
        days = person.chance.randrange(0, 20)
        day = day_in_nairobi(year.now()) + days * DAY
        await debts.promise(year.deps, document_id, day=day)
        if person.chance.random() < 0.6:
            year.plan(person, max(1, days), "settle")


async def _parts(year: Year, person: Person, line: Line) -> None:
    del line
    for document_id, minor, _ in year.sight.tuples(OPEN, person.id)[-1:]:
        if minor < 100_00:
            continue
        count = person.chance.randrange(2, 5)
        first = year.now() + person.chance.randrange(1, 10) * DAY
        await debts.agree_instalments(
            year.deps, document_id, count=count, first_due=first, cycle=Cycle(Unit.WEEK)
        )
        for n in range(count):
            if person.chance.random() < 0.8:
                year.plan(person, 1 + 7 * n, "pay", minor // count + 1)


async def _write_off(year: Year, person: Person, line: Line) -> None:
    for document_id, _, _ in year.sight.tuples(OPEN, person.id)[:1]:
        name = an_id("lost", person.id, line.id, year.now())
        lost = await debts.write_off(year.deps, document_id, reason="moved away", idempotent=name)
        year.tally.lost[person.id] += lost.minor


async def _credit(year: Year, person: Person, line: Line) -> None:
    """Staff take a whole line of an invoice back, as far as it is there to be taken."""
    query = """
        SELECT d.id FROM document d WHERE d.subscriber_id = ? AND d.kind = 'invoice'
        AND d.total_minor > 0 AND NOT EXISTS (SELECT 1 FROM document c WHERE c.refers_to = d.id)
        ORDER BY d.issued_at DESC, d.number DESC LIMIT 1
    """
    for (document_id,) in year.sight.tuples(query, person.id):
        async with year.deps.db.begin() as tx:
            await payers_locked(tx, person.id)
            invoice = await documents.load(tx, document_id)
            assert invoice is not None
            lines = await documents.lines_of(tx, document_id)
            await credit_in(
                tx, year.deps, invoice=invoice, lines=lines, cause="staff", now=year.now()
            )
        del line
        await subscriptions.use_wallet(year.deps, person.id)


async def _adjust(year: Year, person: Person, line: Line) -> None:
    minor = person.chance.randrange(-400_00, 400_00) or 1
    await wallets.adjust(
        year.deps,
        msisdn_or_id=person.id,
        amount=Money(minor),
        reason="put right",
        idempotent=an_id("adjust", person.id, line.id, year.now()),
    )
    year.tally.given[person.id] += minor


async def _transfer(year: Year, person: Person, line: Line) -> None:
    friend = person.chance.choice(year.joined)
    minor = person.chance.randrange(1, 900_00)
    await wallets.transfer(
        year.deps,
        source=person.id,
        target=friend.msisdn,
        amount=Money(minor),
        idempotent=an_id("transfer", person.id, line.id, year.now()),
    )
    year.tally.given[person.id] -= minor
    year.tally.given[friend.id] += minor
    year.friends.add(friend.id)


async def _another(year: Year, person: Person, line: Line) -> None:
    new = Line(
        id=an_id(person.id, "line", len(person.lines)),
        plan_id=person.chance.choice(sorted(GOODS)),
        mode=line.mode,
        rhythm=line.rhythm,
    )
    person.lines.append(new)
    await _begin(year, person, new)


def react(year: Year, person: Person, *, owed: int, mode: str, until: datetime | None) -> None:
    """Decide when to pay what has just been invoiced; who pays before, for the period to come."""
    chance = person.chance
    if mode == "prepaid":
        _top_up(year, person, owed, until)
    elif owed:
        match person.habit:
            case "late":
                year.plan(person, chance.randrange(8, 40), "settle")
            case "parts":
                year.plan(person, chance.randrange(1, 6), "pay", owed // 3)
                year.plan(person, chance.randrange(6, 30), "settle")
            case "over":
                year.plan(
                    person, chance.randrange(1, 7), "pay", owed * chance.randrange(11, 22) // 10
                )
            case "ahead":
                year.plan(person, chance.randrange(1, 7), "pay", owed * 4)
            case "withholds":
                year.plan(person, chance.randrange(1, 9), "withhold")
            case "never" if chance.random() < 0.8:
                pass
            case _:
                year.plan(person, chance.randrange(1, 7), "settle")


def _top_up(year: Year, person: Person, cost: int, until: datetime | None) -> None:
    """Fill the wallet for the next period: in time, in good time, or too late."""
    chance = person.chance
    if person.habit == "never" and chance.random() < 0.5:
        return
    left = max(1, (until - year.now()) // DAY) if until is not None else 1
    late = chance.randrange(0, 12) if person.habit in {"late", "never"} else 0
    times = {"ahead": 4, "over": 2}.get(person.habit, 1)
    year.plan(person, left + late, "top_up", cost * times)


async def _fill(year: Year, person: Person, minor: int) -> None:
    """Pay so much into the wallet, unless it holds that already; cents are rounded up."""
    held = year.judge.wallets.get(person.id, 0)
    if held < minor:
        await _pay(year, person, -(-(minor - held) // 100) * 100)


ACTS: dict[str, Callable[..., Awaitable[None]]] = {
    "join": _join,
    "pay": _pay,
    "settle": _settle,
    "withhold": _withhold,
    "top_up": _fill,
    "use": _use,
    "whim": _whim,
    "change_now": _change_now,
    "change_later": _change_later,
    "pause": _pause,
    "resume": _resume,
    "end": _end,
    "staff_suspend": _staff_suspend,
    "staff_resume": _staff_resume,
    "reverse": _reverse,
    "promise": _promise,
    "parts": _parts,
    "write_off": _write_off,
    "credit": _credit,
    "adjust": _adjust,
    "transfer": _transfer,
    "another": _another,
}
assert {name for name, _ in WHIMS} <= ACTS.keys()
