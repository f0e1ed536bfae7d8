"""Fresh databases for tests: always made by the real migrations, copied from a template for speed.

Fixtures (a ``conftest.py`` imports those that its tests need):

- ``db``      a `Database`, once on SQLite and once on PostgreSQL
- ``db_url``  the URL of the same database, for a second engine or process
- ``sqlite_db``, ``postgres_db``  a `Database` on one of the two, where they differ
"""

from __future__ import annotations

import itertools
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from controller.store.database import Database
from controller.store.loose import loose
from controller.store.migrations import upgrade
from tests.support.postgres import Cluster, cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

TEMPLATE = "lango_template"
NUMBERS = itertools.count(1)

KINDS = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgres", id="postgres", marks=pytest.mark.postgres),
]


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file; copy it, never open it."""
    path = tmp_path_factory.mktemp("template") / "lango.db"
    upgrade(sqlite_url(path))
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """The test run's PostgreSQL server, with a migrated template database."""
    with cluster() as made:
        made.run(f"CREATE DATABASE {TEMPLATE}")
        upgrade(made.url(TEMPLATE))
        yield made


@pytest.fixture(params=KINDS)
def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database with every migration applied."""
    if request.param == "sqlite":
        yield _fresh_sqlite(request.getfixturevalue("sqlite_template"), tmp_path)
        return
    with _fresh_postgres(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
async def db(db_url: str) -> AsyncIterator[Database]:
    """A fresh database, open. Whatever a test did with it, no end hangs loose (decision 0017)."""
    database = Database(db_url)
    yield database
    async with database.read() as tx:
        found = await loose(tx)
    await database.close()
    assert found == {}


@pytest.fixture
async def sqlite_db(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database on SQLite."""
    database = Database(_fresh_sqlite(sqlite_template, tmp_path))
    yield database
    await database.close()


@pytest.fixture
async def postgres_db(postgres: Cluster) -> AsyncIterator[Database]:
    """A fresh database on PostgreSQL."""
    with _fresh_postgres(postgres) as url:
        database = Database(url)
        yield database
        await database.close()


def _fresh_sqlite(template: Path, folder: Path) -> str:
    path = folder / "lango.db"
    shutil.copy(template, path)
    return sqlite_url(path)


@contextmanager
def _fresh_postgres(made: Cluster) -> Iterator[str]:
    name = f"lango_{next(NUMBERS)}"
    # To copy the files takes half the work of writing each of their pages to the log.
    made.run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield made.url(name)
    made.run(f"DROP DATABASE {name} WITH (FORCE)")
