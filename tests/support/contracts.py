"""Subscribers with subscriptions, for tests of billing: plans, money, use, and what came of it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from billing import accounts
from billing.ids import PlanId
from billing.ledger import balances
from billing.money import Money
from billing.period import NAIROBI, Cycle, Unit, midnight
from billing.plan import Plan
from billing.rating import Formula, Tariff, Tier, tariff_text
from controller.store import ledger, plans
from controller.store.billing_rows import (
    BilledPeriodRow,
    DebtRow,
    DocumentLineRow,
    DocumentRow,
    NumberSeriesRow,
    SubscriptionRow,
)
from controller.store.rows import GrantRow, PlanRow, SubscriberRow
from controller.store.site_rows import SiteItemRow
from controller.usecases.agreements import NewSubscription
from controller.usecases.billing_run import bill_due
from controller.usecases.dunning import dun_due
from controller.usecases.money_in import receive
from controller.usecases.subscriptions import start, use_wallet
from tests.support.builders import MAC, SITE, hex_id, limits

if TYPE_CHECKING:
    from billing.charge import Mode
    from controller.store.database import Database, Tx
    from tests.support.builders import World

MONTH = Cycle(Unit.MONTH)
FIBRE = PlanId("fibre")
FASTER = PlanId("faster")
METERED = PlanId("metered")
GB = 1_000_000_000
PER_GB = Tariff(Formula.GRADUATED, GB, (Tier(None, Money(10_00)),))
"""Ten shillings for each gigabyte."""

_NUMBERS = itertools.count(1)


def at(day: str, clock: str = "00:00") -> datetime:
    """A moment in Nairobi, by its day and its clock there."""
    hours, minutes = clock.split(":")
    start = midnight(date.fromisoformat(day))
    return start + timedelta(hours=int(hours), minutes=int(minutes))


async def with_plans(world: World) -> World:
    """The world with three plans for contracts: 3,000, 6,000, and 1,000 with ten for each GB."""
    await _sell(world, FIBRE, 3_000)
    await _sell(world, FASTER, 6_000)
    await _sell(world, METERED, 1_000, tariff=PER_GB)
    return world


async def _sell(
    world: World, plan_id: PlanId, shillings: int, *, tariff: Tariff | None = None
) -> None:
    plan = Plan(
        id=plan_id,
        name=plan_id.capitalize(),
        price=Money(shillings * 100),
        limits=replace(limits(), validity_s=100 * 86_400),
    )
    async with world.deps.db.begin() as tx:
        await plans.insert(tx, plan, rank=9, now=world.deps.now())
        await tx.execute(
            update(PlanRow)
            .where(PlanRow.id == plan_id)
            .values(audience="contract", tariff=tariff and tariff_text(tariff))
        )


async def a_subscriber(
    world: World, name: str = "amina", *, segment: str = "residential", branch_id: str = "main"
) -> str:
    """A subscriber of that name; the id."""
    number = next(_NUMBERS)
    row = SubscriberRow(
        id=hex_id(name),
        msisdn=f"2547{number:08d}",
        created_at=world.deps.now(),
        name=name,
        segment=segment,
        branch_id=branch_id,
    )
    async with world.deps.db.begin() as tx:
        tx.add(row)
    return hex_id(name)


async def subscribed(
    world: World,
    subscriber: str,
    mode: Mode,
    *,
    plan_id: str = FIBRE,
    cycle: Cycle = MONTH,
    name: str = "line",
    begins_at: datetime | None = None,
    price: Money | None = None,
    devices: tuple[str, ...] = (MAC,),
) -> str:
    """A subscription at the usual site, from now on; the id."""
    new = NewSubscription(
        id=sha256(f"{subscriber} {name}".encode()).hexdigest()[:32],
        subscriber=subscriber,
        plan_id=plan_id,
        site_id=SITE,
        mode=mode,
        cycle=cycle,
        devices=devices,
        begins_at=begins_at,
        price=price,
    )
    return (await start(world.deps, new)).id


async def pays(world: World, subscriber: str, shillings: int) -> None:
    """Money comes in for a subscriber, and does what it can."""
    name = hex_id(f"money{next(_NUMBERS)}")
    await receive(
        world.deps,
        msisdn_or_id=subscriber,
        amount=Money(shillings * 100),
        rail="cash",
        receipt="",
        idempotent=name,
    )
    await use_wallet(world.deps, subscriber)


async def run_at(world: World, day: str, clock: str = "00:00") -> None:
    """Let time come, and all that is due be done: billing, then dunning."""
    world.clock.to(at(day, clock))
    await bill_due(world.deps)
    await dun_due(world.deps)


async def used(world: World, grant_id: str | None, total_bytes: int) -> None:
    """What sites have reported of a grant, altogether."""
    async with world.deps.db.begin() as tx:
        await tx.execute(
            update(GrantRow).where(GrantRow.id == grant_id).values(used_bytes=total_bytes)
        )


async def subscription(world: World, name: str) -> SubscriptionRow:
    """A subscription as it is kept."""
    async with world.deps.db.read() as tx:
        return await tx.get_one(SubscriptionRow, name)


async def grants_of(world: World, subscriber: str) -> list[GrantRow]:
    """All grants of a subscriber, the oldest first."""
    async with world.deps.db.read() as tx:
        query = select(GrantRow).where(GrantRow.subscriber_id == subscriber)
        return list(await tx.scalars(query.order_by(GrantRow.created_at, GrantRow.cause_id)))


async def the_grant(world: World, name: str) -> GrantRow:
    """The grant that a subscription has now."""
    row = await subscription(world, name)
    async with world.deps.db.read() as tx:
        return await tx.get_one(GrantRow, row.grant_id)


async def is_told(world: World, grant_id: str) -> bool:
    """Whether the usual site is told of a grant."""
    async with world.deps.db.read() as tx:
        row = await tx.get(SiteItemRow, (SITE, f"grant/{grant_id}"))
        return row is not None and row.body is not None


async def invoices(world: World, subscriber: str) -> list[tuple[str, int]]:
    """The invoices of a subscriber in the order of their numbers: periods and shillings."""
    found = await documents(world, subscriber)
    return [
        (f"{_day(row.period_start)}/{_day(row.period_end)}", row.total_minor // 100)
        for row in found
        if row.kind == "invoice"
    ]


async def credits_of(world: World, subscriber: str) -> list[int]:
    """What was credited to a subscriber, in cents, by credit note."""
    found = await documents(world, subscriber)
    return [row.total_minor for row in found if row.kind == "credit_note"]


async def documents(world: World, subscriber: str) -> list[DocumentRow]:
    """All documents of a subscriber, by number."""
    async with world.deps.db.read() as tx:
        query = select(DocumentRow).where(DocumentRow.subscriber_id == subscriber)
        return list(await tx.scalars(query.order_by(DocumentRow.series, DocumentRow.number)))


async def lines_of(world: World, subscriber: str) -> list[tuple[str, str, int]]:
    """Kind, text and cents of every line of a subscriber's invoices, in order."""
    async with world.deps.db.read() as tx:
        query = (
            select(DocumentLineRow.kind, DocumentLineRow.text, DocumentLineRow.total_minor)
            .join(DocumentRow, DocumentRow.id == DocumentLineRow.document_id)
            .where(DocumentRow.subscriber_id == subscriber, DocumentRow.kind == "invoice")
            .order_by(DocumentRow.number, DocumentLineRow.n)
        )
        return [(row.kind, row.text, row.total_minor) for row in await tx.execute(query)]


