"""The organisation portal's statement, as whoever imports it finds it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.test_daraja_initiator import result_of
from tests.support.clock import Clock
from tests.support.daraja import sim_settings
from tests.support.merchant import Merchant, a_merchant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NAIROBI = timezone(timedelta(hours=3))


@pytest.fixture
async def merchant() -> AsyncIterator[Merchant]:
    async with a_merchant() as made:
        yield made


async def text(merchant: Merchant, query: str = "") -> str:
    url = f"{merchant.world.url}/sim/statement.csv{query}"
    answer = await merchant.world.http.get(url)
    assert answer.status_code == 200, answer.text
    return answer.text


async def rows(merchant: Merchant, query: str = "") -> list[dict[str, str]]:
    """The rows below the table's head."""
    lines = (await text(merchant, query)).splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("Receipt No."))
    return list(csv.DictReader(lines[head:]))


async def test_a_payment_stands_with_account_time_and_amount(merchant: Merchant) -> None:
    receipt = await merchant.paid()
    (row,) = await rows(merchant)
    paid = datetime.strptime(row["Completion Time"], "%d-%m-%Y %H:%M:%S").replace(tzinfo=NAIROBI)

    assert (row["Receipt No."], row["A/C No."], row["Paid In"], row["Withdrawn"]) == (
        receipt,
        "ISP10023",
        "50.00",
        "",
    )
    assert row["Other Party Info"].startswith("2547 ***** 678 - ")
    assert abs(paid - datetime.now(UTC)) < timedelta(minutes=1)


async def test_it_begins_with_whose_account_it_is(merchant: Merchant) -> None:
    await merchant.paid()
    lines = (await text(merchant)).splitlines()

    assert lines[1] == "Short Code:,600111"
    assert lines[5:7] == ['Opening Balance:,"10,000.00"', 'Closing Balance:,"10,050.00"']


async def test_a_charge_has_the_receipt_of_its_payment(merchant: Merchant) -> None:
    receipt = await merchant.paid(shillings=1000)
    charge, payment = await rows(merchant)

    assert [charge["Receipt No."], payment["Receipt No."]] == [receipt, receipt]
    assert (charge["Details"], charge["Withdrawn"], payment["Paid In"]) == (
        "Pay Bill Charge",
        "-6.00",
        "1,000.00",
    )


async def test_a_reversal_names_what_it_gives_back(merchant: Merchant) -> None:
    receipt = await merchant.paid()
    result = await result_of(merchant, "reversal", TransactionID=receipt)
    newest, _ = await rows(merchant)

    assert (newest["Receipt No."], newest["Linked Transaction ID"]) == (
        result["TransactionID"],
        receipt,
    )
    assert newest["Withdrawn"] == "-50.00"


async def test_a_payout_stands_with_what_left(merchant: Merchant) -> None:
    await result_of(merchant, "b2c", Amount="200")
    charge, payout = await rows(merchant)

    assert (payout["Withdrawn"], payout["Reason Type"]) == (
        "-200.00",
        "Business Payment to Customer via API",
    )
    assert (charge["Withdrawn"], charge["Details"]) == ("-1.00", "Business Payment Charge")


async def test_a_till_has_payments_of_its_own_kind() -> None:
    async with a_merchant(sim_settings(till="5100200")) as merchant:
        await merchant.paid(till=True, account="", shillings=1000)
        charge, payment = await rows(merchant)

    assert payment["Reason Type"] == "Customer Merchant Payment"
    assert charge["Details"] == "Merchant Payment Charge"


async def test_balances_run_from_opening_to_closing_over_midnight_in_nairobi() -> None:
    clock = Clock(datetime(2026, 7, 14, 20, 59, 59, tzinfo=UTC))
    async with a_merchant(now=clock) as merchant:
        await merchant.paid()
        clock.advance(1)
        await merchant.paid(shillings=70)
        first, second = (
            await rows(merchant, "?day=2026-07-14"),
            await rows(merchant, "?day=2026-07-15"),
        )
        told = await text(merchant, "?day=2026-07-15")

    assert ([r["Balance"] for r in first], [r["Balance"] for r in second]) == (
        ["10,050.00"],
        ["10,120.00"],
    )
    assert 'Opening Balance:,"10,050.00"' in told


async def test_a_day_without_money_has_a_head_only(merchant: Merchant) -> None:
    assert await rows(merchant, "?day=2020-02-29") == []


async def test_a_day_that_cannot_be_is_named(merchant: Merchant) -> None:
    url = f"{merchant.world.url}/sim/statement.csv?day=2026-02-30"
    answer = await merchant.world.http.get(url)

    assert (answer.status_code, list(answer.json()["faults"])) == (422, ["day"])


async def test_a_day_may_be_missing(merchant: Merchant) -> None:
    await merchant.paid()
    await merchant.world.set_faults(statement_missing_day=True)

    assert await rows(merchant) == []


async def test_rows_may_be_doubled(merchant: Merchant) -> None:
    await merchant.paid()
    await merchant.world.set_faults(statement_doubled=True)
    first, second = await rows(merchant)

    assert first == second


async def test_columns_may_be_dropped(merchant: Merchant) -> None:
    await merchant.paid()
    await merchant.world.set_faults(statement_drops_columns=True)
    (row,) = await rows(merchant)

    assert "Balance Confirmed" not in row
    assert row["Paid In"] == "50.00"
