"""A running agent: the parts chosen, put together, and kept going until told to stop.

Stopping leaves the data plane as it is: those who paid stay online, the kernel still ends them on
time, and the next start adopts what it finds.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import signal
import socket
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent import identity as identities
from agent import log, routers, serving, small, status
from agent.clock import SystemClock
from agent.courier import Courier
from agent.gate import SiteGate
from agent.journal import Journal
from agent.lan import Lan, LoopbackLan
from agent.line_watch import LineWatch
from agent.loop import Loop
from agent.model import Delivered
from agent.network.keeper import Keeper, let_go
from agent.network.plan import CAPTIVE_DNS_PORT, PORTAL_TLS_PORT
from agent.probes.prober import Prober
from agent.uplink.grpc import GrpcUplink
from agent.uplink.memory import MemoryController, MemoryUplink, plan_item, site_item
from agent.vitals import Box
from billing.money import Money
from portal.captive.gate import Offer, SiteFace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from ipaddress import IPv4Address, IPv6Address

    from agent.clock import Clock
    from agent.config import Config
    from agent.identity import Identity
    from agent.model import Fact
    from agent.radius.server import Server
    from agent.uplink.seam import Uplink
    from shaping.plane import DataPlane, Lines, MacAddress, Neighbour

JOURNAL = "journal.db"
RENEW_LOOK_S = 3_600
"""How often it is looked whether the certificate is due for renewal."""

RENEW_MAX_S = 120

SETTLE_S = 600
"""How often it is looked whether the controller has every record."""

GIVE_BACK_S = 60
"""How often memory is given back that is not used."""

GIVE_BACK_FIRST_S = (5, 25)
"""The same after the start, which loads much that is needed once."""

BEGIN_MAX_S = 10
"""What can wait for the first turn waits for it so long: a disk may take nothing for days."""

COLLECT_AFTER_OBJECTS = 20_000
"""Objects made before the interpreter looks for rings among them. What a sign-in makes is freed
without that, and looking at every session again and again costs a quarter of the processor time."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The configuration, and where it was read from."""

    path: Path
    values: Config


class Watch(Protocol):
    """Who is on the LAN."""

    def resolve(self, address: IPv4Address | IPv6Address) -> MacAddress | None:
        """Which device has the address."""
        ...

    async def watch(self, loop: Loop) -> None:
        """Tell the loop every sighting."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What differs between a real site and a pretended one."""

    site_id: str
    plane: DataPlane
    lan: Watch
    uplink: Uplink
    close: Callable[[], None] = lambda: None
    lines: Lines | None = None

    async def uplink_closed(self) -> None:
        """Let go of the way to the controller."""
        if isinstance(self.uplink, GrpcUplink):
            await self.uplink.close()


async def run(file: ConfigFile, *, dry_run: bool) -> None:
    """Run the agent until SIGTERM or SIGINT.

    Raises `IdentityError` (not joined), `JournalError` and `PlaneError` (wrong wiring).
    """
    seldom_collect()
    clock, config = SystemClock(), file.values
    identity = None if dry_run else identities.load(config.state_dir)
    journal = Journal(config.state_dir / JOURNAL)
    try:
        parts = _pretended(clock) if identity is None else real(config, identity, clock)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        work = asyncio.create_task(operate(file, parts, journal, clock=clock, identity=identity))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        notify("STOPPING=1")
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        journal.close()


def seldom_collect() -> None:
    """Let the interpreter look for rings of dead objects less often, and not among what is here.

    Not at all while it begins: reading a journal makes many objects, and all of them stay.
    """
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 20)
    gc.collect()
    gc.freeze()
    gc.disable()
    small.give_back()


@cache
def version() -> str:
    """This agent's version, for reports."""
    # The library for it would leave 3 MB of modules about mail and archives in memory.
    for folder in sys.path:
        for found in Path(folder).glob("lango-*.dist-info"):
            return found.name.removeprefix("lango-").removesuffix(".dist-info")
    return "0+source"


