"""Some days of business of two branches: invoices, credit notes, money, hotspot and vouchers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import update

from billing.accounts import discount, other_income, plan_income, tax_due, till, wallet
from billing.ids import PlanId, TransactionId
from billing.invoice import LineKind, part_of
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.tax import Tax, taxed
from controller.store import ledger
from controller.store.billing_rows import BranchRow, OperatorRow
from controller.usecases.money_in import reverse
from controller.usecases.voucher_sales import sell
from controller.usecases.vouchers import create_vouchers
from tests.support.builders import HOUR, hex_id
from tests.support.charges import (
    KENYAN,
    a_credit,
    a_line,
    a_subscriber,
    an_invoice,
    an_item,
    paid_in,
)

if TYPE_CHECKING:
    from billing.invoice import Line
    from controller.deps import Deps
    from tests.support.builders import World

DAY_S = 86_400
CAROL = hex_id("carol")


async def registered(deps: Deps) -> None:
    """An operator with a name and a PIN, registered for both taxes, and a branch in town."""
    async with deps.db.begin() as tx:
        await tx.execute(
            update(OperatorRow).values(
                name="Lango Networks Ltd",
                kra_pin="P051234567X",
                vat_registered=True,
                excise_registered=True,
                colour="#0b6e4f",
                pay_to="M-PESA PayBill 600111",
            )
        )
        tx.add(
            BranchRow(
                id="town",
                name="Town",
                address="Oginga Odinga Street",
                phone="0700 000 000",
                email="town@lango.example",
                kra_branch="01",
                created_at=deps.now(),
            )
        )


def lowered(by_minor: int) -> Line:
    """A discount on a plan."""
    line = a_line(minor=-by_minor)
    return replace(line, kind=LineKind.DISCOUNT, text="New here", account=discount("main", "new"))


def in_town(line: Line) -> Line:
    """The same line, earned by the branch in town."""
    return replace(line, account=plan_income("town", line.plan_id or ""))


async def hotspot_sale(deps: Deps, name: str, shillings: int = 20) -> None:
    """What a settled payment of a hotspot customer books: all of it at once."""
    parts = taxed(Money(shillings * 100), KENYAN, included=True)
    purse = wallet(hex_id("anne"))
    moves = (
        (purse, till("mpesa", "600111"), parts.total),
        (plan_income("main", HOUR), purse, parts.net),
        (tax_due(Tax.EXCISE), purse, parts.excise),
        (tax_due(Tax.VAT), purse, parts.vat),
    )
    transaction = Transaction(
        id=TransactionId(f"payment:{hex_id(name)}:settled"),
        at=deps.now(),
        cause=f"payment of order {hex_id(name)} for plan {HOUR}",
        postings=tuple(Posting(*move) for move in moves),
    )
    async with deps.db.begin() as tx:
        await ledger.post(tx, transaction)


async def business(world: World) -> None:
    """Two months of it; nothing is paid in full but Anne's, and Ben's money went back."""
    deps = world.deps
    await registered(deps)
    for name, fields in (("anne", {}), ("ben", {}), ("carol", {"branch_id": "town"})):
        await a_subscriber(deps, name, **fields)
    first = await an_invoice(deps, hex_id("anne"), a_line(), an_item())
    await paid_in(deps, 1_111, hex_id("anne"), name="anne-1")
    await an_invoice(deps, hex_id("ben"), a_line(2_500), lowered(333_33), cause="period:1")
    await an_invoice(deps, CAROL, in_town(a_line(999)), cause="period:1")
    await hotspot_sale(deps, "one")
    world.clock.advance(20 * DAY_S)
    await a_credit(
        deps, first, part_of(a_line(), taxed(Money(500_00), KENYAN, included=True), "10 days less")
    )
    await paid_in(deps, 3_389, hex_id("anne"), name="anne-2", rail="cash")
    bens = await paid_in(deps, 1_700, hex_id("ben"), name="ben-1")
    await paid_in(deps, 333, CAROL, name="carol-1", rail="bank")
    await hotspot_sale(deps, "two", 50)
    world.clock.advance(20 * DAY_S)
    await reverse(deps, bens.id, reason="sent by mistake")
    await paid_in(deps, 100, hex_id("ben"), name="ben-2")
    await an_invoice(deps, hex_id("anne"), late_fee(), cause="late-fee:1")
    batch, _ = await create_vouchers(deps, PlanId(HOUR), 10, None, offline=False)
    await sell(
        deps, batch, count=7, seller="Kioski", idempotent=hex_id("sale"), commission_bp=1_000
    )


def late_fee() -> Line:
    """A fee, with VAT only."""
    return replace(an_item(100), kind=LineKind.FEE, account=other_income("main", "late-fee"))
