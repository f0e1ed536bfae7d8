"""Lets a browser on this machine drive one device of the lab.

The browser opens this forwarder; the forwarder opens each page from inside the device's namespace,
so that the portal sees that device and the kernel treats its packets as that device's. The browser
knows one address only, the phone knows many: the phone remembers which site it is on, follows
plain-http redirects to others by itself, and shows every site's cookies to that phone alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, urlsplit

from controller.sandbox.lab.dns import ResolveError
from controller.sandbox.lab.wire import HEAD_BYTES_MAX, Head, WireError, read_body, read_head

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from controller.sandbox.lab.device import Device

HOME = "http://hello.example/"
"""What the phone opens first: a plain page of the internet, as a phone's probe would."""

HOME_PATH = "/.phone/home"
GO_PATH = "/.phone/go"
"""Paths of the forwarder itself: back to `HOME`, and ``?url=`` for any plain-http address."""

REQUEST_WAIT_S = 30.0
IDLE_WAIT_S = 60.0
CHUNK_BYTES = 64 * 1024
COOKIE_PREFIX = "phone-"
"""Cookies know no ports: without this the phone would get the staff page's, and the reverse."""

_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "upgrade", "te", "trailer"})
_TOP = frozenset({"document", "iframe"})


class Road(Protocol):
    """How the phone's connections leave it."""

    async def open(self, host: str, port: int) -> tuple[StreamReader, StreamWriter]:
        """A connection to ``host``. Raises OSError, TimeoutError, `ResolveError`."""
        ...


class DeviceRoad:
    """From inside a lab device: its resolver, its address, its packets."""

    def __init__(self, device: Device) -> None:
        self._device = device

    async def open(self, host: str, port: int) -> tuple[StreamReader, StreamWriter]:
        """A connection from the device."""
        return await self._device.connect(await self._device.resolve(host), port)


class LoopbackRoad:
    """Where there is no lab: everything ends at the portal, from one address of the loopback."""

    def __init__(self, *, source: str, portal_port: int) -> None:
        self._source = source
        self._portal_port = portal_port

    async def open(self, host: str, port: int) -> tuple[StreamReader, StreamWriter]:
        """A connection to the portal, whatever was asked for."""
        del host, port
        return await asyncio.open_connection(
            "127.0.0.1", self._portal_port, local_addr=(self._source, 0)
        )


