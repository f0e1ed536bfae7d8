"""64 kbit/s, and every third packet is lost: slow, but everything arrives, the newest first."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.lab.thin import GRANTS, RECORDS
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

WAIT_S = 540
SLOW = ("tbf", "rate", "64kbit", "burst", "3000", "latency", "2s")
LOSSY = """
add table inet thin
add chain inet thin arrivals { type filter hook input priority 0; }
add rule inet thin arrivals numgen random mod 100 < 30 drop
"""


def test_a_backlog_and_a_large_change_cross_a_thin_link(tmp_path: Path) -> None:
    with Namespace("thin") as link:
        link.ip("link set lo mtu 1500", "link set lo up")
        link.run(
            *[
                "tc",
                "qdisc",
                "add",
                "dev",
                "lo",
                "root",
                "tbf",
                "rate",
                "64kbit",
                "burst",
                "3000",
                "latency",
                "2s",
            ]
        )
        link.run("nft", "-f", "-", stdin=LOSSY)
        argv = (sys.executable, "-m", "tests.lab.thin", str(tmp_path))
        process = link.popen(*argv, stdout=subprocess.PIPE)
        try:
            out, _ = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
        told = json.loads(out)
    print(f"{RECORDS} records, {GRANTS} grants over 64 kbit/s with 30 % loss: {told}")

    assert told["same"]
    assert told["newest"] > 0
    assert told["history_by_then"] < RECORDS // 4
    assert told["newest_s"] < told["drained_s"]
