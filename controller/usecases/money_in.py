"""Money comes in for a subscriber's account: into the wallet, and from there to what is open.

One receipt of one rail credits at most once, whichever road it came by: whoever takes it claims it
in the inbox, as payments of hotspot orders do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing import accounts
from billing.errors import InvalidField
from billing.ids import TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from controller.store import inbox, ledger, received
from controller.store.billing_rows import ReceivedRow
from controller.usecases import payers
from controller.usecases.allocation import allocate_in
from controller.usecases.documents import receipt_in

if TYPE_CHECKING:
    from datetime import datetime

    from billing.ids import AccountName
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow

__all__ = ["ReceiptUsed", "allocate_in", "receive"]

WITHHELD = "withheld-vat"
"""The rail of VAT that a customer withheld: its receipt is the number of the certificate."""

_ID = re.compile(r"[0-9a-f]{32}")
_RAIL = re.compile(r"[a-z][a-z0-9-]{0,15}")
_RECEIPT = re.compile(r"[\x21-\x7e]{1,64}")
_PLACE = re.compile(r"[A-Za-z0-9._-]{0,32}")
_NOTE_MAX = 200


class ReceiptUsed(Exception):  # noqa: N818 - a refusal, see style
    """This receipt, or this id, has brought other money in."""

    field = "receipt"


async def receive(
    deps: Deps,
    *,
    msisdn_or_id: str,
    amount: Money,
    rail: str,
    receipt: str,
    idempotent: str,
    place: str = "",
    at: datetime | None = None,
    note: str = "",
) -> ReceivedRow:
    """Book money for a subscriber's account, pay what is open, and issue its receipt.

    ``idempotent`` is an id that the initiator made (32 hexadecimal digits); without a ``receipt``
    (cash) it stands for one; without a ``place`` that is the branch's. ``at`` is when the money
    came, if not now. A repeat answers what the first one did. VAT that was withheld comes by the
    rail `WITHHELD`: a tax credit, and no debt.

    Raises `InvalidField`, `payers.SubscriberUnknown`, `ReceiptUsed`, `DatabaseBusy`.
    """
    receipt = receipt or idempotent
    _check(amount=amount, rail=rail, receipt=receipt, place=place, note=note, name=idempotent)
    now = deps.now()
    if at is not None and at > now:
        raise InvalidField("at", "want a moment that has come")
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, msisdn_or_id)
        row = ReceivedRow(
            id=idempotent,
            subscriber_id=subscriber.id,
            branch_id=subscriber.branch_id,
            rail=rail,
            place=place or subscriber.branch_id,
            receipt=receipt,
            amount_minor=amount.minor,
            currency=amount.currency,
            at=at or now,
            note=note,
        )
        before = await _taken_before(tx, row, now)
        if before is not None:
            return before
        await _booked(tx, deps, subscriber, row, now)
    deps.signals.wake("live")
    return row


async def _taken_before(tx: Tx, row: ReceivedRow, now: datetime) -> ReceivedRow | None:
    """Claim a receipt for new money; what it brought in when that was done before."""
    known = await received.load(tx, row.id)
    if known is None:
        source = f"receipt:{row.rail}"
        mine = await inbox.take(
            tx, source=source, external_id=row.receipt, body=row.id.encode(), now=now
        )
        if mine:
            return None
        claim = await inbox.load(tx, source=source, external_id=row.receipt)
        known = await received.load(tx, claim.body.decode())
    if known is None or _told(known) != _told(row):
        raise ReceiptUsed(f"receipt {row.receipt} of {row.rail} has brought other money in")
    return known


def _told(row: ReceivedRow) -> tuple[object, ...]:
    """What two tellings of the same money agree in."""
    return row.subscriber_id, row.rail, row.receipt, row.amount_minor, row.currency


async def _booked(
    tx: Tx, deps: Deps, subscriber: SubscriberRow, row: ReceivedRow, now: datetime
) -> None:
    await received.add(tx, row)
    amount = Money(row.amount_minor, row.currency)
    transaction = Transaction(
        id=TransactionId(f"received:{row.id}"),
        at=row.at,
        cause=f"received by {row.rail}, receipt {row.receipt}",
        postings=(Posting(accounts.wallet(subscriber.id), landed(row), amount),),
    )
    posted = await ledger.post(tx, transaction)
    assert posted is ledger.Posted.CREATED, f"{row.id} was in the ledger already"
    paid = await allocate_in(tx, deps, subscriber, now)
    await receipt_in(tx, of=row, subscriber=subscriber, paid=paid, now=now)


def landed(row: ReceivedRow) -> AccountName:
    """The account in which money landed."""
    if row.rail == WITHHELD:
        return accounts.withheld_vat()
    return accounts.till(row.rail, row.place)


def _check(*, amount: Money, rail: str, receipt: str, place: str, note: str, name: str) -> None:
    if not _ID.fullmatch(name):
        raise InvalidField("idempotent", "want 32 hexadecimal digits")
    if amount.minor <= 0 or amount.currency != "KES":
        raise InvalidField("amount", "want more than nothing, in KES")
    if not _RAIL.fullmatch(rail):
        raise InvalidField("rail", "want 1 to 16 of a-z, 0-9 and -")
    if not _RECEIPT.fullmatch(receipt):
        raise InvalidField("receipt", "want 1 to 64 letters, digits and signs")
    if not _PLACE.fullmatch(place):
        raise InvalidField("place", "want at most 32 letters, digits, -, _ and .")
    if len(note) > _NOTE_MAX or "\0" in note:
        raise InvalidField("note", f"want at most {_NOTE_MAX} characters")
