"""Several small sites in one process, each with a folder, an identity, a journal and a loop.

They share the interpreter and nothing else: a site waits only for its own disk, box and controller,
so one that hangs hangs alone, and one that fails is begun again after a rest. SIGHUP has the
configurations read anew: sites that are as they were go on untouched; those that are gone or
changed are stopped, one after another, before anything new begins.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, TypeVar

from agent import config as configs
from agent import identity as identities
from agent import log, running, small
from agent.config import ConfigFaults
from agent.journal import Journal, JournalError
from agent.running import ConfigFile
from agent.visitors import CONNECTIONS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from agent.clock import Clock
    from agent.config import Config

R = TypeVar("R")

SITES_MAX = 64
FILES_OF_A_SITE = 100
FILES_WANTED = SITES_MAX * (2 * CONNECTIONS_MAX + FILES_OF_A_SITE)
"""So many may be open at once: each site's portal lets in strangers, with TLS and without."""

BEGIN_AGAIN_S = (1, 5, 15, 60)
"""Rests before a site that failed is begun again; the last one repeats."""

LIVED_MS = 600_000
"""A site that ran for so long before it failed is begun again as if it had never failed."""

WATCHDOG_S = 2
SETTLE_S = 30
"""When the start of all sites is over and what it took is given back."""


def listed(places: Sequence[Path]) -> list[Path]:
    """The configuration files: each as it is named, of a folder all in it by name."""
    found: list[Path] = []
    for place in places:
        found += sorted(place.glob("*.toml")) if place.is_dir() else [place]
    return found


def read(places: Sequence[Path]) -> list[ConfigFile]:
    """All configurations. Raises `ConfigFaults` with what is wrong with any of them."""
    files, faults = [], []
    paths = listed(places)
    if not 0 < len(paths) <= SITES_MAX:
        faults.append(f"--config: want 1 to {SITES_MAX} files, got {len(paths)}")
    for path in paths[:SITES_MAX]:
        try:
            files.append(ConfigFile(path, configs.with_secrets(configs.load(path))))
        except ConfigFaults as wrong:
            faults += [one if str(path) in one else f"{path}: {one}" for one in wrong.faults]
    faults += clashes(files)
    if faults:
        raise ConfigFaults(faults)
    return files


def clashes(files: Sequence[ConfigFile]) -> list[str]:
    """What two sites of one process cannot both have."""
    return [
        f"{one.path}, {other.path}: both have {what}"
        for one, other in combinations(files, 2)
        for what in sorted(_shared(one.values, other.values))
    ]


def _shared(one: Config, other: Config) -> set[str]:
    shared = _claims(one) & _claims(other)
    if one.radius is not None and other.radius is not None:
        listens = {one.radius.listen, other.radius.listen}
        if len(listens) == 1 or any(address.is_unspecified for address in listens):
            shared |= {f"RADIUS at port {p}" for p in one.radius.ports & other.radius.ports}
    return shared


def _claims(config: Config) -> set[str]:
    """What only one site can have: its folder, this machine's kernel, boxes, and ports."""
    claims = {f"state_dir {config.state_dir.resolve()}"}
    if config.plane == "linux":
        claims |= {'plane "linux"'}
    elif config.plane == "memory":
        claims |= {f"the portal at 127.0.0.1:{config.portal_port}"}
    for router in config.routers:
        claims.add(f"the portal at {router.portal}:{config.portal_port}")
        claims.add(f"the router {router.host}:{router.port}")
    return claims


@dataclass(slots=True)
class _Hosted:
    file: ConfigFile
    task: asyncio.Task[None]


