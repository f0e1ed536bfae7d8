"""An order becomes a payment and one prompt, however often and however badly it is sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from billing.ids import PlanId
from billing.payment import OrderStage, Reason
from controller.payments.memory import Scripted
from controller.store import payments
from controller.store.database import Database
from controller.store.rows import GrantRow, PaymentRow
from controller.usecases.asking import (
    AGE_MAX_S,
    DESCRIPTION_CHARS_MAX,
    LINE_BUSY_S,
    REFERENCE_CHARS,
    UNPAID_PROMPTS_MAX,
    UNPAID_WITHIN_S,
)
from controller.usecases.plans import withdraw_plan
from controller.usecases.purchase import OrderDiffers, purchase
from controller.usecases.settle import query_due
from tests.support.builders import (
    OTHER_MAC,
    OTHER_PHONE,
    OTHER_SITE,
    SITE,
    Killed,
    MortalDatabase,
    a_plan,
    a_world,
    an_order,
    an_order_id,
    token_in,
    with_site,
)
from tests.support.money import assert_money_is_conserved
from tests.support.payers import SlowToAnswer, with_gateway

if TYPE_CHECKING:
    from pathlib import Path

    from controller.usecases.purchase import NewOrder
    from tests.support.builders import World


async def payments_in(world: World) -> int:
    async with world.deps.db.read() as tx:
        return (await tx.execute(select(func.count()).select_from(PaymentRow))).scalar_one()


async def test_order_prompts_the_phone_for_the_price_of_the_plan(world: World) -> None:
    status = await world.order()
    push = world.gateway.pushes[0]

    assert status.stage is OrderStage.PROMPTED
    assert (push.amount.minor, push.msisdn) == (2_000, "254712345678")


async def test_push_keeps_within_what_the_provider_accepts(world: World) -> None:
    await world.order()
    push = world.gateway.pushes[0]

    assert push.account.isalnum()
    assert len(push.account) <= REFERENCE_CHARS
    assert len(push.description) <= DESCRIPTION_CHARS_MAX
    assert push.callback_url.startswith("https://pay.example.co.ke/")


async def test_callback_address_is_different_each_time_and_kept_only_as_a_hash(
    world: World,
) -> None:
    await world.order("one")
    await world.order("two", msisdn=OTHER_PHONE)
    tokens = {token_in(push.callback_url) for push in world.gateway.pushes}
    async with world.deps.db.read() as tx:
        kept = set(await tx.scalars(select(PaymentRow.callback_token_hash)))

    assert len(tokens) == 2
    assert not tokens & kept


async def test_same_order_again_prompts_nobody(world: World) -> None:
    first = await world.order()

    assert await world.order() == first
    assert len(world.gateway.pushes) == 1


async def test_same_order_ten_times_at_once_prompts_once(world: World, db_url: str) -> None:
    second = Database(db_url)
    other = world.on(second)
    answers = await asyncio.gather(*(one.order() for one in (world, other) * 5))
    await second.close()

    assert {answer.stage for answer in answers} == {OrderStage.PROMPTED}
    assert len(world.gateway.pushes) == 1


@pytest.mark.parametrize(
    ("field", "order"),
    [
        ("plan", an_order(plan_id="day")),
        ("phone", an_order(msisdn=OTHER_PHONE)),
        ("device", an_order(device_mac=OTHER_MAC)),
    ],
)
async def test_same_order_id_for_something_else_is_refused(
    world: World, field: str, order: NewOrder
) -> None:
    await world.order()

    with pytest.raises(OrderDiffers, match=field):
        await purchase(world.deps, SITE, order)
    assert len(world.gateway.pushes) == 1


async def test_plan_that_is_not_sold_is_refused_without_a_push(world: World) -> None:
    status = await world.order(plan_id="never")

    assert (status.stage, status.reason) == (OrderStage.REFUSED, Reason.PLAN_UNKNOWN)
    assert world.gateway.pushes == []


async def test_withdrawn_plan_is_refused_without_a_push(world: World) -> None:
    await withdraw_plan(world.deps, PlanId("hour"))
    status = await world.order()

    assert (status.stage, status.reason) == (OrderStage.REFUSED, Reason.PLAN_UNKNOWN)
    assert world.gateway.pushes == []


async def test_withdrawing_a_plan_does_not_undo_what_was_ordered(world: World) -> None:
    await world.order()
    await withdraw_plan(world.deps, PlanId("hour"))
    world.gateway.pay(world.last_provider_id, world.clock())
    await world.call_back()

    assert (await world.order()).stage is OrderStage.PAID


async def test_order_that_comes_too_late_is_not_pushed(world: World) -> None:
    status = await world.order(age_s=AGE_MAX_S + 1)

    assert (status.stage, status.reason) == (OrderStage.EXPIRED, Reason.TOO_LATE)
    assert world.gateway.pushes == []


async def test_order_at_the_limit_of_its_age_is_pushed(world: World) -> None:
    assert (await world.order(age_s=AGE_MAX_S)).stage is OrderStage.PROMPTED


async def test_second_order_for_a_phone_that_is_being_asked_is_refused(world: World) -> None:
    await world.order("first")
    world.clock.advance(LINE_BUSY_S - 1)
    status = await world.order("second")

    assert (status.stage, status.reason) == (OrderStage.REFUSED, Reason.LINE_BUSY)
    assert len(world.gateway.pushes) == 1


async def refused_prompts(world: World, count: int) -> None:
    for n in range(count):
        await world.order(f"unpaid {n}")
        world.gateway.refuse(world.last_provider_id)
        await world.call_back()


async def test_a_phone_that_never_pays_is_not_asked_for_ever(world: World) -> None:
    await refused_prompts(world, UNPAID_PROMPTS_MAX)
    status = await world.order("one more")

    assert (status.stage, status.reason) == (OrderStage.REFUSED, Reason.TOO_OFTEN)
    assert len(world.gateway.pushes) == UNPAID_PROMPTS_MAX


async def test_a_phone_that_never_paid_is_asked_again_after_an_hour(world: World) -> None:
    await refused_prompts(world, UNPAID_PROMPTS_MAX)
    world.clock.advance(UNPAID_WITHIN_S)

    assert (await world.order("one more")).stage is OrderStage.PROMPTED


async def test_refusal_of_a_busy_line_stands_when_asked_again(world: World) -> None:
    await world.order("first")
    await world.order("second")
    world.clock.advance(LINE_BUSY_S + 1)

    assert (await world.order("second")).reason is Reason.LINE_BUSY


async def test_phone_is_free_again_after_a_minute(world: World) -> None:
    await world.order("first")
    world.clock.advance(LINE_BUSY_S)

    assert (await world.order("second")).stage is OrderStage.PROMPTED


async def test_phone_is_free_again_once_the_payer_has_decided(world: World) -> None:
    await world.order("first")
    world.gateway.refuse(world.last_provider_id)
    await world.call_back()

    assert (await world.order("second")).stage is OrderStage.PROMPTED


async def test_two_orders_for_one_phone_at_once_prompt_it_once(world: World) -> None:
    answers = await asyncio.gather(*(world.order(f"order {n}") for n in range(6)))

    assert sorted(a.stage for a in answers) == ["prompted"] + ["refused"] * 5
    assert len(world.gateway.pushes) == 1


async def test_free_plan_gives_the_grant_and_speaks_of_no_money(
    db: Database, tmp_path: Path
) -> None:
    world = await with_site(a_world(db, tmp_path), a_plan("free", shillings=0))
    status = await world.order(plan_id="free")

    assert (status.stage, await payments_in(world)) == (OrderStage.PAID, 0)
    assert await world.order(plan_id="free") == status
    await assert_money_is_conserved(db)


async def test_free_plan_ordered_ten_times_at_once_gives_one_grant(
    db: Database, tmp_path: Path
) -> None:
    world = await with_site(a_world(db, tmp_path), a_plan("free", shillings=0))
    answers = await asyncio.gather(*(world.order(plan_id="free") for _ in range(10)))
    async with db.read() as tx:
        grants = (await tx.scalars(select(GrantRow.id))).all()

    assert {answer.grant_id for answer in answers} == set(grants)
    assert len(grants) == 1


async def test_free_order_repeated_for_another_device_is_refused(
    db: Database, tmp_path: Path
) -> None:
    world = await with_site(a_world(db, tmp_path), a_plan("free", shillings=0))
    await world.order(plan_id="free")

    with pytest.raises(OrderDiffers, match="device"):
        await world.order(plan_id="free", device_mac=OTHER_MAC)


async def test_without_an_account_nothing_is_sold_and_staff_are_told(
    db: Database, tmp_path: Path
) -> None:
    world = await with_site(a_world(db, tmp_path, mpesa=False))
    status = await world.order()

    assert (status.stage, status.reason) == (OrderStage.REFUSED, Reason.OUR_SIDE)
    assert world.gateway.pushes == []


async def test_push_that_was_turned_away_says_why(world: World) -> None:
    world.gateway.script(Scripted.BUSY)

    assert (await world.order()).reason is Reason.LINE_BUSY


async def test_order_left_behind_by_a_crash_before_it_was_sent_is_pushed_when_it_comes_again(
    world: World, db_url: str
) -> None:
    mortal = MortalDatabase(db_url, nth=2, moment="inside")
    with pytest.raises(Killed):
        await world.on(mortal).order()
    await mortal.close()

    assert world.gateway.pushes == []
    assert (await world.order(age_s=5)).stage is OrderStage.PROMPTED


async def test_order_left_behind_for_good_expires_by_itself(world: World, db_url: str) -> None:
    mortal = MortalDatabase(db_url, nth=1, moment="after")
    with pytest.raises(Killed):
        await world.on(mortal).order()
    await mortal.close()
    world.clock.advance(AGE_MAX_S)
    await query_due(world.deps)

    assert (await world.order()).stage is OrderStage.EXPIRED
    assert world.gateway.pushes == []


async def test_site_that_hangs_up_during_the_push_does_not_lose_the_answer(world: World) -> None:
    slow = SlowToAnswer()
    world = with_gateway(world, slow)
    buying = asyncio.create_task(world.order())
    await slow.taken.wait()
    buying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await buying
    with world.deps.signals.listen("live") as noted:
        slow.answering.set()
        await noted.wait()

    assert (await kept(world)).provider_id == world.last_provider_id


async def kept(world: World) -> PaymentRow:
    async with world.deps.db.read() as tx:
        payment = await payments.load(tx, an_order_id())
        assert payment is not None
        return payment


async def test_order_of_one_site_is_not_told_to_another(world: World) -> None:
    await world.order()

    with pytest.raises(OrderDiffers, match="site"):
        await purchase(world.deps, OTHER_SITE, an_order())
