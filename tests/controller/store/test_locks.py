"""On PostgreSQL no two transactions wait for each other, and none trips over another's new row."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from controller.store import chosen, grant_sites
from controller.store.chosen_rows import SetupNoteRow
from controller.store.rows import GrantSiteRow
from tests.support.office import NOON, a_grant, a_plan, a_site, an_office

if TYPE_CHECKING:
    from pathlib import Path

    from controller.store.database import Database

pytestmark = pytest.mark.postgres

FIRST, SECOND = "1" * 32, "2" * 32


@pytest.fixture
async def shared(postgres_db: Database, tmp_path: Path) -> Database:
    """Two grants at one site that risk more than was handed; the second's share lies first."""
    office = an_office(tmp_path, postgres_db)
    await office.keep(a_site(), a_plan(), a_grant(FIRST), a_grant(SECOND))
    await office.keep(*(a_share(grant_id) for grant_id in (SECOND, FIRST)))
    return postgres_db


def a_share(grant_id: str) -> GrantSiteRow:
    return GrantSiteRow(
        grant_id=grant_id, site_id="estate-1", generation=1, own_bytes=0, own_uptime_s=0,
        own_validity_s=0, handed_bytes=10, risked_bytes=20,
    )  # fmt: skip


async def test_a_report_locks_shares_in_the_order_in_which_others_do(shared: Database) -> None:
    async def reports() -> None:
        async with shared.begin() as tx:
            await grant_sites.applied(tx, "estate-1", 1)

    async with shared.begin() as tx:
        await grant_sites.locked(tx, [FIRST])
        report = asyncio.create_task(reports())
        await waits(shared)
        await grant_sites.locked(tx, [SECOND])
    await report

    async with shared.read() as tx:
        assert set(await tx.scalars(select(GrantSiteRow.risked_bytes))) == {10}


async def waits(db: Database) -> None:
    """Until somebody waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with asyncio.timeout(10), db.engine.connect() as connection:
        while not (await connection.exec_driver_sql(query)).scalar_one():
            await connection.rollback()
            await asyncio.sleep(0.01)


async def noted(db: Database, word: str) -> None:
    async with db.begin() as tx:
        await chosen.note(tx, "a-step", word, NOON)


async def put(db: Database, word: str) -> None:
    async with db.begin() as tx:
        await chosen.put(tx, "mpesa.shortcode", value=word, now=NOON)


@pytest.mark.parametrize("keep", [noted, put])
async def test_two_who_keep_the_same_at_once_are_both_done(
    postgres_db: Database, keep: Any
) -> None:
    async with postgres_db.begin() as tx:
        if keep is noted:
            await chosen.note(tx, "a-step", '"one"', NOON)
        else:
            await chosen.put(tx, "mpesa.shortcode", value='"one"', now=NOON)
        await tx.flush()
        other = asyncio.create_task(keep(postgres_db, '"other"'))
        await waits(postgres_db)
    await other

    async with postgres_db.read() as tx:
        if keep is noted:
            assert list(await tx.scalars(select(SetupNoteRow.told))) == ['"other"']
        else:
            assert [row.value for row in await chosen.every(tx)] == ['"other"']
