"""The clock of the business: everything that is due is done once, in order, whatever happens."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, select, update

from billing.charge import Mode
from billing.invoice import shown_number
from billing.money import Money
from billing.period import Cycle, Period, Unit
from billing.promo import Coupon, Discount, Loyalty
from controller.store import documents as kept
from controller.store import payers
from controller.store.billing_rows import (
    AllocationRow,
    BillingRunRow,
    BranchRow,
    DebtRow,
    DocumentLineRow,
    DocumentRow,
    OperatorRow,
    PriceRow,
    SubscriptionRow,
)
from controller.store.database import Database
from controller.store.rows import GrantSiteRow, LedgerTransactionRow, PlanRow, PostingRow
from controller.store.site_rows import NoticeRow
from controller.usecases import promotions
from controller.usecases.billing_preview import sentences
from controller.usecases.billing_run import bill_due, preview
from controller.usecases.documents import issue_in
from controller.usecases.dunning import dun_due
from controller.usecases.pauses import pause
from tests.support.builders import a_world, hex_id, with_site
from tests.support.contracts import (
    FASTER,
    FIBRE,
    GB,
    METERED,
    a_subscriber,
    assert_books_are_right,
    at,
    documents,
    grants_of,
    invoices,
    lines_of,
    owes,
    pays,
    run_at,
    subscribed,
    the_grant,
    used,
    wallet,
    with_plans,
)
from tests.support.database import sqlite_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import ColumnElement

    from controller.store.rows import Row
    from tests.support.builders import World

DAY = timedelta(days=1)
WEEK = Cycle(Unit.WEEK)
FIXED = Cycle(Unit.MONTH, anchor_day=31)


@pytest.fixture
async def twin_shop(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[World]:
    """Another such shop, on a database of its own."""
    path = tmp_path / "twin"
    path.mkdir()
    shutil.copy(sqlite_template, path / "twin.db")
    db = Database(sqlite_url(path / "twin.db"))
    world = await with_plans(await with_site(a_world(db, path)))
    world.clock.to(at("2027-09-01", "12:00"))
    yield world
    await assert_books_are_right(db)
    await db.close()


async def all_of(world: World, row: type[Row]) -> list[dict[str, object]]:
    async with world.deps.db.read() as tx:
        found = await tx.execute(select(*row.__table__.c))
        return [dict(one) for one in found.mappings()]


async def bill_day_by_day(world: World, first: str, last: str) -> None:
    moment = at(first)
    while moment <= at(last):
        world.clock.to(moment)
        await bill_due(world.deps)
        moment += DAY


@pytest.mark.parametrize("clocks", [("23:59", "00:01"), ("23:59", "00:01", "00:01")])
async def test_month_ends_at_midnight_in_nairobi_once(shop: World, clocks: tuple[str, ...]) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 6_000)
    await subscribed(shop, amina, Mode.ADVANCE)
    counts = []
    for n, clock in enumerate(clocks):
        await run_at(shop, "2027-10-01" if n else "2027-09-30", clock)
        counts.append(len(await invoices(shop, amina)))

    # 20:59 and 21:01 UTC
    assert counts == [1, *[2] * (len(clocks) - 1)]


async def a_town(world: World) -> tuple[str, ...]:
    """Subscribers of every mode, with money, use, and cycles of their own."""
    names = ("amina", "brian", "chebet", "daudi")
    people = [await a_subscriber(world, name) for name in names]
    for one, shillings in zip(people, (9_500, 200, 0, 61), strict=True):
        if shillings:
            await pays(world, one, shillings)
    amina, brian, chebet, daudi = people
    await subscribed(world, amina, Mode.PREPAID)
    await subscribed(world, amina, Mode.ADVANCE, plan_id=METERED, name="b", cycle=WEEK)
    await subscribed(world, brian, Mode.ADVANCE, plan_id=FASTER, cycle=FIXED)
    metered = await subscribed(world, chebet, Mode.ARREARS, plan_id=METERED)
    await used(world, (await the_grant(world, metered)).id, 3 * GB)
    await subscribed(world, daudi, Mode.PREPAID, cycle=Cycle(Unit.DAY), price=Money(20_00))
    return tuple(people)


async def what_came_of(world: World, people: tuple[str, ...]) -> object:
    return [
        (
            await lines_of(world, one),
            await invoices(world, one),
            await wallet(world, one),
            await owes(world, one),
            [
                (row["state"], row["hold"], row["bill_at"], row["period_n"], row["paid_until"])
                for row in sorted(await all_of(world, SubscriptionRow), key=lambda r: str(r["id"]))
                if row["subscriber_id"] == one
            ],
        )
        for one in people
    ]


async def test_run_after_weeks_of_downtime_equals_the_runs_day_by_day(
    shop: World, twin_shop: World
) -> None:
    people = await a_town(shop)
    twins = await a_town(twin_shop)
    assert people == twins
    await bill_day_by_day(shop, "2027-09-02", "2027-11-20")
    twin_shop.clock.to(at("2027-11-20"))
    await bill_due(twin_shop.deps)
    await bill_due(twin_shop.deps)

    assert await what_came_of(shop, people) == await what_came_of(twin_shop, twins)
    assert len(await invoices(shop, people[0])) == 13


async def test_catching_up_bills_january_before_february_and_serves_only_the_running_period(
    shop: World,
) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE)
    await run_at(shop, "2027-12-15")

    found = await documents(shop, amina)
    assert await invoices(shop, amina) == [
        ("09-01/10-01", 3_000),
        ("10-01/11-01", 3_000),
        ("11-01/12-01", 3_000),
        ("12-01/01-01", 3_000),
    ]
    assert [one.due_at for one in found][1:] == [at("2027-12-22")] * 3
    assert [one.ended_reason for one in await grants_of(shop, amina)] == ["renewed", None]
    assert (await the_grant(shop, line)).ended_at is None


async def test_volume_is_charged_however_long_nobody_looked(shop: World) -> None:
    amina = await a_subscriber(shop)
    line = await subscribed(shop, amina, Mode.ADVANCE, plan_id=METERED)
    await used(shop, (await the_grant(shop, line)).id, 3 * GB)
    await run_at(shop, "2028-02-01")

    assert ("usage", "Metered: 3,000 MB", 30_00) in await lines_of(shop, amina)


async def test_two_runs_at_once_do_each_thing_once(shop: World, db_url: str) -> None:
    people = [await a_subscriber(shop, f"someone{n:03d}") for n in range(40)]
    for one in people:
        await subscribed(shop, one, Mode.ADVANCE)
    shop.clock.to(at("2027-10-01"))
    other = Database(db_url)
    twin = shop.on(other)
    async with asyncio.TaskGroup() as group:
        for world in (shop, twin, shop, twin):
            group.create_task(bill_due(world.deps))
    await other.close()
    await bill_due(shop.deps)

    for one in people:
        assert await invoices(shop, one) == [("09-01/10-01", 3_000), ("10-01/11-01", 3_000)]


async def test_money_that_comes_in_during_a_run_is_spent_once(shop: World, db_url: str) -> None:
    people = [await a_subscriber(shop, f"someone{n:03d}") for n in range(12)]
    for one in people:
        await pays(shop, one, 3_000)
        await subscribed(shop, one, Mode.PREPAID)
    shop.clock.to(at("2027-10-01"))
    other = Database(db_url)
    twin = shop.on(other)
    async with asyncio.TaskGroup() as group:
        group.create_task(bill_due(shop.deps))
        for one in people:
            group.create_task(pays(twin, one, 3_000))
    await other.close()
    await bill_due(shop.deps)

    for one in people:
        assert len(await invoices(shop, one)) == 2
        assert (await wallet(shop, one), await owes(shop, one)) == (0, 0)


class Crash(Exception):  # noqa: N818 - what a test does to a run
    """The process ends here."""


async def test_crash_between_batches_loses_nothing_and_doubles_nothing(shop: World) -> None:
    people = [await a_subscriber(shop, f"someone{n:03d}") for n in range(9)]
    for one in people:
        await subscribed(shop, one, Mode.ADVANCE)
    shop.clock.to(at("2027-10-01"))
    inserts = 0

    def crashes(_c: object, _cur: object, statement: str, *_: object) -> None:
        nonlocal inserts
        if "INTO number_series" in statement:
            inserts += 1
            if inserts == 2:
                raise Crash

    engine = shop.deps.db.engine.sync_engine
    event.listen(engine, "before_cursor_execute", crashes)
    with pytest.raises(Crash):
        await bill_due(shop.deps, batch_max=4)
    event.remove(engine, "before_cursor_execute", crashes)
    after_crash = sum([len(await invoices(shop, one)) for one in people])
    await bill_due(shop.deps, batch_max=4)

    assert 9 + 4 <= after_crash < 9 + 9
    assert [len(await invoices(shop, one)) for one in people] == [2] * 9


async def test_preview_is_what_then_happens_and_writes_nothing(shop: World) -> None:
    people = await a_town(shop)
    resting = await a_subscriber(shop, "resting")
    line = await subscribed(shop, resting, Mode.ADVANCE)
    await pause(shop.deps, line, until=at("2027-09-20"))
    upto = at("2027-09-20")
    before = [await all_of(shop, row) for row in (DocumentRow, SubscriptionRow, PostingRow)]
    told = await preview(shop.deps, upto)
    assert before == [await all_of(shop, row) for row in (DocumentRow, SubscriptionRow, PostingRow)]
    known = {row["id"] for row in before[0]}
    shop.clock.to(upto)
    await bill_due(shop.deps)

    new = [
        row
        for row in await all_of(shop, DocumentRow)
        if row["kind"] == "invoice" and row["id"] not in known
    ]
    assert told.invoices == len(new)
    assert told.amount.minor == sum(int(str(row["total_minor"])) for row in new)
    assert {one.subscriber_id for one in told.billed.named} == {row["subscriber_id"] for row in new}
    assert [one.name for one in told.lapsing.named] == ["daudi"]
    assert [one.name for one in told.resumed.named] == ["resting"]
    assert told.renewed.count == 1
    assert people[3] in {one.subscriber_id for one in told.renewed.named}


async def test_preview_says_how_many_will_be_suspended(shop: World) -> None:
    people = [await a_subscriber(shop, f"someone{n:03d}") for n in range(3)]
    for one in people:
        await subscribed(shop, one, Mode.ADVANCE)
    told = await preview(shop.deps, at("2027-09-15"))
    shop.clock.to(at("2027-09-15"))
    await dun_due(shop.deps)

    assert "3 subscribers will be suspended" in sentences(told)
    assert sorted(one.name for one in told.suspended.named) == [f"someone{n:03d}" for n in range(3)]
    assert {row["hold"] for row in await all_of(shop, SubscriptionRow)} == {"debt"}


async def test_run_that_did_something_is_noted(shop: World) -> None:
    amina = await a_subscriber(shop)
    await subscribed(shop, amina, Mode.ADVANCE)
    nothing = await bill_due(shop.deps)
    shop.clock.to(at("2027-10-01"))
    done = await bill_due(shop.deps)

    (run,) = await all_of(shop, BillingRunRow)
    assert (nothing, done) == (0, 1)
    assert json.loads(str(run["done"])) == {"billed": 1, "invoices": 1}


async def test_price_of_segment_and_branch_is_charged_from_its_day_on(shop: World) -> None:
    async with shop.deps.db.begin() as tx:
        tx.add(
            BranchRow(
                id="thika",
                name="Thika",
                address="",
                phone="",
                email="",
                kra_branch="01",
                created_at=shop.deps.now(),
            )
        )
        await tx.flush()
        for name, segment, branch_id, shillings in (
            ("a", "business", "", 4_000),
            ("b", "", "thika", 2_800),
            ("c", "business", "thika", 3_700),
        ):
            tx.add(
                PriceRow(
                    id=hex_id(name),
                    plan_id=FIBRE,
                    segment=segment,
                    branch_id=branch_id,
                    amount_minor=shillings * 100,
                    currency="KES",
                    from_day=date(2027, 10, 1),
                    until_day=None,
                    created_at=shop.deps.now(),
                )
            )
    shops = {}
    for segment in ("residential", "business"):
        for branch_id in ("main", "thika"):
            one = await a_subscriber(
                shop, f"{segment[:4]}{branch_id}", segment=segment, branch_id=branch_id
            )
            await subscribed(shop, one, Mode.ADVANCE)
            shops[segment, branch_id] = one
    await run_at(shop, "2027-10-01")

    found = {who: [amount for _, amount in await invoices(shop, one)] for who, one in shops.items()}
    assert found == {
        ("residential", "main"): [3_000, 3_000],
        ("business", "main"): [3_000, 4_000],
        ("residential", "thika"): [3_000, 2_800],
        ("business", "thika"): [3_000, 3_700],
    }
    numbers = sorted(
        (str(row["series"]), int(str(row["number"]))) for row in await all_of(shop, DocumentRow)
    )
    assert numbers == [(f"INV-{name}", n) for name in ("main", "thika") for n in (1, 2, 3, 4)]


async def what_is_kept_of(world: World, subscriber: str) -> str:
    """Every row that a subscriber's one invoice is, without the names of this one."""
    (document,) = [row for row in await documents(world, subscriber) if row.kind == "invoice"]
    mine = f"{document.id}"
    rows = [
        *await of(world, DocumentRow, DocumentRow.id == mine),
        *await of(world, DocumentLineRow, DocumentLineRow.document_id == mine),
        *await of(world, DebtRow, DebtRow.document_id == mine),
    ]
    paid = await of(world, AllocationRow, AllocationRow.document_id == mine)
    names = [f"document:{mine}", *(str(row["transaction_id"]) for row in paid)]
    rows += paid
    for name in names:
        rows += await of(world, LedgerTransactionRow, LedgerTransactionRow.id == name)
        rows += await of(world, PostingRow, PostingRow.transaction_id == name)
    text = "\n".join(str(row) for row in rows)
    async with world.deps.db.read() as tx:
        who = await payers.loaded(tx, subscriber)
    number = shown_number(document.series, document.number)
    allocations = [str(row["id"]) for row in paid]
    for old in (mine, subscriber, who.name, who.msisdn, number, *allocations):
        text = text.replace(old, "…")
    return text.replace(f"'number': {document.number},", "")


