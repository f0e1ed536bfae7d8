"""The main job at a MikroTik site: controller, M-PESA, agent, its portal and a router, all at work.

The router is emulated and its device speaks from 127.0.5.7, so that the portal sees that address.
Only the site's clock is hurried.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import httpx2
from pydantic import SecretStr

from agent import identity as identities
from agent import routers, running
from agent.config import Config
from agent.journal import Journal
from agent.router import RouterOs
from agent.running import ConfigFile, Parts
from agent.uplink.grpc import GrpcUplink
from controller.config import Settings
from controller.config_sections import EdgeSettings, HttpSettings, MpesaSection
from controller.main import open_controller
from controller.sandbox.fingers import Fingers
from controller.sandbox.stall import Stall
from shaping.routeros.rows import FILTER, LISTS, QUEUES
from tests.routeros.emulator import PASSWORD, USER
from tests.support.daraja import a_world, sim_settings
from tests.support.hurried import HurriedClock, hurried
from tests.support.lab import eventually
from tests.support.radius import free_port
from tests.support.router import Emulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

HERE = "127.0.0.1"
DEVICE, MAC = "127.0.5.7", "02:00:00:00:00:05"
PHONE, MSISDN = "0712 345 678", "254712345678"
SITE = "stage-4"
PLAN_ID = "minutes-2"
PLAN = {
    "id": PLAN_ID,
    "name": "2 minutes",
    "price": {"amount": "10.00", "currency": "KES"},
    "down_bps": 4_000_000,
    "up_bps": 2_000_000,
    "validity_s": 120,
}
UP, DOWN = 3_000, 700_000
WAIT_S = 30
FOREIGN: tuple[tuple[str, dict[str, str]], ...] = (
    (QUEUES, {"name": "office", "target": "10.5.50.200/32", "max_limit": "5M/5M"}),
    (LISTS, {"list": "staff", "address": "10.5.50.200", "comment": "do not touch"}),
    (FILTER, {"chain": "forward", "action": "accept", "comment": "old: let everybody through"}),
)


@dataclass
class Site:
    """A customer's hands at the device, staff's at the controller, and a look at the router."""

    router: Emulated
    stall: Stall
    fingers: Fingers
    phone: httpx2.AsyncClient

    def passes(self, *, up: int = UP, down: int = DOWN) -> bool:
        """Whether the device's bytes pass."""
        got = self.router.do(lambda box: box.pass_bytes(DEVICE, mac=MAC, up=up, down=down))
        return sum(got) == up + down

    def ours(self, kind: str, menu: str) -> list[dict[str, str]]:
        """Our rows of a kind."""
        start = f"lango {kind}"
        return [r for r in self.router.rows(menu) if r.get("comment", "").startswith(start)]

    def strangers(self) -> list[tuple[str, str, str]]:
        """What is not ours on the router, by menu, id and name."""
        return [
            (menu, row[".id"], row.get("name", row.get("comment", "")))
            for menu in (QUEUES, LISTS, FILTER)
            for row in self.router.rows(menu)
            if not row.get("comment", "").startswith("lango ")
        ]

    async def until(self, true: Callable[[], bool]) -> None:
        """Until it is so."""
        async with asyncio.timeout(WAIT_S):
            while not true():  # noqa: ASYNC110 - a router is only seen by looking
                await asyncio.sleep(0.02)

    async def order(self) -> None:
        """Choose the plan at the portal, type the number, and the PIN on the phone."""

        async def sold() -> bool:
            return PLAN_ID in (await self.phone.get("/packages")).text

        await eventually(sold, wait_s=WAIT_S)
        answer = await self.phone.post("/order", data={"plan": PLAN_ID, "phone": PHONE})
        assert answer.status_code == 303, answer.text
        await self.fingers.pay(MSISDN)

    async def usage(self) -> tuple[int, int]:
        """What the controller knows that the device moved, down and up."""
        rows: list[dict[str, Any]] = await self.stall.list("sessions")
        return sum(row["down_bytes"] for row in rows), sum(row["up_bytes"] for row in rows)

    async def used(self, down: int, up: int) -> None:
        """Until the controller knows just that."""

        async def known() -> bool:
            return (await self.usage()) == (down, up)

        await eventually(known, wait_s=WAIT_S)

    async def shown(self) -> int:
        """The bytes up that the portal shows."""
        found = re.search(r'id="up" data-bytes="([0-9]+)"', (await self.phone.get("/status")).text)
        return int(found[1]) if found else 0


