"""Sessions: look at them, and what staff do to one. They are opened and closed by sites.

What is done goes to the site as desired state. Doing it again changes nothing; only what is given
wants an ``Idempotency-Key``.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from billing.ids import PlanId
from controller.api import pages, replay
from controller.api.grants import shown_grant
from controller.api.needs import Asking, Id, Needed, OfSite, PageAsked, known_site
from controller.api.shapes import (
    DeviceIn,
    DisconnectedOut,
    GiveMoreIn,
    GrantOut,
    Page,
    SessionOut,
)
from controller.noc import views
from controller.usecases import live_sessions as usecase

router = APIRouter(prefix="/sessions", tags=["sessions"])


class SessionsAsked(PageAsked):
    """Which sessions are wanted; ``open`` leaves those out that are closed."""

    site_id: OfSite = None
    open: bool = False


@router.get("")
async def list_sessions(
    deps: Needed, who: Asking, asked: Annotated[SessionsAsked, Query()]
) -> Page[SessionOut]:
    """Sessions, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        await known_site(tx, asked.site_id)
        found = await views.session_views(
            tx,
            after=after,
            limit=asked.limit,
            site_id=asked.site_id,
            only_open=asked.open,
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[SessionOut.of(view) for view in found],
        next_cursor=pages.written(views.Mark(last.opened_at, last.id)) if last else None,
    )


@router.post("/{session_id}/disconnect")
async def disconnect(session_id: Id, deps: Needed) -> DisconnectedOut:
    """Take its device off its grant, at once; what is left of the grant stays."""
    gone = await usecase.disconnect(deps, session_id)
    return DisconnectedOut(grant_id=gone.grant_id, mac=gone.mac)


@router.post("/{session_id}/move")
async def move(session_id: Id, deps: Needed, asked: DeviceIn) -> GrantOut:
    """Let another device use its grant in place of its own device; the grant."""
    return await shown_grant(await usecase.move(deps, session_id, asked.device_mac), deps)


@router.post("/{session_id}/give", status_code=HTTPStatus.CREATED, response_model=GrantOut)
async def give(session_id: Id, deps: Needed, request: Request, asked: GiveMoreIn) -> Response:
    """Give its holder a plan for nothing, which begins when what they have is used up.

    Wants an ``Idempotency-Key``, and gives once however often it is sent.
    """

    async def work() -> GrantOut:
        grant_id = await usecase.give_more(
            deps, session_id, plan_id=PlanId(asked.plan_id), reason=asked.reason
        )
        return await shown_grant(grant_id, deps)

    return await replay.once(deps, request, asked, work)
