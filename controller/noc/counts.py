"""How much is open, beside its place in the navigation: one look for all who may see the same.

A tab gets it over the stream that it has anyway (`hub.Hub.watch`); a page that is not live shows
it as of its load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.noc import incoming, money_views
from controller.noc.hub import Subject
from controller.noc.navigation import ON_A_PHONE
from controller.noc.paint import rendered
from controller.rights import Right
from controller.store import alerts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.deps import Deps
    from controller.noc.hub import Style
    from controller.noc.navigation import Place
    from controller.rights import Who
    from controller.store.database import Tx

ALERTS, EXCEPTIONS = "/noc/alerts", "/noc/exceptions"
EVERY_S = 5.0
GAP_S = 2.0
"""A number beside a name need be no fresher than this, however much happens."""

SHOWN_MAX = 99
TEMPLATE = "count.html"


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is open at a place, by the path of the place."""

    at: Mapping[str, int]


async def look(tx: Tx, deps: Deps, who: Who) -> Counts:
    """What is open of what they may see. Past `SHOWN_MAX` it is not counted on."""
    found = {}
    if who.may(Right.SEE_ALERTS):
        found[ALERTS] = len(await alerts.open_alerts(tx, who.branches, limit=SHOWN_MAX + 1))
    if who.may(Right.SEE_MONEY):
        found[EXCEPTIONS] = await _exceptions(tx, deps, who)
    return Counts(found)


async def _exceptions(tx: Tx, deps: Deps, who: Who) -> int:
    """As many as the page of exceptions has waiting for somebody."""
    branches, limit = who.branches, SHOWN_MAX + 1
    now = deps.now()
    views = await incoming.waiting_views(
        tx, now, waited=incoming.TOO_LONG, branches=branches, limit=limit
    )
    waiting = len(views) + len(await money_views.refunds_astray(tx, branches=branches))
    if branches is not None:
        return waiting
    nobodys = await incoming.unmatched(tx, limit=1)
    return waiting + nobodys.count + len(await money_views.differences_open(tx))


def subject(deps: Deps, who: Who, places: Sequence[Place]) -> Subject:
    """What every tab of somebody who may see just this watches, beside its page."""

    async def looked(_: object) -> object:
        async with deps.db.read() as tx:
            return await look(tx, deps, who)

    def painted(board: object, style: Style) -> dict[str, str]:
        assert isinstance(board, Counts)
        return panels(board, places, style)

    return Subject(
        key=("counts", who.role, who.branches),
        look=looked,
        paint=painted,
        every_s=EVERY_S,
        gap_s=GAP_S,
    )


def panels(counts: Counts, places: Sequence[Place], style: Style) -> dict[str, str]:
    """The numbers by the panels in which they stand: in the bar, and in the sheet of a phone."""
    found, behind = {}, 0
    for n, place in enumerate(places):
        if place.path not in counts.at:
            continue
        open_here = counts.at[place.path]
        found[place.counted] = rendered(TEMPLATE, style, n=open_here, most=SHOWN_MAX)
        if n >= ON_A_PHONE:
            found[f"{place.counted}-more"] = found[place.counted]
            behind += open_here
    if any(name.endswith("-more") for name in found):
        found["count-behind"] = rendered(TEMPLATE, style, n=behind, most=SHOWN_MAX)
    return found