async def operate(
    file: ConfigFile,
    parts: Parts,
    journal: Journal,
    *,
    clock: Clock,
    identity: Identity | None,
    alone: bool = True,
) -> None:
    """Put ``parts`` together and keep them going until cancelled.

    ``identity`` None means: there is no certificate that could run out. Whoever is not ``alone`` in
    its process leaves the process's own affairs to its host.
    """
    config = file.values
    lines_at = routers.lines_at(config.routers)
    loop = Loop(journal=journal, plane=parts.plane, clock=clock, lines_at=lines_at)
    door = serving.Door()
    box = Box(
        lan=config.lan,
        wan=config.wan,
        state_dir=config.state_dir,
        portal_open=lambda: None if config.plane == "radius" else door.is_open,
    )
    courier = Courier(
        loop=loop, journal=journal, uplink=parts.uplink, clock=clock, vitals=box.vitals
    )
    gate = SiteGate(
        loop=loop,
        uplink=parts.uplink,
        resolve=parts.lan.resolve,
        secret=journal.id,
        link_up=lambda: courier.link_up,
        cut_off=lambda: courier.cut_off,
    )
    log.info("started", site=parts.site_id, generation=loop.state.generation, version=version())
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run())
        group.create_task(_deliver(loop, courier))
        group.create_task(parts.lan.watch(loop))
        group.create_task(settle(loop, journal, clock))
        if alone:
            group.create_task(_stay_small(loop, clock))
        if config.plane != "radius":  # no device comes by here
            group.create_task(serving.serve(config, gate, clock, door))
        group.create_task(Prober(loop, config).run())
        watch = LineWatch(loop, parts.lines, lines_at) if parts.lines and lines_at else None
        if watch is not None:
            group.create_task(watch.run())
        radius = _radius(config, loop)
        if radius is not None:
            group.create_task(radius.run())
            group.create_task(radius.steer.run())
        group.create_task(
            _tell_status(
                config.state_dir,
                parts.site_id,
                loop,
                courier,
                journal=journal,
                box=box,
                plane=config.plane,
                radius=radius,
                watch=watch,
                alone=alone,
            )
        )
        if (keeper := _keeper(file, clock)) is not None:
            _tell_garden(loop, keeper)
            box.pool = keeper.pool
            group.create_task(keeper.run())
        if identity is not None and isinstance(parts.uplink, GrpcUplink):
            group.create_task(_renew(file, identity, parts.uplink, clock))
        if alone:
            notify("READY=1")


def real(config: Config, identity: Identity, clock: Clock) -> Parts:
    """The parts of a real site. Raises `PlaneError` (no retry) for wrong wiring."""
    uplink = GrpcUplink(identity.credentials, version=version())
    if config.routers:
        beside, lan = routers.boxes(config.routers, config.portal_port, clock)
        return Parts(identity.site_id, beside, lan, uplink, beside.close, beside)
    plane, watch = _box(config, clock)
    return Parts(identity.site_id, plane, watch, uplink)


def _box(config: Config, clock: Clock) -> tuple[DataPlane, Watch]:
    if config.plane in {"radius", "memory"}:
        return _memory_plane(clock), LoopbackLan()
    from shaping.linux.neighbours import follow
    from shaping.linux.nft import LinuxConfig
    from shaping.linux.plane import LinuxPlane

    wiring = LinuxConfig(
        lan=config.lan,
        wan=config.wan,
        portal_port=config.portal_port,
        masquerade=config.masquerade,
        captive_dns_port=None if config.network is None else CAPTIVE_DNS_PORT,
        portal_tls_port=None if config.certificate is None else PORTAL_TLS_PORT,
    )

    def neighbours() -> AsyncIterator[Neighbour]:
        return follow(config.lan)

    return LinuxPlane(wiring), Lan(neighbours, clock)


def _keeper(file: ConfigFile, clock: Clock) -> Keeper | None:
    """What keeps the LAN's addresses and names, where they are ours to keep."""
    config = file.values
    if config.plane != "linux":
        return None
    if config.network is None:
        let_go(config.state_dir)
        return None
    return Keeper(state_dir=config.state_dir, config=file.path, network=config.network, clock=clock)


def _radius(config: Config, loop: Loop) -> Server | None:
    """What answers RADIUS, where somebody is to be answered."""
    if config.radius is None:
        return None
    # Deferred: most sites have no NAS beside their box.
    from agent.radius.server import Server
    from agent.radius.steer import Steer

    return Server(loop, config.radius, Steer(loop, config.radius))


def _tell_garden(loop: Loop, keeper: Keeper) -> None:
    """Have the keeper serve the garden's names, as they are and whenever they change."""
    served = loop.state.garden
    keeper.set_garden(served.names)

    def look(_facts: tuple[Fact, ...], _resync: bool) -> None:  # noqa: FBT001 - a callback
        nonlocal served
        if loop.state.garden is not served:
            served = loop.state.garden
            keeper.set_garden(served.names)

    loop.listen(look)


