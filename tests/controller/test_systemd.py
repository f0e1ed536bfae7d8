"""What systemd is told."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from controller.systemd import Systemd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket that systemd listens to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as road:
        road.bind(str(tmp_path / "notify"))
        road.settimeout(5)
        yield road


def test_systemd_hears_that_we_answer(heard: socket.socket) -> None:
    Systemd({"NOTIFY_SOCKET": heard.getsockname()}).ready()

    assert heard.recv(64) == b"READY=1"


def test_systemd_hears_that_we_stop(heard: socket.socket) -> None:
    Systemd({"NOTIFY_SOCKET": heard.getsockname()}).stopping()

    assert heard.recv(64) == b"STOPPING=1"


async def test_systemd_gets_signs_of_life_more_often_than_it_wants(heard: socket.socket) -> None:
    told = {"NOTIFY_SOCKET": heard.getsockname(), "WATCHDOG_USEC": "30000"}
    task = asyncio.create_task(Systemd(told).stay_alive())
    signs = [await asyncio.to_thread(heard.recv, 64) for _ in range(3)]
    task.cancel()

    assert signs == [b"WATCHDOG=1"] * 3


async def test_without_systemd_nothing_is_said() -> None:
    with capture_logs() as lines:
        Systemd({}).ready()

    assert lines == []


def test_a_systemd_that_went_away_is_logged_and_survived(tmp_path: Path) -> None:
    with capture_logs() as lines:
        Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()

    assert [line["event"] for line in lines] == ["systemd_not_told"]
