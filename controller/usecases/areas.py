"""Areas: a site with those that are reached through it, a branch, or everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.store import alert_facts, sites
from controller.usecases.alert_routes import must_be_one_area
from controller.usecases.sites import SiteUnknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from billing.ids import SiteId
    from controller.deps import Deps
    from controller.store.alert_facts import SiteSigns
    from controller.store.database import Tx
    from controller.store.scope import Branches

DEPTH_MAX = 8
"""Sites in one line from the first upstream to the last."""


@dataclass(frozen=True, slots=True)
class Area:
    """A site, a branch, or (neither) everything."""

    site_id: str | None = None
    branch_id: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether it is all that there is."""
        return self.site_id is None and self.branch_id is None

    def covers(self, line: Iterable[SiteSigns]) -> bool:
        """Whether a site is inside, by itself or by one through which it is reached."""
        if self.is_everything:
            return True
        return any(
            one.id == self.site_id or (self.branch_id and one.branch_id == self.branch_id)
            for one in line
        )


async def sites_in(tx: Tx, area: Area, branches: Branches = None) -> list[str] | None:
    """The sites of an area, in order; None: all. Raises `InvalidField`, `SiteUnknown`.

    Of whoever is held to some branches only the sites of those: what is reached through a site of
    theirs may be another's.
    """
    await must_be_one_area(tx, area.site_id, area.branch_id)
    if area.is_everything and branches is None:
        return None
    known = {one.id: one for one in await alert_facts.site_signs(tx)}
    return [
        name
        for name, one in known.items()
        if (branches is None or one.branch_id in branches) and area.covers(line_of(known, name))
    ]


def line_of(known: Mapping[str, SiteSigns], site_id: str) -> list[SiteSigns]:
    """A site, and those through which it is reached, the nearest first."""
    line: list[SiteSigns] = []
    at = known.get(site_id)
    while at is not None and at not in line:
        line.append(at)
        at = None if at.parent_id is None else known.get(at.parent_id)
    return line


async def set_upstream(deps: Deps, site_id: SiteId, parent_id: str | None) -> None:
    """Say through which site a site is reached; None: through none of ours.

    Raises `SiteUnknown`, `InvalidField` (``parent_id``), `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        # All sites are locked, in their order: two that turn on each other at once make no ring.
        rows = {row.id: row for row in await sites.all_locked(tx)}
        site = rows.get(site_id)
        if site is None:
            raise SiteUnknown(f"there is no site {site_id}")
        if parent_id is not None:
            if parent_id not in rows:
                raise InvalidField("parent_id", f"there is no site {parent_id[:40]}")
            above, steps = rows.get(parent_id), 1
            while above is not None:
                if above.id == site_id:
                    raise InvalidField("parent_id", f"{parent_id} is reached through {site_id}")
                above = None if above.parent_id is None else rows.get(above.parent_id)
                steps += 1
            if steps > DEPTH_MAX:
                raise InvalidField("parent_id", f"want at most {DEPTH_MAX} sites in a line")
        site.parent_id = parent_id
    deps.signals.wake("live")