def _memory_plane(clock: Clock) -> DataPlane:
    from shaping.memory import MemoryPlane

    return MemoryPlane(now=lambda: clock.now().mono)


def _pretended(clock: Clock) -> Parts:
    """Everything in this process: nothing outside is read, asked or changed."""
    controller = MemoryController()
    face = SiteFace(operator_name="Lango", site_name="dry run", help_phone="", language="en")
    controller.put_item(*site_item(face))
    offer = Offer(
        plan_id="hour",
        name="1 hour",
        price=Money(1_000),
        down_bps=4_000_000,
        up_bps=2_000_000,
        validity_s=3_600,
        uptime_s=None,
        quota_bytes=None,
        devices_max=1,
    )
    controller.put_item(*plan_item(offer))
    uplink = MemoryUplink(controller)
    return Parts(site_id="dry-run", plane=_memory_plane(clock), lan=LoopbackLan(), uplink=uplink)


async def _tell_status(
    state_dir: Path,
    site_id: str,
    loop: Loop,
    courier: Courier,
    *,
    journal: Journal,
    box: Box,
    plane: str,
    radius: Server | None,
    watch: LineWatch | None,
    alone: bool,
) -> None:
    await _begun(loop)
    while True:
        state, fill = loop.state, journal.fill
        values = {
            "site": site_id,
            "version": version(),
            "plane": plane,
            "link_up": courier.link_up,
            "healthy": loop.healthy,
            "troubles": loop.troubles,
            "generation": state.generation,
            "applied_generation": loop.applied.generation,
            "sessions": len(state.sessions),
            "grants": len(state.grants),
            "devices": len(state.devices),
            "orders": len(state.orders),
            "outbox": fill.records,
            "outbox_max": fill.records_max,
            "outbox_percent": fill.percent,
            "outbox_level": journal.level.name.lower(),
            **status.of_box(box.vitals(loop.now(), courier.link_seen)),
            **({} if radius is None else radius.status()),
            **({} if watch is None else watch.status()),
        }
        with contextlib.suppress(OSError):
            status.write(state_dir, values, at=loop.now().wall)
        if alone:
            notify("WATCHDOG=1")
        await asyncio.sleep(status.PERIOD_S)


async def _deliver(loop: Loop, courier: Courier) -> None:
    """Talk to the controller once the site is as it was: nothing it says could be done before."""
    await _begun(loop)
    await courier.run()


async def _stay_small(loop: Loop, clock: Clock) -> None:
    """Give back what the start needed, once the site is as it was, and now and then."""
    code = small.Code()
    code.let_go()
    await _begun(loop)
    # What is here now stays, and has no rings.
    gc.freeze()
    gc.enable()
    for wait_s in itertools.chain(GIVE_BACK_FIRST_S, itertools.repeat(GIVE_BACK_S)):
        small.give_back()
        code.let_go()
        await clock.sleep(wait_s)


async def _begun(loop: Loop) -> None:
    """Until the first turn is done: the plane is as the journal says, or does not obey.

    `BEGIN_MAX_S` at most.
    """
    begun = asyncio.Event()
    loop.listen(lambda _facts, _resync: begun.set())
    await loop.wait(begun.wait(), at_most_ms=BEGIN_MAX_S * 1_000)


async def settle(loop: Loop, journal: Journal, clock: Clock) -> None:
    """Tell the loop, now and then, that the controller has everything."""
    while True:
        await clock.sleep(SETTLE_S)
        if journal.acked_seq == journal.last_seq:
            await loop.tell(Delivered())


async def _renew(config: ConfigFile, identity: Identity, uplink: GrpcUplink, clock: Clock) -> None:
    """Renew the certificate when that is due, and go on with it.

    A child process does it: what makes keys takes more memory than this agent has to spare.
    """
    state_dir = config.values.state_dir
    while True:
        if identities.due(identity, clock.now().wall):
            command = (sys.executable, "-m", "agent.main", "renew", "--config", str(config.path))
            child = await asyncio.create_subprocess_exec(*command)
            try:
                async with asyncio.timeout(RENEW_MAX_S):
                    code = await child.wait()
            finally:
                if child.returncode is None:
                    child.kill()
            if code:
                log.warning("renewal", exit_code=code, valid_until=str(identity.valid_until))
            else:
                identity = identities.load(state_dir)
                await uplink.reopen(identity.credentials)
        await clock.sleep(RENEW_LOOK_S)


def notify(message: str) -> None:
    """Tell systemd, when it wants to know."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.sendto(message.encode(), address.replace("@", "\0", 1))
