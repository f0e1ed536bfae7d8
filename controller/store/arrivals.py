"""Money that providers say is ours, as it is kept: one row for each receipt of a rail."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select

from billing.matching import is_number_of
from billing.msisdn import Msisdn
from controller.store import array_rows
from controller.store.bulk_rows import among, is_postgres, new_names, write
from controller.store.database import ROW_LOCK, inserted
from controller.store.payment_rows import ArrivalDeedRow, ArrivalRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.payments.seen import Road, Seen
    from controller.store.bulk_rows import Values
    from controller.store.database import Tx
    from controller.store.rows import PaymentRow

DOUBTED, SUSPENSE, CREDITED, RETURNED = "doubted", "suspense", "credited", "returned"

SAME_MONEY_S = 900
"""Money without a reference may be that of a push so far from it: payers are slow, and a prompt
that was refused may be paid after all. What came before the push is taken last of all: of like
payments one may have taken another's receipt, and then the other's is what is left for it."""

CLOCKS_APART_S = 60
"""Money comes before anybody can find that it came, by clocks that differ by no more than this."""

NEAR_MAX = 20
REFERENCE_MAX, PAYER_MAX, NAME_MAX, NOTE_MAX = 64, 64, 80, 200


async def claim(tx: Tx, seen: Seen, *, state: str, now: datetime) -> tuple[ArrivalRow, bool]:
    """The one row of this money, locked, and whether it is new; its state then is ``state``.

    On PostgreSQL this waits for another transaction that is claiming the same receipt.
    """
    name = secrets.token_hex(16)
    told = dict(zip(_TOLD, _told(name, seen, state, now), strict=True))
    nothing = dict.fromkeys(("order_id", "received_id", "due_at", "ask_token_hash"))
    if await inserted(tx, ArrivalRow, **told, **nothing):
        return await locked(tx, name), True
    known = await by_receipt(tx, seen.rail, seen.receipt)
    assert known is not None
    return known, False


async def credited(
    tx: Tx, money: Mapping[str, Seen], *, now: datetime
) -> frozenset[tuple[str, str]]:
    """Claim money for orders that it pays for, by the orders' ids: (rail, receipt) of what is new.

    What was seen before is left as it is. No receipt may stand in it twice. Waits as `claim`.
    """
    by_key = {(seen.rail, seen.receipt.upper()): order_id for order_id, seen in money.items()}
    assert len(by_key) == len(money), "a receipt credits once"
    names = new_names(len(by_key), now)
    rows = {
        key: (*_told(name, money[by_key[key]], CREDITED, now), by_key[key])
        for name, key in zip(names, sorted(by_key), strict=True)
    }
    columns = (*_TOLD, "order_id")
    if is_postgres(tx):
        new = await array_rows.insert_some(
            tx, ArrivalRow, list(rows.values()), columns=columns, returning="id"
        )
        return frozenset(key for key, row in rows.items() if row[0] in new)
    query = select(ArrivalRow.rail, ArrivalRow.receipt).where(
        among(tx, ArrivalRow.receipt, [receipt for _, receipt in rows])
    )
    taken = {(rail, receipt) for rail, receipt in await tx.execute(query)}
    free = {key: row for key, row in rows.items() if key not in taken}
    await write(tx, ArrivalRow, list(free.values()), columns=columns)
    return frozenset(free)


_TOLD = (
    *("id", "rail", "receipt", "place", "amount_minor", "currency", "at", "seen_at", "roads"),
    *("reference", "payer", "payer_name", "note", "state", "tries"),
)


def _told(name: str, seen: Seen, state: str, now: datetime) -> Values:
    """A new row as far as a road tells it."""
    return (
        name,
        seen.rail,
        seen.receipt.upper(),
        seen.place,
        seen.amount.minor,
        seen.amount.currency,
        seen.at or now,
        now,
        seen.road.value,
        seen.reference[:REFERENCE_MAX],
        seen.payer[:PAYER_MAX],
        seen.payer_name[:NAME_MAX],
        seen.note[:NOTE_MAX],
        state,
        0,
    )


async def load(tx: Tx, arrival_id: str) -> ArrivalRow | None:
    """Money that came in, or None."""
    return await tx.get(ArrivalRow, arrival_id)


async def locked(tx: Tx, arrival_id: str) -> ArrivalRow:
    """Money that came in, locked and as it now is; it must be there."""
    return await tx.get_one(
        ArrivalRow, arrival_id, with_for_update=ROW_LOCK, populate_existing=True
    )


async def by_receipt(tx: Tx, rail: str, receipt: str) -> ArrivalRow | None:
    """The money of this receipt, locked, or None."""
    query = (
        select(ArrivalRow)
        .where(ArrivalRow.rail == rail, ArrivalRow.receipt == receipt.upper())
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return await tx.scalar(query)


async def seen(tx: Tx, rail: str, receipt: str) -> ArrivalRow | None:
    """The money of this receipt, to look at, or None."""
    query = select(ArrivalRow).where(ArrivalRow.rail == rail, ArrivalRow.receipt == receipt.upper())
    return await tx.scalar(query)


async def by_ask_token(tx: Tx, token_hash: str) -> ArrivalRow | None:
    """The money that was looked up with this token, or None."""
    return await tx.scalar(select(ArrivalRow).where(ArrivalRow.ask_token_hash == token_hash))


async def of_order(tx: Tx, order_id: str) -> list[ArrivalRow]:
    """What came in for an order, locked, the oldest first."""
    query = (
        select(ArrivalRow)
        .where(ArrivalRow.order_id == order_id)
        .order_by(ArrivalRow.seen_at, ArrivalRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(await tx.scalars(query))


async def without_reference(tx: Tx, payment: PaymentRow) -> ArrivalRow | None:
    """Money at a Till that may be that of a push, and waits for its owner; locked, or None.

    A Till is told no account: amount, place and the time must do. Of several the likeliest is
    taken: each receipt stands for one push, so that no money is booked twice. The payer's number,
    as far as it is told, tells like payments apart; it keeps no money from a push.
    """
    if payment.pushed_at is None:
        return None
    around, pushed_at = timedelta(seconds=SAME_MONEY_S), payment.pushed_at
    waits = (ArrivalRow.state == SUSPENSE, ArrivalRow.order_id.is_(None))
    query = select(ArrivalRow.id, ArrivalRow.at, ArrivalRow.payer).where(
        ArrivalRow.rail == payment.rail,
        ArrivalRow.place == payment.shortcode,
        ArrivalRow.amount_minor == payment.amount_minor,
        *waits,
        ArrivalRow.reference == "",
        ArrivalRow.at.between(pushed_at - around, pushed_at + around),
    )
    found = [
        (otherness(payer, payment.msisdn), at < pushed_at, abs(at - pushed_at), name)
        for name, at, payer in await tx.execute(query.limit(NEAR_MAX))
    ]
    # Only the one that is taken is locked, and who waited for it looks whether it still waits: had
    # another push all of them meanwhile, this one would find none, and its money be booked twice.
    for *_, name in sorted(found):
        one = select(ArrivalRow).where(ArrivalRow.id == name, *waits)
        locking = one.with_for_update(key_share=True).execution_options(populate_existing=True)
        if (taken := await tx.scalar(locking)) is not None:
            return taken
    return None


def otherness(payer: str, msisdn: str) -> int:
    """How far a payer's number, as told, speaks against this one: 0 for it, 1 not, 2 against."""
    return {True: 0, None: 1, False: 2}[is_number_of(payer, Msisdn(msisdn))]


