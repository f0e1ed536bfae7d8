"""Carries callbacks to the merchant: one attempt each, as Daraja does, unless a fault says more.

It never leaves this machine: an address that is not loopback is refused when the push comes in, and
again here.
"""

from __future__ import annotations

import asyncio
import copy
import secrets
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from controller.sandbox.daraja import bodies
from controller.sandbox.daraja.requests import may_call_back

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from controller.sandbox.daraja.faults import Faults
    from controller.sandbox.daraja.network import Prompt
    from controller.sandbox.daraja.settings import SimSettings

TIMEOUT_S = 10.0
DELIVERIES_MAX = 5_000
"""How many deliveries are remembered; older ones are forgotten first."""
COPIES_AT_ONCE = 10
FOREIGN_SHORTCODE = "999999"
FORGED_CODE = "ws_CO_0101202000000000070000000{n}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to post a callback. ``status`` is None when nobody answered or none was sent."""

    at: datetime
    kind: str
    checkout_id: str
    url: str
    body: str
    status: int | None
    answer: str


class Courier:
    """Posts callbacks and remembers what was answered."""

    def __init__(
        self,
        settings: SimSettings,
        *,
        http: httpx2.AsyncClient,
        now: Callable[[], datetime],
        changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._http = http
        self._now = now
        self._changed = changed
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_MAX)

    async def deliver(self, prompt: Prompt, faults: Faults) -> None:
        """Tell the merchant what became of ``prompt``, as the faults would have it."""
        if faults.callback_late_s:
            await asyncio.sleep(faults.callback_late_s)
        body, kind = self._written(prompt, faults)
        if faults.callback_lost:
            self._remember("lost", prompt, body, None, "never sent")
        elif faults.callback_ten_at_once:
            await asyncio.gather(*(self._post(kind, prompt, body) for _ in range(COPIES_AT_ONCE)))
        else:
            for _ in range(2 if faults.callback_doubled else 1):
                await self._post(kind, prompt, body)

    async def forge(self, prompt: Prompt) -> None:
        """Post a success that never happened to the address of ``prompt``, other ids in it."""
        liar = copy.copy(prompt)
        liar.checkout_id = FORGED_CODE.format(n=secrets.randbelow(10))
        liar.code, liar.receipt = "0", "FAKE" + secrets.token_hex(3).upper()
        liar.paid_stamp = "20260101000000"
        await self._post("forged", prompt, bodies.encoded(bodies.callback(liar)))

    def _written(self, prompt: Prompt, faults: Faults) -> tuple[bytes, str]:
        """The bytes to post, and what kind of thing they are."""
        body = bodies.callback(prompt, as_text=faults.callback_text_code)
        kind = "true"
        if prompt.code == "0" and faults.callback_wrong_amount:
            kind = "wrong amount"
            _item(body, "Amount")["Value"] = prompt.shillings + 1
        if prompt.code == "0" and faults.callback_wrong_shortcode:
            kind = "wrong shortcode"
            foreign = {"Name": "BusinessShortCode", "Value": int(FOREIGN_SHORTCODE)}
            _items(body).append(foreign)
        written = bodies.encoded(body, cents=prompt.number % 2 == 0)
        if faults.callback_truncated:
            return written[: len(written) * 2 // 3], "cut off"
        return written, kind

    async def _post(self, kind: str, prompt: Prompt, body: bytes) -> None:
        assert may_call_back(prompt.callback_url), "a simulated network stays on this machine"
        try:
            response = await self._http.post(
                prompt.callback_url,
                content=body,
                headers={
                    "Content-Type": "application/json; charset=utf-8",
                    "Businessshortcode": self._settings.shortcode,
                },
                timeout=TIMEOUT_S,
            )
        except httpx2.HTTPError as error:
            self._remember(kind, prompt, body, None, type(error).__name__)
        else:
            self._remember(kind, prompt, body, response.status_code, response.text[:200])

    def _remember(
        self, kind: str, prompt: Prompt, body: bytes, status: int | None, answer: str
    ) -> None:
        self.deliveries.append(
            Delivery(
                at=self._now(),
                kind=kind,
                checkout_id=prompt.checkout_id,
                url=prompt.callback_url,
                body=body.decode(errors="replace"),
                status=status,
                answer=answer,
            )
        )
        self._changed()


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = body["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    return items


def _item(body: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in _items(body) if item["Name"] == name)
