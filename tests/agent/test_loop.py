"""A whole agent on the memory plane and the memory uplink, with time in the test's hands."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from wirepb.v1 import desired_pb2

from agent.courier import Courier
from agent.gate import SiteGate
from agent.journal import Journal
from agent.lan import LoopbackLan
from agent.loop import UNWRITTEN_MAX, Loop
from agent.model import Notice, Reading, SessionClosed, SessionOpened, Sighted, Why
from agent.uplink.memory import MemoryController, MemoryUplink, grant_item, plan_item, site_item
from billing.ids import OrderId
from billing.payment import OrderStage, Reason
from billing.quota import Allowance
from billing.voucher import parse_code
from portal.captive.gate import Refusal, SiteFace
from shaping.memory import MemoryPlane
from shaping.plane import MacAddress, Neighbour, PlaneError, Sight
from tests.support.site import an_offer, some_limits
from tests.support.steered import AtOnce, SteeredClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from agent.model import Fact, Instant
    from agent.vitals import LinkSeen, Vitals
    from shaping.plane import Applied, Counter, Desired, SessionKey

PHONE = "0712 345 678"
A, B = "127.0.0.5", "127.0.0.6"
CODE = "7KQM2XWD9FT"


class FaultyPlane(MemoryPlane):
    """A box that can be out of order, and is counted in how often it is told."""

    broken = False
    applies = 0
    counts = 0
    afterwards: Callable[[], object] | None = None
    """Called right after it was read."""

    async def apply(self, desired: Desired) -> Applied:
        self.applies += 1
        if self.broken:
            raise PlaneError("the box is out of order")
        return await super().apply(desired)

    async def counters(self) -> Mapping[SessionKey, Counter]:
        if self.broken:
            raise PlaneError("the box is out of order")
        self.counts += 1
        self.counting()
        counters = await super().counters()
        if self.afterwards is not None:
            self.afterwards()
        return counters

    def counting(self) -> None:
        """Called while it is read; reading takes no time unless a test says so."""


def a_world_controller() -> MemoryController:
    controller = MemoryController()
    controller.put_item(*site_item(SiteFace("Simba Net", "Stage 4", "0700 000 001", "sw")))
    controller.put_item(*plan_item(an_offer("hour", validity=3600), rank=2))
    controller.put_item(*plan_item(an_offer("data", quota=1_000_000), rank=1))
    return controller


@dataclass
class Site:
    """One agent that can be killed and started again; plane, controller and time outlive it."""

    folder: Path
    clock: SteeredClock = field(default_factory=SteeredClock)
    controller: MemoryController = field(default_factory=a_world_controller)
    bounds: Mapping[str, int] = field(default_factory=dict)
    unwritten_max: int = UNWRITTEN_MAX
    vitals: Callable[[Instant, LinkSeen], Vitals] | None = None

    def __post_init__(self) -> None:
        self.plane = FaultyPlane(now=lambda: self.clock.now().mono)
        self.uplink = MemoryUplink(self.controller)
        self.lives = 0

    async def start(self) -> None:
        self.journal = Journal(self.folder / str(self.lives) / "journal.db", **self.bounds)
        self.loop = Loop(
            journal=self.journal,
            plane=self.plane,
            clock=self.clock,
            disk=AtOnce(),
            unwritten_max=self.unwritten_max,
        )
        self.courier = Courier(
            loop=self.loop,
            journal=self.journal,
            uplink=self.uplink,
            clock=self.clock,
            vitals=self.vitals,
        )
        self.gate = SiteGate(
            loop=self.loop,
            uplink=self.uplink,
            resolve=LoopbackLan().resolve,
            secret="s3cret",
            cut_off=lambda: self.courier.cut_off,
        )
        self.tasks = [
            asyncio.create_task(self.loop.run()),
            asyncio.create_task(self.courier.run()),
        ]
        await settle()
        await self.clock.advance(1)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.journal.close()

    async def kill(self) -> None:
        """As kill -9: what is on the disk at this moment is all that is left."""
        after = self.folder / str(self.lives + 1)
        after.mkdir()
        for file in (self.folder / str(self.lives)).iterdir():
            shutil.copy(file, after / file.name)
        await self.stop()
        self.lives += 1

    async def buy(self, address: str = A, *, plan_id: str = "hour") -> str:
        order_id = await self.gate.order(address, plan_id=plan_id, phone=PHONE)
        await self.clock.advance(3)
        return order_id

    def passes(self, address: str = A, *, down: int = 1_000, up: int = 100) -> bool:
        mac = LoopbackLan().resolve(ip_address(address))
        assert mac is not None
        return self.plane.pass_bytes(ip_address(address), mac, down=down, up=up)

    def facts(self) -> list[Fact]:
        """Everything the controller was ever told, in order, each record once."""
        return [record.fact for _, record in sorted(self.controller.records.items())]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    await made.start()
    yield made
    await made.stop()


async def test_the_portal_shows_what_the_controller_pushed(site: Site) -> None:
    assert site.gate.face().site_name == "Stage 4"
    assert [offer.plan_id for offer in site.gate.offers()] == ["data", "hour"]


async def test_paying_opens_the_gate_with_no_tap(site: Site) -> None:
    before = site.passes()
    order_id = await site.buy()
    stage = site.gate.device(A).order
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await settle()
    view = site.gate.device(A)

    assert (before, stage is not None and stage.stage) == (False, OrderStage.PROMPTED)
    assert site.passes()
    assert (view.access is not None, view.order) == (True, None)


async def test_an_unpaid_neighbour_stays_outside(site: Site) -> None:
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits())
    site.gate.device(B)
    await settle()

    assert not site.passes(B)


async def test_the_controller_is_told_at_once_of_a_session(site: Site) -> None:
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await settle()

    assert [type(f) for f in site.facts()] == [SessionOpened]


async def test_bytes_on_the_plane_are_bytes_at_the_controller(site: Site) -> None:
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits(validity=100))
    await settle()
    for _ in range(30):
        site.passes(down=12_345, up=678)
        await site.clock.advance(1)
    await site.clock.advance(2)
    access = site.gate.device(A).access
    await site.clock.advance(120)
    last = [f for f in site.facts() if isinstance(f, Reading)][-1]

    assert access is not None
    assert (access.down_bytes, access.up_bytes) == (30 * 12_345, 30 * 678)
    assert (last.down_bytes_total, last.up_bytes_total) == (30 * 12_345, 30 * 678)
    assert isinstance(site.facts()[-1], SessionClosed)


async def test_time_ends_on_the_second_in_the_plane_itself(site: Site) -> None:
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits(validity=60))
    await settle()
    await site.stop()
    site.clock.move(59_999)
    last = site.passes()
    site.clock.move(1)
    after = site.passes()
    await site.start()

    assert (last, after) == (True, False)


async def test_data_ends_at_the_cap(site: Site) -> None:
    order_id = await site.buy(plan_id="data")
    site.controller.pay(OrderId(order_id), limits=some_limits(quota=1_000_000))
    await settle()
    passed = 0
    for _ in range(200):
        passed += 10_000 if site.passes(down=9_000, up=1_000) else 0
        await site.clock.advance(0.1, step_ms=100)
    await site.clock.advance(5)

    assert passed == 1_000_000
    assert [f.reason for f in site.facts() if isinstance(f, SessionClosed)] == [Why.DATA]


async def test_a_budget_that_is_given_anew_is_less_by_all_that_passed(site: Site) -> None:
    limits, devices = some_limits(quota=1_000_000), ["02:00:7f:00:00:05"]
    site.controller.put_item(*grant_item("f" * 32, limits=limits, devices=devices))
    await settle()
    await site.gate.sign_in(A)
    await site.clock.advance(3)
    passed = sum(10_000 for _ in range(30) if site.passes(down=9_000, up=1_000))
    handed = Allowance(bytes=1_000_000)
    site.controller.put_item(
        *grant_item("f" * 32, limits=limits, devices=devices, allowance=handed)
    )
    await settle()
    passed += sum(10_000 for _ in range(200) if site.passes(down=9_000, up=1_000))

    assert passed == 1_000_000


async def test_signing_in_opens_for_a_device_that_comes_back(site: Site) -> None:
    key, body = grant_item("f" * 32, limits=some_limits(), devices=["02:00:7f:00:00:05"])
    site.controller.put_item(key, body)
    await settle()

    assert await site.gate.sign_in(A)
    assert site.passes()


async def test_signing_in_without_a_grant_opens_nothing(site: Site) -> None:
    assert not await site.gate.sign_in(A)
    assert not site.passes()


async def test_a_double_tap_is_one_order(site: Site) -> None:
    both = await asyncio.gather(
        site.gate.order(A, plan_id="hour", phone=PHONE),
        site.gate.order(A, plan_id="hour", phone="+254712345678"),
    )
    await site.clock.advance(1)

    assert both[0] == both[1]
    assert len(site.controller.orders) == 1


async def test_another_order_waits_for_the_first(site: Site) -> None:
    await site.buy()

    assert await site.gate.order(A, plan_id="data", phone=PHONE) is Refusal.ORDER_OPEN


@pytest.mark.parametrize(
    ("address", "plan_id", "phone", "refusal"),
    [
        (A, "hour", "12345", Refusal.PHONE_INVALID),
        (A, "moon", PHONE, Refusal.PLAN_UNKNOWN),
        ("192.0.2.1", "hour", PHONE, Refusal.DEVICE_UNKNOWN),
        ("nonsense", "hour", PHONE, Refusal.DEVICE_UNKNOWN),
    ],
)
async def test_an_order_that_cannot_be_is_refused(
    site: Site, address: str, plan_id: str, phone: str, refusal: Refusal
) -> None:
    assert await site.gate.order(address, plan_id=plan_id, phone=phone) is refusal


async def test_a_refused_order_says_why_and_makes_room(site: Site) -> None:
    order_id = await site.buy()
    site.controller.refuse(OrderId(order_id), Reason.WRONG_PIN)
    await site.clock.advance(3)
    note = site.gate.device(A).order
    again = await site.gate.order(A, plan_id="hour", phone=PHONE)

    assert note is not None
    assert (note.stage, note.reason) == (OrderStage.REFUSED, Reason.WRONG_PIN)
    assert again not in set(Refusal)


async def test_orders_of_one_device_are_limited(site: Site) -> None:
    answers = []
    for _ in range(11):
        order_id = await site.buy()
        answers.append(order_id)
        if order_id not in set(Refusal):
            site.controller.refuse(OrderId(order_id), Reason.CANCELLED)
        await site.clock.advance(3)

    assert answers[-1] is Refusal.TOO_MANY_TRIES
    assert len(site.controller.orders) == 10


async def test_an_order_placed_while_the_link_is_down_goes_when_it_is_back(site: Site) -> None:
    site.uplink.cut()
    order_id = await site.buy()
    waiting = site.gate.device(A).order
    site.uplink.mend()
    await site.clock.advance(5)
    note = site.gate.device(A).order

    assert waiting is not None
    assert note is not None
    assert (waiting.stage, note.stage) == (OrderStage.QUEUED, OrderStage.PROMPTED)
    assert order_id in site.controller.orders


async def test_an_order_that_never_got_through_expires_unsent(site: Site) -> None:
    site.uplink.cut()
    await site.buy()
    await site.clock.advance(130)
    note = site.gate.device(A).order
    site.uplink.mend()
    await site.clock.advance(60)

    assert note is not None
    assert (note.stage, site.controller.orders) == (OrderStage.EXPIRED, {})


async def test_an_order_whose_answers_are_lost_is_being_checked_until_it_is_known(
    site: Site,
) -> None:
    site.uplink.lose_answers = True
    await site.buy()
    await site.clock.advance(130)
    note = site.gate.device(A).order
    site.uplink.lose_answers = False
    await site.clock.advance(70)
    after = site.gate.device(A).order

    assert note is not None
    assert after is not None
    assert (note.stage, after.stage) == (OrderStage.CHECKING, OrderStage.PROMPTED)
    assert len(site.controller.orders) == 1


async def test_a_grant_that_comes_while_the_link_is_down_opens_when_it_is_back(site: Site) -> None:
    order_id = await site.buy()
    site.uplink.cut()
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await site.clock.advance(300)
    cut = site.passes()
    site.uplink.mend()
    await site.clock.advance(31)

    assert (cut, site.passes()) == (False, True)


async def test_records_made_while_the_link_is_down_arrive_once_it_is_back(site: Site) -> None:
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits(validity=60))
    await settle()
    site.uplink.cut()
    site.passes(down=5_000, up=500)
    await site.clock.advance(100)
    site.uplink.mend()
    await site.clock.advance(31)
    reading = [f for f in site.facts() if isinstance(f, Reading)][-1]

    assert (reading.down_bytes_total, reading.up_bytes_total) == (5_000, 500)
    assert isinstance(site.facts()[-1], SessionClosed)


async def test_reports_of_lost_answers_change_nothing(site: Site) -> None:
    site.uplink.lose_answers = True
    key, body = grant_item("f" * 32, limits=some_limits(validity=60), devices=["02:00:7f:00:00:05"])
    site.controller.put_item(key, body)
    await settle()
    await site.gate.sign_in(A)
    site.passes(down=5_000, up=500)
    await site.clock.advance(100)
    site.uplink.lose_answers = False
    await site.clock.advance(31)
    kinds = [type(f) for f in site.facts()]

    assert kinds == [SessionOpened, Reading, SessionClosed]
    assert site.journal.acked_seq == site.journal.last_seq


async def test_what_was_applied_is_reported(site: Site) -> None:
    site.controller.put_item(*plan_item(an_offer("week")))
    await site.clock.advance(2)

    assert site.controller.applied is not None
    assert site.controller.applied.generation == site.controller.generation


async def test_a_plane_out_of_order_is_mended_when_it_is_back(site: Site) -> None:
    site.plane.broken = True
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await site.clock.advance(5)
    view = await site.gate.sign_in(A)
    site.plane.broken = False
    await site.clock.advance(11)

    assert not view or site.passes()
    assert site.passes()


async def test_a_box_that_could_not_be_counted_for_a_moment_is_well_again(site: Site) -> None:
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await settle()
    await site.clock.advance(1)
    site.plane.broken = True
    await site.clock.advance(2)
    was_well, troubles = site.loop.healthy, site.loop.troubles
    site.plane.broken = False
    await site.clock.advance(4)

    assert (was_well, site.loop.healthy) == (False, True)
    assert [one.partition(":")[0] for one in troubles] == ["plane"]
    assert site.loop.troubles == []


async def test_a_session_closed_while_the_box_is_out_of_order_is_counted_to_its_end(
    site: Site,
) -> None:
    limits, devices = some_limits(), ["02:00:7f:00:00:05"]
    site.controller.put_item(*grant_item("f" * 32, limits=limits, devices=devices))
    await settle()
    await site.gate.sign_in(A)
    await site.clock.advance(1)
    site.plane.broken = True
    await site.clock.advance(2)
    site.controller.put_item(*grant_item("f" * 32, limits=limits, devices=devices, revoked=True))
    await settle()
    site.plane.broken, passed = False, []
    site.plane.afterwards = lambda: passed.append(site.passes(down=1_000, up=100))
    await site.clock.advance(5)
    site.plane.afterwards = None
    await site.clock.advance(15)
    readings = [fact for fact in site.facts() if isinstance(fact, Reading)]

    assert any(passed)
    assert readings[-1].down_bytes_total == 1_000 * sum(passed)


async def test_what_somebody_removed_by_hand_is_put_back_and_told(site: Site) -> None:
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await settle()
    site.plane.tamper(ip_address(A))
    removed = site.passes()
    await site.clock.advance(40)
    drift = [f for f in site.facts() if isinstance(f, Notice) and f.code == "drift"]

    assert (removed, site.passes()) == (False, True)
    assert len(drift) == 1


async def test_a_quiet_site_leaves_the_plane_alone(site: Site) -> None:
    before = site.plane.applies
    await site.clock.advance(25)

    assert site.plane.applies == before


async def test_killed_and_started_again_nothing_is_lost_or_doubled(site: Site) -> None:
    order_id = await site.buy()
    await site.kill()
    await site.start()
    site.gate.device(A)
    site.controller.pay(OrderId(order_id), limits=some_limits(validity=300))
    await settle()
    for _ in range(10):
        site.passes(down=1_000, up=100)
        await site.clock.advance(3)
        await site.kill()
        through = site.passes(down=1_000, up=100)
        await site.start()
        assert through
    await site.clock.advance(300)
    readings = {
        (f.session_id, f.epoch): f.down_bytes_total for f in site.facts() if isinstance(f, Reading)
    }
    kinds = [type(f) for f in site.facts() if not isinstance(f, Reading)]

    assert list(readings.values()) == [20_000]
    assert kinds == [SessionOpened, SessionClosed]


async def test_a_power_cut_loses_no_grant_and_counts_on(site: Site) -> None:
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits(validity=1000))
    await settle()
    site.passes(down=7_000, up=700)
    await site.clock.advance(15)
    await site.kill()
    site.plane.reboot()
    site.clock.boot(off_s=100)
    await site.start()
    again = site.passes(down=1_000, up=100)
    await site.clock.advance(5)
    access = site.gate.device(A).access

    assert again
    assert access is not None
    assert access.down_bytes == 8_000
    assert access.seconds_left is not None
    assert 870 <= access.seconds_left <= 885


async def test_a_voucher_of_the_controller_is_accepted(site: Site) -> None:
    code = parse_code(_whole(CODE))
    site.controller.vouchers[code] = None

    assert await site.gate.redeem(A, code=_whole(CODE).lower()) is None


async def test_guessing_vouchers_ends_after_five_tries(site: Site) -> None:
    answers = [await site.gate.redeem(A, code=_whole(CODE)) for _ in range(6)]
    site.clock.move(15 * 60_000)

    assert answers == [Refusal.VOUCHER_INVALID] * 5 + [Refusal.TOO_MANY_TRIES]
    assert await site.gate.redeem(A, code="???") is Refusal.VOUCHER_INVALID


async def test_a_voucher_needs_the_link(site: Site) -> None:
    site.uplink.cut()

    assert await site.gate.redeem(A, code=_whole(CODE)) is Refusal.OFFLINE


async def test_a_device_reference_is_stable_and_says_no_mac(site: Site) -> None:
    one, again, other = (site.gate.device(at).device_ref for at in (A, A, B))

    assert one == again != other
    assert len(one) == 6


async def test_a_controller_that_went_back_is_not_obeyed_and_told(site: Site) -> None:
    before = site.loop.state.items
    site.controller.generation = 1
    site.controller.items.clear()
    site.controller.steps.clear()
    site.uplink.cut()
    await settle()
    site.uplink.mend()
    await site.clock.advance(60)

    assert site.loop.state.items == before
    assert any(isinstance(f, Notice) and f.code == "generation_older" for f in site.facts())


async def test_a_device_seen_on_the_lan_is_opened_for(site: Site) -> None:
    mac = MacAddress("02:00:00:00:00:61")
    site.controller.put_item(*grant_item("e" * 32, limits=some_limits(), devices=[mac]))
    await settle()
    await site.loop.done(Sighted(Neighbour(Sight.SEEN, mac, ip_address("10.0.0.5"))))

    assert site.plane.pass_bytes(ip_address("10.0.0.5"), mac, down=1, up=1)


def _whole(body: str) -> str:
    """The code with its check character."""
    from billing.voucher import check_character

    return body + check_character(body)


@pytest.mark.parametrize(("reading_ms", "counts"), [(0, 30), (12, 25), (100, 17)])
async def test_a_box_that_is_slow_to_read_is_read_less_often(
    site: Site, reading_ms: int, counts: int
) -> None:
    order_id = await site.buy()
    site.controller.pay(OrderId(order_id), limits=some_limits())
    await settle()
    site.plane.counting = lambda: site.clock.move(reading_ms)  # type: ignore[method-assign]  # a slow box
    before = site.plane.counts
    await site.clock.advance(60, step_ms=100)

    assert abs(site.plane.counts - before - counts) <= 1


async def test_a_cut_off_site_announces_work_by_its_own_clock_after_a_restart_too(
    site: Site,
) -> None:
    start = int((site.clock.now().wall + timedelta(hours=1)).timestamp() * 1_000)
    work = desired_pb2.Work(from_ms=start, until_ms=start + 7_200_000, text_en="New mast.")
    body = desired_pb2.ItemBody(works=desired_pb2.Works(works=[work])).SerializeToString()
    site.controller.put_item("works", body)
    await site.clock.advance(1)
    before = [one.on for one in site.gate.face().works]
    site.uplink.cut()
    await site.kill()
    await site.start()
    await site.clock.advance(3_700)
    during = [(one.on, one.text_en) for one in site.gate.face().works]
    await site.clock.advance(7_200)

    assert (before, during, site.gate.face().works) == ([False], [(True, "New mast.")], ())


async def test_a_site_says_that_it_is_cut_off_once_that_lasts(site: Site) -> None:
    site.uplink.cut()
    await site.clock.advance(50)
    at_first = site.gate.face().cut_off
    await site.clock.advance(60)
    lasting = site.gate.face().cut_off
    site.uplink.mend()
    await site.clock.advance(60)

    assert (at_first, lasting, site.gate.face().cut_off) == (False, True, False)
