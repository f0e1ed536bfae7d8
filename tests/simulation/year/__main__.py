"""``python -m tests.simulation.year --subscribers 10000 --seed 1`` lives a year, and tells it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import structlog

from controller.store.migrations import upgrade
from tests.simulation.year.provider import people
from tests.simulation.year.year import Year, opened
from tests.support.database import sqlite_url
from tests.support.memory import memory


def main() -> int:
    """Live it."""
    asked = argparse.ArgumentParser(prog="tests.simulation.year")
    asked.add_argument("--subscribers", type=int, default=10_000)
    asked.add_argument("--days", type=int, default=366)
    asked.add_argument("--seed", type=int, default=1)
    told = asked.parse_args()
    logging.disable()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    # The year measures the office, not the disk.
    folder = Path(mkdtemp(prefix="lango-year-", dir=memory()))
    try:
        return asyncio.run(_live(folder, told))
    finally:
        shutil.rmtree(folder)


async def _live(folder: Path, told: argparse.Namespace) -> int:
    upgrade(sqlite_url(folder / "lango.db"))
    began, spent = time.perf_counter(), time.process_time()
    everybody = people(told.subscribers, told.seed, told.days)
    year = await opened(sqlite_url(folder / "lango.db"), folder, everybody, inline=True)
    try:
        await year.take_over()
        for _ in range(told.days):
            await year.night()
            await year.daytime()
            if year.day % 30 == 0:
                _say(f"  day {year.day}: {_figures(year)}, {time.perf_counter() - began:.0f} s")
        await year.night()
        await year.close_books()
    except AssertionError as broken:
        _say(f"seed {told.seed}: day {year.day}: {broken}")
        raise
    finally:
        _say(f"  {dict(sorted(year.tally.did.items()))}")
        year.sight.close()
        await year.deps.db.close()
    seconds, of_cpu = time.perf_counter() - began, time.process_time() - spent
    _say(
        f"seed {told.seed}: {told.subscribers:,} subscribers, {year.figures.nights} nights,"
        f" {_figures(year)}, {seconds:.0f} s ({of_cpu:.0f} s of one core): the books balance"
    )
    return 0


def _figures(year: Year) -> str:
    counts = year.judge.papers.counts
    return ", ".join(
        f"{counts[kind]:,} {name}"
        for kind, name in (
            ("invoice", "invoices"),
            ("credit_note", "credit notes"),
            ("receipt", "payments"),
        )
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
