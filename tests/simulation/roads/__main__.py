"""``python -m tests.simulation.roads SEED ...`` lives the runs of some seeds; ``A-B`` is a range.

One seed, or ``-v``, tells the whole story. Exit code 0 when everything held, 1 when something
broke: then its story ends the output, and the line that begins with REPLAY does it again.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import time

import structlog


def main(arguments: list[str]) -> int:
    """Live them."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation.roads", *arguments])  # noqa: S606 - ourselves, so that sets have one order
    gc.disable()  # what is imported stays
    from tests.simulation.roads.judge import Broken
    from tests.simulation.roads.runs import Runs

    logging.disable()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    seeds = _seeds([one for one in arguments if one != "-v"])
    verbose = "-v" in arguments or len(seeds) == 1
    began, cpu_began, payments = time.perf_counter(), time.process_time(), 0
    with Runs() as runs:
        gc.freeze()
        gc.enable()
        gc.set_threshold(100_000)  # what a run leaves is little, and looking for it is much
        for seed in seeds:
            try:
                story = runs.lived(seed)
            except Exception as broken:
                _say("\n".join(getattr(broken, "__notes__", [])))
                _say(f"seed {seed}: {type(broken).__name__}: {broken}")
                _say(f"REPLAY: python -m tests.simulation.roads {seed}")
                if not isinstance(broken, Broken):
                    raise
                return 1
            payments += story.payments
            if verbose:
                _say("\n".join(story.told))
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    _say(
        f"{len(seeds):,} runs, {payments:,} payments settled by the providers: everything held,"
        f" {spent:.1f} s, {cpu:.1f} s of CPU"
    )
    return 0


def _seeds(words: list[str]) -> list[int]:
    seeds: list[int] = []
    for word in words or ["1-300"]:
        first, _, last = word.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
