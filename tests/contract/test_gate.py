"""What every `Gate` promises to the portal, whatever site stands behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.payment import Reason
from portal.captive.gate import Refusal, Welcome
from portal.captive.memory_gate import SENT_CODE
from tests.support.gates import CODE, PAYER, RECEIPT, STRANGER, MemoryWorld, SiteWorld
from tests.support.portal import LADDER, PHONE, TWO_WALLETS, a_face

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from portal.captive.gate import Gate
    from tests.support.gates import World

NEIGHBOUR = "10.77.0.8"
ANEW = "10.77.0.9"
"""Where the phone is after it has made up another MAC."""

TELEVISION = "10.77.0.20"
NUMBER = "0712345678"
AIRTELS = "0733345678"
"""A number that Airtel gave out."""


@pytest.fixture(params=["memory", "site"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    site = SiteWorld(tmp_path)
    await site.start()
    yield site
    await site.stop()


@pytest.fixture(params=["memory", "site"])
async def choice(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A world where two wallets collect."""
    face = a_face(rails=TWO_WALLETS)
    if request.param == "memory":
        yield MemoryWorld(face)
        return
    site = SiteWorld(tmp_path, face=face)
    await site.start()
    yield site
    await site.stop()


@pytest.fixture
def gate(world: World) -> Gate:
    return world.gate


def test_the_site_has_a_face_and_offers(gate: Gate) -> None:
    assert gate.face().operator_name
    assert [o.plan_id for o in gate.offers()] == [o.plan_id for o in LADDER]


def test_a_new_device_has_a_short_name_and_nothing_else(gate: Gate) -> None:
    view = gate.device(PHONE)

    assert (len(view.device_ref), view.device_known) == (6, True)
    assert (view.access, view.order) == (None, None)


def test_a_devices_short_name_stays_and_is_its_own(gate: Gate) -> None:
    assert gate.device(PHONE).device_ref == gate.device(PHONE).device_ref
    assert gate.device(PHONE).device_ref != gate.device(NEIGHBOUR).device_ref


async def test_an_order_is_seen_by_its_device_at_once_and_by_no_other(gate: Gate) -> None:
    order_id = await gate.order(PHONE, plan_id="day", phone=NUMBER)
    order = gate.device(PHONE).order

    assert order is not None
    assert (order.order_id, order.offer.plan_id) == (order_id, "day")
    assert gate.device(NEIGHBOUR).order is None


async def test_a_number_is_never_shown_whole(gate: Gate) -> None:
    await gate.order(PHONE, plan_id="day", phone=NUMBER)
    order = gate.device(PHONE).order

    assert order is not None
    assert order.msisdn_masked == "2547••••678"


async def test_a_double_tap_is_one_order(gate: Gate) -> None:
    first = await gate.order(PHONE, plan_id="day", phone=NUMBER)
    second = await gate.order(PHONE, plan_id="day", phone="+254 712 345 678")

    assert first == second


@pytest.mark.parametrize(
    ("plan_id", "phone"), [("hour", NUMBER), ("day", "0722345678")], ids=["plan", "phone"]
)
async def test_another_order_waits_for_the_open_one(gate: Gate, plan_id: str, phone: str) -> None:
    await gate.order(PHONE, plan_id="day", phone=NUMBER)

    assert await gate.order(PHONE, plan_id=plan_id, phone=phone) is Refusal.ORDER_OPEN


async def test_a_refused_order_makes_room_for_the_next(world: World, gate: Gate) -> None:
    first = await gate.order(PHONE, plan_id="day", phone=NUMBER)
    await world.refused(PHONE, Reason.CANCELLED)
    second = await gate.order(PHONE, plan_id="hour", phone=NUMBER)

    assert isinstance(second, str)
    assert first != second


async def test_an_empty_number_is_the_last_one(world: World, gate: Gate) -> None:
    await gate.order(PHONE, plan_id="day", phone=NUMBER)
    await world.refused(PHONE, Reason.CANCELLED)
    again = await gate.order(PHONE, plan_id="day", phone="")
    order = gate.device(PHONE).order

    assert order is not None
    assert (order.order_id, order.msisdn_masked) == (again, "2547••••678")


