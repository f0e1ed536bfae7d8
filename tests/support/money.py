"""What must hold of money after every scenario, whatever happened in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.ledger import balances
from billing.payment import PaymentState
from controller.store import ledger
from controller.store.code_rows import DoubleRedemptionRow, TokenRow, VoucherRow
from controller.store.rows import GrantRow, LedgerTransactionRow, PaymentRow, PlanRow

if TYPE_CHECKING:
    from controller.store.database import Database, Tx


async def assert_money_is_conserved(db: Database) -> None:
    """All balances sum to zero; paid, booked and granted are one; no grant without a cause."""
    async with db.read() as tx:
        postings = await ledger.all_postings(tx)
        assert sum(balances(postings).values()) == 0
        settled = await _settled(tx)
        booked = set(await tx.scalars(select(LedgerTransactionRow.id)))
        doubles = await _doubles(tx)
        assert booked == {f"payment:{order_id}:settled" for order_id in settled} | {
            f"redemption:{name}:double" for name, minor in doubles.items() if minor
        }
        assert sum(p.amount.minor for p in postings if p.target.startswith("asset:")) == sum(
            settled.values()
        )
        causes = list(await tx.scalars(select(GrantRow.cause_id)))
        assert len(causes) == len(set(causes))
        issued = set(await tx.scalars(select(TokenRow.id)))
        assert set(settled) <= set(causes) | issued
        assert set(causes) <= set(settled) | set(doubles) | await _other_causes(tx)
        lost = sum(p.amount.minor for p in postings if p.target.startswith("expense:double"))
        assert lost == sum(doubles.values())


async def credited(db: Database) -> int:
    """How many payments have been credited."""
    async with db.read() as tx:
        return len(await _settled(tx))


async def _settled(tx: Tx) -> dict[str, int]:
    rows = select(PaymentRow.order_id, PaymentRow.amount_minor).where(
        PaymentRow.state == PaymentState.SETTLED
    )
    return {row.order_id: row.amount_minor for row in await tx.execute(rows)}


async def _doubles(tx: Tx) -> dict[str, int]:
    found = await tx.execute(
        select(DoubleRedemptionRow.redemption_id, DoubleRedemptionRow.amount_minor)
    )
    return {name: minor for name, minor in found}  # noqa: C416 - rows, not pairs


async def _other_causes(tx: Tx) -> set[str]:
    redeemed = await tx.scalars(
        select(VoucherRow.redemption_id).where(VoucherRow.redemption_id.is_not(None))
    )
    used = await tx.scalars(
        select(TokenRow.redemption_id).where(TokenRow.redemption_id.is_not(None))
    )
    unpaid = await tx.scalars(
        select(GrantRow.cause_id)
        .join(PlanRow, PlanRow.id == GrantRow.plan_id)
        .where((PlanRow.price_minor == 0) | GrantRow.cause_id.startswith("staff:"))
    )
    return (
        {cause for cause in redeemed if cause is not None}
        | {cause for cause in used if cause is not None}
        | set(unpaid)
    )
