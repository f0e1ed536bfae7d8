"""Money that came in by whatever road: credited once, to the right one, or kept for staff."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.ids import OrderId
from billing.invoice import shown_number
from billing.money import Money
from billing.msisdn import parse_msisdn
from billing.payment import OrderStage, PaymentState
from controller.payments.seen import Road
from controller.store import arrivals as store
from controller.store import grants, payers, payments, received
from controller.store.billing_rows import DebtRow
from controller.store.database import Database
from controller.store.payment_rows import ArrivalRow
from controller.store.site_rows import NoticeRow
from controller.usecases.account_payments import AccountPayment, pay_account
from controller.usecases.arrivals import AlreadyPlaced, arrive, assign, place_due
from controller.usecases.payers import SubscriberUnknown
from controller.usecases.plans import add_plan
from controller.usecases.settle import query_due
from tests.support.arrivals import assert_every_shilling_is_somewhere, money_seen
from tests.support.books import balances_now
from tests.support.builders import (
    PHONE,
    SHORTCODE,
    Killed,
    MortalDatabase,
    a_plan,
    an_order_id,
    hex_id,
)
from tests.support.charges import ANNE, a_line, a_subscriber, an_invoice, paid_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.builders import Moment, World

PARALLEL = 12
LATE_S = 600
"""So long after being asked somebody pays."""

MUCH = 6_000
"""More shillings than an unsigned word is believed for."""


@pytest.fixture
async def anne(world: World) -> AsyncIterator[World]:
    """The world with Anne, who has an account; every shilling is looked for afterwards."""
    await a_subscriber(world.deps)
    yield world
    await assert_every_shilling_is_somewhere(world.deps.db)


@pytest.fixture
def till(anne: World) -> World:
    """The same where money comes to a Till, which asks no payer for an account."""
    told = anne.deps.settings
    assert told.mpesa is not None
    mpesa = told.mpesa.model_copy(update={"till": SHORTCODE})
    settings = told.model_copy(update={"mpesa": mpesa})
    return replace(anne, deps=replace(anne.deps, settings=settings))


async def the_arrival(world: World, receipt: str = "UGE5L8M3RZ") -> ArrivalRow:
    async with world.deps.db.read() as tx:
        row = await store.seen(tx, "mpesa", receipt)
    assert row is not None
    return row


async def wallet(world: World, subscriber_id: str = ANNE) -> int:
    async with world.deps.db.read() as tx:
        return await received.wallet_minor(tx, subscriber_id)


async def wallet_of_phone(world: World) -> int:
    async with world.deps.db.read() as tx:
        found = await payers.id_of(tx, PHONE)
    assert found is not None
    return await wallet(world, found)


async def notices(world: World) -> set[str]:
    async with world.deps.db.read() as tx:
        return set(await tx.scalars(select(NoticeRow.code)))


async def reference(world: World, name: str = "order") -> str:
    async with world.deps.db.read() as tx:
        payment = await payments.load(tx, an_order_id(name))
    assert payment is not None
    return payment.reference


async def state(world: World, name: str = "order") -> str:
    async with world.deps.db.read() as tx:
        payment = await payments.load(tx, an_order_id(name))
    assert payment is not None
    return payment.state


async def test_money_with_a_phone_as_account_is_in_that_wallet(anne: World) -> None:
    phone = await phone_of(anne)
    arrived = await arrive(
        anne.deps, money_seen(shillings=300, reference=f" {phone[:6]} {phone[6:]}")
    )

    assert (arrived.state, arrived.is_new) == ("credited", True)
    assert await wallet(anne) == 30_000


async def phone_of(world: World) -> str:
    async with world.deps.db.read() as tx:
        return "0" + (await payers.loaded(tx, ANNE)).msisdn[3:]


async def test_money_pays_what_is_open_whatever_road_brings_it(anne: World) -> None:
    document = await an_invoice(anne.deps, ANNE, a_line(1_500))
    number = shown_number(document.series, document.number)
    await arrive(anne.deps, money_seen(shillings=1_500, reference=number.lower()))

    assert await open_of(anne, document.id) == 0
    assert await wallet(anne) == 0


async def test_the_same_money_on_four_roads_is_credited_once(anne: World) -> None:
    phone = await phone_of(anne)
    seen = [
        money_seen(shillings=300, reference=phone, road=road)
        for road in (Road.CONFIRMATION, Road.PULL, Road.STATUS, Road.STATEMENT)
    ]
    found = await asyncio.gather(*(arrive(anne.deps, one) for one in seen * 3))

    assert [one.is_new for one in found].count(True) == 1
    assert await wallet(anne) == 30_000
    row = await the_arrival(anne)
    assert set(row.roads.split()) == {"confirmation", "pull", "status", "statement"}


async def test_money_that_names_nobody_waits_for_staff(anne: World) -> None:
    arrived = await arrive(anne.deps, money_seen(reference="JINA LANGU"))

    assert arrived.state == "suspense"
    assert "payment_unmatched" in await notices(anne)
    assert (await the_arrival(anne)).due_at is None


async def test_staff_give_money_to_whom_it_is_for_once(anne: World) -> None:
    arrived = await arrive(anne.deps, money_seen(reference="?", shillings=250))
    for _ in range(2):
        await assign(
            anne.deps, arrived.arrival_id, subscriber=ANNE, reason="he called", who="staff"
        )

    assert await wallet(anne) == 25_000
    async with anne.deps.db.read() as tx:
        deeds = await store.deeds_of(tx, arrived.arrival_id)
    assert [(one.who, one.what, one.detail) for one in deeds] == [
        ("staff", "assigned", "he called")
    ]


async def test_money_that_is_somebody_s_is_not_given_to_another(anne: World) -> None:
    ben = await a_subscriber(anne.deps, "ben")
    arrived = await arrive(anne.deps, money_seen(reference=await phone_of(anne)))
    with pytest.raises(AlreadyPlaced):
        await assign(anne.deps, arrived.arrival_id, subscriber=ben, reason="mine", who="staff")

    assert await wallet(anne) == 2_000


async def test_money_is_not_given_to_nobody(anne: World) -> None:
    arrived = await arrive(anne.deps, money_seen(reference="?"))
    with pytest.raises(SubscriberUnknown):
        await assign(anne.deps, arrived.arrival_id, subscriber="zoe", reason="?", who="staff")

    assert (await the_arrival(anne)).state == "suspense"


async def test_a_receipt_that_staff_type_in_takes_the_waiting_money(anne: World) -> None:
    await arrive(anne.deps, money_seen(reference="?", shillings=300))
    await paid_in(anne.deps, 300, rail="mpesa", receipt="uge5l8m3rz")

    assert await wallet(anne) == 30_000
    assert (await the_arrival(anne)).state == "credited"
    assert (await balances_now(anne.deps.db))[f"asset:mpesa:{SHORTCODE}"] == 30_000


async def test_what_staff_typed_in_before_it_was_told_is_not_credited_again(anne: World) -> None:
    await paid_in(anne.deps, 300, rail="mpesa", receipt="UGE5L8M3RZ")
    again = await arrive(anne.deps, money_seen(shillings=300, reference=await phone_of(anne)))

    assert not again.is_new
    assert await wallet(anne) == 30_000


async def test_another_amount_for_a_known_receipt_changes_nothing_and_is_shown(anne: World) -> None:
    phone = await phone_of(anne)
    await arrive(anne.deps, money_seen(shillings=300, reference=phone))
    await arrive(anne.deps, money_seen(shillings=900, reference=phone, road=Road.PULL))

    assert await wallet(anne) == 30_000
    assert "arrival_differs" in await notices(anne)


async def test_a_confirmation_alone_settles_the_order_that_it_names(anne: World) -> None:
    await anne.order()
    await arrive(anne.deps, money_seen(reference=await reference(anne)))

    assert await state(anne) == PaymentState.SETTLED


async def test_callback_and_confirmation_in_either_order_settle_once(anne: World) -> None:
    for n, first in enumerate(("callback", "confirmation")):
        name, mac = f"order-{n}", f"02:00:00:00:01:0{n}"
        await anne.order(name, device_mac=mac)
        provider_id = anne.last_provider_id
        receipt = anne.gateway.pay(provider_id, anne.clock())
        seen = money_seen(receipt, reference=await reference(anne, name))
        if first == "callback":
            await anne.call_back(provider_id)
            arrived = await arrive(anne.deps, seen)
        else:
            arrived = await arrive(anne.deps, seen)
            await anne.call_back(provider_id)
        assert arrived.state == "credited"
        anne.clock.advance(300)

    assert (await balances_now(anne.deps.db))[f"asset:mpesa:{SHORTCODE}"] == 4_000


async def test_money_found_by_asking_gets_its_receipt_from_the_confirmation(anne: World) -> None:
    await anne.order()
    receipt = anne.gateway.pay(anne.last_provider_id, anne.clock())
    anne.clock.advance(60)
    await query_due(anne.deps)
    await arrive(anne.deps, money_seen(receipt, reference=await reference(anne)))

    async with anne.deps.db.read() as tx:
        payment = await payments.load(tx, an_order_id())
    assert payment is not None
    assert payment.receipt == receipt
    assert (await balances_now(anne.deps.db))[f"asset:mpesa:{SHORTCODE}"] == 2_000


async def test_at_a_till_the_time_and_the_amount_join_what_was_found_by_asking(till: World) -> None:
    await till.order()
    receipt = till.gateway.pay(till.last_provider_id, till.clock())
    till.clock.advance(60)
    await query_due(till.deps)
    arrived = await arrive(till.deps, money_seen(receipt, at=till.clock()))

    assert arrived.state == "credited"
    assert (await balances_now(till.deps.db))[f"asset:mpesa:{SHORTCODE}"] == 2_000


async def test_at_a_till_what_came_before_we_asked_is_not_booked_again(till: World) -> None:
    await till.order()
    receipt = till.gateway.pay(till.last_provider_id, till.clock())
    await arrive(till.deps, money_seen(receipt, at=till.clock(), road=Road.STATEMENT))
    till.clock.advance(60)
    await query_due(till.deps)

    assert await state(till) == PaymentState.SETTLED
    assert (await the_arrival(till, receipt)).state == "credited"
    assert (await balances_now(till.deps.db))[f"asset:mpesa:{SHORTCODE}"] == 2_000


@pytest.mark.parametrize("told_first", [True, False])
async def test_at_a_till_who_pays_late_is_the_one_who_was_asked(
    till: World, *, told_first: bool
) -> None:
    await till.order()
    till.clock.advance(LATE_S)
    receipt = till.gateway.pay(till.last_provider_id, till.clock())
    seen = money_seen(receipt, at=till.clock(), road=Road.STATEMENT)
    if told_first:
        await arrive(till.deps, seen)
    till.clock.advance(60)
    await query_due(till.deps)
    if not told_first:
        await arrive(till.deps, seen)

    assert (await the_arrival(till, receipt)).state == "credited"
    assert (await balances_now(till.deps.db))[f"asset:mpesa:{SHORTCODE}"] == 2_000


async def test_at_a_till_the_money_after_the_push_is_likelier_than_what_came_before(
    till: World,
) -> None:
    await arrive(till.deps, money_seen("UGESTRANGE", at=till.clock(), road=Road.STATEMENT))
    till.clock.advance(20)
    await till.order()
    till.clock.advance(40)
    receipt = till.gateway.pay(till.last_provider_id, till.clock())
    await arrive(till.deps, money_seen(receipt, at=till.clock(), road=Road.STATEMENT))
    till.clock.advance(60)
    await query_due(till.deps)

    assert (await the_arrival(till, "UGESTRANGE")).state == "suspense"
    assert (await the_arrival(till, receipt)).state == "credited"


async def test_at_a_till_money_that_came_after_an_order_was_found_paid_is_another_s(
    till: World,
) -> None:
    await till.order()
    till.gateway.pay(till.last_provider_id, till.clock())
    till.clock.advance(60)
    await query_due(till.deps)
    till.clock.advance(90)
    arrived = await arrive(till.deps, money_seen("UGESTRANGE", at=till.clock()))

    assert arrived.state == "suspense"


async def test_at_a_till_what_may_be_of_several_is_of_the_one_that_was_found_first(
    till: World,
) -> None:
    receipts = []
    for n in range(2):
        phone, mac = parse_msisdn(f"25471200000{n}"), f"02:00:00:00:01:0{n}"
        await till.order(f"order-{n}", msisdn=phone, device_mac=mac)
        till.clock.advance(6)
    first, second = till.gateway.asked
    for provider_id, wait_s in ((first, 8), (second, 200)):
        till.clock.advance(wait_s)
        receipts.append((till.gateway.pay(provider_id, till.clock()), till.clock()))
        till.clock.advance(60)
        await query_due(till.deps)
    states = [(await arrive(till.deps, money_seen(one, at=at))).state for one, at in receipts]

    assert states == ["credited", "credited"]
    assert (await balances_now(till.deps.db))[f"asset:mpesa:{SHORTCODE}"] == 4_000


async def test_at_a_till_two_like_payments_that_were_found_by_asking_are_not_booked_again(
    till: World,
) -> None:
    receipts = []
    for n, phone in enumerate(("254712000001", "254712000002")):
        mac = f"02:00:00:00:01:0{n}"
        await till.order(f"order-{n}", msisdn=parse_msisdn(phone), device_mac=mac)
        receipts.append(till.gateway.pay(till.last_provider_id, till.clock()))
    paid_at = till.clock()
    till.clock.advance(60)
    await query_due(till.deps)
    states = [(await arrive(till.deps, money_seen(one, at=paid_at))).state for one in receipts]

    assert states == ["credited", "credited"]
    assert (await balances_now(till.deps.db))[f"asset:mpesa:{SHORTCODE}"] == 4_000


PAYERS = ("254712000126", "254712000481")


@pytest.mark.parametrize("told", ["masked", "hashed", "whole"])
@pytest.mark.parametrize("told_first", [True, False])
async def test_at_a_till_like_payments_have_the_receipts_of_who_paid_them(
    till: World, told: str, *, told_first: bool
) -> None:
    receipts = []
    for n, phone in enumerate(PAYERS):
        mac = f"02:00:00:00:01:0{n}"
        await till.order(f"order-{n}", msisdn=parse_msisdn(phone), device_mac=mac)
        receipts.append(till.gateway.pay(till.last_provider_id, till.clock()))
    # The second paid first, and is told of first: time says the contrary of what is true.
    paid_at = (till.clock() + timedelta(seconds=2), till.clock() + timedelta(seconds=1))
    seen = [
        replace(money_seen(receipt, at=at), payer=written(phone, told))
        for receipt, at, phone in zip(receipts, paid_at, PAYERS, strict=True)
    ]
    till.clock.advance(60)
    if not told_first:
        await query_due(till.deps)
    for one in reversed(seen):
        await arrive(till.deps, one)
    if told_first:
        await query_due(till.deps)

    for n, receipt in enumerate(receipts):
        assert (await the_arrival(till, receipt)).order_id == an_order_id(f"order-{n}")


@pytest.mark.parametrize("told_first", [True, False])
async def test_at_a_till_like_payments_at_once_are_each_booked_once(
    till: World, *, told_first: bool
) -> None:
    receipts = []
    for n in range(4):
        mac, phone = f"02:00:00:00:01:0{n}", parse_msisdn(f"25471200000{n}")
        await till.order(f"order-{n}", msisdn=phone, device_mac=mac)
        receipts.append(till.gateway.pay(till.last_provider_id, till.clock()))
    seen = [replace(money_seen(receipt, at=till.clock()), payer="") for receipt in receipts]
    till.clock.advance(60)
    if not told_first:
        await query_due(till.deps)
    arrived = await asyncio.gather(*(arrive(till.deps, one) for one in seen))
    if told_first:
        await query_due(till.deps)

    assert {one.state for one in arrived} == {"suspense" if told_first else "credited"}
    assert {(await the_arrival(till, one)).state for one in receipts} == {"credited"}
    assert (await balances_now(till.deps.db))[f"asset:mpesa:{SHORTCODE}"] == 8_000


def written(phone: str, how: str) -> str:
    """A payer's number as M-PESA writes it."""
    if how == "hashed":
        return sha256(phone.encode()).hexdigest()
    return f"{phone[:4]} ***** {phone[-3:]}" if how == "masked" else phone


