"""What billing reads and writes for many subscribers at once: a handful of statements for a batch.

Rows go in by COPY on PostgreSQL and by one prepared statement on SQLite; nothing here makes an
object for each row.
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row as Found
from sqlalchemy import bindparam, case, func, select, union_all, update

from billing import accounts
from billing.charge import Catalogue, Contract, Sold, Taken, Use
from billing.dunning import DEFAULT, Policy, read_policy
from billing.ids import PlanId
from billing.money import Money
from billing.price import Price
from billing.promo import Coupon, Discount, read_terms
from billing.rating import read_tariff
from billing.tax import Rate, Tax, TaxClass
from controller.store import bulk_rows
from controller.store.billing_rows import (
    BilledPeriodRow,
    BillingRunRow,
    BranchRow,
    DocumentRow,
    DunningPolicyRow,
    NumberSeriesRow,
    OperatorRow,
    PriceRow,
    PromotionRow,
    PromotionUseRow,
    SubscriptionRow,
    TaxRateRow,
)
from controller.store.bulk_rows import among
from controller.store.database import inserting
from controller.store.plans import as_plan
from controller.store.rows import GrantRow, PlanRow, PostingRow, SubscriberRow
from controller.store.subscriptions import columns_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select

    from controller.store.database import Tx


PAYER = (
    SubscriberRow.id,
    SubscriberRow.msisdn,
    SubscriberRow.name,
    SubscriberRow.address,
    SubscriberRow.kra_pin,
    SubscriberRow.segment,
    SubscriberRow.branch_id,
)
"""What billing wants to know of a subscriber."""


async def due_subscribers(tx: Tx, upto: datetime, *, limit: int) -> list[str]:
    """Subscribers of whom something is due, those whose turn comes first, by id.

    They are locked, and those that somebody else holds just now are left out. Of what was done
    while this looked, some may be among them.
    """
    query = (
        select(SubscriberRow.id)
        .join(SubscriptionRow, SubscriptionRow.subscriber_id == SubscriberRow.id)
        .where(SubscriptionRow.bill_at <= upto)
        .order_by(SubscriptionRow.bill_at, SubscriptionRow.subscriber_id)
        .limit(limit)
        .with_for_update(of=SubscriberRow, key_share=True, skip_locked=True)
    )
    return sorted(set(await tx.scalars(query)))


async def due_page(tx: Tx, upto: datetime, *, after: str, limit: int) -> list[str]:
    """Subscribers of whom something is due, or a pause over, by then, by id, behind ``after``."""
    query = (
        select(SubscriptionRow.subscriber_id)
        .where(_due(upto, paused=True), SubscriptionRow.subscriber_id > after)
        .distinct()
        .order_by(SubscriptionRow.subscriber_id)
        .limit(limit)
    )
    return list(await tx.scalars(query))


def _due(upto: datetime, *, paused: bool) -> ColumnElement[bool]:
    due = SubscriptionRow.bill_at <= upto
    over = (SubscriptionRow.state == "paused") & (SubscriptionRow.resume_at <= upto)
    return due | over if paused else due


async def subscribers(tx: Tx, ids: Collection[str], *, lock: bool) -> dict[str, Found[Any]]:
    """Subscribers (`PAYER`) by id; with ``lock`` those that nobody else holds just now, locked."""
    query = select(*PAYER).where(among(tx, SubscriberRow.id, ids))
    query = query.order_by(SubscriberRow.id)
    if lock:
        query = query.with_for_update(key_share=True, skip_locked=True)
    return {row.id: row for row in await _rows(tx, query)}


async def due_of(
    tx: Tx, subscriber_ids: Collection[str], upto: datetime, *, lock: bool, paused: bool
) -> list[Found[Any]]:
    """The subscriptions of these (locked) subscribers that are due, by subscriber and id."""
    query = (
        select(*(c for c in SubscriptionRow.__table__.c if c.key != "created_at"))
        .where(among(tx, SubscriptionRow.subscriber_id, subscriber_ids), _due(upto, paused=paused))
        .order_by(SubscriptionRow.subscriber_id, SubscriptionRow.id)
    )
    if lock:
        query = query.with_for_update(key_share=True)
    return list(await _rows(tx, query))


async def wallets(tx: Tx, subscriber_ids: Collection[str]) -> dict[str, int]:
    """What wallets hold, in minor units; those that never held anything are not named."""
    names = {str(accounts.wallet(one)): one for one in subscriber_ids}
    parts = union_all(
        select(PostingRow.source.label("name"), PostingRow.amount_minor.label("minor")).where(
            among(tx, PostingRow.source, names)
        ),
        select(PostingRow.target, -PostingRow.amount_minor).where(
            among(tx, PostingRow.target, names)
        ),
    ).subquery()
    query = select(parts.c.name, func.sum(parts.c.minor)).group_by(parts.c.name)
    return {names[name]: int(minor) for name, minor in await _rows(tx, query)}


async def uses(
    tx: Tx, subscriptions: Sequence[Found[Any] | SubscriptionRow], *, since: datetime
) -> list[Use]:
    """Volume of periods that ended after ``since``, or that run, which is not charged yet."""
    ids = [row.id for row in subscriptions]
    running = [row.grant_id for row in subscriptions if row.mode == "arrears" and row.grant_id]
    billed = (
        select(
            BilledPeriodRow.subscription_id.label("subscription_id"),
            BilledPeriodRow.grant_id.label("grant_id"),
            func.max(BilledPeriodRow.billed_bytes).label("billed"),
        )
        .where(
            among(tx, BilledPeriodRow.subscription_id, ids),
            BilledPeriodRow.end_at > since,
            BilledPeriodRow.grant_id.is_not(None),
        )
        .group_by(BilledPeriodRow.subscription_id, BilledPeriodRow.grant_id)
    )
    now_running = (
        select(SubscriptionRow.id, SubscriptionRow.grant_id, func.min(0))
        .where(among(tx, SubscriptionRow.id, ids), among(tx, SubscriptionRow.grant_id, running))
        .group_by(SubscriptionRow.id, SubscriptionRow.grant_id)
    )
    parts = union_all(billed, now_running).subquery()
    query = (
        select(
            parts.c.subscription_id,
            parts.c.grant_id,
            GrantRow.plan_id,
            GrantRow.used_bytes,
            func.max(parts.c.billed),
        )
        .join(GrantRow, GrantRow.id == parts.c.grant_id)
        .join(PlanRow, PlanRow.id == GrantRow.plan_id)
        .where(PlanRow.tariff.is_not(None))
        .group_by(parts.c.subscription_id, parts.c.grant_id, GrantRow.plan_id, GrantRow.used_bytes)
        .having(GrantRow.used_bytes > func.max(parts.c.billed))
        .order_by(parts.c.subscription_id, parts.c.grant_id)
    )
    return [Use(*row) for row in await _rows(tx, query)]


async def promotions(tx: Tx, subscriber_ids: Collection[str]) -> dict[str, list[Taken]]:
    """The discounts that these subscribers took up and that still lower an invoice."""
    query = (
        select(
            PromotionUseRow.subscriber_id,
            PromotionUseRow.id,
            PromotionUseRow.periods_left,
            PromotionRow.id.label("promotion_id"),
            PromotionRow.name,
            PromotionRow.terms,
        )
        .join(PromotionRow, PromotionRow.id == PromotionUseRow.promotion_id)
        .where(
            among(tx, PromotionUseRow.subscriber_id, subscriber_ids),
            PromotionRow.kind.in_(("discount", "coupon")),
            PromotionUseRow.reversed_at.is_(None),
            PromotionUseRow.periods_left.is_(None) | (PromotionUseRow.periods_left > 0),
        )
        .order_by(PromotionUseRow.subscriber_id, PromotionUseRow.at, PromotionUseRow.id)
    )
    found: dict[str, list[Taken]] = {}
    for row in await _rows(tx, query):
        terms = read_terms(row.terms)
        assert isinstance(terms, Discount | Coupon)
        found.setdefault(row.subscriber_id, []).append(
            Taken(
                use_id=row.id,
                promotion_id=row.promotion_id,
                name=row.name,
                terms=terms,
                left=row.periods_left,
            )
        )
    return found


async def catalogue(tx: Tx) -> Catalogue:
    """Everything that has a price, and what is charged on it."""
    operator = await tx.get_one(OperatorRow, 1)
    prices: dict[str, list[Price]] = {}
    for row in await tx.scalars(select(PriceRow)):
        price = Price(
            PlanId(row.plan_id),
            row.segment,
            row.branch_id,
            Money(row.amount_minor, row.currency),
            row.from_day,
            row.until_day,
        )
        prices.setdefault(row.plan_id, []).append(price)
    return Catalogue(
        sold={row.id: sold_of(row) for row in await tx.scalars(select(PlanRow))},
        prices=prices,
        rates=tuple(
            Rate(Tax(row.tax), row.from_day, row.basis_points)
            for row in await tx.scalars(select(TaxRateRow))
        ),
        vat=operator.vat_registered,
        excise=operator.excise_registered,
    )


def sold_of(row: PlanRow) -> Sold:
    """A plan as it is billed."""
    return Sold(
        plan=as_plan(row),
        tax_class=TaxClass(row.tax_class),
        tax_included=row.tax_included,
        tariff=None if row.tariff is None else read_tariff(row.tariff),
    )


async def policies(tx: Tx) -> dict[str, Policy]:
    """What happens to unpaid invoices, by segment; "" is for all others."""
    rows = await tx.scalars(select(DunningPolicyRow))
    return {"": DEFAULT} | {row.segment: read_policy(row.steps) for row in rows}


async def sellers(tx: Tx) -> tuple[OperatorRow, dict[str, BranchRow]]:
    """Who sells, and at which branches."""
    branches = {row.id: row for row in await tx.scalars(select(BranchRow))}
    return await tx.get_one(OperatorRow, 1), branches


async def causes(
    tx: Tx, subscriber_ids: Collection[str], *, since: datetime
) -> set[tuple[str, str]]:
    """The invoices (subscriber and cause) that were issued for periods from then on."""
    query = select(DocumentRow.subscriber_id, DocumentRow.cause).where(
        among(tx, DocumentRow.subscriber_id, subscriber_ids),
        DocumentRow.kind == "invoice",
        DocumentRow.period_start >= since,
    )
    return {(one, cause) for one, cause in await _rows(tx, query)}


async def take_numbers(tx: Tx, series: str, count: int) -> int:
    """The first of so many numbers of a series, taken at once. The last lock of a transaction."""
    statement = inserting(tx, NumberSeriesRow).values(series=series, next_number=1 + count)
    taken = statement.on_conflict_do_update(
        index_elements=["series"], set_={"next_number": NumberSeriesRow.next_number + count}
    ).returning(NumberSeriesRow.next_number)
    return (await tx.execute(taken)).scalar_one() - count


async def turn(
    tx: Tx,
    changed: Iterable[tuple[Contract, str | None]],
    was: Mapping[str, Found[Any]],
    now: datetime,
) -> None:
    """Keep what contracts have become, each with the grant that it has then."""
    rows = list[bulk_rows.Values]()
    columns: tuple[str, ...] = ()
    for contract, grant_id in changed:
        old, new = was[contract.id], columns_of(contract)
        state_at = old.state_at if old.state == contract.state else now
        columns = ("id", "grant_id", "state_at", *new)
        rows.append((contract.id, grant_id, state_at, *new.values()))
    await bulk_rows.change(tx, SubscriptionRow, rows, columns=columns, keys=("id",))


async def charged(tx: Tx, of: Iterable[Use]) -> None:
    """Note how much of grants has been charged by volume."""
    keys = ("subscription_id", "grant_id")
    rows = [(use.contract_id, use.grant_id, use.used_bytes) for use in of]
    await bulk_rows.change(tx, BilledPeriodRow, rows, columns=(*keys, "billed_bytes"), keys=keys)


async def lowered(tx: Tx, use_ids: Iterable[str]) -> None:
    """Note that promotions have lowered so many more invoices: one for each time they are named."""
    values = [{"the_id": name, "times": times} for name, times in Counter(use_ids).items()]
    left = PromotionUseRow.periods_left - bindparam("times")
    statement = (
        update(PromotionUseRow)
        .where(PromotionUseRow.id == bindparam("the_id"), PromotionUseRow.periods_left.is_not(None))
        .values(periods_left=case((left < 0, 0), else_=left))
    )
    if values:
        await (await tx.connection()).execute(statement, values)


async def _rows(tx: Tx, query: Select[*tuple[Any, ...]]) -> Iterable[Any]:
    """What a query finds, as plain rows: the session need not look at each of them."""
    return (await (await tx.connection()).execute(query)).all()


async def note_run(tx: Tx, *, began_at: datetime, ended_at: datetime, done: str) -> None:
    """Keep what a round of due work has done."""
    tx.add(BillingRunRow(id=secrets.token_hex(16), began_at=began_at, ended_at=ended_at, done=done))
