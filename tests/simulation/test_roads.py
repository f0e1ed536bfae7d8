"""Every road, every fault, every order: each shilling is credited once, on both databases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.roads.runs import lived_on

ROOT = Path(__file__).resolve().parents[2]
SEEDS = "1-200"
POSTGRES_SEEDS = range(1, 5)

pytestmark = pytest.mark.timeout(600)


def lived(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation.roads", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_shilling_is_credited_once() -> None:
    told = lived(SEEDS)

    assert told.returncode == 0, told.stdout[-6_000:] + told.stderr[-2_000:]
    count = re.match(r"200 runs, ([0-9,]+) payments", told.stdout)
    assert count is not None
    assert int(count[1].replace(",", "")) > 400, "hardly anybody paid: nothing was tried"


@pytest.mark.postgres
@pytest.mark.parametrize("db_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("seed", POSTGRES_SEEDS)
async def test_it_holds_where_rows_are_locked(db_url: str, tmp_path: Path, seed: int) -> None:
    story = await lived_on(db_url, tmp_path, seed)

    assert any("everything is told again" in line for line in story.told)


def test_a_seed_tells_the_same_story_again() -> None:
    stories = [lived("14").stdout.rpartition("everything held")[0] for _ in range(2)]

    assert stories[0] == stories[1]
    assert len(stories[0].splitlines()) > 10
