"""A site whose journal stands on a file system that is full for a while; told as one JSON object.

``python -m tests.lab.full_disk FOLDER``, where FOLDER is a small file system of its own.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from agent.model import Reading
from billing.ids import OrderId
from tests.agent.test_loop import PHONE, A, Site
from tests.support.site import some_limits
from tests.support.steered import settle


def fill(folder: Path) -> Path:
    """Take all the room that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1_024))
        except OSError:
            return ballast


async def lived(folder: Path) -> dict[str, Any]:
    """A customer pays, is counted and ends while the disk is full; then there is room again."""
    site = Site(folder)
    await site.start()
    order_id = await site.buy()
    ballast = fill(folder)
    site.controller.pay(OrderId(order_id), limits=some_limits(validity=60))
    await settle()
    told: dict[str, Any] = {"online": site.passes(), "healthy": site.loop.healthy}
    for _ in range(30):
        site.passes(down=1_000, up=100)
        await site.clock.advance(1)
    asked = asyncio.create_task(site.gate.order("127.0.0.6", plan_id="hour", phone=PHONE))
    await site.clock.advance(5)
    told["refused"] = str(await asked)
    await site.clock.advance(40)
    told["ended"] = not site.passes()
    told["told_early"] = len(site.facts())
    ballast.unlink()
    await site.clock.advance(20)
    told["healthy_again"] = site.loop.healthy
    told["kinds"] = [type(f).__name__ for f in site.facts() if not isinstance(f, Reading)]
    told["down"] = [f.down_bytes_total for f in site.facts() if isinstance(f, Reading)][-1]
    told["sells_again"] = len(await site.buy(A)) == len(order_id)
    path = site.folder / str(site.lives) / "journal.db"
    await site.stop()
    with sqlite3.connect(path) as db:
        (told["integrity"],) = db.execute("PRAGMA integrity_check").fetchone()
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(lived(Path(sys.argv[1])))))
