"""Devices that staff block, at a site or at every one, and let in again."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from billing.ids import SiteId
from controller.api.needs import Asking, Needed, OfSite, known_site
from controller.api.shapes import BlockIn, BlockOut, BlocksOut, UnblockedOut, UnblockIn
from controller.store import people
from controller.store.people_rows import EVERYWHERE
from controller.usecases import blocking as usecase

router = APIRouter(prefix="/devices", tags=["devices"])

SHOWN_MAX = 1_000


class BlocksAsked(BaseModel):
    """Of which site blocked devices are wanted; without one of every site."""

    model_config = ConfigDict(extra="forbid")

    site_id: OfSite = None


@router.get("/blocked")
async def list_blocked(
    deps: Needed, who: Asking, asked: Annotated[BlocksAsked, Query()]
) -> BlocksOut:
    """Devices that are blocked, newest first; at most a thousand."""
    async with deps.db.read() as tx:
        await known_site(tx, asked.site_id)
        found = await people.blocks(
            tx, site_id=asked.site_id, branches=who.branches, limit=SHOWN_MAX
        )
    return BlocksOut(data=list(map(BlockOut.of, found)))


@router.post("/block")
async def block(deps: Needed, who: Asking, asked: BlockIn) -> BlocksOut:
    """Let a device do nothing, whatever was paid. Again changes nothing; where it is blocked."""
    await usecase.block(deps, who, asked.mac, site_id=_site(asked.site_id), reason=asked.reason)
    async with deps.db.read() as tx:
        found = await people.blocks_of(tx, asked.mac)
    here = {EVERYWHERE, asked.site_id or EVERYWHERE}
    return BlocksOut(data=[BlockOut.of(row) for row in found if row.site_id in here])


@router.post("/unblock")
async def unblock(deps: Needed, asked: UnblockIn) -> UnblockedOut:
    """Let a device have again what it owns, where it was blocked."""
    was = await usecase.unblock(deps, asked.mac, site_id=_site(asked.site_id))
    return UnblockedOut(was_blocked=was)


def _site(named: str | None) -> SiteId | None:
    return None if named is None else SiteId(named)
