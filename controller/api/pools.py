"""Shared rates of a site: list, add, set, remove."""

from http import HTTPStatus

from fastapi import APIRouter

from billing.ids import SiteId
from controller.api.errors import NotFound
from controller.api.needs import Needed, SiteKey, known_site
from controller.api.network_shapes import PoolIn, PoolOut, PoolSetIn
from controller.api.shapes import Page
from controller.noc import views
from controller.usecases import pools as usecase

router = APIRouter(prefix="/sites/{site_id}/pools", tags=["pools"])


@router.get("")
async def list_pools(site_id: SiteKey, deps: Needed) -> Page[PoolOut]:
    """The site's pools in order of their id; all in one page."""
    async with deps.db.read() as tx:
        await known_site(tx, site_id)
        found = await views.pool_rows(tx, site_id)
    return Page(data=[PoolOut.of(row) for row in found], next_cursor=None)


@router.post("", status_code=HTTPStatus.CREATED)
async def add_pool(site_id: SiteKey, deps: Needed, asked: PoolIn) -> PoolOut:
    """Make a pool. The same again changes nothing."""
    await usecase.add_pool(deps, SiteId(site_id), asked.pool(asked.id))
    return await _shown(deps, site_id, asked.id)


@router.post("/{pool_id}")
async def set_pool(site_id: SiteKey, pool_id: SiteKey, deps: Needed, asked: PoolSetIn) -> PoolOut:
    """Give a pool another name, place, rate or ports; all of them are said."""
    await usecase.set_pool(deps, SiteId(site_id), asked.pool(pool_id))
    return await _shown(deps, site_id, pool_id)


@router.post("/{pool_id}/remove")
async def remove_pool(site_id: SiteKey, pool_id: SiteKey, deps: Needed) -> Page[PoolOut]:
    """Take a pool away; the pools that are left."""
    await usecase.remove_pool(deps, SiteId(site_id), pool_id)
    return await list_pools(site_id, deps)


async def _shown(deps: Needed, site_id: str, pool_id: str) -> PoolOut:
    async with deps.db.read() as tx:
        found = await views.pool_rows(tx, site_id)
    for row in found:
        if row.id == pool_id:
            return PoolOut.of(row)
    raise NotFound("pool", pool_id)
