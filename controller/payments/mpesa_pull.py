"""Pull Transactions: a list of what came to our shortcode, for what nobody told us of. PURE.

It reaches back 48 hours, in pages. Integrators report that ``trxDate`` is Nairobi's time although
it ends in Z; nothing but order depends on it. Source: Daraja 3.0 documentation, Pull Transaction;
shapes that only integrators have seen are marked so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from controller.payments.codes import normal_code
from controller.payments.gateway import CallbackUnreadable, ProviderError
from controller.payments.mpesa_c2b import PAYER_CHARS_MAX, REFERENCE_CHARS_MAX
from controller.payments.mpesa_fields import a_receipt, a_text, an_amount
from controller.payments.mpesa_wire import (
    EAT,
    answer_in,
    fields_in,
    parse_json,
    raise_trouble,
    read_trouble,
)
from controller.payments.seen import Road, Seen

if TYPE_CHECKING:
    from controller.payments.mpesa_settings import MpesaSettings

PULL_PATH = "/pulltransactions/v1/query"
REGISTER_PATH = "/pulltransactions/v1/register"
WINDOW = timedelta(hours=48)
PAGE_BYTES_MAX = 4_194_304

_DONE = "1000"
_NOTHING = "1001"
_NONE_FOUND = re.compile(r"no(ne)? (transactions? |records? )?(were )?found", re.IGNORECASE)
_METHOD_CODES = frozenset({"405.001", "404.001.04", "http-405"})


@dataclass(frozen=True, slots=True)
class Page:
    """One page: ``rows`` stood in it, of which those in ``seen`` are money that we can read."""

    rows: int
    seen: tuple[Seen, ...]


NO_PAGE = Page(0, ())


def pull_body(
    settings: MpesaSettings, since: datetime, until: datetime, *, offset: int
) -> dict[str, str | int]:
    """The body that asks for rows from number ``offset`` on."""
    return {
        "ShortCode": settings.shortcode,
        "StartDate": _written(since),
        "EndDate": _written(until),
        "OffSetValue": str(offset),
    }


def register_pull_body(
    settings: MpesaSettings, *, nominated: str, callback_url: str
) -> dict[str, str | int]:
    """The body that allows us to pull. ``nominated`` is the number in the shortcode's papers."""
    return {
        "ShortCode": settings.shortcode,
        "RequestType": "Pull",
        "NominatedNumber": nominated,
        "CallBackURL": callback_url,
    }


def read_pull_registered(status: int, body: bytes) -> bool:
    """Whether it was registered now (False: before). Raises `ProviderError`."""
    code = normal_code(answer_in(status, body).get("ResponseStatus"))
    if code not in (_DONE, _NOTHING):
        raise ProviderError(code or "unreadable", again=False)
    return code == _DONE


def wants_get(error: ProviderError) -> bool:
    """Whether Daraja refused the method: its documentation says GET, its users POST."""
    return error.code in _METHOD_CODES


def read_page(status: int, body: bytes, *, place: str) -> Page:
    """What a page holds. Raises `ProviderError`.

    Rows that are no payment to us, or that cannot be read, count in ``rows`` only.
    """
    trouble = read_trouble(status, body)
    if trouble is not None:
        if trouble.code.startswith(("500", "404")) and _NONE_FOUND.search(trouble.text):
            return NO_PAGE
        raise_trouble(trouble)
    fields = fields_in(body, bytes_max=PAGE_BYTES_MAX)
    code = normal_code(fields.get("ResponseCode"))
    if code == _NOTHING:
        return NO_PAGE
    listed = _flat(fields.get("Response"))
    # The sandbox leaves codes away where it says RequestID for ResponseRefID (integrators).
    if code not in (_DONE, "0", None) or listed is None:
        raise ProviderError(code if code not in (None, _DONE) else "unreadable", again=False)
    seen = (_seen(row, place) for row in listed)
    return Page(len(listed), tuple(s for s in seen if s is not None))


def _flat(told: object) -> list[Any] | None:
    """The rows of ``[[…]]``, ``[…]``, or of either as text; None for anything else."""
    if isinstance(told, str):
        try:
            told = parse_json(told.encode())
        except ValueError:
            return None
    if not isinstance(told, list):
        return None
    rows = list[Any]()
    for item in told:
        rows.extend(item if isinstance(item, list) else [item])
    return rows


def _seen(row: object, place: str) -> Seen | None:
    if not isinstance(row, dict):
        return None
    kind = a_text(row.get("transactiontype"), REFERENCE_CHARS_MAX)
    if kind and not kind.lower().startswith("c2b"):
        return None
    try:
        return Seen(
            rail="mpesa",
            receipt=a_receipt(row.get("transactionId"), "transactionId"),
            amount=an_amount(row.get("amount"), "amount"),
            place=place,
            road=Road.PULL,
            at=_moment(row.get("trxDate")),
            reference=a_text(row.get("billreference"), REFERENCE_CHARS_MAX),
            payer=a_text(row.get("msisdn"), PAYER_CHARS_MAX),
            note=kind,
        )
    except CallbackUnreadable:
        return None


def _moment(raw: object) -> datetime | None:
    if not isinstance(raw, str):
        return None
    try:
        told = datetime.fromisoformat(raw.strip().removesuffix("Z"))
        return (told if told.tzinfo else told.replace(tzinfo=EAT)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _written(moment: datetime) -> str:
    return moment.astimezone(EAT).strftime("%Y-%m-%d %H:%M:%S")
