"""The walled garden: list, add, remove."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from billing.ids import SiteId
from controller.api.errors import NotFound
from controller.api.needs import Asking, Needed, OfSite, known_site
from controller.api.network_shapes import GardenIn, GardenOut
from controller.api.shapes import Page
from controller.noc import views
from controller.usecases import garden as usecase

router = APIRouter(prefix="/garden", tags=["garden"])


@router.get("")
async def list_garden(
    deps: Needed, who: Asking, site_id: Annotated[OfSite, Query()] = None
) -> Page[GardenOut]:
    """All of the garden, or what is reached at one site; all in one page."""
    async with deps.db.read() as tx:
        await known_site(tx, site_id)
        found = await views.garden_rows(tx, site_id, branches=who.branches)
    return Page(data=[GardenOut.of(row) for row in found], next_cursor=None)


@router.post("", status_code=HTTPStatus.CREATED)
async def add_entry(deps: Needed, asked: GardenIn) -> GardenOut:
    """Let everybody reach it. The same again changes nothing."""
    one = usecase.entry(asked.entry)
    await usecase.add_entry(deps, one, _site(asked))
    return GardenOut(site_id=asked.site_id, entry=one.text, kind=one.kind)


@router.post("/remove")
async def remove_entry(deps: Needed, asked: GardenIn) -> GardenOut:
    """Let it no longer be reached by way of this entry."""
    one = usecase.entry(asked.entry)
    if not await usecase.remove_entry(deps, one, _site(asked)):
        raise NotFound("entry", one.text)
    return GardenOut(site_id=asked.site_id, entry=one.text, kind=one.kind)


def _site(asked: GardenIn) -> SiteId | None:
    return None if asked.site_id is None else SiteId(asked.site_id)
