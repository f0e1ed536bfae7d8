"""Takes a tried change back when its time is over: ``python -m agent.network.timer CONFIG ID``.

A process of its own, which outlives the command that started it and needs no agent.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent import config as configs
from agent.clock import SystemClock
from agent.network import change, files, situation

if TYPE_CHECKING:
    from agent.clock import Clock
    from agent.config import Config
    from agent.network.plan import Network

LOOK_MAX_S = 5
TRY_AGAIN_S = 5
TRIES_MAX = 60


def watch(path: Path, trial_id: str) -> None:
    """Wait until the trial is over, confirmed or taken back, and take it back if it is due."""
    clock = SystemClock()
    config = configs.load(path)
    place = change.Place(config.state_dir, path)
    for _ in range(TRIES_MAX):
        while (left_s := _left_s(place, trial_id, clock)) > 0:
            asyncio.run(clock.sleep(min(left_s, LOOK_MAX_S)))
        try:
            change.take_back(place, _network(path, config), clock, only_due=trial_id)
        except change.ChangeRefused as refused:
            sys.stderr.write(f"{refused}\n")
            asyncio.run(clock.sleep(TRY_AGAIN_S))
        else:
            return


def _left_s(place: change.Place, trial_id: str, clock: Clock) -> int:
    trial = situation.pending(files.folder(place.state_dir))
    return trial.left_s(clock.now()) if trial is not None and trial.id == trial_id else 0


def _network(path: Path, config: Config) -> Network:
    """What the configuration says now, or said when the trial began if it cannot be read."""
    try:
        network = configs.load(path).network
    except configs.ConfigFaults:
        network = None
    network = network or config.network
    assert network is not None, "a trial begins only where there is a network"
    return network


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    watch(Path(sys.argv[1]), sys.argv[2])
