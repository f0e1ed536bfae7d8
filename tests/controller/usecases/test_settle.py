"""Callbacks and queries under fire: doubled, forged, replayed, raced, and cut off anywhere."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.ids import AccountName
from billing.money import Money
from billing.payment import OrderStage
from controller.payments.gateway import Trust
from controller.payments.memory import MemoryGateway, Scripted
from controller.store import ledger, operators, payments
from controller.store.database import Database
from controller.store.rows import InboxRow, PaymentRow, SubscriberRow
from controller.store.site_rows import NoticeRow
from controller.usecases.settle import BODY_BYTES_MAX, Verdict, query_due, take_callback
from tests.support.builders import (
    OTHER_MAC,
    OTHER_PHONE,
    PHONE,
    SHORTCODE,
    Killed,
    Moment,
    MortalDatabase,
    an_order_id,
)
from tests.support.money import assert_money_is_conserved, credited
from tests.support.payers import Dear, SlowToAnswer, with_gateway

if TYPE_CHECKING:
    from tests.support.builders import World

PARALLEL = 10


async def notices(world: World) -> set[str]:
    async with world.deps.db.read() as tx:
        return set(await tx.scalars(select(NoticeRow.code)))


async def receipt_of(world: World, name: str = "order") -> str | None:
    async with world.deps.db.read() as tx:
        payment = await payments.load(tx, an_order_id(name))
        assert payment is not None
        return payment.receipt


def altered(body: bytes, **items: object) -> bytes:
    """A callback with other metadata."""
    told = json.loads(body)
    listed = told["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    for name, value in items.items():
        listed[:] = [item for item in listed if item["Name"] != name]
        listed.append({"Name": name, "Value": value})
    return json.dumps(told).encode()


async def paid_but_not_told(world: World) -> str:
    await world.order()
    return world.gateway.pay(world.last_provider_id, world.clock())


async def test_one_callback_ten_times_at_once_credits_once(world: World) -> None:
    await paid_but_not_told(world)
    verdicts = await asyncio.gather(*(world.call_back() for _ in range(PARALLEL)))

    assert sorted(v.text for v in verdicts) == ["repeat"] * (PARALLEL - 1) + ["settled"]
    assert sum(v.settled for v in verdicts) == 1
    assert await credited(world.deps.db) == 1
    await assert_money_is_conserved(world.deps.db)


async def test_callbacks_that_say_the_same_in_other_bytes_credit_once(world: World) -> None:
    await paid_but_not_told(world)
    name = world.last_provider_id
    token, body = world.token_of(name), world.gateway.callback(name)
    verdicts = await asyncio.gather(
        *(
            take_callback(world.deps, token=token, body=body + b" " * n, source="")
            for n in range(PARALLEL)
        )
    )

    assert sorted(v.text for v in verdicts) == ["repeat"] * (PARALLEL - 1) + ["settled"]
    await assert_money_is_conserved(world.deps.db)


async def test_two_processes_that_take_the_same_callback_credit_once(
    world: World, db_url: str
) -> None:
    await paid_but_not_told(world)
    second = Database(db_url)
    other = world.on(second)
    verdicts = await asyncio.gather(
        *(one.call_back() for one in (world, other) for _ in range(PARALLEL))
    )
    await second.close()

    assert [v.text for v in verdicts].count("settled") == 1
    assert await credited(world.deps.db) == 1
    await assert_money_is_conserved(world.deps.db)


async def test_callback_and_query_at_once_credit_once(world: World) -> None:
    receipt = await paid_but_not_told(world)
    world.clock.advance(20)
    await asyncio.gather(query_due(world.deps), world.call_back())

    assert await credited(world.deps.db) == 1
    assert await receipt_of(world) == receipt
    await assert_money_is_conserved(world.deps.db)


async def test_money_moves_from_the_wallet_to_income(world: World) -> None:
    await paid_but_not_told(world)
    await world.call_back()
    async with world.deps.db.read() as tx:
        subscriber = (await tx.scalars(select(SubscriberRow.id))).one()
        held = {
            account: (await ledger.balance(tx, AccountName(account))).minor
            for account in (
                f"asset:mpesa:{SHORTCODE}",
                f"liability:wallet:{subscriber}",
                "income:main:plan:hour",
            )
        }

    assert list(held.values()) == [2_000, 0, -2_000]


async def test_callback_that_overtakes_the_push_answer_settles(world: World) -> None:
    """The payer is quick: the callback is here before the provider has answered our push."""
    slow = SlowToAnswer()
    quick = with_gateway(world, slow)
    buying = asyncio.create_task(quick.order())
    await slow.taken.wait()
    slow.pay(quick.last_provider_id, world.clock())
    verdict = await quick.call_back()
    slow.answering.set()
    status = await buying

    assert (verdict.text, status.stage) == ("settled", OrderStage.PAID)
    assert await credited(world.deps.db) == 1


async def test_callback_with_an_unknown_token_leaves_no_trace(world: World) -> None:
    await paid_but_not_told(world)
    body = world.gateway.callback(world.last_provider_id)
    for token in ("f" * 48, "", "x" * 48, "\ud800", "f" * 10_000):
        verdict = await take_callback(world.deps, token=token, body=body, source="")

        assert verdict == Verdict("unknown_token", settled=False)
    async with world.deps.db.read() as tx:
        assert (await tx.scalars(select(InboxRow))).all() == []
    assert await credited(world.deps.db) == 0


@pytest.mark.parametrize(
    ("items", "verdict"),
    [
        ({"Amount": 1}, "amount_differs"),
        ({"Amount": 2_000}, "amount_differs"),
        ({"Amount": 20.01}, "amount_differs"),
        ({"BusinessShortCode": "999999"}, "shortcode_differs"),
    ],
)
async def test_altered_callback_credits_nothing_and_is_shown(
    world: World, items: dict[str, object], verdict: str
) -> None:
    await paid_but_not_told(world)
    name = world.last_provider_id
    body = altered(world.gateway.callback(name), **items)
    said = await take_callback(world.deps, token=world.token_of(name), body=body, source="")

    assert said == Verdict(verdict, settled=False)
    assert await credited(world.deps.db) == 0
    assert verdict in await notices(world)


async def test_altered_callback_again_is_a_repeat(world: World) -> None:
    await paid_but_not_told(world)
    await world.call_back(amount=Money(100))

    assert await world.call_back(amount=Money(100)) == Verdict("repeat", settled=False)


async def test_after_an_altered_callback_the_provider_itself_decides(world: World) -> None:
    await paid_but_not_told(world)
    await world.call_back(amount=Money(100))

    assert await query_due(world.deps) == 1
    assert await credited(world.deps.db) == 1


async def test_callback_of_another_payment_credits_nothing(world: World) -> None:
    """The body is genuine, but it was posted to the address of somebody else's payment."""
    await world.order("mine")
    mine = world.last_provider_id
    world.gateway.pay(mine, world.clock())
    await world.order("theirs", msisdn=OTHER_PHONE, device_mac=OTHER_MAC)
    theirs = world.last_provider_id
    verdict = await take_callback(
        world.deps,
        token=world.token_of(theirs),
        body=world.gateway.callback(mine),
        source="",
    )

    assert verdict.text == "provider_id_differs"
    assert await credited(world.deps.db) == 0


