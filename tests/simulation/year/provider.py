"""A provider with everything that it can sell, and people of all kinds; a seed decides which.

It is registered for VAT and excise, whose rates change in the year, as do some prices.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import insert, update

from billing.dunning import Policy, Step, StepKind
from billing.ids import PlanId
from billing.money import Money
from billing.plan import Plan
from billing.promo import Coupon, Discount, Loyalty, Referral
from billing.rating import Formula, Tariff, Tier, tariff_text
from billing.scope import Scope
from controller.store import plans
from controller.store.billing_rows import (
    BranchRow,
    OperatorRow,
    PriceRow,
    SubscriptionRow,
    TaxRateRow,
)
from controller.store.rows import PlanRow, SubscriberRow
from controller.usecases.debts import set_policy
from controller.usecases.promotions import create
from tests.simulation.year.naive import Rhythm, Steps, midnight_in_nairobi
from tests.support.builders import MAC, SITE, limits
from tests.support.charges import a_gift_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.deps import Deps
    from controller.store.database import Tx

Drawn = TypeVar("Drawn")

BEGINS = midnight_in_nairobi(date(2027, 12, 20))
"""The first night: a leap day and three ends of months are in the first hundred."""

BRANCHES = ("main", "coast", "lake")
SEGMENTS = ("residential", "business", "enterprise")
GB = 10**9

RATES: dict[str, tuple[tuple[date, int], ...]] = {
    "vat": ((date(2021, 1, 1), 1_600), (date(2028, 2, 25), 1_400)),
    "excise": ((date(2023, 7, 1), 1_500), (date(2028, 1, 20), 2_000)),
}
"""In hundredths of a per cent, from these days on."""


@dataclass(frozen=True, slots=True)
class Good:
    """A plan: cents for a whole period, how it is taxed, and what volume costs in addition."""

    price: int
    tax_class: str = "internet"
    included: bool = True
    steps: Steps | None = None


GOODS: dict[str, Good] = {
    "home": Good(2_999_00),
    "home-fast": Good(5_500_01),
    "office": Good(12_345_67, included=False),
    "school": Good(3_333_33, tax_class="exempt"),
    "export": Good(9_999_99, tax_class="zero", included=False),
    "lease": Good(1_500_05, tax_class="standard"),
    "metered": Good(1_000_00, steps=Steps("graduated", GB, ((10, 55_00), (50, 33_33), (None, 10)))),
    "blocks": Good(
        500_00, included=False, steps=Steps("package", GB, ((5, 250_00), (20, 700_00), (None, 999)))
    ),
    "bulk": Good(700_00, steps=Steps("volume", GB, ((10, 50_00), (100, 47_00), (None, 46_80)))),
}


@dataclass(frozen=True, slots=True)
class Other:
    """Another price of a plan, for a segment and a branch ("": all), on these days."""

    plan_id: str
    segment: str
    branch: str
    price: int
    from_day: date
    until_day: date | None = None


OTHERS = (
    Other("home", "business", "", 3_499_50, date(2027, 1, 1), date(2028, 2, 1)),
    Other("home", "business", "", 3_600_00, date(2028, 2, 1)),
    Other("home", "", "coast", 2_750_25, date(2028, 1, 10)),
    Other("home-fast", "business", "lake", 4_999_99, date(2028, 1, 1), date(2028, 6, 1)),
    Other("office", "enterprise", "", 11_111_11, date(2027, 1, 1)),
    Other("metered", "residential", "main", 899_99, date(2028, 3, 1)),
)

PROMOTIONS: dict[str, Discount | Coupon | Referral | Loyalty] = {
    "welcome": Discount(basis_points=3_333, periods=2),
    "loyal-five": Discount(amount=Money(199_99), periods=None, scope=Scope(segments=SEGMENTS[:2])),
    "jan50": Coupon("JAN50", Discount(basis_points=5_000, periods=1), uses_max=40),
    "free": Coupon("FREE", Discount(basis_points=10_000, periods=1), uses_max=10),
    "friends": Referral(Money(250_00), Money(100_05)),
    "tenth": Loyalty(every_invoices=5, reward=Money(300_00)),
    "back": Loyalty(basis_points=125, scope=Scope(plans=("home-fast", "office"))),
}

_S = StepKind
POLICIES = {
    "": Policy(7, (Step(_S.REMIND, 1), Step(_S.SUSPEND, 7), Step(_S.RECOVERY, 30))),
    "business": Policy(
        14,
        (
            Step(_S.REMIND, -3),
            Step(_S.REMIND, 3),
            Step(_S.FEE, 5, Money(150_50)),
            Step(_S.SUSPEND, 10),
        ),
    ),
    "enterprise": Policy(30, (Step(_S.FEE, 10, Money(1_000_00)), Step(_S.SUSPEND, 20))),
}
TERMS_DAYS = {"residential": 7, "business": 14, "enterprise": 30}

MANY = 1_000
"""So many subscribers are like those of a real provider; of fewer, more are odd."""

_USUAL = (
    (Rhythm("month"), 20),
    (Rhythm("month", 1, 1), 8),
    (Rhythm("month", 3), 36),
    (Rhythm("month", 6, 15), 22),
    (Rhythm("month", 12), 13),
    (Rhythm("week", 4), 1),
)
_MODES = (("prepaid", 45), ("advance", 40), ("arrears", 15))
HABITS = (
    ("prompt", 50),
    ("ahead", 18),
    ("over", 8),
    ("late", 10),
    ("parts", 6),
    ("withholds", 3),
    ("never", 5),
)


@dataclass(slots=True)
class Line:
    """A subscription as it was agreed on. ``begins_at`` is when it is to begin; None: at once."""

    id: str
    plan_id: str
    mode: str
    rhythm: Rhythm
    bespoke: int | None = None
    begins_at: datetime | None = None


@dataclass(slots=True)
class Person:
    """A subscriber, who joins on a day; ``chance`` decides what one does."""

    n: int
    id: str
    msisdn: str
    segment: str
    branch: str
    habit: str
    joins: int
    chance: random.Random
    lines: list[Line]
    takes: list[str] = field(default_factory=list)
    referred_by: str | None = None


def an_id(*parts: object) -> str:
    """An id that its parts decide."""
    return sha256(" ".join(map(str, parts)).encode()).hexdigest()[:32]


def drawn(chance: random.Random, weighted: Sequence[tuple[Drawn, int]]) -> Drawn:
    """One of some, each as often as its weight says."""
    return chance.choices([one for one, _ in weighted], [weight for _, weight in weighted])[0]


def people(count: int, seed: int, days: int) -> list[Person]:
    """Everybody who is a subscriber some day of so many."""
    found: list[Person] = []
    for n in range(count):
        chance = random.Random(f"{seed}/{n}")
        segment = chance.choices(SEGMENTS, (70, 25, 5))[0]
        joins = 0 if chance.random() < (0.9 if count >= MANY else 0.7) else chance.randrange(days)
        person = Person(
            n=n,
            id=an_id("person", seed, n),
            msisdn=f"2547{n:08d}",
            segment=segment,
            branch=chance.choice(BRANCHES),
            habit=drawn(chance, HABITS),
            joins=joins,
            chance=chance,
            lines=[],
        )
        many = 1 if chance.random() < 0.85 else chance.randrange(2, 4)
        person.lines = [_line(person, k, count) for k in range(many)]
        if chance.random() < 0.25:
            person.takes = chance.sample(("welcome", "loyal-five", "jan50", "free"), 1)
        if found and joins and chance.random() < 0.5:
            person.referred_by = chance.choice(found).id
        found.append(person)
    return found


def _line(person: Person, k: int, count: int) -> Line:
    chance = person.chance
    mode = drawn(chance, _MODES)
    plan_id = chance.choice(sorted(GOODS))
    bespoke = chance.randrange(0, 4_000_00) if chance.random() < 0.08 else None
    rhythm = drawn(chance, _USUAL)
    if chance.random() < (0.03 if count >= MANY else 0.5):
        rhythm = _odd(chance)
    return Line(an_id(person.id, "line", k), plan_id, mode, rhythm, bespoke)


def _odd(chance: random.Random) -> Rhythm:
    unit = chance.choices(("month", "fixed", "week", "day", "hour"), (3, 9, 2, 1, 1))[0]
    match unit:
        case "month":
            return Rhythm("month", chance.choice((1, 2, 5)))
        case "fixed":
            return Rhythm("month", chance.choice((1, 1, 1, 2, 3)), chance.randrange(1, 32))
        case "week":
            return Rhythm("week", chance.randrange(1, 4))
        case "day":
            return Rhythm("day", chance.choice((3, 9, 10, 17)))
        case _:
            return Rhythm("hour", chance.choice((60, 84, 100)))


async def set_up(deps: Deps) -> None:
    """Write down who sells what, at which prices and taxes, with which promotions and patience."""
    now = deps.now()
    async with deps.db.begin() as tx:
        await tx.execute(
            update(OperatorRow).values(
                name="Lango Net", kra_pin="P051234567X", vat_registered=True, excise_registered=True
            )
        )
        for name in BRANCHES[1:]:
            tx.add(
                BranchRow(
                    id=name,
                    name=name,
                    address="",
                    phone="",
                    email="",
                    kra_branch="01",
                    created_at=now,
                )
            )
        for tax, rates in RATES.items():
            for day, basis_points in rates[1:]:
                tx.add(TaxRateRow(tax=tax, from_day=day, basis_points=basis_points))
        for rank, (plan_id, good) in enumerate(GOODS.items()):
            await _sell(tx, deps, plan_id, good, rank=rank)
        await tx.flush()
        await tx.execute(insert(PriceRow), [_price(n, each, now) for n, each in enumerate(OTHERS)])
    for segment, policy in POLICIES.items():
        await set_policy(deps, segment, policy)
    for name, terms in PROMOTIONS.items():
        await create(deps, name=name.capitalize(), terms=terms, promotion_id=name)


async def _sell(tx: Tx, deps: Deps, plan_id: str, good: Good, *, rank: int) -> None:
    plan = Plan(
        PlanId(plan_id),
        plan_id.capitalize(),
        Money(good.price),
        replace(limits(), validity_s=500 * 86_400),
    )
    await plans.insert(tx, plan, rank=rank, now=deps.now())
    await tx.execute(
        update(PlanRow)
        .where(PlanRow.id == plan_id)
        .values(
            audience="contract",
            tax_class=good.tax_class,
            tax_included=good.included,
            tariff=None if good.steps is None else tariff_text(_tariff(good.steps)),
        )
    )


def _tariff(steps: Steps) -> Tariff:
    tiers = tuple(Tier(bound, Money(price)) for bound, price in steps.tiers)
    return Tariff(Formula(steps.formula), steps.unit_bytes, tiers)


def _price(n: int, other: Other, now: datetime) -> dict[str, object]:
    return {
        "id": an_id("price", n),
        "plan_id": other.plan_id,
        "segment": other.segment,
        "branch_id": other.branch,
        "amount_minor": other.price,
        "currency": "KES",
        "from_day": other.from_day,
        "until_day": other.until_day,
        "created_at": now,
    }


async def join(deps: Deps, person: Person, *, brought: bool) -> None:
    """Let somebody be a subscriber; ``brought`` by another one, if that one is there already."""
    row = _row(person, deps.now(), brought=brought)
    async with deps.db.begin() as tx:
        tx.add(row)


def _row(person: Person, now: datetime, *, brought: bool) -> SubscriberRow:
    return SubscriberRow(
        id=person.id,
        msisdn=person.msisdn,
        created_at=now,
        name=f"Person {person.n}",
        segment=person.segment,
        branch_id=person.branch,
        referred_by=person.referred_by if brought else None,
    )


async def taken_over(deps: Deps, everybody: list[Person]) -> None:
    """Let those who are there from the beginning be subscribers, as from a provider's old books.

    Their subscriptions are agreed on, and begin when the scheduler next looks; wallets hold what
    was in the old ones.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        for person in everybody:
            tx.add(_row(person, now, brought=False))
        await tx.flush()
        tx.add_all(_agreed(person, line, now) for person in everybody for line in person.lines)
        for person in everybody:
            if opening(person):
                await a_gift_in(tx, person.id, opening(person), now)


def opening(person: Person) -> int:
    """What the wallet held in the old books: some periods of what is paid before."""
    periods = 1 + person.n % 3
    before = [line for line in person.lines if line.mode == "prepaid"]
    return sum(GOODS[line.plan_id].price * periods * 3 // 2 for line in before)


def _agreed(person: Person, line: Line, now: datetime) -> SubscriptionRow:
    return SubscriptionRow(
        id=line.id,
        subscriber_id=person.id,
        plan_id=line.plan_id,
        site_id=SITE,
        devices=MAC,
        mode=line.mode,
        cycle_unit=line.rhythm.unit,
        cycle_count=line.rhythm.count,
        anchor_day=line.rhythm.fixed,
        anchor_at=now,
        bill_at=now,
        price_minor=line.bespoke,
        state="pending",
        state_at=now,
        created_at=now,
    )


def at_day(n: int) -> datetime:
    """The night with which day ``n`` of the simulation begins."""
    return BEGINS + timedelta(days=n)
