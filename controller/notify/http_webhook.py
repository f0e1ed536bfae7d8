"""Webhooks over HTTP, signed (Standard Webhooks 1.0.0), to nowhere but where they are meant to go.

The host is looked up once, every address of it is checked, and the connection goes to the address
that was checked: a name that answers otherwise a moment later changes nothing. No redirects are
followed, no proxy of the environment is asked, the answer's body is not read, and all of it has one
limit of time.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import httpx2
from standardwebhooks.webhooks import Webhook

from controller.notify.addresses import AddressRefused, checked, place_of
from controller.notify.webhook import WebhookGone, WebhookNotTaken, WebhookRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from controller.notify.addresses import Address, Network, Place
    from controller.notify.webhook import WebhookOut

SEND_MAX_S = 10.0
"""From looking up the name to the answer's first line."""

RETRY_AFTER_MAX_S = 86_400
TRIED_MAX = 4
"""Addresses of one host that are tried, one after the other."""

OK, MANY, GONE = 200, 300, 410


class HttpWebhooks:
    """`Webhooks` over the network. ``allowed`` are networks beside the internet."""

    def __init__(
        self,
        *,
        allowed: Sequence[Network] = (),
        resolve: Callable[[str, int], Awaitable[list[str]]] | None = None,
        send_max_s: float = SEND_MAX_S,
        verify: bool | str = True,
    ) -> None:
        """``resolve`` looks a host up in place of the system (tests)."""
        self._allowed = tuple(allowed)
        self._resolve = resolve or resolved
        self._send_max_s = send_max_s
        self._client = httpx2.AsyncClient(
            follow_redirects=False, trust_env=False, verify=verify, timeout=send_max_s
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def send(self, out: WebhookOut, at: datetime) -> None:
        """See `Webhooks`."""
        try:
            async with asyncio.timeout(self._send_max_s):
                place, addresses = await self._checked(out.url)
                answer = await self._posted(out, at, place, addresses)
        except TimeoutError as error:
            raise WebhookNotTaken("too_slow") from error
        status, retry_after = answer
        if OK <= status < MANY:
            return
        if status == GONE:
            raise WebhookGone(str(status))
        raise WebhookNotTaken(str(status), retry_s=_seconds(retry_after))

    async def _checked(self, url: str) -> tuple[Place, list[Address]]:
        try:
            place = place_of(url)
            found = await self._resolve(place.host, place.port)
            return place, checked(place, found, allowed=self._allowed)
        except AddressRefused as error:
            if error.why == "no_address":
                raise WebhookNotTaken(error.why) from error
            raise WebhookRefused(error.why) from error
        except OSError as error:
            raise WebhookNotTaken("no_address") from error

    async def _posted(
        self, out: WebhookOut, at: datetime, place: Place, addresses: Sequence[Address]
    ) -> tuple[int, str]:
        for last, address in enumerate(addresses[:TRIED_MAX], start=1):
            try:
                return await self._post(out, at, place, address)
            except httpx2.ConnectError as error:
                if last == min(len(addresses), TRIED_MAX):
                    raise WebhookNotTaken("unreachable") from error
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                raise WebhookNotTaken("broken") from error
        raise AssertionError("there is an address")

    async def _post(
        self, out: WebhookOut, at: datetime, place: Place, address: Address
    ) -> tuple[int, str]:
        shown = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
        request = self._client.build_request(
            "POST",
            f"{place.scheme}://{shown}:{place.port}{place.path}",
            content=out.body.encode(),
            headers=_headers(out, at, place),
            extensions={"sni_hostname": place.host},
        )
        response = await self._client.send(request, stream=True)
        try:
            return response.status_code, response.headers.get("retry-after", "")
        finally:
            await response.aclose()


def _headers(out: WebhookOut, at: datetime, place: Place) -> dict[str, str]:
    host = f"[{place.host}]" if ":" in place.host else place.host
    usual = {"https": 443, "http": 80}[place.scheme]
    return {
        "host": host if place.port == usual else f"{host}:{place.port}",
        "content-type": "application/json",
        "user-agent": "Lango",
        "webhook-id": out.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(out.secret).sign(out.id, at, out.body),
    }


def _seconds(retry_after: str) -> int | None:
    """``Retry-After`` in seconds; a date is not read (RFC 9110 §10.2.3)."""
    if not retry_after.isascii() or not retry_after.isdigit() or len(retry_after) > 6:  # noqa: PLR2004
        return None
    return min(int(retry_after), RETRY_AFTER_MAX_S)


async def resolved(host: str, port: int) -> list[str]:
    """The addresses of a host, as this machine's resolver has them. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))