async def test_at_a_till_a_payer_s_number_that_fits_nobody_keeps_no_money_from_its_order(
    till: World,
) -> None:
    await till.order()
    receipt = till.gateway.pay(till.last_provider_id, till.clock())
    till.clock.advance(60)
    await query_due(till.deps)
    seen = replace(money_seen(receipt, at=till.clock()), payer="2547 ***** 999")

    assert (await arrive(till.deps, seen)).state == "credited"


async def test_at_a_paybill_a_stranger_s_money_is_no_answer_to_a_push(anne: World) -> None:
    await anne.order()
    stranger = await arrive(anne.deps, money_seen("UGESTRANGE", at=anne.clock()))
    mine = anne.gateway.pay(anne.last_provider_id, anne.clock())
    anne.clock.advance(60)
    await query_due(anne.deps)
    await arrive(anne.deps, money_seen(mine, reference=await reference(anne)))

    assert stranger.state == "suspense"
    assert (await the_arrival(anne, "UGESTRANGE")).order_id is None
    assert (await the_arrival(anne, mine)).order_id == an_order_id()


async def test_a_road_that_can_be_believed_names_the_order_of_money_that_waits(anne: World) -> None:
    await anne.order()
    named = await reference(anne)
    first = await arrive(anne.deps, money_seen(reference="?" + named[1:]))
    told = await arrive(anne.deps, money_seen(reference=named, road=Road.PULL))

    assert (first.state, told.state) == ("suspense", "credited")
    assert await state(anne) == PaymentState.SETTLED


