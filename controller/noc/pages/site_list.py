"""All sites, a hundred to a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.noc import lines, live, networks
from controller.noc.columns import columns
from controller.noc.text import midnight
from controller.noc.words import word
from controller.rights import Right

if TYPE_CHECKING:
    from datetime import datetime

    from controller.noc.columns import Columns
    from controller.noc.networks import Sizes

COLUMNS = {
    "state": word("State"),
    "seen": word("Last seen"),
    "uptime": word("Up for"),
    "online": word("Online"),
    "rate": "↓ / ↑",
    "lately": word("Down, lately"),
    "today": word("Today"),
    "applied": word("Applied / wanted"),
    "clock": word("Clock"),
    "agent": word("Agent"),
}
PAGE = 100
SPARK_BACK = timedelta(minutes=48)
SPARK_STEP_S = 120
SKEW_SHOWN_MS = 1_000


@dataclass(frozen=True, slots=True)
class Listed:
    """A site as a row, with the points of its traffic of late."""

    site: lines.SiteLine
    spark: str


@dataclass(frozen=True, slots=True)
class Sites:
    """A page of the list. ``next_after`` is where the next page begins; "" on the last."""

    now: datetime
    listed: tuple[Listed, ...]
    sizes: Sizes
    state: str
    search: str
    after: str
    next_after: str
    columns: Columns


async def look(asked: live.Asked) -> Sites:
    """One page of the sites, of those in a state and of a name where asked."""
    state, search = asked.query.get("state", ""), asked.query.get("q", "").strip()
    if state and state not in networks.STATES:
        raise InvalidField("state", f"is none of {', '.join(networks.STATES)}")
    after, now, ours = asked.query.get("after", ""), asked.now, asked.who.branches
    async with asked.deps.db.read() as tx:
        found = await networks.sites_now(
            tx,
            now,
            ours,
            since=midnight(now),
            search=search,
            state=state,
            after_id=after,
            limit=PAGE + 1,
        )
        shown = found[:PAGE]
        ids = [site.row.id for site in shown]
        drawn = await networks.sparks(tx, ids, now, back=SPARK_BACK, step_s=SPARK_STEP_S)
        sizes = await networks.site_sizes(tx, now, ours)
    return Sites(
        now=now,
        listed=tuple(
            Listed(lines.site_line(site, now), lines.spark(drawn.get(site.row.id, ())))
            for site in shown
        ),
        sizes=sizes,
        state=state,
        search=search,
        after=after,
        next_after=shown[-1].row.id if len(found) > PAGE else "",
        columns=columns(asked.query, COLUMNS),
    )


SITES = live.View(
    name="Sites",
    path="/noc/sites",
    right=Right.SEE_SITES,
    look=look,
    template="sites/page.html",
    panels=("sites/list.html",),
    every_s=5.0,
    is_kept=True,
)

router = live.pages(SITES)
