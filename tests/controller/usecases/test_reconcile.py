"""Statements against the books, day by day: what differs is kept, explained, or vanishes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.errors import InvalidField
from billing.money import Money
from billing.payment import Evidence
from controller.payments.seen import Road, Seen
from controller.sandbox.bank.movements import Movement, What
from controller.store.database import Database
from controller.store.payment_rows import DifferenceRow, ReconciliationRow, RefundRow
from controller.store.site_rows import NoticeRow
from controller.usecases.arrivals import arrive, assign
from controller.usecases.money_in import reverse
from controller.usecases.reconcile import (
    DayUntold,
    DifferenceGone,
    DifferenceUnknown,
    Reconciliation,
    explain,
    reconcile,
    reconcile_due,
)
from controller.usecases.refunds import refund, refunds_due
from controller.usecases.statements import book_due
from tests.support.builders import SHORTCODE, hex_id
from tests.support.charges import ANNE, a_subscriber
from tests.support.statements import (
    NOON,
    OPENING,
    a_till,
    arrived,
    fee,
    fetched,
    last_alone,
    more,
    paid,
)

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.sandbox.bank.movements import Account
    from tests.support.builders import World

DAY = date(2026, 11, 22)
HOUR = timedelta(hours=1)


def a_day() -> Account:
    return a_till(paid("UGE5L8M3RZ"), fee("UGE5L8M3RZ"), paid("UGE6A1B2C3", 200, at=NOON + HOUR))


async def compared(world: World, day: date = DAY) -> Reconciliation:
    return await reconcile(world.deps, "mpesa", SHORTCODE, day)


def short(found: Reconciliation) -> set[tuple[str, str, int | None, int | None, str]]:
    return {
        (row.kind, row.receipt, row.told_minor, row.booked_minor, row.state)
        for row in found.differences
    }


async def seen(deps: Deps, receipt: str, shillings: int, at: datetime) -> None:
    """Money that our PayBill's confirmation told."""
    await arrive(
        deps,
        Seen("mpesa", receipt, Money(shillings * 100), SHORTCODE, Road.CONFIRMATION, at),
    )


async def all_rows(deps: Deps) -> list[DifferenceRow]:
    async with deps.db.read() as tx:
        return list(await tx.scalars(select(DifferenceRow).order_by(DifferenceRow.receipt)))


async def test_what_was_imported_agrees_to_the_cent(world: World) -> None:
    await fetched(world.deps, a_day())
    found = await compared(world)

    assert found.differences == ()
    assert found.told == found.booked == Money(170_000 - 825)
    async with world.deps.db.read() as tx:
        kept = await tx.get_one(ReconciliationRow, ("mpesa", SHORTCODE, DAY))
    assert (kept.told_minor, kept.booked_minor, kept.differences) == (169_175, 169_175, 0)


async def test_money_that_the_statement_does_not_know_is_missing_there(world: World) -> None:
    await fetched(world.deps, a_day())
    await seen(world.deps, "UGEXXXXXX1", 300, NOON)
    found = await compared(world)

    assert short(found) == {("missing_there", "UGEXXXXXX1", None, 30_000, "open")}
    assert found.booked - found.told == Money(30_000)
    async with world.deps.db.read() as tx:
        assert "statement_differs" in list(await tx.scalars(select(NoticeRow.code)))


async def test_an_amount_that_we_were_told_wrong_is_found(world: World) -> None:
    await seen(world.deps, "UGE5L8M3RZ", 1_400, NOON)
    await fetched(world.deps, a_day())
    found = await compared(world)

    assert short(found) == {("amount_differs", "UGE5L8M3RZ", 150_000, 140_000, "open")}


async def test_doubted_money_is_not_in_the_books(world: World) -> None:
    await fetched(world.deps, a_day())
    await seen(world.deps, "UGEXXXXXX1", 20_000, NOON)

    assert (await compared(world)).differences == ()


def taken_back() -> Account:
    """A day on which the first payment was taken back."""
    return a_day().with_taken_back("UGE5L8M3RZ", NOON + 2 * HOUR, "UGE9R9R9R9")


async def test_what_was_taken_back_differs_until_the_books_know(world: World) -> None:
    await fetched(world.deps, last_alone(taken_back()))
    before = await compared(world)
    await fetched(world.deps, taken_back(), name="whole")
    after = await compared(world)

    assert short(before) == {("reversal_unbooked", "UGE5L8M3RZ", 150_000, None, "open")}
    assert after.differences == ()
    assert after.told == after.booked == Money(20_000 - 825)
    assert [(row.state, row.closed_at) for row in await all_rows(world.deps)] == [
        ("gone", world.deps.now())
    ]


