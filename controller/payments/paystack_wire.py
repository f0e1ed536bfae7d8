"""Paystack's cards on the wire: what we send and what its answers and events say. PURE.

Amounts are integers in cents. Events are signed: the hexadecimal HMAC-SHA512 of the very bytes,
keyed with our secret key. Sources: Paystack's published OpenAPI description and its pages on
verifying payments, charging an authorisation, refunds and webhooks.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from billing.money import MINOR_MAX, Money
from billing.payment import Evidence, Reason
from controller.payments.answers import (
    TOO_MANY_REQUESTS,
    UNAUTHORISED,
    inner,
    is_fine,
    object_in,
    turned_away,
)
from controller.payments.gateway import (
    CallbackUnreadable,
    Outcome,
    ProviderError,
    PushAnswer,
    StoredCard,
)
from controller.payments.mpesa_wire import provider_id_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.payments.gateway import Push
    from controller.payments.paystack_settings import PaystackSettings

PUSH_PATH = "/transaction/initialize"
QUERY_PATH = "/transaction/verify/{}"
CHARGE_PATH = "/transaction/charge_authorization"

SIGNATURE = "x-paystack-signature"
CALLBACK_BYTES_MAX = 262_144
URL_CHARS_MAX = 500
_FORBIDDEN = 403
_DIGITS = re.compile(r"[0-9]{1,20}")
_ADDRESS = re.compile(r"https?://[!-~]+")
_CARD_TOKEN = re.compile(r"[!-~]{1,128}")
_EMAIL = re.compile(r"[!-~]{3,254}")
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,32}")

STATUSES: dict[str, Evidence] = {
    "success": Evidence.PAID,
    "failed": Evidence.REFUSED,
    "reversed": Evidence.REFUSED,
    "abandoned": Evidence.STILL_OPEN,
    "ongoing": Evidence.STILL_OPEN,
    "pending": Evidence.STILL_OPEN,
    "processing": Evidence.STILL_OPEN,
    "queued": Evidence.STILL_OPEN,
}
"""Of a transaction. ``abandoned`` is one whose payer has not finished: he still may."""


def push_body(settings: PaystackSettings, push: Push) -> bytes:
    """The body that opens a card page: our order's id is its reference."""
    body = {**_money(settings, push), "channels": ["card"]}
    if settings.return_url:
        body["callback_url"] = settings.return_url
    return json.dumps(body).encode()


def charge_body(settings: PaystackSettings, push: Push, card: StoredCard) -> bytes:
    """The body that charges a stored card; it is good only with the address it was given for."""
    body = {**_money(settings, push), "email": card.email, "authorization_code": card.token}
    return json.dumps(body).encode()


def read_push_answer(status: int, body: bytes, order_id: str) -> PushAnswer:
    """What the answer to an opened page says. Doubt is `Evidence.NO_ANSWER`, never a refusal."""
    if not is_fine(status):
        return _refused(status, body, order_id)
    fields = object_in(body)
    told = inner(fields, "data")
    pay_at = _address_in(told.get("authorization_url"))
    if fields.get("status") is True and told.get("reference") == order_id and pay_at:
        return PushAnswer(Evidence.ACCEPTED, order_id, "initialized", None, pay_at)
    return PushAnswer(Evidence.NO_ANSWER, order_id, "unreadable", None)


def read_charge_answer(status: int, body: bytes, order_id: str) -> PushAnswer:
    """What the answer to a charge says.

    ``failed`` is certain: nothing was collected. ``paused`` wants the card's holder, who goes on at
    ``pay_at``. A success is accepted here, and told with its receipt by event or query.
    """
    if not is_fine(status):
        refused = _refused(status, body, order_id)
        if refused.evidence is Evidence.NOT_SENT and _is_about_the_card(status):
            return replace(refused, reason=Reason.ACCOUNT)
        return refused
    told = inner(object_in(body), "data")
    letters = "paused" if told.get("paused") is True else str(told.get("status"))
    if told.get("reference") != order_id or letters not in {"paused", *STATUSES}:
        return PushAnswer(Evidence.NO_ANSWER, order_id, "unreadable", None)
    if letters == "failed":
        return PushAnswer(Evidence.NOT_SENT, None, "failed", _reason(told))
    pay_at = _address_in(told.get("authorization_url")) if letters == "paused" else None
    return PushAnswer(Evidence.ACCEPTED, order_id, letters, None, pay_at)


