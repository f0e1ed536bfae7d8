"""What staff look at: reading queries for the live page and for the lists of the HTTP API.

Lists are newest first and paged by a `Mark` (the last line of the page before), so that a page
costs the same however deep it is. ``branches`` are those that whoever looks is held to (None: to
none): what belongs to others is left out. Nothing here writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, func, literal, or_, select, text, union_all
from sqlalchemy.exc import SQLAlchemyError

from controller.store.code_rows import DoubleRedemptionRow, TokenRow, VoucherRow
from controller.store.rows import (
    GrantRow,
    GrantSiteRow,
    LedgerTransactionRow,
    PaymentRow,
    PlanRow,
    PostingRow,
    SessionRow,
    SmsRow,
    SubscriberRow,
)
from controller.store.scope import Branches, within
from controller.store.site_rows import (
    GardenRow,
    NoticeRow,
    OutageRow,
    PoolRow,
    ProbeResultRow,
    ProbeRow,
    SiteRow,
)

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx

    Query = Select[*tuple[Any, ...]]

PAGE_LINES_MAX = 200

UNREADABLE = (SQLAlchemyError, OSError)
"""What any of these functions raises when the database cannot be read."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a page ended: the next one begins after this line."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class SiteView:
    """A site and how many sessions are open at it."""

    row: SiteRow
    sessions_open: int


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session with the grant and the plan that it lives on; None where not known here."""

    row: SessionRow
    grant: GrantRow | None
    plan: PlanRow | None
    msisdn: str | None


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment and the name of its plan, "" for money for an account."""

    row: PaymentRow
    plan_name: str


@dataclass(frozen=True, slots=True)
class GrantView:
    """A grant, its plan, and the phone of the subscriber who holds it (None when given away)."""

    row: GrantRow
    plan: PlanRow
    msisdn: str | None


@dataclass(frozen=True, slots=True)
class ShareView:
    """A site's share of a grant, and when the site was last heard."""

    row: GrantSiteRow
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch of vouchers: how many there are and how many were redeemed."""

    batch: str
    plan_id: str
    created_at: datetime
    expires_at: datetime | None
    count: int
    redeemed: int


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token, the phone that it was sold to, and the state of the newest SMS about it."""

    row: TokenRow
    msisdn: str | None
    sms: str | None


@dataclass(frozen=True, slots=True)
class ProbeView:
    """A probe that staff asked for, and what it saw (None: nothing came yet)."""

    row: ProbeRow
    result: ProbeResultRow | None


@dataclass(frozen=True, slots=True)
class BalanceView:
    """What one ledger account holds in one currency, in minor units; debits are positive."""

    account: str
    currency: str
    minor: int


@dataclass(frozen=True, slots=True)
class TransactionView:
    """A ledger transaction with its postings in order."""

    row: LedgerTransactionRow
    postings: tuple[PostingRow, ...]


@dataclass(frozen=True, slots=True)
class SmsMonth:
    """Text messages of a month; costs in 1/10,000 of a shilling, of all but the ``unpriced``."""

    sent: int
    parts: int
    delivered: int
    failed: int
    cost_e4: int
    unpriced: int


@dataclass(frozen=True, slots=True)
class Takings:
    """Payments settled since an instant: how many, and their sum in minor units (shillings)."""

    settled: int
    minor: int


async def site_views(
    tx: Tx, *, after_id: str = "", limit: int = PAGE_LINES_MAX, branches: Branches = None
) -> list[SiteView]:
    """Sites in order of their id, after ``after_id``."""
    query = _sites().where(SiteRow.id > after_id, within(SiteRow, branches))
    query = query.order_by(SiteRow.id).limit(limit)
    return [SiteView(row, sessions or 0) for row, sessions in await tx.execute(query)]


async def site_view(tx: Tx, site_id: str) -> SiteView | None:
    """One site, or None."""
    found = (await tx.execute(_sites().where(SiteRow.id == site_id))).first()
    return None if found is None else SiteView(found[0], found[1] or 0)


def _sites() -> Query:
    open_count = (
        select(SessionRow.site_id, func.count().label("sessions"))
        .where(SessionRow.closed_at.is_(None))
        .group_by(SessionRow.site_id)
        .subquery()
    )
    return select(SiteRow, open_count.c.sessions).outerjoin(
        open_count, open_count.c.site_id == SiteRow.id
    )


