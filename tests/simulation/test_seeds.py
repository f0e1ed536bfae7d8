"""Whole stories: every invariant holds, after every step and at the end; and a seed tells all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS

ROOT = Path(__file__).resolve().parents[2]
SEEDS = sorted({seed for bug in BUGS for seed in bug.seeds})
"""Those that find bugs put in on purpose: without a bug they must hold."""

pytestmark = pytest.mark.timeout(600)


def lived(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_all_invariants_hold(seed: int) -> None:
    told = lived(str(seed))

    assert told.returncode == 0, told.stdout + told.stderr[-2_000:]


def test_a_seed_tells_the_same_story_again() -> None:
    stories = [lived("-v", "20").stdout.rpartition(", all invariants held")[0] for _ in range(2)]

    assert stories[0] == stories[1]
    assert len(stories[0].splitlines()) > 20
