"""Carries news to the merchant: one attempt each, as Daraja does, unless a fault says more.

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
DELIVERIES_MAX = 20_000
"""How many deliveries are remembered; older ones are forgotten first."""
COPIES_AT_ONCE = 10
CALLBACK = "callback"
FOREIGN_SHORTCODE = "999999"
FORGED_CODE = "ws_CO_0101202000000000070000000{n}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to post. ``status`` is None when nobody answered or nothing was sent.

    ``road`` says what it is, as callback, validation, confirmation or result; ``kind`` how true it
    is; ``about`` names the push, the receipt or the conversation.
    """

    at: datetime
    road: str
    kind: str
    about: str
    url: str
    body: str
    status: int | None
    answer: str


class Courier:
    """Posts news and remembers what was answered."""

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
            self.lose(CALLBACK, prompt.checkout_id, prompt.callback_url, body)
        elif faults.callback_ten_at_once:
            await asyncio.gather(*(self._tell(kind, prompt, body) for _ in range(COPIES_AT_ONCE)))
        else:
            for _ in range(2 if faults.callback_doubled else 1):
                await self._tell(kind, prompt, body)

    async def post(
        self,
        road: str,
        about: str,
        url: str,
        body: bytes,
        *,
        kind: str = "true",
        timeout_s: float = TIMEOUT_S,
    ) -> tuple[int, bytes] | None:
        """One attempt; status and body of the answer, or None when there was none in time."""
        assert may_call_back(url), "a simulated network stays on this machine"
        try:
            # The client's own limits are per read: an answer that trickles would never end.
            async with asyncio.timeout(timeout_s):
                response = await self._http.post(
                    url, content=body, headers=self._headers(), timeout=timeout_s
                )
        except (httpx2.HTTPError, TimeoutError) as error:
            self._remember(road, kind, about, url=url, body=body, answer=type(error).__name__)
            return None
        status, answer = response.status_code, response.text[:200]
        self._remember(road, kind, about, url=url, body=body, answer=answer, status=status)
        return response.status_code, response.content

    def lose(self, road: str, about: str, url: str, body: bytes) -> None:
        """Remember what should have been posted, and post nothing."""
        self._remember(road, "lost", about, url=url, body=body, answer="never sent")

    async def forge(self, prompt: Prompt) -> None:
        """Post a success that never happened to the address of ``prompt``, other ids in it."""
        liar = copy.copy(prompt)
        liar.checkout_id = FORGED_CODE.format(n=secrets.randbelow(10))
        liar.code, liar.receipt = "0", "FAKE" + secrets.token_hex(3).upper()
        liar.paid_stamp = "20260101000000"
        await self._tell("forged", prompt, bodies.encoded(bodies.callback(liar)))

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

    async def _tell(self, kind: str, prompt: Prompt, body: bytes) -> None:
        await self.post(CALLBACK, prompt.checkout_id, prompt.callback_url, body, kind=kind)

    def _headers(self) -> dict[str, str]:
        return {
            "Content-Type": "application/json; charset=utf-8",
            "Businessshortcode": self._settings.shortcode,
        }

    def _remember(
        self,
        road: str,
        kind: str,
        about: str,
        *,
        url: str,
        body: bytes,
        answer: str,
        status: int | None = None,
    ) -> None:
        written = body.decode(errors="replace")
        self.deliveries.append(
            Delivery(self._now(), road, kind, about, url, written, status, answer)
        )
        self._changed()


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = body["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    return items


def _item(body: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in _items(body) if item["Name"] == name)