class Phone:
    """One phone with one screen. `visit` is the callback of each connection from the browser."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._origin = urlsplit(HOME).netloc

    async def visit(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Carry one request out and its answer back; what fails is said on a page."""
        with contextlib.suppress(OSError, EOFError):
            try:
                async with asyncio.timeout(REQUEST_WAIT_S):
                    head = await read_head(reader)
                    body = await read_body(reader, head, until_close=False) if head else b""
                if head is not None:
                    await self._answer(head, body, writer)
            except WireError as fault:
                writer.write(_page("400 Bad Request", "That was not a web request.", str(fault)))
            except TimeoutError:
                pass
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_WAIT_S):
                    await writer.drain()
        writer.close()

    async def _answer(self, head: Head, body: bytes, writer: StreamWriter) -> None:
        method, path, _ = (*head.first.split(" "), "", "")[:3]
        if path == HOME_PATH:
            writer.write(self._turn_to(HOME))
        elif path.startswith(GO_PATH + "?"):
            asked = parse_qs(urlsplit(path).query).get("url", [HOME])[0]
            writer.write(self._turn_to(asked))
        else:
            await self._carry(method, path, _outward(head, self._origin), body, writer)

    def _turn_to(self, url: str) -> bytes:
        there = self._enter(url)
        if there is None:
            return _page("502 Bad Gateway", "The lab's internet is plain http only.", url)
        return Head("HTTP/1.1 302 Found", (("Location", there), *_CLOSING)).encoded()

    def _enter(self, url: str) -> str | None:
        """Remember the site of ``url``; the path to ask of it, or None when not plain http."""
        try:
            parts = urlsplit(url)
            speakable = parts.scheme == "http" and parts.hostname and parts.port != 0
        except ValueError:  # a port or an address that cannot be
            speakable = False
        if not speakable or not url.isascii() or not url.isprintable() or " " in url:
            return None
        self._origin = parts.netloc
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    async def _carry(
        self, method: str, path: str, head: Head, body: bytes, writer: StreamWriter
    ) -> None:
        there = urlsplit(f"//{self._origin}")
        host = there.hostname or ""
        try:
            far_reader, far_writer = await self._road.open(host, there.port or 80)
        except (OSError, TimeoutError, ResolveError) as fault:
            writer.write(_page("502 Bad Gateway", f"The phone cannot reach {host}.", str(fault)))
            return
        with contextlib.closing(far_writer):
            far_writer.write(replace(head, first=f"{method} {path} HTTP/1.1").encoded() + body)
            await far_writer.drain()
            async with asyncio.timeout(IDLE_WAIT_S):
                answer = await read_head(far_reader)
            if answer is None:
                writer.write(_page("502 Bad Gateway", f"{host} hung up without an answer.", ""))
                return
            top = (head.field("sec-fetch-dest") or "document") in _TOP
            writer.write(self._inward(answer, top=top).encoded())
            while True:
                async with asyncio.timeout(IDLE_WAIT_S):
                    writer.write(chunk := await far_reader.read(CHUNK_BYTES))
                    await writer.drain()
                if not chunk:
                    return

    def _inward(self, answer: Head, *, top: bool) -> Head:
        """The answer as the browser should see it: redirects, cookies and framing made its own."""
        fields = [("Connection", "close")]
        for key, text in answer.fields:
            name = key.lower()
            if name == "location" and text.startswith("http://") and top:
                fields.append((key, self._enter(text) or text))
            elif name == "set-cookie":
                fields.append((key, COOKIE_PREFIX + _without_domain(text)))
            elif name == "content-security-policy":
                fields.append((key, _framable(text)))
            elif name not in _HOP and name != "x-frame-options":
                fields.append((key, text))
        return Head(answer.first, tuple(fields))


def _outward(head: Head, origin: str) -> Head:
    """The request as the phone itself would have made it to ``origin``."""
    fields = [("Host", origin), ("Connection", "close")]
    ours = head.field("host") or ""
    for key, text in head.fields:
        name = key.lower()
        if name in {"origin", "referer"}:
            fields.append((key, text.replace(f"//{ours}", f"//{origin}", 1)))
        elif name == "cookie":
            own = [crumb for crumb in text.split("; ") if crumb.startswith(COOKIE_PREFIX)]
            fields += [(key, "; ".join(c.removeprefix(COOKIE_PREFIX) for c in own))] if own else []
        elif name == "transfer-encoding":
            continue  # the body was read whole; its length follows
        elif name not in _HOP and name not in {"host", "upgrade-insecure-requests"}:
            fields.append((key, text))
    return Head(head.first, tuple(fields))


def _without_domain(cookie: str) -> str:
    kept = [part for part in cookie.split(";") if not part.strip().lower().startswith("domain=")]
    return ";".join(part for part in kept if part.strip().lower() != "secure")


def _framable(policy: str) -> str:
    """The policy without the word on who may frame the page: the handset page shows this phone."""
    parts = [part for part in policy.split(";") if not part.strip().startswith("frame-ancestors")]
    return ";".join(parts)


_CLOSING = (("Cache-Control", "no-store"), ("Content-Length", "0"), ("Connection", "close"))


def _page(status: str, title: str, detail: str) -> bytes:
    """A page of the phone itself, which is none of the product's."""
    body = f"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>
<style>body{{font:18px/1.5 sans-serif;max-width:32em;margin:3em auto;padding:0 1em}}</style>
<h1>{html.escape(title)}</h1><p>{html.escape(detail)}</p>
<p><a href="{HOME_PATH}">Try again</a></p>
""".encode()
    fields = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
    )
    return Head(f"HTTP/1.1 {status}", fields).encoded() + body


async def serve_phone(phone: Phone, *, port: int) -> asyncio.Server:
    """Open the phone to browsers on this machine. Raises OSError when the port is taken."""
    return await asyncio.start_server(phone.visit, "127.0.0.1", port, limit=HEAD_BYTES_MAX)