async def test_what_differs_of_one_receipt_differs_apart(world: World) -> None:
    withdrawn = Movement(NOON + 3 * HOUR, What.WITHDRAWN, 5_000, "UGEW1W1W1W")
    await seen(world.deps, "UGE5L8M3RZ", 1_400, NOON)
    await fetched(world.deps, more(taken_back(), withdrawn))

    assert short(await compared(world)) == {
        ("amount_differs", "UGE5L8M3RZ", 150_000, 140_000, "open"),
        ("amount_differs:reversal", "UGE5L8M3RZ", 150_000, 140_000, "open"),
        ("missing_here:out", "UGEW1W1W1W", 5_000, None, "open"),
    }


async def test_money_that_staff_say_went_back_is_looked_for_in_the_statement(
    world: World,
) -> None:
    await a_subscriber(world.deps)
    await fetched(world.deps, a_day())
    arrival = (await arrived(world.deps))["UGE5L8M3RZ"]
    await assign(world.deps, arrival.id, subscriber=ANNE, reason="she called", who="staff")
    await reverse(world.deps, arrival.id, reason="a mistake")
    world.clock.advance(86_400)
    await fetched(world.deps, more(a_day(), paid("UGF1F1F1F1", at=NOON + 24 * HOUR)), name="more")
    today = await compared(world, DAY + timedelta(days=1))
    account = more(taken_back(), paid("UGF1F1F1F1", at=NOON + 24 * HOUR))
    await fetched(world.deps, account, name="told")

    assert short(today) == {("missing_there:reversal", "UGE5L8M3RZ", None, 150_000, "open")}
    assert (await compared(world, DAY)).differences == ()
    assert (await compared(world, DAY + timedelta(days=1))).differences == ()


async def test_money_just_before_midnight_is_on_the_day_that_the_statement_says(
    world: World,
) -> None:
    last_second = NOON + 12 * HOUR - timedelta(seconds=1)
    await seen(world.deps, "UGE5L8M3RZ", 1_500, last_second + timedelta(seconds=2))
    account = more(
        a_till(paid("UGE5L8M3RZ", at=last_second)), paid("UGF1F1F1F1", at=NOON + 24 * HOUR)
    )
    world.clock.advance(86_400)
    await fetched(world.deps, account)

    assert (await compared(world)).differences == ()
    assert (await compared(world, DAY + timedelta(days=1))).differences == ()


async def test_a_quiet_day_that_is_told_agrees_and_an_untold_one_is_refused(world: World) -> None:
    await fetched(world.deps, a_till(paid("UGE5L8M3RZ", at=NOON - 48 * HOUR), paid("UGE6A1B2C3")))
    quiet = await compared(world, DAY - timedelta(days=1))

    assert (quiet.told, quiet.booked, quiet.differences) == (Money(0), Money(0), ())
    with pytest.raises(DayUntold):
        await compared(world, DAY + timedelta(days=1))


async def test_a_difference_is_explained_and_stays_so_until_it_changes(world: World) -> None:
    withdrawn = Movement(NOON, What.WITHDRAWN, 5_000, "UGEW1W1W1W")
    await fetched(world.deps, more(a_day(), withdrawn))
    (row,) = (await compared(world)).differences
    await explain(world.deps, row.id, "to the settlement account")
    again = await compared(world)
    longer = more(a_day(), withdrawn, replace(withdrawn, at=NOON + 2 * HOUR))
    await fetched(world.deps, longer, name="longer")
    changed = await compared(world)

    assert short(again) == {("missing_here:out", "UGEW1W1W1W", 5_000, None, "explained")}
    assert short(changed) == {("missing_here:out", "UGEW1W1W1W", 10_000, None, "open")}
    assert [one.explanation for one in changed.differences] == [""]


async def test_what_is_gone_or_unknown_cannot_be_explained(world: World) -> None:
    await fetched(world.deps, last_alone(taken_back()))
    (row,) = (await compared(world)).differences
    for text in ("", " ", "x" * 301, "a\0b"):
        with pytest.raises(InvalidField):
            await explain(world.deps, row.id, text)
    await fetched(world.deps, taken_back(), name="whole")
    await compared(world)

    with pytest.raises(DifferenceGone):
        await explain(world.deps, row.id, "why")
    with pytest.raises(DifferenceUnknown):
        await explain(world.deps, "nobody", "why")


async def given_back(world: World, receipt: str, shillings: int) -> str:
    """A refund that its provider says is done; the receipt of the money that went."""
    arrival = (await arrived(world.deps))[receipt]
    await a_subscriber(world.deps)
    await assign(world.deps, arrival.id, subscriber=ANNE, reason="she called", who="staff")
    amount = Money(shillings * 100)
    row = await refund(
        world.deps, arrival.id, amount=amount, reason="twice", idempotent=hex_id("refund")
    )
    world.clock.advance(60)
    await refunds_due(world.deps)
    async with world.deps.db.read() as tx:
        done = await tx.get_one(RefundRow, row.id)
    assert done.state == "settled"
    assert done.receipt is not None
    return done.receipt


