"""Money as providers show it, and what must hold of it after every scenario."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.ids import TransactionId
from billing.ledger import balances
from billing.money import Money
from billing.payment import PaymentState
from controller.payments.seen import Road, Seen
from controller.store import ledger
from controller.store.billing_rows import ReceivedRow
from controller.store.payment_rows import ArrivalRow, RefundRow
from controller.store.rows import GrantRow, PaymentRow
from tests.support.builders import SHORTCODE

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Database, Tx


def money_seen(
    receipt: str = "UGE5L8M3RZ",
    *,
    shillings: int = 20,
    reference: str = "",
    road: Road = Road.CONFIRMATION,
    rail: str = "mpesa",
    place: str = SHORTCODE,
    at: datetime | None = None,
    provider_id: str | None = None,
) -> Seen:
    """Twenty shillings that came to our PayBill, as its confirmation tells."""
    return Seen(
        rail=rail,
        receipt=receipt,
        amount=Money(shillings * 100),
        place=place,
        road=road,
        at=at,
        reference=reference,
        payer="2547 ***** 678",
        payer_name="WANJIKU",
        provider_id=provider_id,
    )


async def assert_every_shilling_is_somewhere(db: Database) -> None:
    """What providers gave us is in the tills: one order's, one wallet's, or owed."""
    async with db.read() as tx:
        sums = balances(await ledger.all_postings(tx))
        held = {str(account): minor for (account, _), minor in sums.items()}
        assert sum(held.values()) == 0
        rows = list(await tx.scalars(select(ArrivalRow)))
        gone = await _gone(tx)
        _tills_hold_what_came(held, rows, gone)
        _suspense_is_what_waits(held, rows)
        await _what_is_owed_back_is_under_way(tx, held, rows)
        await _each_is_booked_once(tx, rows)


def _tills_hold_what_came(
    held: dict[str, int], rows: list[ArrivalRow], gone: dict[str, int]
) -> None:
    wanted: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.state != "doubted" and row.rail != "withheld-vat":
            wanted[f"asset:{row.rail}:{row.place}"] += row.amount_minor - gone.get(row.id, 0)
    tills = {
        account: minor
        for account, minor in held.items()
        if account.startswith("asset:") and account in wanted
    }
    for account, minor in wanted.items():
        assert tills.get(account, 0) == minor, f"{account} does not hold what came"


def _suspense_is_what_waits(held: dict[str, int], rows: list[ArrivalRow]) -> None:
    wanted: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.state == "suspense":
            wanted[f"liability:suspense:{row.rail}"] -= row.amount_minor
    booked = {a: m for a, m in held.items() if a.startswith("liability:suspense:") and m}
    assert booked == dict(wanted)


async def _what_is_owed_back_is_under_way(
    tx: Tx, held: dict[str, int], rows: list[ArrivalRow]
) -> None:
    del rows
    wanted: dict[str, int] = defaultdict(int)
    for row in await tx.scalars(select(RefundRow)):
        if row.state not in {PaymentState.SETTLED, PaymentState.REFUSED}:
            wanted[f"liability:refund:{row.rail}"] -= row.amount_minor
    booked = {a: m for a, m in held.items() if a.startswith("liability:refund:") and m}
    assert booked == dict(wanted)


async def _gone(tx: Tx) -> dict[str, int]:
    """What has left our tills again, by arrival."""
    left: dict[str, int] = defaultdict(int)
    for refund in await tx.scalars(
        select(RefundRow).where(RefundRow.state == PaymentState.SETTLED)
    ):
        left[refund.arrival_id] += refund.amount_minor
    for row in await tx.scalars(select(ArrivalRow).where(ArrivalRow.state == "returned")):
        for name in (f"arrival:{row.id}:returned:left", f"received:{row.received_id}:reversed"):
            postings = await ledger.postings_of(tx, TransactionId(name))
            left[row.id] += sum(p.amount.minor for p in postings)
    return left


async def _each_is_booked_once(tx: Tx, rows: list[ArrivalRow]) -> None:
    names = [(row.rail, row.receipt) for row in rows]
    assert len(names) == len(set(names)), "a receipt has two rows"
    booked = {row.id for row in await tx.scalars(select(ReceivedRow))}
    linked = [row.received_id for row in rows if row.received_id is not None]
    assert sorted(linked) == sorted(booked), "money for an account without its arrival, or twice"
    paid = {
        row.order_id: row.purpose
        for row in await tx.scalars(
            select(PaymentRow).where(PaymentRow.state == PaymentState.SETTLED)
        )
    }
    causes = set(await tx.scalars(select(GrantRow.cause_id)))
    for row in rows:
        if row.state == "credited" and row.received_id is None:
            assert row.order_id in paid, "credited to an order that is not paid"
    for order_id, purpose in paid.items():
        assert purpose != "grant" or order_id in causes, "paid, and no grant"