async def wallet(world: World, subscriber: str) -> int:
    """What a subscriber's wallet holds, in cents."""
    async with world.deps.db.read() as tx:
        return -(await ledger.balance(tx, accounts.wallet(subscriber))).minor


async def owes(world: World, subscriber: str) -> int:
    """What a subscriber owes, in cents."""
    async with world.deps.db.read() as tx:
        return (await ledger.balance(tx, accounts.receivable(subscriber))).minor


async def assert_books_are_right(db: Database) -> None:
    """What holds after every scenario of billing, whatever happened in it."""
    async with db.read() as tx:
        found = balances(await ledger.all_postings(tx))
        assert sum(found.values()) == 0
        open_of = dict[str, int]()
        for debt in await tx.scalars(select(DebtRow)):
            open_of[debt.subscriber_id] = open_of.get(debt.subscriber_id, 0) + debt.open_minor
        for (account, _), minor in found.items():
            if account.startswith("liability:wallet:"):
                assert minor <= 0, f"{account} is overdrawn"
            if account.startswith("asset:receivable:"):
                assert minor == open_of.get(account.rpartition(":")[2], 0), account
        await _assert_numbers_have_no_gaps(tx)
        await _assert_nothing_is_billed_twice(tx)


async def _assert_numbers_have_no_gaps(tx: Tx) -> None:
    nexts = {row.series: row.next_number for row in await tx.scalars(select(NumberSeriesRow))}
    query = select(DocumentRow.series, func.count(), func.max(DocumentRow.number)).group_by(
        DocumentRow.series
    )
    for series, count, last in await tx.execute(query):
        assert count == last == nexts[series] - 1, f"{series} has gaps"


async def _assert_nothing_is_billed_twice(tx: Tx) -> None:
    until: dict[str, datetime] = {}
    query = select(BilledPeriodRow).order_by(
        BilledPeriodRow.subscription_id, BilledPeriodRow.start_at
    )
    for row in await tx.scalars(query):
        before = until.get(row.subscription_id)
        assert before is None or row.start_at >= before, "two invoices for one time"
        until[row.subscription_id] = row.credited_from or row.end_at


def _day(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(NAIROBI).strftime("%m-%d")
