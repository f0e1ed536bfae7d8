"""Money that came in by any rail: whose it became, whose it may be, and what staff do with it."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from billing.matching import Told, suggest
from billing.money import Money
from controller.api import pages, replay
from controller.api.arrival_shapes import (
    ArrivalDetailOut,
    ArrivalOut,
    AssignIn,
    DeedOut,
    PaidOut,
    RefundIn,
    RefundOut,
    SuggestionOut,
    SuggestionsOut,
)
from controller.api.errors import NotFound
from controller.api.needs import Asking, Id, Needed, PageAsked
from controller.api.refunds import show_refund
from controller.api.shapes import Page, Words
from controller.noc import incoming
from controller.noc.views import PAGE_LINES_MAX, Mark
from controller.store import arrivals as arrivals_store
from controller.store import suggestions
from controller.usecases import arrivals, refunds
from controller.usecases.money_in import check_reason
from controller.usecases.subscribers import normal_name

STAFF = "staff"
"""Who acts: everybody of the staff has the one key."""

router = APIRouter(prefix="/arrivals", tags=["money"])


class ArrivalsAsked(PageAsked):
    """Which money is wanted; ``q`` is a receipt, or a part of the reference or payer's name."""

    state: Literal["doubted", "suspense", "credited", "returned"] | None = None
    rail: Annotated[str | None, Field(pattern="^[a-z][a-z0-9-]{0,15}$")] = None
    q: Annotated[Words, Field(max_length=64)] = ""


@router.get("")
async def list_arrivals(
    deps: Needed, who: Asking, asked: Annotated[ArrivalsAsked, Query()]
) -> Page[ArrivalOut]:
    """Money that came in, newest first."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await incoming.arrival_views(
            tx,
            after=after,
            limit=asked.limit,
            state=asked.state,
            rail=asked.rail,
            search=asked.q,
            branches=who.branches,
        )
    return _page(found, asked.limit)


@router.get("/unmatched")
async def list_unmatched(
    deps: Needed, who: Asking, asked: Annotated[PageAsked, Query()]
) -> Page[ArrivalOut]:
    """Money that waits for staff, the oldest first: it fits nobody, or is not confirmed."""
    after = pages.read(asked.cursor)
    async with deps.db.read() as tx:
        found = await incoming.unmatched_views(
            tx, after=after, limit=asked.limit, branches=who.branches
        )
    return _page(found, asked.limit)


@router.get("/{arrival_id}")
async def show_arrival(arrival_id: Id, deps: Needed) -> ArrivalDetailOut:
    """Money that came in, with everything that became of it."""
    async with deps.db.read() as tx:
        found = await incoming.arrival_view(tx, arrival_id)
        if found is None:
            raise NotFound("money", arrival_id)
        deeds = await incoming.deed_rows(tx, arrival_id)
        back = await incoming.refund_views(
            tx, after=None, limit=PAGE_LINES_MAX, arrival_id=arrival_id
        )
    return ArrivalDetailOut(
        **ArrivalOut.of(found).model_dump(),
        order=None if found.order is None else PaidOut.of(found.order, found.plan_name),
        deeds=[DeedOut.of(row) for row in deeds],
        refunds=[RefundOut.of(view) for view in back],
    )


@router.get("/{arrival_id}/suggestions")
async def suggest_owners(arrival_id: Id, deps: Needed) -> SuggestionsOut:
    """Whose money it may be, best first."""
    async with deps.db.read() as tx:
        row = await arrivals_store.load(tx, arrival_id)
        if row is None:
            raise NotFound("money", arrival_id)
        found = await suggestions.candidates(tx, row)
    told = Told(
        amount=Money(row.amount_minor, row.currency),
        reference=row.reference,
        payer=row.payer,
        payer_name=row.payer_name,
    )
    return SuggestionsOut(data=[SuggestionOut.of(one) for one in suggest(told, found)])


@router.post("/{arrival_id}/assign")
async def assign(arrival_id: Id, deps: Needed, asked: AssignIn) -> ArrivalDetailOut:
    """Give money to a subscriber: it pays what is open. Again changes nothing."""
    check_reason(asked.reason)
    await arrivals.assign(
        deps,
        arrival_id,
        subscriber=normal_name(asked.subscriber),
        reason=asked.reason,
        who=STAFF,
    )
    return await show_arrival(arrival_id, deps)


@router.post("/{arrival_id}/refund", status_code=HTTPStatus.CREATED, response_model=RefundOut)
async def refund(arrival_id: Id, deps: Needed, request: Request, asked: RefundIn) -> Response:
    """Give money back; access that it paid for ends. Wants an ``Idempotency-Key``."""
    name = replay.id_of(request)

    async def work() -> RefundOut:
        await refunds.refund(
            deps,
            arrival_id,
            amount=None if asked.amount is None else asked.amount.money(),
            reason=asked.reason,
            idempotent=name,
            who=STAFF,
        )
        return await show_refund(name, deps)

    return await replay.once(deps, request, asked, work)


def _page(found: list[incoming.ArrivalView], limit: int) -> Page[ArrivalOut]:
    last = found[-1].row if len(found) == limit else None
    return Page(
        data=[ArrivalOut.of(view) for view in found],
        next_cursor=pages.written(Mark(last.at, last.id)) if last else None,
    )
