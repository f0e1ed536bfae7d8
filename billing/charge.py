"""What a subscription costs: the lines of an invoice for a part of a period, and for volume. PURE.

The same lines stand in a quote, in a preview, on one invoice and on those of a whole run: this is
the only place where they are made.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from billing.accounts import discount, plan_income
from billing.invoice import TEXT_MAX, Line, LineKind, part_of, total
from billing.money import Money, split
from billing.period import (
    CALENDAR,
    KNOWN_MAX,
    NAIROBI,
    Period,
    anchored,
    boundary,
    day_of,
    midnight,
    number_at,
    whole_period,
)
from billing.price import price_on
from billing.promo import applies, discount_of
from billing.proration import prorated
from billing.rating import rated
from billing.tax import Taxed, rates_for, taxed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from billing.period import Cycle
    from billing.plan import Plan
    from billing.price import Price
    from billing.promo import Coupon, Discount
    from billing.rating import Tariff
    from billing.tax import Rate, Rates, TaxClass

SECOND = timedelta(seconds=1)
MEGABYTE = 1_000_000


class Mode(StrEnum):
    """When a subscription is paid."""

    PREPAID = "prepaid"
    ADVANCE = "advance"
    ARREARS = "arrears"


@dataclass(frozen=True, slots=True)
class Sold:
    """A plan as it is billed."""

    plan: Plan
    tax_class: TaxClass
    tax_included: bool
    tariff: Tariff | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """A subscription as it is billed.

    ``n`` is the number of the period that is billed next, and ``billed_until`` where the part of it
    begins that is not billed (and was served): everything before stands on an invoice, or was not
    served. None: nothing was billed yet, and it begins with the anchor.
    """

    id: str
    plan_id: str
    mode: Mode
    cycle: Cycle
    anchor_at: datetime
    n: int = 0
    bill_at: datetime | None = None
    billed_until: datetime | None = None
    bespoke: Money | None = None
    next_plan_id: str | None = None
    state: str = "pending"
    hold: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A promotion that a subscriber took up. ``left`` invoices more are lowered; None: all."""

    use_id: str
    promotion_id: str
    name: str
    terms: Discount | Coupon
    left: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """A subscriber as an invoice sees one."""

    id: str
    segment: str
    branch_id: str
    wallet: Money
    taken: tuple[Taken, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """Volume of a period's grant, of which ``billed_bytes`` are charged already.

    A grant that is billed in parts has one use of all of them.
    """

    contract_id: str
    grant_id: str
    plan_id: str
    used_bytes: int
    billed_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What things cost: plans, other prices of them by plan, dated taxes, what is charged.

    ``rates_known`` are the rates that were looked up in it.
    """

    sold: Mapping[str, Sold]
    prices: Mapping[str, Sequence[Price]]
    rates: tuple[Rate, ...]
    vat: bool
    excise: bool
    rates_known: dict[tuple[TaxClass, date], Rates] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )


def floored(cycle: Cycle, at: datetime) -> datetime:
    """The beginning of the day of an instant, where a cycle counts days; else the instant."""
    return midnight(day_of(at)) if cycle.unit in CALENDAR else at


def ceiled(cycle: Cycle, at: datetime) -> datetime:
    """The end of the day of an instant, where a cycle counts days: a day that began is served."""
    begun = floored(cycle, at)
    return begun if begun == at else begun + timedelta(days=1)


def part_of_period(contract: Contract) -> Period:
    """The part of the running period that is not billed yet."""
    end = boundary(contract.cycle, contract.anchor_at, contract.n + 1)
    return _period(contract.billed_until or contract.anchor_at, end)


_period = lru_cache(KNOWN_MAX)(Period)
"""Subscribers share their periods: what is found by one is found at once."""


def due_at(contract: Contract) -> datetime:
    """When the part that is billed next falls due: at its end in arrears, else at its start."""
    part = part_of_period(contract)
    return part.end if contract.mode is Mode.ARREARS else part.start


def renewed(contract: Contract, now: datetime) -> Contract:
    """A prepaid contract that lapsed and is paid again: its periods are counted from now on."""
    anchor = anchored(contract.cycle, now)
    return replace(contract, anchor_at=anchor, n=0, billed_until=anchor, bill_at=anchor)


def resumed(contract: Contract, now: datetime) -> Contract:
    """A contract that is served again: what is left of the running period falls due.

    Time that is billed already is not billed again, and time that was not served never is.
    """
    billed_until = contract.billed_until or contract.anchor_at
    if billed_until <= now:
        begins = max(billed_until, floored(contract.cycle, now))
        n = number_at(contract.cycle, contract.anchor_at, begins)
        contract = replace(contract, n=n, billed_until=begins)
    return replace(contract, bill_at=due_at(contract))


def served_before(contract: Contract, stopped_at: datetime) -> Period | None:
    """What was served in arrears before service stopped, and is not billed; None for nothing."""
    part = part_of_period(contract)
    end = min(part.end, ceiled(contract.cycle, stopped_at))
    if contract.mode is not Mode.ARREARS or end <= part.start:
        return None
    return Period(part.start, end)


def whole_price(
    contract: Contract, account: Account, catalogue: Catalogue, *, day: date, plan_id: str
) -> Money:
    """What a whole period costs this subscriber: a bespoke price beats all others."""
    if contract.bespoke is not None and plan_id == contract.plan_id:
        return contract.bespoke
    return price_on(
        catalogue.sold[plan_id].plan,
        catalogue.prices.get(plan_id, ()),
        segment=account.segment,
        branch_id=account.branch_id,
        day=day,
    )


def lines_for(
    contract: Contract, account: Account, catalogue: Catalogue, *, part: Period, plan_id: str
) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """The lines for a part of a period on a plan, and the promotions that lowered them."""
    whole = whole_period(contract.cycle, contract.anchor_at, contract.n)
    price = whole_price(contract, account, catalogue, day=day_of(part.start), plan_id=plan_id)
    amount = price if part == whole else prorated(price, whole=whole, part=part)
    sold = catalogue.sold[plan_id]
    line = _line(
        contract,
        account,
        catalogue,
        kind=LineKind.PLAN,
        sold=sold,
        amount=amount,
        text=f"{sold.plan.name}, {days_text(part)}",
        day=tax_day(contract, part),
    )
    lines, used, left = [line], list[str](), amount
    for taken in account.taken:
        off = _off(taken, account, plan_id=plan_id, amount=left, at=part.start)
        if off.minor:
            lines.append(_discount(line, account, sold=sold, taken=taken, left=left, off=off))
            used.append(taken.use_id)
            left -= off
    return tuple(lines), tuple(used)


def volume_lines(
    contract: Contract, account: Account, catalogue: Catalogue, uses: Sequence[Use], *, day: date
) -> tuple[tuple[Line, ...], tuple[Use, ...]]:
    """Lines for volume that is not charged yet, and the uses that they charge in full."""
    lines, charged = list[Line](), list[Use]()
    for use in uses:
        sold = catalogue.sold[use.plan_id]
        if sold.tariff is None:
            continue
        amount = rated(sold.tariff, use.used_bytes) - rated(sold.tariff, use.billed_bytes)
        if amount.minor < 0:
            continue  # a later tier is cheaper for all of it: what was charged stands, until passed
        charged.append(use)
        if amount.minor:
            more = use.used_bytes - use.billed_bytes
            lines.append(
                _line(
                    contract,
                    account,
                    catalogue,
                    kind=LineKind.USAGE,
                    sold=sold,
                    amount=amount,
                    text=f"{sold.plan.name}: {more // MEGABYTE:,} MB",
                    day=day,
                )
            )
    return tuple(lines), tuple(charged)


def tax_day(contract: Contract, part: Period) -> date:
    """The day of supply: the first one where it is billed before, the last one in arrears."""
    return _last_day(part) if contract.mode is Mode.ARREARS else day_of(part.start)


@lru_cache(KNOWN_MAX)
def _last_day(part: Period) -> date:
    return day_of(part.end - SECOND)


@lru_cache(KNOWN_MAX)
def days_text(part: Period) -> str:
    """The days, or times, of a period as they stand on an invoice."""
    start, end = part.start.astimezone(NAIROBI), part.end.astimezone(NAIROBI)
    if start.time() == end.time() == midnight(day_of(part.start)).astimezone(NAIROBI).time():
        return f"{start:%Y-%m-%d} to {end - SECOND:%Y-%m-%d}"
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"


def rest_of(lines: Sequence[Line], *, part: Period, rest: Period) -> tuple[Line, ...]:
    """The share of lines for ``part`` that is for its ``rest``: what a credit note gives back.

    A charge comes before what lowers it. Net, excise and VAT have their shares of what is left, so
    that a credit of the whole is the whole, and no part of a credit is below zero.
    """
    found, before = list[Line](), list[Taxed]()
    for n, line in enumerate(lines, start=1):
        upto = _share(total(lines[:n]), part, rest)
        text = f"{line.text.partition(',')[0]}, {days_text(rest)}"
        share = upto if not before else _less(upto, before[-1])
        found.append(part_of(line, share, text[:TEXT_MAX]))
        before.append(upto)
    return tuple(found)


def _share(whole: Taxed, part: Period, rest: Period) -> Taxed:
    """The rest's share of an amount and of its taxes."""
    if whole.total.minor == 0:
        return whole
    parts = (whole.net.minor, whole.excise.minor, whole.vat.minor)
    return Taxed(*split(prorated(whole.total, whole=part, part=rest), parts))


def _less(of: Taxed, less: Taxed) -> Taxed:
    return Taxed(of.net - less.net, of.excise - less.excise, of.vat - less.vat)


def _off(taken: Taken, account: Account, *, plan_id: str, amount: Money, at: datetime) -> Money:
    nothing = Money(0, amount.currency)
    if taken.left == 0:
        return nothing
    if not applies(
        taken.terms,
        plan_id=plan_id,
        segment=account.segment,
        branch_id=account.branch_id,
        at=at,
    ):
        return nothing
    return min(discount_of(taken.terms, amount), amount)


def _discount(
    line: Line, account: Account, *, sold: Sold, taken: Taken, left: Money, off: Money
) -> Line:
    """What is taken off, with its taxes: so much that those of what is left are right."""
    before = taxed(left, line.rates, included=sold.tax_included)
    after = taxed(left - off, line.rates, included=sold.tax_included)
    return Line(
        kind=LineKind.DISCOUNT,
        text=f"{taken.name}, {line.text}"[:TEXT_MAX],
        account=discount(account.branch_id, taken.promotion_id),
        taxed=_less(after, before),
        tax_class=line.tax_class,
        rates=line.rates,
        subscription_id=line.subscription_id,
        plan_id=line.plan_id,
    )


def _line(
    contract: Contract,
    account: Account,
    catalogue: Catalogue,
    *,
    kind: LineKind,
    sold: Sold,
    amount: Money,
    text: str,
    day: date,
) -> Line:
    rates = _rates(catalogue, sold.tax_class, day)
    return Line(
        kind=kind,
        text=text[:TEXT_MAX],
        account=plan_income(account.branch_id, sold.plan.id),
        taxed=taxed(amount, rates, included=sold.tax_included),
        tax_class=sold.tax_class,
        rates=rates,
        subscription_id=contract.id,
        plan_id=sold.plan.id,
    )


def _rates(catalogue: Catalogue, tax_class: TaxClass, day: date) -> Rates:
    known = catalogue.rates_known.get((tax_class, day))
    if known is None:
        known = rates_for(
            catalogue.rates, tax_class, day, vat=catalogue.vat, excise=catalogue.excise
        )
        catalogue.rates_known[tax_class, day] = known
    return known
