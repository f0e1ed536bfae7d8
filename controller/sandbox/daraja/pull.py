"""Two doors of Daraja, Pull Transactions: register once, then list what came of late."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.daraja.book import COLLECTED, EAT
from controller.sandbox.daraja.c2b_bodies import masked
from controller.sandbox.daraja.gate import ANY_METHOD, enveloped
from controller.sandbox.daraja.requests import (
    Refused,
    as_text,
    invalid,
    is_msisdn,
    may_call_back,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from controller.sandbox.daraja.book import Settled
    from controller.sandbox.daraja.gate import Gate
    from controller.sandbox.daraja.network import Network
    from controller.sandbox.daraja.paybill import PayBill

PAGE_ROWS = 100
WINDOW_HOURS = 48
MISSING_EVERY = 3
"""With the fault on, every third payment is never listed."""
_OFFSET_DIGITS_MAX = 9
_FORMAT = "%Y-%m-%d %H:%M:%S"
_DONE, _KNOWN_OR_NONE = "1000", "1001"


@dataclass(frozen=True, slots=True)
class Listing:
    """What is asked for: from when until when, beginning with which row."""

    shortcode: str
    since: datetime
    until: datetime
    offset: int


class PullDoors:
    """Register and query over one `Network`."""

    def __init__(self, network: Network, gate: Gate, paybill: PayBill) -> None:
        self._network = network
        self._gate = gate
        self._paybill = paybill
        self._registered = set(paybill.urls)  # who told its addresses before, may pull as well

    def routes(self) -> list[Route]:
        """Where the doors are."""
        return [
            Route("/pulltransactions/v1/register", enveloped(self.register), methods=ANY_METHOD),
            Route("/pulltransactions/v1/query", enveloped(self.query), methods=ANY_METHOD),
        ]

    async def register(self, request: Request) -> Response:
        """Enable a shortcode, once; a second time is told and harmless."""
        fields = await self._gate.admitted(request, dead=_dead)
        shortcode = self._shortcode(fields)
        if fields.get("RequestType") != "Pull":
            raise invalid("RequestType")
        if not _is_phone(as_text(fields, "NominatedNumber")):
            raise invalid("NominatedNumber")
        url = fields.get("CallBackURL")
        if not isinstance(url, str) or not may_call_back(url):
            raise invalid("CallBackURL")
        again = shortcode in self._registered
        self._registered.add(shortcode)
        return JSONResponse(
            {
                "ResponseRefID": str(uuid.uuid4()),
                "ResponseStatus": _KNOWN_OR_NONE if again else _DONE,
                "ShortCode": shortcode,
                "ResponseDescription": "Shortcode already Registered"
                if again
                else "Shortcode Registered Successfully",
            }
        )

    async def query(self, request: Request) -> Response:
        """One page of what came in a window of the last 48 hours."""
        faults = self._network.faults
        methods = ("GET",) if faults.pull_only_get else ("POST", "GET")
        fields = await self._gate.admitted(request, dead=_dead, methods=methods)
        asked = read_listing(fields, self._shortcode(fields))
        if asked.shortcode not in self._registered:
            raise Refused(400, "400.001", "ShortCode not registered")
        rows = self._rows(asked)
        named = "RequestID" if faults.pull_request_id else "ResponseRefID"
        if not rows:
            return JSONResponse(
                {
                    named: str(uuid.uuid4()),
                    "ResponseCode": _KNOWN_OR_NONE,
                    "ResponseMessage": "No transactions found",
                    "Response": "[[]]",
                }
            )
        return JSONResponse(
            {
                named: str(uuid.uuid4()),
                "ResponseCode": _DONE,
                "ResponseMessage": "Success",
                "Response": [rows],
            }
        )

    def _rows(self, asked: Listing) -> list[dict[str, Any]]:
        faults, now = self._network.faults, self._network.now()
        since = max(asked.since, now - timedelta(hours=WINDOW_HOURS))
        listed_by = now - timedelta(seconds=faults.pull_lag_s)
        came = [s for s in self._network.book.settled if s.kind in COLLECTED]
        if faults.pull_misses_rows:
            came = [s for n, s in enumerate(came, 1) if n % MISSING_EVERY]
        # The window is in whole seconds, as it is written.
        found = [
            (n, s)
            for n, s in enumerate(came)
            if since <= s.at.replace(microsecond=0) <= asked.until and s.at <= listed_by
        ]
        return [self._row(n, s) for n, s in found[asked.offset : asked.offset + PAGE_ROWS]]

    def _row(self, number: int, settled: Settled) -> dict[str, Any]:
        settings = self._network.settings
        whole = self._network.faults.payer_plain
        is_till = settled.place == settings.till
        return {
            "transactionId": settled.receipt,
            # The Z is Daraja's; the time is Nairobi's.
            "trxDate": settled.at.astimezone(EAT).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "msisdn": int(settled.msisdn) if whole else masked(settled.msisdn),
            "sender": "MPESA",
            "transactiontype": f"c2b-{'buy-goods' if is_till else 'pay-bill'}-debit",
            "billreference": settled.account,
            "amount": settled.shillings if number % 2 else f"{settled.shillings}.00",
            "organizationname": settings.business,
        }

    def _shortcode(self, fields: dict[str, Any]) -> str:
        shortcode = as_text(fields, "ShortCode")
        if shortcode not in self._paybill.places():
            raise Refused(400, "400.001", "Invalid ShortCode")
        return shortcode


def read_listing(fields: dict[str, Any], shortcode: str) -> Listing:
    """The window in ``fields``. Raises `Refused` for the first field that cannot be."""
    moments = []
    for name in ("StartDate", "EndDate"):
        try:
            naive = datetime.strptime(as_text(fields, name), _FORMAT)  # noqa: DTZ007 - EAT, below
        except ValueError as error:
            raise invalid(name) from error
        moments.append(naive.replace(tzinfo=EAT))
    offset = as_text(fields, "OffSetValue")
    digits = offset.isascii() and offset.isdigit() and len(offset) <= _OFFSET_DIGITS_MAX
    if not digits:
        raise invalid("OffSetValue")
    if moments[1] < moments[0]:
        raise invalid("EndDate")
    return Listing(shortcode, moments[0], moments[1], int(offset))


def _dead(_token: str) -> Refused:
    return Refused(401, "401.001", "Invalid Access Token")


def _is_phone(text: str) -> bool:
    return is_msisdn(f"254{text[1:]}" if text.startswith("0") else text)