async def plan_rows(
    tx: Tx, *, withdrawn: bool, after_id: str = "", limit: int = PAGE_LINES_MAX
) -> list[PlanRow]:
    """Plans in order of their id; those withdrawn only when ``withdrawn``."""
    query = select(PlanRow).where(PlanRow.id > after_id).order_by(PlanRow.id).limit(limit)
    if not withdrawn:
        query = query.where(PlanRow.withdrawn_at.is_(None))
    return list(await tx.scalars(query))


async def plan_row(tx: Tx, plan_id: str) -> PlanRow | None:
    """One plan, or None."""
    return await tx.get(PlanRow, plan_id)


async def batch_views(tx: Tx, *, after: Mark | None, limit: int) -> list[BatchView]:
    """Batches of vouchers, newest first."""
    batches = (
        select(
            VoucherRow.batch.label("batch"),
            func.min(VoucherRow.plan_id).label("plan_id"),
            func.min(VoucherRow.created_at).label("created_at"),
            func.min(VoucherRow.expires_at).label("expires_at"),
            func.count().label("count"),
            func.count(VoucherRow.redeemed_at).label("redeemed"),
        )
        .group_by(VoucherRow.batch)
        .subquery()
    )
    query = _page(
        select(batches), at=batches.c.created_at, key=batches.c.batch, after=after, limit=limit
    )
    return [BatchView(**line) for line in (await tx.execute(query)).mappings()]


async def payment_views(
    tx: Tx,
    *,
    after: Mark | None = None,
    limit: int = PAGE_LINES_MAX,
    site_id: str | None = None,
    state: str | None = None,
    branches: Branches = None,
) -> list[PaymentView]:
    """Payments, newest first, of one site or in one state where asked."""
    query = _page(
        _payments(), at=PaymentRow.created_at, key=PaymentRow.order_id, after=after, limit=limit
    ).where(within(PaymentRow, branches))
    if site_id is not None:
        query = query.where(PaymentRow.site_id == site_id)
    if state is not None:
        query = query.where(PaymentRow.state == state)
    return [PaymentView(row, name or "") for row, name in await tx.execute(query)]


async def payment_view(tx: Tx, order_id: str) -> PaymentView | None:
    """One payment, or None."""
    found = (await tx.execute(_payments().where(PaymentRow.order_id == order_id))).first()
    return None if found is None else PaymentView(found[0], found[1] or "")


def _payments() -> Query:
    # Money for an account buys no plan.
    return select(PaymentRow, PlanRow.name).outerjoin(PlanRow, PlanRow.id == PaymentRow.plan_id)


async def session_views(
    tx: Tx,
    *,
    after: Mark | None = None,
    limit: int = PAGE_LINES_MAX,
    site_id: str | None = None,
    only_open: bool = False,
    branches: Branches = None,
) -> list[SessionView]:
    """Sessions, newest first, of one site or only the open ones where asked."""
    # A session may be reported before its grant is known here, so everything joins loosely.
    query: Query = (
        select(SessionRow, GrantRow, PlanRow, SubscriberRow.msisdn)
        .outerjoin(GrantRow, GrantRow.id == SessionRow.grant_id)
        .outerjoin(PlanRow, PlanRow.id == GrantRow.plan_id)
        .outerjoin(SubscriberRow, SubscriberRow.id == GrantRow.subscriber_id)
    )
    query = _page(query, at=SessionRow.opened_at, key=SessionRow.id, after=after, limit=limit)
    query = query.where(within(SessionRow, branches))
    if site_id is not None:
        query = query.where(SessionRow.site_id == site_id)
    if only_open:
        query = query.where(SessionRow.closed_at.is_(None))
    return [SessionView(*line) for line in await tx.execute(query)]


async def grant_views(
    tx: Tx,
    *,
    after: Mark | None = None,
    limit: int = PAGE_LINES_MAX,
    site_id: str | None = None,
    only_open: bool = False,
    branches: Branches = None,
) -> list[GrantView]:
    """Grants, newest first, of one site or only those not ended where asked."""
    query = _page(_grants(), at=GrantRow.created_at, key=GrantRow.id, after=after, limit=limit)
    query = query.where(within(GrantRow, branches))
    if site_id is not None:
        brought = select(GrantSiteRow.grant_id).where(GrantSiteRow.site_id == site_id)
        query = query.where(or_(GrantRow.site_id == site_id, GrantRow.id.in_(brought)))
    if only_open:
        query = query.where(GrantRow.ended_at.is_(None))
    return [GrantView(*line) for line in await tx.execute(query)]


async def grant_view(tx: Tx, grant_id: str) -> GrantView | None:
    """One grant, or None."""
    found = (await tx.execute(_grants().where(GrantRow.id == grant_id))).first()
    return None if found is None else GrantView(*found)


