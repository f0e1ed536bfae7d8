"""PPPoE at a MikroTik site whose router keeps the secrets itself: nothing counts twice."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest

from agent import routers, status
from agent.config import Config
from agent.courier import Courier
from agent.journal import Journal
from agent.line_watch import LineWatch
from agent.loop import Loop
from agent.model import Notice, Reading
from agent.router import RouterOs
from agent.running import ConfigFile, Parts, operate
from agent.uplink.memory import MemoryController, MemoryUplink, grant_item, login_item
from billing.plan import Limits
from shaping.routeros.ppp import ACTIVE, PROFILES, SECRETS
from shaping.routeros.rows import LISTS, QUEUES
from tests.routeros.emulator import PASSWORD, USER, Trap
from tests.support.hurried import HurriedClock, hurried
from tests.support.router import Emulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from agent.model import Fact

NAME, SECRET, CAUSE = "wanjiku", "kiboko-7-simba", "sub:1"
WAIT_S = 20
HEAVY = 5_000_000_000


@pytest.fixture(params=[6, 7])
def router(request: pytest.FixtureRequest) -> Iterator[Emulated]:
    with Emulated(major=request.param, clock=hurried) as made:
        yield made


class Site:
    """A site at work beside the router, and what it has told the controller."""

    def __init__(self, router: Emulated, loop: Loop, uplink: MemoryUplink) -> None:
        self.router, self.loop, self.uplink = router, loop, uplink
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

    async def ready(self, name: str = NAME) -> None:
        """Until somebody may dial in by this name."""
        await self.until(lambda: secret(self.router, name).get("disabled") == "false")

    def usage(self) -> tuple[int, int]:
        """The bytes of which the controller knows, down and up."""
        last = {
            (one.session_id, one.epoch): (one.down_bytes_total, one.up_bytes_total)
            for _, record in sorted(self.uplink.controller.records.items())
            if isinstance(one := record.fact, Reading)
        }
        return sum(down for down, _ in last.values()), sum(up for _, up in last.values())

    def notices(self, code: str) -> list[str]:
        """What staff were told."""
        facts = (record.fact for record in self.uplink.controller.records.values())
        return [one.text for one in facts if isinstance(one, Notice) and one.code == code]


def secret(router: Emulated, name: str = NAME) -> dict[str, str]:
    """The secret of that name which is ours."""
    rows = router.rows(SECRETS)
    ours = (row for row in rows if row.get("comment", "").startswith("lango "))
    return next((row for row in ours if row["name"] == name), {})


def dial(router: Emulated, name: str = NAME, password: str = SECRET) -> str:
    """Somebody dials in; their address. Raises Trap."""
    return router.do(lambda box: box.dial(name, password))


def passes(router: Emulated, address: str, *, up: int, down: int) -> bool:
    """Whether so much passes."""
    return router.do(lambda box: box.pass_bytes(address, up=up, down=down)) == (up, down)


def online(router: Emulated) -> list[str]:
    """Who is online."""
    return [row["name"] for row in router.rows(ACTIVE)]


def a_router(router: Emulated, folder: Path) -> RouterOs:
    kept = folder / "router.password"
    kept.write_text(f"{PASSWORD}\n")
    return RouterOs(
        host=router.box.host,
        port=router.box.port,
        user=USER,
        password_file=kept,
        interfaces=("bridge",),
        portal=IPv4Address("192.168.1.7"),
        fingerprint=None,
        lines=IPv4Network("10.64.0.0/24"),
    )


@asynccontextmanager
async def a_site(
    router: Emulated,
    folder: Path,
    controller: MemoryController,
    boot: str = "1",
    host: str = "127.0.0.1",
) -> AsyncIterator[Site]:
    clock, beside = HurriedClock(boot), replace(a_router(router, folder), host=host)
    plane, _ = routers.boxes((beside,), 8000, clock)
    uplink, journal = MemoryUplink(controller), Journal(folder / "journal.db")
    name = routers.lines_at((beside,))
    loop = Loop(journal=journal, plane=plane, clock=clock, lines_at=name)
    courier = Courier(loop=loop, journal=journal, uplink=uplink, clock=clock)
    works = (loop.run(), courier.run(), LineWatch(loop, plane, name).run())
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield Site(router, loop, uplink)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        plane.close()
        journal.close()


def a_grant(
    name: str, validity_s: int, down_bps: int = 4_000_000, cause: str = CAUSE
) -> tuple[str, bytes]:
    limits = Limits(
        down_bps=down_bps,
        up_bps=2_000_000,
        validity_s=validity_s,
        uptime_s=None,
        quota_bytes=None,
        devices_max=1,
    )
    return grant_item(name, limits=limits, devices=(), cause_id=f"{cause}:{name}")


def queue(router: Emulated) -> dict[str, str]:
    """The queue of the one line."""
    (row,) = lines(router)
    return row


async def test_who_pays_dials_is_shaped_counted_put_out_pays_and_is_back(
    router: Emulated, tmp_path: Path
) -> None:
    controller = MemoryController()
    controller.put_item(*login_item(NAME, SECRET, CAUSE))
    async with a_site(router, tmp_path, controller) as site:
        await site.until(lambda: bool(secret(router)))
        with pytest.raises(Trap, match="authentication failed"):
            dial(router)
        controller.put_item(*a_grant("g1", 60))
        await site.ready()
        with pytest.raises(Trap, match="authentication failed"):
            dial(router, password="wrong")
        address = dial(router)
        shaped = queue(router)["max-limit"]
        passed = passes(router, address, up=70, down=HEAVY)
        await site.until(lambda: site.usage() == (HEAVY, 70))
        controller.put_item(*a_grant("g1", 60, down_bps=8_000_000))
        await site.until(lambda: queue(router)["max-limit"] == "2000000/8000000")
        still = online(router)
        await site.until(lambda: not online(router))
        shut = passes(router, address, up=1, down=1)
        with pytest.raises(Trap, match="authentication failed"):
            dial(router)
        controller.put_item(*a_grant("g2", 3_600))
        await site.ready()
        again = dial(router)
        passes(router, again, up=5, down=6)
        await site.until(lambda: site.usage() == (HEAVY + 6, 75))

    assert (shaped, passed, still, shut) == ("2000000/4000000", True, [NAME], False)
    assert again == address


def strangers(router: Emulated) -> list[tuple[str, ...]]:
    """Every row that is not ours, as far as rows stay as they are."""
    kept = ("name", "password", "profile", "disabled", "max-limit", "address")
    return [
        (menu, row[".id"], *(row.get(word, "") for word in kept))
        for menu in (SECRETS, PROFILES, QUEUES, LISTS)
        for row in router.rows(menu)
        if not row.get("comment", "").startswith("lango ")
    ]


async def test_what_is_changed_by_hand_is_mended_and_strangers_rows_stay(
    router: Emulated, tmp_path: Path
) -> None:
    controller = MemoryController()
    controller.put_item(*login_item(NAME, SECRET, CAUSE))
    controller.put_item(*a_grant("g1", 3_600))
    router.do(lambda box: box.add(PROFILES, name="10M", remote_address="pppoe-pool"))
    for name in ("jane", "joe"):
        words = {"name": name, "password": "pw", "profile": "10M", "comment": "an old customer"}
        router.do(lambda box, told=words: box.add(SECRETS, **told))  # type: ignore[misc]
    others = strangers(router)
    async with a_site(router, tmp_path, controller) as site:
        await site.ready()
        address = dial(router)
        jane = dial(router, "jane", "pw")
        mine = secret(router)[".id"]
        router.do(lambda box: box.edit(SECRETS, mine, password="known"))
        await site.until(lambda: secret(router)["password"] == SECRET)
        profile = next(row for row in router.rows(PROFILES) if row["name"] == "lango-pppoe")
        router.do(lambda box: box.remove(PROFILES, profile[".id"]))
        await site.until(lambda: secret(router)["profile"] == "lango-pppoe")
        shaper = queue(router)[".id"]
        router.do(lambda box: box.remove(QUEUES, shaper))
        await site.until(lambda: len(lines(router)) == 1)
        passed = passes(router, address, up=3, down=4), passes(router, jane, up=1, down=1)
        await site.until(lambda: site.usage() == (4, 3))
        notices = site.notices("drift")
        both = online(router)

    assert (passed, both) == ((True, True), [NAME, "jane"])
    assert strangers(router) == others
    assert "the secret of wanjiku was changed" in notices
    assert not [text for text in notices if SECRET in text or "known" in text]


async def test_a_router_that_restarts_in_the_middle_counts_each_byte_once(
    router: Emulated, tmp_path: Path
) -> None:
    controller = MemoryController()
    controller.put_item(*login_item(NAME, SECRET, CAUSE))
    controller.put_item(*a_grant("g1", 3_600))
    async with a_site(router, tmp_path, controller) as site:
        await site.ready()
        passes(router, dial(router), up=100, down=1_000)
        await site.until(lambda: site.usage() == (1_000, 100))
        router.do(lambda box: box.power_cut())
        address = dial(router)
        early = passes(router, address, up=1, down=1)
        await site.until(lambda: bool(ways(router)))
        late = passes(router, address, up=20, down=30)
        await site.until(lambda: site.usage() == (1_030, 120))

    assert (early, late) == (False, True)


async def test_with_the_agent_dead_lines_are_shaped_counted_and_end_on_time(
    router: Emulated, tmp_path: Path
) -> None:
    controller = MemoryController()
    controller.put_item(*login_item(NAME, SECRET, CAUSE))
    controller.put_item(*a_grant("g1", 100))
    async with a_site(router, tmp_path, controller) as site:
        await site.ready()
        passes(router, dial(router), up=1, down=10)
        await site.until(lambda: site.usage() == (10, 1))
    router.do(lambda box: box.hang_up(NAME))
    address = dial(router)
    alone = passes(router, address, up=2, down=20)
    router.do(lambda box: box.pass_time(101))
    over = passes(router, address, up=4, down=40)
    async with a_site(router, tmp_path, controller, boot="2") as site:
        await site.until(lambda: site.usage() == (30, 3))
        await site.until(lambda: secret(router)["disabled"] == "true")
        await site.until(lambda: not site.loop.state.sessions)
        told = site.usage()

    assert (alone, over) == (True, False)
    assert (told, online(router)) == ((30, 3), [])


async def test_a_router_that_is_at_another_address_keeps_its_lines_and_their_counts(
    router: Emulated, tmp_path: Path
) -> None:
    controller = MemoryController()
    controller.put_item(*login_item(NAME, SECRET, CAUSE))
    controller.put_item(*a_grant("g1", 3_600))
    async with a_site(router, tmp_path, controller) as site:
        await site.ready()
        passes(router, dial(router), up=1, down=10)
        await site.until(lambda: site.usage() == (10, 1))
    async with a_site(router, tmp_path, controller, host="localhost") as site:
        await site.until(lambda: site.loop.applied.generation > 0)
        still = online(router)
        passed = passes(router, dial(router), up=2, down=20)
        await site.until(lambda: site.usage() == (30, 3))

    assert (still, passed) == ([NAME], True)


async def test_names_that_the_router_does_not_take_are_told_one_by_one(
    router: Emulated, tmp_path: Path
) -> None:
    controller, names = MemoryController(), [f"house-{number}" for number in range(100)]
    for name in names:
        controller.put_item(*login_item(name, SECRET, f"sub:{name}"))
        controller.put_item(*a_grant(f"g-{name}", 3_600, cause=f"sub:{name}"))
    for name in names[::20]:
        router.do(lambda box, n=name: box.add(SECRETS, name=n, service="pppoe"))  # type: ignore[misc]
    async with a_site(router, tmp_path, controller) as site:
        await site.until(lambda: len(site.notices("refused")) == 5)
        told = site.notices("refused")
        address = dial(router, "house-1")
        passed = passes(router, address, up=1, down=1)

    assert sorted(text.partition(" was not")[0] for text in told) == sorted(
        f"the secret of {name}" for name in names[::20]
    )
    assert not [text for text in told if SECRET in text]
    assert passed


def lines(router: Emulated) -> list[dict[str, str]]:
    """The queues of lines."""
    return [row for row in router.rows(QUEUES) if row["name"].startswith("lango-s-line-")]


def ways(router: Emulated) -> list[dict[str, str]]:
    """What lets lines pass."""
    return [row for row in router.rows(LISTS) if "line-" in row.get("comment", "")]


async def test_a_whole_agent_lets_in_whom_its_controller_told_it_of(
    router: Emulated, tmp_path: Path, unused_tcp_port: int
) -> None:
    controller, clock = MemoryController(), HurriedClock()
    controller.put_item(*login_item(NAME, SECRET, CAUSE))
    controller.put_item(*a_grant("g1", 3_600))
    beside = replace(a_router(router, tmp_path), portal=IPv4Address("127.0.0.1"))
    config = Config(
        state_dir=tmp_path, plane="routeros", portal_port=unused_tcp_port, routers=(beside,)
    )
    plane, lan = routers.boxes(config.routers, config.portal_port, clock)
    parts = Parts("here", plane, lan, MemoryUplink(controller), plane.close, plane)
    journal = Journal(tmp_path / "journal.db")
    file = ConfigFile(tmp_path / "agent.toml", config)
    work = asyncio.create_task(operate(file, parts, journal, clock=clock, identity=None))
    try:
        async with asyncio.timeout(WAIT_S):
            while secret(router).get("disabled") != "false":  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.05)
            passes(router, dial(router), up=1, down=2)
            while not said(tmp_path, clock).get("pppoe_sessions"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        plane.close()
        journal.close()

    assert said(tmp_path, clock)["pppoe_secrets"] == 1


def said(state_dir: Path, clock: HurriedClock) -> dict[str, Any]:
    """What the agent says of itself."""
    return status.read(state_dir, now=clock.now().wall) or {}
