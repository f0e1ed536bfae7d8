"""What holds for every test: no packet leaves this machine, and its files are in memory."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from pytest_socket import socket_allow_hosts

from tests.support import logs
from tests.support.memory import memory

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = ["127.0.0.0/8", "::1", "localhost"]
LAB = ["10.77.0.0/16", "198.51.100.0/24", "203.0.113.0/24", "fd77::/16"]
"""Addresses that exist only inside network namespaces that a test made itself."""

COLLECT_AFTER_OBJECTS = 20_000
"""Tests drop their rings of dead objects by the thousand: to look after each 700 costs CPU only."""

gc.disable()  # until all is imported and collected: nearly nothing of that ever dies


def pytest_configure() -> None:
    """Keep the tests' folders in memory, where a commit waits for no disk, and the log plain."""
    logs.draw_plainly()
    if (folder := memory()) is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only the lab's tests run, no other file need be read: each worker reads all of them."""
    if config.option.markexpr != "root" or not collection_path.match("test_*.py"):
        return None
    return None if _names_the_lab(collection_path) else True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """No test of the lab is in a file that the lab's workers do not read: it would never run."""
    files = {item.path for item in items if item.get_closest_marker("root") is not None}
    if lost := sorted(str(one) for one in files if not _names_the_lab(one)):
        raise pytest.UsageError(f"say pytest.mark.root in the file itself: {', '.join(lost)}")


def _names_the_lab(file: Path) -> bool:
    return "mark.root" in file.read_text(encoding="utf-8")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse connections to anywhere but loopback and, for lab tests, the lab's own addresses."""
    lab = item.get_closest_marker("root") is not None
    socket_allow_hosts([*LOOPBACK, *LAB] if lab else LOOPBACK, allow_unix_socket=True)


def pytest_collection_finish() -> None:
    """Leave what was collected, ten thousand tests, out of each later search for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 20)
    gc.enable()