async def test_who_tells_unsigned_whose_money_waits_is_not_believed(anne: World) -> None:
    await anne.order()
    await arrive(anne.deps, money_seen(reference="JINA LANGU"))
    told = await arrive(anne.deps, money_seen(reference=await reference(anne)))

    assert told.state == "suspense"
    assert await state(anne) == PaymentState.PENDING


async def test_money_that_waited_in_suspense_turns_out_to_be_the_order_s(anne: World) -> None:
    await anne.order()
    receipt = anne.gateway.pay(anne.last_provider_id, anne.clock())
    await arrive(anne.deps, money_seen(receipt, reference="GARBLED"))
    anne.clock.advance(60)
    await query_due(anne.deps)
    await anne.call_back()

    row = await the_arrival(anne, receipt)
    assert (row.state, row.order_id) == ("credited", an_order_id())
    assert (await balances_now(anne.deps.db))[f"asset:mpesa:{SHORTCODE}"] == 2_000


async def test_a_second_payment_of_an_order_is_in_the_wallet(anne: World) -> None:
    await anne.order()
    await arrive(anne.deps, money_seen("FIRST00001", reference=await reference(anne)))
    anne.gateway.pay(anne.last_provider_id, anne.clock())
    verdict = await anne.call_back()

    assert verdict.text == "paid_twice"
    assert await wallet_of_phone(anne) == 2_000


