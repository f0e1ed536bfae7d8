"""Grants: list, show, give away, suspend and resume, revoke."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from billing.ids import GrantId, PlanId, SiteId
from billing.msisdn import parse_msisdn
from controller.api import pages, replay
from controller.api.errors import NotFound
from controller.api.needs import Asking, Id, Needed, OfSite, PageAsked, known_site
from controller.api.shapes import DeviceIn, GrantDetailOut, GrantIn, GrantOut, Page, ShareOut
from controller.limits import limits_of
from controller.noc import views
from controller.noc.text import exposed
from controller.usecases import grants as usecase
from controller.usecases.allowances import exposure

router = APIRouter(prefix="/grants", tags=["grants"])


class GrantsAsked(PageAsked):
    """Which grants are wanted; ``open`` leaves those out that have ended."""

    site_id: OfSite = None
    open: bool = False


@router.get("")
async def list_grants(
    deps: Needed, who: Asking, asked: Annotated[GrantsAsked, Query()]
) -> Page[GrantOut]:
    """Grants, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        await known_site(tx, asked.site_id)
        found = await views.grant_views(
            tx,
            after=after,
            limit=asked.limit,
            site_id=asked.site_id,
            only_open=asked.open,
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[GrantOut.of(view) for view in found],
        next_cursor=pages.written(views.Mark(last.created_at, last.id)) if last else None,
    )


@router.post("", status_code=HTTPStatus.CREATED, response_model=GrantOut)
async def give_grant(deps: Needed, request: Request, asked: GrantIn) -> Response:
    """Give a plan away; wants an ``Idempotency-Key``, and gives once however often it is sent."""

    async def work() -> GrantOut:
        grant_id = await usecase.give(
            deps,
            SiteId(asked.site_id),
            plan_id=PlanId(asked.plan_id),
            device_mac=asked.device_mac,
            msisdn=parse_msisdn(asked.phone) if asked.phone else None,
        )
        return await shown_grant(grant_id, deps)

    return await replay.once(deps, request, asked, work)


@router.get("/{grant_id}")
async def show_grant(grant_id: Id, deps: Needed) -> GrantDetailOut:
    """One grant, what each site holds of it, and how far its use can exceed its quota."""
    now = deps.now()
    async with deps.db.read() as tx:
        found = await views.grant_view(tx, grant_id)
        shares = await views.share_views(tx, grant_id)
    if found is None:
        raise NotFound("grant", grant_id)
    limits = limits_of(found.plan)
    sites = [ShareOut.of(share, now) for share in shares]
    most = exposure(limits, [s.row for s in shares], {s.site_id: s.online for s in sites})
    return GrantDetailOut(
        **GrantOut.of(found).model_dump(),
        exposure_bytes=most,
        exposure=exposed(limits, most, silent=[s.site_id for s in sites if not s.online]),
        sites=sites,
    )


async def shown_grant(grant_id: str, deps: Needed) -> GrantOut:
    """A grant as it is answered. Raises `NotFound`."""
    async with deps.db.read() as tx:
        found = await views.grant_view(tx, grant_id)
    if found is None:
        raise NotFound("grant", grant_id)
    return GrantOut.of(found)


@router.post("/{grant_id}/devices")
async def add_device(grant_id: Id, deps: Needed, asked: DeviceIn) -> GrantOut:
    """Let one more device use it. The same device again changes nothing."""
    await usecase.add_device(deps, GrantId(grant_id), asked.device_mac)
    return await shown_grant(grant_id, deps)


@router.post("/{grant_id}/suspend")
async def suspend_grant(grant_id: Id, deps: Needed) -> GrantOut:
    """Let nothing pass on it until it is resumed. Its calendar clock goes on.

    One of a subscription goes with that: suspend the subscription.
    """
    await usecase.suspend(deps, GrantId(grant_id))
    return await shown_grant(grant_id, deps)


@router.post("/{grant_id}/resume")
async def resume_grant(grant_id: Id, deps: Needed) -> GrantOut:
    """Let it pass again. One of a subscription goes with that: resume the subscription."""
    await usecase.resume(deps, GrantId(grant_id))
    return await shown_grant(grant_id, deps)


@router.post("/{grant_id}/revoke")
async def revoke_grant(grant_id: Id, deps: Needed) -> GrantOut:
    """End it now. Revoking again changes nothing."""
    await usecase.revoke(deps, GrantId(grant_id))
    return await shown_grant(grant_id, deps)
