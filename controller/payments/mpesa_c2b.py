"""Money that comes to our PayBill or Till from the payer's own menu (C2B). PURE.

M-PESA asks us before it takes the money (validation, where it is switched on) and tells us after
(confirmation), in the same form. Neither is signed, and a lost one is not repeated. A payment that
we pushed is confirmed here too, with the same receipt and with the push's reference. Source: Daraja
3.0 documentation, Customer To Business and its register URL.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.payments.codes import PAID_CODE, normal_code
from controller.payments.gateway import ProviderError
from controller.payments.mpesa_fields import (
    a_moment,
    a_receipt,
    a_shortcode,
    a_text,
    an_amount,
    body_object,
)
from controller.payments.mpesa_wire import fields_in, raise_trouble, read_trouble
from controller.payments.seen import Road, Seen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from controller.payments.mpesa_settings import MpesaSettings

REFERENCE_CHARS_MAX = 64
PAYER_CHARS_MAX = 80
NAME_CHARS_MAX = 120
NOTE_CHARS_MAX = 60
CONFIRMED = {"ResultCode": 0, "ResultDesc": "Success"}
"""The only answer to a confirmation, whatever became of it here: store first."""

REGISTERED_CODE = "500.003.1001"


class C2bRefusal(StrEnum):
    """Why a payment is turned away before it is made; the payer is told little of it."""

    PAYER = "C2B00011"
    ACCOUNT = "C2B00012"
    AMOUNT = "C2B00013"
    PAPERS = "C2B00014"
    SHORTCODE = "C2B00015"
    OTHER = "C2B00016"


@dataclass(frozen=True, slots=True)
class Registered:
    """Our addresses are registered for a shortcode.

    ``is_new`` is False when some were before, and those may be others. ``elsewhere``: they stand
    with an aggregator of the old kind, and Safaricom must be asked to remove them.
    """

    is_new: bool
    elsewhere: bool = False


def read_confirmation(body: bytes) -> Seen:
    """The money that a confirmation, or a validation, tells of. Raises `CallbackUnreadable`.

    ``reference`` is what the payer typed, as typed; ``payer`` may be masked, hashed or whole.
    """
    told = body_object(body)
    return Seen(
        rail="mpesa",
        receipt=a_receipt(told.get("TransID"), "TransID"),
        amount=an_amount(told.get("TransAmount"), "TransAmount"),
        place=a_shortcode(told.get("BusinessShortCode"), "BusinessShortCode"),
        road=Road.CONFIRMATION,
        at=a_moment(told.get("TransTime")),
        reference=a_text(told.get("BillRefNumber"), REFERENCE_CHARS_MAX),
        payer=a_text(told.get("MSISDN"), PAYER_CHARS_MAX),
        payer_name=_name_in(told),
        note=a_text(told.get("TransactionType"), NOTE_CHARS_MAX),
    )


def validation_answer(refusal: C2bRefusal | None) -> dict[str, str]:
    """What to answer to a validation: take the money, or turn it away."""
    if refusal is None:
        return {"ResultCode": "0", "ResultDesc": "Accepted"}
    return {"ResultCode": refusal.value, "ResultDesc": "Rejected"}


def register_path(settings: MpesaSettings) -> str:
    """Where to register, in the version of the app's product."""
    return f"/mpesa/c2b/{settings.c2b_version}/registerurl"


def register_body(
    settings: MpesaSettings, *, confirm_url: str, validate_url: str
) -> dict[str, str | int]:
    """The body that registers our addresses.

    Where M-PESA cannot reach the validation in time it is to take the money: a payment that was
    turned away because our line was down is a customer without internet.
    """
    return {
        "ShortCode": settings.shortcode,
        "ResponseType": "Completed",
        "ConfirmationURL": confirm_url,
        "ValidationURL": validate_url,
    }


def read_registered(status: int, body: bytes) -> Registered:
    """What the answer to a registration says. Raises `ProviderError`.

    In production it is taken once; afterwards Daraja says that there is one already.
    """
    trouble = read_trouble(status, body)
    if trouble is not None:
        text = trouble.text.lower()
        if trouble.code == REGISTERED_CODE and "already registered" in text:
            return Registered(is_new=False)
        if trouble.code == REGISTERED_CODE and "duplicate notification" in text:
            return Registered(is_new=False, elsewhere=True)
        raise_trouble(trouble)
    code = normal_code(fields_in(body).get("ResponseCode"))
    if code != PAID_CODE:
        raise ProviderError(code or "unreadable", again=False)
    return Registered(is_new=True)


def _name_in(told: Mapping[str, Any]) -> str:
    parts = (a_text(told.get(f"{n}Name"), NAME_CHARS_MAX).strip() for n in _NAMES)
    return " ".join(part for part in parts if part)[:NAME_CHARS_MAX]


_NAMES = ("First", "Middle", "Last")
