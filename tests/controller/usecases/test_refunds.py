"""Money goes back: taken out of where it is, once; back there when the provider says no."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.money import Money
from billing.payment import Evidence, PaymentState
from controller.store import arrivals as store
from controller.store import grants, payers, received, refunds
from controller.store.billing_rows import DebtRow
from controller.store.site_rows import NoticeRow
from controller.usecases.arrivals import ArrivalUnknown, arrive
from controller.usecases.refunds import (
    RESULT_PATH,
    NotToRefund,
    RefundDiffers,
    refund,
    refunds_due,
    returned,
    take_result,
)
from tests.support.arrivals import assert_every_shilling_is_somewhere, money_seen
from tests.support.books import assert_the_books_are_right, balances_now
from tests.support.builders import (
    PHONE,
    SHORTCODE,
    Killed,
    MortalDatabase,
    an_order_id,
    hex_id,
)
from tests.support.charges import ANNE, a_line, a_subscriber, an_invoice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.store.payment_rows import RefundRow
    from tests.support.builders import Moment, World

TILL = f"asset:mpesa:{SHORTCODE}"
PARALLEL = 6


@pytest.fixture
async def anne(world: World) -> AsyncIterator[World]:
    """The world with Anne, who has an account; every shilling is looked for afterwards."""
    await a_subscriber(world.deps, msisdn="254700000001")
    yield world
    await assert_every_shilling_is_somewhere(world.deps.db)


async def came_for_anne(world: World, shillings: int = 300) -> str:
    arrived = await arrive(world.deps, money_seen(shillings=shillings, reference="0700000001"))
    assert arrived.state == "credited"
    return arrived.arrival_id


async def an_order_paid(world: World) -> str:
    await world.order()
    world.gateway.pay(world.last_provider_id, world.clock())
    await world.call_back()
    async with world.deps.db.begin() as tx:
        (row,) = await store.of_order(tx, an_order_id())
    return row.id


async def give_back(
    world: World, arrival_id: str, *, shillings: int | None = None, name: str = "refund"
) -> RefundRow:
    return await refund(
        world.deps,
        arrival_id,
        amount=None if shillings is None else Money(shillings * 100),
        reason="asked for it",
        idempotent=hex_id(name),
    )


async def told(world: World, *, name: str = "refund", code: str = "0") -> bool:
    """The provider posts what became of it."""
    sent = world.gateway.refunds[hex_id(name)]
    return await take_result(
        world.deps,
        token=sent.callback_url.partition(RESULT_PATH)[2],
        body=world.gateway.refund_result(hex_id(name), code=code),
        headers={},
    )


async def wallet(world: World, subscriber_id: str = ANNE) -> int:
    async with world.deps.db.read() as tx:
        return await received.wallet_minor(tx, subscriber_id)


async def state(world: World, name: str = "refund") -> str:
    async with world.deps.db.read() as tx:
        return (await refunds.must_load(tx, hex_id(name))).state


async def notices(world: World) -> set[str]:
    async with world.deps.db.read() as tx:
        return set(await tx.scalars(select(NoticeRow.code)))


async def test_money_of_an_account_goes_back_out_of_the_wallet(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    row = await give_back(anne, arrival_id)

    assert row.state == PaymentState.PENDING
    assert await wallet(anne) == 0

    await told(anne)

    assert await state(anne) == PaymentState.SETTLED
    assert TILL not in await balances_now(anne.deps.db)


async def test_a_part_goes_back_and_the_rest_stays(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    await give_back(anne, arrival_id, shillings=100)
    await told(anne)

    assert await wallet(anne) == 20_000
    assert (await balances_now(anne.deps.db))[TILL] == 20_000


async def test_parts_never_sum_to_more_than_came(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    await give_back(anne, arrival_id, shillings=200)
    with pytest.raises(NotToRefund) as refused:
        await give_back(anne, arrival_id, shillings=101, name="more")

    assert refused.value.field == "amount"
    assert await wallet(anne) == 10_000


async def test_what_it_had_paid_is_open_again(anne: World) -> None:
    document = await an_invoice(anne.deps, ANNE, a_line(300))
    arrival_id = await came_for_anne(anne)
    await give_back(anne, arrival_id)
    await told(anne)

    async with anne.deps.db.read() as tx:
        assert (await tx.get_one(DebtRow, document.id)).open_minor == 30_000
    await assert_the_books_are_right(anne.deps.db)


async def test_money_of_an_order_goes_back_with_its_taxes_and_its_grant(anne: World) -> None:
    arrival_id = await an_order_paid(anne)
    await give_back(anne, arrival_id)
    await told(anne)

    assert await balances_now(anne.deps.db) == {}
    async with anne.deps.db.read() as tx:
        given = await grants.by_cause(tx, an_order_id())
    assert given is not None
    assert given.ended_reason == "revoked"


async def test_money_of_an_order_does_not_go_back_in_parts(anne: World) -> None:
    arrival_id = await an_order_paid(anne)
    with pytest.raises(NotToRefund):
        await give_back(anne, arrival_id, shillings=5)


async def test_money_of_nobody_goes_back_out_of_suspense(anne: World) -> None:
    arrived = await arrive(anne.deps, money_seen(reference="?"))
    await give_back(anne, arrived.arrival_id)
    await told(anne)

    assert await balances_now(anne.deps.db) == {}


async def test_when_the_provider_says_no_the_wallet_has_it_again(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    await give_back(anne, arrival_id)
    await told(anne, code="R000002")

    assert await state(anne) == PaymentState.REFUSED
    assert await wallet(anne) == 30_000
    assert "refund_refused" in await notices(anne)


async def test_when_the_provider_says_no_money_of_nobody_waits_again(anne: World) -> None:
    arrived = await arrive(anne.deps, money_seen(reference="?"))
    await give_back(anne, arrived.arrival_id)
    await told(anne, code="1")
    again = await arrive(anne.deps, money_seen(reference="?"))

    assert again.state == "suspense"


async def test_a_no_that_is_repeated_gives_the_money_back_once(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    await give_back(anne, arrival_id)
    await asyncio.gather(*(told(anne, code="1") for _ in range(PARALLEL)))

    assert await wallet(anne) == 30_000


async def test_asked_again_with_the_same_id_it_is_sent_once(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    await asyncio.gather(*(give_back(anne, arrival_id) for _ in range(PARALLEL)))

    assert len(anne.gateway.refunds) == 1
    assert await wallet(anne) == 0


async def test_the_same_id_for_another_amount_is_refused(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    await give_back(anne, arrival_id, shillings=100)
    with pytest.raises(RefundDiffers):
        await give_back(anne, arrival_id, shillings=200)


async def test_money_that_is_unknown_does_not_go_back(anne: World) -> None:
    with pytest.raises(ArrivalUnknown):
        await give_back(anne, "nothing")


async def test_money_that_is_not_confirmed_does_not_go_back(anne: World) -> None:
    arrived = await arrive(anne.deps, money_seen(shillings=9_000, reference="0700000001"))
    with pytest.raises(NotToRefund):
        await give_back(anne, arrived.arrival_id)


async def test_what_was_turned_away_at_once_is_in_the_wallet(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    anne.gateway.refund_evidence = Evidence.NOT_SENT
    row = await give_back(anne, arrival_id)

    assert row.state == PaymentState.REFUSED
    assert await wallet(anne) == 30_000


async def test_no_answer_is_doubt_and_asking_finds_out(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    await give_back(anne, arrival_id)
    anne.clock.advance(60)
    await refunds_due(anne.deps)

    assert await state(anne) == PaymentState.SETTLED


async def test_when_its_answer_was_lost_too_it_is_found_by_our_own_id(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    anne.gateway.refund_evidence = Evidence.NO_ANSWER
    await give_back(anne, arrival_id)
    anne.clock.advance(60)
    await refunds_due(anne.deps)

    assert await state(anne) == PaymentState.SETTLED


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_killed_between_any_two_steps_it_goes_back_once(
    anne: World, nth: int, moment: Moment
) -> None:
    arrival_id = await came_for_anne(anne)
    mortal = MortalDatabase(anne.deps.db.url, nth=nth, moment=moment)
    with pytest.raises(Killed):
        await give_back(anne.on(mortal), arrival_id)
    await mortal.close()
    await give_back(anne, arrival_id)
    anne.clock.advance(300)
    await refunds_due(anne.deps)

    assert len(anne.gateway.refunds) <= 1
    assert await wallet(anne) == 0


async def test_what_the_provider_took_back_is_open_again_once(anne: World) -> None:
    document = await an_invoice(anne.deps, ANNE, a_line(300))
    await came_for_anne(anne)
    news = [
        await returned(anne.deps, "mpesa", "UGE5L8M3RZ", reason="reversed", at=anne.clock())
        for _ in range(2)
    ]

    assert news == [True, False]
    async with anne.deps.db.read() as tx:
        assert (await tx.get_one(DebtRow, document.id)).open_minor == 30_000
    assert TILL not in await balances_now(anne.deps.db)
    await assert_the_books_are_right(anne.deps.db)


async def test_a_refund_that_only_the_statement_tells_of_has_gone(anne: World) -> None:
    arrival_id = await came_for_anne(anne)
    await give_back(anne, arrival_id)
    news = [
        await returned(anne.deps, "mpesa", "UGE5L8M3RZ", reason="reversed", at=anne.clock())
        for _ in range(2)
    ]

    assert news == [True, False]
    assert await state(anne) == PaymentState.SETTLED
    assert TILL not in await balances_now(anne.deps.db)


async def test_what_the_provider_took_back_of_an_order_ends_its_grant(anne: World) -> None:
    await an_order_paid(anne)
    async with anne.deps.db.begin() as tx:
        (row,) = await store.of_order(tx, an_order_id())
    await returned(anne.deps, "mpesa", row.receipt, reason="reversed", at=anne.clock())

    assert await balances_now(anne.deps.db) == {}
    async with anne.deps.db.read() as tx:
        given = await grants.by_cause(tx, an_order_id())
        payer = await payers.id_of(tx, PHONE)
    assert given is not None
    assert given.ended_at is not None
    assert payer is not None
    assert await wallet(anne, payer) == 0


async def test_a_result_at_an_address_of_nobody_is_none_of_ours(anne: World) -> None:
    assert not await take_result(anne.deps, token="0" * 48, body=b"{}", headers={})
