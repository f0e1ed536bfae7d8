"""Payments, to look at. They are made by customers and settled by providers."""

from typing import Annotated

from fastapi import APIRouter, Query

from billing.payment import PaymentState
from controller.api import pages
from controller.api.arrival_shapes import WaitingOut
from controller.api.errors import NotFound
from controller.api.needs import Asking, Id, Needed, OfSite, PageAsked, known_site
from controller.api.shapes import Page, PaymentOut
from controller.noc import incoming, views

router = APIRouter(prefix="/payments", tags=["payments"])


class PaymentsAsked(PageAsked):
    """Which payments are wanted."""

    site_id: OfSite = None
    state: PaymentState | None = None


@router.get("")
async def list_payments(
    deps: Needed, who: Asking, asked: Annotated[PaymentsAsked, Query()]
) -> Page[PaymentOut]:
    """Payments, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        await known_site(tx, asked.site_id)
        found = await views.payment_views(
            tx,
            after=after,
            limit=asked.limit,
            site_id=asked.site_id,
            state=asked.state,
            branches=who.branches,
        )
    last = found[-1].row if len(found) == asked.limit else None
    return Page(
        data=[PaymentOut.of(view) for view in found],
        next_cursor=pages.written(views.Mark(last.created_at, last.order_id)) if last else None,
    )


@router.get("/waiting")
async def list_waiting(deps: Needed, who: Asking) -> Page[WaitingOut]:
    """Who paid and is not connected, of the last day; what a site has not applied comes first.

    Normally nobody. At most 200 lines.
    """
    now = deps.now()
    async with deps.db.read() as tx:
        found = await incoming.waiting_views(tx, now, branches=who.branches)
    return Page(data=[WaitingOut.of(view, now) for view in found], next_cursor=None)


@router.get("/{order_id}")
async def show_payment(order_id: Id, deps: Needed) -> PaymentOut:
    """One payment, by its order."""
    async with deps.db.read() as tx:
        found = await views.payment_view(tx, order_id)
    if found is None:
        raise NotFound("payment", order_id)
    return PaymentOut.of(found)
