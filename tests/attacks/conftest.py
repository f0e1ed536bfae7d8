"""One business for all attacks: kept once, and copied for each test."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.backup.keys import RECIPIENT_FILE
from controller.payments.memory import MemoryGateway
from controller.signals import Signals
from controller.store.database import Database
from tests.attacks.business import Business, a_business, with_cards
from tests.support.database import db, db_url, postgres, postgres_db, sqlite_template, sqlite_url
from tests.support.office import Office, SetClock, an_office, office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["db", "db_url", "office", "postgres", "postgres_db", "sqlite_template"]


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
    """The business with a database at ``path`` and a state directory of its own beside it."""
    office = stocked.office
    state_dir = path.with_name("state")
    shutil.copytree(_state_dir(stocked), state_dir, ignore=shutil.ignore_patterns("lango.db*"))
    shutil.copy(_state_dir(stocked) / "lango.db", path)
    clock = SetClock(office.clock.at)
    deps = replace(
        office.deps,
        settings=office.deps.settings.model_copy(update={"state_dir": state_dir}),
        db=Database(sqlite_url(path)),
        now=clock,
        signals=Signals(),
        gateway=MemoryGateway(),
    )
    return replace(stocked, office=with_cards(Office(deps, clock)))


async def renew(business: Business, stocked: Business) -> None:
    """Let a copy be as it was, under the same application: it has nothing open meanwhile."""
    office = business.office
    await put_back(office, _state_dir(stocked) / "lango.db")
    shutil.copy(_state_dir(stocked) / RECIPIENT_FILE, office.deps.settings.state_dir)
    office.clock.at = stocked.office.clock.at


async def put_back(office: Office, kept: Path) -> None:
    """Let a SQLite database, which lies beside the state directory, be the one that was kept."""
    await office.deps.db.close()
    path = office.deps.settings.state_dir.with_name("lango.db")
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    shutil.copy(kept, path)


def _state_dir(stocked: Business) -> Path:
    return stocked.office.deps.settings.state_dir


@pytest.fixture
async def business(stocked: Business, tmp_path: Path) -> AsyncIterator[Business]:
    """A business that nobody has attacked yet."""
    made = copied(stocked, tmp_path / "lango.db")
    yield made
    await made.office.deps.db.close()
