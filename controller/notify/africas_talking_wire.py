"""Africa's Talking's messaging on the wire: a form out, JSON back. PURE.

Success is judged by the one recipient, never by the HTTP status: a wrong sender id is answered 201
with an empty list. Without ``Accept: application/json`` the answer would be XML.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from controller.notify.cost import E4, cost_e4
from controller.notify.sms import SmsNotSent, SmsRefused, SmsSent, SmsUnsure

if TYPE_CHECKING:
    from billing.msisdn import Msisdn
    from controller.notify.sms import SmsError

SEND_PATH = "/version1/messaging"
USER_PATH = "/version1/user"
ANSWER_BYTES_MAX = 65_536
CODE_CHARS_MAX = 40

TAKEN = frozenset({100, 101, 102})
"""Processed, Sent, Queued."""

FINAL = frozenset({402, 403, 404, 406, 409})
"""InvalidSenderId, InvalidPhoneNumber, UnsupportedNumberType, UserInBlacklist, DoNotDisturb."""

LATER = frozenset({401, 405, 407, 500, 501, 502})
"""RiskHold, InsufficientBalance, CouldNotRoute, InternalServerError, GatewayError, Rejected…"""

_UNAUTHORISED = frozenset({401, 403})
_NOT_TAKEN = frozenset({400, 401, 403, 404, 405, 413, 415, 422, 429})
_NAME = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class AfricasTalkingSettings:
    """One account. Its ``repr`` shows no secret; ``sender_id`` is "" for the shared one."""

    base_url: str
    username: str
    api_key: str = field(repr=False)
    sender_id: str = ""


def send_form(settings: AfricasTalkingSettings, msisdn: Msisdn, text: str) -> dict[str, str]:
    """The form of one message to one phone."""
    form = {
        "username": settings.username,
        "to": f"+{msisdn}",
        "message": text,
        "bulkSMSMode": "1",
        "enqueue": "1",
    }
    return {**form, "from": settings.sender_id} if settings.sender_id else form


def headers(settings: AfricasTalkingSettings) -> dict[str, str]:
    """Who asks, and in what form the answer is wanted."""
    return {"apiKey": settings.api_key, "Accept": "application/json"}


def read_answer(status: int, body: bytes) -> SmsSent:
    """The carrier's name for the message, and what it cost.

    Raises `SmsNotSent`, `SmsUnsure`, `SmsRefused`.
    """
    told = _told(body)
    if told is None:
        raise _without_words(status)
    recipients = told.get("Recipients")
    if not isinstance(recipients, list) or not recipients:
        # The account or its sender id is wrong; staff can mend that, so the message may wait.
        raise SmsNotSent(_code(told.get("Message"), status))
    first = recipients[0] if isinstance(recipients[0], dict) else {}
    code = _number(first.get("statusCode"))
    if code in TAKEN:
        name = first.get("messageId")
        known = name if isinstance(name, str) and _NAME.fullmatch(name) else ""
        return SmsSent(known, cost_e4(first.get("cost")))
    trouble = _code(first.get("status"), status)
    if code in FINAL:
        raise SmsRefused(trouble)
    raise SmsNotSent(trouble) if code in LATER else SmsUnsure(trouble)


def _without_words(status: int) -> SmsError:
    if status in _UNAUTHORISED:
        return SmsNotSent("unauthorised")
    return SmsNotSent(f"http-{status}") if status in _NOT_TAKEN else SmsUnsure(f"http-{status}")


def _told(body: bytes) -> dict[str, Any] | None:
    if len(body) > ANSWER_BYTES_MAX:
        return None
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    inner = parsed.get("SMSMessageData") if isinstance(parsed, dict) else None
    return inner if isinstance(inner, dict) else None


def _number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:  # noqa: PLR2004
        return int(value)
    return value if isinstance(value, int) else None


def _code(value: object, status: int) -> str:
    """The carrier's word for a trouble. Only words: a longer text could repeat what was sent."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z]{1,40}", value):
        return value
    return f"http-{status}"


def read_balance(status: int, body: bytes) -> int:
    """Whole shillings of ``{"UserData": {"balance": "KES 1785.50"}}``. Raises `SmsNotSent`.

    Source: Africa's Talking documentation, "Application data".
    """
    try:
        told = json.loads(body[:ANSWER_BYTES_MAX])["UserData"]["balance"]
    except (ValueError, KeyError, TypeError, RecursionError):
        told = None
    balance = cost_e4(told)
    if balance is None:
        raise SmsNotSent(f"balance_{status}")
    return balance // E4
