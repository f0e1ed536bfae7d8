"""All sites, a hundred to a page, and a form that adds one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse  # noqa: TC002 - the same

from billing.errors import InvalidField
from billing.ids import SiteId
from controller.api.errors import REFUSALS, NotFound
from controller.api.needs import deps_of
from controller.noc import lines, live, networks
from controller.noc.columns import columns
from controller.noc.text import midnight
from controller.noc.words import word
from controller.rights import Right
from controller.usecases.sites import NewSite, add_site

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
    """A page of the list. ``next_after`` is where the next page begins; "" on the last.

    ``is_adding``: somebody came to add a site, and finds the form open.
    """

    now: datetime
    listed: tuple[Listed, ...]
    sizes: Sizes
    state: str
    search: str
    after: str
    next_after: str
    is_adding: bool
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
        is_adding=bool(asked.query.get("add")),
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


@router.post("/noc/sites")
async def add(request: Request) -> RedirectResponse:
    """Add a site as the form says, and go on to its page."""
    who = await live.acts(request, Right.RUN_SITES)
    if who.branches is not None:
        raise NotFound("site", "of all branches")
    deps, sent = deps_of(request), await live.fields(request)
    site_id, say = sent.get("id", "").lower(), live.words_of(request)
    operator = deps.settings.operator
    try:
        await add_site(
            deps,
            NewSite(
                id=SiteId(site_id),
                name=sent.get("name", ""),
                operator_name=operator.name,
                help_phone=operator.help_phone,
                language=sent.get("language") or operator.language,
            ),
        )
    except REFUSALS as refusal:
        return live.back(request, "/noc/sites", said=str(refusal), tone="bad")
    said = say("The site is there. Next: let its agent join.")
    return live.back(request, f"/noc/sites/{site_id}", said=said)
