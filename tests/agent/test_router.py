"""A site with a MikroTik router: its configuration, what the doctor says, and a customer's way."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from ssl import PEM_cert_to_DER_cert
from typing import TYPE_CHECKING, Any

import pytest

from agent import config as configs
from agent import router as routers
from agent import router_checks
from agent import routers as several
from agent.clock import SystemClock
from agent.config import ConfigFaults
from agent.courier import Courier
from agent.findings import Verdict
from agent.gate import SiteGate
from agent.journal import Journal
from agent.loop import Loop
from agent.model import Notice
from agent.router import RouterOs
from agent.uplink.memory import MemoryController, MemoryUplink, plan_item, site_item
from billing.ids import OrderId
from billing.payment import OrderStage
from portal.captive.gate import SiteFace
from shaping.routeros.rows import LISTS, QUEUES
from tests.routeros.emulator import PASSWORD, USER
from tests.support.router import Emulated
from tests.support.site import an_offer, some_limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from agent.model import Fact

GOOD = """
plane = "routeros"
[routeros]
host = "10.9.0.1"
fingerprint = "{pin}"
user = "lango"
password_file = "/etc/lango/router.password"
interfaces = ["bridge-hs", "vlan20"]
portal = "10.9.0.2"
"""
PIN = "AB" * 32
PORTAL_IS = 'portal = "10.9.0.2"\n'
MAC, ADDRESS = "02:00:00:00:00:05", "10.5.50.7"
WAIT_S = 10
PORTAL = IPv4Address("192.168.1.7")
SERVER = "/interface/pppoe-server/server"


def loaded(tmp_path: Path, text: str) -> configs.Config:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    return configs.load(path)


def test_a_router_is_read(tmp_path: Path) -> None:
    (read,) = loaded(tmp_path, GOOD.format(pin=PIN)).routers

    assert (read.port, read.fingerprint) == (8729, PIN.lower())
    assert read.interfaces == ("bridge-hs", "vlan20")
    assert str(read.portal) == "10.9.0.2"


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('host = "10.9.0.1"', 'host = "no host"', "routeros.host"),
        ('host = "10.9.0.1"', "", "routeros.host"),
        (PIN, "abc", "routeros.fingerprint"),
        (f'fingerprint = "{PIN}"', "", "routeros.fingerprint"),
        ('user = "lango"', 'user = ""', "routeros.user"),
        ("/etc/lango", "here", "routeros.password_file"),
        ('["bridge-hs", "vlan20"]', "[]", "routeros.interfaces"),
        ('["bridge-hs", "vlan20"]', '["a", "a"]', "routeros.interfaces"),
        ('["bridge-hs", "vlan20"]', '["a b"]', "routeros.interfaces"),
        ('["bridge-hs", "vlan20"]', "[7]", "routeros.interfaces"),
        ('["bridge-hs", "vlan20"]', "[7, 7]", "routeros.interfaces"),
        ('portal = "10.9.0.2"', 'portal = "here"', "routeros.portal"),
        ('portal = "10.9.0.2"', f'{PORTAL_IS}pppoe = "both"', "routeros.pppoe"),
        ('portal = "10.9.0.2"', f'{PORTAL_IS}pppoe = "secrets"', "routeros.pppoe_network"),
        (
            'portal = "10.9.0.2"',
            f'{PORTAL_IS}pppoe_network = "10.20.0.0/24"',
            "routeros.pppoe_network",
        ),
        (
            'portal = "10.9.0.2"',
            f'{PORTAL_IS}pppoe = "secrets"\npppoe_network = "10.0.0.0/8"',
            "routeros.pppoe_network",
        ),
        ('portal = "10.9.0.2"', 'portal = "10.9.0.2"\nport = 0', "routeros.port"),
        ('plane = "routeros"', 'plane = "linux"', "routeros"),
        ("[routeros]", "[network]\nlease_s = 3600\n[routeros]", "network"),
    ],
)
def test_a_router_that_cannot_be_is_told_by_its_key(
    tmp_path: Path, before: str, after: str, fault: str
) -> None:
    with pytest.raises(ConfigFaults) as wrong:
        loaded(tmp_path, GOOD.format(pin=PIN).replace(before, after))

    assert {one.partition(":")[0] for one in wrong.value.faults} == {fault}


def test_a_router_without_tls_is_read_when_that_is_said(tmp_path: Path) -> None:
    text = GOOD.format(pin=PIN).replace(f'fingerprint = "{PIN}"', "tls = false")
    (read,) = loaded(tmp_path, text).routers

    assert (read.port, read.fingerprint) == (8728, None)


def test_a_router_that_keeps_secrets_is_read(tmp_path: Path) -> None:
    text = GOOD.format(pin=PIN)
    (plain,) = loaded(tmp_path, text + 'pppoe = "radius"\n').routers
    (kept,) = loaded(tmp_path, text + 'pppoe = "secrets"\npppoe_network = "10.64.0.0/22"\n').routers

    assert (plain.lines, str(kept.lines)) == (None, "10.64.0.0/22")
    assert (several.lines_at((plain,)), several.lines_at((kept,))) == ("", several.LINES)


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulated]:
    with Emulated(major=7, clock=time.monotonic) as router:
        yield router


def a_router(emulated: Emulated, folder: Path, **changes: Any) -> RouterOs:
    secret = folder / "router.password"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o600)
    shown = sha256(PEM_cert_to_DER_cert(emulated.box.certificate_pem.decode())).hexdigest()
    values = {
        "host": emulated.box.host,
        "port": emulated.box.tls_port,
        "user": USER,
        "password_file": secret,
        "interfaces": ("bridge",),
        "portal": PORTAL,
        "fingerprint": shown,
    }
    return RouterOs(**{**values, **changes})


async def verdicts(router: RouterOs) -> dict[str, Verdict]:
    return {one.check: one.verdict for one in await router_checks.findings(router)}


async def test_the_doctor_finds_a_router_well(emulated: Emulated, tmp_path: Path) -> None:
    found = await verdicts(a_router(emulated, tmp_path))

    assert found.pop("router interface bridge arp", Verdict.WARN) is Verdict.WARN
    assert set(found.values()) == {Verdict.PASS}
    assert found.keys() == {"router password", "router link", "router", "router interface bridge"}


@pytest.mark.parametrize(
    ("changes", "check", "verdict"),
    [
        ({"fingerprint": "1" * 64}, "router", Verdict.FAIL),
        ({"fingerprint": "0" * 64}, "router link", Verdict.FAIL),
        ({"user": "nobody"}, "router", Verdict.FAIL),
        ({"interfaces": ("vlan9",)}, "router interface vlan9", Verdict.FAIL),
        ({"portal": IPv4Address("10.5.50.7")}, "router interface bridge", Verdict.FAIL),
        ({"interfaces": ("ether1",)}, "router interface ether1", Verdict.FAIL),
    ],
)
async def test_the_doctor_names_what_is_wrong_with_a_router(
    emulated: Emulated, tmp_path: Path, changes: dict[str, Any], check: str, verdict: Verdict
) -> None:
    found = await verdicts(a_router(emulated, tmp_path, **changes))

    assert found[check] is verdict


async def test_the_doctor_looks_at_the_password_file_first(
    emulated: Emulated, tmp_path: Path
) -> None:
    router = a_router(emulated, tmp_path)
    router.password_file.chmod(0o644)
    shared = (await verdicts(router))["router password"]
    router.password_file.unlink()
    found = await verdicts(router)

    assert shared is Verdict.WARN
    assert found["router password"] is Verdict.FAIL
    assert "router" not in found


LINES = IPv4Network("10.64.0.0/24")


async def test_the_doctor_finds_a_router_ready_for_those_who_dial_in(
    emulated: Emulated, tmp_path: Path
) -> None:
    found = await verdicts(a_router(emulated, tmp_path, lines=LINES))

    assert found["router pppoe"] is Verdict.PASS
    assert found["router pppoe network"] is Verdict.PASS
    assert "router pppoe secrets" not in found


@pytest.mark.parametrize("network", ["10.20.7.0/24", "192.168.0.0/20", "10.5.0.0/24"])
async def test_the_doctor_names_who_has_addresses_of_those_who_dial_in(
    emulated: Emulated, tmp_path: Path, network: str
) -> None:
    found = await verdicts(a_router(emulated, tmp_path, lines=IPv4Network(network)))

    assert found["router pppoe network"] is Verdict.FAIL


async def test_the_doctor_names_a_missing_server_a_strangers_secret_and_a_blind_user(
    tmp_path: Path,
) -> None:
    with Emulated(major=7, clock=time.monotonic) as router:
        server = router.rows(SERVER)[0][".id"]
        router.do(lambda box: box.edit(SERVER, server, disabled="yes"))
        words = {"name": "old", "password": "pw", "remote_address": "10.64.0.9"}
        router.do(lambda box: box.add("/ppp/secret", **words))
        router.do(lambda box: box.add("/user/group", name="few", policy="read,write,api"))
        router.do(lambda box: box.add("/user", name="blind", group="few", password=PASSWORD))
        asked = a_router(router, tmp_path, lines=LINES, user="blind")
        found = {one.check: one for one in await router_checks.findings(asked)}

    assert found["router pppoe"].verdict is Verdict.FAIL
    assert "the secret old" in found["router pppoe network"].text
    assert found["router pppoe secrets"].verdict is Verdict.WARN


class Site:
    """An agent beside an emulated router, with clocks that run."""

    def __init__(
        self, router: Emulated, loop: Loop, gate: SiteGate, told: MemoryController
    ) -> None:
        self.router, self.loop, self.gate, self.controller = router, loop, gate, told

        self.facts: list[Fact] = []
        self._turned = asyncio.Event()
        loop.listen(self._take)

    def _take(self, facts: tuple[Fact, ...], _: bool) -> None:  # noqa: FBT001 - a callback
        self.facts += facts
        self._turned.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Until it is so after some turn of the loop."""
        async with asyncio.timeout(WAIT_S):
            while not true():
                self._turned.clear()
                await self._turned.wait()

    @property
    def prompted(self) -> bool:
        order = self.gate.device(ADDRESS).order
        return order is not None and order.stage is OrderStage.PROMPTED

    def counted(self) -> int:
        access = self.gate.device(ADDRESS).access
        return 0 if access is None else access.up_bytes

    def passes(self, size: int = 1_000) -> bool:
        passed = self.router.do(
            lambda box: box.pass_bytes(ADDRESS, mac=MAC.upper(), up=size, down=size)
        )
        return sum(passed) == 2 * size

    def marks(self, menu: str) -> list[str]:
        rows = self.router.rows(menu)
        return [row["comment"] for row in rows if row.get("comment", "").startswith("lango ")]