async def test_an_empty_number_without_a_last_one_is_no_number(gate: Gate) -> None:
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
    gate: Gate, address: str, plan_id: str, phone: str, refusal: Refusal
) -> None:
    assert await gate.order(address, plan_id=plan_id, phone=phone) is refusal
    assert gate.device(address).order is None


async def test_signing_in_opens_nothing_for_who_has_no_grant(gate: Gate) -> None:
    assert await gate.sign_in(PHONE) is False
    assert gate.device(PHONE).access is None


async def test_signing_in_gives_the_access_that_is_there(world: World, gate: Gate) -> None:
    await world.granted(PHONE)

    assert await gate.sign_in(PHONE) is True
    assert gate.device(PHONE).access is not None


async def test_a_voucher_gives_access_once(world: World, gate: Gate) -> None:
    first = await gate.redeem(PHONE, code=CODE.lower())
    second = await gate.redeem(NEIGHBOUR, code=CODE)
    await world.elapse()

    assert (first, second) == (None, Refusal.VOUCHER_USED)
    assert (await gate.sign_in(PHONE), await gate.sign_in(NEIGHBOUR)) == (True, False)


@pytest.mark.parametrize("code", ["", "7KQM-2XWD-9FTS", "2222-2222-2222"])
async def test_a_code_that_is_none_is_refused(gate: Gate, code: str) -> None:
    assert await gate.redeem(PHONE, code=code) is Refusal.VOUCHER_INVALID


async def test_a_device_that_cannot_be_seen_cannot_redeem(gate: Gate) -> None:
    assert await gate.redeem(STRANGER, code=CODE) is Refusal.DEVICE_UNKNOWN
    assert await gate.redeem(PHONE, code=CODE) is None


async def test_a_badge_is_given_to_who_is_online_and_to_nobody_else(
    world: World, gate: Gate
) -> None:
    await world.shared(PHONE, NEIGHBOUR, devices_max=2)
    badges = [gate.badge(one) for one in (PHONE, PHONE, NEIGHBOUR, ANEW)]

    assert badges[0] == badges[1]
    assert badges[0] != badges[2]
    assert None not in badges[:3]
    assert badges[3] is None


async def test_a_phone_with_a_new_address_takes_its_own_place(world: World, gate: Gate) -> None:
    await world.shared(PHONE, devices_max=1)
    badge = gate.badge(PHONE) or ""
    await world.quiet(20)
    welcome = await gate.come_back(ANEW, badge=badge)
    await world.elapse()

    assert welcome is Welcome.IN
    assert await gate.sign_in(ANEW)
    assert gate.device(PHONE).access is None
    access = gate.device(ANEW).access
    assert access is not None
    assert access.devices_used == 1


async def test_it_gets_a_badge_of_its_own_and_the_old_one_still_proves_its_right(
    world: World, gate: Gate
) -> None:
    await world.shared(PHONE, devices_max=1)
    badge = gate.badge(PHONE) or ""
    await world.quiet(20)
    await gate.come_back(ANEW, badge=badge)
    await world.elapse()
    await gate.sign_in(ANEW)

    assert gate.badge(ANEW) not in {badge, None}
    assert gate.places(PHONE, badge=badge) is not None


async def test_of_two_devices_with_one_badge_the_later_waits(world: World, gate: Gate) -> None:
    await world.shared(PHONE, devices_max=1)
    badge = gate.badge(PHONE) or ""
    await world.quiet(5, but=(PHONE,))

    assert await gate.come_back(ANEW, badge=badge) is Welcome.FULL
    assert gate.device(PHONE).access is not None


async def test_of_two_devices_with_one_badge_both_are_in_where_there_is_room(
    world: World, gate: Gate
) -> None:
    await world.shared(PHONE, devices_max=2)
    badge = gate.badge(PHONE) or ""
    await world.quiet(5, but=(PHONE,))
    welcome = await gate.come_back(ANEW, badge=badge)
    await world.elapse()

    assert welcome is Welcome.IN
    assert (await gate.sign_in(PHONE), await gate.sign_in(ANEW)) == (True, True)