async def test_more_than_the_price_buys_the_plan_and_the_rest_is_in_the_wallet(anne: World) -> None:
    await anne.order()
    await arrive(anne.deps, money_seen(shillings=50, reference=await reference(anne)))

    assert await state(anne) == PaymentState.SETTLED
    assert await wallet_of_phone(anne) == 3_000


async def test_less_than_the_price_buys_the_best_plan_that_it_pays(anne: World) -> None:
    await add_plan(anne.deps, a_plan("ten", shillings=10), rank=5)
    await add_plan(anne.deps, a_plan("five", shillings=5), rank=6)
    await anne.order()
    await arrive(anne.deps, money_seen(shillings=12, reference=await reference(anne)))

    async with anne.deps.db.read() as tx:
        given = await grants.by_cause(tx, an_order_id())
    assert given is not None
    assert given.plan_id == "ten"
    assert (await anne.order()).grant_id == given.id
    assert await wallet_of_phone(anne) == 200


async def test_less_than_any_price_stays_in_the_wallet(anne: World) -> None:
    await anne.order()
    await arrive(anne.deps, money_seen(shillings=1, reference=await reference(anne)))

    assert await state(anne) != PaymentState.SETTLED
    assert await wallet_of_phone(anne) == 100


async def test_much_money_by_an_unsigned_road_is_not_booked_until_another_says_so(
    anne: World,
) -> None:
    phone = await phone_of(anne)
    told = await arrive(anne.deps, money_seen(shillings=MUCH, reference=phone))

    assert told.state == "doubted"
    assert await balances_now(anne.deps.db) == {}

    pulled = await arrive(anne.deps, money_seen(shillings=MUCH, reference=phone, road=Road.PULL))

    assert pulled.state == "credited"
    assert await wallet(anne) == MUCH * 100


