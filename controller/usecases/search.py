"""Search: one box for phone, name, account, receipt, code, device, address, site and document.

Also offers what can be done with what was typed: commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.invoice import shown_number
from billing.money import Money
from billing.voucher import VoucherCode
from controller.rights import Right
from controller.store import search as store
from controller.usecases.commands import Command, commands
from controller.usecases.meant import Meant, meant
from controller.usecases.vouchers import code_hash

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.rights import Who
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow
    from controller.store.rows import SessionRow, SubscriberRow
    from controller.store.site_rows import SiteRow

HITS_MAX = 20
"""Of one kind; who wants more types more."""


class HitKind(StrEnum):
    """What was found, in the order in which it is shown."""

    SUBSCRIBER = "subscriber"
    SESSION = "session"
    PAYMENT = "payment"
    VOUCHER = "voucher"
    DOCUMENT = "document"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found. ``id`` names it in the API; ``msisdn`` is whose it is, or "".

    ``name`` is what it is called, ``more`` what tells it from others, ``state`` a word for how it
    is: a subscriber's branch, a session that is ``live`` or ``over``, money's state.
    """

    kind: HitKind
    id: str
    name: str
    msisdn: str = ""
    more: str = ""
    state: str = ""
    site_id: str = ""
    at: datetime | None = None
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a text found: hits by kind, the likeliest first, and what can be done with it."""

    asked: Meant
    hits: tuple[Hit, ...] = ()
    commands: tuple[Command, ...] = ()


async def search(tx: Tx, deps: Deps, who: Who, typed: str, *, limit: int = HITS_MAX) -> Found:
    """Everything that the text may mean, of what somebody may see; in one look."""
    asked = meant(typed)
    if not asked.text:
        return Found(asked, commands=commands(asked, who))
    hits: list[Hit] = []
    if who.may(Right.SEE_CUSTOMERS):
        found = await store.subscribers(tx, asked, who.branches, limit=limit)
        hits += [_subscriber(row) for row in found]
    if who.may(Right.SEE_SESSIONS):
        sessions = await store.sessions(tx, asked, who.branches, limit=limit)
        hits += [_session(*line) for line in sessions]
    if who.may(Right.SEE_MONEY):
        hits += await _money(tx, asked, who, limit)
    if who.may(Right.SEE_VOUCHERS):
        hits += await _vouchers(tx, deps, asked)
    if who.may(Right.SEE_MONEY) and asked.number is not None:
        hits += await _documents(tx, asked, who, limit)
    if who.may(Right.SEE_SITES):
        sites = await store.sites(tx, asked.text, who.branches, limit=limit)
        hits += [_site(row) for row in sites]
    return Found(asked, tuple(hits), commands(asked, who))


def _subscriber(row: SubscriberRow) -> Hit:
    return Hit(
        HitKind.SUBSCRIBER,
        row.id,
        row.name,
        msisdn=row.msisdn,
        state=row.branch_id,
        at=row.created_at,
    )


def _session(row: SessionRow, subscriber: SubscriberRow | None, plan: str | None) -> Hit:
    return Hit(
        HitKind.SESSION,
        row.id,
        plan or "",
        msisdn="" if subscriber is None else subscriber.msisdn,
        more=f"{row.mac} {row.addresses}".strip(),
        state="live" if row.closed_at is None else "over",
        site_id=row.site_id,
        at=row.opened_at,
    )


async def _money(tx: Tx, asked: Meant, who: Who, limit: int) -> list[Hit]:
    if not asked.receipt:
        return []
    found = await store.arrivals(tx, asked.receipt, who.branches, limit=limit)
    hits = [_arrival(*line) for line in found]
    for row, subscriber in await store.payments(tx, asked.receipt, who.branches, limit=limit):
        hit = Hit(
            HitKind.PAYMENT,
            row.order_id,
            row.reference,
            msisdn=subscriber.msisdn,
            more=subscriber.name,
            state=row.state,
            site_id=row.site_id or "",
            at=row.created_at,
            amount=Money(row.amount_minor, row.currency),
        )
        hits.append(hit)
    return hits[:limit]


def _arrival(row: ArrivalRow, subscriber: SubscriberRow | None) -> Hit:
    return Hit(
        HitKind.PAYMENT,
        row.order_id or row.id,
        row.receipt,
        msisdn="" if subscriber is None else subscriber.msisdn,
        more=row.payer_name or ("" if subscriber is None else subscriber.name),
        state=row.state,
        at=row.at,
        amount=Money(row.amount_minor, row.currency),
    )


async def _vouchers(tx: Tx, deps: Deps, asked: Meant) -> list[Hit]:
    hits: list[Hit] = []
    if asked.voucher:
        found = await store.voucher(tx, code_hash(deps, VoucherCode(asked.voucher)))
        if found is not None:
            row, plan = found
            state = "redeemed" if row.redeemed_at else "unused"
            hits.append(
                Hit(
                    HitKind.VOUCHER,
                    row.batch,
                    row.batch,
                    more=plan,
                    state=state,
                    at=row.redeemed_at,
                )
            )
    if not hits and asked.words and await store.has_batch(tx, asked.text):
        hits.append(Hit(HitKind.VOUCHER, asked.text, asked.text, state="batch"))
    return hits


async def _documents(tx: Tx, asked: Meant, who: Who, limit: int) -> list[Hit]:
    assert asked.number is not None
    found = await store.documents(
        tx, series=asked.series, number=asked.number, branches=who.branches, limit=limit
    )
    return [
        Hit(
            HitKind.DOCUMENT,
            row.id,
            shown_number(row.series, row.number),
            msisdn=subscriber.msisdn,
            more=subscriber.name,
            state=row.kind,
            at=row.issued_at,
            amount=Money(row.total_minor, row.currency),
        )
        for row, subscriber in found
    ]


def _site(row: SiteRow) -> Hit:
    return Hit(HitKind.SITE, row.id, row.name, site_id=row.id, at=row.last_seen_at)
