"""Asking an address as a stranger would: no further than the public internet, no longer than asked.

The same rules hold as for webhooks (`controller.notify.addresses`): the host is looked up once,
every address of it must be public, the connection goes to an address that was looked at, no
redirect is followed, no proxy of the environment is asked.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Protocol

import httpx2

from controller.notify.addresses import AddressRefused, checked, place_of
from controller.notify.http_webhook import resolved

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from controller.notify.addresses import Address, Network, Place

ASK_MAX_S = 8.0
HEARD_BYTES_MAX = 2_048


class NotHeard(Exception):  # noqa: N818 - a refusal
    """No answer that says anything; ``why`` is a code.

    One of ``url_unreadable``, ``no_address``, ``address_not_public``, ``not_https``,
    ``certificate``, ``unreachable``, ``too_slow``, ``broken``, ``not_asked``.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Outside(Protocol):
    """Whoever can ask an address of the internet."""

    async def ask(self, url: str) -> str:
        """The beginning of what is answered there, whatever its status. Raises `NotHeard`."""


class AbsentOutside:
    """Asks nobody."""

    async def ask(self, url: str) -> str:  # noqa: ARG002 - the seam's
        """Raise `NotHeard`."""
        raise NotHeard("not_asked")


class HttpOutside:
    """`Outside` over the network. ``allowed`` are networks beside the internet (tests)."""

    def __init__(
        self,
        *,
        allowed: Sequence[Network] = (),
        resolve: Callable[[str, int], Awaitable[list[str]]] | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        """``resolve`` looks a host up in place of the system (tests)."""
        self._allowed = tuple(allowed)
        self._resolve = resolve or resolved
        self._client = httpx2.AsyncClient(
            follow_redirects=False, trust_env=False, verify=verify, timeout=ASK_MAX_S
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def ask(self, url: str) -> str:
        """See `Outside`."""
        try:
            async with asyncio.timeout(ASK_MAX_S):
                place = place_of(url)
                found = await self._resolve(place.host, place.port)
                return await self._asked(place, checked(place, found, allowed=self._allowed))
        except TimeoutError as error:
            raise NotHeard("too_slow") from error
        except AddressRefused as error:
            raise NotHeard(error.why) from error
        except OSError as error:
            raise NotHeard("no_address") from error

    async def _asked(self, place: Place, addresses: Sequence[Address]) -> str:
        try:
            return await self._get(place, addresses[0])
        except httpx2.ConnectError as error:
            raise NotHeard("certificate" if _is_certificate(error) else "unreachable") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NotHeard("broken") from error

    async def _get(self, place: Place, address: Address) -> str:
        shown = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
        host = f"[{place.host}]" if ":" in place.host else place.host
        usual = {"https": 443, "http": 80}[place.scheme]
        request = self._client.build_request(
            "GET",
            f"{place.scheme}://{shown}:{place.port}{place.path}",
            headers={
                "host": host if place.port == usual else f"{host}:{place.port}",
                "user-agent": "Lango",
            },
            extensions={"sni_hostname": place.host},
        )
        response = await self._client.send(request, stream=True)
        try:
            heard = b""
            async for piece in response.aiter_bytes():
                heard += piece
                if len(heard) >= HEARD_BYTES_MAX:
                    break
            return heard[:HEARD_BYTES_MAX].decode(errors="replace")
        finally:
            await response.aclose()


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
