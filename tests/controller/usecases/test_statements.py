"""Statements become money: each line once, whatever is fetched, repeated or cut off."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

import pytest
from sqlalchemy import select

from billing.errors import InvalidField
from billing.money import Money
from controller.payments.seen import Road, Seen
from controller.payments.statements import StatementUnreadable
from controller.sandbox.bank.camt import write_camt
from controller.sandbox.bank.movements import Account, Faults
from controller.sandbox.bank.mt940 import write_mt940
from controller.sandbox.bank.tables import (
    LEDGER_PROFILE,
    TELLER_PROFILE,
    write_ledger,
    write_portal,
    write_teller,
)
from controller.store.database import Database
from controller.store.rows import SubscriberRow
from controller.store.site_rows import NoticeRow
from controller.usecases.arrivals import arrive
from controller.usecases.statements import (
    BOOK_AGAIN_S,
    BOOKED_AT_ONCE_MAX,
    ProfileUnknown,
    StatementIdUsed,
    book_due,
    import_statement,
    save_profile,
)
from tests.support.books import balances_now
from tests.support.builders import SHORTCODE, Killed, MortalDatabase, hex_id
from tests.support.charges import ANNE, a_subscriber
from tests.support.statements import (
    CHARGES,
    NOON,
    OPENING,
    SUSPENSE,
    TILL,
    a_till,
    arrived,
    assert_the_till_is_as_told,
    fee,
    fetched,
    kept_lines,
    last_alone,
    more,
    paid,
)

if TYPE_CHECKING:
    from controller.deps import Deps
    from tests.support.builders import Moment, World

ACCOUNT = "01100000000001"
HOUR = timedelta(hours=1)


@pytest.fixture
async def anne(world: World) -> World:
    """The world with one subscriber."""
    await a_subscriber(world.deps)
    return world


async def phone_of(deps: Deps, subscriber_id: str = ANNE) -> str:
    async with deps.db.read() as tx:
        return (await tx.get_one(SubscriberRow, subscriber_id)).msisdn


async def notices(deps: Deps) -> list[str]:
    async with deps.db.read() as tx:
        return list(await tx.scalars(select(NoticeRow.code)))


class StumblingDatabase(MortalDatabase):
    """One transaction fails; the process lives on."""

    def _die(self) -> NoReturn:
        raise Killed


def a_busy_day() -> Account:
    return a_till(
        paid("UGE5L8M3RZ", 1_500),
        fee("UGE5L8M3RZ"),
        paid("UGE6A1B2C3", 100, at=NOON + HOUR),
        fee("UGE6A1B2C3", 100, at=NOON + HOUR),
    )


async def test_a_statement_credits_who_is_named_and_keeps_the_rest_in_suspense(
    anne: World,
) -> None:
    account = a_till(
        paid("UGE5L8M3RZ", typed=await phone_of(anne.deps)),
        fee("UGE5L8M3RZ"),
        paid("UGE6A1B2C3", 200, typed="WANJIKU"),
    )
    found = await fetched(anne.deps, account)
    rows = await arrived(anne.deps)

    assert (found.is_new, found.new_lines, found.left) == (True, 3, False)
    assert {name: row.state for name, row in rows.items()} == {
        "UGE5L8M3RZ": "credited",
        "UGE6A1B2C3": "suspense",
    }
    assert (rows["UGE6A1B2C3"].payer, rows["UGE6A1B2C3"].payer_name) == (
        "2547 ***** 126",
        "WANJIKU",
    )
    assert (await balances_now(anne.deps.db)) == {
        TILL: 170_000 - 825,
        CHARGES: 825,
        f"liability:wallet:{ANNE}": -150_000,
        SUSPENSE: -20_000,
    }


async def test_the_same_file_again_is_the_same_statement(anne: World) -> None:
    first = await fetched(anne.deps, a_busy_day())
    again = await fetched(anne.deps, a_busy_day())
    by_other_name = await fetched(anne.deps, a_busy_day(), name="other")

    assert first.statement.id == again.statement.id == by_other_name.statement.id
    assert (again.is_new, by_other_name.is_new, again.new_lines) == (False, False, 0)
    await assert_the_till_is_as_told(anne.deps, a_busy_day())


async def test_a_longer_file_brings_only_what_is_new(anne: World) -> None:
    day = a_busy_day()
    longer = more(
        day, paid("UGF1F1F1F1", at=NOON + 2 * HOUR), fee("UGF1F1F1F1", at=NOON + 2 * HOUR)
    )
    await fetched(anne.deps, day)
    found = await fetched(anne.deps, longer, name="longer")

    assert (found.new_lines, found.statement.lines) == (2, 6)
    await assert_the_till_is_as_told(anne.deps, longer)


async def test_a_file_that_stands_twice_in_itself_is_booked_once(anne: World) -> None:
    doubled = replace(a_busy_day(), faults=Faults(doubled=True))
    found = await fetched(anne.deps, doubled)

    assert found.new_lines == 4
    await assert_the_till_is_as_told(anne.deps, a_busy_day())


async def test_a_file_with_a_missing_day_is_refused_and_books_nothing(anne: World) -> None:
    account = more(a_busy_day(), paid("UGF1F1F1F1", at=NOON - 24 * HOUR))
    account = more(account, paid("UGF2F2F2F2", at=NOON - 48 * HOUR))
    missing = Faults(missing_day=(NOON - 24 * HOUR).date())
    with pytest.raises(StatementUnreadable, match="is there a line missing"):
        await fetched(anne.deps, replace(account, faults=missing))

    assert await balances_now(anne.deps.db) == {}


async def test_a_file_that_two_fetch_at_once_is_booked_once(anne: World, db_url: str) -> None:
    second = Database(db_url)
    other = anne.on(second)
    found = await asyncio.gather(
        *(
            fetched(one.deps, a_busy_day(), name=f"try-{n}")
            for n, one in enumerate((anne, other, anne, other))
        )
    )
    await second.close()

    assert len({one.statement.id for one in found}) == 1
    assert sorted(one.new_lines for one in found) == [0, 0, 0, 4]
    await assert_the_till_is_as_told(anne.deps, a_busy_day())


async def test_two_files_with_the_same_lines_at_once_book_each_line_once(
    anne: World, db_url: str
) -> None:
    second = Database(db_url)
    longer = more(a_busy_day(), paid("UGF1F1F1F1", at=NOON + 2 * HOUR))
    await asyncio.gather(
        fetched(anne.deps, a_busy_day(), name="short"),
        fetched(anne.on(second).deps, longer, name="long"),
    )
    await second.close()
    anne.clock.advance(BOOK_AGAIN_S)
    await book_due(anne.deps)

    await assert_the_till_is_as_told(anne.deps, longer)


async def test_money_that_was_known_before_only_gains_a_road(anne: World) -> None:
    seen = Seen(
        rail="mpesa",
        receipt="UGE5L8M3RZ",
        amount=Money(150_000),
        place=SHORTCODE,
        road=Road.CONFIRMATION,
        at=NOON,
        reference="nobody",
    )
    await arrive(anne.deps, seen)
    await fetched(anne.deps, a_busy_day())

    assert (await arrived(anne.deps))["UGE5L8M3RZ"].roads == "confirmation statement"
    await assert_the_till_is_as_told(anne.deps, a_busy_day())


async def test_money_that_was_doubted_is_believed_once_the_statement_tells_it(
    anne: World,
) -> None:
    much = Money(2_000_000)
    seen = Seen("mpesa", "UGE5L8M3RZ", much, SHORTCODE, Road.CONFIRMATION, NOON)
    doubted = await arrive(anne.deps, seen)
    await fetched(anne.deps, a_till(paid("UGE5L8M3RZ", 20_000)))

    assert doubted.state == "doubted"
    assert (await arrived(anne.deps))["UGE5L8M3RZ"].state == "suspense"


async def test_a_charge_that_was_given_back_is_booked_back(anne: World) -> None:
    text = write_portal(a_till(paid("UGE5L8M3RZ"), fee("UGE5L8M3RZ"))).decode()
    top = "UGE5L8M3RZ,23-11-2026 08:00:00,,Pay Bill Charge Reversal,Completed,8.25,,11500.00\r\n"
    with_back = text.replace("UGE5L8M3RZ", f"{top}UGE5L8M3RZ", 1)
    await import_statement(anne.deps, with_back.encode(), name="x", idempotent=hex_id("x"))

    assert await balances_now(anne.deps.db) == {TILL: 150_000, SUSPENSE: -150_000}
    assert [line.amount_minor for line in await kept_lines(anne.deps)][-1] == -825


def taken_back() -> Account:
    """A busy day, and the next morning the first payment is taken back."""
    return a_busy_day().with_taken_back("UGE5L8M3RZ", NOON + 18 * HOUR, "UGE9R9R9R9")


async def assert_it_was_taken_back(deps: Deps) -> None:
    held = await balances_now(deps.db)

    assert (await arrived(deps))["UGE5L8M3RZ"].state == "returned"
    assert held[TILL] == sum(m.change for m in taken_back().movements)
    assert held[SUSPENSE] == -10_000
    assert sum(held.values()) == 0


async def test_money_that_was_taken_back_leaves_the_books_once(anne: World) -> None:
    await fetched(anne.deps, taken_back())
    await fetched(anne.deps, taken_back(), name="again")
    await fetched(anne.deps, last_alone(taken_back()), name="alone")

    await assert_it_was_taken_back(anne.deps)
    assert [line.due_at for line in await kept_lines(anne.deps)] == [None] * 5


async def test_a_reversal_waits_for_the_statement_that_tells_of_its_payment(anne: World) -> None:
    await fetched(anne.deps, last_alone(taken_back()), name="alone")
    before = [line.due_at for line in await kept_lines(anne.deps)]
    anne.clock.advance(600)
    await fetched(anne.deps, a_busy_day())

    assert before == [anne.deps.now() + timedelta(days=1, seconds=-600)]
    await assert_it_was_taken_back(anne.deps)


async def test_a_reversal_finds_its_payment_on_whatever_road_it_comes(anne: World) -> None:
    await fetched(anne.deps, last_alone(taken_back()), name="alone")
    seen = Seen("mpesa", "UGE5L8M3RZ", Money(150_000), SHORTCODE, Road.PULL, NOON)
    await arrive(anne.deps, seen)
    anne.clock.advance(86_400)
    await book_due(anne.deps)

    assert (await arrived(anne.deps))["UGE5L8M3RZ"].state == "returned"


async def test_a_reversal_of_what_nobody_ever_saw_is_given_up(anne: World) -> None:
    await fetched(anne.deps, last_alone(taken_back()))
    tries = []
    for _ in range(40):
        anne.clock.advance(86_400)
        tries.append(await book_due(anne.deps))

    assert (sum(tries), tries[-1]) == (35, 0)
    assert [line.due_at for line in await kept_lines(anne.deps)] == [None]
    assert await balances_now(anne.deps.db) == {}


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 6, 8])
async def test_a_process_that_dies_anywhere_loses_no_line_and_books_none_twice(
    anne: World, db_url: str, nth: int, moment: Moment
) -> None:
    mortal = MortalDatabase(db_url, nth=nth, moment=moment)
    # A line that fails is left for the job; only what comes before lines ends the import.
    died = nth <= 2
    try:
        await fetched(anne.on(mortal).deps, a_busy_day())
    except Killed:
        assert died
    await mortal.close()
    await fetched(anne.deps, a_busy_day(), name="again")
    anne.clock.advance(BOOK_AGAIN_S)
    while await book_due(anne.deps):
        anne.clock.advance(BOOK_AGAIN_S)

    await assert_the_till_is_as_told(anne.deps, a_busy_day())
    assert [line.due_at for line in await kept_lines(anne.deps)] == [None] * 4


async def test_a_line_that_cannot_be_booked_holds_up_no_other(anne: World, db_url: str) -> None:
    first_line = 3  # after the import itself, and the claim of all lines
    stumbling = StumblingDatabase(db_url, nth=first_line, moment="inside")
    await fetched(anne.on(stumbling).deps, a_busy_day())
    await stumbling.close()
    left = [line.kind for line in await kept_lines(anne.deps) if line.due_at is not None]
    anne.clock.advance(BOOK_AGAIN_S)
    await book_due(anne.deps)

    assert left == ["charge"]
    await assert_the_till_is_as_told(anne.deps, a_busy_day())


async def test_what_is_too_much_at_once_is_left_to_the_job(anne: World) -> None:
    many = a_till(*(fee(f"UGE{n:06d}X", at=NOON + n * timedelta(seconds=1)) for n in range(350)))
    found = await fetched(anne.deps, many)
    before = (await balances_now(anne.deps.db))[CHARGES]
    while await book_due(anne.deps):
        pass

    assert (found.left, before) == (True, 825 * BOOKED_AT_ONCE_MAX)
    await assert_the_till_is_as_told(anne.deps, many)


async def test_a_bank_may_change_the_format_of_its_files(anne: World) -> None:
    await save_profile(anne.deps, "ledger", LEDGER_PROFILE)
    await save_profile(anne.deps, "teller", TELLER_PROFILE)
    account = replace(a_busy_day(), number=ACCOUNT)
    files = {
        "mt940": (write_mt940(account), ""),
        "camt02": (write_camt(account, "02"), ""),
        "camt08": (write_camt(account, "08"), ""),
        "ledger": (write_ledger(account), "ledger"),
        "teller": (write_teller(account), "teller"),
    }
    new = [
        (
            await import_statement(
                anne.deps,
                data,
                name=name,
                idempotent=hex_id(name),
                place=ACCOUNT,
                rail="bank",
                profile=profile,
            )
        ).new_lines
        for name, (data, profile) in files.items()
    ]

    assert new == [4, 0, 0, 0, 0]
    held = await balances_now(anne.deps.db)
    assert held[f"asset:bank:{ACCOUNT}"] == sum(m.change for m in account.movements)


async def test_a_statement_that_does_not_go_on_where_the_last_one_closed_is_told(
    anne: World,
) -> None:
    await fetched(anne.deps, a_busy_day())
    next_day = a_till(paid("UGF1F1F1F1", at=NOON + 18 * HOUR))
    right = replace(next_day, opening=a_busy_day().booked()[-1].held)
    await fetched(anne.deps, right, name="right")
    before = await notices(anne.deps)
    await fetched(anne.deps, replace(right, opening=OPENING - 1), name="wrong")

    assert "statement_gap" not in before
    assert "statement_gap" in await notices(anne.deps)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"rail": "bank"}, "rail"),
        ({"place": "600112"}, "place"),
        ({"idempotent": "x"}, "idempotent"),
    ],
)
async def test_who_names_another_till_than_the_file_is_refused(
    anne: World, asked: dict[str, str], field: str
) -> None:
    wanted = {"idempotent": hex_id("file"), **asked}
    with pytest.raises(InvalidField) as refused:
        await import_statement(anne.deps, write_portal(a_busy_day()), name="x", **wanted)

    assert refused.value.field == field
    assert await kept_lines(anne.deps) == []


async def test_a_file_that_names_no_account_needs_it_named(anne: World) -> None:
    await save_profile(anne.deps, "teller", TELLER_PROFILE)
    with pytest.raises(InvalidField) as refused:
        await import_statement(
            anne.deps,
            write_teller(a_busy_day()),
            name="x",
            idempotent=hex_id("x"),
            profile="teller",
        )

    assert refused.value.field == "place"


async def test_one_id_is_not_for_two_files(anne: World) -> None:
    await fetched(anne.deps, a_busy_day())
    with pytest.raises(StatementIdUsed):
        await fetched(anne.deps, more(a_busy_day(), fee("UGE5L8M3RZ", 1, at=NOON + 3 * HOUR)))


async def test_an_unknown_profile_is_refused(anne: World) -> None:
    with pytest.raises(ProfileUnknown):
        await import_statement(
            anne.deps,
            b"x",
            name="x",
            idempotent=hex_id("x"),
            profile="kcb",
        )


async def test_days_to_come_and_other_currencies_are_refused(anne: World) -> None:
    tomorrow = a_till(paid("UGE5L8M3RZ", at=NOON + 60 * HOUR))
    with pytest.raises(StatementUnreadable, match="days to come"):
        await fetched(anne.deps, tomorrow)
    dollars = write_mt940(replace(a_busy_day(), number=ACCOUNT)).replace(b"KES", b"USD")
    with pytest.raises(StatementUnreadable, match="want KES"):
        await import_statement(anne.deps, dollars, name="x", idempotent=hex_id("x"))

    assert await kept_lines(anne.deps) == []
