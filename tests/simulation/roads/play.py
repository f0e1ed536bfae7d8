"""A seed becomes payments, faults and lies on a line of time; then all is mended and judged."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from billing.ids import OrderId, PlanId
from billing.money import Money
from billing.msisdn import Msisdn
from controller.payments.bank_notice import read_notice
from controller.payments.gateway import CallbackUnreadable
from controller.payments.seen import Road, Seen
from controller.store.database import DatabaseBusy
from controller.usecases import doors, paybill, refunds
from controller.usecases.account_payments import AccountPayment, pay_account
from controller.usecases.arrivals import arrive
from controller.usecases.asking import CALLBACK_PATH
from controller.usecases.purchase import NewOrder, Purpose, purchase
from controller.usecases.refunds import RESULT_PATH, NotToRefund
from controller.usecases.settle import take_callback, take_told
from controller.usecases.statements import import_statement
from tests.simulation.roads import bodies, judge
from tests.simulation.roads.stage import (
    BANK_ACCOUNT,
    JOBS,
    SHILLINGS,
    SHORTCODE,
    TILL,
    Killed,
    Process,
)
from tests.simulation.roads.truth import Paid
from tests.support.builders import SITE

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from controller.deps import Deps
    from tests.simulation.roads.stage import Stage
    from tests.simulation.roads.truth import GivenBack, Prompt

    Work = Callable[[Deps], Awaitable[object]]

FAULTS_END_S = 900
MINUTES_S = 11 * 60
"""So long after the faults end all M-PESA money is here, where Pull is allowed."""

LATE_MAX_S = 5_400
SOURCE = "196.201.214.200"
MOMENTS = ("before", "inside", "after")
KILLS = 0.1
MODES = ("once",) * 8 + ("lost",) * 5 + ("late", "late", "doubled", "doubled", "ten", "cut")
CONFIRMED = (*MODES, "lower", "garbled")
NONSENSE = ("JINA LANGU", "", "0", "wifi ya jana", "254", "INV-MAIN-999999")
FORGED = "UGEF0RGED"


@dataclass(slots=True)
class Order:
    """What somebody wants, and what he does.

    ``pays``, ``cancels``, ``later`` (no, then yes), ``ignores``, ``menu`` (pays from his own menu
    under the prompt's account), ``twice`` (both).
    """

    id: OrderId
    kind: str
    rail: str
    plan: str
    phone: Msisdn
    does: str
    holder: str = ""
    forgeries: set[str] = field(default_factory=set)


class Play:
    """One run."""

    def __init__(self, stage: Stage, chance: random.Random, *, till: bool) -> None:
        self.stage, self.chance, self.till = stage, chance, till
        self.truth = stage.truth
        self.c2b = chance.random() < 0.7
        self.orders: dict[str, Order] = {}
        self.owners: dict[str, str | None] = {}
        """Whose money from the menu is, by receipt; None: nobody's."""
        self.said: list[Work] = []
        """What was told and heard."""
        self.calm = False
        self._line: list[tuple[float, int, str, Callable[[], Awaitable[None]]]] = []
        self._numbers = itertools.count()
        self._start = stage.clock()
        for rail in stage.rails.values():
            rail.paying = self._paid_at_once

    # --- time

    @property
    def passed_s(self) -> float:
        """Seconds since the run began."""
        return (self.stage.clock() - self._start).total_seconds()

    def at(self, delay_s: float, text: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do something later."""
        moment = self.passed_s + delay_s
        heapq.heappush(self._line, (moment, next(self._numbers), text, work))

    async def until(self, moment_s: float) -> None:
        """Live until then."""
        while self._line and self._line[0][0] <= moment_s:
            moment, _, text, work = heapq.heappop(self._line)
            self.stage.clock.advance(max(0, int(moment - self.passed_s)))
            if text:
                self.stage.tell(text)
            await work()
        self.stage.clock.advance(max(0, int(moment_s - self.passed_s)))

    # --- the product, which may die under it

    async def done(self, work: Work, *, text: str = "") -> bool:
        """Have a process do something; whether it lived to the end of it."""
        deps = self.chance.choice(self.stage.processes)
        db = deps.db
        assert isinstance(db, Process)
        if not self.calm and self.chance.random() < KILLS:
            db.die_at(self.chance.randint(1, 4), self.chance.choice(MOMENTS))
        lived = False
        try:
            said = await work(deps)
            lived = True
            if text == "heard":
                self.said.append(work)
            if text:
                self.stage.tell(f"    {text}: {getattr(said, 'text', said)}")
        except* Killed:
            self.stage.tell("    a process was killed")
        except* DatabaseBusy:
            self.stage.tell("    the database was busy")
        db.start()
        return lived

    async def at_once(self, work: Work, count: int) -> None:
        """Both processes are told the same at the same instant, again and again."""
        deps = itertools.cycle(self.stage.processes)
        each = [work(next(deps)) for _ in range(count)]
        for said in await asyncio.gather(*each, return_exceptions=True):
            if isinstance(said, BaseException) and not isinstance(said, DatabaseBusy):
                raise said

    async def jobs(self, *names: str) -> None:
        """The scheduler's rounds."""
        for name in names or tuple(JOBS):
            await self.done(JOBS[name])
        await self._answer_questions()

    def post(self, delay_s: float, text: str, work: Work, mode: str) -> None:
        """A provider tells something, as well as it goes."""
        if mode == "lost":
            self.at(delay_s, f"{text}: lost", _nothing)
            return
        if mode == "late":
            delay_s += self.chance.randint(300, LATE_MAX_S)

        async def tell() -> None:
            if mode == "ten":
                await self.at_once(work, 10)
                self.said.append(work)
                return
            for _ in range(2 if mode == "doubled" else 1):
                await self.done(work, text="heard")

        self.at(delay_s, f"{text}: {mode}", tell)

    # --- what people do

    def order(self, order: Order) -> None:
        """Somebody orders; a site that hears nothing asks again."""
        self.orders[order.id] = order
        rail = self.stage.rails[order.rail]
        rail.how[order.id] = self.chance.choice(
            ("accept",) * 6 + ("first", "first", "lose", "drop")
        )
        tries = itertools.count(1)

        async def work(deps: Deps) -> object:
            if order.kind == "account":
                amount = Money(SHILLINGS[order.plan] * 100)
                wish = AccountPayment(order.id, order.holder, amount, order.phone, order.rail)
                return (await pay_account(deps, wish)).stage
            mac = "" if order.kind == "token" else f"02:00:00:00:01:{len(self.orders):02x}"
            if order.kind == "grant":
                mac = f"02:00:00:00:02:{int(order.id[-2:], 16):02x}"
            purpose = Purpose.TOKEN if order.kind == "token" else Purpose.GRANT
            plan = PlanId(order.plan)
            told = NewOrder(order.id, plan, order.phone, mac, 0, purpose, order.rail)
            return (await purchase(deps, SITE, told)).stage

        async def ask() -> None:
            lived = await self.done(work, text="stage")
            self.at(self.chance.randint(5, 40), "", lambda: self._looks(order))
            if (not lived or self.chance.random() < 0.15) and next(tries) < 4:
                self.at(self.chance.randint(3, 20), f"{order.id[:8]} is sent again", ask)

        what = f"{order.id[:8]}: {order.kind} of {order.plan} by {order.rail}, {rail.how[order.id]}"
        self.at(self.chance.randint(0, 300), f"{what}, {order.does}", ask)

    async def _looks(self, order: Order) -> None:
        """The payer looks at the phone."""
        for prompt in [p for p in self.truth.prompts.values() if p.push.order_id == order.id]:
            if prompt.code is not None or prompt.name in self._seen_by_payers:
                continue
            self._seen_by_payers.add(prompt.name)
            self._lie_about(order, prompt)
            if order.does in {"pays", "twice"}:
                self._pays(prompt)
            if order.does in {"cancels", "later"}:
                prompt.code = self.chance.choice(("1032", "1037"))
                self._tell_callback(prompt, None)
            if order.does == "later":
                self.at(self.chance.randint(60, 300), "", partial(self._after_all, prompt))
            if order.does in {"menu", "twice"} and order.rail == "mpesa" and not self.till:
                minor = prompt.push.amount.minor
                odd = 100 * self.chance.choice((0, 0, 0, 7, 30, -15))
                if order.kind == "account" or order.plan != "hour":
                    odd = 0
                told = {"reference": prompt.push.account, "phone": order.phone}
                self.from_menu(self.chance.randint(5, 90), minor + odd, **told)

    async def _after_all(self, prompt: Prompt) -> None:
        if prompt.receipt is None:
            self.stage.tell(f"{prompt.push.order_id[:8]}: the payer pays after all")
            self._pays(prompt)

    async def _paid_at_once(self, prompt: Prompt) -> None:
        """The payer is faster than the answer to our push."""
        order = self.orders[prompt.push.order_id]
        if prompt.code is None and order.does in {"pays", "twice"}:
            self._seen_by_payers.add(prompt.name)
            paid = self._settled(prompt)
            work = self._callback(prompt, paid)
            try:
                await work(self.stage.processes[1])
                self.said.append(work)
            except DatabaseBusy:
                self.stage.tell("    its callback came too early, and the database was busy")

    def _pays(self, prompt: Prompt) -> None:
        paid = self._settled(prompt)
        self._tell_callback(prompt, paid)

    def _settled(self, prompt: Prompt) -> Paid:
        place = self.stage.rails[prompt.rail].place
        paid = self.truth.pay(prompt.name, place, till=self.till and prompt.rail == "mpesa")
        self.stage.tell(f"{prompt.push.order_id[:8]}: paid, {paid.receipt}")
        if prompt.rail == "mpesa" and self.c2b:
            self._tell_confirmation(paid)
        return paid

    def _tell_callback(self, prompt: Prompt, paid: Paid | None) -> None:
        name = prompt.push.order_id[:8]
        mode = self.chance.choice(MODES)
        if prompt.rail != "mpesa" and paid is None:
            return  # these rails say nothing of a no
        self.post(
            self.chance.randint(1, 20),
            f"{name}: callback ({'paid' if paid else prompt.code})",
            _cut(self._callback, prompt, paid) if mode == "cut" else self._callback(prompt, paid),
            mode,
        )

    def _callback(self, prompt: Prompt, paid: Paid | None, *, cut: bool = False) -> Work:
        if prompt.rail == "mpesa":
            code = 0 if paid else int(prompt.code or "1032")
            return self.to_stk(prompt, _whole(bodies.stk(prompt, code=code, paid=paid), cut=cut))
        assert paid is not None
        if prompt.rail == "airtel":
            return _told("airtel", _whole(bodies.airtel(prompt.name, paid.receipt), cut=cut), {})
        body, headers = bodies.card(prompt.name, paid.receipt, paid.minor)
        return _told("card", _whole(body, cut=cut), headers)

    def to_stk(self, prompt: Prompt, body: bytes) -> Work:
        """A post at the address of one push."""
        token = prompt.push.callback_url.partition(CALLBACK_PATH)[2]

        async def work(deps: Deps) -> object:
            return await take_callback(deps, token=token, body=body, source=SOURCE)

        return work

    def _tell_confirmation(self, paid: Paid) -> None:
        mode = self.chance.choice(CONFIRMED)
        reference = paid.reference
        if mode == "lower":
            reference = f" {reference.lower()} "
        if mode == "garbled" and reference:
            reference = "?!#" + reference[4:]
            self.owners.pop(paid.receipt, None)
        place = self.chance.choice((TILL, SHORTCODE)) if self.till else paid.place
        body = bodies.confirmation(paid, place=place, reference=reference)
        body = _whole(body, cut=mode == "cut")
        self.post(self.chance.randint(0, 30), f"{paid.receipt}: confirmation", _to_c2b(body), mode)

    def from_menu(self, delay_s: float, minor: int, *, reference: str, phone: str) -> None:
        """Somebody pays from the phone's own menu."""

        async def pay() -> None:
            place = TILL if self.till else SHORTCODE
            typed = "" if self.till else reference
            paid = self.truth.settle("mpesa", minor, place=place, reference=typed, msisdn=phone)
            self.stage.tell(f"{paid.receipt}: {minor // 100} from the menu for {typed!r}")
            self._note_owner(paid)
            if self.c2b:
                self._tell_confirmation(paid)

        self.at(delay_s, "", pay)

    def to_bank(self, delay_s: float, minor: int, *, reference: str, phone: str) -> None:
        """Somebody pays into the bank account."""

        async def pay() -> None:
            paid = self.truth.settle(
                "bank", minor, place=BANK_ACCOUNT, reference=reference, msisdn=phone
            )
            self._note_owner(paid)
            body, headers = bodies.bank(paid)
            mode = self.chance.choice(MODES)
            work = _to_bank(_whole(body, cut=mode == "cut"), headers)
            self.post(self.chance.randint(1, 60), f"{paid.receipt}: bank notice", work, mode)

        self.at(delay_s, f"{minor // 100} into the bank for {reference!r}", pay)

    def _note_owner(self, paid: Paid) -> None:
        for one in self.stage.accounts.values():
            if paid.reference in {one.phone, one.invoice, "0" + one.phone[3:]}:
                self.owners[paid.receipt] = one.id
                return
        if paid.reference in NONSENSE and not self.till:
            self.owners[paid.receipt] = None

    # --- lies

    def _lie_about(self, order: Order, prompt: Prompt) -> None:
        """Somebody who learnt an address tells what is not so."""
        for lie in order.forgeries:
            self.at(self.chance.randint(0, 120), "", partial(self._lie, order, prompt, lie))

    async def _lie(self, order: Order, prompt: Prompt, lie: str) -> None:
        receipt = f"{FORGED}{next(self._numbers)}"
        minor = prompt.push.amount.minor
        works: dict[str, Work] = {
            "amount": self.to_stk(
                prompt, bodies.stk(prompt, code=0, receipt=receipt, minor=minor - 100)
            ),
            "shortcode": self.to_stk(
                prompt, bodies.stk(prompt, code=0, receipt=receipt, shortcode="999999")
            ),
            "name": self.to_stk(
                prompt, bodies.stk(prompt, code=0, receipt=receipt, name="ws_CO_forged")
            ),
            "no code": self.to_stk(prompt, bodies.stk(prompt, code=None, receipt=receipt)),
            "failure": self.to_stk(prompt, bodies.stk(prompt, code=1032)),
            "airtel": _told("airtel", bodies.airtel(prompt.name, "MP261126.0900.F00000"), {}),
            "card": _told("card", *bodies.card(prompt.name, "9999999", minor, key="sk_guess")),
        }
        if lie == "replay":
            used = await judge.credited_receipt(self.stage.deps.db)
            if used is None:
                return
            works[lie] = self.to_stk(prompt, bodies.stk(prompt, code=0, receipt=used))
        if lie == "dear":
            if order.does != "ignores":
                return
            works[lie] = self.to_stk(prompt, bodies.stk(prompt, code=0, receipt=receipt))
        if lie in {"name", "shortcode"} and not await judge.knows(self.stage.deps.db, prompt.name):
            return
        self.stage.tell(f"{order.id[:8]}: a lie ({lie})")
        await self.done(works[lie], text="heard")

    async def forged_money(self, lie: str) -> None:
        """Money from the menu, or in the bank, that there never was."""
        anne = self.stage.accounts["anne"]
        fake = _fake(self.truth.now(), f"{FORGED}{next(self._numbers)}", anne.phone)
        if lie == "dear":
            fake.minor = 600_000
        body, headers = bodies.bank(fake, password="guessed")
        works = {
            "secret": _to_c2b(bodies.confirmation(fake), secret="f" * 48),
            "shortcode": _to_c2b(bodies.confirmation(fake, place="999999")),
            "dear": _to_c2b(bodies.confirmation(fake)),
            "bank": _to_bank(body, headers),
        }
        self.stage.tell(f"{fake.receipt}: money that never was ({lie})")
        await self.done(works[lie], text="heard")

    # --- money that goes back

    async def give_back(self) -> None:
        """Staff give some money back."""
        found = await judge.money_to_give_back(self.stage.deps.db, self.chance)
        paid = None if found is None else self._may_go_back(found)
        if found is None or paid is None:
            return
        name = f"{self.chance.getrandbits(128):032x}"
        how = self.chance.choice(("accept",) * 4 + ("no", "lose", "not_sent"))
        if paid.rail not in self.stage.rails:
            how = "not_sent"
        else:
            self.stage.rails[paid.rail].giving[name] = how
        amount = self._part_of(paid) if found.is_accounts else None
        self._going.add(found.key)

        async def work(deps: Deps) -> object:
            try:
                row = await refunds.refund(
                    deps, found.id, amount=amount, reason="he asked", idempotent=name
                )
            except NotToRefund as refusal:
                return refusal
            return row.state

        async def ask() -> None:
            if not await self.done(work, text="refund"):
                self.at(30, "", ask)
            self.at(self.chance.randint(5, 60), "", decide)

        async def decide() -> None:
            for given in self.truth.refunds.values():
                if given.refund.refund_id == name and given.went is None:
                    self.truth.decide(given.name, went=how != "no")
                    self._tell_refund(given)

        self.stage.tell(f"{paid.receipt}: to be given back, {amount or 'all'}, {how}")
        await ask()

    def _may_go_back(self, found: judge.Arrived) -> Paid | None:
        """Staff wait with money that may yet turn out to be an order's."""
        paid = self.truth.paid.get(found.key)
        if paid is None or paid.gone_minor:
            return None
        waits = found.state == "suspense" and self.owners.get(paid.receipt, "somebody") is not None
        return None if waits else paid

    def _part_of(self, paid: Paid) -> Money | None:
        """Half of it, now and then; None is all of it."""
        if paid.minor < 400 or paid.rail == "airtel" or self.chance.random() > 0.4:
            return None
        return Money(paid.minor // 2 // 100 * 100)

    def _tell_refund(self, given: GivenBack) -> None:
        if given.rail == "mpesa":
            work = _to_results(given.refund.callback_url, bodies.refund_result(given))
        else:
            push = self.truth.paid[given.rail, given.refund.receipt].push
            assert push is not None
            work = _told("card", *bodies.card_refund(given, push))
        mode = self.chance.choice(MODES[:-1])
        self.post(self.chance.randint(1, 30), f"{given.name[:12]}: went={given.went}", work, mode)

    async def provider_takes_back(self) -> None:
        """M-PESA reverses money by itself; only its statement tells."""
        kept = [
            one
            for key, one in self.truth.paid.items()
            if one.rail == "mpesa" and not one.gone_minor and key not in self._going
        ]
        if kept and not self.till:  # what names no account cannot be told from what was never paid
            one = self.chance.choice(kept)
            self.truth.take_back(one, one.minor)
            self._going.add(("mpesa", one.receipt))
            self.stage.tell(f"{one.receipt}: M-PESA takes it back")

    async def statement(self) -> None:
        """Staff import the portal's statement so far."""
        rows = [one for one in self.truth.paid.values() if one.rail == "mpesa"]
        if not rows:
            return
        place, until = (TILL if self.till else SHORTCODE), self.truth.now()
        data = bodies.portal_csv(rows, place=place, until=until)
        name = f"{self.chance.getrandbits(128):032x}"

        async def work(deps: Deps) -> object:
            told = {"name": "org.csv", "idempotent": name}
            return (await import_statement(deps, data, **told)).new_lines

        self.stage.tell("a statement is imported")
        if not await self.done(work, text="new lines") and self.calm:
            raise AssertionError("nothing is wrong any more, and a statement was not taken")

    async def other_statements(self) -> None:
        """What the statements of the bank and of the other rails tell."""
        for one in [one for one in self.truth.paid.values() if one.rail != "mpesa"]:
            seen = Seen(
                one.rail,
                one.receipt,
                Money(one.minor),
                one.place,
                Road.STATEMENT,
                one.at,
                one.reference,
            )
            await self.done(partial(arrive, seen=seen))

    async def _answer_questions(self) -> None:
        """Daraja posts what it found."""
        asked, self.stage.account.asked = self.stage.account.asked, []
        for name, url in asked:
            given = self.truth.refunds.get(name)
            if given is not None:
                body = bodies.refund_status(given)
            else:
                body = bodies.status(name, self.truth.paid.get(("mpesa", name)))
            mode = "once" if self.calm else self.chance.choice(MODES[:-1])
            self.post(2, f"{name[:12]}: answer to a question", _to_results(url, body), mode)

    _seen_by_payers: set[str]
    _going: set[tuple[str, str]]


async def _nothing() -> None:
    pass


def _whole(body: bytes, *, cut: bool) -> bytes:
    return body[: len(body) // 2] if cut else body


def _cut(make: Callable[..., Work], prompt: Prompt, paid: Paid | None) -> Work:
    return make(prompt, paid, cut=True)


def _fake(at: datetime, receipt: str, reference: str) -> Paid:
    return Paid("mpesa", receipt, 30_000, SHORTCODE, reference, at, "254722000009")


def _told(rail: str, body: bytes, headers: dict[str, str]) -> Work:
    async def work(deps: Deps) -> object:
        return await take_told(deps, rail=rail, body=body, source=SOURCE, headers=headers)

    return work


def _to_c2b(body: bytes, *, secret: str | None = None) -> Work:
    async def work(deps: Deps) -> object:
        offered = secret or doors.secret_of(deps.vault, doors.PAYBILL)
        if not doors.opens(deps, doors.PAYBILL, offered):
            return "no such door"
        return await paybill.confirmed(deps, body, source=SOURCE)

    return work


def _to_bank(body: bytes, headers: dict[str, str]) -> Work:
    async def work(deps: Deps) -> object:
        assert deps.bank is not None
        try:
            return (await arrive(deps, read_notice(body, headers, deps.bank))).state
        except CallbackUnreadable as error:
            return error.field

    return work


def _to_results(url: str, body: bytes) -> Work:
    token = url.partition(RESULT_PATH)[2]

    async def work(deps: Deps) -> object:
        ours = await refunds.take_result(deps, token=token, body=body, headers={})
        return ours or await paybill.take_result(deps, token=token, body=body)

    return work


def planned(stage: Stage, chance: random.Random, *, till: bool) -> Play:
    """What a seed has in store."""
    play = Play(stage, chance, till=till)
    play._seen_by_payers, play._going = set(), set()  # noqa: SLF001 - made here
    for n in range(chance.randint(1, 4)):
        kind = chance.choice(("grant", "grant", "token", "account"))
        rail = chance.choice(("mpesa", "mpesa", "mpesa", "airtel", "card"))
        plan = chance.choice(("hour", "hour", "day", "year" if kind != "token" else "day"))
        does = chance.choice(
            ("pays",) * 6 + ("cancels", "later", "ignores", "menu", "menu", "twice")
        )
        lies = {
            "mpesa": ("amount", "shortcode", "name", "no code", "failure", "replay"),
            "airtel": ("airtel",),
            "card": ("card",),
        }[rail]
        chosen = set(chance.sample(lies, chance.choice((0, 0, 1, 2)) if len(lies) > 1 else 1))
        if plan == "year" and rail == "mpesa":
            chosen.add("dear")
        phone = Msisdn(f"25471{n:07d}")
        holder = stage.accounts[chance.choice(sorted(stage.accounts))].id
        name = OrderId(f"{n + 1:x}" * 8 + f"{chance.getrandbits(88):022x}{n:02x}")
        play.order(Order(name, kind, rail, plan, phone, does, holder, chosen))
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        one = stage.accounts[chance.choice(sorted(stage.accounts))]
        reference = chance.choice((one.phone, "0" + one.phone[3:], one.invoice, *NONSENSE[:3]))
        minor = 100 * chance.choice((20, 50, 300, 1_500, 6_000))
        send = play.to_bank if chance.random() < 0.3 else play.from_menu
        send(chance.randint(0, 600), minor, reference=reference, phone=one.phone)
    if chance.random() < 0.4:
        lie = chance.choice(("secret", "shortcode", "dear", "bank"))
        play.at(chance.randint(0, 600), "", lambda: play.forged_money(lie))
    if chance.random() < 0.3:
        play.at(chance.randint(300, 900), "", play.give_back)
    if chance.random() < 0.2:
        play.at(chance.randint(300, 900), "", play.provider_takes_back)
    if chance.random() < 0.2:
        play.at(chance.randint(300, 900), "", play.statement)
    return play


async def lived(stage: Stage, chance: random.Random, *, till: bool, pull: bool) -> list[str]:
    """Live a run and judge it; its story. Raises `judge.Broken`, with the story in its notes."""
    play = planned(stage, chance, till=till)
    try:
        await _with_faults(play)
        await _mended(play, pull=pull)
        await _again(play)
    except BaseException as broken:
        broken.add_note("\n".join(stage.told))
        raise
    return stage.told


async def _with_faults(play: Play) -> None:
    """Faults all the way; the scheduler looks in now and then, and may find nobody at home."""
    for moment in range(40, FAULTS_END_S, 120):
        names = play.chance.sample(sorted(JOBS), 3)
        play.at(moment, "", partial(play.jobs, *names))

    async def gone(*, back: bool) -> None:
        play.truth.reachable = back
        play.stage.tell("the providers can be asked again" if back else "nobody can be asked")

    if play.chance.random() < 0.3:
        play.at(120, "", lambda: gone(back=False))
        play.at(500, "", lambda: gone(back=True))
    await play.until(FAULTS_END_S)


async def _mended(play: Play, *, pull: bool) -> None:
    """Nothing goes wrong any more: within minutes all is here, at the end all is in its place."""
    play.calm, play.truth.reachable = True, True
    play.stage.tell("all is mended")
    for moment in (60, MINUTES_S):
        await play.until(FAULTS_END_S + moment)
        await play.jobs("query", "refunds", "confirm", "pull")
        await play.until(play.passed_s + 5)
    if pull:
        await judge.all_is_here(play.stage, play.truth, rails=("mpesa",))
    for hours in (2, 7, 25):
        await play.until(hours * 3_600)
        await play.jobs("query", "refunds", "confirm")
        await play.until(play.passed_s + 5)
    if not any(order.does == "later" for order in play.orders.values()):
        await judge.all_is_here(play.stage, play.truth, rails=("airtel", "card"))
    await play.statement()
    await play.other_statements()
    play.stage.clock.advance(61)
    await play.jobs("place", "book", "pull")
    await judge.all_is_right(play)


async def _again(play: Play) -> None:
    """Everything is told once more, and changes nothing."""
    before = await judge.books(play.stage.deps.db)
    play.stage.tell("everything is told again")
    for work in list(play.said):
        await play.done(work)
    await play.statement()
    await play.other_statements()
    await play.jobs()
    await judge.is_unchanged(play.stage.deps.db, before)
