"""What every `Gate` promises to the portal, whatever site stands behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.payment import OrderStage, Reason
from portal.captive.gate import Refusal
from portal.captive.memory_gate import MemoryGate
from tests.support.portal import LADDER, PHONE, SetClock, a_face, an_access

if TYPE_CHECKING:
    from collections.abc import Callable

NEIGHBOUR = "10.77.0.8"
STRANGER = "10.77.0.99"
CODE = "7KQM-2XWD-9FTR"
NUMBER = "0712345678"


def a_memory_gate() -> MemoryGate:
    gate = MemoryGate(a_face(), LADDER, SetClock(), strangers={STRANGER})
    gate.voucher(CODE, an_access())
    return gate


@pytest.fixture(params=[a_memory_gate])
def gate(request: pytest.FixtureRequest) -> MemoryGate:
    make: Callable[[], MemoryGate] = request.param
    return make()


def test_the_site_has_a_face_and_offers(gate: MemoryGate) -> None:
    assert gate.face().operator_name
    assert [o.plan_id for o in gate.offers()] == [o.plan_id for o in LADDER]


def test_a_new_device_has_a_short_name_and_nothing_else(gate: MemoryGate) -> None:
    view = gate.device(PHONE)

    assert (len(view.device_ref), view.device_known) == (6, True)
    assert (view.access, view.order) == (None, None)


def test_a_devices_short_name_stays_and_is_its_own(gate: MemoryGate) -> None:
    assert gate.device(PHONE).device_ref == gate.device(PHONE).device_ref
    assert gate.device(PHONE).device_ref != gate.device(NEIGHBOUR).device_ref


async def test_an_order_is_seen_by_its_device_at_once_and_by_no_other(gate: MemoryGate) -> None:
    order_id = await gate.order(PHONE, plan_id="day", phone=NUMBER)
    order = gate.device(PHONE).order

    assert order is not None
    assert (order.order_id, order.offer.plan_id) == (order_id, "day")
    assert gate.device(NEIGHBOUR).order is None


async def test_a_number_is_never_shown_whole(gate: MemoryGate) -> None:
    await gate.order(PHONE, plan_id="day", phone=NUMBER)
    order = gate.device(PHONE).order

    assert order is not None
    assert order.msisdn_masked == "2547••••678"


async def test_a_double_tap_is_one_order(gate: MemoryGate) -> None:
    first = await gate.order(PHONE, plan_id="day", phone=NUMBER)
    second = await gate.order(PHONE, plan_id="day", phone="+254 712 345 678")

    assert first == second


@pytest.mark.parametrize(
    ("plan_id", "phone"), [("hour", NUMBER), ("day", "0722345678")], ids=["plan", "phone"]
)
async def test_another_order_waits_for_the_open_one(
    gate: MemoryGate, plan_id: str, phone: str
) -> None:
    await gate.order(PHONE, plan_id="day", phone=NUMBER)

    assert await gate.order(PHONE, plan_id=plan_id, phone=phone) is Refusal.ORDER_OPEN


async def test_a_refused_order_makes_room_for_the_next(gate: MemoryGate) -> None:
    first = await gate.order(PHONE, plan_id="day", phone=NUMBER)
    gate.moved_to(PHONE, OrderStage.REFUSED, Reason.CANCELLED)
    second = await gate.order(PHONE, plan_id="hour", phone=NUMBER)

    assert isinstance(second, str)
    assert first != second


async def test_an_empty_number_is_the_last_one(gate: MemoryGate) -> None:
    await gate.order(PHONE, plan_id="day", phone=NUMBER)
    gate.moved_to(PHONE, OrderStage.REFUSED, Reason.CANCELLED)
    again = await gate.order(PHONE, plan_id="day", phone="")
    order = gate.device(PHONE).order

    assert order is not None
    assert (order.order_id, order.msisdn_masked) == (again, "2547••••678")


async def test_an_empty_number_without_a_last_one_is_no_number(gate: MemoryGate) -> None:
    assert await gate.order(PHONE, plan_id="day", phone="") is Refusal.PHONE_INVALID


@pytest.mark.parametrize(
    ("address", "plan_id", "phone", "refusal"),
    [
        (PHONE, "gone", NUMBER, Refusal.PLAN_UNKNOWN),
        (PHONE, "day", "0812345678", Refusal.PHONE_INVALID),
        (STRANGER, "day", NUMBER, Refusal.DEVICE_UNKNOWN),
    ],
)
async def test_an_order_that_cannot_be_leaves_nothing_behind(
    gate: MemoryGate, address: str, plan_id: str, phone: str, refusal: Refusal
) -> None:
    assert await gate.order(address, plan_id=plan_id, phone=phone) is refusal
    assert gate.device(address).order is None


async def test_signing_in_opens_nothing_for_who_has_no_grant(gate: MemoryGate) -> None:
    assert await gate.sign_in(PHONE) is False
    assert gate.device(PHONE).access is None


async def test_signing_in_gives_the_access_that_is_there(gate: MemoryGate) -> None:
    gate.granted(PHONE, an_access())

    assert await gate.sign_in(PHONE) is True
    assert gate.device(PHONE).access is not None


async def test_a_voucher_gives_access_once(gate: MemoryGate) -> None:
    first = await gate.redeem(PHONE, code=CODE.lower())
    second = await gate.redeem(NEIGHBOUR, code=CODE)

    assert (first, second) == (None, Refusal.VOUCHER_USED)
    assert (await gate.sign_in(PHONE), await gate.sign_in(NEIGHBOUR)) == (True, False)


@pytest.mark.parametrize("code", ["", "7KQM-2XWD-9FTS", "2222-2222-2222"])
async def test_a_code_that_is_none_is_refused(gate: MemoryGate, code: str) -> None:
    assert await gate.redeem(PHONE, code=code) is Refusal.VOUCHER_INVALID


async def test_a_device_that_cannot_be_seen_cannot_redeem(gate: MemoryGate) -> None:
    assert await gate.redeem(STRANGER, code=CODE) is Refusal.DEVICE_UNKNOWN
    assert await gate.redeem(PHONE, code=CODE) is None
