"""Money that goes back, to look at. It is given back by ``POST /arrivals/{id}/refund``."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from billing.payment import PaymentState
from controller.api import pages
from controller.api.arrival_shapes import RefundOut
from controller.api.errors import NotFound
from controller.api.needs import Asking, Id, Needed, PageAsked
from controller.api.shapes import Page
from controller.noc import incoming
from controller.noc.views import Mark

router = APIRouter(prefix="/refunds", tags=["money"])


class RefundsAsked(PageAsked):
    """Which refunds are wanted; ``arrival_id`` is the money that they are of."""

    state: PaymentState | None = None
    arrival_id: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$")] = None


@router.get("")
async def list_refunds(
    deps: Needed, who: Asking, asked: Annotated[RefundsAsked, Query()]
) -> Page[RefundOut]:
    """Money that goes back, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await incoming.refund_views(
            tx,
            after=after,
            limit=asked.limit,
            state=asked.state,
            arrival_id=asked.arrival_id,
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[RefundOut.of(view) for view in found],
        next_cursor=pages.written(Mark(last.created_at, last.id)) if last else None,
    )


@router.get("/{refund_id}")
async def show_refund(refund_id: Id, deps: Needed) -> RefundOut:
    """One refund."""
    async with deps.db.read() as tx:
        found = await incoming.refund_view(tx, refund_id)
    if found is None:
        raise NotFound("refund", refund_id)
    return RefundOut.of(found)