class Host:
    """The sites that run. ``work`` is the whole life of one, which ends when cancelled."""

    def __init__(
        self, clock: Clock, work: Callable[[ConfigFile], asyncio.Future[None]] | None = None
    ) -> None:
        self._clock = clock
        self._work = work or (lambda file: asyncio.ensure_future(_live(file, clock)))
        self._sites: dict[Path, _Hosted] = {}

    @property
    def sites(self) -> Mapping[Path, ConfigFile]:
        """What runs, by its configuration file."""
        return {path: one.file for path, one in self._sites.items()}

    async def take(self, files: Sequence[ConfigFile]) -> None:
        """Run these sites and no others; what is as it was is not touched."""
        wanted = {file.path: file for file in files}
        for path in [p for p, one in self._sites.items() if wanted.get(p) != one.file]:
            await self._end(path)
        for path, file in wanted.items():
            if path not in self._sites:
                self._sites[path] = _Hosted(file, asyncio.create_task(self._keep(file)))

    async def stop(self) -> None:
        """End all, one after another: each journals what it has."""
        for path in list(self._sites):
            await self._end(path)

    async def _end(self, path: Path) -> None:
        task = self._sites.pop(path).task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        log.info("site_stopped", config=path)

    async def _keep(self, file: ConfigFile) -> None:
        """One site for ever: whatever ends it is told, and it begins again."""
        failures = 0
        while True:
            began = self._clock.now().mono
            try:
                await self._work(file)
            except (Exception, asyncio.CancelledError) as error:
                if _is_stopped():
                    raise
                log.error("site_failed", config=file.path, error=_why(error))
            failures = 0 if self._clock.now().mono - began > LIVED_MS else failures + 1
            await self._clock.sleep(BEGIN_AGAIN_S[min(failures, len(BEGIN_AGAIN_S)) - 1])


def _is_stopped() -> bool:
    """Whether the host ends this site, and not something in it that was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _why(error: BaseException) -> str:
    """The first cause among several."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


async def _live(file: ConfigFile, clock: Clock) -> None:
    """One life of one site. Raises whatever ends it."""
    identity = identities.load(file.values.state_dir)
    journal = await opened(file.values.state_dir / running.JOURNAL)
    try:
        parts = running.real(file.values, identity, clock)
        try:
            await running.operate(file, parts, journal, clock=clock, identity=identity, alone=False)
        finally:
            parts.close()
            await parts.uplink_closed()
    finally:
        await _aside(journal.close)


async def opened(path: Path) -> Journal:
    """A site's journal. Reading it takes long, and SQLite waits for one that another has.

    Raises `JournalError`.
    """
    opening = asyncio.ensure_future(_aside(partial(Journal, path)))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        with suppress(JournalError):
            (await opening).close()
        raise


async def _aside(work: Callable[[], R]) -> R:
    """Do what may wait for a disk in a thread of its own: those that all share may hang."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="site")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, work)
    finally:
        thread.shutdown(wait=False)


async def run(places: Sequence[Path], files: Sequence[ConfigFile], *, clock: Clock) -> None:
    """Run all sites until SIGTERM or SIGINT; read their configurations again at SIGHUP."""
    running.seldom_collect()
    room_for_files()
    host, stop, again = Host(clock), asyncio.Event(), asyncio.Event()
    for number, event in (
        (signal.SIGTERM, stop),
        (signal.SIGINT, stop),
        (signal.SIGHUP, again),
    ):
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    await host.take(files)
    running.notify("READY=1")
    works = [
        asyncio.create_task(_reload(host, places, again)),
        asyncio.create_task(_stay_small(clock)),
        asyncio.create_task(_watched(clock)),
    ]
    await stop.wait()
    running.notify("STOPPING=1")
    for work in works:
        work.cancel()
    await asyncio.gather(*works, return_exceptions=True)
    await host.stop()


def room_for_files() -> None:
    """Let this process open as many files as all sites may want, or as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Where a unit forbids it, the unit itself gives as many.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _reload(host: Host, places: Sequence[Path], again: asyncio.Event) -> None:
    while True:
        await again.wait()
        again.clear()
        try:
            files = read(places)
        except ConfigFaults as wrong:
            for fault in wrong.faults:
                log.error("config", fault=fault, then="all sites go on as they were")
            continue
        await host.take(files)
        log.info("reloaded", sites=len(files))


async def _stay_small(clock: Clock) -> None:
    """Give back what the start needed, and now and then what is not used."""
    code = small.Code()
    await clock.sleep(SETTLE_S)
    gc.freeze()
    gc.enable()
    for wait_s in itertools.repeat(running.GIVE_BACK_S):
        small.give_back()
        code.let_go()
        await clock.sleep(wait_s)


async def _watched(clock: Clock) -> None:
    while True:
        running.notify("WATCHDOG=1")
        await clock.sleep(WATCHDOG_S)