async def of(world: World, row: type[Row], which: ColumnElement[bool]) -> list[dict[str, object]]:
    async with world.deps.db.read() as tx:
        found = await tx.execute(select(*row.__table__.c).where(which))
        return [dict(one) for one in found.mappings()]


async def test_batch_writes_the_same_rows_as_the_single_invoice(shop: World) -> None:
    async with shop.deps.db.begin() as tx:
        await tx.execute(
            update(OperatorRow).values(vat_registered=True, excise_registered=True, name="Net")
        )
    amina, twin = await a_subscriber(shop), await a_subscriber(shop, "twin")
    for one in (amina, twin):
        await pays(shop, one, 1_000)
    await subscribed(shop, amina, Mode.ADVANCE)
    (document,) = [row for row in await documents(shop, amina) if row.kind == "invoice"]
    async with shop.deps.db.begin() as tx:
        await issue_in(
            tx,
            shop.deps,
            subscriber=await payers.loaded(tx, twin),
            lines=await kept.lines_of(tx, document.id),
            cause=document.cause,
            now=shop.deps.now(),
            due_at=document.due_at,
            period=Period(at("2027-09-01"), at("2027-10-01")),
        )

    by_batch = await what_is_kept_of(shop, amina)
    assert by_batch == await what_is_kept_of(shop, twin)
    assert by_batch.count("\n") == 9