async def waiting_for(tx: Tx, payment: PaymentRow) -> list[str]:
    """Money in suspense that a payment, or its reference, brought and that is due."""
    query = select(ArrivalRow.id).where(
        ArrivalRow.state == SUSPENSE,
        ArrivalRow.due_at.is_not(None),
        or_(
            ArrivalRow.order_id == payment.order_id,
            and_(ArrivalRow.rail == payment.rail, ArrivalRow.reference == payment.reference),
        ),
    )
    return list(await tx.scalars(query))


async def of_received(tx: Tx, received_id: str) -> ArrivalRow | None:
    """The money of which this was booked for an account, locked, or None."""
    query = select(ArrivalRow).where(ArrivalRow.received_id == received_id)
    return await tx.scalar(query.with_for_update(key_share=True))


async def due(tx: Tx, now: datetime, *, state: str, limit: int) -> list[ArrivalRow]:
    """Money to be placed, or asked about, locked; what another process holds is left to it."""
    query = (
        select(ArrivalRow)
        .where(ArrivalRow.due_at <= now, ArrivalRow.state == state)
        .order_by(ArrivalRow.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )
    return list(await tx.scalars(query))


async def forget(tx: Tx, arrival: ArrivalRow) -> None:
    """Take away a row whose money turned out to be another row's."""
    await tx.delete(arrival)
    await tx.flush()


async def told_only_by(
    tx: Tx, road: Road, rail: str, place: str, *, since: datetime, until: datetime
) -> list[ArrivalRow]:
    """Money of a time that is booked, or doubted, on the word of one road alone."""
    query = select(ArrivalRow).where(
        ArrivalRow.rail == rail,
        ArrivalRow.place == place,
        ArrivalRow.at.between(since, until),
        ArrivalRow.roads == road.value,
        ArrivalRow.state != RETURNED,
    )
    return list(await tx.scalars(query.order_by(ArrivalRow.at, ArrivalRow.id)))


def shown_by(arrival: ArrivalRow, road: Road) -> bool:
    """Whether this road has shown the money."""
    return road.value in arrival.roads.split()


def add_road(arrival: ArrivalRow, road: Road) -> None:
    """Note that this road has shown the money as well."""
    if not shown_by(arrival, road):
        arrival.roads = f"{arrival.roads} {road.value}"


def add_deed(
    tx: Tx, arrival: ArrivalRow, *, who: str, what: str, detail: str, now: datetime
) -> None:
    """Note what somebody of the staff did with it."""
    tx.add(
        ArrivalDeedRow(
            id=secrets.token_hex(16),
            arrival_id=arrival.id,
            at=now,
            who=who,
            what=what,
            detail=detail,
        )
    )


async def deeds_of(tx: Tx, arrival_id: str) -> list[ArrivalDeedRow]:
    """What staff did with it, the oldest first."""
    query = select(ArrivalDeedRow).where(ArrivalDeedRow.arrival_id == arrival_id)
    return list(await tx.scalars(query.order_by(ArrivalDeedRow.at, ArrivalDeedRow.id)))
