"""The internet's web servers, as far as a phone asks: the probe hosts, and a page that says hello.

The answers of the probe hosts are what each system takes for "online": facts of the vendors.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import itertools
from typing import TYPE_CHECKING

from controller.sandbox.lab.wire import Head, WireError, read_head

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

APPLE = b"<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"
REQUEST_WAIT_S = 30.0
DOWNLOAD_MAX_BYTES = 100_000_000
_CHUNK = bytes(16_384)

NO_CONTENT = frozenset(
    {
        "connectivitycheck.gstatic.com",
        "clients3.google.com",
        "www.google.com",
        "play.googleapis.com",
        "connectivitycheck.android.com",
        "connect.rom.miui.com",
        "connectivitycheck.platform.hicloud.com",
        "connectivitycheck.platform.hihonorcloud.com",
        "connectivity-check.ubuntu.com",
        "cp.cloudflare.com",
    }
)
"""Hosts whose probe answers 204 with no body (Android and its makers, Ubuntu, Cloudflare)."""

TEXTS: dict[str, bytes] = {
    "captive.apple.com": APPLE,
    "www.apple.com": APPLE,
    "www.msftconnecttest.com": b"Microsoft Connect Test",
    "ipv6.msftconnecttest.com": b"Microsoft Connect Test",
    "www.msftncsi.com": b"Microsoft NCSI",
    "detectportal.firefox.com": b"success\n",
    "nmcheck.gnome.org": b"NetworkManager is online",
    "network-test.debian.org": b"NetworkManager is online\n",
    "fedoraproject.org": b"OK",
    "networkcheck.kde.org": b"OK",
}
"""Hosts whose probe answers 200 with exactly this body."""


async def serve_web(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer one request and close. A broken or silent visitor is let go."""
    broken = (WireError, OSError, TimeoutError, asyncio.IncompleteReadError)
    with contextlib.suppress(*broken):
        async with asyncio.timeout(REQUEST_WAIT_S):
            head = await read_head(reader)
        if head is not None:
            await _answer(head, writer)
    writer.close()


async def _answer(head: Head, writer: StreamWriter) -> None:
    path = [*head.first.split(" "), "/"][1]
    host = (head.field("host") or "").partition(":")[0].lower()
    if path.startswith("/download/"):
        await _download(path.removeprefix("/download/"), writer)
        return
    peer = writer.get_extra_info("peername")[0]
    writer.write(probe_answer(host) or page(host=host, peer=peer))
    await writer.drain()


def probe_answer(host: str) -> bytes | None:
    """What ``host`` answers to a connectivity probe, or None when it is no probe host."""
    if host in NO_CONTENT:
        return Head("HTTP/1.1 204 No Content", (("Connection", "close"),)).encoded()
    body = TEXTS.get(host)
    return None if body is None else _ok(body, "text/html" if body == APPLE else "text/plain")


def page(*, host: str, peer: str) -> bytes:
    """The page that any other name shows: proof to a stranger that packets got through."""
    body = f"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>You are on the internet</title>
<style>body{{font:18px/1.5 sans-serif;max-width:32em;margin:3em auto;padding:0 1em}}</style>
<h1>You are on the internet</h1>
<p>This is <b>{html.escape(host) or "a web page"}</b>, served from outside the site.
It sees you as {html.escape(peer)}.</p>
<p>Use some of what you bought: <a href="/download/1000000">1 MB</a>,
<a href="/download/5000000">5 MB</a>, <a href="/download/20000000">20 MB</a>.</p>
"""
    return _ok(body.encode(), "text/html; charset=utf-8")


def _ok(body: bytes, kind: str) -> bytes:
    fields = (
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Connection", "close"),
    )
    return Head("HTTP/1.1 200 OK", fields).encoded() + body


async def _download(asked: str, writer: StreamWriter) -> None:
    size = min(int(asked), DOWNLOAD_MAX_BYTES) if asked.isdecimal() else 0
    fields = (
        ("Content-Type", "application/octet-stream"),
        ("Content-Disposition", 'attachment; filename="sample.bin"'),
        ("Content-Length", str(size)),
        ("Connection", "close"),
    )
    writer.write(Head("HTTP/1.1 200 OK", fields).encoded())
    whole, rest = divmod(size, len(_CHUNK))
    for chunk in itertools.chain(itertools.repeat(_CHUNK, whole), [bytes(rest)]):
        writer.write(chunk)
        await writer.drain()
