"""Auto-pay: cards that are charged for what is owed, and standing orders."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from controller.api import replay
from controller.api.mandate_shapes import CardAskedOut, CardIn, MandateOut, OrderIn
from controller.api.money_shapes import ReasonIn
from controller.api.needs import Id, Needed
from controller.api.shapes import Page
from controller.store import mandates as store
from controller.usecases import mandates, subscribers
from controller.usecases.subscribers import normal_name

router = APIRouter(tags=["auto-pay"])


@router.get("/subscribers/{subscriber}/mandates")
async def list_mandates(subscriber: Id, deps: Needed) -> Page[MandateOut]:
    """What a subscriber (by phone or id) agreed to, the newest first; all in one page."""
    async with deps.db.read() as tx:
        whose = await subscribers.must_find(tx, subscriber)
        rows = await store.of_subscriber(tx, whose.id)
    return Page(data=[MandateOut.of(row) for row in rows], next_cursor=None)


@router.post(
    "/subscribers/{subscriber}/mandates/card",
    status_code=HTTPStatus.CREATED,
    response_model=CardAskedOut,
)
async def agree_card(subscriber: Id, deps: Needed, request: Request, asked: CardIn) -> Response:
    """Open the page of a first payment by card; wants an ``Idempotency-Key``."""
    wish = mandates.CardWish(
        mandate_id=replay.id_of(request),
        subscriber=normal_name(subscriber),
        amount=asked.amount.money(),
        consent=asked.consent,
        most=None if asked.most is None else asked.most.money(),
    )

    async def work() -> CardAskedOut:
        status = await mandates.agree_card(deps, wish)
        return CardAskedOut.asked(await mandates.show(deps, wish.mandate_id), status)

    return await replay.once(deps, request, asked, work)


@router.post(
    "/subscribers/{subscriber}/mandates/order",
    status_code=HTTPStatus.CREATED,
    response_model=MandateOut,
)
async def agree_order(subscriber: Id, deps: Needed, request: Request, asked: OrderIn) -> Response:
    """Ask the subscriber's phone for a standing order; wants an ``Idempotency-Key``."""
    wish = mandates.OrderWish(
        mandate_id=replay.id_of(request),
        subscriber=normal_name(subscriber),
        amount=asked.amount.money(),
        consent=asked.consent,
        frequency=asked.frequency.frequency,
        starts_on=asked.starts_on,
        ends_on=asked.ends_on,
    )

    async def work() -> MandateOut:
        return MandateOut.of(await mandates.agree_order(deps, wish))

    return await replay.once(deps, request, asked, work)


@router.get("/mandates/{mandate_id}")
async def show_mandate(mandate_id: Id, deps: Needed) -> MandateOut:
    """One consent, and how it stands."""
    return MandateOut.of(await mandates.show(deps, mandate_id))


@router.post("/mandates/{mandate_id}/cancel")
async def cancel(mandate_id: Id, deps: Needed, asked: ReasonIn) -> MandateOut:
    """End a consent: nothing is collected by it any more. Again changes nothing."""
    return MandateOut.of(await mandates.cancel(deps, mandate_id, reason=asked.reason))
