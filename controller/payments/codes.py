"""What M-PESA's result codes mean to us. PURE.

The same code says one thing after a prompt to a payer and another after a request of our API user
(an *initiator*: reversal, payout, status, balance), so there are two tables. Codes are compared as
text, never by their description, which differs by channel and over time. A code that is not in the
table is *unknown*: the payment stays open, staff are told, nobody calls it failed. Meanings are
from the Daraja portal where it prints them, else from several integrators who agree; the last
column of the table names which.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from billing.payment import Evidence, Reason

CODE_CHARS_MAX = 32
PAID_CODE = "0"


class Retry(StrEnum):
    """What may be done after a code."""

    NOTHING = "nothing"  # it is over
    NEW_PUSH = "new_push"  # the payer may ask again
    WAIT = "wait"  # the same push may be asked again after a while
    KEEP_ASKING = "keep_asking"  # still open: query again
    CONFIG = "config"  # repeating is useless until staff change something
    UNKNOWN = "unknown"  # reconcile, and tell staff


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one code says. ``text`` is for staff; customers are told `reason` in their language."""

    text: str
    evidence: Evidence
    reason: Reason | None
    retry: Retry
    source: str


_PORTAL = "Daraja portal"
_FIELD = "integrators' tables"
_BOTH = "Daraja portal and integrators"


def _no(text: str, reason: Reason, retry: Retry, source: str) -> Meaning:
    return Meaning(text, Evidence.REFUSED, reason, retry, source)


def _open(text: str, retry: Retry, source: str) -> Meaning:
    return Meaning(text, Evidence.STILL_OPEN, None, retry, source)


_R = Reason
_WRONG_API_USER = _no(
    "our credential is wrong or not permitted", _R.OUR_SIDE, Retry.CONFIG, _PORTAL
)
_WRONG_REQUEST = _no("our request lacks or garbles a field", _R.OUR_SIDE, Retry.CONFIG, _PORTAL)
_OVERLOAD = _no("overloaded, or we ask too fast", _R.PROVIDER_SLOW, Retry.WAIT, _PORTAL)
_TOO_LONG = _no("the prompt's text is too long", _R.OUR_SIDE, Retry.CONFIG, _FIELD)

CODES: dict[str, Meaning] = {
    PAID_CODE: Meaning("paid", Evidence.PAID, None, Retry.NOTHING, _BOTH),
    "1": _no("balance too small", _R.NO_BALANCE, Retry.NEW_PUSH, _BOTH),
    "2": _no("below the smallest amount", _R.LIMIT, Retry.CONFIG, _PORTAL),
    "3": _no("above the largest amount", _R.LIMIT, Retry.CONFIG, _PORTAL),
    "4": _no("above the payer's daily limit", _R.LIMIT, Retry.NEW_PUSH, _PORTAL),
    "8": _no("our shortcode may not hold more", _R.OUR_SIDE, Retry.CONFIG, _PORTAL),
    "11": _no("payer's account in a wrong state", _R.ACCOUNT, Retry.NEW_PUSH, _BOTH),
    "15": _open("a duplicate of another request", Retry.KEEP_ASKING, _BOTH),
    "17": _no(
        "same amount and payer within 2 minutes, or an inner failure",
        _R.PROVIDER_SLOW,
        Retry.WAIT,
        "sources conflict; both readings say wait 2 minutes",
    ),
    "18": _WRONG_API_USER,
    "20": _WRONG_API_USER,
    "21": _WRONG_API_USER,
    "22": _WRONG_API_USER,
    "24": _WRONG_REQUEST,
    "25": _WRONG_REQUEST,
    "26": _no("traffic blocked, too busy", _R.PROVIDER_SLOW, Retry.WAIT, _BOTH),
    "29": _WRONG_REQUEST,
    "1001": _no("the payer's line is busy with another", _R.LINE_BUSY, Retry.WAIT, _BOTH),
    "1019": _no("the request expired", _R.NO_REPLY, Retry.NEW_PUSH, _BOTH),
    "1025": _no("the prompt could not be sent", _R.PROVIDER_SLOW, Retry.WAIT, _BOTH),
    "1031": _no("cancelled by the payer (older code)", _R.CANCELLED, Retry.NEW_PUSH, _FIELD),
    "1032": _no("cancelled by the payer", _R.CANCELLED, Retry.NEW_PUSH, _BOTH),
    "1036": _no("the phone did not confirm the prompt", _R.NO_REPLY, Retry.WAIT, _FIELD),
    "1037": _no("phone not reached or no reply", _R.NO_REPLY, Retry.NEW_PUSH, _BOTH),
    "1101": _TOO_LONG,
    "1102": _TOO_LONG,
    "2001": _no("wrong PIN", _R.WRONG_PIN, Retry.NEW_PUSH, _PORTAL),
    "2006": _no("the account's status forbids it", _R.ACCOUNT, Retry.CONFIG, _BOTH),
    "2008": _open("authentication failed; whose is not said", Retry.UNKNOWN, _FIELD),
    "2026": _no("the payer's session ran out", _R.NO_REPLY, Retry.NEW_PUSH, _FIELD),
    "2028": _no("wrong transaction type or receiver", _R.OUR_SIDE, Retry.CONFIG, _PORTAL),
    "2029": _no("a party is restricted", _R.ACCOUNT, Retry.CONFIG, _FIELD),
    "2040": _no("a party of an unsupported kind", _R.ACCOUNT, Retry.CONFIG, _PORTAL),
    "4999": _open("still being processed", Retry.KEEP_ASKING, _FIELD),
    "8006": _no("the payer's PIN is locked", _R.ACCOUNT, Retry.CONFIG, _PORTAL),
    "9999": _no("the prompt could not be sent", _R.PROVIDER_SLOW, Retry.WAIT, _FIELD),
    "SFC_IC0003": _no("no such receiver", _R.OUR_SIDE, Retry.CONFIG, _PORTAL),
    "100000001": _OVERLOAD,
    "100000002": _OVERLOAD,
    "100000011": _OVERLOAD,
}

