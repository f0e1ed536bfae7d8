"""Daraja's M-PESA Express on the wire: what we send and what its answers say. PURE.

Times are East Africa Time, always three hours ahead of UTC, without a zone in the text. Numbers in
answers are read as text, so that no amount ever passes through binary fractions. Sources: the
Daraja portal's pages on authorisation, M-PESA Express and its query; shapes that only integrators
have seen are marked so.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, NoReturn

from billing.money import whole_units
from billing.payment import Evidence, Reason
from controller.payments.codes import PAID_CODE, meaning, normal_code
from controller.payments.gateway import (
    CredentialsError,
    Outcome,
    ProviderError,
    PushAnswer,
)

if TYPE_CHECKING:
    from datetime import datetime

    from controller.payments.gateway import Push
    from controller.payments.mpesa_settings import MpesaSettings

EAT = timezone(timedelta(hours=3), "EAT")
"""M-PESA's clock; Kenya has no daylight saving."""

TOKEN_PATH = "/oauth/v1/generate?grant_type=client_credentials"  # noqa: S105 - an address
PUSH_PATH = "/mpesa/stkpush/v1/processrequest"
QUERY_PATH = "/mpesa/stkpushquery/v1/query"

ACCOUNT_CHARS_MAX = 12
"""A longer AccountReference is taken, and then the prompt never arrives."""
DESCRIPTION_CHARS_MAX = 13
PROVIDER_ID_CHARS_MAX = 64
ANSWER_BYTES_MAX = 65_536
TOKEN_LIFE_MAX_S = 86_400

OVERLOADED_CODE = "500.001.1001"
"""One code for five different troubles; on a query it always means "no answer yet"."""

_BUSY_CODES = frozenset({"500.003.02", "500.003.03", "429", "00.002.1001"})
_DEAD_TOKEN_CODES = frozenset({"404.001.03", "400.003.01", "401.002.01", "401.001"})
_FAULT_BUSY = re.compile(r"spike ?arrest|quota|rate ?limit", re.IGNORECASE)
_FAULT_TOKEN = re.compile(r"access ?token", re.IGNORECASE)
_PAYER_FIELD = re.compile(r"PhoneNumber|PartyA")
_REQUEST_TIMEOUT = 408
_TOO_MANY_REQUESTS = 429
_UNAUTHORISED = 401
_PROVIDER_ID = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class Trouble:
    """An answer that is an error. ``code`` is Daraja's, or ``http-502`` when it gave none.

    ``dead_token``: a fresh access token may help, and nothing was done. ``busy``: the request was
    turned away for load, and asking again later may help. ``certain``: the request was certainly
    not taken.
    """

    code: str
    text: str
    dead_token: bool = False
    busy: bool = False
    certain: bool = True


@dataclass(frozen=True, slots=True)
class FreshToken:
    """An access token as just issued, and how many seconds it lives."""

    text: str = field(repr=False)
    life_s: int


def stamp(now: datetime) -> str:
    """``now`` as Daraja writes it: ``20260714093015``, East Africa Time."""
    return now.astimezone(EAT).strftime("%Y%m%d%H%M%S")


def password(*, shortcode: str, passkey: str, timestamp: str) -> str:
    """The request's password; ``timestamp`` must be the very text that the request carries."""
    return base64.b64encode(f"{shortcode}{passkey}{timestamp}".encode()).decode()


def account_reference(text: str) -> str:
    """``text`` cut to what the prompt can carry: letters and digits, at most 12."""
    kept = "".join(c for c in text if c.isascii() and c.isalnum())
    return kept[:ACCOUNT_CHARS_MAX] or "INTERNET"


def description(text: str) -> str:
    """``text`` cut to what Daraja takes: letters, digits and single spaces, at most 13."""
    kept = "".join(c if c.isascii() and c.isalnum() else " " for c in text)
    return " ".join(kept.split())[:DESCRIPTION_CHARS_MAX].strip() or "Internet"


