"""A world that is looked at for alerts, and the routes by which they go out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.ids import SiteId
from controller.notify.memory_webhook import MemoryWebhooks
from controller.store import alerts as kept
from controller.store.alert_rows import AlertDeedRow, AlertRow
from controller.store.rows import SmsRow
from controller.usecases import alert_routes, alerts, emails, messages, webhooks
from controller.usecases.alert_routes import NewRoute
from controller.usecases.areas import set_upstream
from controller.usecases.ingest import Batch, ingest
from controller.usecases.sites import NewSite, add_site
from tests.support.builders import JOURNAL, SITE

if TYPE_CHECKING:
    from typing import Any

    from controller.usecases.alert_routes import Made
    from tests.support.builders import World

EVERY_S = 5
DESK = "254700111222"
LETTERS = "noc@example.co.ke"


def with_webhooks(world: World) -> tuple[World, MemoryWebhooks]:
    """The world with a carrier of webhooks that keeps what it takes."""
    carrier = MemoryWebhooks()
    return replace(world, deps=replace(world.deps, webhooks=carrier)), carrier


async def more_sites(world: World, *names: str, behind: str | None = None) -> list[SiteId]:
    """Further sites, in one line behind another where asked."""
    made = []
    for name in names:
        await add_site(world.deps, NewSite(SiteId(name), name.title(), "Lango Net", "0700 000 000"))
        if behind is not None:
            await set_upstream(world.deps, SiteId(name), behind)
            behind = name
        made.append(SiteId(name))
    return made


async def hear(world: World, *sites: SiteId) -> None:
    """These sites say that they are there."""
    for site in sites or (SITE,):
        await ingest(world.deps, site, Batch(JOURNAL, (), 0, b"", "0.1"))


async def pass_by(world: World, seconds: int, *heard: SiteId, every_s: int = EVERY_S) -> int:
    """Let time pass with a look now and then, and these sites heard before each."""
    changed = 0
    for _ in range(0, seconds, every_s):
        world.clock.advance(every_s)
        if heard:
            await hear(world, *heard)
        changed += await alerts.look(world.deps)
    return changed


async def opened(world: World, branches: frozenset[str] | None = None) -> list[AlertRow]:
    """What is open."""
    async with world.deps.db.read() as tx:
        return await kept.open_alerts(tx, branches)


async def all_alerts(world: World) -> list[AlertRow]:
    """Everything that was ever raised, the oldest first."""
    async with world.deps.db.read() as tx:
        return list(await tx.scalars(select(AlertRow).order_by(AlertRow.bad_at, AlertRow.id)))


async def history(world: World) -> list[str]:
    """What happened to alerts, in order."""
    async with world.deps.db.read() as tx:
        query = select(AlertDeedRow.what).order_by(AlertDeedRow.at, AlertDeedRow.id)
        return list(await tx.scalars(query))


async def route(world: World, kind: str = "sms", **fields: Any) -> Made:
    """A route to the desk."""
    targets = {"sms": DESK, "email": LETTERS, "webhook": "https://hooks.example.co.ke/in"}
    told = {"name": f"desk {kind}", "kind": kind, "target": targets[kind], **fields}
    return await alert_routes.add_route(world.deps, NewRoute(**told))


async def send(world: World) -> None:
    """Let everything leave that is to."""
    await messages.send_due(world.deps)
    await emails.send_due(world.deps)
    await webhooks.send_due(world.deps)


async def written(world: World) -> int:
    """How many text messages were ever written."""
    async with world.deps.db.read() as tx:
        return len(list(await tx.scalars(select(SmsRow.id))))