def read_query_answer(
    settings: PaystackSettings, status: int, body: bytes, provider_id: str
) -> Outcome:
    """What became of a transaction. Raises `ProviderError` when the answer says nothing."""
    if not is_fine(status):
        if _is_unknown(status, body):
            return Outcome(Evidence.STILL_OPEN, provider_id, "not-found", None)
        raise ProviderError(f"http-{status}", again=_may_help(status))
    told = inner(object_in(body), "data")
    if told.get("reference") != provider_id:
        raise ProviderError("unreadable", again=True)
    try:
        return _outcome(settings, told, provider_id)
    except CallbackUnreadable as unreadable:
        raise ProviderError(f"bad-{unreadable.field}"[:32], again=False) from unreadable


def read_event(
    settings: PaystackSettings, body: bytes, headers: Mapping[str, str]
) -> tuple[str, Mapping[str, Any]]:
    """The name and the data of a signed event.

    Raises `CallbackUnreadable`: field ``signature`` when it is not Paystack's.
    """
    if len(body) > CALLBACK_BYTES_MAX:
        raise CallbackUnreadable("body", f"want at most {CALLBACK_BYTES_MAX:,} bytes")
    made = hmac.new(settings.secret_key.encode(), body, hashlib.sha512).hexdigest()
    told = headers.get(SIGNATURE, "").strip().lower()
    if not hmac.compare_digest(made.encode(), told.encode(errors="replace")):
        raise CallbackUnreadable("signature", "is missing, or not made with our secret key")
    fields = object_in(body)
    name, data = fields.get("event"), fields.get("data")
    if not isinstance(name, str):
        raise CallbackUnreadable("event", "want its name")
    if not isinstance(data, dict):
        raise CallbackUnreadable("data", "want an object")
    return name, data


def read_callback(settings: PaystackSettings, body: bytes, headers: Mapping[str, str]) -> Outcome:
    """What an event says of a payment.

    Raises `CallbackUnreadable`: field ``event`` when it is signed rightly and about something else.
    """
    name, data = read_event(settings, body, headers)
    if name not in ("charge.success", "charge.failed"):
        raise CallbackUnreadable("event", "is not about a payment")
    provider_id = provider_id_in(data.get("reference"))
    if provider_id is None:
        raise CallbackUnreadable("data.reference", "want 1 to 64 visible characters")
    if name == "charge.failed":
        return Outcome(Evidence.REFUSED, provider_id, "failed", _reason(data))
    if data.get("status") != "success":
        raise CallbackUnreadable("data.status", "a success says so twice")
    return _outcome(settings, data, provider_id)


def error_code(status: int, body: bytes) -> str:
    """Paystack's own code of an error, else the HTTP status; never its text."""
    told = object_in(body).get("code")
    return told if isinstance(told, str) and _ERROR_CODE.fullmatch(told) else f"http-{status}"


def minor_in(value: object) -> int | None:
    """An amount of cents, written as a number or as text; None for all else."""
    text = value if isinstance(value, str) else ""
    return int(text) if _DIGITS.fullmatch(text) and int(text) <= MINOR_MAX else None


def number_in(value: object) -> str | None:
    """One of Paystack's own numbers, as text; None for all else."""
    return value if isinstance(value, str) and _DIGITS.fullmatch(value) else None


def _money(settings: PaystackSettings, push: Push) -> dict[str, Any]:
    assert push.amount.currency == settings.currency, "one business, one currency"
    assert push.amount.minor > 0, "nothing is not charged"
    seen = {"account": push.account, "description": push.description}
    return {
        "email": push.email,
        "amount": push.amount.minor,
        "currency": push.amount.currency,
        "reference": push.order_id,
        "metadata": json.dumps(seen),
    }


