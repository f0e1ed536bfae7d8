"""A device on the site's LAN: a phone or laptop with its own network, MAC and addresses."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urljoin, urlsplit

from controller.sandbox.lab import meter
from controller.sandbox.lab.dns import resolve
from controller.sandbox.lab.wire import Head, WireError, read_body, read_head

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Mapping

    from controller.sandbox.lab.namespace import Namespace

GATEWAY_V4 = "10.77.0.1"
GATEWAY_V6 = "fd77::1"
INTERNET_V4 = "198.51.100.1"
INTERNET_V6 = "fd77:51::1"
DEVICES_MAX = 200
FETCH_WAIT_S = 10.0
REDIRECTS_MAX = 8
GOODPUT_SKIP_S = 1.0
"""The first second of a transfer is the bucket's burst and TCP's start, not the plan's speed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a fetch brought: where it ended, and what was there."""

    url: str
    status: int
    head: Head
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode("utf-8", "replace")

    @property
    def location(self) -> str | None:
        """Where the answer sends the browser, absolute, or None."""
        where = self.head.field("location")
        return None if where is None else urljoin(self.url, where)


@dataclass(frozen=True, slots=True)
class Moved:
    """Layer-3 bytes of one UDP flow as both of its ends counted them.

    ``last_at`` is the loop's time when the receiver last heard of it, None when it never did.
    """

    sent_bytes: int
    received_bytes: int
    last_at: float | None


class Device:
    """One device. Its number is the last figure of its MAC, of its IPv4 and of its IPv6 address."""

    def __init__(self, ns: Namespace, number: int, *, flows: meter.Flows) -> None:
        assert 1 <= number <= DEVICES_MAX, f"a device number is 1 to {DEVICES_MAX}"
        self.ns = ns
        self.number = number
        self.mac = f"02:00:00:00:00:{number:02x}"
        self.ipv4 = IPv4Address("10.77.0.10") + number
        self.ipv6 = IPv6Address("fd77::10") + number
        self._flows = flows

    async def connect(
        self, address: str, port: int, *, wait_s: float = FETCH_WAIT_S
    ) -> tuple[StreamReader, StreamWriter]:
        """A TCP connection from this device. Raises OSError, TimeoutError."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = self.ns.socket(family)
        if port == meter.TCP_PORT:
            meter.limit_window(made)
        try:
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(wait_s):
                await loop.sock_connect(made, (address, port))
        except BaseException:
            made.close()
            raise
        return await asyncio.open_connection(sock=made)

    async def resolve(self, host: str) -> str:
        """The address of ``host`` as the gateway's resolver tells it. Raises `dns.ResolveError`."""
        bare = host.strip("[]")
        if ":" in bare or bare.replace(".", "").isdecimal():
            return bare
        return str(await resolve(self.ns, bare, server=GATEWAY_V4))

    async def get(
        self,
        url: str,
        *,
        address: str | None = None,
        fields: Mapping[str, str] | None = None,
        wait_s: float = FETCH_WAIT_S,
    ) -> Answer:
        """Fetch one page, following nothing. ``address`` skips the resolver.

        Raises OSError, TimeoutError, `dns.ResolveError`, `WireError`.
        """
        async with asyncio.timeout(wait_s):
            return await self._fetch(url, None, fields or {}, address)

    async def post(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        fields: Mapping[str, str] | None = None,
        wait_s: float = FETCH_WAIT_S,
    ) -> Answer:
        """Send a form, following nothing. Raises as `get` does."""
        async with asyncio.timeout(wait_s):
            return await self._fetch(url, form, fields or {}, None)

    async def browse(self, url: str) -> Answer:
        """Fetch a page as a browser does, following redirects. Raises as `get` does."""
        answer = await self.get(url)
        for _ in range(REDIRECTS_MAX):
            if answer.location is None or answer.status not in {301, 302, 303, 307, 308}:
                break
            answer = await self.get(answer.location)
        return answer

    async def _fetch(
        self,
        url: str,
        form: Mapping[str, str] | None,
        fields: Mapping[str, str],
        address: str | None,
    ) -> Answer:
        parts = urlsplit(url)
        to = address or await self.resolve(parts.hostname or "")
        reader, writer = await self.connect(to, parts.port or 80)
        with contextlib.closing(writer):
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            writer.write(_request(path, parts.netloc, form=form, fields=fields))
            await writer.drain()
            head = await read_head(reader)
            if head is None:
                raise WireError(f"{url}: closed without an answer")
            status = int(head.first.split(" ")[1])
            bare = status in {204, 304}
            body = b"" if bare else await read_body(reader, head, until_close=True)
        return Answer(url, status, head, body)

    async def reaches(self, address: str, port: int, *, wait_s: float = 1.5) -> bool:
        """Whether a TCP connection to there can be made."""
        try:
            _, writer = await self.connect(address, port, wait_s=wait_s)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    async def goodput_down_bps(self, *, seconds: float = 4.0, address: str = INTERNET_V4) -> int:
        """The speed of one TCP download, in bits of payload per second. Raises OSError."""
        reader, writer = await self.connect(address, meter.TCP_PORT)
        with contextlib.closing(writer):
            writer.write(f"down {meter.DOWN_BYTES_MAX}\n".encode())
            counted, took_us = await meter.swallow(reader, skip_s=GOODPUT_SKIP_S, for_s=seconds)
            writer.transport.abort()
        return counted * 8_000_000 // max(took_us, 1)

    async def goodput_up_bps(self, *, seconds: float = 4.0, address: str = INTERNET_V4) -> int:
        """The speed of one TCP upload as its receiver saw it, in bits of payload per second."""
        reader, writer = await self.connect(address, meter.TCP_PORT)
        with contextlib.closing(writer):
            writer.write(f"up {int(GOODPUT_SKIP_S * 1000)}\n".encode())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODPUT_SKIP_S + seconds):
                    await _fill(writer)
            writer.write_eof()
            counted, took_us = (await reader.readline()).split()
        return int(counted) * 8_000_000 // max(int(took_us), 1)

    async def udp_up(
        self,
        size: int,
        *,
        bps: int,
        address: str = INTERNET_V4,
        settle_s: float = 1.0,
        source: str | None = None,
    ) -> Moved:
        """Send ``size`` layer-3 bytes (a multiple of 1,000) at ``bps``; what arrived outside.

        ``source`` is an address of this device other than the one that it would use by itself.
        """
        datagrams, headers = _datagrams(size, address)
        flow = secrets.token_bytes(8)
        begun = meter.ASKED.pack(b"UP", flow, datagrams, 1_000, bps)
        payload = begun + bytes(1_000 - headers - len(begun))
        with self._udp(address, source) as made:
            await meter.pace(
                lambda: _try_send(made, payload), datagrams=datagrams, size_bytes=1_000, bps=bps
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settle_s):
                    await self._flows.received(flow, at_least=size)
        heard = self._flows
        return Moved(size, heard.received_bytes.get(flow, 0), heard.last_at.get(flow))

    async def udp_down(
        self, size: int, *, bps: int, address: str = INTERNET_V4, settle_s: float = 1.0
    ) -> Moved:
        """Ask for ``size`` layer-3 bytes (a multiple of 1,000) at ``bps``; what reached the device.

        The asking itself is one datagram up, of `asking_bytes` at layer 3.
        """
        datagrams, _ = _datagrams(size, address)
        flow = secrets.token_bytes(8)
        received, last_at = 0, None
        deadline = asyncio.get_running_loop().time() + size * 8 / bps + settle_s
        with self._udp(address) as made, contextlib.suppress(TimeoutError):
            _try_send(made, meter.ASKED.pack(b"DN", flow, datagrams, 1_000, bps))
            async with asyncio.timeout_at(deadline):
                while received < size:
                    got = await asyncio.get_running_loop().sock_recv(made, 2048)
                    last_at = asyncio.get_running_loop().time()
                    received += len(got) + asking_headers(address)
        return Moved(self._flows.sent_bytes.get(flow, 0), received, last_at)

    def _udp(self, address: str, source: str | None = None) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = self.ns.socket(family, socket.SOCK_DGRAM)
        if source is not None:
            made.bind((source, 0))
        made.connect((address, meter.UDP_PORT))
        return made


