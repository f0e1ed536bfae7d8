"""Money for accounts that is asked for: a phone is prompted; a friend may pay."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from controller.api import replay
from controller.api.arrival_shapes import AccountPaymentIn, AccountPaymentOut
from controller.api.errors import NotFound
from controller.api.needs import Id, Needed
from controller.store import payments
from controller.usecases.account_payments import pay_account
from controller.usecases.purchase import Purpose

router = APIRouter(prefix="/account-payments", tags=["money"])


@router.post("", status_code=HTTPStatus.CREATED, response_model=AccountPaymentOut)
async def ask_for_money(deps: Needed, request: Request, asked: AccountPaymentIn) -> Response:
    """Ask a phone to pay into an account; wants an ``Idempotency-Key``."""
    name = replay.id_of(request)

    async def work() -> AccountPaymentOut:
        await pay_account(deps, asked.wish(name))
        return await show_account_payment(name, deps)

    return await replay.once(deps, request, asked, work)


@router.get("/{order_id}")
async def show_account_payment(order_id: Id, deps: Needed) -> AccountPaymentOut:
    """Where it stands."""
    async with deps.db.read() as tx:
        row = await payments.load(tx, order_id)
    if row is None or row.purpose != Purpose.ACCOUNT:
        raise NotFound("account payment", order_id)
    return AccountPaymentOut.of(row)