async def test_much_money_told_twice_by_unsigned_roads_is_still_doubted(anne: World) -> None:
    phone = await phone_of(anne)
    for road in (Road.CONFIRMATION, Road.CALLBACK, Road.CONFIRMATION):
        told = await arrive(anne.deps, money_seen(shillings=MUCH, reference=phone, road=road))

    assert told.state == "doubted"
    assert await balances_now(anne.deps.db) == {}


async def test_a_dear_callback_waits_for_the_provider_s_own_answer(anne: World) -> None:
    await add_plan(anne.deps, a_plan("year", shillings=MUCH), rank=9)
    await anne.order(plan_id="year")
    receipt = anne.gateway.pay(anne.last_provider_id, anne.clock())
    verdict = await anne.call_back()

    assert verdict.text == "pending"
    assert await state(anne) == PaymentState.PENDING

    await query_due(anne.deps)
    assert await state(anne) == PaymentState.SETTLED
    row = await the_arrival(anne, receipt)
    assert (row.state, row.order_id) == ("credited", an_order_id())


@pytest.mark.parametrize("road", [Road.STATEMENT, Road.PULL, Road.STATUS])
@pytest.mark.parametrize("kind", ["grant", "account"])
async def test_a_dear_callback_that_another_road_confirms_is_credited_once(
    anne: World, kind: str, road: Road
) -> None:
    if kind == "grant":
        await add_plan(anne.deps, a_plan("year", shillings=MUCH), rank=9)
        await anne.order(plan_id="year")
    else:
        wish = AccountPayment(OrderId(an_order_id()), ANNE, Money(MUCH * 100))
        await pay_account(anne.deps, wish)
    receipt = anne.gateway.pay(anne.last_provider_id, anne.clock())
    await anne.call_back()
    # At a Till nothing names the order, and a day's statement comes long after it.
    anne.clock.advance(7_200)
    seen = money_seen(receipt, shillings=MUCH, road=road, at=anne.clock())
    arrived = await arrive(anne.deps, seen)
    settled = await state(anne)
    await query_due(anne.deps)
    await place_due(anne.deps)

    assert (arrived.state, settled) == ("credited", PaymentState.SETTLED)
    assert (await balances_now(anne.deps.db))[f"asset:mpesa:{SHORTCODE}"] == MUCH * 100
    assert await wallet(anne) == (MUCH * 100 if kind == "account" else 0)