AT_NINE = NOON + 21 * HOUR
"""When the world of tests begins; refunds are made then, and not on the day before."""


async def told_today(world: World, *movements: Movement, name: str) -> Reconciliation:
    """The statement of yesterday and today with more in it, and what today comes to."""
    await fetched(
        world.deps, more(a_day(), fee("UGE6A1B2C3", 1, at=AT_NINE), *movements), name=name
    )
    return await compared(world, DAY + timedelta(days=1))


async def test_a_refund_of_the_whole_is_the_reversal_that_the_statement_tells(
    world: World,
) -> None:
    await fetched(world.deps, a_day())
    await given_back(world, "UGE5L8M3RZ", 1_500)
    before = await told_today(world, name="before")
    back = Movement(AT_NINE, What.TAKEN_BACK, 150_000, "UGE9R9R9R9", undoes="UGE5L8M3RZ")
    after = await told_today(world, back, name="after")

    assert short(before) == {("missing_there:reversal", "UGE5L8M3RZ", None, 150_000, "open")}
    assert (after.differences, after.told) == ((), after.booked)


async def test_a_refund_of_a_part_is_money_of_its_own_that_went(world: World) -> None:
    await fetched(world.deps, a_day())
    own = await given_back(world, "UGE5L8M3RZ", 500)
    before = await told_today(world, name="before")
    after = await told_today(world, Movement(AT_NINE, What.WITHDRAWN, 50_000, own), name="after")

    assert short(before) == {("missing_there:out", own, None, 50_000, "open")}
    assert (after.differences, after.told) == ((), after.booked)


async def test_a_refund_that_is_not_done_is_not_booked_as_gone(world: World) -> None:
    await fetched(world.deps, a_day())
    world.gateway.refund_evidence = Evidence.NO_ANSWER
    arrival = (await arrived(world.deps))["UGE5L8M3RZ"]
    await refund(world.deps, arrival.id, amount=None, reason="x", idempotent=hex_id("refund"))

    assert (await told_today(world, name="today")).differences == ()


async def test_days_that_are_over_and_told_are_compared_by_themselves(world: World) -> None:
    await fetched(
        world.deps,
        a_till(paid("UGE5L8M3RZ"), paid("UGF1F1F1F1", at=NOON + 20 * HOUR)),  # today, too
    )
    first = await reconcile_due(world.deps)
    again = await reconcile_due(world.deps)
    async with world.deps.db.read() as tx:
        days = list(await tx.scalars(select(ReconciliationRow.day)))

    assert (first, again, days) == (1, 0, [DAY])


async def test_a_day_with_differences_is_looked_at_again_after_an_hour(world: World) -> None:
    await fetched(world.deps, more(a_day(), Movement(NOON, What.WITHDRAWN, 5_000, "UGEW1W1W1W")))
    found = [await reconcile_due(world.deps)]
    world.clock.advance(3_599)
    found.append(await reconcile_due(world.deps))
    world.clock.advance(1)
    found.append(await reconcile_due(world.deps))

    assert found == [1, 0, 1]


async def test_a_day_is_compared_again_when_another_file_tells_of_it(world: World) -> None:
    await fetched(world.deps, a_day())
    await reconcile_due(world.deps)
    world.clock.advance(1)
    await fetched(world.deps, more(a_day(), fee("UGE6A1B2C3", 100, at=NOON + HOUR)), name="more")

    assert await reconcile_due(world.deps) == 1


async def test_a_day_is_not_compared_while_its_lines_are_being_booked(world: World) -> None:
    many = a_till(*(fee(f"UGE{n:06d}X", at=NOON + n * timedelta(seconds=1)) for n in range(301)))
    await fetched(world.deps, many)
    before = await reconcile_due(world.deps)
    await book_due(world.deps)

    assert (before, await reconcile_due(world.deps)) == (0, 1)
    assert await all_rows(world.deps) == []


async def test_two_that_compare_a_day_at_once_keep_each_difference_once(
    world: World, db_url: str
) -> None:
    second = Database(db_url)
    await fetched(world.deps, more(a_day(), Movement(NOON, What.WITHDRAWN, 5_000, "UGEW1W1W1W")))
    found = await asyncio.gather(compared(world), compared(world.on(second)), compared(world))
    await second.close()

    assert len({row.id for one in found for row in one.differences}) == 1
    assert len(await all_rows(world.deps)) == 1


async def test_the_opening_of_a_till_is_no_difference(world: World) -> None:
    await fetched(world.deps, replace(a_day(), opening=OPENING * 7))

    assert (await compared(world)).differences == ()
