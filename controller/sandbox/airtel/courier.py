"""Callbacks to the one address that the portal has on file."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.sandbox.airtel.faults import Faults
    from controller.sandbox.airtel.network import Prompt
    from controller.sandbox.airtel.settings import AirtelSimSettings
    from controller.sandbox.posting import Postman
    from controller.sandbox.remote import Setting

MADE_UP = "MP000101.0000.L99999"


class Courier:
    """Tells the merchant what became of a prompt."""

    def __init__(
        self, settings: AirtelSimSettings, setting: Setting[Faults], postman: Postman
    ) -> None:
        self._settings = settings
        self._setting = setting
        self._postman = postman

    async def deliver(self, prompt: Prompt) -> None:
        """Post, as the faults would have it."""
        faults = self._setting.faults
        if faults.callback_late_s:
            await asyncio.sleep(faults.callback_late_s)
        lies = faults.callback_lies and prompt.status != "TS"
        body = self._written(prompt, lies=lies)
        url, about = self._setting.callback_url, prompt.transaction_id
        if faults.callback_lost:
            self._postman.lose(url, body, about=about)
            return
        for _ in range(2 if faults.callback_doubled else 1):
            kind = "lie" if lies else "true"
            await self._postman.post(url, body, kind=kind, about=about, headers={})

    def _written(self, prompt: Prompt, *, lies: bool) -> bytes:
        told = {
            "id": prompt.transaction_id,
            "message": f"Paid {self._settings.currency} {prompt.shillings}",
            "status_code": "TS" if lies else prompt.status,
        }
        if lies or prompt.receipt:
            told["airtel_money_id"] = MADE_UP if lies else prompt.receipt
        else:
            told["message"] = "Failed"
        body: dict[str, object] = {"transaction": told}
        if self._setting.faults.callback_hashed:
            covered = json.dumps(told, separators=(",", ":")).encode()
            made = hmac.new(self._settings.hash_key.encode(), covered, hashlib.sha256).digest()
            body["hash"] = base64.b64encode(made).decode()
        return json.dumps(body).encode()
