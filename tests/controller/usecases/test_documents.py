"""Documents: lines and taxes to the cent, numbers without gaps, and nothing is ever changed."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from billing.errors import InvalidField
from billing.invoice import DocumentKind, part_of
from billing.money import Money
from billing.tax import Rates, taxed
from controller.store import debts, documents, numbers, payers, received
from controller.store.billing_rows import (
    BranchRow,
    DebtRow,
    DocumentLineRow,
    DocumentRow,
    OperatorRow,
)
from controller.store.database import Database
from controller.store.rows import SubscriberRow
from controller.usecases.documents import issue_in
from tests.support.books import assert_the_books_are_right, balances_now
from tests.support.builders import Killed
from tests.support.charges import (
    ANNE,
    KENYAN,
    a_credit,
    a_line,
    a_subscriber,
    an_invoice,
    an_item,
    paid_in,
)

if TYPE_CHECKING:
    from tests.support.builders import World

PARALLEL = 8


@pytest.fixture
async def anne(world: World) -> World:
    """The world with one subscriber."""
    await a_subscriber(world.deps)
    return world


def die_if(spoilt: bool) -> None:  # noqa: FBT001 - the only thing that it is told
    """Something goes wrong after the document was issued."""
    if spoilt:
        raise Killed


async def issued_or_not(world: World, n: int, *, spoilt: bool) -> None:
    """Issue an invoice to subscriber ``n`` in a transaction that may be rolled back."""
    name = await a_subscriber(world.deps, f"s{n}")
    with suppress(Killed):
        async with world.deps.db.begin() as tx:
            await issue_in(
                tx,
                world.deps,
                subscriber=(await payers.locked(tx, name))[name],
                lines=(a_line(),),
                cause=f"period:{n}",
                now=world.deps.now(),
                due_at=None,
            )
            die_if(spoilt)


async def wallet(world: World) -> int:
    async with world.deps.db.read() as tx:
        return await received.wallet_minor(tx, ANNE)


async def open_of(world: World, document_id: str) -> int:
    async with world.deps.db.read() as tx:
        return (await tx.get_one(DebtRow, document_id)).open_minor


async def test_an_invoice_books_income_and_taxes_and_is_owed(anne: World) -> None:
    invoice = await an_invoice(anne.deps)

    assert await balances_now(anne.deps.db) == {
        f"asset:receivable:{ANNE}": 150_000,
        "income:main:plan:home-10": -112_443,
        "liability:tax:excise": -16_867,
        "liability:tax:vat": -20_690,
    }
    assert await open_of(anne, invoice.id) == 150_000
    await assert_the_books_are_right(anne.deps.db)


@pytest.mark.parametrize("included", [True, False])
@pytest.mark.parametrize("rates", [KENYAN, Rates(vat_bp=1_600), Rates(), Rates(1_500, 0)])
async def test_lines_and_taxes_sum_and_a_full_payment_leaves_nothing(
    anne: World, rates: Rates, *, included: bool
) -> None:
    amounts = (1, 2, 99, 101, 33_333, 149_999, 1_234_567)
    lines = [a_line(minor=minor, rates=rates, included=included) for minor in amounts]
    invoice = await an_invoice(anne.deps, ANNE, *lines)
    if included:
        assert invoice.total_minor == sum(amounts)
    await paid_in(anne.deps, minor=invoice.total_minor)

    assert (await open_of(anne, invoice.id), await wallet(anne)) == (0, 0)
    assert f"asset:receivable:{ANNE}" not in await balances_now(anne.deps.db)
    await assert_the_books_are_right(anne.deps.db)


async def test_a_cause_issues_once(anne: World) -> None:
    await an_invoice(anne.deps)
    with pytest.raises(AssertionError, match="issued before"):
        await an_invoice(anne.deps)

    await assert_the_books_are_right(anne.deps.db)


async def test_an_invoice_takes_what_the_wallet_holds(anne: World) -> None:
    await paid_in(anne.deps, 1_000)
    invoice = await an_invoice(anne.deps)

    assert (await wallet(anne), await open_of(anne, invoice.id)) == (0, 50_000)
    await assert_the_books_are_right(anne.deps.db)


async def test_an_invoice_of_nothing_is_settled_as_it_is_issued(anne: World) -> None:
    invoice = await an_invoice(anne.deps, ANNE, a_line(0))
    async with anne.deps.db.read() as tx:
        debt = await tx.get_one(DebtRow, invoice.id)

    assert (debt.open_minor, debt.settled_at, debt.step_at) == (0, anne.deps.now(), None)
    await assert_the_books_are_right(anne.deps.db)


async def test_documents_freeze_seller_buyer_and_sums_by_tax_class(anne: World) -> None:
    async with anne.deps.db.begin() as tx:
        await tx.execute(
            update(OperatorRow).values(name="Lango Net", kra_pin="P051234567X", pay_to="PayBill 1")
        )
        await tx.execute(update(BranchRow).values(address="Kahawa West", phone="0700", name="HQ"))
        await tx.execute(update(SubscriberRow).values(kra_pin="A001234567Z", address="House 4"))
    invoice = await an_invoice(anne.deps, ANNE, a_line(), a_line(), an_item())
    async with anne.deps.db.begin() as tx:
        await tx.execute(update(OperatorRow).values(name="Another"))
        await tx.execute(update(SubscriberRow).values(name="Married"))
    async with anne.deps.db.read() as tx:
        kept = await documents.load(tx, invoice.id)
        assert kept is not None
        frozen = json.loads(kept.frozen)

    assert frozen["seller"] == {
        "name": "Lango Net",
        "pin": "P051234567X",
        "branch": "HQ",
        "kra_branch": "00",
        "address": "Kahawa West",
        "phone": "0700",
        "email": "",
        "pay_to": "PayBill 1",
        "colour": "#0b6e4f",
        "logo": "",
    }
    assert frozen["buyer"]["name"] == "Anne"
    assert (frozen["buyer"]["pin"], frozen["buyer"]["address"]) == ("A001234567Z", "House 4")
    assert [(of["tax_class"], of["total_minor"]) for of in frozen["classes"]] == [
        ("internet", 300_000),
        ("standard", 350_000),
    ]
    assert sum(of["vat_minor"] for of in frozen["classes"]) == invoice.vat_minor


async def test_a_credit_note_lowers_what_is_open_first(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    await paid_in(anne.deps, 300)
    await a_credit(anne.deps, invoice, a_line(500))

    assert (await open_of(anne, invoice.id), await wallet(anne)) == (70_000, 0)
    await assert_the_books_are_right(anne.deps.db)


async def test_what_had_been_paid_goes_back_to_the_wallet_and_pays_what_else_is_open(
    anne: World,
) -> None:
    first = await an_invoice(anne.deps)
    await paid_in(anne.deps, 1_500)
    second = await an_invoice(anne.deps, ANNE, a_line(400), cause="period:december")
    await a_credit(anne.deps, first, a_line(1_000))

    assert (await open_of(anne, second.id), await wallet(anne)) == (0, 60_000)
    await assert_the_books_are_right(anne.deps.db)


async def test_no_more_is_credited_than_was_charged(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    await a_credit(anne.deps, invoice, a_line(1_000))
    with pytest.raises(InvalidField, match="at most KES 500"):
        await a_credit(anne.deps, invoice, a_line(minor=50_001), cause="change:2")
    await a_credit(anne.deps, invoice, a_line(500), cause="change:2")

    assert await open_of(anne, invoice.id) == 0
    await assert_the_books_are_right(anne.deps.db)


async def test_a_cause_credits_once(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    await a_credit(anne.deps, invoice, a_line(100))
    with pytest.raises(AssertionError, match="credited before"):
        await a_credit(anne.deps, invoice, a_line(100))

    assert await open_of(anne, invoice.id) == 140_000


async def test_a_credit_of_all_lines_takes_all_of_it_back(anne: World) -> None:
    invoice = await an_invoice(anne.deps, ANNE, a_line(minor=33_333), an_item())
    async with anne.deps.db.read() as tx:
        lines = await documents.lines_of(tx, invoice.id)
    await a_credit(anne.deps, invoice, *[part_of(of, of.taxed, of.text) for of in lines])

    assert await balances_now(anne.deps.db) == {}
    await assert_the_books_are_right(anne.deps.db)


async def test_parallel_issuers_and_rolled_back_ones_leave_no_gap(
    world: World, db_url: str
) -> None:
    second = Database(db_url)
    other = world.on(second)
    await asyncio.gather(
        *(
            issued_or_not(world if n % 2 else other, n, spoilt=n % 3 == 0)
            for n in range(PARALLEL * 2)
        )
    )
    await second.close()
    async with world.deps.db.read() as tx:
        numbers = list(await tx.scalars(select(DocumentRow.number).order_by(DocumentRow.number)))

    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == len([n for n in range(PARALLEL * 2) if n % 3])
    await assert_the_books_are_right(world.deps.db)


async def test_who_needs_two_series_waits_for_nobody_who_waits_for_him(world: World) -> None:
    async def take(*kinds: DocumentKind) -> list[int]:
        async with world.deps.db.begin() as tx:
            return [(await numbers.take(tx, kind, "main"))[1] for kind in kinds]

    invoice, note, receipt = DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE, DocumentKind.RECEIPT
    orders = ((note, invoice), (invoice, receipt), (receipt, note))
    taken = await asyncio.gather(*(take(*orders[n % 3]) for n in range(3 * PARALLEL)))
    by_kind = [
        sorted(
            got[order.index(kind)]
            for order, got in zip(orders * PARALLEL, taken, strict=True)
            if kind in order
        )
        for kind in (invoice, note, receipt)
    ]

    assert by_kind == [list(range(1, 2 * PARALLEL + 1))] * 3


async def test_two_runs_at_once_issue_one_invoice_for_a_cause(anne: World, db_url: str) -> None:
    second = Database(db_url)
    other = anne.on(second)

    async def run(world: World) -> DocumentRow | None:
        async with world.deps.db.begin() as tx:
            return await issue_in(
                tx,
                world.deps,
                subscriber=(await payers.locked(tx, ANNE))[ANNE],
                lines=(a_line(),),
                cause="period:november",
                now=world.deps.now(),
                due_at=None,
            )

    found = await asyncio.gather(*(run(one) for one in (anne, other) for _ in range(PARALLEL)))
    await second.close()

    assert len([one for one in found if one is not None]) == 1
    await assert_the_books_are_right(anne.deps.db)


@pytest.mark.parametrize("row", [DocumentRow, DocumentLineRow])
async def test_what_was_issued_is_neither_changed_nor_deleted(
    anne: World, row: type[DocumentRow | DocumentLineRow]
) -> None:
    await an_invoice(anne.deps)
    for spoil in (update(row).values(total_minor=row.total_minor), delete(row)):
        with pytest.raises(DBAPIError, match="is never changed"):
            async with anne.deps.db.begin() as tx:
                await tx.execute(spoil)

    await assert_the_books_are_right(anne.deps.db)


async def test_series_of_a_branch_are_their_own(anne: World) -> None:
    invoice = await an_invoice(anne.deps)
    await paid_in(anne.deps, 2_000)
    note = await a_credit(anne.deps, invoice, a_line(100))
    async with anne.deps.db.read() as tx:
        found = await tx.execute(select(DocumentRow.series, DocumentRow.number))
        shown = sorted(f"{series} {number}" for series, number in found)

    assert shown == ["CRN-main 1", "INV-main 1", "RCT-main 1"]
    assert note.refers_to == invoice.id
    assert json.loads(note.frozen)["of"]["number"] == "INV-main-000001"


async def test_prices_with_taxes_on_top_charge_them(anne: World) -> None:
    line = a_line(1_000, included=False)

    assert line.taxed == taxed(Money(100_000), KENYAN, included=False)
    assert line.taxed.total == Money(133_400)


async def test_owed_is_what_is_open(anne: World) -> None:
    await an_invoice(anne.deps)
    await paid_in(anne.deps, 1)
    async with anne.deps.db.read() as tx:
        owed = await debts.owed_minor(tx, ANNE)

    assert owed == 149_900
