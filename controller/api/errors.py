"""From refusals to RFC 9457 problems: one table, and one shape for everything that goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from billing.errors import (
    BillingRefusal,
    InvalidField,
    SubscriptionEnded,
    SubscriptionNotStarted,
    SubscriptionPaused,
    SubscriptionSuspended,
)
from controller.noc.hub import TooManyViewers
from controller.payments.statements import StatementUnreadable
from controller.store.database import DatabaseBusy
from controller.usecases import wallets
from controller.usecases.agreements import SubscriptionDiffers
from controller.usecases.alert_routes import RouteUnknown
from controller.usecases.alerts import AlertOver, AlertUnknown
from controller.usecases.api_tokens import TokenNotThere
from controller.usecases.arrivals import AlreadyPlaced, ArrivalUnknown
from controller.usecases.branches import BranchExists, BranchUnknown
from controller.usecases.debts import DebtSettled, DebtUnknown
from controller.usecases.factors import PasskeyRefused
from controller.usecases.grants import DevicesFull, GrantOfSubscription, GrantOver, GrantUnknown
from controller.usecases.imports import ImportIdUsed, ImportUnderWay, ImportUnknown
from controller.usecases.live_sessions import SessionUnknown
from controller.usecases.maintenance import (
    MaintenanceDiffers,
    MaintenanceUnknown,
    NoticeDiffers,
    NoticeUnknown,
)
from controller.usecases.mandates import MandateDiffers, MandateUnknown
from controller.usecases.money_in import ReceiptUsed, ReceivedUnknown
from controller.usecases.outage_credits import CreditRunDiffers, CreditRunUnknown
from controller.usecases.papers import DocumentUnknown
from controller.usecases.payers import SubscriberUnknown
from controller.usecases.plan_changes import QuoteChanged, WalletTooLow
from controller.usecases.plans import PlanDiffers, PlanForContracts, PlanUnknown, PlanWithdrawn
from controller.usecases.pools import PoolExists, PoolHasParts, PoolUnknown
from controller.usecases.prices import PriceUnknown
from controller.usecases.probes import ProbeUnderWay
from controller.usecases.promotions import (
    PromotionDiffers,
    PromotionOver,
    PromotionUnknown,
    PromotionUsedUp,
)
from controller.usecases.purchase import OrderDiffers
from controller.usecases.reconcile import DayUntold, DifferenceGone, DifferenceUnknown
from controller.usecases.refunds import NotToRefund, RefundDiffers
from controller.usecases.sign_in import NotSignedIn, StepOver, TooSoon
from controller.usecases.sites import SiteExists, SiteUnknown
from controller.usecases.staff import (
    AboveYou,
    InvitationOver,
    LastOwner,
    LoginTaken,
    OwnerExists,
    StaffUnknown,
)
from controller.usecases.statements import ProfileUnknown, StatementIdUsed
from controller.usecases.subscribers import SubscriberExists
from controller.usecases.subscriptions import SubscriptionUnknown
from controller.usecases.token_keys import KeysFull, SlotsFull
from controller.usecases.tokens import TokenRedeemed, TokenUnknown
from controller.usecases.voucher_sales import BatchSoldOut, BatchUnknown, SaleDiffers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI, Request
    from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger("api")


class Refused(Exception):  # noqa: N818 - refusals are sentences
    """Something that this door itself refuses, with its status, code and perhaps a field."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.field = field
        self.headers = dict(headers or {})


class NotFound(Refused):
    """There is no such thing."""

    def __init__(self, noun: str, key: str) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, "not_found", f"there is no {noun} {key}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One field and what would be right."""

    field: str
    problem: str


