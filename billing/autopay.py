"""When a stored card is charged, and charged again. PURE.

Charges happen in the morning, when people are awake to see the message, and salaries and top-ups of
the night have arrived. A card that said no is tried again on a few later days, and then left alone:
more tries would only cost its holder's trust.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.period import day_of, midnight

MORNING_HOUR = 8
"""Nairobi's."""

CHARGE_LEAST_MINOR = 100
CHARGE_MOST_MINOR = 250_000 * 100
"""No charge is of less than a shilling, or of more than any rail collects at once."""

RETRY_AFTER_DAYS = (1, 2, 3)
"""Days from each try that was refused to the next one; after the last the card is left alone."""


def next_morning(now: datetime) -> datetime:
    """The next moment at which cards are charged, after ``now``."""
    morning = midnight(day_of(now)) + timedelta(hours=MORNING_HOUR)
    return morning if morning > now else morning + timedelta(days=1)


def next_try(tries: int, now: datetime) -> datetime | None:
    """When a card that has been refused ``tries`` times running is tried again; None: no more."""
    if not 1 <= tries <= len(RETRY_AFTER_DAYS):
        return None
    day = midnight(day_of(now)) + timedelta(days=RETRY_AFTER_DAYS[tries - 1])
    return day + timedelta(hours=MORNING_HOUR)


def to_charge(owed_minor: int, most_minor: int | None) -> int:
    """How much of what is owed a card is charged, up to what its holder agreed to; 0: nothing."""
    wanted = min(owed_minor, CHARGE_MOST_MINOR)
    if most_minor is not None:
        wanted = min(wanted, most_minor)
    return wanted if wanted >= CHARGE_LEAST_MINOR else 0
