"""The peer of ``invoice``: a loop over subscribers with SQLAlchemy's ORM, as they are written.

It asks the same pure rule and writes the same rows, each as an object; it is given what makes an
ORM loop fast: plans and rates loaded once, no automatic flush, a commit for every 500 subscribers
with a flush for each table, so that the unit of work gathers its inserts into long statements.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, func, select
from sqlalchemy.orm import Session

from billing.accounts import wallet
from billing.charge import Account, Catalogue, Taken
from billing.charge import Use as Volume
from billing.dunning import DEFAULT
from billing.grant import Spent
from billing.invoice import DocumentKind, series_of
from billing.money import Money
from billing.promo import Discount, read_terms
from billing.run import caught_up, cause_of
from billing.tax import Rate, Tax
from controller.edge import wire
from controller.store import grants
from controller.store.billing_bulk import sold_of
from controller.store.billing_rows import (
    AllocationRow,
    BilledPeriodRow,
    DebtRow,
    DocumentLineRow,
    DocumentRow,
    NumberSeriesRow,
    PromotionRow,
    PromotionUseRow,
    SubscriptionRow,
    TaxRateRow,
)
from controller.store.items import weight
from controller.store.rows import (
    GrantRow,
    GrantSiteRow,
    LedgerTransactionRow,
    PlanRow,
    PostingRow,
    SubscriberRow,
)
from controller.store.site_rows import SiteGenerationRow, SiteItemRow, SiteRow
from controller.store.subscriptions import as_contract, columns_of
from controller.usecases.frozen import Buyer, Seller
from controller.usecases.invoice_rows import InvoiceRows, Named, Payer
from tests.bench.town import DUE_AT, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from billing.run import Bill, Turn
    from controller.store.rows import Row
    from tests.bench.stores import Store

New = dict[type["Row"], list["Row"]]

ORDER = (
    GrantRow,
    GrantSiteRow,
    SiteItemRow,
    DocumentRow,
    DocumentLineRow,
    DebtRow,
    BilledPeriodRow,
    LedgerTransactionRow,
    PostingRow,
    AllocationRow,
)
"""Tables in an order in which each refers to earlier ones only."""

COMMIT_EVERY = 500
SELLER = Seller("Lango Net", "P051234567X", "Main", "00", "", "", "", "", "#0b5", "")


def invoices_a_second(store: Store, count: int) -> float:
    """Bill so many of the subscribers."""
    engine = create_engine(store.url.replace("+aiosqlite", ""))
    if store.name == "sqlite":
        event.listen(engine, "connect", _tune)
    with Session(engine, autoflush=False, expire_on_commit=False) as session:
        began = time.perf_counter()
        numbers = iter(range(count))
        prices = _catalogue(session)
        while part := list(islice(numbers, COMMIT_EVERY)):
            new: dict[type[Row], list[Row]] = {table: [] for table in ORDER}
            for number in part:
                _bill(session, prices, name_of("line", number), new)
            sites = [row for row in session.identity_map.values() if isinstance(row, SiteRow)]
            new[SiteGenerationRow] = [
                SiteGenerationRow(site_id=one.id, generation=one.generation, digest=one.digest)
                for one in sites
            ]
            for rows in new.values():
                session.add_all(rows)
                session.flush()
            session.commit()
            session.expunge_all()
        took_s = time.perf_counter() - began
        made = session.scalar(select(func.count()).select_from(DocumentRow))
    engine.dispose()
    assert made == count, f"the peer made {made} invoices"
    return count / took_s


def _tune(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _catalogue(session: Session) -> Catalogue:
    return Catalogue(
        sold={row.id: sold_of(row) for row in session.scalars(select(PlanRow))},
        prices={},
        rates=tuple(
            Rate(Tax(row.tax), row.from_day, row.basis_points)
            for row in session.scalars(select(TaxRateRow))
        ),
        vat=True,
        excise=True,
    )


def _bill(session: Session, prices: Catalogue, name: str, new: New) -> None:
    row = session.get_one(SubscriptionRow, name)
    subscriber = session.get_one(SubscriberRow, row.subscriber_id)
    grant = session.get_one(GrantRow, row.grant_id)
    account = Account(
        id=subscriber.id,
        segment=subscriber.segment,
        branch_id=subscriber.branch_id,
        wallet=_held(session, subscriber.id),
        taken=tuple(_taken(session, subscriber.id)),
    )
    uses = [Volume(name, grant.id, grant.plan_id, grant.used_bytes)] if grant.used_bytes else []
    found = caught_up(account, [as_contract(row)], uses, prices, upto=DUE_AT)
    (turn,), (bill,) = found.turns, found.bills
    _invoice(session, bill, subscriber, grant, new)
    _renew(session, row, turn, grant, new)


def _held(session: Session, subscriber_id: str) -> Money:
    name = wallet(subscriber_id)
    amount = func.coalesce(func.sum(PostingRow.amount_minor), 0)
    came = session.scalar(select(amount).where(PostingRow.source == name)) or 0
    went = session.scalar(select(amount).where(PostingRow.target == name)) or 0
    return Money(int(came) - int(went))


def _taken(session: Session, subscriber_id: str) -> Iterator[Taken]:
    query = select(PromotionUseRow).where(PromotionUseRow.subscriber_id == subscriber_id)
    for use in session.scalars(query):
        promotion = session.get_one(PromotionRow, use.promotion_id)
        terms = read_terms(promotion.terms)
        assert isinstance(terms, Discount)
        yield Taken(use.id, promotion.id, promotion.name, terms, use.periods_left)


def _invoice(
    session: Session, bill: Bill, subscriber: SubscriberRow, grant: GrantRow, new: New
) -> None:
    rows = InvoiceRows()
    series = series_of(DocumentKind.INVOICE, "main")
    numbers = session.get(NumberSeriesRow, series)
    if numbers is None:
        numbers = NumberSeriesRow(series=series, next_number=1)
        session.add(numbers)
        session.flush()
    numbers.next_number += 1
    buyer = Buyer(subscriber.name, subscriber.kra_pin, subscriber.address, subscriber.msisdn)
    rows.add(
        Named(
            bill=bill,
            payer=Payer(subscriber.id, "main", buyer, SELLER, DEFAULT),
            document_id=grants.new_id(),
            allocation_id=grants.new_id(),
            cause=cause_of(bill.period),
            grants={bill.turns[0].contract.id: grant.id},
        ),
        DUE_AT,
    )
    rows.numbered([numbers.next_number - 1])
    for table, values in (
        (DocumentRow, rows.documents),
        (DocumentLineRow, rows.lines),
        (DebtRow, rows.debts),
        (BilledPeriodRow, rows.periods),
        (LedgerTransactionRow, rows.transactions),
        (PostingRow, rows.postings),
        (AllocationRow, rows.allocations),
    ):
        new[table] += _objects(table, values)


def _objects(table: type[Row], values: list[tuple[Any, ...]]) -> list[Row]:
    names = table.__table__.columns.keys()
    return [table(**dict(zip(names, one, strict=True))) for one in values]


def _renew(session: Session, row: SubscriptionRow, turn: Turn, old: GrantRow, new: New) -> None:
    """The grant of the period that ended ends, the next begins, and the site is told of both."""
    assert turn.served is not None
    grant = GrantRow(
        id=grants.new_id(),
        site_id=row.site_id,
        subscriber_id=row.subscriber_id,
        plan_id=row.plan_id,
        cause_id=f"sub:{row.id}:{turn.served.start:%Y%m%dT%H%M%S%f}",
        devices=row.devices,
        created_at=DUE_AT,
        spent_validity_s=0,
        spent_uptime_s=0,
        used_bytes=0,
    )
    old.ended_at, old.ended_reason = DUE_AT, "renewed"
    for name, value in columns_of(turn.contract).items():
        setattr(row, name, value)
    row.grant_id = grant.id
    new[GrantRow].append(grant)
    new[GrantSiteRow].append(GrantSiteRow(grant_id=grant.id, site_id=row.site_id))
    plan = session.get_one(PlanRow, row.plan_id)
    body = wire.grant_body(grants.as_grant(grant, plan), Spent(), cause_id=grant.cause_id)
    site = session.get_one(SiteRow, row.site_id)
    gone = session.get_one(SiteItemRow, (site.id, f"grant/{old.id}"))
    total = int.from_bytes(site.digest, "big") + weight(f"grant/{grant.id}", body)
    total -= weight(gone.key, gone.body or b"")
    if site not in session.dirty:
        site.generation += 1
    site.digest = (total % 2**256).to_bytes(32, "big")
    gone.body, gone.generation = None, site.generation
    new[SiteItemRow].append(
        SiteItemRow(site_id=site.id, key=f"grant/{grant.id}", generation=site.generation, body=body)
    )