@asynccontextmanager
async def a_site(router: Emulated, folder: Path) -> AsyncIterator[Site]:
    clock, controller = SystemClock(), MemoryController()
    controller.put_item(*site_item(SiteFace("Simba Net", "Stage 4", "0700 000 001", "sw")))
    controller.put_item(*plan_item(an_offer("hour", validity=3600), rank=1))
    plane, lan = routers.box(a_router(router, folder), 8000, clock)
    uplink, journal = MemoryUplink(controller), Journal(folder / "journal.db")
    loop = Loop(journal=journal, plane=plane, clock=clock)
    courier = Courier(loop=loop, journal=journal, uplink=uplink, clock=clock)
    gate = SiteGate(loop=loop, uplink=uplink, resolve=lan.resolve, secret="s3cret")
    works = [loop.run(), courier.run(), lan.watch(loop)]
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield Site(router, loop, gate, controller)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await plane.clear()
        plane.close()
        journal.close()


async def test_paying_opens_the_router_counts_is_mended_and_ends(
    emulated: Emulated, tmp_path: Path
) -> None:
    emulated.do(
        lambda box: box.add("/ip/arp", address=ADDRESS, mac_address=MAC, interface="bridge")
    )
    async with a_site(emulated, tmp_path) as site:
        await site.until(lambda: bool(site.marks(LISTS)) and bool(site.gate.offers()))
        captive = site.passes()
        await site.until(lambda: site.gate.device(ADDRESS) is not None)
        order = await site.gate.order(ADDRESS, plan_id="hour", phone="0712 345 678")
        await site.until(lambda: site.prompted)
        site.controller.pay(OrderId(order), limits=some_limits(validity=3600))
        await site.until(lambda: any("way" in mark for mark in site.marks(LISTS)))
        online = site.passes()
        await site.until(lambda: site.counted() == 1_000)
        session = next(mark for mark in site.marks(QUEUES) if "session" in mark)
        emulated.do(lambda box: box.power_cut())
        shut = site.passes()
        await site.until(lambda: any("way" in mark for mark in site.marks(LISTS)))
        back = site.passes()
        anew = next(mark for mark in site.marks(QUEUES) if "session" in mark)

    assert (captive, online, shut, back) == (False, True, False, True)
    assert session != anew


async def test_what_a_router_does_not_take_is_told_once(emulated: Emulated, tmp_path: Path) -> None:
    taken = emulated.do(lambda box: box.add(QUEUES, name="lango-garden", target="10.9.9.9/32"))
    try:
        async with a_site(emulated, tmp_path) as site:
            await site.until(lambda: any(isinstance(one, Notice) for one in site.facts))
            told = [one.text for one in site.facts if isinstance(one, Notice)]
    finally:
        emulated.do(lambda box: box.remove(QUEUES, taken))

    assert len(told) == 1
    assert "already have such name" in told[0]
