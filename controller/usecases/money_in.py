"""Money comes in for a subscriber's account: into the wallet, and from there to what is open.

One receipt of one rail credits at most once, whichever road it came by: whoever takes it claims its
arrival, as payments of hotspot orders do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing import accounts
from billing.errors import InvalidField
from billing.ids import TransactionId
from billing.invoice import Line, LineKind
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.tax import Rates, TaxClass, Taxed
from controller.payments.seen import Road, Seen
from controller.store import arrivals, ledger, notices, received
from controller.store.billing_rows import ReceivedRow
from controller.store.payers import locked as payers_locked
from controller.usecases import payers, rewards
from controller.usecases.allocation import allocate_in, take_back_in
from controller.usecases.documents import issue_in, receipt_in
from controller.usecases.paid_notices import received_in
from controller.usecases.subscriptions import after_money_in

if TYPE_CHECKING:
    from datetime import datetime

    from billing.ids import AccountName
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow
    from controller.store.rows import SubscriberRow

__all__ = ["ReceiptUsed", "ReceivedUnknown", "Taken", "allocate_in", "receive", "reverse"]

WITHHELD = "withheld-vat"
"""The rail of VAT that a customer withheld: its receipt is the number of the certificate."""

_ID = re.compile(r"[0-9a-f]{32}")
_RAIL = re.compile(r"[a-z][a-z0-9-]{0,15}")
_RECEIPT = re.compile(r"[\x21-\x7e]{1,64}")
_PLACE = re.compile(r"[A-Za-z0-9._-]{0,32}")
_NOTE_MAX = 200


@dataclass(frozen=True, slots=True)
class Credited:
    """Money that has been credited, the sites with news, and who else was rewarded for it."""

    row: ReceivedRow
    sites: frozenset[str]
    rewarded: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """Money that staff took; ``before`` when it was known, and nothing was booked now."""

    row: ReceivedRow
    before: bool


class ReceiptUsed(Exception):  # noqa: N818 - a refusal, see style
    """This receipt, or this id, has brought other money in."""

    field = "receipt"


class ReceivedUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such money that came in."""

    field = "received_id"


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
    may_place: bool = False,
) -> Taken:
    """Book money for a subscriber's account, pay what is open, and issue its receipt.

    ``idempotent`` is an id that the initiator made (32 hexadecimal digits); without a ``receipt``
    (cash) it stands for one; without a ``place`` that is the branch's. ``at`` is when the money
    came, if not now. A repeat answers what the first one did. VAT that was withheld comes by the
    rail `WITHHELD`: a tax credit, and no debt. Only who ``may_place`` money may tell a receipt that
    a provider has shown, and that is nobody's yet, or say that it landed elsewhere: else a till
    could be made to look full that is not.

    Raises `InvalidField`, `payers.SubscriberUnknown`, `ReceiptUsed`, `DatabaseBusy`.
    """
    receipt = receipt or idempotent
    _check(amount=amount, rail=rail, receipt=receipt, place=place, note=note, name=idempotent)
    if place and not may_place:
        raise InvalidField("place", "only who may book money says where it landed")
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
        claimed = await _claimed(tx, row, now, may_place=may_place)
        if isinstance(claimed, ReceivedRow):
            return Taken(claimed, before=True)
        row.place = claimed.arrival.place
        credited = await _booked(tx, deps, subscriber, row, claimed)
    await after_credit(deps, credited)
    return Taken(row, before=False)


async def spend(deps: Deps, subscriber_id: str) -> set[str]:
    """Let a wallet pay what is open and renew what is to go on; the sites to wake."""
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, subscriber_id)
        await allocate_in(tx, deps, subscriber, deps.now())
        return await after_money_in(tx, deps, subscriber, deps.now())