async def test_a_badge_that_this_site_did_not_write_is_worth_nothing(
    world: World, gate: Gate
) -> None:
    await world.shared(PHONE, devices_max=2)

    for badge in ("", "x", "shared.0000000000000000.00000000000000000000000000000000"):
        assert await gate.come_back(ANEW, badge=badge) is Welcome.STRANGER
        assert gate.places(ANEW, badge=badge) is None


async def test_the_badge_of_a_package_that_is_over_is_worth_nothing(
    world: World, gate: Gate
) -> None:
    await world.shared(PHONE, devices_max=2)
    badge = gate.badge(PHONE) or ""
    await world.ended()

    assert await gate.come_back(ANEW, badge=badge) is Welcome.STRANGER


async def test_who_proved_nothing_sees_no_places_and_moves_nothing(
    world: World, gate: Gate
) -> None:
    await world.shared(PHONE, devices_max=1)
    ref = gate.device(PHONE).device_ref

    assert gate.places(NEIGHBOUR) is None
    assert await gate.move(NEIGHBOUR, device_ref=ref) is Refusal.NOT_PROVED
    assert gate.device(PHONE).access is not None


async def test_a_code_shows_who_is_in_when_every_place_is_taken(world: World, gate: Gate) -> None:
    await world.shared(PHONE, NEIGHBOUR, devices_max=2)
    await world.quiet(5, but=(PHONE, NEIGHBOUR))
    refusal = await gate.redeem(ANEW, code=RECEIPT)
    places = gate.places(ANEW)

    assert refusal is Refusal.DEVICES_FULL
    assert places is not None
    assert (places.full, places.inside) == (True, False)
    assert [one.device_ref for one in places.places] == [
        gate.device(one).device_ref for one in (PHONE, NEIGHBOUR)
    ]


async def test_it_is_moved_here_and_who_was_put_out_is_told(world: World, gate: Gate) -> None:
    await world.shared(PHONE, NEIGHBOUR, devices_max=2)
    await world.quiet(5, but=(PHONE, NEIGHBOUR))
    await gate.redeem(ANEW, code=RECEIPT)
    refusal = await gate.move(ANEW, device_ref=gate.device(NEIGHBOUR).device_ref)
    await world.elapse()

    assert refusal is None
    assert await gate.sign_in(ANEW)
    assert gate.device(PHONE).access is not None
    assert gate.device(NEIGHBOUR).access is None
    assert gate.device(NEIGHBOUR).put_out_by == gate.device(ANEW).device_ref
    assert gate.device(PHONE).put_out_by == ""


async def test_two_devices_that_fight_for_a_place_get_tired(world: World, gate: Gate) -> None:
    await world.shared(PHONE, devices_max=1)
    badge = gate.badge(PHONE) or ""
    ends = []
    for here, there in ((ANEW, PHONE), (PHONE, ANEW), (ANEW, PHONE), (PHONE, ANEW)):
        ref = gate.device(there).device_ref
        ends.append(await gate.move(here, device_ref=ref, badge=badge))
        await world.elapse()
        await gate.sign_in(here)

    assert ends == [None, None, None, Refusal.MOVED_OFTEN]


async def test_only_a_device_that_is_in_can_be_put_out(world: World, gate: Gate) -> None:
    await world.shared(PHONE, devices_max=1)
    badge = gate.badge(PHONE) or ""
    ref = gate.device(NEIGHBOUR).device_ref

    assert await gate.move(ANEW, device_ref=ref, badge=badge) is Refusal.DEVICE_GONE


async def test_a_ghost_gives_way_to_the_payer_at_once(world: World, gate: Gate) -> None:
    await world.shared(PHONE, NEIGHBOUR, devices_max=2)
    await world.quiet(65, but=(NEIGHBOUR,))
    refusal = await gate.redeem(ANEW, code=RECEIPT)
    await world.elapse()

    assert refusal is None
    assert await gate.sign_in(ANEW)
    assert gate.device(PHONE).access is None
    assert gate.device(NEIGHBOUR).access is not None


