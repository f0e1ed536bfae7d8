"""Two doors of Daraja, C2B: register addresses, simulate a payment."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja import c2b_bodies
from controller.sandbox.daraja.gate import ANY_METHOD, enveloped
from controller.sandbox.daraja.paybill import AlreadyRegistered, Urls, Wanted
from controller.sandbox.daraja.requests import (
    AMOUNT_MAX,
    Refused,
    as_text,
    invalid,
    is_msisdn,
    may_call_back,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.daraja.gate import Gate
    from controller.sandbox.daraja.network import Network
    from controller.sandbox.daraja.paybill import PayBill

_COMMANDS = ("CustomerPayBillOnline", "CustomerBuyGoodsOnline")
_MISMATCH = "Error Occurred - Invalid Access Token - Invalid API call as no apiproduct match found"


class C2bDoors:
    """Register and simulate over one `PayBill`."""

    def __init__(self, network: Network, gate: Gate, paybill: PayBill) -> None:
        self._network = network
        self._gate = gate
        self._paybill = paybill

    def routes(self) -> list[Route]:
        """Where the doors are; the version must be the one that the key is enabled for."""
        return [
            Route(f"/mpesa/c2b/{{version}}/{name}", enveloped(door), methods=ANY_METHOD)
            for name, door in (("registerurl", self.register), ("simulate", self.simulate))
        ]

    async def register(self, request: Request) -> Response:
        """Take the merchant's addresses."""
        fields = await self._admitted(request)
        urls = read_urls(fields, self._paybill.places())
        if self._network.faults.urls_taken:
            raise _already()
        try:
            self._paybill.register(urls)
        except AlreadyRegistered as again:
            raise _already() from again
        return JSONResponse(c2b_bodies.acknowledged(_conversation(), "Success"))

    async def simulate(self, request: Request) -> Response:
        """Pay as a payer would; not on a production network."""
        if self._network.settings.production:
            raise Refused(404, "404.001.01", "Resource not found")
        wanted = read_simulated(await self._admitted(request), self._paybill.places())
        self._paybill.pay_soon(wanted)
        words = "Accept the service request successfully."
        return JSONResponse(c2b_bodies.acknowledged(_conversation(), words))

    async def _admitted(self, request: Request) -> dict[str, Any]:
        fields = await self._gate.admitted(
            request, dead=lambda _token: Refused(400, "400.003.01", "Invalid Access Token")
        )
        if request.path_params["version"] != self._network.settings.c2b_version:
            raise Refused(401, "401.003.01", _MISMATCH)
        return fields


def read_urls(fields: dict[str, Any], places: tuple[str, ...]) -> Urls:
    """The addresses in ``fields``. Raises `Refused` for the first field that cannot be."""
    shortcode = as_text(fields, "ShortCode")
    if shortcode not in places:
        raise invalid("ShortCode")
    kind = fields.get("ResponseType")
    if kind not in ("Completed", "Cancelled"):
        raise invalid("ResponseType")
    for name in ("ConfirmationURL", "ValidationURL"):
        url = fields.get(name)
        if not isinstance(url, str) or not may_call_back(url):
            raise invalid(name)
    return Urls(
        shortcode=shortcode,
        confirm_url=fields["ConfirmationURL"],
        validate_url=fields["ValidationURL"],
        completes=kind == "Completed",
    )


def read_simulated(fields: dict[str, Any], places: tuple[str, ...]) -> Wanted:
    """The payment in ``fields``. Raises `Refused` for the first field that cannot be."""
    shortcode = as_text(fields, "ShortCode")
    if shortcode not in places:
        raise invalid("ShortCode")
    command = fields.get("CommandID")
    if command not in _COMMANDS:
        raise invalid("CommandID")
    amount = as_text(fields, "Amount")
    if not amount.isascii() or not amount.isdigit() or not 1 <= int(amount[:9]) <= AMOUNT_MAX:
        raise invalid("Amount")
    msisdn = as_text(fields, "Msisdn")
    if not is_msisdn(msisdn):
        raise invalid("Msisdn")
    account = fields.get("BillRefNumber")
    if command == _COMMANDS[1]:
        account = account or ""
    if not isinstance(account, str) or len(account) > c2b_bodies.REFERENCE_CHARS_MAX:
        raise invalid("BillRefNumber")
    return Wanted(msisdn=msisdn, shillings=int(amount), account=account, place=shortcode)


def _already() -> Refused:
    return Refused(500, "500.003.1001", "Urls are already registered.")


def _conversation() -> str:
    return f"{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(12)}"
