"""Many rows at once, in the fastest way that each database has: COPY, or one prepared statement.

Rows are tuples; nothing here makes an object, or a statement, for each of them. What is to change
is copied into a temporary table of the connection first, and from there into its own.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, String, any_, func, select

from controller.store import collecting
from controller.store.rows import Moment, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import InstrumentedAttribute

    from controller.store.database import Tx

Values = tuple[Any, ...]
"""A row: a value for each of some columns, in their order."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

_BETWEEN = "\x1f"
"""Stands between names that are handed over as one text, and in none."""


def among(
    tx: Tx, column: InstrumentedAttribute[Any], names: Collection[str]
) -> ColumnElement[bool]:
    """Whether a column holds one of so many names: one variable, however many they are."""
    if is_postgres(tx):
        joined = _BETWEEN.join(names)
        assert joined.count(_BETWEEN) == max(0, len(names) - 1), "a name holds a separator"
        return column == any_(func.string_to_array(joined, _BETWEEN, type_=ARRAY(String)))
    rows = func.json_each(json.dumps(list(names))).table_valued("value")
    return column.in_(select(rows.c.value))


def new_names(count: int, at: datetime) -> list[str]:
    """So many new ids of 32 hexadecimal digits, in order: 12 of the time in ms, 20 of chance.

    What is written together stands together in every index, however large that is; what comes in
    no order touches a page of its own for each row.
    """
    since_1970 = (at - EPOCH) // MILLISECOND
    digits = secrets.token_hex(10 * count)
    chances = [digits[n : n + 20] for n in range(0, 20 * count, 20)]
    return [f"{since_1970:012x}{one}" for one in sorted(chances)]


def is_postgres(tx: Tx) -> bool:
    """Whether this is PostgreSQL."""
    return tx.get_bind().dialect.name == "postgresql"


def values_of(row: Row) -> Values:
    """A row that was never added to a session, with all columns in the order of the table."""
    return tuple(getattr(row, column) for column in columns_of(type(row)))


@lru_cache(128)
def columns_of(row: type[Row]) -> tuple[str, ...]:
    """The columns of a table, in their order."""
    return tuple(column.key for column in _columns(row))


def _columns(row: type[Row]) -> list[Any]:
    return list(row.__table__.columns)


async def write(
    tx: Tx, row: type[Row], rows: Sequence[Values], *, columns: Sequence[str] = ()
) -> None:
    """Insert rows, each of these columns; without them, of all in the order of the table."""
    if not rows:
        return
    columns = columns or columns_of(row)
    await collecting.touched(tx, row, columns, rows, are_new=True)
    if is_postgres(tx):
        await _copy(tx, row, row.__tablename__, columns, rows)
        return
    marks = ", ".join("?" * len(columns))
    statement = f'INSERT INTO "{row.__tablename__}" ({_names(columns)}) VALUES ({marks})'  # noqa: S608
    await _each(tx, row, columns, statement, rows)


async def write_new(tx: Tx, row: type[Row], rows: Sequence[Values]) -> set[Any]:
    """Insert those rows whose first column, their only key, is not taken; the keys that were new.

    On PostgreSQL this waits for others who are inserting the same; keys have to be in order, so
    that no two wait for each other. On SQLite nobody else writes meanwhile.
    """
    if not rows:
        return set()
    columns = columns_of(row)
    await collecting.touched(tx, row, columns, rows)
    if is_postgres(tx):
        kinds = [column.type.compile(dialect=tx.get_bind().dialect) for column in _columns(row)]
        arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
        async with (await _driver(tx)).cursor() as cursor:
            await cursor.execute(
                f'INSERT INTO "{row.__tablename__}" ({_names(columns)}) '  # noqa: S608
                f'SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING RETURNING "{columns[0]}"',
                [list(values) for values in zip(*rows, strict=True)],
            )
            return {key for (key,) in await cursor.fetchall()}
    key = getattr(row, columns[0])
    taken = set(await tx.scalars(select(key).where(among(tx, key, [one[0] for one in rows]))))
    new = [one for one in rows if one[0] not in taken]
    await write(tx, row, new)
    return {one[0] for one in new}


async def put(
    tx: Tx, row: type[Row], rows: Sequence[Values], *, columns: Sequence[str], keys: Sequence[str]
) -> None:
    """Insert rows; where the ``keys`` exist already, the other columns are replaced."""
    if not rows:
        return
    await collecting.touched(tx, row, columns, rows)
    sets = ", ".join(f'"{c}" = excluded."{c}"' for c in columns if c not in keys)
    into = f'INSERT INTO "{row.__tablename__}" ({_names(columns)})'
    conflict = f"ON CONFLICT ({_names(keys)}) DO UPDATE SET {sets}"
    if is_postgres(tx):
        there = await _staged(tx, row, columns, rows)
        await _run(tx, f'{into} SELECT {_names(columns)} FROM "{there}" {conflict}')  # noqa: S608
        return
    marks = ", ".join("?" * len(columns))
    await _each(tx, row, columns, f"{into} VALUES ({marks}) {conflict}", rows)


