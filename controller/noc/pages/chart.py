"""All sites on a map of Kenya of our own, or on the operator's tiles where there are any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from controller.noc import charts, kenya, lines, live, networks
from controller.noc.text import midnight
from controller.rights import Right

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.noc.charts import Marker, Part
    from controller.noc.networks import Sizes


@dataclass(frozen=True, slots=True)
class MapBoard:
    """The map. ``chosen`` is the site whose drawer is open; ``tiles`` is "" for our own map."""

    now: datetime
    part: Part
    markers: tuple[Marker, ...]
    placed: tuple[lines.SiteLine, ...]
    unplaced: tuple[lines.SiteLine, ...]
    sizes: Sizes
    chosen: lines.SiteLine | None
    nearer: int | None
    farther: int | None
    tiles: str
    attribution: str
    towns: tuple[kenya.Town, ...]


async def look(asked: live.Asked) -> MapBoard:
    """All sites and where they stand."""
    part, now, ours = charts.part_of(asked.query), asked.now, asked.who.branches
    async with asked.deps.db.read() as tx:
        found = await networks.sites_now(tx, now, ours, since=midnight(now))
        sizes = await networks.site_sizes(tx, now, ours)
    sites = tuple(lines.site_line(site, now) for site in found)
    at = charts.ZOOMS.index(part.zoom)
    settings = asked.deps.settings.map
    return MapBoard(
        now=now,
        part=part,
        markers=charts.markers(sites, part.zoom),
        placed=tuple(site for site in sites if site.place is not None),
        unplaced=tuple(site for site in sites if site.place is None),
        sizes=sizes,
        chosen=next((site for site in sites if site.id == asked.query.get("site")), None),
        nearer=charts.ZOOMS[at + 1] if at + 1 < len(charts.ZOOMS) else None,
        farther=charts.ZOOMS[at - 1] if at else None,
        tiles=settings.tiles,
        attribution=settings.attribution,
        towns=tuple(town for town in kenya.TOWNS if town.rank <= 1 + at // 2 + at % 2),
    )


def tile_hosts(deps: Deps) -> tuple[str, ...]:
    """From where the operator's tiles come, as a content security policy names it."""
    parts = urlsplit(deps.settings.map.tiles)
    return (f"{parts.scheme}://{parts.netloc}",) if parts.netloc else ()


MAP = live.View(
    name="Map",
    path="/noc/map",
    right=Right.SEE_SITES,
    look=look,
    template="map/page.html",
    panels=("map/markers.html", "map/drawer.html", "map/places.html"),
    every_s=5.0,
    images=tile_hosts,
)

router = live.pages(MAP)
