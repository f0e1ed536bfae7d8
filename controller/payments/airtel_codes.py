"""What Airtel Money's codes and statuses mean to us. PURE.

Official pages for Kenya are not public. The table holds what at least two of four integrators'
tables agree on; where readings differ the cautious one stands: nothing is decided. A status
(``TS`` …) goes before a code, and a code that is not here decides nothing.
"""

from __future__ import annotations

from billing.payment import Evidence, Reason
from controller.payments.codes import Meaning, Retry

_TABLES = "Airtel integrators' tables"
_PORTAL = "Airtel portal text for other countries"


def _no(text: str, reason: Reason, retry: Retry, source: str = _TABLES) -> Meaning:
    return Meaning(text, Evidence.REFUSED, reason, retry, source)


def _open(text: str, retry: Retry, source: str = _TABLES) -> Meaning:
    return Meaning(text, Evidence.STILL_OPEN, None, retry, source)


_R = Reason
_AT_THE_GATE = _no(
    "turned away at the gateway (credentials, country, product or rate)", _R.OUR_SIDE, Retry.CONFIG
)

STATUSES: dict[str, Meaning] = {
    "TS": Meaning("paid", Evidence.PAID, None, Retry.NOTHING, _PORTAL),
    "TF": _no("failed", _R.ACCOUNT, Retry.NEW_PUSH, _PORTAL),
    "TE": _no("expired; may still turn out paid", _R.NO_REPLY, Retry.NEW_PUSH, _PORTAL),
    "TA": _open("ambiguous: ask again, then by hand", Retry.KEEP_ASKING, _PORTAL),
    "TIP": _open("in progress", Retry.KEEP_ASKING, _PORTAL),
}
"""By the letters of an enquiry or a callback."""

CODES: dict[str, Meaning] = {
    "DP00800001000": _open("ambiguous, still being processed", Retry.KEEP_ASKING),
    "DP00800001001": Meaning("success", Evidence.PAID, None, Retry.NOTHING, _TABLES),
    "DP00800001002": _no("wrong PIN", _R.WRONG_PIN, Retry.NEW_PUSH),
    "DP00800001003": _no("above a limit of count or amount", _R.LIMIT, Retry.NEW_PUSH),
    "DP00800001004": _no("an amount that cannot be", _R.LIMIT, Retry.CONFIG),
    "DP00800001005": _no("no PIN was typed, or a wrong id", _R.NO_REPLY, Retry.NEW_PUSH),
    "DP00800001006": _open("in process", Retry.KEEP_ASKING),
    "DP00800001007": _no("balance too small", _R.NO_BALANCE, Retry.NEW_PUSH),
    "DP00800001008": _no("refused", _R.CANCELLED, Retry.NEW_PUSH),
    "DP00800001009": _no("do not honour", _R.ACCOUNT, Retry.NEW_PUSH),
    "DP00800001010": _no("not permitted to this payee", _R.OUR_SIDE, Retry.CONFIG),
    "DP00800001024": _open("timed out: ask", Retry.KEEP_ASKING),
    "DP00800001025": _open("not found (yet)", Retry.KEEP_ASKING),
    "DP00800001026": _no("signature and body do not match", _R.OUR_SIDE, Retry.CONFIG, _PORTAL),
    "DP00800001029": _no("expired", _R.NO_REPLY, Retry.NEW_PUSH),
    "ESB000008": _no("a field is wrong", _R.OUR_SIDE, Retry.CONFIG),
    "ESB000010": _open("taken", Retry.KEEP_ASKING),
    "ESB000033": _no("a phone number of the wrong length", _R.ACCOUNT, Retry.CONFIG),
    "ESB000036": _no("a phone number of the wrong form", _R.ACCOUNT, Retry.CONFIG),
    "ESB000039": _no("not set up for this country", _R.OUR_SIDE, Retry.CONFIG),
    "ESB000041": _open("our id was taken before: ask what became of it", Retry.KEEP_ASKING),
    "ESB000045": _open("not found (yet)", Retry.KEEP_ASKING),
    **{
        f"ROUTER{number}": _AT_THE_GATE
        for number in ("001", "003", "005", "006", "007", "112", *(str(n) for n in range(114, 118)))
    },
    "ROUTER119": _AT_THE_GATE,
}
"""By ``response_code``, or by ``result_code`` where there is no other."""

_UNKNOWN = _open("a code that we do not know", Retry.UNKNOWN, "not in any table")


def meaning(code: str) -> Meaning:
    """What a code says; an unknown one says that nothing is decided."""
    return CODES.get(code, _UNKNOWN)


def status_meaning(status: str) -> Meaning:
    """What the letters of an enquiry or a callback say; unknown ones decide nothing."""
    return STATUSES.get(status, _UNKNOWN)
