"""A controller with one site and the hour plan, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.builders import a_world, with_site
from tests.support.contracts import assert_books_are_right, at, with_plans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from controller.store.database import Database
    from tests.support.builders import World


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> World:
    """One site, the hour plan on sale."""
    return await with_site(a_world(db, tmp_path))


@pytest.fixture
async def shop(world: World) -> AsyncIterator[World]:
    """With plans for contracts, at noon of 2027-09-01; its books are audited afterwards."""
    await with_plans(world)
    world.clock.to(at("2027-09-01", "12:00"))
    yield world
    await assert_books_are_right(world.deps.db)
