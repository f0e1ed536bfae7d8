"""A QR code that the M-PESA app reads: shop, account and amount filled in. PURE.

What is paid by it comes as any payment from the payer's menu. Source: Daraja 3.0 documentation,
Dynamic QR.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from billing.money import whole_units
from controller.payments.codes import normal_code
from controller.payments.gateway import ProviderError
from controller.payments.mpesa_wire import account_reference, answer_in

if TYPE_CHECKING:
    from billing.money import Money
    from controller.payments.mpesa_settings import MpesaSettings

QR_PATH = "/mpesa/qrcode/v1/generate"
SIDE_PX = 300
IMAGE_BYTES_MAX = 1_048_576
_PNG = b"\x89PNG\r\n\x1a\n"


def qr_body(settings: MpesaSettings, *, reference: str, amount: Money) -> dict[str, str | int]:
    """The body that asks for a code."""
    shillings = whole_units(amount)
    assert shillings is not None, "M-PESA moves whole shillings"
    return {
        "MerchantName": settings.merchant_name,
        "RefNo": account_reference(reference),
        "Amount": shillings,
        "TrxCode": "PB" if settings.till is None else "BG",
        "CPI": settings.party_b,
        "Size": str(SIDE_PX),
    }


def read_qr(status: int, body: bytes) -> bytes:
    """The image (PNG). Raises `ProviderError`."""
    fields = answer_in(status, body, bytes_max=IMAGE_BYTES_MAX)
    try:
        image = base64.b64decode(str(fields.get("QRCode") or ""), validate=True)
    except (binascii.Error, ValueError):
        image = b""
    if not image.startswith(_PNG):
        code = normal_code(fields.get("ResponseCode"))
        raise ProviderError(code or "unreadable", again=False)
    return image