KNOWN: dict[type[Exception], tuple[HTTPStatus, str]] = {
    BillingRefusal: (HTTPStatus.UNPROCESSABLE_ENTITY, "refused"),
    SiteUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    PlanUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    ImportUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    ImportIdUsed: (HTTPStatus.CONFLICT, "import_id_used"),
    ImportUnderWay: (HTTPStatus.CONFLICT, "import_under_way"),
    GrantUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    SessionUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    TokenUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    TokenRedeemed: (HTTPStatus.CONFLICT, "token_redeemed"),
    SlotsFull: (HTTPStatus.CONFLICT, "token_slots_full"),
    KeysFull: (HTTPStatus.CONFLICT, "token_keys_full"),
    SiteExists: (HTTPStatus.CONFLICT, "site_exists"),
    PlanDiffers: (HTTPStatus.CONFLICT, "plan_differs"),
    PlanWithdrawn: (HTTPStatus.CONFLICT, "plan_withdrawn"),
    PlanForContracts: (HTTPStatus.CONFLICT, "plan_for_contracts"),
    PriceUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    PoolUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    PoolExists: (HTTPStatus.CONFLICT, "pool_exists"),
    PoolHasParts: (HTTPStatus.CONFLICT, "pool_has_parts"),
    ProbeUnderWay: (HTTPStatus.CONFLICT, "probe_under_way"),
    DocumentUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    BatchUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    BatchSoldOut: (HTTPStatus.CONFLICT, "batch_sold_out"),
    SaleDiffers: (HTTPStatus.CONFLICT, "sale_differs"),
    BranchUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    BranchExists: (HTTPStatus.CONFLICT, "branch_exists"),
    SubscriberUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    SubscriberExists: (HTTPStatus.CONFLICT, "subscriber_exists"),
    SubscriptionUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    SubscriptionDiffers: (HTTPStatus.CONFLICT, "subscription_differs"),
    SubscriptionEnded: (HTTPStatus.CONFLICT, "subscription_ended"),
    SubscriptionNotStarted: (HTTPStatus.CONFLICT, "subscription_not_started"),
    SubscriptionPaused: (HTTPStatus.CONFLICT, "subscription_paused"),
    SubscriptionSuspended: (HTTPStatus.CONFLICT, "subscription_suspended"),
    QuoteChanged: (HTTPStatus.CONFLICT, "quote_changed"),
    WalletTooLow: (HTTPStatus.CONFLICT, "wallet_too_low"),
    wallets.WalletTooLow: (HTTPStatus.CONFLICT, "wallet_too_low"),
    wallets.IdUsed: (HTTPStatus.CONFLICT, "id_used"),
    DebtUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    DebtSettled: (HTTPStatus.CONFLICT, "debt_settled"),
    ReceiptUsed: (HTTPStatus.CONFLICT, "receipt_used"),
    ReceivedUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    ArrivalUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    AlreadyPlaced: (HTTPStatus.CONFLICT, "already_placed"),
    NotToRefund: (HTTPStatus.CONFLICT, "not_to_refund"),
    RefundDiffers: (HTTPStatus.CONFLICT, "refund_differs"),
    OrderDiffers: (HTTPStatus.CONFLICT, "order_differs"),
    MandateUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    MandateDiffers: (HTTPStatus.CONFLICT, "mandate_differs"),
    StatementUnreadable: (HTTPStatus.UNPROCESSABLE_ENTITY, "statement_unreadable"),
    StatementIdUsed: (HTTPStatus.CONFLICT, "id_used"),
    ProfileUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    DayUntold: (HTTPStatus.CONFLICT, "day_untold"),
    DifferenceUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    DifferenceGone: (HTTPStatus.CONFLICT, "difference_gone"),
    PromotionUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    PromotionDiffers: (HTTPStatus.CONFLICT, "promotion_differs"),
    PromotionOver: (HTTPStatus.CONFLICT, "promotion_over"),
    PromotionUsedUp: (HTTPStatus.CONFLICT, "promotion_used_up"),
    GrantOver: (HTTPStatus.CONFLICT, "grant_over"),
    GrantOfSubscription: (HTTPStatus.CONFLICT, "grant_of_subscription"),
    DevicesFull: (HTTPStatus.CONFLICT, "devices_full"),
    PasskeyRefused: (HTTPStatus.UNPROCESSABLE_ENTITY, "passkey_refused"),
    StepOver: (HTTPStatus.UNAUTHORIZED, "sign_in_over"),
    NotSignedIn: (HTTPStatus.UNAUTHORIZED, "not_signed_in"),
    TooSoon: (HTTPStatus.TOO_MANY_REQUESTS, "too_many_attempts"),
    StaffUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    LoginTaken: (HTTPStatus.CONFLICT, "login_taken"),
    AboveYou: (HTTPStatus.FORBIDDEN, "above_you"),
    LastOwner: (HTTPStatus.CONFLICT, "last_owner"),
    OwnerExists: (HTTPStatus.CONFLICT, "owner_exists"),
    InvitationOver: (HTTPStatus.GONE, "invitation_over"),
    TokenNotThere: (HTTPStatus.NOT_FOUND, "not_found"),
    AlertUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    AlertOver: (HTTPStatus.CONFLICT, "alert_over"),
    RouteUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    MaintenanceUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    MaintenanceDiffers: (HTTPStatus.CONFLICT, "maintenance_differs"),
    NoticeUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    NoticeDiffers: (HTTPStatus.CONFLICT, "notice_differs"),
    CreditRunUnknown: (HTTPStatus.NOT_FOUND, "not_found"),
    CreditRunDiffers: (HTTPStatus.CONFLICT, "credit_run_differs"),
    TooManyViewers: (HTTPStatus.SERVICE_UNAVAILABLE, "too_many_viewers"),
    DatabaseBusy: (HTTPStatus.SERVICE_UNAVAILABLE, "busy"),
}
"""Which refusal is told how; the nearest class counts."""