async def test_places_say_who_is_who_and_for_how_long_they_were_quiet(
    world: World, gate: Gate
) -> None:
    await world.shared(PHONE, NEIGHBOUR, devices_max=3)
    await world.quiet(90, but=(PHONE,))
    places = gate.places(PHONE)

    assert places is not None
    assert [one.mine for one in places.places] == [True, False]
    quiet = [one.quiet_s for one in places.places]
    assert quiet[0] is not None
    assert quiet[1] is not None
    assert quiet[0] < 60 <= quiet[1]


async def test_the_phone_that_paid_is_sent_a_code_that_lets_another_device_in(
    world: World, gate: Gate
) -> None:
    await world.shared(PHONE, devices_max=2)
    sent = await gate.send_code(ANEW, phone=PAYER)
    wrong = await gate.redeem(ANEW, code="000000", phone=PAYER)
    right = await gate.redeem(ANEW, code=SENT_CODE, phone=PAYER)
    await world.elapse()

    assert (sent, wrong, right) == (None, Refusal.CODE_WRONG, None)
    assert await gate.sign_in(ANEW)


async def test_a_number_that_bought_nothing_learns_nothing(gate: Gate) -> None:
    assert await gate.send_code(PHONE, phone="0722000111") is None
    assert await gate.redeem(PHONE, code=SENT_CODE, phone="0722000111") is Refusal.CODE_WRONG


@pytest.mark.parametrize(
    ("address", "phone", "refusal"),
    [(PHONE, "0812", Refusal.PHONE_INVALID), (STRANGER, PAYER, Refusal.DEVICE_UNKNOWN)],
)
async def test_a_code_that_cannot_be_sent_says_why(
    gate: Gate, address: str, phone: str, refusal: Refusal
) -> None:
    assert await gate.send_code(address, phone=phone) is refusal


async def test_with_the_link_down_no_code_is_sent_and_the_gate_says_so(
    world: World, gate: Gate
) -> None:
    before = gate.link_up()
    await world.cut()

    assert (before, gate.link_up()) == (True, False)
    assert await gate.send_code(PHONE, phone=PAYER) is Refusal.OFFLINE


async def test_a_badge_brings_a_device_back_with_the_link_down(world: World, gate: Gate) -> None:
    await world.shared(PHONE, devices_max=1)
    badge = gate.badge(PHONE) or ""
    await world.cut()
    await world.quiet(20)
    welcome = await gate.come_back(ANEW, badge=badge)
    await world.elapse()

    assert welcome is Welcome.IN
    assert await gate.sign_in(ANEW)


async def test_a_television_is_seen_and_connected_and_taken_off(world: World, gate: Gate) -> None:
    await world.shared(PHONE, devices_max=2)
    await world.nearby(TELEVISION)
    found = gate.screenless(PHONE)
    assert not isinstance(found, Refusal)
    (seen,) = found
    connected = await gate.connect(PHONE, device_ref=seen.device_ref)
    await world.elapse()
    online, places = gate.device(TELEVISION).access, gate.places(PHONE)
    released = await gate.release(PHONE, device_ref=seen.device_ref)
    await world.elapse()

    assert len(seen.address_end) == 5
    assert (connected, released) == (None, None)
    assert online is not None
    assert places is not None
    assert [one.companion for one in places.places] == [False, True]
    assert gate.device(TELEVISION).access is None


async def test_where_one_place_is_all_the_phone_gives_its_own(world: World, gate: Gate) -> None:
    await world.shared(PHONE, devices_max=1)
    badge = gate.badge(PHONE) or ""
    await world.nearby(TELEVISION)
    await world.quiet(5, but=(PHONE,))
    ref = gate.device(TELEVISION).device_ref
    connected = await gate.connect(PHONE, device_ref=ref)
    await world.elapse()
    on_television = gate.device(TELEVISION).access, gate.device(PHONE).access
    moved = await gate.move(PHONE, device_ref=ref, badge=badge)
    await world.elapse()

    assert connected is None
    assert on_television[0] is not None
    assert on_television[1] is None
    assert moved is None
    assert await gate.sign_in(PHONE)


async def test_who_has_opened_the_portal_is_shown_to_nobody(world: World, gate: Gate) -> None:
    await world.shared(PHONE, devices_max=2)
    await world.nearby(NEIGHBOUR)
    before = gate.screenless(PHONE)
    gate.opened(NEIGHBOUR)

    assert not isinstance(before, Refusal)
    assert len(before) == 1
    assert gate.screenless(PHONE) == []