async def test_receipt_that_has_credited_one_order_credits_no_other(world: World) -> None:
    await world.order("first")
    first = world.last_provider_id
    receipt = world.gateway.pay(first, world.clock())
    await world.call_back(first)
    await world.order("second", msisdn=OTHER_PHONE, device_mac=OTHER_MAC)
    second = world.last_provider_id
    world.gateway.pay(second, world.clock())
    replayed = altered(world.gateway.callback(second), MpesaReceiptNumber=receipt)
    verdict = await take_callback(
        world.deps, token=world.token_of(second), body=replayed, source=""
    )

    assert verdict.text == "receipt_used"
    assert await credited(world.deps.db) == 1
    assert "receipt_used" in await notices(world)


async def test_one_receipt_posted_to_two_orders_at_once_credits_one(world: World) -> None:
    bodies = []
    for name, phone, mac in (("a", PHONE, "02:00:00:00:00:01"), ("b", OTHER_PHONE, OTHER_MAC)):
        await world.order(name, msisdn=phone, device_mac=mac)
        provider_id = world.last_provider_id
        world.gateway.pay(provider_id, world.clock())
        body = altered(world.gateway.callback(provider_id), MpesaReceiptNumber="SAMESAME01")
        bodies.append((world.token_of(provider_id), body))
    verdicts = await asyncio.gather(
        *(take_callback(world.deps, token=t, body=b, source="") for t, b in bodies * 5)
    )

    assert [v.text for v in verdicts].count("settled") == 1
    assert await credited(world.deps.db) == 1
    await assert_money_is_conserved(world.deps.db)


