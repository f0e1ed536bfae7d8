"""Maintenance windows, messages to the customers of an area, outages and credit for them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from billing.ids import SiteId
from controller.api import pages
from controller.api.alert_shapes import (
    AreaNoticeIn,
    AreaNoticeOut,
    CreditedOut,
    CreditPreviewOut,
    CreditRunDetailOut,
    CreditRunIn,
    CreditRunOut,
    MaintenanceIn,
    MaintenanceOut,
    SiteOutageOut,
    TellingOut,
    UpstreamIn,
)
from controller.api.errors import NotFound
from controller.api.needs import Asking, Id, Needed, OfSite, PageAsked, SiteKey
from controller.api.reach import Forbidden
from controller.api.shapes import Page, SiteOut
from controller.noc import views
from controller.noc.views import Mark
from controller.rights import Who
from controller.store import maintenance as kept
from controller.usecases import areas, outage_credits
from controller.usecases import maintenance as usecase
from controller.usecases.areas import Area

LINES_SHOWN = 200

router = APIRouter(tags=["maintenance"])


def _must_reach(who: Who, area: Area) -> None:
    """Raise `Forbidden` for everything, asked by somebody who is held to some branches."""
    if who.branches is not None and area.is_everything:
        raise Forbidden("say a site or a branch: you are held to some branches")


@router.post("/sites/{site_id}/upstream")
async def set_upstream(site_id: SiteKey, deps: Needed, asked: UpstreamIn) -> SiteOut:
    """Say through which site a site is reached: while that is silent, its alerts are held."""
    await areas.set_upstream(deps, SiteId(site_id), asked.parent_id)
    async with deps.db.read() as tx:
        found = await views.site_view(tx, site_id)
    assert found is not None, "sites stay"
    return SiteOut.of(found, deps.now())


@router.get("/maintenance")
async def list_windows(
    deps: Needed, who: Asking, asked: Annotated[PageAsked, Query()]
) -> Page[MaintenanceOut]:
    """Maintenance windows, the last to begin first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await kept.page(
            tx,
            branches=who.branches,
            after=None if after is None else (after.at, after.id),
            limit=asked.limit,
        )
    last = found[-1] if len(found) == asked.limit else None
    return Page(
        data=[MaintenanceOut.of(row) for row in found],
        next_cursor=pages.written(Mark(last.from_at, last.id)) if last else None,
    )


@router.post("/maintenance/preview")
async def preview_window(deps: Needed, who: Asking, asked: MaintenanceIn) -> TellingOut:
    """How many customers would be told of a window, in which words, at what cost."""
    _must_reach(who, asked.area)
    return TellingOut.of(await usecase.preview(deps, asked.plan(), branches=who.branches))


@router.post("/maintenance", status_code=HTTPStatus.CREATED)
async def plan_window(deps: Needed, who: Asking, asked: MaintenanceIn) -> MaintenanceOut:
    """Plan a window. The same id again changes nothing."""
    _must_reach(who, asked.area)
    row = await usecase.plan(deps, asked.plan(), who=who.name, branches=who.branches)
    return MaintenanceOut.of(row)


@router.post("/maintenance/{window_id}/end")
async def end_window(window_id: Id, deps: Needed) -> MaintenanceOut:
    """End a window now, or call it off before it begins."""
    return MaintenanceOut.of(await usecase.end(deps, window_id))


@router.get("/area-notices")
async def list_area_notices(
    deps: Needed, who: Asking, asked: Annotated[PageAsked, Query()]
) -> Page[AreaNoticeOut]:
    """Messages to the customers of an area, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await kept.notices_page(
            tx,
            branches=who.branches,
            after=None if after is None else (after.at, after.id),
            limit=asked.limit,
        )
    last = found[-1] if len(found) == asked.limit else None
    return Page(
        data=[AreaNoticeOut.of(row) for row in found],
        next_cursor=pages.written(Mark(last.created_at, last.id)) if last else None,
    )


@router.post("/area-notices/preview")
async def preview_area_notice(deps: Needed, who: Asking, asked: AreaNoticeIn) -> TellingOut:
    """How many customers would be told, and at what cost."""
    _must_reach(who, asked.area)
    return TellingOut.of(await usecase.preview(deps, asked.message(), branches=who.branches))


@router.post("/area-notices", status_code=HTTPStatus.CREATED)
async def tell_area(deps: Needed, who: Asking, asked: AreaNoticeIn) -> AreaNoticeOut:
    """Tell every customer of an area something, once each. The same id again changes nothing."""
    _must_reach(who, asked.area)
    row = await usecase.tell_area(deps, asked.message(), who=who.name, branches=who.branches)
    return AreaNoticeOut.of(row)


@router.post("/area-notices/{notice_id}/stop")
async def stop_telling(notice_id: Id, deps: Needed) -> AreaNoticeOut:
    """Write to no further customer."""
    return AreaNoticeOut.of(await usecase.stop_telling(deps, notice_id))


class OutagesAsked(PageAsked):
    """Which outages are wanted."""

    site_id: OfSite = None


@router.get("/outages")
async def list_outages(
    deps: Needed, who: Asking, asked: Annotated[OutagesAsked, Query()]
) -> Page[SiteOutageOut]:
    """Outages of sites, newest first."""
    after, now = pages.read(asked.cursor), deps.now()
    async with deps.db.read() as tx:
        found = await kept.outages(
            tx,
            branches=who.branches,
            site_id=asked.site_id,
            after=None if after is None else (after.at, after.id),
            limit=asked.limit,
        )
    last = found[-1] if len(found) == asked.limit else None
    return Page(
        data=[SiteOutageOut.of(row, now) for row in found],
        next_cursor=pages.written(Mark(last.began_at, last.site_id)) if last else None,
    )


@router.get("/outage-credits")
async def list_runs(deps: Needed, asked: Annotated[PageAsked, Query()]) -> Page[CreditRunOut]:
    """Runs of credit for outages, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await kept.runs(
            tx, after=None if after is None else (after.at, after.id), limit=asked.limit
        )
    last = found[-1] if len(found) == asked.limit else None
    return Page(
        data=[CreditRunOut.of(row) for row in found],
        next_cursor=pages.written(Mark(last.made_at, last.id)) if last else None,
    )


@router.post("/outage-credits/preview")
async def preview_run(deps: Needed, who: Asking, asked: CreditRunIn) -> CreditPreviewOut:
    """What a rule would give for the outages of a time; nothing is booked."""
    _must_reach(who, asked.area)
    seen = await outage_credits.preview(deps, asked.run(), branches=who.branches)
    return CreditPreviewOut.of(seen, limit=LINES_SHOWN)


@router.post("/outage-credits", status_code=HTTPStatus.CREATED)
async def give_credit(deps: Needed, who: Asking, asked: CreditRunIn) -> CreditRunDetailOut:
    """Give what a rule gives, as credit notes. The same id again gives nothing more."""
    _must_reach(who, asked.area)
    row = await outage_credits.run(deps, asked.run(), who=who.name)
    return await show_run(row.id, deps)


@router.get("/outage-credits/{run_id}")
async def show_run(run_id: Id, deps: Needed) -> CreditRunDetailOut:
    """A run, and what it gave for which outage."""
    async with deps.db.read() as tx:
        if await kept.run(tx, run_id) is None:
            raise NotFound("run", run_id)
        row, given = await outage_credits.shown(tx, run_id)
    data = [CreditedOut.of(one) for one in given]
    return CreditRunDetailOut(**CreditRunOut.of(row).model_dump(), data=data)
