"""A contract, who has it, and what things cost: with telling defaults."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from billing.charge import Account, Catalogue, Contract, Mode, Sold, Taken
from billing.ids import PlanId
from billing.money import Money
from billing.period import Cycle, Unit, midnight
from billing.plan import Limits, Plan
from billing.promo import Discount
from billing.rating import Formula, Tariff, Tier
from billing.tax import KENYA, TaxClass

GB = 1_000_000_000
PER_GB = Tariff(Formula.GRADUATED, GB, (Tier(None, Money(10_00)),))
CHEAPER_FOR_MANY = Tariff(Formula.VOLUME, GB, (Tier(10, Money(10_00)), Tier(None, Money(1_00))))
MONTH = Cycle(Unit.MONTH)


def at(day: str, clock: str = "00:00") -> datetime:
    """A moment in Nairobi."""
    hours, minutes = clock.split(":")
    return midnight(date.fromisoformat(day)) + timedelta(hours=int(hours), minutes=int(minutes))


def sold(plan_id: str, shillings: int, *, tariff: Tariff | None = None) -> Sold:
    """A plan of so many shillings for a month, taxes included."""
    limits = Limits(1_000_000, 1_000_000, None, None, 10**12, 1)
    plan = Plan(PlanId(plan_id), plan_id.capitalize(), Money(shillings * 100), limits)
    return Sold(plan, TaxClass.INTERNET, tax_included=True, tariff=tariff)


CATALOGUE = Catalogue(
    sold={
        "fibre": sold("fibre", 3_000),
        "faster": sold("faster", 6_000),
        "metered": sold("metered", 1_000, tariff=PER_GB),
        "bulk": sold("bulk", 1_000, tariff=CHEAPER_FOR_MANY),
    },
    prices={},
    rates=KENYA,
    vat=True,
    excise=True,
)


def an_account(shillings: int = 0, *, taken: tuple[Taken, ...] = ()) -> Account:
    """A subscriber with so much in the wallet."""
    return Account("s" * 32, "residential", "main", Money(shillings * 100), taken)


def a_discount(
    *, basis_points: int | None = None, amount: Money | None = None, left: int | None = None
) -> Taken:
    """A discount that was taken up."""
    terms = Discount(basis_points=basis_points, amount=amount)
    return Taken("use", "friends", "Friends", terms, left)


def a_contract(
    mode: Mode = Mode.ADVANCE,
    *,
    name: str = "c",
    plan_id: str = "fibre",
    cycle: Cycle = MONTH,
    anchor: str = "2027-09-01",
    state: str = "active",
    hold: str | None = None,
    bill_at: datetime | None = None,
    bespoke: Money | None = None,
    next_plan_id: str | None = None,
) -> Contract:
    """A contract from September on, whose first period is to be billed."""
    begins = at(anchor)
    return Contract(
        id=name,
        plan_id=plan_id,
        mode=mode,
        cycle=cycle,
        anchor_at=begins,
        bill_at=bill_at or begins,
        bespoke=bespoke,
        next_plan_id=next_plan_id,
        state=state,
        hold=hold,
    )