async def test_a_device_that_is_captive_connects_nothing(world: World, gate: Gate) -> None:
    await world.nearby(TELEVISION)
    ref = gate.device(TELEVISION).device_ref

    assert gate.screenless(PHONE) is Refusal.NOT_PROVED
    assert await gate.connect(PHONE, device_ref=ref) is Refusal.NOT_PROVED
    assert await gate.release(PHONE, device_ref=ref) is Refusal.NOT_PROVED


async def test_only_what_is_shown_can_be_connected_and_only_companions_taken_off(
    world: World, gate: Gate
) -> None:
    await world.shared(PHONE, NEIGHBOUR, devices_max=3)
    ref = gate.device(NEIGHBOUR).device_ref

    assert await gate.connect(PHONE, device_ref=ref) is Refusal.DEVICE_GONE
    assert await gate.release(PHONE, device_ref=ref) is Refusal.DEVICE_GONE


def wallet_asked(world: World) -> str:
    """The wallet of the device's order."""
    order = world.gate.device(PHONE).order
    assert order is not None
    return order.rail


async def test_the_site_says_which_wallets_collect(choice: World) -> None:
    assert choice.gate.face().rails == TWO_WALLETS


@pytest.mark.parametrize("rail", TWO_WALLETS)
@pytest.mark.parametrize("phone", [NUMBER, AIRTELS])
async def test_the_wallet_is_the_payers_choice_whatever_the_number_looks_like(
    choice: World, phone: str, rail: str
) -> None:
    await choice.gate.order(PHONE, plan_id="day", phone=phone, rail=rail)

    assert wallet_asked(choice) == rail


@pytest.mark.parametrize(("phone", "rail"), [(NUMBER, "mpesa"), (AIRTELS, "airtel")])
async def test_of_who_chooses_no_wallet_it_is_guessed_from_the_number(
    choice: World, phone: str, rail: str
) -> None:
    await choice.gate.order(PHONE, plan_id="day", phone=phone)

    assert wallet_asked(choice) == rail


@pytest.mark.parametrize("rail", ["card", "", "MPESA", "\u0000"])
async def test_where_one_wallet_collects_an_order_names_none(world: World, rail: str) -> None:
    placed = await world.gate.order(PHONE, plan_id="day", phone=AIRTELS, rail=rail)

    assert isinstance(placed, Refusal) == bool(rail)
    assert rail or wallet_asked(world) == ""


async def test_a_wallet_that_does_not_collect_is_refused(choice: World) -> None:
    refusal = await choice.gate.order(PHONE, plan_id="day", phone=NUMBER, rail="card")

    assert refusal is Refusal.WALLET_UNKNOWN
    assert choice.gate.device(PHONE).order is None


async def test_a_double_tap_names_the_same_wallet_or_waits(choice: World) -> None:
    first = await choice.gate.order(PHONE, plan_id="day", phone=NUMBER, rail="airtel")
    guessed = await choice.gate.order(PHONE, plan_id="day", phone=NUMBER)
    other = await choice.gate.order(PHONE, plan_id="day", phone=NUMBER, rail="mpesa")

    assert (guessed, other) == (first, Refusal.ORDER_OPEN)


@pytest.mark.parametrize("phone", ["", NUMBER], ids=["no number", "the same number"])
async def test_send_again_asks_the_same_wallet(choice: World, phone: str) -> None:
    await choice.gate.order(PHONE, plan_id="day", phone=NUMBER, rail="airtel")
    await choice.refused(PHONE, Reason.CANCELLED)
    await choice.gate.order(PHONE, plan_id="day", phone=phone)

    assert wallet_asked(choice) == "airtel"


async def test_another_number_is_not_asked_by_the_wallet_of_the_last(choice: World) -> None:
    await choice.gate.order(PHONE, plan_id="day", phone=NUMBER, rail="airtel")
    await choice.refused(PHONE, Reason.CANCELLED)
    await choice.gate.order(PHONE, plan_id="day", phone="0722345678")

    assert wallet_asked(choice) == "mpesa"
