"""What the migrations make is what ``rows.py`` says, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, Engine, create_engine, inspect, text

from controller.store.migrations import upgrade
from controller.store.tables import Row
from tests.support.database import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import Cluster


__all__ = ["postgres"]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    cluster.run("CREATE DATABASE migrated")
    yield cluster.url("migrated")
    cluster.run("DROP DATABASE migrated WITH (FORCE)")


@pytest.fixture
def migrated(empty_url: str) -> Iterator[Connection]:
    upgrade(empty_url)
    engine: Engine = create_engine(empty_url.replace("+aiosqlite", ""))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def checks_of(connection: Connection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table in Row.metadata.tables:
        listed: list[Any] = inspect(connection).get_check_constraints(table)
        found[table] = {str(c["name"]): c["sqltext"] for c in listed}
    return found


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based")
def test_migrated_tables_are_those_of_the_rows(migrated: Connection) -> None:
    context = MigrationContext.configure(migrated, opts={"compare_server_default": True})

    assert compare_metadata(context, Row.metadata) == []


def test_indexes_of_expressions_are_made_too(migrated: Connection) -> None:
    """The comparison above cannot see those on SQLite."""
    query = {
        "sqlite": "SELECT name FROM sqlite_schema WHERE type = 'index'",
        "postgresql": "SELECT relname FROM pg_class",
    }[migrated.dialect.name]
    found = migrated.execute(text(query))
    wanted = {str(one.name) for table in Row.metadata.tables.values() for one in table.indexes}

    assert wanted - set(found.scalars()) == set()


def test_migrated_checks_are_those_of_the_rows(migrated: Connection) -> None:
    wanted = {
        name: {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
        for name, table in Row.metadata.tables.items()
    }

    assert {table: set(checks) for table, checks in checks_of(migrated).items()} == wanted


def test_sqlite_checks_say_word_for_word_what_the_rows_say(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'checks.db'}"
    upgrade(url)
    engine = create_engine(url.replace("+aiosqlite", ""))
    with engine.connect() as connection:
        found = checks_of(connection)
    engine.dispose()

    assert found == {
        name: {
            str(c.name): str(c.sqltext) for c in table.constraints if isinstance(c, CheckConstraint)
        }
        for name, table in Row.metadata.tables.items()
    }


def test_grants_of_before_keep_their_site_and_their_use(empty_url: str) -> None:
    upgrade(empty_url, "2026_11_23_first_tables")
    engine = create_engine(empty_url.replace("+aiosqlite", ""))
    moment = "2026-11-23 06:00:00+00:00"
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO site VALUES"
                " ('kahawa', 'K', 'L', '', 'en', :now, 0, :no, 0, :no, NULL, '')"
            ),
            {"now": moment, "no": b""},
        )
        connection.execute(
            text(
                "INSERT INTO plan VALUES"
                " ('mb', 'MB', 0, 'KES', 8000, 8000, NULL, NULL, 1000000, 1, 0, :now, NULL)"
            ),
            {"now": moment},
        )
        connection.execute(
            text(
                'INSERT INTO "grant" (id, site_id, plan_id, cause_id, devices, created_at,'
                " spent_validity_s, spent_uptime_s, used_bytes)"
                " VALUES ('g', 'kahawa', 'mb', 'c', '', :now, 1, 2, 3)"
            ),
            {"now": moment},
        )
    upgrade(empty_url)
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT grant_id, site_id, handed_bytes, own_bytes, own_uptime_s, own_validity_s"
                " FROM grant_site"
            )
        ).all()
    engine.dispose()

    assert [tuple(row) for row in found] == [("g", "kahawa", None, 3, 2, 1)]


def test_migrating_twice_changes_nothing(migrated: Connection, empty_url: str) -> None:
    before = migrated.execute(text("SELECT version_num FROM alembic_version")).all()
    migrated.rollback()
    upgrade(empty_url)

    assert migrated.execute(text("SELECT version_num FROM alembic_version")).all() == before


def test_money_of_before_has_its_arrival(empty_url: str) -> None:
    upgrade(empty_url, "2026_11_26_logos")
    engine = create_engine(empty_url.replace("+aiosqlite", ""))
    values = {"now": "2026-11-23 06:00:00+00:00", "no": b""}
    with engine.begin() as connection:
        for statement in MONEY_OF_BEFORE:
            connection.execute(text(statement), values)
    upgrade(empty_url)
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT rail, receipt, amount_minor, state, order_id, received_id FROM arrival"
                " ORDER BY receipt"
            )
        ).all()
    engine.dispose()

    assert [tuple(row) for row in found] == [
        ("mpesa", "RCT0000001", 2_000, "credited", "o1", None),
        ("bank", "RCT0000002", 5_000, "credited", None, "r1"),
        ("cash", "RCT0000003", 7_000, "returned", None, "r2"),
        ("mpesa", "WS_CO_2", 2_000, "credited", "o2", None),
    ]


PAYMENT_OF_BEFORE = (
    "INSERT INTO payment (order_id, site_id, subscriber_id, plan_id, purpose, device_mac, msisdn,"
    " rail, shortcode, amount_minor, currency, state, code, provider_id, callback_token_hash,"
    " receipt, created_at, settled_at, queries) VALUES"
    " ('{0}', 'kahawa', 's', 'mb', 'grant', '02:00:00:00:00:01', '254700000001',"
    " 'mpesa', '600111', 2000, 'KES', '{1}', '', 'ws_CO_{2}', '{0}', {3}, :now, {4}, 0)"
)
RECEIVED_OF_BEFORE = (
    "INSERT INTO received (id, subscriber_id, branch_id, rail, place, receipt, amount_minor,"
    " currency, at, note, reversed_at) VALUES"
    " ('{0}', 's', 'main', '{1}', 'here', '{2}', {3}, 'KES', :now, '', {4})"
)
MONEY_OF_BEFORE = (
    (
        "INSERT INTO site (id, name, operator_name, help_phone, language, created_at, generation,"
        " digest, applied_generation, applied_digest, agent_version, branch_id) VALUES"
        " ('kahawa', 'K', 'L', '', 'en', :now, 0, :no, 0, :no, '', 'main')"
    ),
    (
        "INSERT INTO plan (id, name, price_minor, currency, down_bps, up_bps, validity_s,"
        " devices_max, rank, created_at)"
        " VALUES ('mb', 'MB', 2000, 'KES', 8000, 8000, 60, 1, 0, :now)"
    ),
    "INSERT INTO subscriber (id, msisdn, created_at) VALUES ('s', '254700000001', :now)",
    PAYMENT_OF_BEFORE.format("o1", "settled", 1, "'RCT0000001'", ":now"),
    PAYMENT_OF_BEFORE.format("o2", "settled", 2, "NULL", ":now"),
    PAYMENT_OF_BEFORE.format("o3", "refused", 3, "NULL", "NULL"),
    RECEIVED_OF_BEFORE.format("r1", "bank", "rct0000002", 5000, "NULL"),
    RECEIVED_OF_BEFORE.format("r2", "cash", "rct0000003", 7000, ":now"),
)
