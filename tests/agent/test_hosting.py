"""Several small sites in one process: what one does never reaches another."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from agent import hosting, running, status
from agent import identity as identities
from agent.clock import SystemClock
from agent.config import Config, ConfigFaults
from agent.hosting import Host
from agent.identity import JoinToken
from agent.journal import Journal, JournalError
from agent.lan import LoopbackLan
from agent.main import OK, USAGE, main
from agent.radius.settings import Nas, Radius
from agent.router import RouterOs
from agent.running import ConfigFile, Parts
from agent.uplink.memory import MemoryController, MemoryUplink, plan_item
from shaping.memory import MemoryPlane
from tests.support.edge import EdgeServer
from tests.support.site import an_offer
from tests.support.steered import SteeredClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from shaping.plane import Applied, Desired

SITE = 'state_dir = "{state}"\nplane = "{plane}"\n[portal]\nport = {port}\n'
WAIT_S = 30


def written(folder: Path, name: str, *, port: int, plane: str = "memory", state: str = "") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(SITE.format(state=folder / (state or name), plane=plane, port=port))
    return path


def test_a_folder_stands_for_all_its_files_by_name(tmp_path: Path) -> None:
    for name, port in (("b", 1), ("a", 2)):
        written(tmp_path, name, port=port)
    (tmp_path / "notes.txt").write_text("not a site")

    assert [file.path.name for file in hosting.read([tmp_path])] == ["a.toml", "b.toml"]


def test_all_that_is_wrong_with_all_of_them_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = [
        written(tmp_path, "a", port=8000),
        written(tmp_path, "b", port=8000, state="a"),
        written(tmp_path, "c", port=0),
        tmp_path / "none.toml",
    ]
    words = [word for place in places for word in ("--config", str(place))]
    code = main(["run", *words])
    told = capsys.readouterr().err.splitlines()

    assert code == USAGE
    assert len(told) == 4
    assert "c.toml: portal.port: want 1 to 65535" in told[0]
    assert "none.toml: No such file" in told[1]
    assert "a.toml, " in told[2]
    assert "b.toml: both have state_dir" in told[2]
    assert "both have the portal at 127.0.0.1:8000" in told[3]


def test_two_linux_gateways_are_no_two_sites(tmp_path: Path) -> None:
    for name, port in (("a", 1), ("b", 2)):
        written(tmp_path, name, port=port, plane="linux")
    with pytest.raises(ConfigFaults, match='both have plane "linux"'):
        hosting.read([tmp_path])


def test_one_router_is_not_two_sites(tmp_path: Path) -> None:
    router = RouterOs(
        host="10.9.0.1",
        port=8729,
        user="lango",
        password_file=tmp_path / "password",
        interfaces=("bridge",),
        portal=IPv4Address("10.9.0.2"),
        fingerprint=None,
    )
    config = Config(state_dir=tmp_path / "a", plane="routeros", routers=(router,))
    other = replace(config, state_dir=tmp_path / "b", portal_port=8001)
    files = [ConfigFile(tmp_path / "a.toml", config), ConfigFile(tmp_path / "b.toml", other)]

    assert [one.partition("both have ")[2] for one in hosting.clashes(files)] == [
        "the router 10.9.0.1:8729"
    ]


@pytest.mark.parametrize(
    ("listen", "port", "told"),
    [
        ("127.0.0.1", 1812, ["RADIUS at port 1812", "RADIUS at port 1813"]),
        ("0.0.0.0", 1813, ["RADIUS at port 1813"]),
        ("127.0.0.2", 1812, []),
        ("127.0.0.1", 2812, []),
    ],
)
def test_whoever_listens_everywhere_listens_where_another_does(
    tmp_path: Path, listen: str, port: int, told: list[str]
) -> None:
    nas = Nas("tower-1", IPv4Address("10.9.0.3"), tmp_path / "secret")
    one = Radius((nas,), IPv4Address("127.0.0.1"))
    other = Radius((nas,), IPv4Address(listen), port, port + 1)
    files = [
        ConfigFile(
            tmp_path / f"{name}.toml",
            Config(state_dir=tmp_path / name, plane="routeros", radius=radius),
        )
        for name, radius in (("a", one), ("b", other))
    ]

    assert [text.partition("both have ")[2] for text in hosting.clashes(files)] == told


def test_one_folder_under_two_names_is_not_two(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for name, port in (("a", 1), ("b", 2)):
        written(tmp_path, name, port=port)
    with pytest.raises(ConfigFaults, match="both have state_dir"):
        hosting.read([tmp_path])


@pytest.mark.parametrize("places", [0, hosting.SITES_MAX + 1])
def test_there_are_not_too_many(tmp_path: Path, places: int) -> None:
    for number in range(places):
        written(tmp_path, f"s{number}", port=1_000 + number)
    with pytest.raises(ConfigFaults, match="want 1 to 64 files"):
        hosting.read([tmp_path])


def test_as_many_files_may_be_open_as_the_system_lets_us() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        hosting.room_for_files()
        room, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert room == min(hosting.FILES_WANTED, hard)


class Lives:
    """What sites do here instead of living: as told by name, and all of it noted."""

    def __init__(self, **told: str) -> None:
        self.told = told
        self.notes: list[str] = []

    def work(self, file: ConfigFile) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._live(file.path.stem))

    async def _live(self, name: str) -> None:
        self.notes.append(f"{name} begins")
        if self.told.get(name) == "fails":
            raise OSError("the disk of this site is gone")
        if self.told.get(name) == "cancels":
            raise asyncio.CancelledError
        try:
            await asyncio.Event().wait()
        finally:
            self.notes.append(f"{name} ends")


def files(folder: Path, *names: str) -> list[ConfigFile]:
    return [ConfigFile(folder / f"{name}.toml", Config(state_dir=folder / name)) for name in names]


async def test_a_site_that_fails_is_begun_again_after_a_rest_and_others_go_on(
    tmp_path: Path,
) -> None:
    clock, lives = SteeredClock(), Lives(b="fails")
    host = Host(clock, lives.work)
    await host.take(files(tmp_path, "a", "b", "c"))
    await clock.advance(7)
    await host.stop()

    assert lives.notes.count("a begins") == lives.notes.count("c begins") == 1
    assert lives.notes.count("b begins") == 3, "after 1 s, and after 5 more"
    assert lives.notes[-2:] == ["a ends", "c ends"]


async def test_a_site_that_ends_by_cancelling_itself_is_begun_again(tmp_path: Path) -> None:
    clock, lives = SteeredClock(), Lives(a="cancels")
    host = Host(clock, lives.work)
    await host.take(files(tmp_path, "a"))
    await clock.advance(7)
    await asyncio.wait_for(host.stop(), WAIT_S)

    assert lives.notes.count("a begins") == 3


async def test_a_journal_that_another_process_has_holds_no_other_site(tmp_path: Path) -> None:
    """SQLite waits two seconds for it, and a site that failed tries again and again."""
    kept = Journal(tmp_path / running.JOURNAL)
    opening = asyncio.ensure_future(hosting.opened(tmp_path / running.JOURNAL))
    turns = 0
    while not opening.done():
        await asyncio.wait({opening}, timeout=0.01)
        turns += 1
    with pytest.raises(JournalError, match="in use by another"):
        await opening
    kept.close()

    assert turns > 5


async def test_a_journal_that_opens_too_late_is_closed(tmp_path: Path) -> None:
    opening = asyncio.ensure_future(hosting.opened(tmp_path / running.JOURNAL))
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)

    Journal(tmp_path / running.JOURNAL).close()


async def test_only_what_changed_is_stopped_and_it_is_stopped_before_anything_begins(
    tmp_path: Path,
) -> None:
    clock, lives = SteeredClock(), Lives()
    host = Host(clock, lives.work)
    one, two, three = files(tmp_path, "a", "b", "c")
    await host.take([one, two])
    await clock.advance(1)
    changed = ConfigFile(two.path, replace(two.values, portal_port=8001))
    await host.take([one, changed, three])
    await clock.advance(1)
    before = list(lives.notes)
    await host.take([changed])
    await clock.advance(1)

    assert before == ["a begins", "b begins", "b ends", "b begins", "c begins"]
    assert lives.notes[len(before) :] == ["a ends", "c ends"]
    assert list(host.sites) == [two.path]
    await host.stop()


@pytest.fixture
async def server() -> AsyncIterator[EdgeServer]:
    made = EdgeServer(MemoryController())
    await made.start()
    yield made
    await made.stop()


async def until(true: Callable[[], object]) -> None:
    """Until files of another process say so."""
    async with asyncio.timeout(WAIT_S):
        while not true():  # noqa: ASYNC110 - another process is only seen by looking
            await asyncio.sleep(0.05)


async def said(process: asyncio.subprocess.Process, words: str) -> str:
    """The next line of a process's log with these words."""
    assert process.stderr is not None
    async with asyncio.timeout(WAIT_S):
        async for line in process.stderr:
            if words in line.decode():
                return line.decode()
    raise AssertionError(f"it ended without {words}")


