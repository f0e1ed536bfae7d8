"""What is paid of an invoice is shared out over its lines: exactly, in however many parts."""

from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING

import pytest

from controller.reports.earned import By
from controller.reports.table import Basis, Name
from controller.usecases.money_reports import Asked, report
from tests.support.builders import a_world, with_site
from tests.support.charges import ANNE, a_line, a_subscriber, an_invoice, an_item, paid_in
from tests.support.day_of_business import late_fee, lowered

if TYPE_CHECKING:
    from pathlib import Path

    from controller.reports.table import Report
    from controller.store.database import Database
    from tests.support.builders import World

EVER = (date(2026, 1, 1), date(2028, 1, 1))


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> World:
    """One subscriber, and nothing that was sold."""
    world = await with_site(a_world(db, tmp_path))
    await a_subscriber(world.deps)
    return world


async def by_plan(world: World, basis: Basis) -> Report:
    return await report(world.deps, Asked(Name.REVENUE, *EVER, basis, by=(By.PLAN,)))


async def test_paid_in_parts_every_line_gets_its_own_in_the_end(world: World) -> None:
    chance = random.Random(7)
    lines = (a_line(minor=1_234_57), an_item(77), lowered(33_33), late_fee(), a_line(minor=1))
    invoice = await an_invoice(world.deps, ANNE, *lines)
    left, n = invoice.total_minor, 0
    while left:
        part = min(left, chance.choice((1, 7, 99, 5_000, 31_000)))
        await paid_in(world.deps, minor=part, name=f"part-{n}")
        left, n = left - part, n + 1
        so_far = await by_plan(world, Basis.CASH) if n % 7 == 0 or not left else None
        if so_far is not None:
            assert so_far.totals[-1] == invoice.total_minor - left

    assert (await by_plan(world, Basis.CASH)).rows == (await by_plan(world, Basis.ACCRUAL)).rows


async def test_nothing_paid_is_nothing_earned_on_cash(world: World) -> None:
    await an_invoice(world.deps)

    assert (await by_plan(world, Basis.CASH)).rows == ()
    assert (await by_plan(world, Basis.ACCRUAL)).totals[-1] == 1_500_00


async def test_days_are_those_of_nairobi(world: World) -> None:
    """At 21:00 UTC another day begins there."""
    await an_invoice(world.deps, cause="period:1")  # 09:00 there, on 23 November
    world.clock.advance(15 * 3_600 - 1)
    await an_invoice(world.deps, cause="period:2")
    world.clock.advance(1)
    await an_invoice(world.deps, cause="period:3")
    found = await report(world.deps, Asked(Name.REVENUE, *EVER))
    first = Asked(Name.REVENUE, date(2026, 11, 23), date(2026, 11, 24))

    assert [(row[0], row[-1]) for row in found.rows] == [
        (date(2026, 11, 23), 3_000_00),
        (date(2026, 11, 24), 1_500_00),
    ]
    assert (await report(world.deps, first)).totals[-1] == 3_000_00
