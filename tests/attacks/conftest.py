"""One business for all attacks: kept once, and copied for each test."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.payments.memory import MemoryGateway
from controller.signals import Signals
from controller.store.database import Database
from tests.attacks.business import Business, a_business, with_cards
from tests.support.database import postgres, sqlite_template, sqlite_url
from tests.support.office import Office, SetClock, an_office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["postgres", "sqlite_template"]


@pytest.fixture(scope="session")
def stocked(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Business:
    """The business whose database is copied; it is closed."""
    folder = tmp_path_factory.mktemp("business")
    shutil.copy(sqlite_template, folder / "lango.db")

    async def kept() -> Business:
        db = Database(sqlite_url(folder / "lango.db"))
        made = await a_business(an_office(folder, db))
        await db.close()
        return made

    return asyncio.run(kept())


def copied(stocked: Business, path: Path) -> Business:
    """The business with a database of its own at ``path``."""
    office = stocked.office
    shutil.copy(office.deps.settings.state_dir / "lango.db", path)
    clock = SetClock(office.clock.at)
    deps = replace(
        office.deps,
        db=Database(sqlite_url(path)),
        now=clock,
        signals=Signals(),
        gateway=MemoryGateway(),
    )
    return replace(stocked, office=with_cards(Office(deps, clock)))


@pytest.fixture
async def business(stocked: Business, tmp_path: Path) -> AsyncIterator[Business]:
    """A business that nobody has attacked yet."""
    made = copied(stocked, tmp_path / "lango.db")
    yield made
    await made.office.deps.db.close()
