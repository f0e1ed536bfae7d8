"""Tells the merchant what became of each message, as the carriers do: unsigned, in any order.

Each report is tried once, and goes to loopback only. Sources: Africa's Talking's page on delivery
reports (a form); those of the resellers' platform (JSON).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2

from controller.sandbox.daraja.requests import may_call_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.sandbox.daraja.network import Network

TIMEOUT_S = 10.0
SAFARICOM = "63902"


class Reporter:
    """Reports about the messages of one `Network`, to the address of its settings (""; none)."""

    def __init__(self, network: Network, *, http: httpx2.AsyncClient) -> None:
        self._network = network
        self._http = http
        self._posts: set[asyncio.Task[None]] = set()

    def form(self, name: str, phone: str) -> None:
        """Report a message as Africa's Talking does."""
        said = {"id": name, "phoneNumber": phone, "networkCode": SAFARICOM, "retryCount": "0"}
        failed = {"status": "Failed", "failureReason": "UserDoesNotExist"}
        last = failed if self._network.faults.sms_undelivered else {"status": "Success"}
        self._post([{"data": {**said, **one}} for one in ({"status": "Submitted"}, last)])

    def json(self, name: str, phone: str) -> None:
        """Report a message as the resellers' platform does."""
        del phone  # their reports have none
        last = "AbsentSubscriber" if self._network.faults.sms_undelivered else "DeliveredToTerminal"
        said = {"messageid": int(name), "timeTaken": "00:00:04"}
        self._post([{"json": {**said, "description": one}} for one in ("SubmittedToNetwork", last)])

    async def stop(self) -> None:
        """Forget what was not told yet."""
        for post in self._posts:
            post.cancel()
        await asyncio.gather(*self._posts, return_exceptions=True)

    def _post(self, bodies: Sequence[dict[str, Any]]) -> None:
        faults, url = self._network.faults, self._network.settings.sms_report_url
        if not url or faults.sms_report_lost or not may_call_back(url):
            return
        ordered = bodies[::-1] if faults.sms_report_disorder else bodies
        post = asyncio.create_task(self._posted(url, ordered))
        self._posts.add(post)
        post.add_done_callback(self._posts.discard)

    async def _posted(self, url: str, bodies: Sequence[dict[str, Any]]) -> None:
        for body in bodies:
            try:
                await self._http.post(url, **body, timeout=TIMEOUT_S, follow_redirects=False)
            except httpx2.HTTPError:
                continue  # tried once; the next one may come through
