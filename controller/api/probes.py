"""Looks at a site's network: ask, list, show."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from billing.ids import SiteId
from controller.api import pages
from controller.api.errors import NotFound
from controller.api.needs import Id, Needed, PageAsked, SiteKey, known_site
from controller.api.network_shapes import ProbeIn, ProbeOut
from controller.api.shapes import Page
from controller.noc import views
from controller.usecases import probes as usecase

router = APIRouter(prefix="/sites/{site_id}/probes", tags=["probes"])


@router.get("")
async def list_probes(
    site_id: SiteKey, deps: Needed, asked: Annotated[PageAsked, Query()]
) -> Page[ProbeOut]:
    """The site's probes, newest first, with what they saw."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        await known_site(tx, site_id)
        found = await views.probe_views(tx, after=after, limit=asked.limit, site_id=site_id)
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[ProbeOut.of(view) for view in found],
        next_cursor=pages.written(views.Mark(last.asked_at, last.id)) if last else None,
    )


@router.post("", status_code=HTTPStatus.CREATED)
async def ask(site_id: SiteKey, deps: Needed, asked: ProbeIn) -> ProbeOut:
    """Have the site look once. While it does, another of the kind is refused."""
    probe_id = await usecase.ask(deps, SiteId(site_id), asked.kind, asked.target)
    return await show_probe(site_id, probe_id, deps)


@router.get("/{probe_id}")
async def show_probe(site_id: SiteKey, probe_id: Id, deps: Needed) -> ProbeOut:
    """One probe, and what it saw."""
    async with deps.db.read() as tx:
        found = await views.probe_view(tx, site_id, probe_id)
    if found is None:
        raise NotFound("probe", probe_id)
    return ProbeOut.of(found)