@asynccontextmanager
async def a_site(folder: Path) -> AsyncIterator[Site]:
    told = sim_settings()
    async with a_world(told) as world:
        settings = Settings(
            state_dir=folder / "controller",
            http=HttpSettings(port=free_port(), callback_sources=(HERE,)),
            edge=EdgeSettings(port=free_port(), join_port=free_port()),
            mpesa=MpesaSection(
                base_url=world.url,
                shortcode=told.shortcode,
                consumer_key=told.consumer_key,
                consumer_secret=SecretStr(told.consumer_secret),
                passkey=SecretStr(told.passkey),
            ),
        )
        async with open_controller(settings) as controller:
            url = f"http://{HERE}:{controller.http_port}"
            stall = Stall(url=url, staff_key=controller.deps.vault.staff_key())
            await stall.add("/api/v1/sites", {"id": SITE, "name": "Stage 4", "language": "en"})
            await stall.add("/api/v1/plans", PLAN)
            token = identities.parse_token(await stall.join_token(SITE))
            fingers = Fingers(world.url)
            with Emulated(major=7, clock=hurried) as router:
                for menu, words in FOREIGN:
                    router.do(lambda box, at=menu, row=words: box.add(at, **row))  # type: ignore[misc]
                arp = {"address": DEVICE, "mac_address": MAC, "interface": "bridge"}
                router.do(lambda box: box.add("/ip/arp", **arp))
                async with (
                    an_agent(folder / "agent", router, token) as port,
                    a_phone(port) as phone,
                ):
                    yield Site(router, stall, fingers, phone)
            await stall.close()
            await fingers.close()


@asynccontextmanager
async def an_agent(
    folder: Path, router: Emulated, token: identities.JoinToken
) -> AsyncIterator[int]:
    """The agent, joined, beside the router; its portal's port."""
    secret, port = folder / "router.password", free_port()
    secret.write_text(f"{PASSWORD}\n")
    beside = RouterOs(
        host=router.box.host,
        port=router.box.port,
        user=USER,
        password_file=secret,
        interfaces=("bridge",),
        portal=IPv4Address(HERE),
        fingerprint=None,
    )
    config = Config(state_dir=folder, plane="routeros", portal_port=port, routers=(beside,))
    clock = HurriedClock()
    identity = await identities.join(token, folder)
    plane, lan = routers.boxes(config.routers, port, clock)
    uplink, journal = GrpcUplink(identity.credentials), Journal(folder / running.JOURNAL)
    parts = Parts(identity.site_id, plane, lan, uplink, plane.close)
    file = ConfigFile(folder / "agent.toml", config)
    work = asyncio.create_task(
        running.operate(file, parts, journal, clock=clock, identity=identity)
    )
    try:
        yield port
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        plane.close()
        await uplink.close()
        journal.close()


@asynccontextmanager
async def a_phone(port: int) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser on the device, which the router leads to the portal."""
    transport = httpx2.AsyncHTTPTransport(local_address=DEVICE, retries=50)
    at = f"http://{HERE}:{port}"
    headers = {"Host": "wifi.lango"}
    async with httpx2.AsyncClient(transport=transport, base_url=at, headers=headers) as phone:
        yield phone


async def test_pays_passes_is_counted_is_mended_and_ends(tmp_path: Path) -> None:
    (tmp_path / "agent").mkdir()
    async with a_site(tmp_path) as site:
        open_before, strangers = site.passes(), site.strangers()
        await site.until(lambda: not site.passes())
        await site.order()
        await site.until(lambda: bool(site.ours("way", LISTS)))
        (way,), (queue,) = site.ours("way", LISTS), site.ours("session", QUEUES)
        online = site.passes()
        await site.used(DOWN, UP)
        shown = await site.shown()

        site.router.do(lambda box: box.remove(LISTS, way[".id"]))
        shut = site.passes()
        await site.until(lambda: bool(site.ours("way", LISTS)))
        mended = site.passes()

        await site.until(lambda: not site.ours("way", LISTS))
        after = site.passes()
        await site.used(2 * DOWN, 2 * UP)
        await site.until(lambda: not site.ours("session", QUEUES))
        (payment,) = await site.stall.list("payments")
        left = site.strangers()

    assert (open_before, online, shut, mended, after) == (True, True, False, True, False)
    assert (queue["target"], queue["max-limit"]) == (f"{DEVICE}/32", "2000000/4000000")
    assert (way["address"], shown) == (DEVICE, UP)
    assert payment["state"] == "settled"
    assert left == strangers
