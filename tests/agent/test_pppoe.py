"""PPPoE at a MikroTik site: the router asks the site's RADIUS, and counts; nothing counts twice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from agent import routers
from agent.courier import Courier
from agent.journal import Journal
from agent.loop import Loop
from agent.model import Reading
from agent.radius.server import Server
from agent.radius.settings import Kind, Nas, Radius
from agent.radius.steer import Steer
from agent.router import RouterOs
from agent.uplink.memory import MemoryController, MemoryUplink, grant_item, login_item
from billing.plan import Limits
from shaping.routeros.rows import FILTER, LISTS, QUEUES
from tests.routeros.emulator import PASSWORD, USER, Trap
from tests.support.hurried import HurriedClock, hurried
from tests.support.radius import HERE, free_port
from tests.support.router import Emulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from agent.model import Fact
    from shaping.routeros.plane import RouterPlane
    from shaping.together import Together

NAME, SECRET, CAUSE = "wanjiku", "kiboko-7-simba", "sub:1"
NAS_SECRET = "a secret of this router"
WAIT_S = 20
INTERIM = "10s"
HEAVY = 5_000_000_000
"""More than 32 bits count."""


@pytest.fixture(scope="module")
def ports() -> Radius:
    return Radius((), IPv4Address(HERE), free_port(), free_port(), interim_s=60)


@pytest.fixture
def router(ports: Radius) -> Iterator[Emulated]:
    with Emulated(major=7, clock=hurried) as made:
        words = {
            "address": HERE,
            "secret": NAS_SECRET,
            "service": "ppp",
            "timeout": "1s",
            "authentication_port": str(ports.auth_port),
            "accounting_port": str(ports.acct_port),
        }
        made.do(lambda box: box.add("/radius", **words))
        for menu, change in (
            ("/ppp/aaa", {"use_radius": "yes", "interim_update": INTERIM}),
            ("/radius/incoming", {"accept": "yes", "port": str(free_port())}),
        ):
            made.do(lambda box, at=menu, told=change: box.edit(at, "", **told))  # type: ignore[misc]
        yield made


class Site:
    """A site at work beside the router, and what it has told the controller."""

    def __init__(
        self,
        router: Emulated,
        loop: Loop,
        plane: RouterPlane | Together,
        uplink: MemoryUplink,
    ) -> None:
        self.router, self.loop, self.plane, self.uplink = router, loop, plane, uplink
        self._turned = asyncio.Event()
        loop.listen(self._take)

    def _take(self, _facts: tuple[Fact, ...], _resync: bool) -> None:  # noqa: FBT001 - a callback
        self._turned.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Until it is so after some turn of the loop."""
        async with asyncio.timeout(WAIT_S):
            while not true():
                self._turned.clear()
                await self._turned.wait()

    async def dial(self, *, way: str = "pap", password: str = SECRET) -> str:
        """The subscriber dials in; his address. Raises Trap."""
        return await self.router.waits(lambda box: box.dial_in(NAME, password, way=way))

    def passes(self, address: str, *, up: int, down: int) -> bool:
        """The subscriber sends and gets so much."""
        return sum(self.router.do(lambda box: box.pass_bytes(address, up=up, down=down))) > 0

    def online(self) -> list[str]:
        """Who is online, and whether a server let him in."""
        return [f"{row['name']} {row['radius']}" for row in self.router.rows("/ppp/active")]

    def usage(self) -> tuple[int, int]:
        """The bytes of which the controller knows, down and up."""
        last = {
            (one.session_id, one.epoch): (one.down_bytes_total, one.up_bytes_total)
            for _, record in sorted(self.uplink.controller.records.items())
            if isinstance(one := record.fact, Reading)
        }
        return sum(down for down, _ in last.values()), sum(up for _, up in last.values())

    def ours(self, menu: str) -> list[str]:
        """The comments of our rows of a menu."""
        rows = self.router.rows(menu)
        return sorted(c for row in rows if (c := row.get("comment", "")).startswith("lango "))


@asynccontextmanager
async def a_site(
    router: Emulated, ports: Radius, folder: Path, controller: MemoryController, boot: str = "1"
) -> AsyncIterator[Site]:
    clock, secret = HurriedClock(boot), folder / "router.password"
    secret.write_text(f"{PASSWORD}\n")
    incoming = router.rows("/radius/incoming")[0]["port"]
    nas = Nas(
        name="tower",
        address=IPv4Address(HERE),
        secret_file=secret,
        kind=Kind.MIKROTIK,
        coa_port=int(incoming),
        secret=NAS_SECRET.encode(),
    )
    radius = Radius((nas,), ports.listen, ports.auth_port, ports.acct_port, ports.interim_s)
    beside = RouterOs(
        host=router.box.host,
        port=router.box.port,
        user=USER,
        password_file=secret,
        interfaces=("bridge",),
        portal=IPv4Address("192.168.1.7"),
        fingerprint=None,
    )
    plane, _ = routers.boxes((beside,), 8000, clock)
    uplink, journal = MemoryUplink(controller), Journal(folder / "journal.db")
    loop = Loop(journal=journal, plane=plane, clock=clock)
    server = Server(loop, radius, Steer(loop, radius))
    courier = Courier(loop=loop, journal=journal, uplink=uplink, clock=clock)
    works = (loop.run(), courier.run(), server.run(), server.steer.run())
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await server.ready.wait()
        yield Site(router, loop, plane, uplink)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        plane.close()
        journal.close()