async def test_coupon_lowers_so_many_invoices_and_no_more(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 20_000)
    terms = Coupon("HALF", Discount(basis_points=5_000, periods=2))
    await promotions.create(shop.deps, name="Half price", terms=terms)
    await promotions.take_up(shop.deps, msisdn_or_id=amina, code="half")
    await subscribed(shop, amina, Mode.PREPAID)
    await run_at(shop, "2027-12-01")

    assert [amount for _, amount in await invoices(shop, amina)] == [1_500, 1_500, 3_000, 3_000]


async def test_discount_is_given_back_with_its_charge(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 3_000)
    terms = Discount(amount=Money(600_00))
    await promotions.create(shop.deps, name="Friends", terms=terms, promotion_id="friends")
    await promotions.take_up(shop.deps, msisdn_or_id=amina, promotion_id="friends")
    line = await subscribed(shop, amina, Mode.PREPAID)
    shop.clock.to(at("2027-09-15", "12:00"))
    await pause(shop.deps, line)

    assert await wallet(shop, amina) == 600_00 + 1_200_00


async def test_invoice_that_the_wallet_pays_earns_loyalty(shop: World) -> None:
    amina = await a_subscriber(shop)
    terms = Loyalty(every_invoices=2, reward=Money(100_00))
    await promotions.create(shop.deps, name="Loyal", terms=terms, promotion_id="loyal")
    await pays(shop, amina, 9_000)
    await subscribed(shop, amina, Mode.PREPAID)
    await run_at(shop, "2027-11-01")

    assert await wallet(shop, amina) == 100_00


