"""When to ask the provider what became of a push. PURE.

A callback usually comes within seconds, sometimes after hours, sometimes never. Prompts live for
about a minute, so the first questions come early; later ones find what a lost callback left.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

QUERIES_AFTER_S = (15, 30, 60, 90, 120, 300, 900, 3_600, 21_600, 86_400)
"""Seconds after the push at which to ask, while there is no answer."""

PATIENCE_S = 120
"""After this long without an outcome a payment is UNKNOWN (never failed)."""


def next_query_at(pushed_at: datetime, now: datetime) -> datetime | None:
    """The next moment of the schedule after ``now``; None when it is over.

    Made from the push, not from the last question: a scheduler that was down asks once, not ten
    times.
    """
    for after_s in QUERIES_AFTER_S:
        at = pushed_at + timedelta(seconds=after_s)
        if at > now:
            return at
    return None


def is_out_of_patience(pushed_at: datetime, now: datetime) -> bool:
    """Whether the customer should be told that we do not know yet."""
    return now - pushed_at >= timedelta(seconds=PATIENCE_S)
