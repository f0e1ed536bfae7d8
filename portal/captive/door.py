"""The first look at a request: how big it is, whose host it asks for, and the way to the portal.

Whatever a device on the LAN asks of port 80 ends up here, also the probes by which operating
systems find portals. All of them get the same answer: a redirect to the portal's own address, never
a 200, so that no probe can be mistaken for the open internet. Source of that list: the vendors'
probe addresses (captive.apple.com, connectivitycheck.gstatic.com, www.msftconnecttest.com …); none
needs to be known by name.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from portal.captive.gate import Gate

URL_BYTES_MAX = 8192
HEADER_BYTES_MAX = 16_384
HEADERS_MAX = 64
ADDRESSES_KEPT_MAX = 2048
"""Addresses whose normal form is remembered."""

RETURN_URL_BYTES_MAX = 1024
"""A longer original address is not returned to: the status page is shown instead."""

HOST_SHAPE = re.compile(
    rb"[A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?"
)


class Door:
    """The ASGI application that stands before the portal's routes.

    ``host`` is the portal's name; the address that the connection came in on is accepted too, so
    that the page also opens where names do not resolve.
    """

    def __init__(self, portal: ASGIApp, gate: Gate, *, host: str) -> None:
        self.portal = portal
        self._gate = gate
        self._host = host
        self._own = _without_port(host.lower().encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, redirect or pass on one request."""
        if scope["type"] != "http":
            await self.portal(scope, receive, send)
            return
        answer = refusal(scope)
        if answer is None and not self._asks_for_us(scope):
            answer = await self._way_in(scope)
        await (answer or self.portal)(scope, receive, send)

    def _asks_for_us(self, scope: Scope) -> bool:
        asked = _without_port(_host_header(scope))
        if asked == self._own:
            return True
        server = scope.get("server")
        return server is not None and asked.strip(b"[]") == str(server[0]).lower().encode()

    async def _way_in(self, scope: Scope) -> Response:
        """Redirect to the portal, or back to where the device wanted to go once it is online."""
        address = client_address(scope)
        was_online = self._gate.device(address).access is not None
        online = await self._gate.sign_in(address)
        # Invariant: a device is sent back to its own address only when its access is new; otherwise
        # a connection that the kernel still redirects would be sent in a circle.
        if online and not was_online and (wanted := _original_url(scope)) is not None:
            return redirect(wanted)
        return redirect(f"http://{self._host}/{'status' if online else ''}")


def redirect(location: str) -> Response:
    """A tiny redirect that nothing remembers and that ends its connection."""
    headers = {"Location": location, "Cache-Control": "no-store", "Connection": "close"}
    return PlainTextResponse("", 302, headers=headers)


def refusal(scope: Scope) -> Response | None:
    """The 4xx for a request that is too big or says no sensible host, else None."""
    url_bytes = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if url_bytes > URL_BYTES_MAX:
        return refused(414, f"URL: want at most {URL_BYTES_MAX} bytes")
    headers = scope["headers"]
    if len(headers) > HEADERS_MAX or sum(len(k) + len(v) for k, v in headers) > HEADER_BYTES_MAX:
        return refused(
            431, f"headers: want at most {HEADERS_MAX} of {HEADER_BYTES_MAX} bytes in all"
        )
    hosts = [v for k, v in headers if k == b"host"]
    if len(hosts) != 1 or not HOST_SHAPE.fullmatch(hosts[0]):
        return refused(400, "Host: want one name or address")
    return None


def refused(status: int, sentence: str) -> Response:
    """A refusal in plain words, for whoever made the request by hand."""
    headers = {"Cache-Control": "no-store", "Connection": "close"}
    return PlainTextResponse(sentence + "\n", status, headers=headers)


def client_address(scope: Scope) -> str:
    """The device's address as the site knows it (IPv4 also when it came mapped into IPv6)."""
    client = scope.get("client")
    assert client is not None, "the portal listens on addresses, never on a unix socket"
    return _normal(client[0])


@lru_cache(maxsize=ADDRESSES_KEPT_MAX)
def _normal(text: str) -> str:
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _host_header(scope: Scope) -> bytes:
    return next(bytes(v).lower() for k, v in scope["headers"] if k == b"host")


def _without_port(authority: bytes) -> bytes:
    name, _, port = authority.rpartition(b":")
    return name if port.isdigit() else authority


def _original_url(scope: Scope) -> str | None:
    """The address that a GET wanted, in safe characters only, or None when it makes no sense."""
    raw_path = bytes(scope.get("raw_path") or b"")
    if scope["method"] != "GET" or not raw_path.startswith(b"/"):
        return None
    query = bytes(scope["query_string"])
    target = quote(raw_path.partition(b"?")[0], safe="/%:@!$&'()*+,;=-._~")
    if query:
        target += "?" + quote(query, safe="/%:@!$&'()*+,;=-._~?")
    if len(target) > RETURN_URL_BYTES_MAX:
        return None
    return f"http://{_host_header(scope).decode('ascii')}{target}"