_NO_FUNDS = _no("our shortcode has too little to pay from", _R.OUR_SIDE, Retry.CONFIG, _PORTAL)
_API_USER = _no("our API user is wrong, or may not do this", _R.OUR_SIDE, Retry.CONFIG, _PORTAL)
_LOCKED = _no("our API user's password is locked", _R.OUR_SIDE, Retry.CONFIG, _PORTAL)
_STATUS = _no("the account's status forbids it", _R.ACCOUNT, Retry.CONFIG, _PORTAL)

INITIATOR_CODES: dict[str, Meaning] = {
    PAID_CODE: Meaning("done", Evidence.PAID, None, Retry.NOTHING, _PORTAL),
    "R000001": Meaning("already reversed, so done", Evidence.PAID, None, Retry.NOTHING, _PORTAL),
    "R000002": _no("no such payment to reverse", _R.OUR_SIDE, Retry.CONFIG, _PORTAL),
    "1": _NO_FUNDS,
    "2": _no("below the smallest amount", _R.LIMIT, Retry.CONFIG, _PORTAL),
    "3": _no("above the largest amount", _R.LIMIT, Retry.CONFIG, _PORTAL),
    "4": _no("above the daily limit", _R.LIMIT, Retry.WAIT, _PORTAL),
    "8": _no("the receiver may not hold more", _R.LIMIT, Retry.WAIT, _PORTAL),
    "11": _no("a party's account in a wrong state", _R.ACCOUNT, Retry.CONFIG, _PORTAL),
    "15": _open("a duplicate of another request", Retry.KEEP_ASKING, _BOTH),
    "17": _open("an inner failure: nobody says of what", Retry.UNKNOWN, "sources conflict"),
    "18": _API_USER,
    "20": _API_USER,
    "21": _API_USER,
    "22": _API_USER,
    "24": _WRONG_REQUEST,
    "25": _WRONG_REQUEST,
    "26": _no("traffic blocked, too busy", _R.PROVIDER_SLOW, Retry.WAIT, _BOTH),
    "29": _WRONG_REQUEST,
    "2001": _API_USER,
    "2006": _STATUS,
    "2008": _open("authentication failed; whose is not said", Retry.UNKNOWN, _FIELD),
    "2028": _no("our shortcode's product does not allow it", _R.OUR_SIDE, Retry.CONFIG, _PORTAL),
    "2029": _no("a party is restricted", _R.ACCOUNT, Retry.CONFIG, _FIELD),
    "2040": _no("the receiver is not a registered customer", _R.ACCOUNT, Retry.CONFIG, _PORTAL),
    "8006": _LOCKED,
    "SFC_IC0003": _no("no such receiver", _R.ACCOUNT, Retry.CONFIG, _PORTAL),
    "100000001": _OVERLOAD,
    "100000002": _OVERLOAD,
    "100000011": _OVERLOAD,
}
"""After reversals, payouts (B2C), questions after a transaction's status and the balance."""

_UNKNOWN = _open("a code that we do not know", Retry.UNKNOWN, "not in any table")


def meaning(code: str) -> Meaning:
    """What ``code`` (in normal form) says; an unknown one says that nothing is decided."""
    return CODES.get(code, _UNKNOWN)


def initiator_meaning(code: str) -> Meaning:
    """What ``code`` says after a request of our API user."""
    return INITIATOR_CODES.get(code, _UNKNOWN)


def normal_code(raw: object) -> str | None:
    """The normal form of a code as it stands in JSON, or None when there is no code.

    ``0``, ``"0"``, ``" 0 "``, ``"00"`` and ``0.0`` are the same code. None, an empty text, a truth
    value, a list or an object are *no code*, and must never be taken for zero: that mistake has
    given away internet elsewhere.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        return None
    text = str(raw).strip().upper()
    if not text or len(text) > CODE_CHARS_MAX or not text.isascii() or not text.isprintable():
        return None
    whole, _, fraction = text.partition(".")
    if whole.isdigit() and not fraction.strip("0"):
        return whole.lstrip("0") or "0"
    return text
