"""A site with several MikroTik routers: its configuration, the doctor, and one router that dies."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

import pytest

from agent import config as configs
from agent import doctor, routers
from agent.clock import SystemClock
from agent.config import ConfigFaults
from agent.courier import Courier
from agent.gate import SiteGate
from agent.journal import Journal
from agent.loop import Loop
from agent.model import Notice
from agent.router import RouterOs
from agent.uplink.memory import MemoryController, MemoryUplink, grant_item, plan_item, site_item
from portal.captive.gate import SiteFace
from shaping.plane import MacAddress
from shaping.routeros.rows import LISTS
from tests.routeros.emulator import PASSWORD, USER, Faults
from tests.support.router import Emulated
from tests.support.site import an_offer, some_limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from agent.model import Fact

ONE = """
[[router]]
name = "{name}"
host = "{host}"
tls = false
user = "lango"
password_file = "/etc/lango/router.password"
interfaces = ["bridge"]
portal = "{portal}"
networks = ["{network}"]
"""
EAST = {"name": "east", "host": "10.9.0.1", "portal": "10.9.0.2", "network": "10.5.50.0/24"}
WEST = {"name": "west", "host": "10.9.1.1", "portal": "10.9.1.2", "network": "10.5.51.0/24"}
NEAR = (MacAddress("02:00:00:00:00:05"), "10.5.50.7")
FAR = (MacAddress("02:00:00:00:00:06"), "10.5.51.7")
WAIT_S = 20
PATIENCE_S = 1.0


def loaded(
    folder: Path, *rows: dict[str, str], head: str = 'plane = "routeros"\n'
) -> configs.Config:
    path = folder / "agent.toml"
    path.write_text(head + "".join(ONE.format(**row) for row in rows))
    return configs.load(path)


def test_several_routers_are_read(tmp_path: Path) -> None:
    config = loaded(tmp_path, EAST, WEST)

    assert [(one.name, str(one.host), one.networks) for one in config.routers] == [
        ("east", "10.9.0.1", (IPv4Network("10.5.50.0/24"),)),
        ("west", "10.9.1.1", (IPv4Network("10.5.51.0/24"),)),
    ]


def test_all_faults_of_all_routers_are_told_together(tmp_path: Path) -> None:
    rows = (
        {**EAST, "host": "no host", "portal": "here"},
        {**WEST, "name": "West!"},
        {**WEST, "name": "north", "network": "10.5.51.1/24"},
    )
    with pytest.raises(ConfigFaults) as wrong:
        loaded(tmp_path, *rows)

    assert [one.partition(":")[0] for one in wrong.value.faults] == [
        "router east.host",
        "router east.portal",
        "router West!.name",
        "router north.networks",
    ]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": "east"}, "two have the name east"),
        ({"network": "10.5.50.128/25"}, "10.5.50.0/24 and 10.5.50.128/25 overlap"),
        ({"host": "10.9.0.1"}, "both are at 10.9.0.1 port 8728"),
    ],
)
def test_routers_that_clash_are_told(tmp_path: Path, changes: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigFaults) as wrong:
        loaded(tmp_path, EAST, {**WEST, **changes})

    assert len(wrong.value.faults) == 1
    assert fault in wrong.value.faults[0]


SECRETS = 'pppoe = "secrets"\npppoe_network = "{network}"\n'


def test_one_router_of_several_keeps_secrets(tmp_path: Path) -> None:
    head = 'plane = "routeros"\n' + ONE.format(**EAST) + SECRETS.format(network="10.64.0.0/22")
    config = loaded(tmp_path, WEST, head=head)

    assert routers.lines_at(config.routers) == routers.LINES


def test_a_nas_may_be_called_as_the_router_that_keeps_secrets(tmp_path: Path) -> None:
    nas = '[[radius.nas]]\nname = "east"\naddress = "10.9.0.1"\nsecret_file = "/etc/lango/nas"\n'
    rows = (ONE.format(**EAST), SECRETS.format(network="10.64.0.0/22"), nas)
    path = tmp_path / "agent.toml"
    path.write_text("".join(('plane = "routeros"\n', *rows)))
    radius = configs.load(path).radius

    assert radius is not None
    assert [nas.name for nas in radius.nases] == ["east"]


@pytest.mark.parametrize(
    ("network", "fault"),
    [
        ("10.65.0.0/22", "one router of a site keeps secrets"),
        ("10.5.50.0/25", "overlaps 10.5.50.0/24 of router east"),
    ],
)
def test_secrets_that_clash_are_told(tmp_path: Path, network: str, fault: str) -> None:
    first = SECRETS.format(network="10.64.0.0/22") if "one router" in fault else ""
    path = tmp_path / "agent.toml"
    rows = (ONE.format(**EAST), first, ONE.format(**WEST), SECRETS.format(network=network))
    path.write_text("".join(('plane = "routeros"\n', *rows)))
    with pytest.raises(ConfigFaults) as wrong:
        configs.load(path)

    assert len(wrong.value.faults) == 1
    assert fault in wrong.value.faults[0]


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ('plane = "linux"\n', "router"),
        ('plane = "routeros"\n[routeros]\nhost = "10.9.0.1"\n', "routeros"),
        ('plane = "routeros"\n[network]\nlease_s = 3600\n', "network"),
    ],
)
def test_routers_stand_alone(tmp_path: Path, head: str, fault: str) -> None:
    with pytest.raises(ConfigFaults) as wrong:
        loaded(tmp_path, EAST, WEST, head=head)

    assert [one.partition(":")[0] for one in wrong.value.faults] == [fault]


@pytest.mark.parametrize(
    "text", ["router = 7\n", "router = []\n", 'router = ["a"]\n', "[router]\n"]
)
def test_what_is_no_list_of_tables_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigFaults) as wrong:
        loaded(tmp_path, head=f'plane = "routeros"\n{text}')

    assert [one.partition(":")[0] for one in wrong.value.faults] == ["router"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("networks = 7", "router east.networks"),
        ("networks = [7]", "router east.networks"),
        ("networks = []", "router east.networks"),
        ("ports = 7", "router east.ports"),
        ('port = "x"', "router east.port"),
    ],
)
def test_a_key_of_one_router_is_told_with_its_name(tmp_path: Path, line: str, fault: str) -> None:
    text = ONE.format(**EAST)
    if line.startswith("networks"):
        text = text.replace('networks = ["10.5.50.0/24"]\n', "")
    with pytest.raises(ConfigFaults) as wrong:
        loaded(tmp_path, head=f'plane = "routeros"\n{text}{line}\n')

    assert {one.partition(":")[0] for one in wrong.value.faults} == {fault}


@pytest.fixture(scope="module")
def near() -> Iterator[Emulated]:
    with Emulated(major=7, clock=time.monotonic) as router:
        yield router


@pytest.fixture(scope="module")
def far() -> Iterator[Emulated]:
    with Emulated(major=6, clock=time.monotonic, seed=2) as router:
        yield router


def a_router(emulated: Emulated, folder: Path, name: str, network: str) -> RouterOs:
    secret = folder / "router.password"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o600)
    return RouterOs(
        host=emulated.box.host,
        port=emulated.box.port,
        user=USER,
        password_file=secret,
        interfaces=("bridge",),
        portal=IPv4Address("192.168.1.7"),
        fingerprint=None,
        name=name,
        networks=(IPv4Network(network),),
    )


async def test_the_doctor_looks_at_each_router(
    near: Emulated, far: Emulated, tmp_path: Path
) -> None:
    two = (
        a_router(near, tmp_path, "near", "10.5.50.0/24"),
        a_router(far, tmp_path, "far", "10.5.51.0/24"),
    )
    config = configs.Config(state_dir=tmp_path, plane="routeros", routers=two)
    checks = {one.check for one in await doctor.examine(config, SystemClock().now())}

    assert {"near: router", "far: router", "near: router password", "far: router link"} <= checks


class Site:
    """An agent beside two emulated routers, with clocks that run."""

    def __init__(self, loop: Loop, gate: SiteGate, controller: MemoryController) -> None:
        self.loop, self.gate, self.controller = loop, gate, controller
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

    def grant(self, name: str, mac: MacAddress) -> None:
        """The controller says that a device has paid."""
        item = grant_item(name, limits=some_limits(validity=3600), devices=(mac,))
        self.controller.put_item(*item)

    def told(self) -> list[str]:
        """The notices so far."""
        return [one.text for one in self.facts if isinstance(one, Notice)]


@asynccontextmanager
async def a_site(near: Emulated, far: Emulated, folder: Path) -> AsyncIterator[Site]:
    clock, controller = SystemClock(), MemoryController()
    controller.put_item(*site_item(SiteFace("Simba Net", "Stage 4", "0700 000 001", "sw")))
    controller.put_item(*plan_item(an_offer("hour", validity=3600), rank=1))
    two = (
        a_router(near, folder, "near", "10.5.50.0/24"),
        a_router(far, folder, "far", "10.5.51.0/24"),
    )
    plane, lan = routers.boxes(two, 8000, clock, patience_s=PATIENCE_S)
    uplink, journal = MemoryUplink(controller), Journal(folder / "journal.db")
    loop = Loop(journal=journal, plane=plane, clock=clock)
    courier = Courier(loop=loop, journal=journal, uplink=uplink, clock=clock)
    gate = SiteGate(loop=loop, uplink=uplink, resolve=lan.resolve, secret="s3cret")
    tasks = [asyncio.create_task(work) for work in (loop.run(), courier.run(), lan.watch(loop))]
    try:
        yield Site(loop, gate, controller)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for router in (near, far):
            router.box.faults = Faults()
        await plane.clear()
        plane.close()
        journal.close()


def seen(router: Emulated, device: tuple[MacAddress, str]) -> None:
    """The router sees a device."""
    mac, address = device
    router.do(lambda box: box.add("/ip/arp", address=address, mac_address=mac, interface="bridge"))


def passes(router: Emulated, device: tuple[MacAddress, str], size: int = 1_000) -> bool:
    mac, address = device
    passed = router.do(lambda box: box.pass_bytes(address, mac=mac.upper(), up=size, down=size))
    return sum(passed) == 2 * size


def opened(router: Emulated) -> bool:
    return any(row.get("comment", "").startswith("lango way") for row in router.rows(LISTS))


async def test_a_router_that_hangs_harms_no_other_and_is_brought_there_when_it_is_back(
    near: Emulated, far: Emulated, tmp_path: Path
) -> None:
    seen(near, NEAR)
    seen(far, FAR)
    async with a_site(near, far, tmp_path) as site:
        await site.until(lambda: site.gate.device(NEAR[1]).device_known)
        await site.until(lambda: site.gate.device(FAR[1]).device_known)
        crossed = site.gate.device("10.5.52.7").device_known
        far.box.faults = Faults(hang_after=0, times=1_000)
        site.grant("g-far", FAR[0])
        site.grant("g-near", NEAR[0])
        await site.until(lambda: opened(near))
        before = passes(near, NEAR), passes(far, FAR)
        await site.until(lambda: any("far does not answer" in text for text in site.told()))
        shown = await site.gate.sign_in(FAR[1])
        healthy = site.loop.healthy
        far.do(lambda box: box.power_cut())
        far.box.faults = Faults()
        await site.until(lambda: opened(far))
        after = passes(near, NEAR), passes(far, FAR)
        await site.until(lambda: site.loop.healthy)
        again = await site.gate.sign_in(FAR[1])

    assert not crossed
    assert (before, after) == ((True, False), (True, True))
    assert (shown, healthy, again) == (False, False, True)
