"""A disk that fails stops acknowledgements, not the customers; and nothing is lost."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from agent.clock import SystemClock
from agent.journal import Journal
from agent.loop import Loop
from agent.model import Notice, Noticed, Reading, SessionClosed, SessionOpened
from billing.ids import OrderId
from billing.payment import OrderStage
from portal.captive.gate import Refusal
from shaping.memory import MemoryPlane
from tests.agent.test_loop import PHONE, A, Site
from tests.support.site import some_limits
from tests.support.steered import settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from agent.model import Fact, State


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path, unwritten_max=50)
    await made.start()
    yield made
    await made.stop()


def the_disk(site: Site, *, fails: bool) -> None:
    """SQLite itself refuses every write, or takes them again."""
    site.journal._db.execute(f"PRAGMA query_only = {int(fails)}")  # noqa: SLF001 - the fault


async def test_a_payment_opens_the_gate_while_the_disk_fails(site: Site) -> None:
    order_id = await site.buy()
    the_disk(site, fails=True)
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await settle()

    assert site.passes()
    assert not site.loop.healthy


async def test_only_what_is_written_down_is_told_but_what_is_applied_is(site: Site) -> None:
    order_id = await site.buy()
    before = site.journal.last_seq
    the_disk(site, fails=True)
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await site.clock.advance(5)
    applied = site.controller.applied

    assert (site.facts(), site.journal.last_seq) == ([], before)
    assert applied is not None
    assert applied.generation == site.controller.generation


async def test_time_ends_on_the_second_while_the_disk_fails(site: Site) -> None:
    order_id = await site.buy()
    the_disk(site, fails=True)
    site.controller.pay(OrderId(order_id), limits=some_limits(validity=60))
    await settle()
    during = site.passes()
    await site.clock.advance(61)

    assert (during, site.passes(), len(site.loop.state.sessions)) == (True, False, 0)


async def test_everything_is_told_once_when_the_disk_is_back(site: Site) -> None:
    order_id = await site.buy()
    the_disk(site, fails=True)
    site.controller.pay(OrderId(order_id), limits=some_limits(validity=60))
    await settle()
    for _ in range(40):
        site.passes(down=1_000, up=100)
        await site.clock.advance(1)
    await site.clock.advance(30)
    the_disk(site, fails=False)
    await site.clock.advance(15)
    facts = site.facts()
    readings = [f.down_bytes_total for f in facts if isinstance(f, Reading)]

    assert [type(f) for f in facts if not isinstance(f, Reading)] == [
        SessionOpened,
        SessionClosed,
        Notice,
    ]
    assert readings == sorted(readings)
    assert readings[-1] == 40_000
    assert site.loop.healthy


async def test_an_order_is_refused_after_a_short_patience_and_never_placed(site: Site) -> None:
    the_disk(site, fails=True)
    asked = asyncio.create_task(site.gate.order(A, plan_id="hour", phone=PHONE))
    await site.clock.advance(2)
    early = asked.done()
    await site.clock.advance(2)
    answer = await asked
    the_disk(site, fails=False)
    await site.clock.advance(30)

    assert (early, answer, site.controller.orders) == (False, Refusal.NOT_NOW, {})
    assert await site.buy() not in set(Refusal)


async def test_an_order_outlives_a_short_fault(site: Site) -> None:
    the_disk(site, fails=True)
    asked = asyncio.create_task(site.gate.order(A, plan_id="hour", phone=PHONE))
    await site.clock.advance(1)
    the_disk(site, fails=False)
    await site.clock.advance(5)
    note = site.gate.device(A).order

    assert note is not None
    assert (note.order_id, note.stage) == (await asked, OrderStage.PROMPTED)


async def test_facts_wait_in_bounded_memory_thinned_out_like_the_outbox(site: Site) -> None:
    the_disk(site, fails=True)
    for number in range(500):
        site.loop.hint(Noticed("drift", str(number)))
        await settle()
    the_disk(site, fails=False)
    await site.clock.advance(15)

    texts = [f.text for f in site.facts() if isinstance(f, Notice) and f.code == "drift"]

    assert (texts[-1], len(texts) < 50) == ("499", True)


async def test_what_must_not_be_dropped_and_has_no_room_waits_outside(site: Site) -> None:
    the_disk(site, fails=True)
    for number in range(60):
        site.loop.hint(Noticed(f"drift-{number:02}", "x"))
        await settle()
    site.controller.put_item("site", b"")
    await site.clock.advance(20)
    held = site.loop.state.generation < site.controller.generation
    asked = asyncio.create_task(site.gate.order(A, plan_id="hour", phone=PHONE))
    await site.clock.advance(14)
    answer = await asked
    the_disk(site, fails=False)
    await site.clock.advance(15)
    codes = [f.code for f in site.facts() if isinstance(f, Notice) and f.code.startswith("drift")]

    assert (held, answer) == (True, Refusal.NOT_NOW)
    assert codes == [f"drift-{number:02}" for number in range(60)]
    assert site.loop.state.generation == site.controller.generation


async def test_killed_while_the_disk_fails_the_site_is_told_again_what_it_forgot(
    site: Site,
) -> None:
    order_id = await site.buy()
    the_disk(site, fails=True)
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await settle()
    site.passes(down=5_000, up=500)
    await site.clock.advance(5)
    await site.kill()
    await site.start()
    site.gate.device(A)
    await site.clock.advance(30)

    assert site.passes()
    assert [type(f) for f in site.facts()].count(SessionOpened) == 1


class SlowJournal(Journal):
    """A journal whose disk is done with a commit when it is let."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.writes, self.let = threading.Event(), threading.Event()

    def commit(self, state: State, facts: Sequence[Fact], at: datetime) -> bool:
        self.writes.set()
        self.let.wait(timeout=5)
        return super().commit(state, facts, at)


async def test_whoever_stops_waits_for_the_disk_and_holds_nobody_else(tmp_path: Path) -> None:
    """Many sites are in one process, and a disk may take minutes."""
    journal, clock = SlowJournal(tmp_path / "journal.db"), SystemClock()
    loop = Loop(journal=journal, plane=MemoryPlane(now=lambda: clock.now().mono), clock=clock)
    work = asyncio.ensure_future(loop.run())
    await asyncio.to_thread(journal.writes.wait)
    work.cancel()
    done, _ = await asyncio.wait({work}, timeout=0.1)
    waited = not done and not journal.let.is_set()
    journal.let.set()
    await asyncio.gather(work, return_exceptions=True)
    journal.close()

    assert waited
