"""Programs of the trial are kept running, and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from controller.sandbox import children
from controller.sandbox.children import Child, ChildFailed, Program, once
from controller.sandbox.rig import PortTaken, check_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CHILD_OF_CHILD = """
import asyncio, pathlib, sys
from controller.sandbox.children import Program, start
async def main():
    program = Program("sleeper", ("sleep", "60"), pathlib.Path(sys.argv[1]))
    print((await start(program)).pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def a_program(tmp_path: Path, *argv: str) -> Program:
    return Program("part", argv, tmp_path / "part.log")


@contextlib.asynccontextmanager
async def kept(program: Program) -> AsyncIterator[Child]:
    child = Child(program)
    task = asyncio.create_task(child.keep())
    await child.started.wait()
    yield child
    task.cancel()
    await asyncio.wait({task})


async def test_a_killed_program_is_started_again(tmp_path: Path) -> None:
    async with kept(a_program(tmp_path, "sleep", "60")) as child:
        first = child.pid
        child.kill9()
        await child.started.wait()

        assert (child.starts, child.pid == first) == (2, False)


async def test_a_program_is_gone_when_it_is_no_longer_kept(tmp_path: Path) -> None:
    async with kept(a_program(tmp_path, "sleep", "60")) as child:
        pid = child.pid

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_program_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # inherited, and kept by sleep
    try:
        async with kept(a_program(tmp_path, "sleep", "60")) as child:
            pid = child.pid
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_program_that_never_stays_up_is_given_up_with_its_last_words(
    tmp_path: Path,
) -> None:
    program = a_program(tmp_path, "sh", "-c", "echo no such table; exit 1")

    with pytest.raises(ChildFailed, match=r"part does not stay up(.|\n)*no such table"):
        await Child(program, first_pause_s=0.001).keep()


async def test_a_short_program_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match="token is used"):
        await once(a_program(tmp_path, "sh", "-c", "echo token is used; exit 3"), wait_s=5)


async def test_a_short_program_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match="did not end"):
        await once(a_program(tmp_path, "sleep", "60"), wait_s=0.2)


async def test_a_long_log_is_put_aside(tmp_path: Path) -> None:
    program = a_program(tmp_path, "true")
    with program.log_path.open("wb") as log_file:
        log_file.truncate(children.LOG_BYTES_MAX + 1)
    await once(program, wait_s=5)

    assert program.log_path.stat().st_size == 0


def test_a_program_dies_with_a_killed_supervisor(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", CHILD_OF_CHILD, str(tmp_path / "log")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        child = os.pidfd_open(int(supervisor.stdout.readline()))
        supervisor.send_signal(signal.SIGKILL)
    with os.fdopen(child) as ended:
        left = not _readable(ended.fileno())

    assert not left


def test_a_taken_port_is_named_with_its_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(PortTaken, match=f"port {port}, for the phone"):
            check_ports({"the phone": port})


def _readable(fd: int) -> bool:
    import select

    return bool(select.select([fd], [], [], 5)[0])
