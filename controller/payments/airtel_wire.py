"""Airtel Money's collection on the wire: what we send and what its answers say. PURE.

Sources: Airtel's portal text as integrators of other African countries quote it; where they differ
nothing is decided by it. "SUCCESS" in the answer to a push means only that it was taken.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from billing.money import whole_units
from billing.payment import Evidence, Reason
from controller.payments.airtel_codes import CODES, meaning, status_meaning
from controller.payments.answers import (
    TOO_MANY_REQUESTS,
    code_in,
    inner,
    is_fine,
    object_in,
    turned_away,
)
from controller.payments.gateway import (
    CallbackUnreadable,
    CredentialsError,
    Outcome,
    ProviderError,
    PushAnswer,
    RefundOutcome,
)
from controller.payments.mpesa_wire import FreshToken, parse_json, provider_id_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.payments.airtel_settings import AirtelSettings
    from controller.payments.gateway import Push, Refund

TOKEN_PATH = "/auth/oauth2/token"  # noqa: S105 - an address
KEY_PATH = "/v1/rsa/encryption-keys"
ENQUIRY_PATH = "/standard/v1/payments/{}"

REFERENCE_CHARS_MAX = 20
"""Limits between 4 and 64 have been seen; 20 letters and digits pass everywhere."""
CALLBACK_BYTES_MAX = 65_536
TOKEN_LIFE_MAX_S = 86_400
UNSIGNED_CODE = "DP00800001026"
_DUPLICATE = "ESB000041"
_RECEIPT = re.compile(r"[A-Za-z0-9.\-]{6,64}")
_TOKEN = re.compile(r"[!-~]{1,4096}")


def push_path(settings: AirtelSettings) -> str:
    """Where a push goes."""
    return "/merchant/v2/payments/" if settings.signed else "/merchant/v1/payments/"


def refund_path(settings: AirtelSettings) -> str:
    """Where a refund goes."""
    return "/standard/v2/payments/refund" if settings.signed else "/standard/v1/payments/refund"


def reference(text: str) -> str:
    """``text`` cut to what every country takes: letters and digits, at most 20."""
    kept = "".join(c for c in text if c.isascii() and c.isalnum())
    return kept[:REFERENCE_CHARS_MAX] or "INTERNET"


def token_body(settings: AirtelSettings) -> bytes:
    """The body of a request for an access token."""
    return json.dumps(
        {
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
            "grant_type": "client_credentials",
        }
    ).encode()


def push_body(settings: AirtelSettings, push: Push) -> bytes:
    """The body of a push: our order's id is its name, the number has nine digits."""
    shillings = whole_units(push.amount)
    assert push.amount.currency == settings.currency, "one application, one currency"
    assert shillings is not None, "a plan's price is whole shillings (see check_plan)"
    assert shillings >= 1, "Airtel moves at least one shilling"
    where = {"country": settings.country, "currency": settings.currency}
    return json.dumps(
        {
            "reference": reference(push.account),
            "subscriber": {**where, "msisdn": push.msisdn.removeprefix("254")},
            "transaction": {"amount": shillings, **where, "id": push.order_id},
        }
    ).encode()


def refund_body(refund: Refund) -> bytes:
    """The body of a refund: always of the whole payment."""
    return json.dumps({"transaction": {"airtel_money_id": refund.receipt}}).encode()


def read_token(status: int, body: bytes) -> FreshToken:
    """The token in an answer. Raises `CredentialsError`, `ProviderError`."""
    if status == TOO_MANY_REQUESTS or not (is_fine(status) or turned_away(status)):
        raise ProviderError(f"http-{status}", again=True)
    if not is_fine(status):
        raise CredentialsError(f"http-{status}")
    fields = object_in(body)
    text, life = fields.get("access_token"), code_in(fields.get("expires_in"))
    if not isinstance(text, str) or not _TOKEN.fullmatch(text) or not life.isdigit():
        raise ProviderError("unreadable", again=True)
    return FreshToken(text, min(int(life[:9]), TOKEN_LIFE_MAX_S))


def answer_code(body: bytes) -> str:
    """The code of an answer: ``response_code``, else the older ``result_code``; "" for none."""
    told = inner(object_in(body), "status")
    return code_in(told.get("response_code")) or code_in(told.get("result_code"))