async def test_a_friend_pays_into_the_account(anne: World) -> None:
    wish = AccountPayment(OrderId(hex_id("gift")), ANNE, Money(50_000), payer=PHONE)
    asked = await pay_account(anne.deps, wish)
    anne.gateway.pay(anne.last_provider_id, anne.clock())
    await anne.call_back()

    assert asked.stage is OrderStage.PROMPTED
    assert anne.gateway.pushes[-1].msisdn == PHONE
    assert await wallet(anne) == 50_000


async def test_a_payment_into_an_account_found_by_asking_is_credited_and_keeps_its_receipt(
    anne: World,
) -> None:
    await pay_account(anne.deps, AccountPayment(OrderId(hex_id("mine")), ANNE, Money(50_000)))
    receipt = anne.gateway.pay(anne.last_provider_id, anne.clock())
    anne.clock.advance(60)
    await query_due(anne.deps)
    await anne.call_back()

    assert await wallet(anne) == 50_000
    async with anne.deps.db.read() as tx:
        row = await tx.scalar(select(ArrivalRow).where(ArrivalRow.order_id == hex_id("mine")))
    assert row is not None
    assert (row.receipt, row.state) == (receipt, "credited")


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
@pytest.mark.parametrize("nth", [1, 2])
async def test_killed_between_any_two_steps_the_money_is_credited_once(
    anne: World, nth: int, moment: Moment
) -> None:
    phone = await phone_of(anne)
    mortal = MortalDatabase(anne.deps.db.url, nth=nth, moment=moment)
    with pytest.raises(Killed):
        await arrive(anne.on(mortal).deps, money_seen(shillings=300, reference=phone))
    await mortal.close()
    await place_due(anne.deps)
    await arrive(anne.deps, money_seen(shillings=300, reference=phone, road=Road.PULL))

    assert await wallet(anne) == 30_000


async def test_two_processes_take_the_same_confirmation_at_the_same_instant(anne: World) -> None:
    phone = await phone_of(anne)
    other = Database(anne.deps.db.url)
    worlds = [anne, anne.on(other)] * (PARALLEL // 2)
    found = await asyncio.gather(
        *(arrive(one.deps, money_seen(shillings=300, reference=phone)) for one in worlds)
    )
    await other.close()

    assert [one.is_new for one in found].count(True) == 1
    assert await wallet(anne) == 30_000


async def open_of(world: World, document_id: str) -> int:
    async with world.deps.db.read() as tx:
        return (await tx.get_one(DebtRow, document_id)).open_minor
