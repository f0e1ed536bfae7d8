"""An agent and a controller in one process, to be run inside a namespace whose link is thin.

``python -m tests.lab.thin FOLDER``: a backlog waits when the two meet; what happens is told as one
JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.changes import digest
from agent.clock import SystemClock
from agent.courier import Courier
from agent.journal import Journal
from agent.loop import Loop
from agent.model import Reading, SessionOpened, State
from agent.uplink.grpc import GrpcUplink
from agent.uplink.memory import MemoryController, grant_item, plan_item
from billing.ids import GrantId, SessionId
from shaping.memory import MemoryPlane
from tests.support.edge import EdgeServer
from tests.support.site import a_mac, an_offer, some_limits
from tests.support.steered import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from agent.model import Fact
    from agent.uplink.seam import AppliedState, DesiredChange, Held

RECORDS = 3_000
GRANTS = 2_000
LOOK_S = 0.1


def backlog() -> list[Fact]:
    """A day of many sessions; the last few are still there."""
    facts: list[Fact] = []
    for number in range(RECORDS):
        name = f"{number // 10:032x}"
        if number % 10 == 0:
            facts.append(SessionOpened(SessionId(name), GrantId(name), a_mac("a"), ("10.0.0.5",)))
        else:
            facts.append(
                Reading(
                    SessionId(name), GrantId(name), f"epoch-{name[-4:]}", number * 7_919, 1, 60, 60
                )
            )
    return facts


def a_grant_id(number: int) -> str:
    """As random as a real one: what compresses too well is no test of a link."""
    return sha256(str(number).encode()).hexdigest()[:32]


class Counting(GrpcUplink):
    """Counts the parts that came, and the streams that were opened for them."""

    parts = 0
    streams = 0

    async def follow(
        self, known: AppliedState, held: Held | None = None
    ) -> AsyncGenerator[DesiredChange, None]:
        self.streams += 1
        async for part in super().follow(known, held):
            self.parts += 1
            yield part


async def measured(folder: Path) -> dict[str, Any]:
    """Seconds until the newest state, all records, and a large change had crossed the link."""
    controller = MemoryController()
    controller.put_item(*plan_item(an_offer()))
    server = EdgeServer(controller)
    await server.start()
    journal = Journal(folder / "journal.db")
    facts = backlog()
    journal.commit(State(), facts, NOON)
    clock = SystemClock()
    loop = Loop(journal=journal, plane=MemoryPlane(now=lambda: clock.now().mono), clock=clock)
    uplink = Counting(server.credentials())
    courier = Courier(loop=loop, journal=journal, uplink=uplink, clock=clock)
    began, told = time.monotonic(), {}
    tasks = [asyncio.create_task(loop.run()), asyncio.create_task(courier.run())]
    while journal.fill.records:
        await asyncio.sleep(LOOK_S)
        if controller.newest and "newest_s" not in told:
            told["newest_s"] = time.monotonic() - began
            told["history_by_then"] = len(controller.records)
    told["drained_s"] = time.monotonic() - began
    began, uplink.parts, uplink.streams = time.monotonic(), 0, 0
    controller.items.update(
        grant_item(
            a_grant_id(n), limits=some_limits(), devices=[f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}"]
        )
        for n in range(GRANTS)
    )
    controller.steps.clear()
    controller.put_item(*plan_item(an_offer("week")))
    controller.steps.clear()
    while loop.state.generation < controller.generation:  # noqa: ASYNC110 - the same
        await asyncio.sleep(LOOK_S)
    told["snapshot_s"] = time.monotonic() - began
    told["snapshot_whole"] = loop.state.digest == digest(controller.items)
    told["parts"], told["streams_more"] = uplink.parts, uplink.streams
    told["snapshot_bytes"] = sum(map(len, controller.items.values()))
    got = [record.fact for (_, _), record in sorted(controller.records.items())]
    told["same"] = got[:RECORDS] == facts
    told["newest"] = len(controller.newest)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await uplink.close()
    await server.stop()
    journal.close()
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measured(Path(sys.argv[1])))))
