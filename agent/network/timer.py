"""Takes a tried change back when its time is over: ``python -m agent.network.timer CONFIG ID``.

A process of its own, which outlives the command that started it and needs no agent.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from agent import config as configs
from agent.clock import SystemClock
from agent.network import change, files, situation

LOOK_MAX_S = 5
TRY_AGAIN_S = 5
TRIES_MAX = 60


async def watch(path: Path, trial_id: str) -> None:
    """Wait until the trial is over, confirmed or taken back, and take it back if it is due."""
    clock = SystemClock()
    config = configs.load(path)
    place = change.Place(config.state_dir, path)
    tries = 0
    while tries < TRIES_MAX:
        trial = situation.pending(files.folder(config.state_dir))
        if trial is None or trial.id != trial_id:
            return
        if (left_s := trial.left_s(clock.now())) > 0:
            await clock.sleep(min(left_s, LOOK_MAX_S))
            continue
        tries += 1
        network = configs.load(path).network
        try:
            if network is not None:
                change.take_back(place, network, clock, only_due=trial_id)
        except change.ChangeRefused as refused:
            sys.stderr.write(f"{refused}\n")
        await clock.sleep(TRY_AGAIN_S)


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asyncio.run(watch(Path(sys.argv[1]), sys.argv[2]))