def read_push_answer(status: int, body: bytes, order_id: str) -> PushAnswer:
    """What the answer to a push says. Doubt is `Evidence.NO_ANSWER`, never a refusal."""
    told = inner(object_in(body), "status")
    code = answer_code(body)
    says = meaning(code)
    refuses = says.evidence is Evidence.REFUSED
    if is_fine(status) and _is_true(told.get("success")) and not refuses and code != _DUPLICATE:
        return PushAnswer(Evidence.ACCEPTED, order_id, code or f"http-{status}", None)
    if refuses and not _is_true(told.get("success")):
        return PushAnswer(Evidence.NOT_SENT, None, code, says.reason)
    if not code and turned_away(status):
        slow = status == TOO_MANY_REQUESTS
        reason = Reason.PROVIDER_SLOW if slow else Reason.OUR_SIDE
        return PushAnswer(Evidence.NOT_SENT, None, f"http-{status}", reason)
    return PushAnswer(Evidence.NO_ANSWER, order_id, code or f"http-{status}", None)


def read_enquiry(status: int, body: bytes, provider_id: str) -> Outcome:
    """What an enquiry says; the amount is not told. Raises `ProviderError` when it says nothing.

    A success without its number (``airtel_money_id``) is asked for again: money is told apart by
    that number alone.
    """
    told = inner(object_in(body), "data", "transaction")
    code = answer_code(body)
    letters = code_in(told.get("status"))
    if not letters:
        if code in CODES:
            return Outcome(Evidence.STILL_OPEN, provider_id, code, None)
        may_help = status == TOO_MANY_REQUESTS or not turned_away(status)
        raise ProviderError(code or f"http-{status}", again=may_help)
    if told.get("id") not in (None, False, provider_id):
        raise ProviderError("unreadable", again=True)
    outcome = _outcome(provider_id, letters, told)
    if outcome.evidence is Evidence.REFUSED and meaning(code).evidence is Evidence.REFUSED:
        return Outcome(Evidence.REFUSED, provider_id, code, meaning(code).reason)
    return outcome


def read_callback(body: bytes) -> Outcome:
    """What a callback says; a hint. Raises `CallbackUnreadable` naming the field.

    Its ``hash`` is not checked: which bytes it covers is not published, and nothing depends on it.
    """
    told = _transaction_in(body)
    provider_id = provider_id_in(told.get("id"))
    if provider_id is None:
        raise CallbackUnreadable("transaction.id", "want 1 to 64 visible characters")
    letters = code_in(told.get("status_code"))
    if not letters:
        raise CallbackUnreadable("transaction.status_code", "there is none: that is not paid")
    return _outcome(provider_id, letters, told)


def read_refund_answer(status: int, body: bytes) -> RefundOutcome:
    """What the answer to a refund says; the transaction's own status decides.

    ``status.success`` is false in Airtel's sample of a refund that went well.
    """
    told = inner(object_in(body), "data", "transaction")
    code = answer_code(body) or f"http-{status}"
    receipt = receipt_in(told)
    if is_fine(status) and code_in(told.get("status")) in ("SUCCESS", "TS") and receipt:
        return RefundOutcome(Evidence.PAID, code, receipt, receipt)
    failed = code_in(told.get("status")) in ("FAILED", "TF")
    if failed or meaning(code).evidence is Evidence.REFUSED:
        return RefundOutcome(Evidence.REFUSED, code)
    if not answer_code(body) and turned_away(status):
        return RefundOutcome(Evidence.NOT_SENT, code)
    return RefundOutcome(Evidence.NO_ANSWER, code)


def receipt_in(told: Mapping[str, Any]) -> str | None:
    """The number of money that moved, as Airtel writes it: ``MP260714.1015.L00123``."""
    raw = told.get("airtel_money_id")
    receipt = raw.strip() if isinstance(raw, str) else ""
    return receipt if _RECEIPT.fullmatch(receipt) else None


def _outcome(provider_id: str, letters: str, told: Mapping[str, Any]) -> Outcome:
    says = status_meaning(letters)
    if says.evidence is not Evidence.PAID:
        return Outcome(says.evidence, provider_id, letters, says.reason)
    receipt = receipt_in(told)
    if receipt is None:
        return Outcome(Evidence.STILL_OPEN, provider_id, letters, None)
    return Outcome(Evidence.PAID, provider_id, letters, None, receipt=receipt)


def _transaction_in(body: bytes) -> Mapping[str, Any]:
    if len(body) > CALLBACK_BYTES_MAX:
        raise CallbackUnreadable("body", f"want at most {CALLBACK_BYTES_MAX:,} bytes")
    try:
        parsed = parse_json(body)
    except ValueError as error:
        raise CallbackUnreadable("body", "is not JSON") from error
    told = parsed.get("transaction") if isinstance(parsed, dict) else None
    if not isinstance(told, dict):
        raise CallbackUnreadable("transaction", "want an object")
    return told


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")