def push_body(settings: MpesaSettings, push: Push, now: datetime) -> dict[str, str | int]:
    """The body of an M-PESA Express request."""
    shillings = whole_units(push.amount)
    assert push.amount.currency == "KES", "M-PESA Kenya moves shillings"
    assert shillings is not None, "a plan's price is whole shillings (see check_plan)"
    assert shillings >= 1, "M-PESA moves at least one shilling"
    return {
        **_signed(settings, now),
        "TransactionType": settings.transaction_type,
        "Amount": shillings,
        "PartyA": push.msisdn,
        "PartyB": int(settings.party_b),
        "PhoneNumber": push.msisdn,
        "CallBackURL": push.callback_url,
        "AccountReference": account_reference(push.account),
        "TransactionDesc": description(push.description),
    }


def query_body(settings: MpesaSettings, provider_id: str, now: datetime) -> dict[str, str | int]:
    """The body of a question after a push."""
    return {**_signed(settings, now), "CheckoutRequestID": provider_id}


def _signed(settings: MpesaSettings, now: datetime) -> dict[str, str | int]:
    timestamp = stamp(now)
    signature = password(
        shortcode=settings.shortcode, passkey=settings.passkey, timestamp=timestamp
    )
    return {
        "BusinessShortCode": int(settings.shortcode),
        "Password": signature,
        "Timestamp": timestamp,
    }


def parse_json(body: bytes) -> Any:
    """JSON with every number as the text that stood there. Raises ``ValueError`` for all else.

    ``NaN`` and ``Infinity``, which Python takes, are read as null: the reader of the field refuses
    it. As text the second would have a receipt's shape.
    """
    try:
        return json.loads(body, parse_int=str, parse_float=str, parse_constant=lambda _: None)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def provider_id_in(value: object) -> str | None:
    """A CheckoutRequestID that can be kept: up to 64 visible ASCII characters; else None."""
    if isinstance(value, str) and _PROVIDER_ID.fullmatch(value):
        return value
    return None


def read_trouble(status: int, body: bytes) -> Trouble | None:
    """The error in an answer, or None when it is none.

    Knows Daraja's envelope (also under HTTP 200, which integrators have seen), the envelope of the
    Apigee gateway before it, HTML, and nothing at all.
    """
    fields = fields_in(body)
    code = fields.get("errorCode")
    if isinstance(code, str) and code.strip():
        return _enveloped(status, code.strip()[:32], str(fields.get("errorMessage") or ""))
    fault = fields.get("fault")
    if isinstance(fault, dict):
        return _apigee(status, fault)
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own ranges
        return None
    certain = 300 <= status < 500 and status != _REQUEST_TIMEOUT  # noqa: PLR2004
    return Trouble(
        f"http-{status}",
        "",
        dead_token=status == _UNAUTHORISED,
        busy=status == _TOO_MANY_REQUESTS,
        certain=certain,
    )


def _enveloped(status: int, code: str, text: str) -> Trouble:
    told_nothing = code == OVERLOADED_CODE and _is_open(text)
    server_side = code.startswith("5") and code not in _BUSY_CODES and code != OVERLOADED_CODE
    return Trouble(
        code,
        text,
        dead_token=code in _DEAD_TOKEN_CODES,
        busy=code in _BUSY_CODES or status == _TOO_MANY_REQUESTS,
        certain=not (told_nothing or server_side),
    )


def _is_open(text: str) -> bool:
    told = text.strip().lower()
    return not told or "being processed" in told or "transaction does not exist" in told


def _apigee(status: int, fault: dict[str, Any]) -> Trouble:
    detail = fault.get("detail")
    code = str(detail.get("errorcode") or "") if isinstance(detail, dict) else ""
    text = str(fault.get("faultstring") or "")
    busy = bool(_FAULT_BUSY.search(code + " " + text)) or status == _TOO_MANY_REQUESTS
    token = bool(_FAULT_TOKEN.search(code.replace("_", " ") + " " + text))
    certain = busy or token or (400 <= status < 500 and status != _REQUEST_TIMEOUT)  # noqa: PLR2004
    return Trouble(f"fault-{status}", text, dead_token=token, busy=busy, certain=certain)


