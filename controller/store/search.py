"""Finding people and things by whatever somebody typed. Every query is a look at an index.

What a text may mean is `controller.usecases.meant`'s to say; here each meaning is looked for, in
the branches of who asks, and at most so many of each kind are read. Nothing is locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, and_, func, intersect, literal_column, or_, select

from controller.store.billing_rows import BranchRow, DocumentRow, ReceivedRow
from controller.store.bulk_rows import is_postgres
from controller.store.code_rows import VoucherRow
from controller.store.payment_rows import ArrivalRow
from controller.store.people_rows import SubscriberWordRow
from controller.store.rows import GrantRow, PaymentRow, PlanRow, SessionRow, SubscriberRow
from controller.store.scope import within
from controller.store.site_rows import SiteRow
from controller.usecases.meant import after

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.store.database import Tx
    from controller.store.scope import Branches
    from controller.usecases.meant import Meant

    Query = Select[*tuple[Any, ...]]

# What the two indexes of ends hold; the queries must say it in the same words.
_phone_tail: ColumnElement[str] = func.substr(SubscriberRow.msisdn, literal_column("9"))
_mac_tail: ColumnElement[str] = func.substr(SessionRow.mac, literal_column("13"))

TAIL_DIGITS, MAC_TAIL_SHOWN = 4, 5
PART_SHOWN_MIN = 8
"""Three bytes of an address with colons: from so many on, its beginning is looked for too."""

LIVE_LOOKED_AT_MAX = 20_000
"""Open sessions whose addresses are read through: more are live at no operator we know of."""

SERIES_KINDS = ("INV", "CRN", "RCT")


async def subscribers(
    tx: Tx, asked: Meant, branches: Branches, *, limit: int
) -> list[SubscriberRow]:
    """By the beginning or the end of their phone, or by words of their name; phones first."""
    found: dict[str, SubscriberRow] = {}
    for query in _subscribers(asked):
        if len(found) < limit:
            some = query.where(within(SubscriberRow, branches)).limit(limit)
            found |= {row.id: row for row in await tx.scalars(some)}
    return list(found.values())[:limit]


def _subscribers(asked: Meant) -> Iterator[Query]:
    row = SubscriberRow
    if asked.phone:
        of_phone = (row.msisdn >= asked.phone, row.msisdn < after(asked.phone))
        yield select(row).where(*of_phone).order_by(row.msisdn)
    if asked.phone_tail:
        same = _phone_tail == asked.phone_tail[-TAIL_DIGITS:]
        yield select(row).where(same, row.msisdn.endswith(asked.phone_tail, autoescape=True))
    if asked.words:
        yield _named(asked.words)


def _named(words: Sequence[str]) -> Query:
    word = SubscriberWordRow
    if len(words) == 1:
        query = select(SubscriberRow).join(word, word.subscriber_id == SubscriberRow.id)
        return query.where(_begins(words[0])).order_by(word.word, word.subscriber_id)
    each = [select(word.subscriber_id).where(_begins(one)) for one in words]
    return select(SubscriberRow).where(SubscriberRow.id.in_(intersect(*each)))


def _begins(word: str) -> Any:
    row = SubscriberWordRow
    return and_(row.word >= word, row.word < after(word))


async def sessions(
    tx: Tx, asked: Meant, branches: Branches, *, limit: int
) -> list[tuple[SessionRow, SubscriberRow | None, str | None]]:
    """By a device's address on the network or the link, whole or in part; live ones first.

    Each with whose it is, and the plan's name, as far as known.
    """
    found: dict[str, tuple[SessionRow, SubscriberRow | None, str | None]] = {}
    for query in _sessions(asked):
        if len(found) < limit:
            some = query.where(within(SessionRow, branches)).limit(limit)
            found |= {line[0].id: (line[0], line[1], line[2]) for line in await tx.execute(some)}
    return list(found.values())[:limit]


def _sessions(asked: Meant) -> Iterator[Query]:
    row = SessionRow
    ending = asked.mac or asked.mac_part
    if ending:
        same = and_(_mac_tail == ending[-MAC_TAIL_SHOWN:], row.mac.endswith(ending))
        yield _whose().where(same).order_by(row.closed_at.is_not(None), row.opened_at.desc())
    if len(asked.mac_part) >= PART_SHOWN_MIN:
        yield _whose().where(row.id.in_(_live()), row.mac.startswith(asked.mac_part))
    if asked.address:
        alone: ColumnElement[str] = literal_column("' '") + row.addresses + literal_column("' '")
        yield _whose().where(row.id.in_(_live()), alone.contains(f" {asked.address} "))


def _live() -> Any:
    row = SessionRow
    query = select(row.id).where(row.closed_at.is_(None))
    return query.order_by(row.opened_at.desc(), row.id.desc()).limit(LIVE_LOOKED_AT_MAX)


def _whose() -> Query:
    return (
        select(SessionRow, SubscriberRow, PlanRow.name)
        .outerjoin(GrantRow, GrantRow.id == SessionRow.grant_id)
        .outerjoin(SubscriberRow, SubscriberRow.id == GrantRow.subscriber_id)
        .outerjoin(PlanRow, PlanRow.id == GrantRow.plan_id)
    )


async def arrivals(
    tx: Tx, receipt: str, branches: Branches, *, limit: int
) -> list[tuple[ArrivalRow, SubscriberRow | None]]:
    """Money that came in, by the beginning of its receipt; with whose it became, if anybody's."""
    row = ArrivalRow
    whose = func.coalesce(ReceivedRow.subscriber_id, PaymentRow.subscriber_id)
    query = (
        select(row, SubscriberRow)
        .outerjoin(ReceivedRow, ReceivedRow.id == row.received_id)
        .outerjoin(PaymentRow, PaymentRow.order_id == row.order_id)
        .outerjoin(SubscriberRow, SubscriberRow.id == whose)
        .where(_prefixed(tx, row.receipt, receipt), within(row, branches))
        .limit(limit)
    )
    return [(arrival, subscriber) for arrival, subscriber in await tx.execute(query)]


