"""A controller with one site and the hour plan, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.builders import a_world, with_site

if TYPE_CHECKING:
    from pathlib import Path

    from controller.store.database import Database
    from tests.support.builders import World


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> World:
    """One site, the hour plan on sale."""
    return await with_site(a_world(db, tmp_path))