async def test_second_receipt_for_a_settled_payment_is_shown_and_credits_nothing(
    world: World,
) -> None:
    await paid_but_not_told(world)
    await world.call_back()
    name = world.last_provider_id
    body = altered(world.gateway.callback(name), MpesaReceiptNumber="SECOND0001")
    verdict = await take_callback(world.deps, token=world.token_of(name), body=body, source="")

    assert verdict.text == "receipt_differs"
    assert "receipt_differs" in await notices(world)
    await assert_money_is_conserved(world.deps.db)


async def test_callback_after_a_query_brings_the_receipt(world: World) -> None:
    receipt = await paid_but_not_told(world)
    world.clock.advance(20)
    await query_due(world.deps)

    assert await receipt_of(world) is None
    assert (await world.call_back()).text == "receipt_attached"
    assert await receipt_of(world) == receipt


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff", b"{" * 5_000, b"x" * 100_000])
async def test_callback_that_nobody_can_read_changes_nothing(world: World, body: bytes) -> None:
    await world.order()
    token = world.token_of(world.last_provider_id)
    verdict = await take_callback(world.deps, token=token, body=body, source="")

    assert verdict == Verdict("unreadable", settled=False)
    assert (await world.order()).stage is OrderStage.PROMPTED


async def test_oversized_callback_is_not_kept(world: World) -> None:
    await world.order()
    token = world.token_of(world.last_provider_id)
    await take_callback(world.deps, token=token, body=b"x" * (BODY_BYTES_MAX + 1), source="")
    async with world.deps.db.read() as tx:
        assert (await tx.scalars(select(InboxRow))).all() == []


async def test_settling_wakes_the_site_and_the_staff_page(world: World) -> None:
    await paid_but_not_told(world)
    with (
        world.deps.signals.listen("site:kahawa") as site,
        world.deps.signals.listen("live") as live,
    ):
        await world.call_back()

        assert site.is_set()
        assert live.is_set()


async def test_query_is_asked_once_however_many_processes_look(world: World, db_url: str) -> None:
    await world.order()
    world.clock.advance(20)
    second = Database(db_url)
    asked = await asyncio.gather(query_due(world.deps), query_due(world.on(second).deps))
    await second.close()

    assert sum(asked) == 1
    assert len(world.gateway.queries) == 1


async def test_questions_follow_the_schedule(world: World) -> None:
    await world.order()
    asked_at, passed = [], 0
    while passed < 2 * 86_400:
        async with world.deps.db.read() as tx:
            due = (await tx.scalars(select(PaymentRow.next_query_at))).one()
        if due is None:
            break
        wait = int((due - world.clock()).total_seconds())
        world.clock.advance(wait)
        passed += wait
        await query_due(world.deps)
        asked_at.append(passed)

    assert asked_at == [15, 30, 60, 90, 120, 300, 900, 3_600, 21_600, 86_400]
    assert "outcome_unknown" in await notices(world)


async def test_scheduler_that_was_down_for_three_days_asks_once(world: World) -> None:
    await paid_but_not_told(world)
    world.clock.advance(3 * 86_400)

    assert [await query_due(world.deps), await query_due(world.deps)] == [1, 0]
    assert await credited(world.deps.db) == 1


async def test_provider_that_answers_with_another_amount_credits_nothing(world: World) -> None:
    dear = Dear()
    other = with_gateway(world, dear)
    await other.order()
    dear.pay(other.last_provider_id, world.clock())
    world.clock.advance(20)
    await query_due(other.deps)

    assert await credited(world.deps.db) == 0
    assert "amount_differs" in await notices(world)


MOMENTS: tuple[Moment, ...] = ("before", "inside", "after")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("nth", range(1, 7))
@pytest.mark.parametrize("how", [Scripted.ACCEPT, Scripted.LOSE])
async def test_killed_between_any_two_steps_it_ends_with_one_credit_or_none(
    world: World, db_url: str, nth: int, moment: Moment, how: Scripted
) -> None:
    """Order, push, answer, callback: dead at any transaction; then started anew."""
    mortal = MortalDatabase(db_url, nth=nth, moment=moment)
    doomed = world.on(mortal)
    world.gateway.script(how)
    try:
        await doomed.order()
        world.gateway.pay(world.last_provider_id, world.clock())
        await doomed.call_back()
    except Killed:
        pass
    finally:
        await mortal.close()
    await world.order()
    for provider_id, asked in list(world.gateway.asked.items()):
        if asked.code is None:
            world.gateway.pay(provider_id, world.clock())
        await world.call_back(provider_id)
    for _ in range(3):
        world.clock.advance(130)
        await query_due(world.deps)
    status = await world.order()

    # Dead after SENT was committed and before the push left: nobody can know, so nobody is asked
    # again, and it is never called failed.
    lost = (nth, moment) == (2, "after")
    ends = (OrderStage.CHECKING, 0) if lost else (OrderStage.PAID, 1)
    assert len(world.gateway.pushes) == (0 if lost else 1)
    assert (status.stage, await credited(world.deps.db)) == ends
    await assert_money_is_conserved(world.deps.db)


async def test_taxes_are_in_what_the_portal_showed(world: World) -> None:
    async with world.deps.db.begin() as tx:
        who = await operators.operator(tx)
        who.vat_registered = who.excise_registered = True
    await paid_but_not_told(world)
    await world.call_back()
    async with world.deps.db.read() as tx:
        earned = {
            account: (await ledger.balance(tx, AccountName(account))).minor
            for account in ("income:main:plan:hour", "liability:tax:excise", "liability:tax:vat")
        }

    assert earned == {
        "income:main:plan:hour": -1_499,
        "liability:tax:excise": -225,
        "liability:tax:vat": -276,
    }
    await assert_money_is_conserved(world.deps.db)


async def test_a_push_whose_answer_was_never_noted_is_asked_for_by_our_own_name(
    world: World,
) -> None:
    rail = MemoryGateway(rail="airtel", trust=Trust.HINT, takes_our_name=True)
    shop = with_gateway(world, rail)
    mortal = MortalDatabase(shop.deps.db.url, nth=3, moment="before")
    with pytest.raises(Killed):
        await shop.on(mortal).order()
    await mortal.close()
    rail.pay(an_order_id(), shop.clock())
    shop.clock.advance(60)
    await query_due(shop.deps)

    assert await credited(shop.deps.db) == 1


async def test_a_no_that_nobody_signed_is_asked_about_once_more(world: World) -> None:
    await world.order()
    name = world.last_provider_id
    no = {"CheckoutRequestID": name, "ResultCode": 1032, "ResultDesc": "made up"}
    verdict = await take_callback(
        world.deps,
        token=world.token_of(name),
        body=json.dumps({"Body": {"stkCallback": no}}).encode(),
        source="",
    )
    world.gateway.pay(name, world.clock())
    world.clock.advance(60)
    asked = [await query_due(world.deps) for _ in range(2)]

    assert verdict.text == "refused"
    assert asked == [1, 0]
    assert await credited(world.deps.db) == 1