def asking_headers(address: str) -> int:
    """The layer-3 and UDP header bytes of a datagram to ``address``."""
    return meter.V6_HEADERS_BYTES if ":" in address else meter.V4_HEADERS_BYTES


def asking_bytes(address: str = INTERNET_V4) -> int:
    """The layer-3 bytes of the one datagram that asks for a flow down."""
    return meter.ASKED.size + asking_headers(address)


def _datagrams(size: int, address: str) -> tuple[int, int]:
    assert size % 1_000 == 0, "a flow is counted in datagrams of 1,000 bytes"
    return size // 1_000, asking_headers(address)


def _try_send(made: socket.socket, payload: bytes) -> None:
    # A refused or unreachable datagram is lost, as the network loses others.
    with contextlib.suppress(OSError):
        made.send(payload)


async def _fill(writer: StreamWriter) -> None:
    while True:
        writer.write(bytes(16_384))
        await writer.drain()


def _request(
    path: str, host: str, *, form: Mapping[str, str] | None, fields: Mapping[str, str]
) -> bytes:
    body = b"" if form is None else urlencode(form).encode()
    method = "GET" if form is None else "POST"
    lines = [("Host", host), ("User-Agent", "lab"), ("Connection", "close"), *fields.items()]
    if form is not None:
        lines.append(("Content-Type", "application/x-www-form-urlencoded"))
        lines.append(("Content-Length", str(len(body))))
    return Head(f"{method} {path} HTTP/1.1", tuple(lines)).encoded() + body
