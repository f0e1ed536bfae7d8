"""Alerts: list, show, acknowledge, silence, assign; and the routes by which they go out."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from controller.api import pages, replay
from controller.api.alert_shapes import (
    AlertDetailOut,
    AlertOut,
    AssignIn,
    DeedOut,
    RouteIn,
    RouteMadeOut,
    RouteOut,
    SilenceIn,
    TriedOut,
    WebhookOut,
)
from controller.api.errors import NotFound
from controller.api.needs import Asking, Id, Needed, OfSite, PageAsked
from controller.api.shapes import Page
from controller.noc.views import Mark
from controller.store import alerts as kept
from controller.store import webhooks
from controller.usecases import alert_routes
from controller.usecases import alerts as usecase

WEBHOOKS_SHOWN = 50

router = APIRouter(tags=["alerts"])


class AlertsAsked(PageAsked):
    """Which alerts are wanted: ``open`` ones only, of a site, of a rule."""

    open: bool = False
    site_id: OfSite = None
    rule: Annotated[str | None, Field(pattern="^[a-z_]{1,32}$")] = None


@router.get("/alerts")
async def list_alerts(
    deps: Needed, who: Asking, asked: Annotated[AlertsAsked, Query()]
) -> Page[AlertOut]:
    """Alerts, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await kept.page(
            tx,
            branches=who.branches,
            after=None if after is None else (after.at, after.id),
            limit=asked.limit,
            only_open=asked.open,
            site_id=asked.site_id,
            rule=asked.rule,
        )
    last = found[-1] if len(found) == asked.limit else None
    at = None if last is None else last.raised_at
    return Page(
        data=[AlertOut.of(row) for row in found],
        next_cursor=pages.written(Mark(at, last.id)) if last and at else None,
    )


@router.get("/alerts/{alert_id}")
async def show_alert(alert_id: Id, deps: Needed) -> AlertDetailOut:
    """One alert, and what happened to it."""
    async with deps.db.read() as tx:
        row = await kept.load(tx, alert_id)
        deeds = await kept.deeds_of(tx, alert_id)
    if row is None or row.raised_at is None:
        raise NotFound("alert", alert_id)
    history = [DeedOut.of(deed) for deed in deeds]
    return AlertDetailOut(**AlertOut.of(row).model_dump(), history=history)


@router.post("/alerts/{alert_id}/acknowledge")
async def acknowledge(alert_id: Id, deps: Needed, who: Asking) -> AlertOut:
    """Say that somebody has it in hand. Repeating changes nothing."""
    return AlertOut.of(await usecase.acknowledge(deps, alert_id, who=who.name))


@router.post("/alerts/{alert_id}/silence")
async def silence(alert_id: Id, deps: Needed, who: Asking, asked: SilenceIn) -> AlertOut:
    """Tell nobody of it for a while."""
    until = deps.now() + timedelta(seconds=asked.for_s) if asked.for_s else None
    return AlertOut.of(await usecase.silence(deps, alert_id, until=until, who=who.name))


@router.post("/alerts/{alert_id}/assign")
async def assign(alert_id: Id, deps: Needed, who: Asking, asked: AssignIn) -> AlertOut:
    """Say whose task it is."""
    return AlertOut.of(await usecase.assign(deps, alert_id, to=asked.to, who=who.name))


@router.get("/alert-routes")
async def list_routes(deps: Needed) -> Page[RouteOut]:
    """Where alerts go."""
    async with deps.db.read() as tx:
        found = await kept.routes(tx)
    return Page(data=[RouteOut.of(row) for row in found], next_cursor=None)


@router.post("/alert-routes", status_code=HTTPStatus.CREATED, response_model=RouteMadeOut)
async def add_route(deps: Needed, request: Request, asked: RouteIn) -> Response:
    """Make a route; wants an ``Idempotency-Key``. A webhook's secret is shown this once."""

    async def work() -> RouteMadeOut:
        made = await alert_routes.add_route(deps, asked.route())
        return RouteMadeOut(route=RouteOut.of(made.row), secret=made.secret)

    return await replay.once(deps, request, asked, work)


@router.get("/alert-routes/{route_id}/webhooks")
async def list_webhooks(route_id: Id, deps: Needed) -> Page[WebhookOut]:
    """The last webhooks of a route, newest first."""
    async with deps.db.read() as tx:
        if await kept.route(tx, route_id) is None:
            raise NotFound("alert route", route_id)
        found = await webhooks.of_route(tx, route_id, limit=WEBHOOKS_SHOWN)
    return Page(data=[WebhookOut.of(row) for row in found], next_cursor=None)


@router.post("/alert-routes/{route_id}/test")
async def try_route(route_id: Id, deps: Needed) -> TriedOut:
    """Send a message that says that it is a test."""
    return TriedOut(about=await alert_routes.try_route(deps, route_id))


@router.post("/alert-routes/{route_id}/resume")
async def resume_route(route_id: Id, deps: Needed) -> RouteOut:
    """Tell a route again whose receiver had said that it is gone."""
    return RouteOut.of(await alert_routes.resume_route(deps, route_id))


@router.post("/alert-routes/{route_id}/remove")
async def remove_route(route_id: Id, deps: Needed) -> RouteOut:
    """Tell this route nothing more."""
    return RouteOut.of(await alert_routes.remove_route(deps, route_id))
