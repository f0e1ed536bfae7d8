"""What Daraja does for a shortcode beside prompting: addresses, what came, status, balance, orders.

Nothing here moves our money out. Questions that Daraja answers later, at an address that we name,
return its names for them (`Acked`); ``mpesa_result`` reads what comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from controller.payments.gateway import AnswerLostError, GatewayError, ProviderError
from controller.payments.mpesa_c2b import read_registered, register_body, register_path
from controller.payments.mpesa_door import Ask, DarajaDoor
from controller.payments.mpesa_initiator import (
    BALANCE_PATH,
    STATUS_PATH,
    balance_body,
    read_ack,
    status_body,
)
from controller.payments.mpesa_pull import (
    PULL_PATH,
    REGISTER_PATH,
    WINDOW,
    pull_body,
    read_page,
    read_pull_registered,
    register_pull_body,
    wants_get,
)
from controller.payments.mpesa_qr import QR_PATH, qr_body, read_qr
from controller.payments.mpesa_ratiba import RATIBA_PATH, ratiba_body, read_ratiba_ack
from controller.payments.mpesa_wire import read_trouble

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import httpx2

    from billing.money import Money
    from controller.payments.bucket import Bucket
    from controller.payments.mpesa_c2b import Registered
    from controller.payments.mpesa_initiator import Acked
    from controller.payments.mpesa_pull import Page
    from controller.payments.mpesa_ratiba import StandingOrder
    from controller.payments.mpesa_settings import MpesaSettings
    from controller.payments.seen import Seen
    from controller.payments.tokens import TokenStore

PULL_TIMEOUT_S = 30.0
PULL_ROWS_MAX = 100_000

_log = structlog.get_logger(__name__)


class MpesaAccount:
    """One shortcode at Daraja. Every method raises `GatewayError`.

    See `DarajaDoor` for what is shared with whom, and for `InvalidField`.
    """

    rail: str = "mpesa"

    def __init__(
        self,
        settings: MpesaSettings,
        *,
        http: httpx2.AsyncClient,
        tokens: TokenStore,
        bucket: Bucket | None = None,
    ) -> None:
        self._settings = settings
        self.place, self.places = settings.party_b, settings.places
        self.can_look_up = settings.initiator is not None
        self._door = DarajaDoor(settings, http=http, tokens=tokens, bucket=bucket)
        self._pull_method = "POST"

    def __repr__(self) -> str:
        """Name the shortcode; the rest is nobody's business."""
        return f"MpesaAccount({self._settings.shortcode})"

    async def register_urls(self, confirm_url: str, validate_url: str, now: datetime) -> Registered:
        """Have money from payers' own menus told to us. Some that were there before are a success.

        In production Daraja takes this once; another address then needs Safaricom's portal.
        """
        body = register_body(self._settings, confirm_url=confirm_url, validate_url=validate_url)
        ask = Ask(register_path(self._settings), body, now)
        return await self._door.question(ask, read_registered)

    async def pull(self, since: datetime, until: datetime, now: datetime) -> Sequence[Seen]:
        """All money that came to the shortcode in a time, of the last 48 hours, in any order."""
        since, until = max(since, now - WINDOW), min(until, now)
        found: dict[str, Seen] = {}
        rows, is_more = 0, since < until
        while is_more:
            if rows > PULL_ROWS_MAX:
                raise GatewayError(f"over {PULL_ROWS_MAX:,} payments in one pull")
            page = await self._page(pull_body(self._settings, since, until, offset=rows), now)
            fresh = {seen.receipt: seen for seen in page.seen if seen.receipt not in found}
            rows += page.rows
            found |= fresh
            # A page's size is nowhere told: only one with nothing new says that there is no more.
            is_more = page.rows > 0 and (bool(fresh) or not page.seen)
        if len(found) < rows:
            _log.warning("mpesa.pull.odd_rows", rows=rows, read=len(found))
        return tuple(found.values())

    async def register_pull(self, callback_url: str, now: datetime) -> bool:
        """Allow us to pull; False when that was allowed before.

        Daraja's documentation writes the nominated number in two forms: both are tried.
        """
        nominated = self._settings.nominated_number
        if nominated is None:
            raise GatewayError("no-nominated-number")
        forms = (nominated, "0" + nominated.removeprefix("254"))
        for form in forms:
            body = register_pull_body(self._settings, nominated=form, callback_url=callback_url)
            ask = Ask(REGISTER_PATH, body, now)
            try:
                return await self._door.question(ask, read_pull_registered)
            except ProviderError as refused:
                if refused.again or form == forms[-1]:
                    raise
        raise AssertionError("the last form either returned or raised")

    async def ask_status(
        self, receipt: str, result_url: str, now: datetime, *, conversation_id: str = ""
    ) -> Acked:
        """Ask after a transaction, by receipt or, with "" for it, by the conversation's id."""
        assert bool(receipt) != bool(conversation_id), "one names the transaction"
        initiator, credential = self._door.initiator()
        body = status_body(
            self._settings,
            initiator,
            credential,
            receipt=receipt,
            conversation_id=conversation_id,
            result_url=result_url,
        )
        return await self._door.question(Ask(STATUS_PATH, body, now), read_ack)

    async def ask_balance(self, result_url: str, now: datetime) -> Acked:
        """Ask what the shortcode's accounts hold."""
        initiator, credential = self._door.initiator()
        body = balance_body(self._settings, initiator, credential, result_url=result_url)
        return await self._door.question(Ask(BALANCE_PATH, body, now), read_ack)

    async def qr(self, reference: str, amount: Money, now: datetime) -> bytes:
        """A QR code (PNG) that fills in account and amount. The amount is whole shillings."""
        body = qr_body(self._settings, reference=reference, amount=amount)
        return await self._door.question(Ask(QR_PATH, body, now), read_qr)

    async def standing_order(self, order: StandingOrder, now: datetime) -> Acked:
        """Ask a payer for a standing order: a prompt, posted once, as a push is.

        `AnswerLostError` means that the payer may be looking at it.
        """
        reply = await self._door.post(Ask(RATIBA_PATH, ratiba_body(self._settings, order), now))
        trouble = read_trouble(reply.status, reply.body)
        if trouble is not None and not trouble.certain:
            raise AnswerLostError(trouble.code)
        return read_ratiba_ack(reply.status, reply.body)

    async def _page(self, body: dict[str, str | int], now: datetime) -> Page:
        def read(status: int, answer: bytes) -> Page:
            return read_page(status, answer, place=self.place)

        ask = Ask(PULL_PATH, body, now, PULL_TIMEOUT_S, self._pull_method)
        try:
            return await self._door.question(ask, read)
        except ProviderError as refused:
            if self._pull_method == "GET" or not wants_get(refused):
                raise
        self._pull_method = "GET"
        return await self._page(body, now)
