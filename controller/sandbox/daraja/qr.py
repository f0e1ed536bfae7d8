"""A door of Daraja, Dynamic QR: a picture that fills in the payer's menu."""

from __future__ import annotations

import base64
import io
import secrets
from typing import TYPE_CHECKING, Any

import segno
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja.book import EAT
from controller.sandbox.daraja.gate import ANY_METHOD, enveloped
from controller.sandbox.daraja.requests import AMOUNT_MAX, as_text, invalid

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.daraja.gate import Gate
    from controller.sandbox.daraja.network import Network
    from controller.sandbox.daraja.paybill import PayBill

BORDER_MODULES = 4
SIZE_MAX = 1_000
_TEXT_CHARS_MAX = 40
_KINDS = ("BG", "WA", "PB", "SM", "SB")


class QrDoor:
    """Pictures for one `PayBill`."""

    def __init__(self, network: Network, gate: Gate, paybill: PayBill) -> None:
        self._network = network
        self._gate = gate
        self._paybill = paybill
        self._made = 0

    def routes(self) -> list[Route]:
        """Where the door is."""
        return [Route("/mpesa/qrcode/v1/generate", enveloped(self.generate), methods=ANY_METHOD)]

    async def generate(self, request: Request) -> Response:
        """A PNG as base64. The code of a success is "00", or a conversation's name as often."""
        fields = await self._gate.admitted(request)
        text, size = self._read(fields)
        self._made += 1
        day = self._network.now().astimezone(EAT).strftime("%Y%m%d")
        return JSONResponse(
            {
                "ResponseCode": "00" if self._made % 2 else f"AG_{day}_{secrets.token_hex(10)}",
                "RequestID": secrets.token_hex(10),
                "ResponseDescription": "QR Code Successfully Generated.",
                "QRCode": base64.b64encode(picture(text, size)).decode(),
            }
        )

    def _read(self, fields: dict[str, Any]) -> tuple[str, int]:
        told = []
        for name in ("MerchantName", "RefNo"):
            text = as_text(fields, name)
            if not 1 <= len(text) <= _TEXT_CHARS_MAX:
                raise invalid(name)
            told.append(text)
        amount, size = as_text(fields, "Amount"), as_text(fields, "Size")
        if not amount.isascii() or not amount.isdigit() or not 1 <= int(amount[:9]) <= AMOUNT_MAX:
            raise invalid("Amount")
        kind, place = fields.get("TrxCode"), as_text(fields, "CPI")
        if kind not in _KINDS:
            raise invalid("TrxCode")
        if place not in self._paybill.places():
            raise invalid("CPI")
        if not size.isascii() or not size.isdigit() or not 1 <= int(size[:9]) <= SIZE_MAX:
            raise invalid("Size")
        return "|".join([str(kind), place, told[1], amount, told[0]]), int(size)


def picture(text: str, size: int) -> bytes:
    """A PNG of about ``size`` pixels."""
    code = segno.make(text, error="m", micro=False)
    width, _ = code.symbol_size(border=BORDER_MODULES)
    out = io.BytesIO()
    code.save(out, kind="png", border=BORDER_MODULES, scale=max(1, size // int(width)))
    return out.getvalue()
