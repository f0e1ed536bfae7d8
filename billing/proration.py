"""What a part of a period costs. PURE."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.money import Money, split

if TYPE_CHECKING:
    from billing.period import Period

_TICK = timedelta(microseconds=1)


def prorated(price: Money, *, whole: Period, part: Period) -> Money:
    """What ``part`` costs when the ``whole`` period costs ``price``.

    It is what is due up to the part's end less what is due up to its beginning, each rounded to the
    cent, half up. So parts that follow each other sum to the whole, however it is cut, and what a
    credit note gives back for the unused rest is what was not charged for the used time. Between
    midnights that is reckoning by days, for all of Nairobi's days are equally long.

    Raises `InvalidField` for a negative price, or a part that is not inside the whole.
    """
    if price.minor < 0:
        raise InvalidField("price", f"want no less than 0, got {price}")
    if part.start < whole.start or part.end > whole.end:
        raise InvalidField("part", "want a part of the period")
    return _due_until(price, whole, part.end) - _due_until(price, whole, part.start)


def _due_until(price: Money, whole: Period, at: datetime) -> Money:
    passed, left = (at - whole.start) // _TICK, (whole.end - at) // _TICK
    return split(price, (passed, left))[0]
