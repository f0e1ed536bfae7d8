"""Which order is carried out: once each, in time, and seldom, through restarts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from wirepb.v1 import desired_pb2 as pb

from agent.changes import digest
from agent.config import Config
from agent.decide import decide
from agent.journal import Journal
from agent.loop import Loop
from agent.model import Changed, Instant, ProbeBegun, ProbeEnded, ProbeOrder, ProbeResult, State
from agent.probes import turns
from agent.probes.prober import Prober
from agent.uplink.seam import DesiredChange
from shaping.memory import MemoryPlane
from shaping.plane import MonotonicMs
from tests.support.steered import NOON, AtOnce, SteeredClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from agent.probes.asked import Wiring, Wish


def at(wall: datetime = NOON) -> Instant:
    return Instant(wall, MonotonicMs(1_000_000), "boot")


def an_order(probe_id: str = "p1", *, kind: str = "arp", asked_at: datetime = NOON) -> ProbeOrder:
    return ProbeOrder(probe_id, kind, "", asked_at)


def with_orders(*orders: ProbeOrder) -> State:
    return State(probes={one.id: one for one in orders})


def test_the_oldest_order_is_next() -> None:
    state = with_orders(an_order("b", asked_at=NOON), an_order("a", asked_at=NOON - turns.HOUR))
    next_one = turns.waiting(state)

    assert next_one is not None
    assert next_one.id == "a"


def test_an_order_that_was_begun_is_never_begun_again() -> None:
    state, _ = decide(with_orders(an_order()), ProbeBegun("p1"), at())

    assert turns.waiting(state) is None


def test_an_order_that_came_late_is_answered_and_not_carried_out() -> None:
    late = an_order(asked_at=NOON - turns.ORDER_GOOD - timedelta(seconds=1))
    state, effects = decide(with_orders(late), ProbeEnded("p1", "{}"), at())

    assert "too late" in (turns.objection(late, {}, NOON) or "")
    assert turns.objection(an_order(asked_at=NOON - turns.ORDER_GOOD), {}, NOON) is None
    assert effects == (ProbeResult("p1", "{}"),)
    assert turns.waiting(state) is None


def test_with_a_clock_that_is_wrong_nothing_is_carried_out() -> None:
    assert "clock" in (turns.objection(an_order(), {}, datetime(1970, 1, 1, tzinfo=UTC)) or "")


def test_there_are_so_many_probes_an_hour_and_no_more() -> None:
    begun = {str(n): NOON - timedelta(minutes=n) for n in range(turns.PROBES_PER_HOUR_MAX)}

    assert "the most" in (turns.objection(an_order(), begun, NOON) or "")
    later = NOON + timedelta(minutes=41)
    assert turns.objection(an_order(asked_at=later), begun, later) is None


def test_what_was_begun_long_ago_and_is_ordered_no_more_is_forgotten() -> None:
    state = replace(with_orders(an_order("new")), probed={"old": NOON - turns.HOUR, "fresh": NOON})
    after, _ = decide(state, ProbeBegun("new"), at())

    assert set(after.probed) == {"fresh", "new"}


def test_what_was_begun_is_still_known_after_a_power_cut(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    state, _ = decide(with_orders(an_order()), ProbeBegun("p1"), at())
    journal.commit(state, (), NOON)
    journal.close()
    again = Journal(tmp_path / "journal.db")
    again.close()

    assert again.state.probed == {"p1": NOON}


class Looks:
    """Looks at nothing: notes what it was asked, and answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, wish: Wish, _site: Wiring, _folder: Path) -> dict[str, Any]:
        self.asked.append(wish.kind)
        await self.free.wait()
        return {"kind": wish.kind, "outcome": "seen", "odd": []}


@asynccontextmanager
async def a_site(folder: Path, look: Looks) -> AsyncIterator[tuple[Loop, Journal]]:
    """A loop and its prober at work."""
    clock = SteeredClock()
    journal = Journal(folder / "journal.db")
    plane = MemoryPlane(now=lambda: clock.now().mono)
    loop = Loop(journal=journal, plane=plane, clock=clock, disk=AtOnce())
    prober = Prober(loop, Config(state_dir=folder), look=look)
    tasks = [asyncio.create_task(loop.run()), asyncio.create_task(prober.run())]
    try:
        yield loop, journal
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        journal.close()


def ordered(*kinds: str, asked_at: datetime = NOON) -> Changed:
    """The controller wants these probes: p0, p1 and so on."""
    ms = int(asked_at.timestamp()) * 1_000
    told = {
        f"probe/p{n}": pb.ItemBody(
            probe=pb.Probe(probe_id=f"p{n}", kind=kind, asked_at_ms=ms)
        ).SerializeToString()
        for n, kind in enumerate(kinds)
    }
    return Changed(DesiredChange(1, 0, tuple(told.items()), (), digest(told)))


def results(journal: Journal) -> dict[str, dict[str, Any]]:
    facts = [record.fact for record in journal.unsent()]
    return {one.probe_id: json.loads(one.body) for one in facts if isinstance(one, ProbeResult)}


async def test_orders_are_carried_out_one_at_a_time_and_their_results_told(tmp_path: Path) -> None:
    look = Looks()
    look.free.clear()
    async with a_site(tmp_path, look) as (loop, journal):
        await loop.kept(ordered("arp", "dhcp"))
        await settle()
        first = list(look.asked)
        look.free.set()
        await settle()
        told = results(journal)

    assert (first, look.asked) == (["arp"], ["arp", "dhcp"])
    assert [told[one]["outcome"] for one in ("p0", "p1")] == ["seen", "seen"]


async def test_an_order_during_which_the_agent_died_is_not_carried_out_again(
    tmp_path: Path,
) -> None:
    look = Looks()
    look.free.clear()
    async with a_site(tmp_path, look) as (loop, _):
        await loop.kept(ordered("arp"))
        await settle()
    look.free.set()
    async with a_site(tmp_path, look) as (loop, journal):
        await settle()
        told = results(journal)

    assert look.asked == ["arp"]
    assert told == {}


async def test_what_is_not_carried_out_has_a_result_that_says_why(tmp_path: Path) -> None:
    look = Looks()
    async with a_site(tmp_path, look) as (loop, journal):
        await loop.kept(ordered("arp", asked_at=NOON - timedelta(minutes=11)))
        await settle()
        late = results(journal)
    async with a_site(tmp_path / "other", look) as (loop, journal):
        await loop.kept(ordered("sing"))
        await settle()
        strange = results(journal)

    assert look.asked == []
    assert "too late" in late["p0"]["error"]
    assert strange["p0"]["error"].startswith("kind: want one of arp")
