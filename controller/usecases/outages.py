"""When a site cannot be heard: noticed, kept, and the measure of what it is handed next.

A site is down when nothing was heard of it for `DOWN_AFTER`. It makes no difference whose fault
that was: while it lasts, the site lives on what it was handed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from controller.noc import text
from controller.store import notices, outages

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.site_rows import OutageRow, SiteRow

DOWN_AFTER = timedelta(seconds=180)
"""A site that was silent for so long is down: it reports every few seconds when it can."""

LOOK_BACK = timedelta(days=30)
"""The outages of so many days say how long the next one may last."""

OUTAGES_MAX = 1_000
"""Outages looked at of one site; a link that fails more often than that fails shortly."""

SITES_MAX = 500
SECOND = timedelta(seconds=1)


class SilenceWatch:
    """Notices sites that have fallen silent.

    A controller that has just started has heard of nobody, and blames nobody for that: it waits
    `DOWN_AFTER` before it says that a site is down.
    """

    def __init__(self) -> None:
        self._began: datetime | None = None

    async def look(self, deps: Deps) -> int:
        """Tell staff of every site that is newly silent; how many. Raises `DatabaseBusy`."""
        now = deps.now()
        self._began = self._began or now
        if now - self._began < DOWN_AFTER:
            return 0
        async with deps.db.begin() as tx:
            silent = await outages.newly_silent(tx, since=now - DOWN_AFTER, limit=SITES_MAX)
            new = [site for site in silent if await _begins(tx, site)]
            for site in new:
                await _tell(tx, site, "site_down", now, f"nothing was heard since {_when(site)}")
        if new:
            deps.signals.wake("live")
        return len(new)


def is_down(last_seen_at: datetime | None, now: datetime) -> bool:
    """Whether a site cannot be asked just now."""
    return last_seen_at is None or now - last_seen_at >= DOWN_AFTER


async def heard(tx: Tx, site: SiteRow, now: datetime) -> bool:
    """Note that a site reports; whether it comes back from an outage.

    The outage is kept, and staff are told, also when nobody was there to notice its beginning.
    """
    if site.last_seen_at is None or not is_down(site.last_seen_at, now):
        return False
    await outages.end(tx, site.id, began_at=site.last_seen_at, ended_at=now)
    lasted = text.span((now - site.last_seen_at) // SECOND)
    await _tell(
        tx, site, "site_back", now, f"heard again after {lasted}, silent since {_when(site)}"
    )
    return True


async def outage_s(tx: Tx, site_id: str, now: datetime) -> int:
    """How long a site may have to do without us: its longest outage of late."""
    return (await outages_s(tx, (site_id,), now))[site_id]


async def outages_s(tx: Tx, site_ids: Collection[str], now: datetime) -> dict[str, int]:
    """The same of many sites."""
    longest = dict.fromkeys(site_ids, 0)
    limit = OUTAGES_MAX * len(longest)
    for outage in await outages.since(tx, site_ids, now - LOOK_BACK, limit=limit):
        longest[outage.site_id] = max(longest[outage.site_id], duration_s(outage, now))
    return {site_id: min(long_s, LOOK_BACK // SECOND) for site_id, long_s in longest.items()}


def duration_s(outage: OutageRow, now: datetime) -> int:
    """How long an outage lasted, or lasts already."""
    return ((outage.ended_at or now) - outage.began_at) // SECOND


async def _begins(tx: Tx, site: SiteRow) -> bool:
    """Note that the site has been silent; False when another process just did, or it is back."""
    assert site.last_seen_at is not None
    return await outages.begin(tx, site.id, site.last_seen_at)


async def _tell(tx: Tx, site: SiteRow, code: str, now: datetime, what: str) -> None:
    await notices.add(
        tx,
        now=now,
        code=code,
        text=f"{site.name}: {what}",
        site_id=site.id,
        once=f"{site.id}\n{code}\n{site.last_seen_at}",
    )


def _when(site: SiteRow) -> str:
    assert site.last_seen_at is not None
    return f"{site.last_seen_at.astimezone(text.NAIROBI):%d %b %H:%M:%S} EAT"
