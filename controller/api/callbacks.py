"""Where providers call back. The path is the secret; what it says is believed by nobody yet.

Each is answered as soon as it is on disk. What cannot be kept now (the database is busy) is not
acknowledged: some providers try again, and for the others there is the query, the pull and the
statement.
"""

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

import structlog
from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from controller.api.errors import NotFound
from controller.api.needs import Needed
from controller.api.source import client_address
from controller.deps import Deps
from controller.notify.reports import fields_in
from controller.payments.bank_notice import NotMoneyIn, notice_answer, read_notice
from controller.payments.gateway import CallbackUnreadable
from controller.payments.mpesa_c2b import validation_answer
from controller.usecases import doors, mandates, paybill, reached, refunds
from controller.usecases.arrivals import arrive
from controller.usecases.asking import CALLBACK_PATH
from controller.usecases.delivery_reports import take_report
from controller.usecases.settle import take_callback, take_told

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

TOKEN_LENGTH_MAX = 128
ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}
SUCCESS = {"ResultCode": 0, "ResultDesc": "Success"}

Secret = Annotated[str, Path(max_length=TOKEN_LENGTH_MAX)]

router = APIRouter(include_in_schema=False)
log = structlog.get_logger(__name__)


class StkCallbacks:
    """Where M-PESA says what became of one payment: an ASGI application of its own.

    A payday's evening brings thousands of these a second, and three copies of each: what is done
    for every request of other routes (fields found, checked and made into values) would be most of
    the work.
    """

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Keep what is posted, and answer when it is on disk."""
        request = Request(scope, receive)
        deps: Deps = scope["app"].state.deps
        verdict = await take_callback(
            deps,
            token=scope["path_params"]["secret"],
            body=await request.body(),
            source=_source(request, deps),
            headers=_headers(request),
        )
        if verdict.text == "unknown_token":
            raise NotFound("payment", "with this address")
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": _TEXT})


_TEXT = json.dumps(ACCEPTED, separators=(",", ":")).encode()
_HEADERS = (
    (b"content-length", str(len(_TEXT)).encode()),
    (b"content-type", b"application/json"),
)

STK_CALLBACKS = Route(f"{CALLBACK_PATH}{{secret}}", StkCallbacks(), methods=["POST"])


@router.post("/callbacks/c2b/{secret}/confirm")
async def confirmation(secret: Secret, request: Request, deps: Needed) -> Response:
    """Take money that came to our PayBill or Till. Always the same answer: it has been paid."""
    _enter(deps, doors.PAYBILL, secret)
    await paybill.confirmed(deps, await request.body(), source=_source(request, deps))
    return JSONResponse(SUCCESS, HTTPStatus.OK)


@router.post("/callbacks/c2b/{secret}/validate")
async def validation(secret: Secret, request: Request, deps: Needed) -> Response:
    """Say whether M-PESA may take money: asks nobody, so it is answered at once."""
    _enter(deps, doors.PAYBILL, secret)
    answer = validation_answer(paybill.validated(deps, await request.body()))
    return JSONResponse(answer, HTTPStatus.OK)


@router.get(f"{reached.HERE_PATH}{{nonce}}", response_class=PlainTextResponse)
async def here(nonce: Secret, deps: Needed) -> str:
    """Say who answers here: only a controller with our keys answers this nonce so."""
    return reached.answer_of(deps.vault, nonce)


@router.post(f"{refunds.RESULT_PATH}{{secret}}")
async def result(secret: Secret, request: Request, deps: Needed) -> Response:
    """Keep what became of something that we asked for: a refund, a look-up, a balance."""
    body = await request.body()
    ours = await refunds.take_result(deps, token=secret, body=body, headers=_headers(request))
    if not ours and not await paybill.take_result(deps, token=secret, body=body):
        raise NotFound("request", "with this address")
    return JSONResponse(ACCEPTED, HTTPStatus.OK)


@router.post(f"{mandates.ORDER_PATH}{{secret}}")
async def standing_order(secret: Secret, request: Request, deps: Needed) -> Response:
    """Keep whether a payer agreed to a standing order."""
    if not await mandates.take_outcome(deps, token=secret, body=await request.body()):
        raise NotFound("standing order", "with this address")
    return JSONResponse(ACCEPTED, HTTPStatus.OK)


@router.post("/callbacks/airtel/{secret}")
async def airtel(secret: Secret, request: Request, deps: Needed) -> Response:
    """Be told by Airtel that it is time to ask."""
    _enter(deps, doors.AIRTEL, secret)
    await _told(request, deps, rail="airtel")
    return JSONResponse({}, HTTPStatus.OK)


@router.post("/callbacks/card/{secret}")
async def card(secret: Secret, request: Request, deps: Needed) -> Response:
    """Take a signed event about a card."""
    _enter(deps, doors.CARD, secret)
    await _told(request, deps, rail="card")
    return JSONResponse({}, HTTPStatus.OK)


@router.post("/callbacks/bank/{secret}")
async def bank_notice(secret: Secret, request: Request, deps: Needed) -> Response:
    """Take a bank's notice of money in our account."""
    _enter(deps, doors.BANK, secret)
    if deps.bank is None:
        raise NotFound("bank account", "with notices")
    body = await request.body()
    try:
        arrived = await arrive(deps, read_notice(body, _headers(request), deps.bank))
    except NotMoneyIn:
        return JSONResponse(notice_answer(body, deps.bank, ""), HTTPStatus.OK)
    except CallbackUnreadable as error:
        log.warning("notice_unreadable", source=_source(request, deps), field=error.field)
        return JSONResponse({"statusCode": "1"}, HTTPStatus.BAD_REQUEST)
    return JSONResponse(notice_answer(body, deps.bank, arrived.arrival_id), HTTPStatus.OK)


@router.post("/callbacks/sms/{secret}")
async def delivery_report(secret: Secret, request: Request, deps: Needed) -> Response:
    """Note how far a text message has come."""
    _enter(deps, doors.SMS, secret)
    await take_report(deps, "sms", fields_in(await request.body()))
    return JSONResponse({}, HTTPStatus.OK)


async def _told(request: Request, deps: Deps, *, rail: str) -> None:
    await take_told(
        deps,
        rail=rail,
        body=await request.body(),
        source=_source(request, deps),
        headers=_headers(request),
    )


def _enter(deps: Deps, door: str, secret: str) -> None:
    if not doors.opens(deps, door, secret):
        raise NotFound("door", "with this address")


def _headers(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _source(request: Request, deps: Deps) -> str:
    """Who posts, for staff; whoever is not on the operator's list is noted, and heard."""
    told = deps.settings.http
    source = client_address(request)
    if told.callback_sources and source not in told.callback_sources:
        log.warning("callback_source_unknown", source=source)
    return source
