"""Fixtures of the door for agents."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.controller.edge.doors import Doors, open_doors
from tests.support.database import sqlite_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def edge_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite database."""
    path = tmp_path / "lango.db"
    shutil.copy(sqlite_template, path)
    return sqlite_url(path)


@pytest.fixture
async def doors(tmp_path: Path, edge_url: str) -> AsyncIterator[Doors]:
    """Open doors with the real use cases behind them."""
    async with open_doors(tmp_path, edge_url) as opened:
        yield opened
