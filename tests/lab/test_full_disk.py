"""A disk that is really full: customers notice nothing, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from agent.outbox import TOLD_KEPT_MAX
from controller.sandbox.mortal import mortal

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.root

MOUNT = 'mount -t tmpfs -o size={size} none "$0" && exec "$@"'


def on_a_small_disk(folder: Path, module: str, *, size: str) -> dict[str, Any]:
    """What the module tells of its life on a file system of that size.

    A mount namespace of its own: when the child is gone, so is the file system.
    """
    mount = MOUNT.format(size=size)
    inside = ("unshare", "--mount", "--propagation", "private", "sh", "-c", mount, str(folder))
    argv = (*mortal(*inside), sys.executable, "-m", module, str(folder))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_full_disk_stops_acknowledgements_not_the_customers(tmp_path: Path) -> None:
    told = on_a_small_disk(tmp_path, "tests.lab.full_disk", size="512k")

    assert (told["online"], told["healthy"], told["ended"]) == (True, False, True)
    assert (told["refused"], told["told_early"]) == ("not_now", 0)
    assert told["kinds"] == ["SessionOpened", "SessionClosed", "Notice"]
    assert told["down"] == 31_000
    assert (told["healthy_again"], told["sells_again"], told["integrity"]) == (True, True, "ok")


def test_a_disk_that_the_journal_itself_has_filled_takes_every_ack(tmp_path: Path) -> None:
    told = on_a_small_disk(tmp_path, "tests.lab.full_journal", size="10m")

    assert min(told["written"]) > 1_000
    assert told["left"] == [0, 0]
    assert told["rows"] <= TOLD_KEPT_MAX  # what was told stays as long as there is room for it
    assert (told["integrity"], told["reserve"]) == ("ok", True)
