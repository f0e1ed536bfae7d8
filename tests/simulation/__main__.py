"""``python -m tests.simulation SEED ...`` lives the stories of some seeds; ``A-B`` means a range.

Exit code 0 when all invariants held, 1 when one broke: then its story ends the output, and the
line that begins with REPLAY does it again.
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
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *arguments])  # noqa: S606 - ourselves, so that sets have one order
    gc.disable()  # what is imported stays
    from tests.simulation.story import told

    gc.freeze()
    gc.set_threshold(100_000)  # what a story leaves is little, and looking for it is much
    gc.enable()
    logging.disable()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    verbose = "-v" in arguments
    for seed in _seeds([one for one in arguments if one != "-v"]):
        began = time.perf_counter()
        try:
            story = told(seed)
        except Exception as broken:
            _say("\n".join(getattr(broken, "__notes__", [])))
            _say(f"seed {seed}: {type(broken).__name__}: {broken}")
            _say(f"REPLAY: make sim SEEDS={seed}")
            if verbose:
                raise
            return 1
        if verbose:
            _say("\n".join(story))
        spent = time.perf_counter() - began
        _say(f"seed {seed}: {len(story)} events, all invariants held, {spent:.1f} s")
    return 0


def _seeds(words: list[str]) -> list[int]:
    seeds: list[int] = []
    for word in words or ["1-20"]:
        first, _, last = word.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