async def reverse(deps: Deps, received_id: str, *, reason: str) -> ReceivedRow:
    """Book that money which came in went back: what it paid is open again; once.

    The wallet loses it first, then what it paid last is open again; what is not to be had there
    (it went to a friend, say) the subscriber owes by an invoice of its own. Rewards that it earned
    are taken back as well, and staff are told. Raises `InvalidField` (``reason``),
    `ReceivedUnknown`, `DatabaseBusy`.
    """
    check_reason(reason)
    now = deps.now()
    async with deps.db.begin() as tx:
        owners = await received.whose_money(tx, received_id)
        if not owners:
            raise ReceivedUnknown(f"there is no received money {received_id[:40]}")
        rows = await payers_locked(tx, *owners)
        row = await received.locked(tx, received_id)
        if row.reversed_at is not None:
            return row
        row.reversed_at = now
        arrival = await arrivals.of_received(tx, row.id)
        if arrival is not None:
            arrival.state = arrivals.RETURNED
        await _posted(
            tx,
            f"received:{row.id}:reversed",
            Posting(landed(row), accounts.wallet(row.subscriber_id), Money(row.amount_minor)),
            cause=f"reversed: {reason}",
            at=now,
        )
        lost = await rewards.take_back_in(tx, row.id, now)
        await taken_back_in(tx, rows[row.subscriber_id], now)
        await _told_staff(tx, row, reason, now)
        for subscriber_id in sorted({row.subscriber_id, *lost}):
            cause = f"reversed:{row.id}"
            await made_good(tx, deps, rows[subscriber_id], cause=cause, now=now)
    deps.signals.wake("live")
    return row


async def taken_back_in(tx: Tx, subscriber: SubscriberRow, now: datetime) -> None:
    """Take money back from what it paid, until the wallet is no longer below zero.

    Invoices that are open again have not earned their rewards.
    """
    while (held := await received.wallet_minor(tx, subscriber.id)) < 0:
        opened = await take_back_in(tx, subscriber, -held, now)
        if not opened:
            return
        for debt in opened:
            await rewards.take_back_in(tx, rewards.cause_of(debt.document_id), now)


async def made_good(
    tx: Tx, deps: Deps, subscriber: SubscriberRow, *, cause: str, now: datetime
) -> None:
    """Let a subscriber owe, by an invoice, what was taken from a wallet that did not hold it."""
    short = -await received.wallet_minor(tx, subscriber.id)
    if short <= 0:
        return
    nothing = Money(0)
    line = Line(
        kind=LineKind.ADJUSTMENT,
        text="Money that was taken back after it had been spent",
        account=accounts.wallet(subscriber.id),
        taxed=Taxed(Money(short), nothing, nothing),
        tax_class=TaxClass.EXEMPT,
        rates=Rates(),
    )
    await issue_in(tx, deps, subscriber=subscriber, lines=(line,), cause=cause, now=now, due_at=now)


async def _told_staff(tx: Tx, row: ReceivedRow, reason: str, now: datetime) -> None:
    amount = Money(row.amount_minor, row.currency)
    await notices.add(
        tx,
        now=now,
        code="payment_reversed",
        text=f"{amount} by {row.rail}, receipt {row.receipt}, was reversed: {reason}",
        once=f"payment_reversed\n{row.id}",
    )


@dataclass(frozen=True, slots=True)
class _Claimed:
    """Money that is to be credited; ``booked`` when it stands in suspense."""

    arrival: ArrivalRow
    booked: bool


async def _claimed(
    tx: Tx, row: ReceivedRow, now: datetime, *, may_place: bool
) -> ReceivedRow | _Claimed:
    """Claim a receipt for new money; or what it brought in when that was done before.

    Money that a provider had shown, and that is nobody's yet, is this subscriber's by the word of
    staff who ``may_place`` it. Others are told no more than of a receipt that is used.
    """
    known = await received.load(tx, row.id)
    if known is None:
        arrival, is_new = await arrivals.claim(tx, _seen(row), state=arrivals.SUSPENSE, now=now)
        if is_new or (may_place and _is_theirs(arrival, row)):
            return _Claimed(arrival, booked=not is_new and arrival.state == arrivals.SUSPENSE)
        if arrival.received_id is not None:
            known = await received.load(tx, arrival.received_id)
    if known is None or _told(known) != _told(row):
        raise ReceiptUsed(f"receipt {row.receipt} of {row.rail} has brought other money in")
    return known