def _prefixed(tx: Tx, column: Any, prefix: str) -> Any:
    """Whether a column begins with it, by the order of bytes that its index has."""
    if is_postgres(tx):
        return and_(column.op("~>=~")(prefix), column.op("~<~")(after(prefix)))
    return and_(column >= prefix, column < after(prefix))


async def payments(
    tx: Tx, reference: str, branches: Branches, *, limit: int
) -> list[tuple[PaymentRow, SubscriberRow]]:
    """Orders by the account that their payer was shown."""
    query = (
        select(PaymentRow, SubscriberRow)
        .join(SubscriberRow, SubscriberRow.id == PaymentRow.subscriber_id)
        .where(PaymentRow.reference == reference, within(PaymentRow, branches))
        .limit(limit)
    )
    return [(payment, subscriber) for payment, subscriber in await tx.execute(query)]


async def voucher(tx: Tx, code_hash: str) -> tuple[VoucherRow, str] | None:
    """The voucher of a code, with its plan's name."""
    query = select(VoucherRow, PlanRow.name).join(PlanRow, PlanRow.id == VoucherRow.plan_id)
    found = (await tx.execute(query.where(VoucherRow.code_hash == code_hash))).first()
    return None if found is None else (found[0], found[1])


async def has_batch(tx: Tx, batch: str) -> bool:
    """Whether there is a batch of vouchers of this name."""
    query = select(VoucherRow.batch).where(VoucherRow.batch == batch).limit(1)
    return (await tx.execute(query)).first() is not None


async def documents(
    tx: Tx, *, series: str, number: int, branches: Branches, limit: int
) -> list[tuple[DocumentRow, SubscriberRow]]:
    """Documents of a number, of one series or (``series`` is "") of every one."""
    named = [series] if series else await _series(tx)
    query = (
        select(DocumentRow, SubscriberRow)
        .join(SubscriberRow, SubscriberRow.id == DocumentRow.subscriber_id)
        .where(DocumentRow.series.in_(named), DocumentRow.number == number)
        .where(within(DocumentRow, branches))
        .order_by(DocumentRow.issued_at.desc())
        .limit(limit)
    )
    return [(document, subscriber) for document, subscriber in await tx.execute(query)]


async def _series(tx: Tx) -> list[str]:
    branches = await tx.scalars(select(BranchRow.id))
    return [f"{kind}-{branch}" for branch in branches for kind in SERIES_KINDS]


async def sites(tx: Tx, text: str, branches: Branches, *, limit: int) -> list[SiteRow]:
    """Sites by a part of their id or name: there are few, and all are looked through."""
    small = text.lower()
    called = or_(
        SiteRow.id.contains(small, autoescape=True),
        func.lower(SiteRow.name).contains(small, autoescape=True),
    )
    query = select(SiteRow).where(called, within(SiteRow, branches)).order_by(SiteRow.name)
    return list(await tx.scalars(query.limit(limit)))
