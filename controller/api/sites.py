"""Sites: list, show, add, and the tokens with which their agents join."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from billing.ids import SiteId
from billing.quota import OUTAGE_MIN_S
from controller.api import pages
from controller.api.errors import NotFound
from controller.api.needs import Asking, Needed, PageAsked, SiteKey
from controller.api.shapes import (
    JoinCommandOut,
    JoinTokenOut,
    OutageOut,
    Page,
    SiteDetailOut,
    SiteIn,
    SiteOut,
    SitePatchIn,
)
from controller.geography import read_place
from controller.installer.bundle import bundle
from controller.noc import views
from controller.usecases import joining
from controller.usecases import sites as usecase
from controller.usecases.outages import outage_s

OUTAGES_SHOWN = 10

router = APIRouter(prefix="/sites", tags=["sites"])


@router.get("")
async def list_sites(
    deps: Needed, who: Asking, asked: Annotated[PageAsked, Query()]
) -> Page[SiteOut]:
    """Sites in order of their id."""
    after_id = pages.read_id(asked.cursor)
    async with deps.db.read() as tx:
        found = await views.site_views(
            tx, after_id=after_id, limit=asked.limit, branches=who.branches
        )
    full = len(found) == asked.limit
    return Page(
        data=[SiteOut.of(view, deps.now()) for view in found],
        next_cursor=pages.written_id(found[-1].row.id) if full else None,
    )


@router.post("", status_code=HTTPStatus.CREATED)
async def add_site(deps: Needed, asked: SiteIn) -> SiteDetailOut:
    """Add a site, with every plan that is on sale. A second site of the same id is refused."""
    operator = deps.settings.operator
    await usecase.add_site(
        deps,
        usecase.NewSite(
            id=SiteId(asked.id),
            name=asked.name,
            operator_name=asked.operator_name or operator.name,
            help_phone=asked.help_phone or operator.help_phone,
            language=asked.language or operator.language,
        ),
    )
    return await show_site(asked.id, deps)


@router.get("/{site_id}")
async def show_site(site_id: SiteKey, deps: Needed) -> SiteDetailOut:
    """One site, its last outages, and how full its agent's outbox is."""
    now = deps.now()
    async with deps.db.read() as tx:
        found = await views.site_view(tx, site_id)
        lately = await views.outage_rows(tx, site_id, limit=OUTAGES_SHOWN)
        longest_s = await outage_s(tx, site_id, now)
    if found is None:
        raise NotFound("site", site_id)
    return SiteDetailOut(
        **SiteOut.of(found, now).model_dump(),
        outbox_records=found.row.outbox_records,
        outbox_records_max=found.row.outbox_records_max,
        outage_s=max(longest_s, OUTAGE_MIN_S),
        outages=[OutageOut.of(outage, now) for outage in lately],
    )


@router.patch("/{site_id}")
async def place_site(site_id: SiteKey, deps: Needed, asked: SitePatchIn) -> SiteDetailOut:
    """Say where a site is, for the map."""
    place = None if asked.place is None else read_place(asked.place)
    await usecase.place_site(deps, SiteId(site_id), place)
    return await show_site(site_id, deps)


@router.post("/{site_id}/join-commands", status_code=HTTPStatus.CREATED)
async def new_join_command(site_id: SiteKey, deps: Needed) -> JoinCommandOut:
    """One command, good once and for an hour, that makes a Linux machine the site's gateway."""
    code = await joining.new_code(deps, SiteId(site_id))
    await asyncio.to_thread(bundle)
    made = await joining.command_of(deps, code)
    return JoinCommandOut(
        command=made.command if made.is_https else made.careful,
        careful_command=made.careful,
        sha256=made.sha256,
        expires_at=made.expires_at,
    )


@router.post("/{site_id}/join-tokens", status_code=HTTPStatus.CREATED)
async def new_join_token(site_id: SiteKey, deps: Needed) -> JoinTokenOut:
    """A one-use token, good for an hour, with which the site's agent joins. Shown this once."""
    secret = await usecase.new_join_token(deps, SiteId(site_id))
    join_address = deps.settings.join_address
    return JoinTokenOut(token=deps.authority.join_token(join_address=join_address, secret=secret))
