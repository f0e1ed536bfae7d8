"""Payments as they are kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Row, func, select

from billing.payment import PaymentState
from controller.store import array_rows
from controller.store.arrivals import CLOCKS_APART_S, NEAR_MAX, SAME_MONEY_S, otherness
from controller.store.bulk_rows import among
from controller.store.database import ROW_LOCK
from controller.store.rows import PaymentRow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from billing.ids import OrderId
    from controller.payments.seen import Seen
    from controller.store.database import Tx

Compared: TypeAlias = Row[Any]
"""Of a payment among many, the columns that are `COMPARED`."""

AnyPayment: TypeAlias = PaymentRow | Compared
"""A payment to look at."""

COMPARED = (
    *("order_id", "site_id", "subscriber_id", "plan_id", "purpose", "device_mac", "msisdn"),
    *("rail", "shortcode", "amount_minor", "currency", "state", "provider_id", "reference"),
    "mandate_id",
)
"""Columns of a payment that say what is believed of it, and what it buys."""

OPEN = (PaymentState.SENT, PaymentState.PENDING)
"""States in which the payer's phone may be showing a prompt."""


async def load(tx: Tx, order_id: OrderId | str) -> PaymentRow | None:
    """A payment, or None."""
    return await tx.get(PaymentRow, order_id)


async def locked(tx: Tx, order_id: OrderId | str) -> PaymentRow | None:
    """A payment, locked and as it now is, or None."""
    return await tx.get(PaymentRow, order_id, with_for_update=ROW_LOCK, populate_existing=True)


async def rail_of(tx: Tx, order_id: OrderId | str) -> str:
    """By which rail a payment is collected; it must be there."""
    return (await tx.get_one(PaymentRow, order_id)).rail


async def ids_by_tokens(tx: Tx, token_hashes: Collection[str]) -> dict[str, str]:
    """The orders whose callback addresses have these tokens, by the tokens' hashes."""
    if not token_hashes:
        return {}
    query = select(PaymentRow.callback_token_hash, PaymentRow.order_id).where(
        among(tx, PaymentRow.callback_token_hash, token_hashes)
    )
    return {token_hash: order_id for token_hash, order_id in await tx.execute(query)}  # noqa: C416 - rows, not pairs


async def locked_many(tx: Tx, order_ids: Collection[str]) -> dict[str, Compared]:
    """What evidence is compared with, of many payments, locked in the order of their ids."""
    if not order_ids:
        return {}
    table = PaymentRow.__table__.c
    query = (
        select(*(table[name] for name in COMPARED))
        .where(among(tx, PaymentRow.order_id, order_ids))
        .order_by(table["order_id"])
        .with_for_update(key_share=True)
    )
    return {row.order_id: row for row in await tx.execute(query)}


async def settle_many(
    tx: Tx, settled: Sequence[tuple[str, str, str]], same: Mapping[str, Any]
) -> None:
    """Set receipt and code of (locked) payments, told as (order, receipt, code), and the same."""
    columns = ("order_id", "receipt", "code")
    await array_rows.change(tx, PaymentRow, settled, columns=columns, key="order_id", same=same)


async def open_for_phone(tx: Tx, msisdn: str, *, since: datetime, but: str) -> bool:
    """Whether the phone may be showing a prompt, younger than ``since``, of any order but one.

    Hold the subscriber's lock, or another order may slip in.
    """
    query = select(PaymentRow.order_id).where(
        PaymentRow.msisdn == msisdn,
        PaymentRow.pushed_at > since,
        PaymentRow.state.in_(OPEN),
        PaymentRow.order_id != but,
    )
    return (await tx.execute(query.limit(1))).first() is not None


async def unpaid_prompts(tx: Tx, msisdn: str, *, since: datetime) -> int:
    """How many prompts the phone was sent since then that brought no money."""
    query = select(func.count()).where(
        PaymentRow.msisdn == msisdn,
        PaymentRow.pushed_at > since,
        PaymentRow.state != PaymentState.SETTLED,
    )
    return (await tx.execute(query)).scalar_one()


async def due(tx: Tx, now: datetime, *, limit: int) -> list[PaymentRow]:
    """Payments to ask about, locked; those that another process holds are left to it."""
    query = (
        select(PaymentRow)
        .where(PaymentRow.next_query_at <= now)
        .order_by(PaymentRow.next_query_at)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))


async def order_settled_by(tx: Tx, receipt: str) -> str | None:
    """The order that a receipt, of whatever rail, has paid for, or None."""
    query = select(PaymentRow.order_id).where(
        PaymentRow.receipt == receipt, PaymentRow.state == PaymentState.SETTLED
    )
    return await tx.scalar(query.limit(1))


async def by_reference(tx: Tx, rail: str, reference: str) -> PaymentRow | None:
    """The payment of a rail with this reference; None when there is none, or more than one."""
    query = select(PaymentRow).where(PaymentRow.rail == rail, PaymentRow.reference == reference)
    found = list(await tx.scalars(query.limit(2)))
    return found[0] if reference and len(found) == 1 else None


async def answered_by(tx: Tx, seen: Seen, *, at_a_till: bool) -> str | None:
    """The order that money is the answer to, by its provider's id or its reference, or None.

    ``at_a_till``: money of this rail may come without a reference and be an order's all the same.
    """
    if seen.provider_id is not None:
        named = await holder_of_provider_id(tx, seen.rail, seen.provider_id)
        if named is not None:
            return named
    row = await by_reference(tx, seen.rail, seen.reference.strip().upper())
    if row is not None:
        return row.order_id
    return await without_receipt(tx, seen) if at_a_till and not seen.reference else None


async def without_receipt(tx: Tx, seen: Seen) -> str | None:
    """The order that was found paid by asking, and whose receipt this may be.

    Money at a Till has no reference: amount, place and the time must do. Of several it is the order
    that was found first, because of later money less can be its own; before that the payer's
    number, as far as it is told, tells like payments apart. Each takes one receipt, so that none is
    booked twice.
    """
    if seen.at is None:
        return None
    around = timedelta(seconds=SAME_MONEY_S)
    query = select(PaymentRow.order_id, PaymentRow.msisdn).where(
        PaymentRow.rail == seen.rail,
        PaymentRow.shortcode == seen.place,
        PaymentRow.amount_minor == seen.amount.minor,
        PaymentRow.state == PaymentState.SETTLED,
        PaymentRow.receipt.is_(None),
        PaymentRow.pushed_at.between(seen.at - around, seen.at + around),
        PaymentRow.settled_at >= seen.at - timedelta(seconds=CLOCKS_APART_S),
    )
    is_after = PaymentRow.pushed_at > seen.at
    query = query.order_by(is_after, PaymentRow.settled_at, PaymentRow.order_id).limit(NEAR_MAX)
    found = [(order_id, msisdn) for order_id, msisdn in await tx.execute(query)]
    likeliest = min(found, key=lambda one: otherness(seen.payer, one[1]), default=None)
    return None if likeliest is None else likeliest[0]


async def holder_of_provider_id(tx: Tx, rail: str, provider_id: str) -> str | None:
    """The order that the provider knows by this name, or None."""
    query = select(PaymentRow.order_id).where(
        PaymentRow.rail == rail, PaymentRow.provider_id == provider_id
    )
    return await tx.scalar(query)


async def named(tx: Tx, rail: str, provider_id: str) -> str | None:
    """The order that a provider means, also on rails that call it as we do, or None."""
    holder = await holder_of_provider_id(tx, rail, provider_id)
    if holder is not None:
        return holder
    row = await load(tx, provider_id)
    return row.order_id if row is not None and row.rail == rail else None