def _is_theirs(arrival: ArrivalRow, row: ReceivedRow) -> bool:
    same = (arrival.amount_minor, arrival.currency) == (row.amount_minor, row.currency)
    return same and arrival.order_id is None and arrival.state in {"doubted", "suspense"}


def _seen(row: ReceivedRow) -> Seen:
    return Seen(
        rail=row.rail,
        receipt=row.receipt,
        amount=Money(row.amount_minor, row.currency),
        place=row.place,
        road=Road.STAFF,
        at=row.at,
        note=row.note,
    )


def _told(row: ReceivedRow) -> tuple[object, ...]:
    """What two tellings of the same money agree in."""
    return row.subscriber_id, row.rail, row.receipt.upper(), row.amount_minor, row.currency


async def credit_in(tx: Tx, deps: Deps, subscriber: SubscriberRow, arrival: ArrivalRow) -> Credited:
    """Move money from suspense into a subscriber's wallet, and let it pay what is open.

    The caller holds the subscriber's and the arrival's locks, and afterwards calls `after_credit`.
    """
    # Invariant: money leaves suspense once.
    assert arrival.state == arrivals.SUSPENSE
    row = ReceivedRow(
        id=arrival.id,
        subscriber_id=subscriber.id,
        branch_id=subscriber.branch_id,
        rail=arrival.rail,
        place=arrival.place,
        receipt=arrival.receipt,
        amount_minor=arrival.amount_minor,
        currency=arrival.currency,
        at=arrival.at,
        note=arrival.note,
    )
    return await _booked(tx, deps, subscriber, row, _Claimed(arrival, booked=True))


async def after_credit(deps: Deps, credited: Credited) -> None:
    """What follows when money has been credited and committed."""
    changed = set(credited.sites)
    if credited.rewarded is not None:
        changed |= await spend(deps, credited.rewarded)
    wake(deps, changed)


async def _booked(
    tx: Tx, deps: Deps, subscriber: SubscriberRow, row: ReceivedRow, claimed: _Claimed
) -> Credited:
    """Book money for an account, and what it does there."""
    now = deps.now()
    await received.add(tx, row)
    arrival = claimed.arrival
    arrival.state, arrival.received_id, arrival.due_at = arrivals.CREDITED, row.id, None
    await tx.flush()
    before = await received.paid_since(tx, subscriber.id, now)
    comes_from = accounts.suspense(row.rail) if claimed.booked else landed(row)
    await _posted(
        tx,
        f"received:{row.id}",
        Posting(accounts.wallet(subscriber.id), comes_from, Money(row.amount_minor)),
        cause=f"received by {row.rail}, receipt {row.receipt}",
        at=now if claimed.booked else row.at,
    )
    rewarded = None
    if row.rail != WITHHELD:
        rewarded = await rewards.referral_in(tx, subscriber, row, now)
    await allocate_in(tx, deps, subscriber, now)
    changed = await after_money_in(tx, deps, subscriber, now)
    after = await received.paid_since(tx, subscriber.id, now)
    paid = [after[name] for name in after if name not in before]
    await receipt_in(tx, of=row, subscriber=subscriber, paid=paid, now=now)
    await received_in(tx, deps, row)
    return Credited(row, frozenset(changed), rewarded)


async def _posted(tx: Tx, name: str, posting: Posting, *, cause: str, at: datetime) -> None:
    posted = await ledger.post(tx, Transaction(TransactionId(name), at, cause, (posting,)))
    assert posted is ledger.Posted.CREATED, f"{name} was in the ledger already"


def wake(deps: Deps, site_ids: set[str]) -> None:
    """Tell those who wait that money has moved, and these sites that they have news."""
    for site_id in site_ids:
        deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")


def check_reason(reason: str) -> None:
    """Raise `InvalidField` for a reason that says nothing."""
    if not reason.strip() or len(reason) > _NOTE_MAX or "\0" in reason:
        raise InvalidField("reason", f"want 1 to {_NOTE_MAX} characters")


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
