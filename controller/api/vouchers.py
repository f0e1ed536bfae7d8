"""Vouchers: list batches, make a batch."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from billing.ids import PlanId, SiteId
from controller.api import pages, replay
from controller.api.needs import Asking, Needed, PageAsked
from controller.api.shapes import BatchOut, DoubleOut, Page, VouchersIn, VouchersOut
from controller.noc import views
from controller.usecases import vouchers as usecase

router = APIRouter(prefix="/vouchers", tags=["vouchers"])


@router.get("")
async def list_batches(deps: Needed, asked: Annotated[PageAsked, Query()]) -> Page[BatchOut]:
    """Batches, newest first. Codes are never shown again."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await views.batch_views(tx, after=after, limit=asked.limit)
    full = len(found) == asked.limit
    return Page(
        data=[BatchOut.of(view) for view in found],
        next_cursor=pages.written(views.Mark(found[-1].created_at, found[-1].batch))
        if full
        else None,
    )


@router.get("/doubles")
async def list_doubles(
    deps: Needed, who: Asking, asked: Annotated[PageAsked, Query()]
) -> Page[DoubleOut]:
    """Codes that were redeemed twice, at sites that could not know, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await views.double_rows(tx, after=after, limit=asked.limit, branches=who.branches)
    last = found[-1] if len(found) == asked.limit else None
    return Page(
        data=[DoubleOut.of(row) for row in found],
        next_cursor=pages.written(views.Mark(last.found_at, last.redemption_id)) if last else None,
    )


@router.post("", status_code=HTTPStatus.CREATED, response_model=VouchersOut)
async def create_vouchers(deps: Needed, request: Request, asked: VouchersIn) -> Response:
    """Make a batch; wants an ``Idempotency-Key``. The codes are shown this once."""

    async def work() -> VouchersOut:
        batch, codes = await usecase.create_vouchers(
            deps,
            PlanId(asked.plan_id),
            asked.count,
            asked.expires_at,
            sites_named=None if asked.sites is None else [SiteId(one) for one in asked.sites],
            offline=not asked.online_only,
        )
        return VouchersOut(batch=batch, codes=list(codes))

    return await replay.once(deps, request, asked, work)
