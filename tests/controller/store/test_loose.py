"""What no foreign key checks: it is found when it hangs loose, and cannot come to by deleting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError

from billing.charge import Mode
from controller.store.billing_rows import BranchRow, SubscriptionRow
from controller.store.loose import loose
from controller.store.rows import GrantRow, LedgerTransactionRow, PlanRow, PostingRow, SubscriberRow
from controller.store.site_rows import SiteItemRow, SiteRow
from tests.support.builders import a_world, with_site
from tests.support.clock import MORNING
from tests.support.contracts import a_subscriber, subscribed, with_plans

if TYPE_CHECKING:
    from pathlib import Path

    from controller.store.database import Database


NAMED = (
    BranchRow,
    GrantRow,
    LedgerTransactionRow,
    PlanRow,
    SiteRow,
    SubscriberRow,
    SubscriptionRow,
)


def a_posting(transaction_id: str) -> PostingRow:
    return PostingRow(
        transaction_id=transaction_id,
        n=0,
        source="asset:cash:main",
        target="liability:wallet:a",
        amount_minor=1,
        currency="KES",
    )


async def test_what_names_nothing_is_found_by_its_column(db: Database) -> None:
    async with db.read() as tx:
        tx.add(LedgerTransactionRow(id="there", at=MORNING, cause="a test"))
        tx.add_all(a_posting(name) for name in ("there", "nowhere"))
        tx.add(SiteItemRow(site_id="nowhere", key="site", generation=1, body=b""))
        await tx.flush()

        assert await loose(tx) == {"posting.transaction_id": 1, "site_item.site_id": 1}


async def test_what_others_name_is_never_deleted(db: Database, tmp_path: Path) -> None:
    world = await with_plans(await with_site(a_world(db, tmp_path)))
    await subscribed(world, await a_subscriber(world), Mode.ADVANCE)
    for row in NAMED:
        with pytest.raises(DBAPIError, match="is never deleted"):
            async with db.begin() as tx:
                await tx.execute(delete(row))
    async with db.read() as tx:
        counts = [await tx.scalar(select(func.count()).select_from(row)) for row in NAMED]

    assert all(counts)
