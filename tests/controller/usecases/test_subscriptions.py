"""Subscriptions live: served, billed, held back, served again, ended; each mode in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.charge import Mode
from controller.usecases.billing_run import bill_due
from tests.support.builders import a_world, with_site
from tests.support.contracts import (
    a_subscriber,
    assert_books_are_right,
    at,
    grants_of,
    invoices,
    owes,
    pays,
    subscribed,
    subscription,
    the_grant,
    wallet,
    with_plans,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from controller.store.database import Database
    from tests.support.builders import World


@pytest.fixture
async def shop(db: Database, tmp_path: Path) -> AsyncIterator[World]:
    """One site and plans for contracts, at noon of the first of September."""
    world = await with_plans(await with_site(a_world(db, tmp_path)))
    world.clock.to(at("2027-09-01", "12:00"))
    yield world
    await assert_books_are_right(db)


async def test_prepaid_is_paid_renewed_lapses_and_begins_anew_with_money(shop: World) -> None:
    amina = await a_subscriber(shop)
    await pays(shop, amina, 7_000)
    line = await subscribed(shop, amina, Mode.PREPAID)
    shop.clock.to(at("2027-10-01", "00:00"))
    await bill_due(shop.deps)
    shop.clock.to(at("2027-11-01", "00:00"))
    await bill_due(shop.deps)
    lapsed = await subscription(shop, line)
    held = await the_grant(shop, line)
    shop.clock.to(at("2027-11-05", "15:00"))
    await pays(shop, amina, 2_000)

    renewed = await subscription(shop, line)
    assert (lapsed.state, lapsed.hold, lapsed.bill_at) == ("suspended", "unpaid", None)
    assert held.suspended_at is not None
    assert (renewed.state, renewed.hold, renewed.bill_at) == ("active", None, at("2027-12-05"))
    assert await invoices(shop, amina) == [
        ("09-01/10-01", 3_000),
        ("10-01/11-01", 3_000),
        ("11-05/12-05", 3_000),
    ]
    assert await wallet(shop, amina) == await owes(shop, amina) == 0
    assert [grant.ended_reason for grant in await grants_of(shop, amina)] == [
        "renewed",
        "renewed",
        None,
    ]
