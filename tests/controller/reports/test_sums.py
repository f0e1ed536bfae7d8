"""Every report sums to what the ledger says, and no report mixes two bases."""

from __future__ import annotations

from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from billing.ageing import BUCKETS, aged
from billing.errors import InvalidField
from billing.money import Money
from controller.reports.earned import By
from controller.reports.table import Basis, Name
from controller.store.billing_rows import AllocationRow, DebtRow, VoucherSaleRow
from controller.usecases.money_reports import Asked, report
from tests.support.books import assert_the_books_are_right, balances_now
from tests.support.builders import hex_id
from tests.support.charges import paid_in

if TYPE_CHECKING:
    from controller.reports.table import Cell, Report
    from tests.support.builders import World

EVER = (date(2026, 1, 1), date(2028, 1, 1))
SALES_GROSS = 20_00 + 50_00 + 7 * 20_00


async def reported(world: World, name: Name, **asked: object) -> Report:
    return await report(world.deps, Asked(name, *EVER, **asked))  # type: ignore[arg-type]


def totals(of: Report) -> dict[str, Cell]:
    return dict(zip((column.name for column in of.columns), of.totals, strict=True))


def column(of: Report, name: str) -> list[Cell]:
    place = [one.name for one in of.columns].index(name)
    return [row[place] for row in of.rows]


async def booked(world: World, prefix: str) -> int:
    """What accounts hold, income and what is due as positive numbers."""
    held = await balances_now(world.deps.db)
    return -sum(minor for account, minor in held.items() if account.startswith(prefix))


async def test_revenue_is_what_the_ledger_earned(world: World) -> None:
    sums = totals(await reported(world, Name.REVENUE))

    assert sums["net"] == await booked(world, "income:") > 0
    assert sums["excise"] == await booked(world, "liability:tax:excise")
    assert sums["vat"] == await booked(world, "liability:tax:vat")


async def test_the_tax_return_is_what_moved_on_the_accounts_of_taxes(world: World) -> None:
    found = await reported(world, Name.TAX)
    sums = totals(found)

    assert sums["excise"] == await booked(world, "liability:tax:excise") > 0
    assert sums["vat"] == await booked(world, "liability:tax:vat") > 0
    assert {"invoice", "credit note", "hotspot sale", "voucher sale"} == set(
        column(found, "source")
    )
    assert {"internet", "standard"} == set(column(found, "tax_class"))


async def test_a_tax_return_of_months_sums_to_that_of_all(world: World) -> None:
    whole = totals(await reported(world, Name.TAX))
    spans = [(date(2026, 1, 1), date(2026, 12, 1)), (date(2026, 12, 1), date(2028, 1, 1))]
    parts = [totals(await report(world.deps, Asked(Name.TAX, *span))) for span in spans]

    for name in ("net", "excise", "vat", "total"):
        assert sum(part[name] for part in parts) == whole[name]  # type: ignore[misc]
    assert all(part["total"] for part in parts)


@pytest.mark.parametrize("basis", Basis)
async def test_revenue_told_apart_any_way_has_the_same_sums(world: World, basis: Basis) -> None:
    plain = totals(await reported(world, Name.REVENUE, basis=basis))
    for many in (1, 2, 5):
        for by in combinations(By, many):
            sums = totals(await reported(world, Name.REVENUE, basis=basis, by=by))

            assert [sums[name] for name in ("net", "excise", "vat", "total")] == [
                plain[name] for name in ("net", "excise", "vat", "total")
            ]


@pytest.mark.parametrize("name", [Name.REVENUE, Name.TAX])
@pytest.mark.parametrize("basis", Basis)
async def test_branches_sum_to_all_of_them(world: World, name: Name, basis: Basis) -> None:
    whole = totals(await reported(world, name, basis=basis))
    parts = [
        totals(await reported(world, name, basis=basis, branch=branch))
        for branch in ("main", "town")
    ]

    assert sum(part["total"] for part in parts) == whole["total"]  # type: ignore[misc]
    assert parts[1]["total"]


@pytest.mark.parametrize("name", [Name.REVENUE, Name.TAX])
async def test_on_cash_it_is_what_was_allocated_and_sold_at_once(world: World, name: Name) -> None:
    async with world.deps.db.read() as tx:
        paid = await tx.scalar(select(func.sum(AllocationRow.amount_minor)))
    found = await reported(world, name, basis=Basis.CASH)

    assert totals(found)["total"] == int(paid or 0) + SALES_GROSS
    assert found.basis is Basis.CASH


async def test_when_all_is_paid_cash_is_accrual_without_what_was_credited(world: World) -> None:
    """But for what was credited after it had been paid, which only accrual knows."""
    for name in ("ben", "carol"):
        await paid_in(world.deps, 9_000, hex_id(name), name=f"all-of-{name}")
    await assert_the_books_are_right(world.deps.db)
    cash = await reported(world, Name.REVENUE, basis=Basis.CASH, branch="town", by=(By.PLAN,))
    accrual = await reported(world, Name.REVENUE, branch="town", by=(By.PLAN,))

    assert cash.rows == accrual.rows != ()


async def test_what_is_outstanding_is_what_is_receivable(world: World) -> None:
    sums = totals(await reported(world, Name.OUTSTANDING))

    assert sums["open"] == -await booked(world, "asset:receivable:") > 0
    assert sums["open"] == totals(await reported(world, Name.AGEING))["open"]


async def test_debts_are_aged_as_the_rule_says(world: World) -> None:
    for days in (0, 11, 1, 29, 1, 60, 400):
        world.clock.advance(days * 86_400)
        async with world.deps.db.read() as tx:
            rows = (await tx.scalars(select(DebtRow).where(DebtRow.open_minor > 0))).all()
        right = aged([(row.due_at, Money(row.open_minor)) for row in rows], world.deps.now())
        sums = totals(await reported(world, Name.AGEING))

        assert {bucket: sums[bucket.value] for bucket in BUCKETS} == {
            bucket: amount.minor for bucket, amount in right.items()
        }


@pytest.mark.parametrize("name", [Name.OUTSTANDING, Name.AGEING])
async def test_what_is_owed_is_refused_on_cash(world: World, name: Name) -> None:
    with pytest.raises(InvalidField, match="accrual only"):
        await reported(world, name, basis=Basis.CASH)


async def test_sellers_sum_to_the_sales(world: World) -> None:
    found = await reported(world, Name.SELLERS)
    async with world.deps.db.read() as tx:
        value = await tx.scalar(select(func.sum(VoucherSaleRow.amount_minor)))

    assert found.rows == (("Kioski", "hour", 1, 10, 7, 0, 140_00, 14_00),)
    assert totals(found)["value"] == value
    assert totals(found)["commission"] == -await booked(world, "expense:main:commission:")