async def test_taxes_are_those_of_the_operator_and_of_the_day(shop: World) -> None:
    async with shop.deps.db.begin() as tx:
        await tx.execute(update(OperatorRow).values(vat_registered=True, excise_registered=True))
    amina = await a_subscriber(shop)
    await subscribed(shop, amina, Mode.ADVANCE)

    (document,) = await documents(shop, amina)
    assert document.total_minor == 3_000_00
    assert (document.net_minor, document.excise_minor, document.vat_minor) == (
        2_248_88,
        337_33,
        413_79,
    )


async def test_limited_plan_is_handed_out_to_its_site_each_period(shop: World) -> None:
    async with shop.deps.db.begin() as tx:
        await tx.execute(update(PlanRow).where(PlanRow.id == FIBRE).values(quota_bytes=50 * GB))
    amina = await a_subscriber(shop)
    await pays(shop, amina, 6_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    await run_at(shop, "2027-10-01")

    grant = await the_grant(shop, line)
    (share,) = await of(shop, GrantSiteRow, GrantSiteRow.grant_id == grant.id)
    assert int(str(share["handed_bytes"])) > 0
    assert int(str(share["generation"])) > 0


async def test_use_is_charged_until_three_months_after_its_period(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 50_000)
    line = await subscribed(shop, amina, Mode.ADVANCE, plan_id=METERED)
    september = (await the_grant(shop, line)).id
    await run_at(shop, "2027-10-01")
    await run_at(shop, "2028-01-01", "00:00")
    await used(shop, september, GB)
    await run_at(shop, "2028-02-01")

    assert [kind for kind, _, _ in await lines_of(shop, amina)].count("usage") == 0


async def test_minutes_are_caught_up_with_bit_by_bit(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 1_000)
    await subscribed(
        shop, amina, Mode.PREPAID, cycle=Cycle(Unit.MINUTE, 10), price=Money(1_00), name="m"
    )
    shop.clock.to(at("2027-09-05", "12:00"))
    await bill_due(shop.deps)

    assert len(await invoices(shop, amina)) == 4 * 24 * 6 + 1
    assert len(await grants_of(shop, amina)) == 2, "no grant for a time that is over"


async def test_who_cannot_be_billed_is_told_to_staff_and_keeps_nobody_waiting(
    shop: World,
) -> None:
    amina, brian = await a_subscriber(shop), await a_subscriber(shop, "brian")
    await pays(shop, amina, 20_000)
    await subscribed(shop, amina, Mode.PREPAID, plan_id=FASTER)
    await subscribed(shop, brian, Mode.ADVANCE)
    async with shop.deps.db.begin() as tx:
        await tx.execute(update(PlanRow).where(PlanRow.id == FASTER).values(currency="USD"))
    shop.clock.to(at("2027-10-01"))
    await bill_due(shop.deps)
    await bill_due(shop.deps)

    assert len(await invoices(shop, brian)) == 2
    assert len(await invoices(shop, amina)) == 1
    notices = await all_of(shop, NoticeRow)
    assert [row["code"] for row in notices] == ["billing_refused"]
    assert amina in str(notices[0]["text"])