REFUSALS: tuple[type[Exception], ...] = (Refused, InvalidField, *KNOWN)
"""All that is refused, and is nobody's fault in the program."""


def problem(
    request: Request,
    status: int,
    *,
    code: str,
    detail: str,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer to something that went wrong."""
    content: dict[str, Any] = {
        "type": f"urn:lango:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": code,
        "errors": [{"field": fault.field, "problem": fault.problem} for fault in faults],
        "request_id": getattr(request.state, "request_id", ""),
    }
    return JSONResponse(
        content, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def refusal_of(error: Exception) -> tuple[HTTPStatus, str]:
    """The status and the code of a refusal: of a `Refused`, an `InvalidField`, or one `KNOWN`."""
    if isinstance(error, Refused):
        return error.status, error.code
    if isinstance(error, InvalidField):
        return HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_field"
    return next(KNOWN[kind] for kind in type(error).__mro__ if kind in KNOWN)


def install(app: FastAPI) -> None:
    """Teach ``app`` to answer everything that goes wrong as a problem."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(InvalidField, _invalid_field)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _bug)
    for kind in KNOWN:
        app.add_exception_handler(kind, _known)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(
        request,
        error.status,
        code=error.code,
        detail=str(error),
        faults=[Fault(error.field, str(error))] if error.field else (),
        headers=error.headers,
    )


def _invalid_field(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidField)
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        code="invalid_field",
        detail=str(error),
        faults=[Fault(error.field, error.problem)],
    )


def _known(request: Request, error: Exception) -> Response:
    status, code = refusal_of(error)
    field = getattr(error, "field", None)
    faults = [Fault(field, str(error))] if field else ()
    return problem(request, status, code=code, detail=str(error), faults=faults)


def _unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [_fault(found) for found in error.errors()]
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        code="invalid_field",
        detail="; ".join(f"{fault.field}: {fault.problem}" for fault in faults),
        faults=faults,
    )


def _fault(found: Mapping[str, Any]) -> Fault:
    """A fault without what was sent: it may be a secret, and it may be huge."""
    if found["type"] == "json_invalid":
        reason = found.get("ctx", {}).get("error", "")
        return Fault("body", f"not JSON: {reason} at character {found['loc'][-1]}")
    path = [str(part) for part in found["loc"] if part not in {"body", "query", "path"}]
    if found["type"] == "extra_forbidden":
        return Fault(".".join(path), "no such field here")
    problem = str(found["msg"]).removeprefix("Value error, ")
    return Fault(".".join(path) or "body", problem)


def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    return problem(
        request, status, code=status.name.lower(), detail=error.detail, headers=error.headers
    )


def _bug(request: Request, error: Exception) -> Response:
    # The server logs the traceback; this line ties it to the id that the caller was told.
    log.error("request_failed", request_id=request.state.request_id, kind=type(error).__name__)
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        code="internal",
        detail="something is wrong at our side; the request id finds it in the log",
    )
