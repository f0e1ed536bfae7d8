"""A disk that is really full: customers notice nothing, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from controller.sandbox.mortal import mortal

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.root

MOUNT = 'mount -t tmpfs -o size=512k none "$0" && exec "$@"'


def test_a_full_disk_stops_acknowledgements_not_the_customers(tmp_path: Path) -> None:
    # A mount namespace of its own: when the child is gone, so is the file system.
    inside = ("unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT, str(tmp_path))
    argv = (*mortal(*inside), sys.executable, "-m", "tests.lab.full_disk", str(tmp_path))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    told = json.loads(done.stdout)

    assert (told["online"], told["healthy"], told["ended"]) == (True, False, True)
    assert (told["refused"], told["told_early"]) == ("not_now", 0)
    assert told["kinds"] == ["SessionOpened", "SessionClosed", "Notice"]
    assert told["down"] == 31_000
    assert (told["healthy_again"], told["sells_again"], told["integrity"]) == (True, True, "ok")
