"""A till of the simulated M-PESA, its statement files, and what the books made of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.sandbox.bank.movements import Account, Movement, What
from controller.sandbox.bank.tables import write_portal
from controller.store.payment_rows import ArrivalRow, StatementLineRow
from controller.usecases.statements import Imported, import_statement
from tests.support.books import balances_now
from tests.support.builders import SHORTCODE, hex_id

if TYPE_CHECKING:
    from controller.deps import Deps

HERE = timezone(timedelta(hours=3))
NOON = datetime(2026, 11, 22, 12, tzinfo=HERE)
"""Of the day before the world of tests begins."""

TILL = f"asset:mpesa:{SHORTCODE}"
CHARGES = "expense:main:charge:mpesa"
SUSPENSE = "liability:suspense:mpesa"
OPENING = 1_000_000


def paid(receipt: str, shillings: int = 1_500, *, typed: str = "", at: datetime = NOON) -> Movement:
    """Somebody pays the PayBill."""
    return Movement(at, What.PAID, shillings * 100, receipt, typed, "2547 ***** 126", "WANJIKU")


def fee(receipt: str, cents: int = 825, *, at: datetime = NOON) -> Movement:
    """What M-PESA keeps of a payment."""
    return Movement(at, What.FEE, cents, receipt)


def a_till(*movements: Movement) -> Account:
    """The PayBill of the tests, with KES 10,000 in it beforehand."""
    return Account(SHORTCODE, OPENING, movements)


def more(account: Account, *movements: Movement) -> Account:
    """The same till after more has happened."""
    return replace(account, movements=(*account.movements, *movements))


def last_alone(account: Account) -> Account:
    """The same till in a file that tells of the last movement only."""
    opening = account.booked()[-2].held
    return replace(account, opening=opening, movements=account.movements[-1:])


async def fetched(
    deps: Deps,
    account: Account,
    *,
    name: str = "file",
) -> Imported:
    """Import the portal's file of a till."""
    return await import_statement(
        deps,
        write_portal(account),
        name=f"{name}.csv",
        idempotent=hex_id(name),
    )


async def arrived(deps: Deps) -> dict[str, ArrivalRow]:
    """All money that came in, by receipt."""
    async with deps.db.read() as tx:
        return {row.receipt: row for row in await tx.scalars(select(ArrivalRow))}


async def kept_lines(deps: Deps) -> list[StatementLineRow]:
    """All lines of statements, the oldest first."""
    query = select(StatementLineRow).order_by(StatementLineRow.at, StatementLineRow.kind)
    async with deps.db.read() as tx:
        return list(await tx.scalars(query))


async def assert_the_till_is_as_told(deps: Deps, account: Account) -> None:
    """The till holds what the statement says; every charge is booked; all sums to nothing."""
    held = await balances_now(deps.db)
    booked = [m for m in account.movements if m.what in {What.PAID, What.FEE}]
    fees = sum(m.cents for m in booked if m.what is What.FEE)

    assert held.get(TILL, 0) == sum(m.change for m in booked)
    assert held.get(CHARGES, 0) == fees
    assert sum(held.values()) == 0
