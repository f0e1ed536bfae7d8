"""A controller that has done business, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.builders import a_world, with_site
from tests.support.day_of_business import business

if TYPE_CHECKING:
    from pathlib import Path

    from controller.store.database import Database
    from tests.support.builders import World


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> World:
    """Two branches after two months."""
    world = await with_site(a_world(db, tmp_path))
    await business(world)
    return world
