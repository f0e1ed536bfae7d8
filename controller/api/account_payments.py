"""Money for accounts that is asked for: a phone is prompted; a friend may pay."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from billing.money import Money
from controller.api import replay
from controller.api.arrival_shapes import AccountPaymentIn, AccountPaymentOut
from controller.api.errors import NotFound, Refused
from controller.api.needs import Id, Needed
from controller.api.shapes import Words
from controller.payments.gateway import GatewayError
from controller.store import payments
from controller.usecases import subscribers
from controller.usecases.account_payments import pay_account
from controller.usecases.purchase import Purpose

PNG = "image/png"

router = APIRouter(prefix="/account-payments", tags=["money"])


@router.post("", status_code=HTTPStatus.CREATED, response_model=AccountPaymentOut)
async def ask_for_money(deps: Needed, request: Request, asked: AccountPaymentIn) -> Response:
    """Ask a phone to pay into an account; wants an ``Idempotency-Key``."""
    name = replay.id_of(request)

    async def work() -> AccountPaymentOut:
        await pay_account(deps, asked.wish(name))
        return await show_account_payment(name, deps)

    return await replay.once(deps, request, asked, work)


class QrAsked(BaseModel):
    """For whose account, and how much: whole shillings, like 1500."""

    model_config = ConfigDict(extra="forbid")

    subscriber: Annotated[Words, Field(max_length=64)]
    shillings: Annotated[int, Field(ge=1, le=250_000)]


@router.get("/qr", response_class=Response, responses={200: {"content": {PNG: {}}}})
async def picture_to_pay_with(deps: Needed, asked: Annotated[QrAsked, Query()]) -> Response:
    """A picture that the M-PESA app reads: our PayBill, the account and the amount (PNG)."""
    if deps.mpesa is None:
        raise NotFound("M-PESA account", "to pay into")
    async with deps.db.read() as tx:
        row = await subscribers.must_find(tx, asked.subscriber)
    try:
        picture = await deps.mpesa.qr(row.msisdn, Money(asked.shillings * 100), deps.now())
    except GatewayError as trouble:
        raise Refused(
            HTTPStatus.BAD_GATEWAY, "provider_unreachable", f"M-PESA gave no picture: {trouble}"
        ) from trouble
    return Response(picture, media_type=PNG)


@router.get("/{order_id}")
async def show_account_payment(order_id: Id, deps: Needed) -> AccountPaymentOut:
    """Where it stands."""
    async with deps.db.read() as tx:
        row = await payments.load(tx, order_id)
    if row is None or row.purpose != Purpose.ACCOUNT:
        raise NotFound("account payment", order_id)
    return AccountPaymentOut.of(row)