def raise_trouble(trouble: Trouble) -> NoReturn:
    """Raise the `ProviderError` that an erroneous answer to a question is."""
    raise ProviderError(trouble.code, again=trouble.busy or not trouble.certain)


def answer_in(status: int, body: bytes, *, bytes_max: int = ANSWER_BYTES_MAX) -> dict[str, Any]:
    """The members of a good answer. Raises `ProviderError` for one that is an error."""
    trouble = read_trouble(status, body)
    if trouble is not None:
        raise_trouble(trouble)
    return fields_in(body, bytes_max=bytes_max)


def refusal_reason(trouble: Trouble) -> Reason:
    """Why a push was turned away, in the form that customers are told."""
    if trouble.busy or not trouble.certain:
        return Reason.PROVIDER_SLOW
    if trouble.code == OVERLOADED_CODE and "lock subscriber" in trouble.text.lower():
        return Reason.LINE_BUSY
    if trouble.code == "400.002.02":
        if _PAYER_FIELD.search(trouble.text):
            return Reason.ACCOUNT
        if "Amount" in trouble.text:
            return Reason.LIMIT
    return Reason.OUR_SIDE


def read_push_answer(status: int, body: bytes) -> PushAnswer:
    """What the answer to a push says. Doubt is `Evidence.NO_ANSWER`, never a refusal."""
    trouble = read_trouble(status, body)
    if trouble is not None:
        evidence = Evidence.NOT_SENT if trouble.certain else Evidence.NO_ANSWER
        reason = refusal_reason(trouble) if trouble.certain else None
        return PushAnswer(evidence, None, trouble.code, reason)
    fields = fields_in(body)
    code = normal_code(fields.get("ResponseCode"))
    provider_id = provider_id_in(fields.get("CheckoutRequestID"))
    if code == PAID_CODE and provider_id is not None:
        return PushAnswer(Evidence.ACCEPTED, provider_id, code, None)
    return PushAnswer(Evidence.NO_ANSWER, provider_id, code or "unreadable", None)


def read_query_answer(status: int, body: bytes, provider_id: str) -> Outcome:
    """What the answer to a query says. Raises `ProviderError` when it answers nothing."""
    trouble = read_trouble(status, body)
    if trouble is not None:
        if trouble.code == OVERLOADED_CODE:
            return Outcome(Evidence.STILL_OPEN, provider_id, trouble.code, None)
        raise_trouble(trouble)
    fields = fields_in(body)
    named = fields.get("CheckoutRequestID")
    if not fields or named not in (None, provider_id):
        raise ProviderError("unreadable", again=True)
    code = normal_code(fields.get("ResultCode"))
    if code is None:
        return Outcome(Evidence.STILL_OPEN, provider_id, "", None)
    says = meaning(code)
    return Outcome(says.evidence, provider_id, code, says.reason)


def read_token(status: int, body: bytes) -> FreshToken:
    """The token in an answer. Raises `CredentialsError`, `ProviderError`."""
    trouble = read_trouble(status, body)
    if trouble is not None and (trouble.busy or not trouble.certain):
        raise ProviderError(trouble.code, again=True)
    if trouble is not None:
        raise CredentialsError(trouble.code)
    fields = fields_in(body)
    text, life = fields.get("access_token"), str(fields.get("expires_in") or "")
    if not isinstance(text, str) or not _PROVIDER_ID.fullmatch(text[:PROVIDER_ID_CHARS_MAX]):
        raise ProviderError("unreadable", again=True)
    if not (text.isascii() and text.isprintable() and life.isascii() and life.isdigit()):
        raise ProviderError("unreadable", again=True)
    return FreshToken(text, min(int(life[:9]), TOKEN_LIFE_MAX_S))


def fields_in(body: bytes, *, bytes_max: int = ANSWER_BYTES_MAX) -> dict[str, Any]:
    """The members of a JSON object; empty for anything that is not one."""
    if len(body) > bytes_max:
        return {}
    try:
        parsed = parse_json(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
