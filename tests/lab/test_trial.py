"""The trial starts, stops and dies without leaving anything behind."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from dataclasses import astuple, replace
from typing import TYPE_CHECKING

import pytest

from controller.sandbox.rig import RigPlan
from controller.sandbox.trial import TrialFailed, trial
from tests.support.lab import free_ports
from tests.support.machine import descendants, machine, outlives

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from controller.sandbox.rig import RigPorts

READY = "Ctrl-C stops everything."
SCRIPT = """
import asyncio, sys
from pathlib import Path
from controller.sandbox.rig import RigPlan, RigPorts
from controller.sandbox.trial import TrialFailed, trial
ports = RigPorts(*map(int, sys.argv[3:]))
plan = RigPlan(Path(sys.argv[1]), ports=ports, lab=sys.argv[2] == "lab", devices=2)
try:
    asyncio.run(trial(plan))
except TrialFailed as failed:
    sys.exit(f"failed: {failed}")
"""


@contextlib.contextmanager
def started(
    state_dir: Path, ports: RigPorts, *, lab: bool = True
) -> Iterator[subprocess.Popen[str]]:
    """A trial that is up."""
    words = [str(state_dir), "lab" if lab else "memory", *map(str, astuple(ports))]
    argv = [sys.executable, "-c", SCRIPT, *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = ""
            while READY not in said:
                line = process.stdout.readline()
                assert line, f"it ended before it was up, having said:\n{said}"
                said += line
            yield process
        finally:
            process.kill()


async def test_a_taken_port_stops_the_start_and_says_how_to_find_by_whom(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = replace(free_ports(), http=other.getsockname()[1])
        with pytest.raises(TrialFailed) as failed:
            await trial(RigPlan(tmp_path, ports=ports, lab=False))

    assert "already in use" in str(failed.value)
    assert "ss -ltnp" in failed.value.next_step


@pytest.mark.root
def test_ctrl_c_ends_it_within_three_seconds_and_leaves_nothing(tmp_path: Path) -> None:
    before = machine()
    with started(tmp_path, free_ports()) as running:
        parts = descendants(running.pid)
        asked_at = time.monotonic()
        running.send_signal(signal.SIGINT)
        code = running.wait(10)
        took = time.monotonic() - asked_at

    assert (code, took < 3, outlives(parts)) == (0, True, 0), f"{took:.2f} s"
    assert machine() == before


@pytest.mark.root
def test_kill_9_leaves_nothing_and_a_second_start_works_at_once(tmp_path: Path) -> None:
    before, ports = machine(), free_ports()
    with started(tmp_path, ports) as running:
        parts = descendants(running.pid)
        running.send_signal(signal.SIGKILL)
    with started(tmp_path, ports) as running:
        running.send_signal(signal.SIGTERM)
        code = running.wait(10)

    assert (code, outlives(parts)) == (0, 0)
    assert machine() == before


def test_without_a_lab_it_says_that_no_packets_move(tmp_path: Path) -> None:
    ports = free_ports()
    with started(tmp_path, ports, lab=False) as running:
        running.send_signal(signal.SIGINT)

        assert running.wait(10) == 0


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    import socket

    ports = free_ports()
    words = [str(tmp_path), "memory", *map(str, astuple(ports))]
    with socket.create_server(("127.0.0.1", ports.phone)):
        argv = [sys.executable, "-c", SCRIPT, *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert f"port {ports.phone}, for the phone" in done.stderr
