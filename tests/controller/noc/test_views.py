"""The reading queries, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from controller.noc import views
from tests.support.database import db_url
from tests.support.office import (
    NOON,
    a_day,
    a_notice,
    a_payment,
    a_plan,
    a_session,
    a_site,
    a_subscriber,
)

if TYPE_CHECKING:
    from controller.noc.views import Mark
    from controller.store.database import Database
    from controller.store.rows import Row

__all__ = ["db_url"]


async def keep(db: Database, *rows: Row) -> None:
    async with db.begin() as tx:
        for row in rows:
            tx.add(row)
            await tx.flush()


async def test_a_site_counts_its_open_sessions(db: Database) -> None:
    closed = a_session("8" * 32, closed_at=NOON, closed_reason="left")
    await keep(db, *a_day(), closed, a_site("empty"))

    async with db.read() as tx:
        found = await views.site_views(tx)

    assert [(view.row.id, view.sessions_open) for view in found] == [("empty", 0), ("estate-1", 1)]


async def test_pages_visit_every_payment_once_also_where_times_are_equal(db: Database) -> None:
    orders = [f"{n:032x}" for n in range(7)]
    times = [NOON - timedelta(seconds=n // 3) for n in range(7)]
    rows = [a_payment(o, created_at=t) for o, t in zip(orders, times, strict=True)]
    await keep(db, a_site(), a_plan(), a_subscriber(), *rows)
    seen: list[str] = []
    mark: Mark | None = None

    async with db.read() as tx:
        while page := await views.payment_views(tx, after=mark, limit=3):
            seen += [view.row.order_id for view in page]
            mark = views.Mark(page[-1].row.created_at, page[-1].row.order_id)

    assert sorted(seen) == orders
    assert len(seen) == len(orders)


async def test_payments_are_found_by_state_and_site(db: Database) -> None:
    open_one = a_payment("b" * 32, state="pending", settled_at=None, receipt=None)
    await keep(db, a_site(), a_plan(), a_subscriber(), a_payment(), open_one)

    async with db.read() as tx:
        pending = await views.payment_views(tx, state="pending")
        elsewhere = await views.payment_views(tx, site_id="elsewhere")

    assert [view.row.order_id for view in pending] == ["b" * 32]
    assert elsewhere == []


async def test_a_session_is_seen_before_its_grant_is_known(db: Database) -> None:
    await keep(db, a_site(), a_session())

    async with db.read() as tx:
        found = await views.session_views(tx, only_open=True)

    assert [(view.grant, view.plan) for view in found] == [(None, None)]


async def test_balances_sum_to_zero(db: Database) -> None:
    await keep(db, *a_day())

    async with db.read() as tx:
        found = await views.balance_views(tx)

    assert sum(view.minor for view in found) == 0
    assert {view.account.split(":")[0]: view.minor for view in found} == {
        "asset": 1_000,
        "income": -1_000,
        "liability": 0,
    }


async def test_a_transaction_brings_its_postings_in_order(db: Database) -> None:
    await keep(db, *a_day())

    async with db.read() as tx:
        (found,) = await views.transaction_views(tx, after=None, limit=5)

    assert [posting.n for posting in found.postings] == [0, 1]


async def test_takings_count_what_was_settled_since(db: Database) -> None:
    old = a_payment("b" * 32, settled_at=NOON - timedelta(days=1))
    await keep(db, a_site(), a_plan(), a_subscriber(), a_payment(), old)

    async with db.read() as tx:
        found = await views.takings_since(tx, NOON)

    assert found == views.Takings(settled=1, minor=1_000)


async def test_takings_of_nothing_are_nothing(db: Database) -> None:
    async with db.read() as tx:
        found = await views.takings_since(tx, NOON)

    assert found == views.Takings(settled=0, minor=0)


async def test_notices_are_newest_first(db: Database) -> None:
    later = a_notice("d" * 32, at=NOON + timedelta(seconds=1), site_id=None)
    await keep(db, a_notice(), later)

    async with db.read() as tx:
        found = await views.notice_rows(tx)

    assert [row.id[0] for row in found] == ["d", "c"]


async def test_withdrawn_plans_are_listed_when_asked_for(db: Database) -> None:
    await keep(db, a_plan(), a_plan("old", withdrawn_at=NOON))

    async with db.read() as tx:
        usual = await views.plan_rows(tx, withdrawn=False)
        every = await views.plan_rows(tx, withdrawn=True)

    assert ([row.id for row in usual], [row.id for row in every]) == (
        ["hours-2"],
        ["hours-2", "old"],
    )


async def test_the_schema_says_its_revision(db: Database) -> None:
    async with db.read() as tx:
        assert await views.schema_revision(tx)
