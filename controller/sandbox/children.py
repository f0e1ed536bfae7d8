"""The programs of the trial: started, watched, started again when they die, stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from controller.sandbox.mortal import mortal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from controller.sandbox.lab.namespace import Namespace

STARTS_MAX = 6
"""A program that dies so often in a row is given up."""

HEALTHY_S = 30.0
"""A program that lived so long starts its count of deaths anew."""

FIRST_PAUSE_S = 0.3
PAUSE_MAX_S = 5.0
STOP_WAIT_S = 2.0
"""How long a program may take to end when asked; then it is killed."""

LOG_BYTES_MAX = 10_000_000
"""A log that is longer when its program starts is put aside as ``.old``."""

TAIL_BYTES = 2_000

log = structlog.get_logger("trial")


class ChildFailed(Exception):  # noqa: N818 - a sentence for the screen
    """A program of the trial does not stay up; the message says which and what it said last."""


class _DiedYoung(Exception):  # noqa: N818 - never leaves this file
    pass


@dataclass(frozen=True, slots=True)
class Program:
    """How one program of the trial is started; ``inside`` is the namespace that it runs in."""

    name: str
    argv: tuple[str, ...]
    log_path: Path
    env: Mapping[str, str] = field(default_factory=dict)
    inside: Namespace | None = None


class Child:
    """A program that is kept running. `started` is set whenever it has been started."""

    def __init__(self, program: Program, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self.program = program
        self.started = asyncio.Event()
        self.starts = 0
        self._first_pause_s = first_pause_s
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._meant = False
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process that runs now, or ran last."""
        assert self._process is not None, "not started yet"
        return self._process.pid

    async def keep(self) -> None:
        """Run it, and again whenever it ends. Ends only by being cancelled or by `ChildFailed`."""
        while True:
            try:
                async for attempt in AsyncRetrying(
                    retry=retry_if_exception_type(_DiedYoung),
                    stop=stop_after_attempt(STARTS_MAX),
                    wait=wait_exponential(self._first_pause_s, max=PAUSE_MAX_S),
                    reraise=True,
                ):
                    with attempt:
                        await self._live()
            except _DiedYoung as fault:
                name, said = self.program.name, tail(self.program.log_path)
                raise ChildFailed(f"{name} does not stay up. It said last:\n{said}") from fault

    def kill9(self, *, stay_dead: bool = False) -> None:
        """Kill it as the kernel would in want of memory. Not counted as a death of its own.

        `keep` starts it again at once, or, if it is to ``stay_dead``, when `revive` is called.
        """
        self._meant = True
        self.started.clear()
        if stay_dead:
            self._wanted.clear()
        os.kill(self.pid, signal.SIGKILL)

    def revive(self) -> None:
        """Let a program that was to stay dead be started again."""
        self._wanted.set()

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        await self._wanted.wait()
        self._meant = False
        began = loop.time()
        process = await start(self.program)
        self._process = process
        self.starts += 1
        self.started.set()
        try:
            code = await process.wait()
        finally:
            self.started.clear()
            await stop(process)
        log.warning("ended", program=self.program.name, code=code)
        if not self._meant and loop.time() - began < HEALTHY_S:
            raise _DiedYoung


async def start(program: Program) -> asyncio.subprocess.Process:
    """Start it once. It dies with the thread that called this, and hears no Ctrl-C of its own."""
    inside = program.inside
    argv = inside.argv(*program.argv) if inside else mortal(*program.argv)
    if program.log_path.exists() and program.log_path.stat().st_size > LOG_BYTES_MAX:
        program.log_path.replace(program.log_path.with_suffix(".old"))
    with program.log_path.open("ab") as written:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            env={**os.environ, **program.env},
            pass_fds=(inside.fd,) if inside else (),
            process_group=0,
        )


async def once(program: Program, *, wait_s: float) -> None:
    """Run a short program to its end. Raises `ChildFailed` when it fails or takes too long."""
    process = await start(program)
    try:
        async with asyncio.timeout(wait_s):
            code = await process.wait()
    except TimeoutError as fault:
        raise ChildFailed(f"{program.name} did not end within {wait_s:g} s") from fault
    finally:
        await stop(process)
    if code:
        raise ChildFailed(f"{program.name} failed. It said:\n{tail(program.log_path)}")


async def stop(process: asyncio.subprocess.Process) -> None:
    """End a process: ask, then kill. Nothing to do when it has ended."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_WAIT_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def tail(path: Path) -> str:
    """The last lines of a log."""
    if not path.exists():
        return ""
    with path.open("rb") as log_file:
        log_file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return log_file.read().decode("utf-8", "replace").strip()
