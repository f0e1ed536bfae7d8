"""What a subscriber is given back for time without service. PURE.

A rule says how much of a period must have been lost before anything is given, and what is given
then: the share of the period's price that the lost time is, the worth of some days, or an amount.
Never more than the period cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.money import Money, split

if TYPE_CHECKING:
    from billing.period import Period

SECOND = timedelta(seconds=1)
DAY_S = 86_400
MORE_THAN_MAX_S = 366 * DAY_S
DAYS_MAX = 366


class Gives(StrEnum):
    """What a rule gives."""

    SHARE = "share"
    DAYS = "days"
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class CreditRule:
    """More than ``more_than_s`` lost in a period gives this; ``days`` and ``amount`` as needed."""

    more_than_s: int
    gives: Gives
    days: int = 0
    amount: Money | None = None

    def __post_init__(self) -> None:
        """Raise `InvalidField` for a rule that gives nothing."""
        if not 0 <= self.more_than_s <= MORE_THAN_MAX_S:
            raise InvalidField("more_than_s", "want 0 seconds to 366 days")
        if self.gives is Gives.DAYS and not 1 <= self.days <= DAYS_MAX:
            raise InvalidField("days", f"want 1 to {DAYS_MAX}")
        if self.gives is Gives.AMOUNT and (self.amount is None or self.amount.minor <= 0):
            raise InvalidField("amount", "want more than nothing")


def credit_for(rule: CreditRule, *, price: Money, period: Period, lost_s: int) -> Money:
    """What ``lost_s`` seconds without service in a period that cost ``price`` give back."""
    assert lost_s >= 0, "time is not lost backwards"
    if lost_s <= rule.more_than_s or price.minor <= 0:
        return Money(0, price.currency)
    if rule.gives is Gives.AMOUNT:
        assert rule.amount is not None, "checked when it was made"
        return min(rule.amount, price, key=lambda one: one.minor)
    whole_s = (period.end - period.start) // SECOND
    wanted_s = lost_s if rule.gives is Gives.SHARE else rule.days * DAY_S
    given_s = min(wanted_s, whole_s)
    return split(price, (given_s, whole_s - given_s))[0]