class Deaf(MemoryPlane):
    """A box that never answers."""

    async def apply(self, desired: Desired) -> Applied:
        await asyncio.Event().wait()
        return await super().apply(desired)


async def test_a_box_that_never_answers_slows_no_other_site(
    tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    clock = SystemClock()

    async def live(file: ConfigFile) -> None:
        deaf = file.path.stem == "deaf"
        plane = (Deaf if deaf else MemoryPlane)(now=lambda: clock.now().mono)
        controller = MemoryController()
        controller.put_item(*plan_item(an_offer("hour")))
        uplink = MemoryUplink(controller)
        journal = Journal(file.values.state_dir / "journal.db")
        parts = Parts(file.path.stem, plane, LoopbackLan(), uplink)
        try:
            await running.operate(file, parts, journal, clock=clock, identity=None, alone=False)
        finally:
            journal.close()

    host = Host(clock, lambda file: asyncio.ensure_future(live(file)))
    both = [
        ConfigFile(
            one.path,
            replace(one.values, plane="memory", portal_port=unused_tcp_port_factory()),
        )
        for one in files(tmp_path, "deaf", "well")
    ]
    await host.take(both)

    def applied() -> bool:
        told = status.read(tmp_path / "well", now=datetime.now(UTC)) or {}
        return bool(told.get("generation")) and told["applied_generation"] == told["generation"]

    await until(applied)
    deaf = status.read(tmp_path / "deaf", now=datetime.now(UTC))
    await host.stop()

    assert deaf is None, "it has not begun"


async def test_two_sites_run_in_one_process_are_reloaded_and_stopped(
    server: EdgeServer, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    sites = tmp_path / "sites"
    sites.mkdir()
    for name in ("a", "b", "c"):
        server.secrets.add(f"sesame-{name}")
        token = JoinToken(server.join_address, server.authority.pem, f"sesame-{name}")
        await identities.join(token, sites / name)
    written(sites, "a", port=unused_tcp_port_factory())
    # Joined to nowhere: it fails at once, and again and again.
    written(sites, "lost", port=unused_tcp_port_factory())
    moved = written(sites, "b", port=unused_tcp_port_factory())

    def pid_of(name: str) -> int | None:
        told = status.read(sites / name, now=datetime.now(UTC))
        return None if told is None else int(told["pid"])

    program = [sys.executable, "-m", "agent.main", "run", "--config", str(sites)]
    process = await asyncio.create_subprocess_exec(
        *program, env=dict(os.environ), stderr=asyncio.subprocess.PIPE
    )
    try:
        await until(lambda: pid_of("a") and pid_of("b"))
        pids = {pid_of("a"), pid_of("b")}
        moved.write_text("nonsense")
        process.send_signal(signal.SIGHUP)
        refused = await said(process, "event=config")
        moved.unlink()
        written(sites, "c", port=unused_tcp_port_factory())
        process.send_signal(signal.SIGHUP)
        stopped = await said(process, "event=site_stopped")
        await until(lambda: pid_of("c"))
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), WAIT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert pids == {process.pid}
    assert "b.toml" in refused
    assert "b.toml" in stopped
    assert code == OK
