"""The sums of reports: the database adds up, and hands out a row for each day and account.

What was paid of an invoice is shared out over the parts of its lines by what stands before them:
of ``p`` paid in all, the parts up to a certain one have ``p * their sum // total``. So a part never
gets more than it has, the parts of a payment sum to it to the cent, and a line that is paid in full
has got exactly its amounts, in however many parts that happened. (The products fit 63 bits up to an
invoice of KES 30,000,000.)
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, cast, exists, func, literal, or_, select, text, union_all
from sqlalchemy.orm import aliased

from billing.accounts import tax_due
from billing.ageing import BUCKETS, Bucket
from billing.invoice import DocumentKind
from billing.period import day_of
from billing.tax import Tax
from controller.reports.earned import Earned, Source
from controller.reports.owed import Owing, bounds
from controller.reports.sellers import Sold
from controller.store.billing_rows import (
    AllocationRow,
    DebtRow,
    DocumentLineRow,
    DocumentRow,
    VoucherSaleRow,
)
from controller.store.code_rows import VoucherRow
from controller.store.rows import LedgerTransactionRow, PlanRow, PostingRow, SubscriberRow

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement

    from controller.store.database import Tx

ON_ACCOUNT, WALLET, NONE = "on account", "wallet", "none"
"""Rails of what was not paid when it was invoiced, of what a wallet paid, and of nothing."""

PARTS = (
    DocumentLineRow.net_minor,
    DocumentLineRow.excise_minor,
    DocumentLineRow.vat_minor,
)
"""What a line consists of."""

INCOME = "income:"
INVOICED = "document:"
NO_SALES = (INVOICED, "allocated:", "received:")
"""How the ids of transactions begin that are no sales, and are the most of them."""

SOURCES = {"payment": Source.HOTSPOT, "voucher-sale": Source.VOUCHER}


async def invoiced(tx: Tx, since: datetime, until: datetime) -> list[Earned]:
    """What invoices charged, less what credit notes took back, by the day of issue."""
    sign = case((DocumentRow.kind == DocumentKind.CREDIT_NOTE, -1), else_=1)
    day = _day(tx, DocumentRow.issued_at)
    key = (day, DocumentRow.kind, DocumentLineRow.account, DocumentLineRow.tax_class)
    query = (
        select(
            *key,
            func.sum(sign * DocumentLineRow.net_minor),
            func.sum(sign * DocumentLineRow.excise_minor),
            func.sum(sign * DocumentLineRow.vat_minor),
        )
        .join(DocumentRow, DocumentRow.id == DocumentLineRow.document_id)
        .where(DocumentRow.issued_at >= since, DocumentRow.issued_at < until)
        .group_by(*key)
    )
    sources = {
        DocumentKind.INVOICE: Source.INVOICE,
        DocumentKind.CREDIT_NOTE: Source.CREDIT_NOTE,
    }
    return [
        Earned(
            day=date.fromisoformat(at),
            account=account,
            source=sources[DocumentKind(kind)],
            rail=ON_ACCOUNT,
            tax_class=tax_class,
            net_minor=int(net),
            excise_minor=int(excise),
            vat_minor=int(vat),
        )
        for at, kind, account, tax_class, net, excise, vat in await tx.execute(query)
    ]


async def paid(tx: Tx, since: datetime, until: datetime) -> list[Earned]:
    """What wallets paid of invoices (less what was taken back), shared out over their lines."""
    # Most invoices are paid at once: their lines need no sharing out.
    found = [
        *await tx.execute(_paid_at_once(tx, since, until)),
        *await tx.execute(_paid_in_parts(tx, since, until)),
    ]
    return [
        Earned(
            day=date.fromisoformat(at),
            account=account,
            source=Source.PAID,
            rail=WALLET,
            tax_class=tax_class,
            net_minor=int(net),
            excise_minor=int(excise),
            vat_minor=int(vat),
        )
        for at, account, tax_class, net, excise, vat in found
    ]


def _at_once() -> Any:
    """Whether an allocation is all that ever was allocated to an invoice, and all of it."""
    other = aliased(AllocationRow)
    another = exists().where(
        other.document_id == AllocationRow.document_id, other.id != AllocationRow.id
    )
    return (AllocationRow.amount_minor == DocumentRow.total_minor) & ~another


def _within(since: datetime, until: datetime) -> Any:
    return (AllocationRow.at >= since) & (AllocationRow.at < until)


def _paid_at_once(tx: Tx, since: datetime, until: datetime) -> Any:
    key = (_day(tx, AllocationRow.at), DocumentLineRow.account, DocumentLineRow.tax_class)
    return (
        select(*key, *(func.sum(amount) for amount in PARTS))
        .select_from(AllocationRow)
        .join(DocumentRow, DocumentRow.id == AllocationRow.document_id)
        .join(DocumentLineRow, DocumentLineRow.document_id == AllocationRow.document_id)
        .where(_within(since, until), _at_once())
        .group_by(*key)
    )


def _paid_in_parts(tx: Tx, since: datetime, until: datetime) -> Any:
    documents = (
        select(AllocationRow.document_id)
        .join(DocumentRow, DocumentRow.id == AllocationRow.document_id)
        .where(_within(since, until), ~_at_once())
    )
    moved, parts, whole = _moved(documents), _parts(documents), DocumentRow.total_minor

    def up_to(amount: Any) -> Any:
        return amount * parts.c.after // whole - amount * parts.c.before // whole

    share = up_to(moved.c.after) - up_to(moved.c.before)
    key = (_day(tx, moved.c.at), parts.c.account, parts.c.tax_class)
    return (
        select(
            *key,
            *(
                func.coalesce(func.sum(share).filter(parts.c.part == part), 0)
                for part in range(len(PARTS))
            ),
        )
        .select_from(moved)
        .join(DocumentRow, DocumentRow.id == moved.c.document_id)
        .join(parts, parts.c.document_id == moved.c.document_id)
        .where(moved.c.at >= since, moved.c.at < until)
        .group_by(*key)
    )


def _moved(documents: Any) -> Any:
    """Every allocation to these invoices, with what was paid before and after it."""
    window = func.sum(AllocationRow.amount_minor).over(
        partition_by=AllocationRow.document_id, order_by=(AllocationRow.at, AllocationRow.id)
    )
    after = cast(window, PostingRow.amount_minor.type)
    return (
        select(
            AllocationRow.document_id,
            AllocationRow.at,
            after.label("after"),
            (after - AllocationRow.amount_minor).label("before"),
        )
        .where(AllocationRow.document_id.in_(documents))
        .subquery()
    )


def _parts(documents: Any) -> Any:
    """The net, excise and VAT of every line of invoices, with the sum before and after each.

    Discounts come last, so that no sum is below zero.
    """
    each = union_all(
        *(
            select(
                DocumentLineRow.document_id,
                DocumentLineRow.n,
                literal(part).label("part"),
                DocumentLineRow.account,
                DocumentLineRow.tax_class,
                amount.label("minor"),
            ).where(amount != 0, DocumentLineRow.document_id.in_(documents))
            for part, amount in enumerate(PARTS)
        )
    ).subquery()
    window = func.sum(each.c.minor).over(
        partition_by=each.c.document_id,
        order_by=(case((each.c.minor > 0, 0), else_=1), each.c.n, each.c.part),
    )
    after = cast(window, PostingRow.amount_minor.type)
    return select(
        each.c.document_id,
        each.c.part,
        each.c.account,
        each.c.tax_class,
        after.label("after"),
        (after - each.c.minor).label("before"),
    ).subquery()


async def sold(tx: Tx, since: datetime, until: datetime) -> list[Earned]:
    """Income of everything but documents: hotspot and voucher sales, which are paid at once."""
    each = _sales(since, until).subquery()
    day = _day(tx, each.c.at)
    key = (day, each.c.kind, each.c.account, each.c.till)
    sums = (func.sum(each.c[name]) for name in ("net", "excise", "vat"))
    query = select(*key, *sums).group_by(*key)
    return [
        Earned(
            day=date.fromisoformat(at),
            account=account,
            source=SOURCES.get(kind, Source.OTHER),
            rail=till.split(":")[1] if till else NONE,
            tax_class="",
            net_minor=int(net),
            excise_minor=int(excise),
            vat_minor=int(vat),
        )
        for at, kind, account, till, net, excise, vat in await tx.execute(query)
    ]


def _sales(since: datetime, until: datetime) -> Any:
    """A row for each transaction that earned something and issued nothing."""
    source, target, minor = PostingRow.source, PostingRow.target, PostingRow.amount_minor

    def earned(matches: Any) -> ColumnElement[int]:
        return func.sum(case((matches(source), minor), (matches(target), -minor), else_=0))

    account = case((source.startswith(INCOME), source), (target.startswith(INCOME), target))
    name = LedgerTransactionRow.id
    return (
        select(
            LedgerTransactionRow.at.label("at"),
            _kind(name).label("kind"),
            func.max(account).label("account"),
            func.max(case((target.startswith("asset:"), target))).label("till"),
            earned(lambda one: one.startswith(INCOME)).label("net"),
            earned(lambda one: one == tax_due(Tax.EXCISE)).label("excise"),
            earned(lambda one: one == tax_due(Tax.VAT)).label("vat"),
        )
        .join(PostingRow, PostingRow.transaction_id == name)
        .where(
            LedgerTransactionRow.at >= since,
            LedgerTransactionRow.at < until,
            *(~name.startswith(prefix) for prefix in NO_SALES),
        )
        .group_by(name, LedgerTransactionRow.at)
        .having(func.max(account).is_not(None))
    )


def _kind(name: Any) -> ColumnElement[str]:
    return case(*((name.startswith(f"{kind}:"), kind) for kind in SOURCES), else_="")


async def owing(tx: Tx, now: datetime) -> list[Owing]:
    """What every subscriber owes, by age."""
    bucket = case(
        *(
            (DebtRow.due_at > at if n == 0 else DebtRow.due_at >= at, b.value)
            for n, (b, at) in enumerate(bounds(now))
        ),
        else_=Bucket.OVER_90.value,
    )
    query = (
        select(
            SubscriberRow.id,
            SubscriberRow.name,
            SubscriberRow.msisdn,
            SubscriberRow.branch_id,
            SubscriberRow.segment,
            func.count(),
            func.min(DebtRow.due_at),
            *(
                func.coalesce(func.sum(DebtRow.open_minor).filter(bucket == b.value), 0)
                for b in BUCKETS
            ),
        )
        .join(DebtRow, DebtRow.subscriber_id == SubscriberRow.id)
        .where(DebtRow.settled_at.is_(None))
        .group_by(
            SubscriberRow.id,
            SubscriberRow.name,
            SubscriberRow.msisdn,
            SubscriberRow.branch_id,
            SubscriberRow.segment,
        )
    )
    return [
        Owing(
            subscriber_id=name,
            name=called,
            phone=phone,
            branch=branch,
            segment=segment,
            invoices=count,
            oldest_due=day_of(oldest),
            aged_minor={b: int(minor) for b, minor in zip(BUCKETS, aged, strict=True)},
        )
        for name, called, phone, branch, segment, count, oldest, *aged in await tx.execute(query)
    ]


async def vouchers_sold(
    tx: Tx, since: datetime, until: datetime, *, branch: str = ""
) -> list[Sold]:
    """What sellers took of batches in a span of time, and the batches of it that nobody took."""
    batches = (
        select(
            VoucherRow.batch.label("batch"),
            func.min(VoucherRow.plan_id).label("plan_id"),
            func.min(VoucherRow.created_at).label("made_at"),
            func.count().label("made"),
            func.count(VoucherRow.redeemed_at).label("redeemed"),
        )
        .group_by(VoucherRow.batch)
        .subquery()
    )
    taken = select(
        VoucherSaleRow.seller,
        VoucherSaleRow.batch,
        func.sum(VoucherSaleRow.count).label("count"),
        func.sum(VoucherSaleRow.amount_minor).label("amount"),
        func.sum(VoucherSaleRow.commission_minor).label("commission"),
    ).where(VoucherSaleRow.at >= since, VoucherSaleRow.at < until)
    if branch:
        taken = taken.where(VoucherSaleRow.branch_id == branch)
    sales = taken.group_by(VoucherSaleRow.seller, VoucherSaleRow.batch).subquery()
    ever = select(VoucherSaleRow.batch)
    untaken = (
        batches.c.batch.not_in(ever) & (batches.c.made_at >= since) & (batches.c.made_at < until)
    )
    query = select(
        sales.c.seller,
        batches.c.batch,
        batches.c.plan_id,
        batches.c.made,
        batches.c.redeemed,
        sales.c.count,
        sales.c.amount,
        sales.c.commission,
    ).select_from(batches.outerjoin(sales, sales.c.batch == batches.c.batch))
    wanted = sales.c.seller.is_not(None) if branch else or_(sales.c.seller.is_not(None), untaken)
    return [
        Sold(
            seller or "",
            batch,
            plan_id,
            made,
            redeemed,
            int(count or 0),
            int(amount or 0),
            int(kept or 0),
        )
        for seller, batch, plan_id, made, redeemed, count, amount, kept in await tx.execute(
            query.where(wanted)
        )
    ]


async def tax_classes(tx: Tx) -> dict[str, str]:
    """The tax class of every plan."""
    query = select(PlanRow.id, PlanRow.tax_class)
    return {row.id: row.tax_class for row in await tx.execute(query)}


def _day(tx: Tx, at: Any) -> Any:
    """The day of a moment in Nairobi, as ``2026-11-03``."""
    if tx.get_bind().dialect.name == "sqlite":
        return func.date(at, "+3 hours")
    here = func.timezone("UTC", at) + text("interval '3 hours'")
    return func.to_char(here, "YYYY-MM-DD")
