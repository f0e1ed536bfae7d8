"""Promotions: coupons once each, rewards into wallets, and all of it taken back with the money."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from billing.charge import Mode
from billing.errors import InvalidField
from billing.money import Money
from billing.promo import Coupon, Discount, Loyalty, Referral
from billing.scope import Scope
from controller.store import debts, promotions, received
from controller.store.billing_rows import DocumentRow, PromotionUseRow
from controller.store.database import Database
from controller.usecases.billing_run import bill_due
from controller.usecases.money_in import reverse
from controller.usecases.promotions import (
    PromotionDiffers,
    PromotionOver,
    PromotionUnknown,
    PromotionUsedUp,
    create,
    take_up,
    withdraw,
)
from controller.usecases.wallets import transfer
from tests.support.books import assert_the_books_are_right, balances_now
from tests.support.builders import hex_id
from tests.support.charges import ANNE, BEN, a_line, a_subscriber, an_invoice, paid_in
from tests.support.contracts import subscribed, with_plans

if TYPE_CHECKING:
    from billing.promo import Terms
    from tests.support.builders import World

PARALLEL = 8
TENTH = Discount(basis_points=1_000, periods=2)
REFERRAL = Referral(referrer=Money(20_000), referred=Money(5_000))


@pytest.fixture
async def anne(world: World) -> World:
    """The world with Anne, and Ben whom she brought."""
    await a_subscriber(world.deps)
    await a_subscriber(world.deps, "ben", referred_by=ANNE)
    return world


async def made(world: World, terms: Terms, name: str = "promo") -> str:
    return (await create(world.deps, promotion_id=name, name="Karibu", terms=terms)).id


async def wallet(world: World, subscriber_id: str = ANNE) -> int:
    async with world.deps.db.read() as tx:
        return await received.wallet_minor(tx, subscriber_id)


async def owed(world: World, subscriber_id: str = ANNE) -> int:
    async with world.deps.db.read() as tx:
        return await debts.owed_minor(tx, subscriber_id)


async def uses(world: World, promotion_id: str) -> int:
    async with world.deps.db.read() as tx:
        return await promotions.uses(tx, promotion_id)


async def test_a_promotion_is_made_once(anne: World) -> None:
    await made(anne, TENTH)
    await made(anne, TENTH)
    with pytest.raises(PromotionDiffers):
        await made(anne, Discount(basis_points=2_000))
    async with anne.deps.db.read() as tx:
        kept = [row.id for row in await promotions.listed(tx)]

    assert kept == ["promo"]


async def test_the_id_of_a_coupon_is_its_code(anne: World) -> None:
    await made(anne, Coupon("KARIBU", TENTH), name="one")
    with pytest.raises(PromotionDiffers):
        await made(anne, Coupon("KARIBU", Discount(basis_points=5)), name="two")
    use = await take_up(anne.deps, msisdn_or_id=ANNE, code=" kari-bu ")

    assert (use.promotion_id, use.periods_left) == ("karibu", 2)


async def test_what_cannot_be_is_refused(anne: World) -> None:
    now = anne.deps.now()
    with pytest.raises(InvalidField, match="ends_at"):
        await create(anne.deps, promotion_id="promo", name="Karibu", terms=TENTH, ends_at=now)
    with pytest.raises(InvalidField, match="id"):
        await create(anne.deps, promotion_id="No Id", name="Karibu", terms=TENTH)
    with pytest.raises(InvalidField, match="name"):
        await create(anne.deps, promotion_id="promo", name=" ", terms=TENTH)
    with pytest.raises(InvalidField, match="taken up"):
        await take_up(anne.deps, msisdn_or_id=ANNE, promotion_id=await made(anne, REFERRAL))
    with pytest.raises(PromotionUnknown):
        await take_up(anne.deps, msisdn_or_id=ANNE, promotion_id="other")
    await made(anne, TENTH, name="tenth")
    with pytest.raises(PromotionUnknown):
        await take_up(anne.deps, msisdn_or_id=ANNE, code="TENTH")


async def test_a_subscriber_takes_a_coupon_up_once_also_in_parallel(anne: World) -> None:
    await made(anne, Coupon("KARIBU", TENTH))
    found = await asyncio.gather(
        *(take_up(anne.deps, msisdn_or_id=ANNE, code="KARIBU") for _ in range(PARALLEL))
    )

    assert len({use.id for use in found}) == 1


async def test_a_coupon_is_taken_up_by_as_many_as_may_also_in_parallel(
    world: World, db_url: str
) -> None:
    await made(world, Coupon("KARIBU", TENTH, uses_max=3))
    names = [await a_subscriber(world.deps, f"s{n}") for n in range(PARALLEL)]
    second = Database(db_url)
    other = world.on(second)

    async def take(one: World, name: str) -> bool:
        try:
            await take_up(one.deps, msisdn_or_id=name, code="KARIBU")
        except PromotionUsedUp:
            return False
        return True

    taken = await asyncio.gather(
        *(take(world if n % 2 else other, name) for n, name in enumerate(names))
    )
    await second.close()

    assert sum(taken) == 3
    assert await uses(world, "karibu") == 3


async def test_what_is_over_or_withdrawn_is_taken_up_by_nobody_else(anne: World) -> None:
    ends_at = anne.deps.now() + timedelta(days=1)
    await create(anne.deps, promotion_id="promo", name="Karibu", terms=TENTH, ends_at=ends_at)
    await made(anne, TENTH, name="other")
    await take_up(anne.deps, msisdn_or_id=ANNE, promotion_id="other")
    await withdraw(anne.deps, "other")
    with pytest.raises(PromotionOver):
        await take_up(anne.deps, msisdn_or_id=BEN, promotion_id="other")
    anne.clock.to(ends_at)
    with pytest.raises(PromotionOver):
        await take_up(anne.deps, msisdn_or_id=ANNE, promotion_id="promo")
    with pytest.raises(PromotionUnknown):
        await withdraw(anne.deps, "none")

    assert (await uses(anne, "other"), await uses(anne, "promo")) == (1, 0)


async def test_a_discount_lowers_as_many_invoices_as_it_says(anne: World) -> None:
    await with_plans(anne)
    await take_up(anne.deps, msisdn_or_id=ANNE, promotion_id=await made(anne, TENTH))
    await paid_in(anne.deps, 20_000)
    await subscribed(anne, ANNE, Mode.PREPAID)
    for _ in range(3):
        anne.clock.advance(31 * 86_400)
        await bill_due(anne.deps)
    async with anne.deps.db.read() as tx:
        query = select(DocumentRow.total_minor).where(DocumentRow.kind == "invoice")
        charged = list(await tx.scalars(query.order_by(DocumentRow.number)))

    assert charged[:3] == [270_000, 270_000, 300_000]
    await assert_the_books_are_right(anne.deps.db)


async def test_both_are_rewarded_when_the_one_who_was_referred_first_pays(anne: World) -> None:
    await made(anne, REFERRAL)
    await an_invoice(anne.deps, ANNE, a_line(150))
    await paid_in(anne.deps, 100, BEN, name="one")
    await paid_in(anne.deps, 100, BEN, name="two")

    assert (await wallet(anne), await owed(anne)) == (5_000, 0)
    assert await wallet(anne, BEN) == 25_000
    assert (await balances_now(anne.deps.db))["expense:main:reward:promo"] == 25_000
    await assert_the_books_are_right(anne.deps.db)


async def test_who_has_paid_before_the_promotion_began_earns_nothing(anne: World) -> None:
    await paid_in(anne.deps, 100, BEN, name="one")
    await made(anne, REFERRAL)
    await paid_in(anne.deps, 100, BEN, name="two")

    assert (await wallet(anne), await wallet(anne, BEN)) == (0, 20_000)


async def test_first_payments_in_parallel_reward_once(anne: World, db_url: str) -> None:
    await made(anne, REFERRAL)
    second = Database(db_url)
    other = anne.on(second)
    await asyncio.gather(
        *(
            paid_in(one.deps, 100, BEN, name=f"money-{n}")
            for n, one in enumerate((anne, other) * (PARALLEL // 2))
        )
    )
    await second.close()

    assert await wallet(anne) == 20_000
    await assert_the_books_are_right(anne.deps.db)


async def test_a_reversed_payment_takes_its_rewards_back(anne: World) -> None:
    await made(anne, REFERRAL)
    before = await balances_now(anne.deps.db)
    money = await paid_in(anne.deps, 100, BEN)
    await reverse(anne.deps, money.id, reason="mistake")

    assert await balances_now(anne.deps.db) == before
    assert await uses(anne, "promo") == 0
    await assert_the_books_are_right(anne.deps.db)


async def test_who_pays_again_after_a_reversal_is_rewarded_again(anne: World) -> None:
    await made(anne, REFERRAL)
    money = await paid_in(anne.deps, 100, BEN)
    await reverse(anne.deps, money.id, reason="mistake")
    await paid_in(anne.deps, 100, BEN, name="again")

    assert await wallet(anne) == 20_000


async def test_a_reward_that_was_spent_is_owed_when_it_was_not_earned(anne: World) -> None:
    await made(anne, REFERRAL)
    await a_subscriber(anne.deps, "carol")
    money = await paid_in(anne.deps, 100, BEN)
    await transfer(
        anne.deps,
        source=ANNE,
        target=hex_id("carol"),
        amount=Money(15_000),
        idempotent=hex_id("gift"),
    )
    await reverse(anne.deps, money.id, reason="mistake")

    assert (await wallet(anne), await owed(anne)) == (0, 15_000)
    assert (await wallet(anne, BEN), await owed(anne, BEN)) == (0, 0)
    assert "expense:main:reward:promo" not in await balances_now(anne.deps.db)
    await assert_the_books_are_right(anne.deps.db)


async def test_every_third_paid_invoice_is_rewarded(anne: World) -> None:
    await made(anne, Loyalty(every_invoices=3, reward=Money(10_000)))
    for n in range(6):
        await an_invoice(anne.deps, ANNE, a_line(100), cause=f"period:{n}")
    await paid_in(anne.deps, 250, name="two-and-a-half")
    first = await wallet(anne)
    await paid_in(anne.deps, 50, name="third")

    assert first == 0
    # The reward of the third paid the fourth; the sixth was never reached.
    assert (await wallet(anne), await owed(anne)) == (0, 20_000)
    await paid_in(anne.deps, 200, name="rest")
    assert (await wallet(anne), await owed(anne)) == (10_000, 0)
    await assert_the_books_are_right(anne.deps.db)


async def test_a_share_of_what_was_paid_is_rewarded_and_pays_on(anne: World) -> None:
    await made(anne, Loyalty(basis_points=5_000))
    for n, shillings in enumerate((1_000, 400)):
        await an_invoice(anne.deps, ANNE, a_line(shillings), cause=f"period:{n}")
    await paid_in(anne.deps, 1_000)

    # 500 for the first, of which 400 paid the second, which earned 200 more.
    assert (await wallet(anne), await owed(anne)) == (30_000, 0)
    await assert_the_books_are_right(anne.deps.db)


async def test_reversal_of_everything_leads_back_to_the_same_balances(anne: World) -> None:
    await made(anne, REFERRAL)
    await made(anne, Loyalty(basis_points=5_000), name="share")
    await made(anne, Loyalty(every_invoices=2, reward=Money(3_000)), name="second")
    for n, shillings in enumerate((1_000, 400, 700)):
        await an_invoice(anne.deps, BEN, a_line(shillings), cause=f"period:{n}")
    before = await balances_now(anne.deps.db)
    money = [await paid_in(anne.deps, 600, BEN, name=f"m{n}") for n in range(4)]
    await assert_the_books_are_right(anne.deps.db)
    for one in (money[1], money[3], money[0], money[2]):
        await reverse(anne.deps, one.id, reason="mistake")
        await assert_the_books_are_right(anne.deps.db)

    assert await balances_now(anne.deps.db) == before
    async with anne.deps.db.read() as tx:
        kept = await tx.scalar(
            select(func.count()).where(
                PromotionUseRow.reversed_at.is_(None), PromotionUseRow.reward_minor > 0
            )
        )
    assert kept == 0


async def test_loyalty_of_a_plan_rewards_invoices_with_that_plan(anne: World) -> None:
    scope = Scope(plans=("home-10",), segments=("residential",), branches=("main",))
    await made(anne, Loyalty(basis_points=1_000, scope=scope))
    await an_invoice(anne.deps, ANNE, a_line(100, plan_id="home-20"), cause="a")
    await paid_in(anne.deps, 100, name="a")
    other = await wallet(anne)
    await an_invoice(anne.deps, ANNE, a_line(100), cause="b")
    await paid_in(anne.deps, 100, name="b")

    assert (other, await wallet(anne)) == (0, 1_000)
