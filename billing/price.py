"""What a plan costs whom, where and when. PURE.

A plan has a price of its own. Dated prices go before it: for a segment at a branch, for a segment,
for a branch, or for everybody, in this order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.plan import ID_SHAPE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from billing.ids import PlanId
    from billing.money import Money
    from billing.plan import Plan

AMOUNT_MAX_MINOR = 10_000_000 * 100
"""A period that costs more than ten million shillings is a mistake in typing."""

SEGMENT_SHAPE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,14}[a-z0-9])?")
"""A kind of subscriber: residential, business, enterprise, …"""


@dataclass(frozen=True, slots=True)
class Price:
    """What a plan costs from a day on, up to and without ``until_day`` (None: no end yet).

    ``segment`` and ``branch_id`` are "" for every one.
    """

    plan_id: PlanId
    segment: str
    branch_id: str
    amount: Money
    from_day: date
    until_day: date | None = None


def price_on(
    plan: Plan, prices: Iterable[Price], *, segment: str, branch_id: str, day: date
) -> Money:
    """What a plan costs a segment at a branch on a day: the most specific price that holds."""
    holding = {
        (price.segment, price.branch_id): price.amount
        for price in prices
        if price.plan_id == plan.id and _holds(price, day)
    }
    for who in ((segment, branch_id), (segment, ""), ("", branch_id), ("", "")):
        if who in holding:
            return holding[who]
    return plan.price


def check_prices(existing: Iterable[Price], new: Price) -> Price:
    """The new price when it can stand beside the existing ones.

    Raises `InvalidField`: ``segment``, ``branch_id``, ``amount``, ``until_day``, ``currency`` of
    another kind than the plan's other prices, or ``from_day`` when another price for the same plan,
    segment and branch holds on one of its days.
    """
    if new.segment and not SEGMENT_SHAPE.fullmatch(new.segment):
        raise InvalidField("segment", f"{new.segment[:40]!r} is no segment")
    if new.branch_id and not ID_SHAPE.fullmatch(new.branch_id):
        raise InvalidField("branch_id", f"{new.branch_id[:40]!r} is no branch id")
    if not 0 <= new.amount.minor <= AMOUNT_MAX_MINOR:
        raise InvalidField("amount", f"want 0 to {AMOUNT_MAX_MINOR // 100:,}, got {new.amount}")
    if new.until_day is not None and new.until_day <= new.from_day:
        raise InvalidField("until_day", "want a day after the first")
    for other in existing:
        _check_beside(other, new)
    return new


def _check_beside(other: Price, new: Price) -> None:
    if other.plan_id != new.plan_id:
        return
    if other.amount.currency != new.amount.currency:
        raise InvalidField("currency", f"the plan's other prices are in {other.amount.currency}")
    same = (other.segment, other.branch_id) == (new.segment, new.branch_id)
    if same and new.from_day < _end(other) and other.from_day < _end(new):
        until = "" if other.until_day is None else f" until {other.until_day}"
        raise InvalidField("from_day", f"a price from {other.from_day}{until} already holds")


def _holds(price: Price, day: date) -> bool:
    return price.from_day <= day < _end(price)


def _end(price: Price) -> date:
    return date.max if price.until_day is None else price.until_day
