"""What sites announce to their customers: planned work, until it is over.

A site is told all that is planned in its area, and shows it by its own clock, so that a site whose
line is cut for the work has long had the words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.ids import SiteId
from controller.edge import wire
from controller.store import alert_facts, maintenance
from controller.usecases.areas import Area, line_of
from controller.usecases.faces import news_of, put_news, wake
from portal.captive.gate import Work

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.usecases.faces import Wanted

WORKS_KEY = "works"
WORKS_MAX = 16
"""Works that one site is told of, the next ones first."""


async def of_sites(
    tx: Tx, now: datetime, site_ids: Iterable[str] | None = None
) -> dict[str, tuple[Work, ...]]:
    """What is planned or under way at sites (None: at each), in order."""
    planned = await maintenance.to_come(tx, now)
    known = {one.id: one for one in await alert_facts.site_signs(tx)} if planned else {}
    names = site_ids if site_ids is not None else known
    found = {}
    for name in names:
        line = line_of(known, name)
        here = [row for row in planned if Area(row.site_id, row.branch_id).covers(line)]
        works = (Work(row.from_at, row.until_at, row.text_en, row.text_sw) for row in here)
        found[name] = tuple(works)[:WORKS_MAX]
    return found


async def tell_in(tx: Tx, now: datetime) -> list[SiteId]:
    """Tell every site what is planned there; those that had it otherwise."""
    return await put_news(tx, await _wanted(tx, now))


async def tell_due(deps: Deps) -> int:
    """Take away what is over, and tell sites that are new; how many. Raises `DatabaseBusy`."""
    now = deps.now()
    async with deps.db.read() as tx:
        if not await news_of(tx, await _wanted(tx, now)):
            return 0
    async with deps.db.begin() as tx:
        told = await tell_in(tx, now)
    wake(deps, told)
    return len(told)


async def _wanted(tx: Tx, now: datetime) -> Wanted:
    every = [one.id for one in await alert_facts.site_signs(tx)]
    found = await of_sites(tx, now, every)
    return {SiteId(name): {WORKS_KEY: _body(works)} for name, works in found.items()}


def _body(works: Sequence[Work]) -> bytes | None:
    told = [(one.from_at, one.until_at, one.text_en, one.text_sw) for one in works]
    return wire.works_body(told) if told else None
