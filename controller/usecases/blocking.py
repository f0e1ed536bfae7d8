"""Devices that are blocked: at one site, or at every one. What they hold stays theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.edge import wire
from controller.store import items, people, plans, sites
from controller.store.people_rows import EVERYWHERE
from controller.usecases import particulars
from controller.usecases.grants import check_mac

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.ids import SiteId
    from controller.deps import Deps
    from controller.rights import Who
    from controller.store.database import Tx

ITEM_KEY = "blocked"
BLOCKED_MAX = 1_000
"""At one site; an agent takes more."""

REASON_MAX = 200


async def block(
    deps: Deps, who: Who, mac: str, *, site_id: SiteId | None = None, reason: str
) -> None:
    """Let a device do nothing at a site, or (None) at all, those to come too. Repeats do nothing.

    Its sessions end, and none opens. Raises `InvalidField`, `DatabaseBusy`.
    """
    check_mac(mac)
    why = particulars.line("reason", reason, length_max=REASON_MAX)
    if not why:
        raise InvalidField("reason", "say why it is blocked")
    async with deps.db.begin() as tx:
        named = await _named(tx, site_id)
        place = site_id or EVERYWHERE
        if not await people.block(tx, mac, place, by=who.name, reason=why, now=deps.now()):
            return
        await items.put_many(tx, await items_for(tx, named))
    _wake(deps, named)


async def unblock(deps: Deps, mac: str, *, site_id: SiteId | None = None) -> bool:
    """Let a device have again what it owns; False when it was not blocked there.

    Raises `InvalidField`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        named = await _named(tx, site_id)
        if not await people.unblock(tx, mac, site_id or EVERYWHERE):
            return False
        await items.put_many(tx, await items_for(tx, named))
    _wake(deps, named)
    return True


async def items_for(tx: Tx, site_ids: Sequence[SiteId]) -> dict[SiteId, dict[str, bytes | None]]:
    """The item of each site, None where nobody is blocked. Raises `InvalidField`."""
    found = await people.blocked_among(tx, site_ids)
    return {site_id: {ITEM_KEY: _body(found[site_id])} for site_id in site_ids}


def _body(devices: Sequence[str]) -> bytes | None:
    if len(devices) > BLOCKED_MAX:
        raise InvalidField("mac", f"a site blocks at most {BLOCKED_MAX:,} devices")
    return wire.blocked_body(devices) if devices else None


async def _named(tx: Tx, site_id: SiteId | None) -> list[SiteId]:
    """The sites that a block is for; nobody adds a site meanwhile."""
    await plans.lock(tx)
    if site_id is None:
        return await sites.all_ids(tx)
    if await sites.load(tx, site_id) is None:
        raise InvalidField("site_id", f"there is no site {site_id}")
    return [site_id]


def _wake(deps: Deps, named: Sequence[SiteId]) -> None:
    for site_id in named:
        deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
