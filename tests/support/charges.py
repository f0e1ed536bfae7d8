"""Lines, subscribers and invoices for tests, with telling defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.accounts import adjustment, other_income, plan_income, wallet
from billing.ids import TransactionId
from billing.invoice import Line, LineKind
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.tax import Rates, TaxClass, taxed
from controller.store import ledger, payers
from controller.store.rows import SubscriberRow
from controller.usecases.documents import credit_in, issue_in
from controller.usecases.money_in import receive
from tests.support.builders import hex_id

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.billing_rows import DocumentRow, ReceivedRow
    from controller.store.database import Tx

KENYAN = Rates(excise_bp=1_500, vat_bp=1_600)
ANNE = hex_id("anne")
BEN = hex_id("ben")


async def a_subscriber(deps: Deps, name: str = "anne", **fields: object) -> str:
    """A subscriber of this name; his id."""
    phone = f"2547{int(hex_id(name)[:12], 16) % 100_000_000:08d}"
    row = SubscriberRow(
        **{
            "id": hex_id(name),
            "msisdn": phone,
            "created_at": deps.now(),
            "name": name.title(),
            "segment": "residential",
            "branch_id": "main",
            "language": "en",
            **fields,
        }
    )
    async with deps.db.begin() as tx:
        tx.add(row)
    return row.id


def a_line(
    shillings: int = 1_500,
    *,
    minor: int | None = None,
    rates: Rates = KENYAN,
    included: bool = True,
    plan_id: str = "home-10",
    subscription_id: str | None = None,
) -> Line:
    """A month of a plan for KES 1,500, taxes included."""
    amount = Money(shillings * 100 if minor is None else minor)
    return Line(
        kind=LineKind.PLAN,
        text="Home 10 Mbit/s, November",
        account=plan_income("main", plan_id),
        taxed=taxed(amount, rates, included=included),
        tax_class=TaxClass.INTERNET,
        rates=rates,
        subscription_id=subscription_id,
        plan_id=plan_id,
    )


def an_item(shillings: int = 3_500) -> Line:
    """A router, with VAT only."""
    rates = Rates(vat_bp=1_600)
    return Line(
        kind=LineKind.ITEM,
        text="Router",
        account=other_income("main", "item:router"),
        taxed=taxed(Money(shillings * 100), rates, included=True),
        tax_class=TaxClass.STANDARD,
        rates=rates,
    )


async def an_invoice(
    deps: Deps,
    subscriber_id: str = ANNE,
    *lines: Line,
    cause: str = "period:november",
    due_at: datetime | None = None,
) -> DocumentRow:
    """An invoice that is issued now, for a month of a plan unless other lines are named."""
    async with deps.db.begin() as tx:
        subscriber = (await payers.locked(tx, subscriber_id))[subscriber_id]
        document = await issue_in(
            tx,
            deps,
            subscriber=subscriber,
            lines=lines or (a_line(),),
            cause=cause,
            now=deps.now(),
            due_at=due_at,
        )
    assert document is not None, "this cause was issued before"
    return document


async def a_credit(
    deps: Deps, invoice: DocumentRow, *lines: Line, cause: str = "change:1"
) -> DocumentRow:
    """A credit note of an invoice."""
    async with deps.db.begin() as tx:
        await payers.locked(tx, invoice.subscriber_id)
        note = await credit_in(tx, deps, invoice=invoice, lines=lines, cause=cause, now=deps.now())
    assert note is not None, "this cause was credited before"
    return note


async def paid_in(
    deps: Deps,
    shillings: int = 1_500,
    subscriber_id: str = ANNE,
    *,
    name: str = "money",
    minor: int | None = None,
    rail: str = "mpesa",
    receipt: str | None = None,
) -> ReceivedRow:
    """Money from a phone."""
    taken = await receive(
        deps,
        msisdn_or_id=subscriber_id,
        amount=Money(shillings * 100 if minor is None else minor),
        rail=rail,
        place="600111",
        receipt=receipt or f"R-{name}",
        idempotent=hex_id(name),
        may_place=True,
    )
    return taken.row


async def a_gift_in(tx: Tx, subscriber_id: str, minor: int, now: datetime) -> None:
    """Money that has come into a wallet and has paid nothing yet."""
    posting = Posting(wallet(subscriber_id), adjustment("main"), Money(minor))
    name = TransactionId(f"adjusted:gift-{subscriber_id}")
    await ledger.post(tx, Transaction(name, now, "a gift", (posting,)))
