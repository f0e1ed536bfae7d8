"""The part of a running agent that keeps the site's network as it should be.

It looks at what is on disk (configuration, trial), at the uplink, at the garden's names and at the
two processes, and has dnsmasq serve just that. It never ends dnsmasq when the agent ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from agent import config as configs
from agent import log
from agent.network import dnsmasq, files, situation, uplink
from agent.network.dnsmasq import DnsmasqError
from agent.network.plan import garden_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from agent.clock import Clock
    from agent.model import Instant
    from agent.network.plan import Network, Served
    from agent.network.situation import Situation

LOOK_EVERY_MS = 1_000
"""How often it is looked whether somebody tries, confirms or takes back a change."""

FIRST_PAUSE_MS = 1_000
PAUSE_MS_MAX = 60_000
CHILD_WAIT_S = 30
ENSURE_AGAIN_S = 20


class Keeper:
    """Keeps dnsmasq serving `network`, or what is being tried instead."""

    def __init__(self, *, state_dir: Path, config: Path, network: Network, clock: Clock) -> None:
        self._folder = files.folder(state_dir)
        self._config = config
        self._network = network
        self._clock = clock
        self._known = situation.situation(self._folder)
        self._changed = asyncio.Event()
        self._by_name: bool | None = None
        self._served: Served | None = None
        self._trial: str | None = None

    def pool(self, now: Instant) -> tuple[int, int] | None:
        """Addresses that devices have, and that there are to have; None when nobody can say."""
        try:
            return situation.pool_use(self._folder, self._network, now)
        except OSError:
            return None

    def set_garden(self, names: Iterable[str]) -> None:
        """The names that are reached before payment, each with all below it.

        What is no host name is left out and told to the log.
        """
        garden, refused = garden_names(names)
        if refused:
            log.warning("trouble", part="garden", refused=len(refused), first=refused[0][:100])
        self._note(replace(self._known, garden=garden))

    async def run(self) -> None:
        """Keep it so until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ensure())
            group.create_task(self._keep())
            group.create_task(uplink.watch(self._upstreams, self._link, self._clock))

    def _upstreams(self) -> list[str]:
        if self._network.host_resolver:
            return uplink.of_the_machine()
        return [str(one) for one in self._network.upstreams]

    def _link(self, up: bool) -> None:  # noqa: FBT001 - what the watch tells
        if up != self._known.link_up:
            log.info("uplink", names="answered" if up else "unanswered")
            self._note(replace(self._known, link_up=up))

    def _note(self, known: Situation) -> None:
        if known == self._known:
            return
        self._known = known
        try:
            situation.note_situation(self._folder, known)
        except OSError as error:
            log.warning("trouble", part="network", error=str(error))
        self._changed.set()

    async def _keep(self) -> None:
        pause_ms = FIRST_PAUSE_MS
        told = ""
        while True:
            self._changed.clear()
            try:
                await self._end_trial_when_due()
                served = await self._wanted()
                pids = await asyncio.to_thread(dnsmasq.serve, self._folder.parent, served)
            except (DnsmasqError, OSError) as error:
                if str(error) != told:
                    log.warning("trouble", part="dnsmasq", error=str(error))
                    told = str(error)
                await self._clock.wait(self._changed.wait(), at_most_ms=pause_ms)
                pause_ms = min(2 * pause_ms, PAUSE_MS_MAX)
                continue
            pause_ms, told = FIRST_PAUSE_MS, ""
            self._tell(served, pids)
            if await self._until_changed(pids):
                # Invariant: one that dies at once is not started more than once in this while.
                await self._clock.sleep(FIRST_PAUSE_MS // 1_000)

    async def _until_changed(self, pids: Mapping[str, int]) -> bool:
        """Wait until something may have to be done; whether a process died."""
        died = asyncio.Event()
        with self._watched(pids, died):
            before = self._on_disk()
            while not self._changed.is_set() and self._on_disk() == before:
                await self._clock.wait(self._changed.wait(), at_most_ms=LOOK_EVERY_MS)
                if self._due():
                    break
        return died.is_set()

    @contextlib.contextmanager
    def _watched(self, pids: Mapping[str, int], died: asyncio.Event) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as held:
            for pid in pids.values():
                try:
                    opened = os.pidfd_open(pid)
                except OSError:
                    self._changed.set()
                    died.set()
                    continue
                held.callback(os.close, opened)

                def gone(opened: int = opened) -> None:
                    loop.remove_reader(opened)
                    died.set()
                    self._changed.set()

                loop.add_reader(opened, gone)
                held.callback(loop.remove_reader, opened)
            yield

    def _on_disk(self) -> tuple[int, ...]:
        """What tells whether the configuration or the note of a trial is another than before."""
        return tuple(_stamp(path) for path in (self._config, self._folder / situation.TRIAL))

    def _due(self) -> bool:
        try:
            trial = situation.pending(self._folder)
        except OSError:
            return False
        return trial is not None and trial.over(self._clock.now())

    async def _wanted(self) -> Served:
        self._reload()
        if self._by_name is None:
            self._by_name = "nftset" in await asyncio.to_thread(dnsmasq.installed)
        by_name = self._by_name
        if self._known.garden and not by_name:
            log.warning("trouble", part="garden", error="this dnsmasq was built without nftset")
        return situation.served(self._folder, self._network, self._clock.now(), by_name=by_name)

    def _reload(self) -> None:
        """The configuration may have been changed by a confirmed trial; a faulty one is not it."""
        try:
            network = configs.load(self._config).network
        except configs.ConfigFaults as wrong:
            log.warning("trouble", part="network", error=wrong.faults[0])
            return
        if network is not None:
            self._network = network

    async def _end_trial_when_due(self) -> None:
        """In a child process: it takes parts of pyroute2 that this one has no room for."""
        trial = situation.pending(self._folder)
        if trial is None or not trial.over(self._clock.now()):
            return
        log.warning("taking back", address=trial.address, why="nobody confirmed it in time")
        await self._child("network", "revert", "--only-due", trial.id)

    async def _ensure(self) -> None:
        """Put the LAN's address when the machine's own set-up has not; a late LAN is waited for."""
        while not await self._child("network", "ensure"):
            await self._clock.sleep(ENSURE_AGAIN_S)

    async def _child(self, *words: str) -> bool:
        """Run one of our own commands; whether it went well."""
        argv = (sys.executable, "-m", "agent.main", *words, "--config", str(self._config))
        nothing = asyncio.subprocess.DEVNULL
        try:
            child = await asyncio.create_subprocess_exec(*argv, stdin=nothing, stdout=nothing)
        except OSError as error:
            log.warning("trouble", part="network", command=" ".join(words), error=str(error))
            return False
        try:
            async with asyncio.timeout(CHILD_WAIT_S):
                code = await child.wait()
        except TimeoutError:
            code = -1
        finally:
            if child.returncode is None:
                child.kill()
        if code:
            log.warning("trouble", part="network", command=" ".join(words), code=code)
        return code == 0

    def _tell(self, served: Served, pids: Mapping[str, int]) -> None:
        if served != self._served:
            network = served.network
            log.info(
                "serving",
                address=network.address,
                tried=served.before is not None,
                link_up=served.link_up,
                garden=len(network.garden),
                **pids,
            )
        self._served = served


def let_go(state_dir: Path) -> None:
    """End what an earlier configuration with a ``[network]`` had left running."""
    if not (state_dir / files.FOLDER).is_dir():
        return
    try:
        dnsmasq.stop(state_dir)
    except DnsmasqError as error:
        log.warning("trouble", part="dnsmasq", error=str(error))


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
