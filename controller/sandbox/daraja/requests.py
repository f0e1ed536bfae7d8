"""What Daraja checks in a request, in which order, and in which words it refuses. PURE.

Source: the error tables of the Daraja portal. What the portal leaves open is decided strictly, so
that the product is held to the narrow reading.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from controller.sandbox.daraja.settings import SimSettings

AMOUNT_MAX = 250_000
ACCOUNT_CHARS_MAX = 12
DESCRIPTION_CHARS_MAX = 13
PROMPT_CHARS_MAX = 182
BODY_BYTES_MAX = 65_536
URL_CHARS_MAX = 500
_REFUSED_WORDS = ("mpesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
_MSISDN = re.compile(r"254[17][0-9]{8}")
_SHORTCODE = re.compile(r"[0-9]{5,7}")
_STAMP = re.compile(r"[0-9]{14}")
_LOOPBACK_NAMES = ("localhost",)


class Refused(Exception):  # noqa: N818 - a refusal, see style
    """Daraja's envelope of an error: HTTP status, errorCode, errorMessage."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Asked:
    """A push that passed all checks. ``wrong_receiver`` is found out later, by the core.

    ``words`` are what the phone asks for a standing order; a push for money has its own.
    """

    msisdn: str
    shillings: int
    account: str
    description: str
    callback_url: str
    wrong_receiver: bool
    words: str = ""

    @property
    def prompt_arrives(self) -> bool:
        """Whether the phone ever shows it: too long a reference is taken and then lost."""
        fits = len(self.account) <= ACCOUNT_CHARS_MAX
        return fits and len(self.description) <= DESCRIPTION_CHARS_MAX


def invalid(name: str) -> Refused:
    """The refusal that names a field."""
    return Refused(400, "400.002.02", f"Bad Request - Invalid {name}")


def invalid_token() -> Refused:
    """What M-PESA Express says to a dead token."""
    return Refused(404, "404.001.03", "Invalid Access Token")


def read_body(content_type: str, body: bytes) -> dict[str, Any]:
    """The request's object. Raises `Refused`, misleadingly when the content type is not JSON."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise invalid("BusinessShortCode")
    try:
        parsed = json.loads(body[: BODY_BYTES_MAX + 1])
    except (ValueError, RecursionError) as error:
        raise Refused(400, "400.002.05", "Invalid Request Payload") from error
    if not isinstance(parsed, dict) or len(body) > BODY_BYTES_MAX:
        raise Refused(400, "400.002.05", "Invalid Request Payload")
    return parsed


def check_signature(fields: dict[str, Any], settings: SimSettings) -> None:
    """Shortcode, timestamp and password. Raises `Refused`."""
    shortcode = as_text(fields, "BusinessShortCode")
    timestamp = fields.get("Timestamp")
    if not _SHORTCODE.fullmatch(shortcode):
        raise invalid("BusinessShortCode")
    if not isinstance(timestamp, str) or not _is_moment(timestamp):
        raise invalid("Timestamp")
    if shortcode != settings.shortcode:
        raise Refused(500, "500.001.1001", "Merchant does not exist")
    made = base64.b64encode(f"{shortcode}{settings.passkey}{timestamp}".encode()).decode()
    if fields.get("Password") != made:
        raise Refused(500, "500.001.1001", "Wrong credentials")


def read_push(fields: dict[str, Any], settings: SimSettings) -> Asked:
    """The push in ``fields``. Raises `Refused` for the first field that cannot be."""
    check_signature(fields, settings)
    kind = fields.get("TransactionType")
    if kind not in ("CustomerPayBillOnline", "CustomerBuyGoodsOnline"):
        raise invalid("TransactionType")
    amount = as_text(fields, "Amount")
    if not amount.isascii() or not amount.isdigit() or not 1 <= int(amount[:9]) <= AMOUNT_MAX:
        raise invalid("Amount")
    for name in ("PartyA", "PhoneNumber"):
        if not _MSISDN.fullmatch(as_text(fields, name)):
            raise invalid(name)
    receiver = as_text(fields, "PartyB")
    if not _SHORTCODE.fullmatch(receiver):
        raise invalid("PartyB")
    callback_url = fields.get("CallBackURL")
    if not isinstance(callback_url, str) or not may_call_back(callback_url):
        raise invalid("CallBackURL")
    account, description = fields.get("AccountReference"), fields.get("TransactionDesc") or ""
    if not isinstance(account, str) or not (account.isascii() and account.isalnum()):
        raise invalid("AccountReference")
    if not isinstance(description, str):
        raise invalid("TransactionDesc")
    return Asked(
        msisdn=as_text(fields, "PhoneNumber"),
        shillings=int(amount),
        account=account,
        description=description,
        callback_url=callback_url,
        wrong_receiver=kind != settings.transaction_type or receiver != settings.party_b,
    )


def may_call_back(url: str) -> bool:
    """Whether callbacks may go there: Daraja's word list, and only this machine's loopback."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port_ok = parts.port != 0
    except ValueError:
        return False
    words_ok = not any(word in url.partition("://")[2].lower() for word in _REFUSED_WORDS)
    shape_ok = parts.scheme in ("http", "https") and len(url) <= URL_CHARS_MAX and url.isascii()
    return words_ok and shape_ok and port_ok and _is_loopback(host)


def is_msisdn(text: str) -> bool:
    """Whether this is a Kenyan mobile number with 254 before it."""
    return bool(_MSISDN.fullmatch(text))


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def as_text(fields: dict[str, Any], name: str) -> str:
    """A field's text. Raises `Refused`.

    Numbers and texts are both taken, as Daraja's own samples disagree.
    """
    value = fields.get(name)
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise invalid(name)


def _is_moment(text: str) -> bool:
    try:
        return bool(_STAMP.fullmatch(text)) and datetime.strptime(text, "%Y%m%d%H%M%S").year > 0  # noqa: DTZ007 - only its shape is judged
    except ValueError:
        return False
