"""The operator's own map tiles, from a real server: the browser asks it and nobody else."""

from __future__ import annotations

import asyncio
import re
import struct
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from controller.config_sections import MapSection
from tests.support.browser import DESK_SIZE, browsing
from tests.support.network import keep_network
from tests.support.office import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.office import Office

pytestmark = pytest.mark.browser

ASKS = "address => fetch(address).then(() => 'sent', () => 'refused')"
TILE = re.compile(r"GET /earth/(\d+)/(\d+)/(\d+)\.png HTTP/1\.1")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PIXEL = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\x00\x99\xbb\x99"))
    + _chunk(b"IEND", b"")
)


@dataclass(slots=True)
class Tiles:
    """A server of tiles: what it was asked, with the headers."""

    port: int = 0
    asked: list[str] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One pixel to every request."""
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        head = f"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {len(PIXEL)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + PIXEL)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving_tiles() -> AsyncIterator[Tiles]:
    tiles = Tiles()
    async with await asyncio.start_server(tiles.answer, "127.0.0.1", 0) as server:
        tiles.port = server.sockets[0].getsockname()[1]
        yield tiles


def with_tiles(office: Office, tiles: Tiles) -> Office:
    told = MapSection(
        tiles=f"http://localhost:{tiles.port}/earth/{{z}}/{{x}}/{{y}}.png", attribution="Ardhi Maps"
    )
    settings = office.deps.settings.model_copy(update={"map": told})
    return replace(office, deps=replace(office.deps, settings=settings))


async def test_the_map_asks_the_operators_tiles_and_nobody_else(office: Office) -> None:
    await keep_network(office)
    faults: list[str] = []
    others: list[str] = []
    async with serving_tiles() as tiles, browsing() as browser:
        told = with_tiles(office, tiles)
        async with opened(told) as url:
            ours = (url, f"http://localhost:{tiles.port}/earth/")
            page = await (await browser.new_context(viewport=DESK_SIZE)).new_page()
            page.on("console", lambda one: faults.append(one.text) if one.type == "error" else None)
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on(
                "request",
                lambda one: None if one.url.startswith(ours) else others.append(one.url),
            )
            await page.goto(f"{url}/noc?key={office.key}")
            answer = await page.goto(f"{url}/noc/map")
            await page.wait_for_selector("img.leaflet-tile-loaded")
            shown = await page.evaluate(
                "document.querySelector('img.leaflet-tile-loaded').naturalWidth"
            )
            text = await page.inner_text("#tiles")
            refused = await page.evaluate(ASKS, f"http://localhost:{tiles.port}/else.json")
            elsewhere = await page.goto(f"{url}/noc/sites")
            await page.context.close()

    assert answer is not None
    assert elsewhere is not None
    images = re.search(r"img-src ([^;]*)", answer.headers["content-security-policy"])
    assert images is not None
    assert images[1].split() == ["'self'", "data:", f"http://localhost:{tiles.port}"]
    assert "localhost" not in elsewhere.headers["content-security-policy"]
    assert shown == 1
    assert "Ardhi Maps" in text
    assert refused == "refused"
    assert all(TILE.match(one) for one in tiles.asked), tiles.asked
    assert len(tiles.asked) >= 4
    for secret in ("Cookie:", "Authorization:", "/noc", office.key):
        assert all(secret not in one for one in tiles.asked), secret
    assert others == []
    assert [one for one in faults if "else.json" not in one] == []