async def change(
    tx: Tx, row: type[Row], rows: Sequence[Values], *, columns: Sequence[str], keys: Sequence[str]
) -> None:
    """Set the other ``columns`` of the rows that have these ``keys``, where that is news."""
    if not rows:
        return
    await collecting.touched(tx, row, columns, rows)
    changed = [column for column in columns if column not in keys]
    table = row.__tablename__
    if is_postgres(tx):
        there = await _staged(tx, row, columns, rows)
        sets = ", ".join(f'"{c}" = new."{c}"' for c in changed)
        same = " AND ".join(f'old."{c}" = new."{c}"' for c in keys)
        news = " OR ".join(f'old."{c}" IS DISTINCT FROM new."{c}"' for c in changed)
        statement = f'UPDATE "{table}" old SET {sets} FROM "{there}" new WHERE {same} AND ({news})'  # noqa: S608
        await _run(tx, statement)
        return
    mark = {column: f"?{n}" for n, column in enumerate(columns, start=1)}
    sets = ", ".join(f'"{c}" = {mark[c]}' for c in changed)
    same = " AND ".join(f'"{c}" = {mark[c]}' for c in keys)
    news = " OR ".join(f'"{c}" IS NOT {mark[c]}' for c in changed)
    statement = f'UPDATE "{table}" SET {sets} WHERE {same} AND ({news})'  # noqa: S608
    await _each(tx, row, columns, statement, rows)


async def _staged(tx: Tx, row: type[Row], columns: Sequence[str], rows: Sequence[Values]) -> str:
    """The temporary table, named, that holds rows until the transaction ends."""
    there = f"new_{row.__tablename__}"
    await _run(
        tx,
        f'CREATE TEMPORARY TABLE IF NOT EXISTS "{there}" ON COMMIT DELETE ROWS '  # noqa: S608
        f'AS SELECT * FROM "{row.__tablename__}" WITH NO DATA',
    )
    await _run(tx, f'DELETE FROM "{there}"')  # noqa: S608
    await _copy(tx, row, there, columns, rows)
    return there


async def _copy(
    tx: Tx, row: type[Row], table: str, columns: Sequence[str], rows: Sequence[Values]
) -> None:
    moments = _moments(row, columns)
    driver = await _driver(tx)
    async with (
        driver.cursor() as cursor,
        cursor.copy(f'COPY "{table}" ({_names(columns)}) FROM STDIN') as copy,
    ):
        rendered = copy.formatter.write_row  # gathers rows, and gives them in large pieces
        for one in _with_text(rows, moments, _utc_text):
            piece = rendered(one)
            if piece:
                await copy.write(piece)


async def _each(
    tx: Tx, row: type[Row], columns: Sequence[str], statement: str, rows: Sequence[Values]
) -> None:
    """A statement for each of many rows of SQLite, which keeps times as text."""
    moments = _moments(row, columns)
    driver = await _driver(tx)
    await driver.executemany(statement, list(_with_text(rows, moments, _text)))


def _moments(row: type[Row], columns: Sequence[str]) -> list[int]:
    """Which of these columns hold times."""
    kinds = row.__table__.columns
    return [n for n, column in enumerate(columns) if isinstance(kinds[column].type, Moment)]


def _with_text(
    rows: Sequence[Values], moments: Collection[int], text: Callable[[datetime], str]
) -> Iterable[Values]:
    """Rows with their times as text: those of a batch share theirs, so few are ever written out."""
    if not moments:
        return rows
    columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
    for n in moments:
        columns[n] = [None if at is None else text(at) for at in columns[n]]
    return zip(*columns, strict=True)


@lru_cache(65_536)
def _text(at: datetime) -> str:
    """A time as SQLAlchemy keeps it in SQLite."""
    assert at.tzinfo is not None, "a naive time reached the database"
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


@lru_cache(65_536)
def _utc_text(at: datetime) -> str:
    return f"{_text(at)}+00"


async def _run(tx: Tx, statement: str) -> None:
    await (await tx.connection()).exec_driver_sql(statement)


async def _driver(tx: Tx) -> Any:
    connection = await (await tx.connection()).get_raw_connection()
    return connection.driver_connection


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