def a_grant(name: str, validity_s: int, down_bps: int = 4_000_000) -> tuple[str, bytes]:
    limits = Limits(
        down_bps=down_bps,
        up_bps=2_000_000,
        validity_s=validity_s,
        uptime_s=None,
        quota_bytes=None,
        devices_max=1,
    )
    return grant_item(name, limits=limits, devices=(), cause_id=f"{CAUSE}:{name}")


async def test_a_subscriber_dials_is_shaped_counted_once_cut_pays_and_is_back(
    router: Emulated, ports: Radius, tmp_path: Path
) -> None:
    controller = MemoryController()
    controller.put_item(*login_item(NAME, SECRET, CAUSE))
    controller.put_item(*a_grant("g1", 60))
    async with a_site(router, ports, tmp_path, controller) as site:
        await site.until(lambda: NAME in site.loop.state.logins and bool(site.ours(FILTER)))
        with pytest.raises(Trap, match="authentication failed"):
            await site.dial(password="wrong")
        address = await site.dial()
        (queue,) = [row for row in router.rows(QUEUES) if row["dynamic"] == "true"]
        shaped = queue["target"], queue["max-limit"]
        passed = site.passes(address, up=70, down=HEAVY)
        await site.until(lambda: site.usage() == (HEAVY, 70))
        twice = dict(await site.plane.counters()), [m for m in site.ours(QUEUES) if "session" in m]
        controller.put_item(*a_grant("g1", 60, down_bps=8_000_000))
        await site.until(lambda: speeds(router) == ["2000000/8000000"])
        await site.until(lambda: not site.online())
        shut = site.passes(address, up=1, down=1)
        with pytest.raises(Trap, match="authentication failed"):
            await site.dial()
        controller.put_item(*a_grant("g2", 3_600))
        await site.until(lambda: "g2" in site.loop.state.grants)
        again = await site.dial(way="chap")
        site.passes(again, up=5, down=6)
        await site.until(lambda: site.usage() == (HEAVY + 6, 75))

    assert shaped == ("<pppoe-wanjiku>", "2000000/4000000")
    assert (passed, shut, twice) == (True, False, ({}, []))


def speeds(router: Emulated) -> list[str]:
    """The speeds of everybody who is online."""
    return [row["max-limit"] for row in router.rows(QUEUES) if row["dynamic"] == "true"]


async def test_after_a_power_cut_without_a_link_subscribers_are_back(
    router: Emulated, ports: Radius, tmp_path: Path
) -> None:
    controller = MemoryController()
    controller.put_item(*login_item(NAME, SECRET, CAUSE))
    controller.put_item(*a_grant("g1", 3_600))
    async with a_site(router, ports, tmp_path, controller) as site:
        await site.until(lambda: NAME in site.loop.state.logins)
        site.passes(await site.dial(), up=100, down=1_000)
        await site.until(lambda: site.usage() == (1_000, 100))
    router.do(lambda box: box.power_cut())
    async with a_site(router, ports, tmp_path, controller, boot="2") as site:
        site.uplink.cut()
        gone = site.online()
        site.passes(await site.dial(), up=20, down=30)
        back = site.online()
        await site.until(lambda: told_here(site) == 1_150)
        dark = site.usage()
        site.uplink.mend()
        await site.until(lambda: site.usage() == (1_030, 120))

    assert (gone, back) == ([], ["wanjiku true"])
    assert dark == (1_000, 100)


def told_here(site: Site) -> int:
    """The bytes of the grant that the site knows of."""
    state = site.loop.state
    (use,) = state.grants.values()
    open_now = (one.meter.usage.total_bytes for one in state.sessions.values())
    return use.past.total_bytes + sum(open_now)


async def test_drift_is_mended_while_dialled_rows_and_those_of_others_stay(
    router: Emulated, ports: Radius, tmp_path: Path
) -> None:
    controller = MemoryController()
    controller.put_item(*login_item(NAME, SECRET, CAUSE))
    controller.put_item(*a_grant("g1", 3_600))
    foreign = {
        QUEUES: {"name": "office", "target": "10.5.50.200/32", "max_limit": "5M/5M"},
        LISTS: {"list": "staff", "address": "10.5.50.200", "comment": "do not touch"},
        "/ppp/secret": {"name": "jane", "password": "pw", "comment": "an old customer"},
    }
    for menu, words in foreign.items():
        router.do(lambda box, at=menu, told=words: box.add(at, **told))  # type: ignore[misc]
    async with a_site(router, ports, tmp_path, controller) as site:
        await site.until(lambda: NAME in site.loop.state.logins and bool(site.ours(FILTER)))
        await site.dial()
        jane = await router.waits(lambda box: box.dial_in("jane", "pw"))
        before = site.ours(FILTER)
        first = next(r for r in router.rows(FILTER) if r.get("comment", "").startswith("lango "))
        others = strangers(router)
        router.do(lambda box: box.remove(FILTER, first[".id"]))
        async with asyncio.timeout(WAIT_S):
            await site.until(lambda: site.ours(FILTER) == before)
        online = site.online()

    assert online == ["wanjiku true", "jane false"]
    assert jane.startswith("10.20.")
    assert strangers(router) == others


def strangers(router: Emulated) -> list[tuple[str, ...]]:
    """Every row that is not ours, as far as rows stay as they are."""
    return [
        (menu, row[".id"], row.get("name", row.get("address", "")), row.get("max-limit", ""))
        for menu in (QUEUES, LISTS, FILTER, "/ppp/secret")
        for row in router.rows(menu)
        if not row.get("comment", "").startswith("lango ")
    ]
