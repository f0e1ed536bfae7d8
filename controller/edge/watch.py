"""Wakes followers of sites whose desired state another process changed.

Signals end at this process. One query a second for all sites, instead of one for each follower,
carries the news between several controllers on one database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.store import generations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.ids import SiteId
    from controller.deps import Deps


class Watch:
    """Remembers how far each site was at the last look; forgetting it costs nothing."""

    def __init__(self) -> None:
        self._seen: Mapping[SiteId, int] = {}

    async def look(self, deps: Deps) -> int:
        """Wake the followers of every site that has moved on since the last look; how many."""
        async with deps.db.read() as tx:
            found = await generations.of_all_sites(tx)
        moved = [one for one, reached in found.items() if self._seen.get(one, reached) != reached]
        self._seen = found
        for site_id in moved:
            deps.signals.wake(f"site:{site_id}")
        return len(moved)