def _outcome(settings: PaystackSettings, told: Mapping[str, Any], provider_id: str) -> Outcome:
    letters = str(told.get("status"))
    evidence = STATUSES.get(letters)
    if evidence is None:
        return Outcome(Evidence.STILL_OPEN, provider_id, "unknown", None)
    if evidence is not Evidence.PAID:
        reason = _reason(told) if evidence is Evidence.REFUSED else None
        return Outcome(evidence, provider_id, letters, reason)
    if told.get("currency") != settings.currency:
        raise CallbackUnreadable("currency", f"want {settings.currency}")
    minor, receipt = minor_in(told.get("amount")), number_in(told.get("id"))
    if not minor:
        raise CallbackUnreadable("amount", "want whole cents, more than nothing")
    if receipt is None:
        raise CallbackUnreadable("id", "want the transaction's number")
    return Outcome(
        Evidence.PAID,
        provider_id,
        letters,
        None,
        receipt=receipt,
        amount=Money(minor, settings.currency),
        paid_at=moment_in(told.get("paid_at")),
        card=_card_in(told),
    )


def _card_in(told: Mapping[str, Any]) -> StoredCard | None:
    """The card, when it may be charged again: reusable, and with its holder's address."""
    card = inner(told, "authorization")
    token, email = card.get("authorization_code"), inner(told, "customer").get("email")
    if card.get("reusable") is not True or not isinstance(email, str):
        return None
    if not _EMAIL.fullmatch(email):
        return None
    if not isinstance(token, str) or not _CARD_TOKEN.fullmatch(token):
        return None
    brand = _word(card.get("brand")) or "card"
    until = f"{_word(card.get('exp_month'))}/{_word(card.get('exp_year'))}"
    return StoredCard(token, email, f"{brand} …{_word(card.get('last4'))}, {until}")


def _word(value: object) -> str:
    return value.strip()[:16] if isinstance(value, str) and value.isprintable() else ""


def _reason(told: Mapping[str, Any]) -> Reason:
    """What the payer is told.

    Paystack has no codes for this, so its words choose the sentence; they never decide whether
    money came.
    """
    words = str(told.get("gateway_response") or "").lower()
    return Reason.NO_BALANCE if "insufficient" in words else Reason.ACCOUNT


def _refused(status: int, body: bytes, order_id: str) -> PushAnswer:
    code = error_code(status, body)
    if not turned_away(status) or _is_duplicate(code, body):
        return PushAnswer(Evidence.NO_ANSWER, order_id, code, None)
    slow = status == TOO_MANY_REQUESTS
    return PushAnswer(
        Evidence.NOT_SENT, None, code, Reason.PROVIDER_SLOW if slow else Reason.OUR_SIDE
    )


def _is_duplicate(code: str, body: bytes) -> bool:
    """Whether our reference was taken before: then something may be going on under it."""
    return "duplicate" in code.lower() or "duplicate" in str(object_in(body).get("message")).lower()


def _is_about_the_card(status: int) -> bool:
    return status not in (UNAUTHORISED, _FORBIDDEN, TOO_MANY_REQUESTS)


def _is_unknown(status: int, body: bytes) -> bool:
    """Whether the reference is not known; older answers say so with 400 and in words."""
    return status == 404 or (  # noqa: PLR2004 - HTTP's own
        status == 400 and "not found" in str(object_in(body).get("message")).lower()  # noqa: PLR2004
    )


def _may_help(status: int) -> bool:
    return status == TOO_MANY_REQUESTS or not turned_away(status)


def _address_in(value: object) -> str | None:
    text = value if isinstance(value, str) and len(value) <= URL_CHARS_MAX else ""
    return text if _ADDRESS.fullmatch(text) else None


def moment_in(value: object) -> datetime | None:
    """When it was paid; None when that is not told or not a time (nothing depends on it)."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment is not None and moment.tzinfo else None
