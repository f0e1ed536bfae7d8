"""Reports on links good and bad: the newest first, as large as the link takes, all in the end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from agent.model import Notice, Reading, SessionOpened
from agent.pace import BATCH_BYTES_MAX, BATCH_BYTES_MIN, Pace
from agent.uplink.memory import MemoryUplink
from agent.uplink.seam import NO_BACKLOG, Acked, Backlog, UplinkError
from billing.ids import GrantId, OrderId, SessionId
from tests.agent.test_loop import Site
from tests.support.site import some_limits
from tests.support.steered import NOON, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from agent.model import Fact
    from agent.uplink.seam import AppliedState, Order, OrderAnswer
    from agent.vitals import Vitals
    from agent.wire import Record


@dataclass
class Told:
    """One report as it was sent."""

    size_bytes: int
    records: int
    backlog: Backlog


class ThinUplink(MemoryUplink):
    """A link over which no report arrives that has more bytes than it carries in time."""

    carries_bytes = 10**9
    purchases = 0
    reports: list[Told]

    async def purchase(self, order: Order) -> OrderAnswer:
        self.purchases += 1
        for _ in range(self.purchases % 7 * 3):  # while one is answered, another already waits
            await asyncio.sleep(0)
        return await super().purchase(order)

    async def report(
        self,
        journal: str,
        records: Sequence[Record],
        applied: AppliedState,
        backlog: Backlog = NO_BACKLOG,
        vitals: Vitals | None = None,
    ) -> Acked:
        size = sum(len(r.body) for r in (*records, *backlog.newest))
        self.reports.append(Told(size, len(records), backlog))
        if size > self.carries_bytes:
            raise UplinkError("deadline exceeded", sent=True)
        return await super().report(journal, records, applied, backlog, vitals)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path, bounds={"records_max": 10_000})
    made.uplink = ThinUplink(made.controller)
    made.uplink.reports = []
    await made.start()
    yield made
    await made.stop()


def thin(site: Site) -> ThinUplink:
    assert isinstance(site.uplink, ThinUplink)
    return site.uplink


def history(count: int, *, since: int = 0) -> list[Fact]:
    """Readings of a session that is long over, as far as this test goes."""
    grant = GrantId("g1")
    return [
        Reading(SessionId("past"), grant, "e1", n, 0, 0, 0) for n in range(since, since + count)
    ]


async def test_the_newest_state_goes_ahead_of_a_long_history(site: Site) -> None:
    order_id = await site.buy()
    site.uplink.cut()
    site.journal.commit(site.loop.state, history(4_000), NOON)
    site.controller.pay(OrderId(order_id), limits=some_limits())
    thin(site).reports.clear()
    site.uplink.mend()
    await site.clock.advance(31)
    first = thin(site).reports[0]
    told = sorted(seq for _, seq in site.controller.records)

    assert [type(r.fact) for r in first.backlog.newest] == [Reading, SessionOpened]
    assert first.backlog.records >= 4_000
    assert first.backlog.records_max == 10_000
    assert told == list(range(1, len(told) + 1))
    assert site.journal.acked_seq == site.journal.last_seq


async def test_a_present_session_is_told_before_the_history_is_through(site: Site) -> None:
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await settle()
    site.uplink.cut()
    site.journal.commit(site.loop.state, history(4_000), NOON)
    for _ in range(15):
        site.passes(down=1_000)
        await site.clock.advance(1)
    thin(site).reports.clear()
    site.uplink.mend()
    await site.clock.advance(31)
    first = thin(site).reports[0]
    latest = [r.fact for r in first.backlog.newest if isinstance(r.fact, Reading)][-1]

    assert latest.session_id in site.loop.state.sessions
    assert {r.seq for r in first.backlog.newest} == {0}


async def test_a_link_that_carries_little_gets_little_and_all_arrives(site: Site) -> None:
    site.uplink.cut()
    site.journal.commit(site.loop.state, history(2_000), NOON)
    thin(site).carries_bytes = 3_000
    site.uplink.mend()
    await site.clock.advance(600)
    through = [one.size_bytes for one in thin(site).reports if one.size_bytes <= 3_000]

    assert site.journal.acked_seq == site.journal.last_seq
    assert max(through) > 1_500


async def test_filling_is_said_once_and_being_full_once(site: Site) -> None:
    site.uplink.cut()
    for n in range(8):
        site.journal.commit(site.loop.state, history(1_000, since=n * 1_000), NOON)
    for n in range(40):
        site.journal.commit(site.loop.state, history(100, since=10_000 + 100 * n), NOON)
        await site.clock.advance(61)
    site.uplink.mend()
    await site.clock.advance(60)
    codes = [f.code for f in site.facts() if isinstance(f, Notice)]

    assert [code for code in codes if code.startswith("outbox")] == [
        "outbox_filling",
        "outbox_full",
    ]


@pytest.mark.parametrize(
    ("before", "took_ms", "after"),
    [
        (Pace(16_384), 500, Pace(32_768)),
        (Pace(16_384), 4_000, Pace(16_384)),
        (Pace(16_384), 9_000, Pace(8_192, careful=True)),
        (Pace(8_192, careful=True), 500, Pace(9_216, careful=True)),
        (Pace(BATCH_BYTES_MIN), 9_000, Pace(BATCH_BYTES_MIN, careful=True)),
        (Pace(BATCH_BYTES_MAX - 1, careful=True), 1, Pace(BATCH_BYTES_MAX)),
    ],
)
def test_reports_shrink_when_they_are_slow_and_grow_when_they_are_quick(
    before: Pace, took_ms: int, after: Pace
) -> None:
    assert before.answered(took_ms, full=True) == after


def test_a_small_report_that_is_quick_says_nothing_about_large_ones() -> None:
    assert Pace(4_096).answered(1, full=False) == Pace(4_096)


async def test_orders_that_wait_do_not_have_each_other_asked_about(site: Site) -> None:
    for n in range(4):
        await site.gate.order(f"127.0.0.{n + 5}", plan_id="hour", phone=f"071234567{n}")
    await settle()
    before = thin(site).purchases
    await site.clock.advance(20)

    assert thin(site).purchases - before <= 4 * 20 // 2