async def share_views(tx: Tx, grant_id: str) -> list[ShareView]:
    """Where a grant may be used, in order of the sites' ids."""
    query = (
        select(GrantSiteRow, SiteRow.last_seen_at)
        .join(SiteRow, SiteRow.id == GrantSiteRow.site_id)
        .where(GrantSiteRow.grant_id == grant_id)
        .order_by(GrantSiteRow.site_id)
    )
    return [ShareView(*line) for line in await tx.execute(query)]


async def outage_rows(tx: Tx, site_id: str, *, limit: int) -> list[OutageRow]:
    """A site's outages, newest first."""
    query = select(OutageRow).where(OutageRow.site_id == site_id)
    return list(await tx.scalars(query.order_by(OutageRow.began_at.desc()).limit(limit)))


async def double_rows(
    tx: Tx, *, after: Mark | None, limit: int, branches: Branches = None
) -> list[DoubleRedemptionRow]:
    """Codes that were redeemed twice, newest first."""
    row = DoubleRedemptionRow
    query = _page(select(row), at=row.found_at, key=row.redemption_id, after=after, limit=limit)
    return list(await tx.scalars(query.where(within(row, branches))))


def _grants() -> Query:
    return (
        select(GrantRow, PlanRow, SubscriberRow.msisdn)
        .join(PlanRow, PlanRow.id == GrantRow.plan_id)
        .outerjoin(SubscriberRow, SubscriberRow.id == GrantRow.subscriber_id)
    )


async def token_views(
    tx: Tx,
    *,
    after: Mark | None,
    limit: int,
    site_id: str | None = None,
    branches: Branches = None,
) -> list[TokenView]:
    """Tokens, newest first, of one site where asked."""
    query = _page(_tokens(), at=TokenRow.issued_at, key=TokenRow.id, after=after, limit=limit)
    query = query.where(within(TokenRow, branches))
    if site_id is not None:
        query = query.where(TokenRow.site_id == site_id)
    return [TokenView(*line) for line in await tx.execute(query)]


async def token_view(tx: Tx, token_id: str) -> TokenView | None:
    """One token, or None."""
    found = (await tx.execute(_tokens().where(TokenRow.id == token_id))).first()
    return None if found is None else TokenView(*found)


def _tokens() -> Query:
    newest_sms = (
        select(SmsRow.state)
        .where(SmsRow.about == literal("token ") + TokenRow.id)
        .order_by(SmsRow.created_at.desc(), SmsRow.id)
        .limit(1)
        .correlate(TokenRow)
        .scalar_subquery()
    )
    return select(TokenRow, SubscriberRow.msisdn, newest_sms).outerjoin(
        SubscriberRow, SubscriberRow.id == TokenRow.subscriber_id
    )


async def balance_views(tx: Tx) -> list[BalanceView]:
    """What every account holds, in order of its name. All of one currency sum to zero."""
    sides = union_all(
        select(
            PostingRow.target.label("account"),
            PostingRow.currency.label("currency"),
            PostingRow.amount_minor.label("minor"),
        ),
        select(PostingRow.source, PostingRow.currency, -PostingRow.amount_minor),
    ).subquery()
    query = (
        select(sides.c.account, sides.c.currency, func.sum(sides.c.minor))
        .group_by(sides.c.account, sides.c.currency)
        .order_by(sides.c.account, sides.c.currency)
    )
    return [
        BalanceView(account, currency, int(minor))
        for account, currency, minor in await tx.execute(query)
    ]


async def transaction_views(tx: Tx, *, after: Mark | None, limit: int) -> list[TransactionView]:
    """Ledger transactions with their postings, newest first."""
    query = _page(
        select(LedgerTransactionRow),
        at=LedgerTransactionRow.at,
        key=LedgerTransactionRow.id,
        after=after,
        limit=limit,
    )
    rows = list(await tx.scalars(query))
    ids = [row.id for row in rows]
    postings = select(PostingRow).where(PostingRow.transaction_id.in_(ids)).order_by(PostingRow.n)
    by_transaction: dict[str, list[PostingRow]] = {}
    for posting in await tx.scalars(postings):
        by_transaction.setdefault(posting.transaction_id, []).append(posting)
    return [TransactionView(row, tuple(by_transaction.get(row.id, ()))) for row in rows]


async def pool_rows(tx: Tx, site_id: str) -> list[PoolRow]:
    """A site's pools, in order of their ids."""
    query = select(PoolRow).where(PoolRow.site_id == site_id).order_by(PoolRow.id)
    return list(await tx.scalars(query))


