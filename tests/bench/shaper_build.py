"""``shaper-build``: classes and queues for 10,000 and 20,000 subscribers, both ways, from nothing.

The peer is one flat HTB on each interface, made by one ``tc -b``; the limit is the tree that we
build, made by one ``tc -b``. None of them is charged for filters. The oracle counts the classes of
the right rate as ``tc`` lists them.
"""

from __future__ import annotations

import statistics
import sys

from tests.bench import trees
from tests.bench.booth import Booth
from tests.bench.row import Row

SIZES = (10_000, 20_000)
ROUNDS = 3
"""A flat tree of 20,000 takes more than 20 s."""

RATE_BPS = 5_000_000


def run() -> list[Row]:
    """Measure, interleaved."""
    took: dict[tuple[str, int], list[float]] = {}
    correct = True
    for number in range(ROUNDS):
        for size in SIZES:
            with Booth() as booth:
                gateway = booth.gateway
                ours = trees.built(gateway, size, RATE_BPS)
                took.setdefault(("ours", size), []).append(ours)
                for name, lines in (("flat", trees.flat), ("nested", trees.nested)):
                    took_s = trees.by_tc(gateway, lines(size, RATE_BPS))
                    took.setdefault((name, size), []).append(took_s)
                    counted = {trees.classes(gateway, i, RATE_BPS) for i in trees.INTERFACES}
                    correct = correct and counted == {size}
                    trees.gone(gateway)
        print(f"  {number + 1}: {took['ours', SIZES[-1]][-1]:.2f} s", file=sys.stderr)
    small, large = SIZES
    middle = {key: statistics.median(seconds) for key, seconds in took.items()}
    return [
        Row(
            name="shaper-build",
            unit="s for 20,000",
            ours=took["ours", large],
            peer=took["flat", large],
            peer_is="one flat HTB by tc -b",
            limit=took["nested", large],
            limit_is="nested groups by tc -b",
            lower_is_better=True,
            correct=correct,
            more={
                "ours_10k": round(middle["ours", small], 3),
                "vs_peer_10k": round(middle["flat", small] / middle["ours", small], 3),
                "vs_limit_10k": round(middle["nested", small] / middle["ours", small], 3),
            },
        )
    ]
