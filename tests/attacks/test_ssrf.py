"""Nobody who types an address makes this machine ask what only this machine can reach.

That redirects are not followed is seen in ``tests/controller/notify/test_http_webhook.py``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller.api.rights import PREFIX
from controller.config_sections import MapSection
from controller.noc.pages.setup_accounts import PRODUCTION, SANDBOX, SMS_PRODUCTION, SMS_SANDBOX
from controller.notify.http_webhook import HttpWebhooks, resolved
from controller.notify.outside import HttpOutside
from controller.store import chosen
from controller.store.alert_rows import WebhookRow
from controller.usecases.webhooks import send_due
from tests.attacks.asking import application, asked, asking, prepared
from tests.attacks.doors import NEW_ROUTE, SETUP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.attacks.business import Business

INWARDS = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "localhost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fd00::1]",
    "169.254.169.254",
    "10.0.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "inward.example.com",
    "both.example.com",
    "mapped.example.com",
)
PROVIDERS = frozenset({PRODUCTION, SANDBOX, SMS_PRODUCTION, SMS_SANDBOX})
NAMES = {
    "inward.example.com": ["127.0.0.1"],
    "both.example.com": ["93.184.216.34", "127.0.0.1"],
    "mapped.example.com": ["::ffff:127.0.0.1"],
}


@asynccontextmanager
async def a_canary() -> AsyncIterator[tuple[int, list[bytes]]]:
    """Something on this machine that nobody may reach, and what reached it."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


async def looked_up(host: str, port: int) -> list[str]:
    """The addresses of a name as an attacker's server says them."""
    return NAMES[host] if host in NAMES else await resolved(host, port)


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_webhook_goes_nowhere_inside(business: Business, scheme: str) -> None:
    carrier = HttpWebhooks(resolve=looked_up)
    office = replace(business.office, deps=replace(business.office.deps, webhooks=carrier))
    business = replace(business, office=office)
    app, key = application(business), {"Authorization": f"Bearer {office.key}"}
    async with a_canary() as (port, heard), asking(app) as client:
        for host in INWARDS:
            told = {**(NEW_ROUTE.content or {}), "target": f"{scheme}://{host}:{port}/in"}
            made = await asked(client, NEW_ROUTE, business.ids, told, headers=key)
            if made.is_success:
                route = made.json()["route"]["id"]
                tried = await client.post(f"{PREFIX}/alert-routes/{route}/test", headers=key)
                assert tried.is_success, tried.text
        await send_due(office.deps)
        await send_due(office.deps)
    async with office.deps.db.read() as tx:
        states = set(await tx.scalars(select(WebhookRow.state)))
    await carrier.close()
    await app.state.hub.close()

    assert heard == []
    assert states == ({"given_up"} if scheme == "https" else set())


async def test_our_own_address_is_looked_at_from_outside_only(business: Business) -> None:
    outside = HttpOutside(resolve=looked_up)
    office = replace(business.office, deps=replace(business.office.deps, outside=outside))
    app, told = application(replace(business, office=office)), set()
    async with a_canary() as (port, heard), asking(app, cookies=business.owner_cookies) as client:
        for scheme, host in itertools.product(("https", "http"), INWARDS):
            address = {"public_url": f"{scheme}://{host}:{port}"}
            kept = await client.post("/noc/setup/address", data=address)
            told.add(kept.status_code)
    await outside.close()
    await app.state.hub.close()

    assert heard == []
    assert 303 in told, "an address that is kept is looked at"


@pytest.mark.parametrize(
    ("path", "field"), [("/noc/setup/mpesa", "environment"), ("/noc/setup/sms", "carrier")]
)
async def test_nobody_chooses_where_providers_are(
    business: Business, path: str, field: str
) -> None:
    (deed,) = [one for one in SETUP if one.path == path]
    app, ids = application(business), {**business.ids}
    async with asking(app, cookies=business.owner_cookies) as client:
        await prepared(client, business, deed, ids)
        for strange in ("https://evil.example", "simulated", "", "production/../..//evil.example"):
            content = {**(deed.content or {}), field: strange, "base_url": "https://evil.example"}
            await asked(client, deed, ids, content)
    await app.state.hub.close()
    async with business.office.deps.db.read() as tx:
        kept = {row.name: row.value or "" for row in await chosen.every(tx)}

    assert all("evil" not in value for value in kept.values())
    assert all(json.loads(v) in PROVIDERS for name, v in kept.items() if name.endswith(".base_url"))


async def test_a_logo_is_bytes_and_never_an_address(business: Business) -> None:
    app, key = application(business), {"Authorization": f"Bearer {business.office.key}"}
    async with a_canary() as (port, heard), asking(app) as client:
        told = {"logo": f"http://127.0.0.1:{port}/x.png"}
        answer = await client.post(f"{PREFIX}/operator/logo", json=told, headers=key)
    await app.state.hub.close()

    assert (answer.status_code, heard) == (422, [])


async def test_map_tiles_are_asked_by_browsers_and_not_by_us(business: Business) -> None:
    async with a_canary() as (port, heard):
        tiles = MapSection(tiles=f"http://127.0.0.1:{port}/{{z}}/{{x}}/{{y}}.png")
        told = business.office.deps.settings.model_copy(update={"map": tiles})
        deps = replace(business.office.deps, settings=told)
        app = application(replace(business, office=replace(business.office, deps=deps)))
        async with asking(app, cookies=business.owner_cookies) as client:
            page = await client.get("/noc/map")
        await app.state.hub.close()

    assert heard == []
    assert (
        f"img-src 'self' data: http://127.0.0.1:{port};" in page.headers["content-security-policy"]
    )