async def garden_rows(tx: Tx, site_id: str | None, *, branches: Branches = None) -> list[GardenRow]:
    """The garden: all of it, or what is reached at one site."""
    query = select(GardenRow).where(within(GardenRow, branches))
    query = query.order_by(GardenRow.entry, GardenRow.site_id)
    if site_id is not None:
        query = query.where(GardenRow.site_id.in_(["", site_id]))
    return list(await tx.scalars(query))


async def probe_views(
    tx: Tx, *, after: Mark | None = None, limit: int = PAGE_LINES_MAX, site_id: str
) -> list[ProbeView]:
    """A site's probes with their results, newest first."""
    query = _page(_probes(), at=ProbeRow.asked_at, key=ProbeRow.id, after=after, limit=limit)
    found = await tx.execute(query.where(ProbeRow.site_id == site_id))
    return [ProbeView(row, result) for row, result in found]


async def probe_view(tx: Tx, site_id: str, probe_id: str) -> ProbeView | None:
    """One probe, or None."""
    query = _probes().where(ProbeRow.site_id == site_id, ProbeRow.id == probe_id)
    found = (await tx.execute(query)).first()
    return None if found is None else ProbeView(*found)


def _probes() -> Query:
    same = and_(ProbeResultRow.site_id == ProbeRow.site_id, ProbeResultRow.probe_id == ProbeRow.id)
    return select(ProbeRow, ProbeResultRow).outerjoin(ProbeResultRow, same)


async def notice_rows(
    tx: Tx,
    *,
    after: Mark | None = None,
    limit: int = PAGE_LINES_MAX,
    site_id: str | None = None,
    branches: Branches = None,
) -> list[NoticeRow]:
    """Notices, newest first, of one site where asked."""
    query = _page(select(NoticeRow), at=NoticeRow.at, key=NoticeRow.id, after=after, limit=limit)
    query = query.where(within(NoticeRow, branches))
    if site_id is not None:
        query = query.where(NoticeRow.site_id == site_id)
    return list(await tx.scalars(query))


async def sms_rows(
    tx: Tx,
    *,
    after: Mark | None = None,
    limit: int = PAGE_LINES_MAX,
    branches: Branches = None,
) -> list[SmsRow]:
    """Text messages, newest first."""
    query = _page(select(SmsRow), at=SmsRow.created_at, key=SmsRow.id, after=after, limit=limit)
    return list(await tx.scalars(query.where(within(SmsRow, branches))))


async def sms_month(tx: Tx, since: datetime, until: datetime) -> SmsMonth:
    """What was sent from ``since`` up to, and without, ``until``, and what that cost."""
    row = SmsRow
    query = select(
        func.count(),
        func.coalesce(func.sum(row.parts), 0),
        func.count().filter(row.delivery == "delivered"),
        func.count().filter(row.delivery == "failed"),
        func.coalesce(func.sum(row.cost_e4), 0),
        func.count().filter(row.cost_e4.is_(None)),
    ).where(row.sent_at >= since, row.sent_at < until)
    sums = (await tx.execute(query)).one()
    return SmsMonth(*(int(one) for one in sums))


async def takings_since(tx: Tx, since: datetime, *, branches: Branches = None) -> Takings:
    """What was settled since ``since``."""
    query = select(func.count(), func.coalesce(func.sum(PaymentRow.amount_minor), 0)).where(
        PaymentRow.settled_at >= since,
        PaymentRow.currency == "KES",
        within(PaymentRow, branches),
    )
    settled, minor = (await tx.execute(query)).one()
    return Takings(int(settled), int(minor))


async def sessions_open(tx: Tx, *, branches: Branches = None) -> int:
    """How many sessions are open."""
    query = select(func.count()).select_from(SessionRow)
    query = query.where(SessionRow.closed_at.is_(None), within(SessionRow, branches))
    return int((await tx.execute(query)).scalar_one())


async def schema_revision(tx: Tx) -> str:
    """The migration that the database stands at. Raises a database error when there is none."""
    return str((await tx.execute(text("SELECT version_num FROM alembic_version"))).scalar_one())


def _page(query: Query, *, at: Any, key: Any, after: Mark | None, limit: int) -> Query:
    """``query`` newest first, from after ``after``; ``key`` breaks ties."""
    if after is not None:
        query = query.where(or_(at < after.at, and_(at == after.at, key < after.id)))
    return query.order_by(at.desc(), key.desc()).limit(limit)
