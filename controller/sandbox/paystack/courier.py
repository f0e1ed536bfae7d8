"""Signed events to the one address that the dashboard has on file, tried again until taken."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

from controller.sandbox.paystack import bodies
from controller.sandbox.paystack.bank import Dispute, Payment

if TYPE_CHECKING:
    from controller.sandbox.paystack.bank import Refund
    from controller.sandbox.paystack.faults import Faults
    from controller.sandbox.paystack.settings import PaystackSimSettings
    from controller.sandbox.posting import Postman
    from controller.sandbox.remote import Setting

TRIES_MAX = 4
OK = 200
SIGNATURE = "x-paystack-signature"
FOREIGN = "NGN"


class Courier:
    """Tells the merchant what became of payments, refunds and disputes."""

    def __init__(
        self, settings: PaystackSimSettings, setting: Setting[Faults], postman: Postman
    ) -> None:
        self._settings = settings
        self._setting = setting
        self._postman = postman
        self._held: list[tuple[bytes, str, str]] = []
        self._first: tuple[bytes, str, str] | None = None

    async def tell(self, event: str, about: Payment | Refund | Dispute) -> None:
        """Post, as the faults would have it."""
        faults = self._setting.faults
        if isinstance(about, Payment):
            data, name = bodies.transaction(about), about.asked.reference
            if faults.event_foreign_currency:
                data["currency"] = FOREIGN
        elif isinstance(about, Dispute):
            data, name = bodies.dispute(about), str(about.id)
        else:
            data, name = bodies.refund_event(about), str(about.id)
        body = json.dumps({"event": event, "data": data}).encode()
        made = hmac.new(self._settings.secret_key.encode(), body, hashlib.sha512).hexdigest()
        if faults.event_late_s:
            await asyncio.sleep(faults.event_late_s)
        if faults.event_lost:
            self._postman.lose(self._setting.callback_url, body, about=name)
            return
        letter = (body, made, name)
        if faults.event_out_of_order and not self._held:
            self._held.append(letter)
            return
        await self._send(letter, faults)
        while self._held:
            await self._send(self._held.pop(), faults)

    async def _send(self, letter: tuple[bytes, str, str], faults: Faults) -> None:
        body, made, name = letter
        if faults.event_tampered:
            await self._post(body.replace(b'"amount": ', b'"amount": 9'), made, name, "tampered")
            return
        if faults.event_unsigned:
            await self._post(body, "", name, "unsigned")
            return
        for _ in range(2 if faults.event_doubled else 1):
            await self._until_taken(letter)
        if faults.event_replayed and self._first is not None:
            await self._post(*self._first, "replayed")
        self._first = self._first or letter

    async def _until_taken(self, letter: tuple[bytes, str, str]) -> None:
        for _ in range(TRIES_MAX):
            if await self._post(*letter, "true") == OK or not self._setting.callback_url:
                return
            await asyncio.sleep(self._settings.retry_ms / 1000)

    async def _post(self, body: bytes, made: str, name: str, kind: str) -> int | None:
        headers = {SIGNATURE: made} if made else {}
        url = self._setting.callback_url
        return await self._postman.post(url, body, kind=kind, about=name, headers=headers)
