"""What every road to the controller promises, run on the shipped fake and on gRPC over TLS."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from agent.changes import NO_ITEMS, digest
from agent.model import (
    DeviceJoined,
    Notice,
    Reading,
    SessionClosed,
    SessionOpened,
    Why,
)
from agent.uplink.grpc import GrpcUplink, enrol
from agent.uplink.memory import (
    SENT_CODE,
    MemoryController,
    MemoryUplink,
    grant_item,
    plan_item,
)
from agent.uplink.seam import (
    NO_PARTS,
    Acked,
    AppliedState,
    Backlog,
    DesiredChange,
    Full,
    Held,
    Order,
    OrderAnswer,
    UplinkError,
    UplinkRefused,
)
from agent.vitals import Vitals
from agent.wire import record_of
from billing.ids import GrantId, OrderId, RedemptionId, SessionId
from billing.msisdn import Msisdn, PhoneCode
from billing.payment import OrderStage, Reason
from billing.receipt import Receipt
from billing.voucher import VoucherCode
from portal.captive.gate import Refusal
from tests.support.edge import Authority, EdgeServer
from tests.support.site import a_mac, an_offer, some_limits
from tests.support.steered import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from agent.model import Fact
    from agent.uplink.seam import Uplink

NOTHING = AppliedState(0, NO_ITEMS)
GRANT = grant_item("g1", limits=some_limits(), devices=[a_mac("a")])
JOURNAL = "a" * 32


@dataclass
class Road:
    """One implementation, the controller behind it, and the link between them."""

    uplink: Uplink
    controller: MemoryController
    lose_answers: Callable[[], None]


def a_controller() -> MemoryController:
    controller = MemoryController()
    controller.put_item(*plan_item(an_offer()))
    return controller


@pytest.fixture(params=["memory", "grpc"])
async def road(request: pytest.FixtureRequest) -> AsyncIterator[Road]:
    controller = a_controller()
    if request.param == "memory":
        memory = MemoryUplink(controller)
        yield Road(memory, controller, lambda: setattr(memory, "lose_answers", True))
        return
    server = EdgeServer(controller)
    await server.start()
    uplink = GrpcUplink(server.credentials())
    yield Road(uplink, controller, lambda: setattr(server, "lose_answers", True))
    await uplink.close()
    await server.stop()


def an_order(order_id: str = "o1", *, plan_id: str = "hour") -> Order:
    return Order(OrderId(order_id), plan_id, Msisdn("254712345678"), a_mac("a"), 0)


async def next_of(stream: AsyncIterator[DesiredChange]) -> DesiredChange:
    return await asyncio.wait_for(anext(stream), 10)


async def test_a_new_agent_gets_a_snapshot(road: Road) -> None:
    async with aclosing(road.uplink.follow(NOTHING)) as stream:
        change = await next_of(stream)

    assert (change.from_generation, change.digest) == (0, digest(dict(change.upserts)))


async def test_a_change_reaches_a_follower_as_a_step(road: Road) -> None:
    async with aclosing(road.uplink.follow(NOTHING)) as stream:
        first = await next_of(stream)
        road.controller.put_item(*GRANT)
        step = await next_of(stream)

    assert (step.from_generation, step.upserts) == (first.generation, (GRANT,))
    assert step.digest == digest({**dict(first.upserts), **dict([GRANT])})


async def test_a_removal_reaches_a_follower(road: Road) -> None:
    road.controller.put_item(*GRANT)
    async with aclosing(road.uplink.follow(NOTHING)) as stream:
        await next_of(stream)
        road.controller.drop_item(GRANT[0])
        step = await next_of(stream)

    assert step.removals == (GRANT[0],)


async def test_an_agent_that_has_everything_hears_only_of_news(road: Road) -> None:
    known = AppliedState(road.controller.generation, digest(road.controller.items))
    async with aclosing(road.uplink.follow(known)) as stream:
        waiting = asyncio.ensure_future(next_of(stream))
        await asyncio.sleep(0.05)
        early = waiting.done()
        road.controller.put_item(*GRANT)
        step = await waiting

    assert (early, step.upserts) == (False, (GRANT,))


async def test_an_agent_with_other_content_gets_a_snapshot(road: Road) -> None:
    known = AppliedState(road.controller.generation, bytes(32))
    async with aclosing(road.uplink.follow(known)) as stream:
        change = await next_of(stream)

    assert change.from_generation == 0


async def test_a_large_change_comes_in_parts_to_who_takes_them(road: Road) -> None:
    road.controller.part_bytes_max = 100
    fill(road, 10)
    async with aclosing(road.uplink.follow(NOTHING, NO_PARTS)) as stream:
        parts = [await next_of(stream)]
        while parts[-1].upto_key:
            parts.append(await next_of(stream))
        fill(road, 1)
        step = await next_of(stream)
    async with aclosing(road.uplink.follow(NOTHING)) as stream:
        whole = await next_of(stream)
    told = [one for part in parts for one in part.upserts]

    assert len(parts) > 4
    assert [part.continues for part in parts] == [False, *[True] * (len(parts) - 1)]
    assert (digest(dict(told)), told) == (parts[0].digest, sorted(told))
    assert (step.is_part, whole.is_part, whole.from_generation) == (False, False, 0)


async def test_after_a_break_it_goes_on_from_what_is_held(road: Road) -> None:
    road.controller.part_bytes_max = 100
    fill(road, 10)
    async with aclosing(road.uplink.follow(NOTHING, NO_PARTS)) as stream:
        first, second = await next_of(stream), await next_of(stream)
    held = Held(first.generation, first.digest, 0, first.upto_key)
    async with aclosing(road.uplink.follow(NOTHING, held)) as stream:
        again = await next_of(stream)

    assert again == second


async def test_parts_that_no_longer_fit_begin_anew(road: Road) -> None:
    road.controller.part_bytes_max = 100
    fill(road, 10)
    held = Held(road.controller.generation, bytes(32), 0, "slot/4")
    async with aclosing(road.uplink.follow(NOTHING, held)) as stream:
        first = await next_of(stream)

    assert (first.continues, first.is_part) == (False, True)


def fill(road: Road, count: int) -> None:
    """Some items of 40 bytes."""
    for number in range(count):
        road.controller.put_item(f"slot/{number}", bytes(40))


async def test_every_kind_of_record_arrives_as_it_was_sent(road: Road) -> None:
    session, grant = SessionId("s1"), GrantId("g1")
    facts: list[Fact] = [
        SessionOpened(session, grant, a_mac("a"), ("10.0.0.5", "2001:db8::5")),
        Reading(session, grant, "e1", 2**40, 7, 60, 30),
        SessionClosed(session, grant, Why.DATA),
        Notice("drift", "somebody removed a rule"),
        DeviceJoined(grant, a_mac("b"), a_mac("a"), "cookie"),
    ]
    records = [record_of(seq, NOON, fact) for seq, fact in enumerate(facts, 1)]
    acked = await road.uplink.report(JOURNAL, records, AppliedState(3, bytes(32)))

    assert acked.seq == 5
    assert [road.controller.records[JOURNAL, seq] for seq in range(1, 6)] == records


async def test_a_report_says_what_is_applied(road: Road) -> None:
    applied = AppliedState(3, bytes(range(32)))
    await road.uplink.report(JOURNAL, [], applied)

    assert road.controller.applied == applied


async def test_what_is_told_ahead_of_its_turn_arrives_and_acknowledges_nothing(road: Road) -> None:
    session, grant = SessionId("s1"), GrantId("g1")
    newest = (
        record_of(0, NOON, SessionOpened(session, grant, a_mac("a"), ("10.0.0.5",))),
        record_of(0, NOON, Reading(session, grant, "e1", 2**40, 7, 60, 30)),
    )
    old = record_of(1, NOON, Notice("drift", "x"))
    backlog = Backlog(newest, records=5_000, records_max=100_000)
    acked = await road.uplink.report(JOURNAL, [old], NOTHING, backlog)

    assert (acked.seq, list(road.controller.records)) == (1, [(JOURNAL, 1)])
    assert (road.controller.newest, road.controller.backlog) == (list(newest), backlog)


async def test_a_report_sent_twice_counts_once(road: Road) -> None:
    record = record_of(1, NOON, Notice("drift", "x"))
    await road.uplink.report(JOURNAL, [record], NOTHING)
    acked = await road.uplink.report(JOURNAL, [record], NOTHING)

    assert (acked.seq, len(road.controller.records)) == (1, 1)


async def test_an_order_is_prompted(road: Road) -> None:
    assert await road.uplink.purchase(an_order()) == OrderAnswer(OrderStage.PROMPTED, None)


async def test_an_order_asked_about_again_is_not_placed_again(road: Road) -> None:
    await road.uplink.purchase(an_order())
    answer = await road.uplink.purchase(replace(an_order(), age_s=9))

    assert (answer.stage, len(road.controller.orders)) == (OrderStage.PROMPTED, 1)


async def test_an_order_that_was_paid_is_told_so(road: Road) -> None:
    await road.uplink.purchase(an_order())
    road.controller.pay(OrderId("o1"), limits=some_limits())

    assert (await road.uplink.purchase(an_order())).stage is OrderStage.PAID


async def test_a_refused_order_says_why(road: Road) -> None:
    answer = await road.uplink.purchase(an_order(plan_id="gone"))

    assert answer == OrderAnswer(OrderStage.REFUSED, Reason.PLAN_UNKNOWN)


async def test_an_order_with_other_content_under_its_id_is_refused(road: Road) -> None:
    await road.uplink.purchase(an_order())

    with pytest.raises(UplinkRefused):
        await road.uplink.purchase(an_order(plan_id="day"))


async def test_an_order_says_which_wallet_is_asked(road: Road) -> None:
    await road.uplink.purchase(replace(an_order(), rail="airtel"))

    assert road.controller.orders[OrderId("o1")].order.rail == "airtel"


async def test_an_order_does_not_change_its_wallet(road: Road) -> None:
    await road.uplink.purchase(an_order())

    with pytest.raises(UplinkRefused):
        await road.uplink.purchase(replace(an_order(), rail="airtel"))


async def test_a_lost_answer_may_have_arrived(road: Road) -> None:
    road.lose_answers()
    with pytest.raises(UplinkError) as lost:
        await road.uplink.purchase(an_order())

    assert (lost.value.sent, len(road.controller.orders)) == (True, 1)


async def test_a_voucher_is_redeemed_once(road: Road) -> None:
    code = VoucherCode("7KQM2XWD9FTA")
    road.controller.vouchers[code] = None
    first = await road.uplink.redeem(RedemptionId("r1"), code, a_mac("a"))
    again = await road.uplink.redeem(RedemptionId("r1"), code, a_mac("a"))
    other = await road.uplink.redeem(RedemptionId("r2"), code, a_mac("b"))
    unknown = await road.uplink.redeem(RedemptionId("r3"), VoucherCode("x"), a_mac("b"))

    assert (first, again) == (None, None)
    assert (other, unknown) == (Refusal.VOUCHER_USED, Refusal.VOUCHER_INVALID)


async def test_a_code_of_what_was_bought_lets_another_device_in_while_there_is_room(
    road: Road,
) -> None:
    road.controller.put_item(*grant_item("g1", limits=some_limits(devices=2), devices=[a_mac("a")]))
    road.controller.bought["SGH7K2Q0XD"] = GrantId("g1")
    receipt = Receipt("SGH7K2Q0XD")
    joined = await road.uplink.redeem(RedemptionId("r1"), receipt, a_mac("b"))
    again = await road.uplink.redeem(RedemptionId("r1"), receipt, a_mac("b"))
    full = await road.uplink.redeem(RedemptionId("r2"), receipt, a_mac("c"))

    assert (joined, again, full) == (None, None, Full(GrantId("g1")))


async def test_a_phone_is_sent_a_code_that_is_good_with_its_number(road: Road) -> None:
    road.controller.put_item(*grant_item("g1", limits=some_limits(devices=2), devices=[a_mac("a")]))
    payer, code = Msisdn("254712345678"), PhoneCode(SENT_CODE)
    road.controller.bought[payer] = GrantId("g1")
    early = await road.uplink.redeem(RedemptionId("r1"), code, a_mac("b"), payer)
    sent = await road.uplink.send_code(payer, a_mac("b"))
    wrong = await road.uplink.redeem(RedemptionId("r2"), PhoneCode("000000"), a_mac("b"), payer)
    right = await road.uplink.redeem(RedemptionId("r3"), code, a_mac("b"), payer)

    assert (early, sent, wrong, right) == (Refusal.CODE_WRONG, None, Refusal.CODE_WRONG, None)
    assert road.controller.sent_codes == [(payer, a_mac("b"))]


async def test_a_code_that_may_have_been_sent_is_said_to_be_uncertain(road: Road) -> None:
    road.lose_answers()
    with pytest.raises(UplinkError) as lost:
        await road.uplink.send_code(Msisdn("254712345678"), a_mac("b"))

    assert (lost.value.sent, len(road.controller.sent_codes)) == (True, 1)


async def test_a_cut_link_is_certain_not_to_have_sent() -> None:
    uplink = MemoryUplink(a_controller())
    uplink.cut()
    with pytest.raises(UplinkError) as cut:
        await uplink.purchase(an_order())

    assert not cut.value.sent


async def test_a_certificate_of_another_authority_opens_nothing() -> None:
    server = EdgeServer(a_controller())
    await server.start()
    key, certificate = Authority().issue("site-1")
    stranger = replace(server.credentials(), key_pem=key, certificate_pem=certificate)
    uplink = GrpcUplink(stranger)
    try:
        with pytest.raises((UplinkError, TimeoutError)):
            await asyncio.wait_for(uplink.report(JOURNAL, [], NOTHING), 3)
    finally:
        await uplink.close()
        await server.stop()

    assert server.controller.applied is None


async def test_a_controller_of_another_authority_is_not_believed() -> None:
    server = EdgeServer(a_controller())
    await server.start()
    uplink = GrpcUplink(replace(server.credentials(), ca_pem=Authority().pem))
    try:
        with pytest.raises((UplinkError, TimeoutError)):
            await asyncio.wait_for(uplink.report(JOURNAL, [], NOTHING), 3)
    finally:
        await uplink.close()
        await server.stop()

    assert server.controller.applied is None


async def test_a_spent_token_is_refused() -> None:
    from agent.identity import new_key, request_for

    server = EdgeServer(a_controller())
    await server.start()
    csr = request_for(new_key())
    ca = server.authority.pem
    try:
        await enrol(server.join_address, ca_pem=ca, secret="sesame", csr_pem=csr)
        with pytest.raises(UplinkRefused, match="spent or unknown"):
            await enrol(server.join_address, ca_pem=ca, secret="sesame", csr_pem=csr)
    finally:
        await server.stop()


async def test_who_is_cancelled_at_any_moment_of_a_call_is_cancelled(road: Road) -> None:
    await road.uplink.report(JOURNAL, [], NOTHING)
    kept = []
    for turns in range(12):
        asked = asyncio.create_task(road.uplink.report(JOURNAL, [], NOTHING))
        for _ in range(turns):
            await asyncio.sleep(0)
        begged = asked.cancel()
        await asyncio.wait([asked])
        kept += [turns] if begged and not asked.cancelled() else []

    assert kept == [], "a site that ends would go on"


async def test_a_stream_ends_with_an_error_when_the_controller_goes() -> None:
    server = EdgeServer(a_controller())
    await server.start()
    uplink = GrpcUplink(server.credentials())
    async with aclosing(uplink.follow(NOTHING)) as stream:
        await next_of(stream)
        await server.stop()
        with pytest.raises(UplinkError):
            await next_of(stream)
    await uplink.close()


async def test_a_report_carries_how_the_box_is_and_brings_back_what_time_it_is(road: Road) -> None:
    road.controller.clock = NOON
    vitals = Vitals(
        taken_at=NOON,
        boot="b1",
        uptime_s=7,
        cpu_pct=0,
        temperature_c=-4,
        wan_down_bytes=2**50,
        clock_skew_ms=-250,
        portal_open=False,
        dhcp_leases=0,
        dhcp_addresses=200,
    )
    acked = await road.uplink.report(JOURNAL, [], NOTHING, vitals=vitals)

    assert road.controller.vitals == vitals
    assert acked == Acked(0, NOON)


async def test_a_controller_that_does_not_say_what_time_it_is_is_understood(road: Road) -> None:
    assert await road.uplink.report(JOURNAL, [], NOTHING) == Acked(0, None)
    assert road.controller.vitals is None
