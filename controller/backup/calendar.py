"""When a backup is due, what its file is called, and which are kept. PURE."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from billing.period import NAIROBI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SUFFIX = ".lango"
_NAME = re.compile(r"lango-(\d{8}T\d{6}Z)\.lango")
_FORMAT = "%Y%m%dT%H%M%SZ"

DAILY, WEEKLY, MONTHLY = 7, 4, 12
"""How many days, weeks and months keep their last backup."""

AGAIN_AFTER = timedelta(minutes=30)
"""After one that failed."""

TRY_EVERY = timedelta(days=7)
"""How often a restore is tried."""


def name_of(at: datetime) -> str:
    """What a backup that was begun then is called."""
    return f"lango-{at.astimezone(UTC):{_FORMAT}}{SUFFIX}"


def made_at(name: str) -> datetime | None:
    """When a backup of that name was begun; None: it is not the name of one."""
    found = _NAME.fullmatch(name)
    try:
        return found and datetime.strptime(found[1], _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def last_due(now: datetime, at: time) -> datetime:
    """The latest moment at which it was so late in Nairobi."""
    local = now.astimezone(NAIROBI)
    today = datetime.combine(local.date(), at, NAIROBI)
    return (today if today <= local else today - timedelta(days=1)).astimezone(UTC)


def is_due(
    now: datetime, *, at: time, done_at: datetime | None, failed_at: datetime | None
) -> bool:
    """Whether a backup is to be made now: none was since it last was due, nor failed just now."""
    if failed_at is not None and now - failed_at < AGAIN_AFTER:
        return False
    return done_at is None or done_at < last_due(now, at)


def kept(names: Iterable[str]) -> set[str]:
    """Of backups those that stay: the last of each of so many days, weeks and months with one."""
    found = sorted(
        ((at, name) for name in names if (at := made_at(name)) is not None), reverse=True
    )
    stay = set[str]()
    parts: tuple[tuple[int, Callable[[datetime], object]], ...] = (
        (DAILY, lambda at: at.date()),
        (WEEKLY, lambda at: at.isocalendar()[:2]),
        (MONTHLY, lambda at: (at.year, at.month)),
    )
    for most, part_of in parts:
        last: dict[object, str] = {}
        for at, name in found:
            last.setdefault(part_of(at.astimezone(NAIROBI)), name)
        stay.update(list(last.values())[:most])
    return stay
