"""Some hundreds of new rows in one statement: the database is handed each column as one array.

For what many callers ask at once, where the round trips of a COPY would be most of the work, and
where rows may be there already. Thousands are better off with `bulk_rows`. SQLite has no arrays:
there it is that module's prepared statement.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import String
from sqlalchemy.dialects import postgresql

from controller.store import bulk_rows, collecting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.types import TypeEngine

    from controller.store.bulk_rows import Values
    from controller.store.database import Tx
    from controller.store.rows import Row

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


async def insert_new(
    tx: Tx,
    row: type[Row],
    rows: Sequence[Values],
    *,
    parts_row: type[Row],
    parts: Sequence[Values],
) -> set[Any]:
    """Insert those rows whose first column, their only key, is not taken; the keys that were new.

    With each come its ``parts``, at least one, whose first column is that key. All rows have all
    columns in the order of their table, and no nulls. On PostgreSQL it is one statement, which
    waits for others who are inserting the same; keys have to be in order, so that no two wait for
    each other. On SQLite nobody else writes meanwhile.
    """
    if not rows:
        return set()
    if bulk_rows.is_postgres(tx):
        await collecting.touched(tx, row, bulk_rows.columns_of(row), rows)
        await collecting.touched(tx, parts_row, bulk_rows.columns_of(parts_row), parts)
        arrays = [*_arrays(rows), *_arrays(parts)]
        cursor = await (await _driver(tx)).execute(_inserting_new(row, parts_row), arrays)
        return {key for (key,) in await cursor.fetchall()}
    new = await bulk_rows.write_new(tx, row, rows)
    await bulk_rows.write(tx, parts_row, [part for part in parts if part[0] in new])
    return new


async def insert_some(
    tx: Tx, row: type[Row], rows: Sequence[Values], *, columns: Sequence[str], returning: str
) -> set[Any]:
    """Insert rows of some columns where no unique key is taken; ``returning`` of the new ones.

    PostgreSQL alone. Waits for others who are inserting the same: keys have to be in order.
    """
    if not rows:
        return set()
    await collecting.touched(tx, row, columns, rows)
    statement = _inserting(row, tuple(columns)) + f' ON CONFLICT DO NOTHING RETURNING "{returning}"'
    cursor = await (await _driver(tx)).execute(statement, _arrays(rows))
    return {key for (key,) in await cursor.fetchall()}


async def put(
    tx: Tx, row: type[Row], rows: Sequence[Values], *, columns: Sequence[str], keys: Sequence[str]
) -> None:
    """Insert rows, none of them null; where the ``keys`` exist, the others are replaced."""
    if not rows:
        return
    if not bulk_rows.is_postgres(tx):
        await bulk_rows.put(tx, row, rows, columns=columns, keys=keys)
        return
    await collecting.touched(tx, row, columns, rows)
    sets = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
    conflict = ", ".join(f'"{name}"' for name in keys)
    statement = _inserting(row, tuple(columns)) + f" ON CONFLICT ({conflict}) DO UPDATE SET {sets}"
    await (await _driver(tx)).execute(statement, _arrays(rows))


async def change(
    tx: Tx,
    row: type[Row],
    rows: Sequence[Values],
    *,
    columns: Sequence[str],
    key: str,
    same: Mapping[str, Any],
) -> None:
    """Set ``columns`` of rows by their ``key``, one of them, and ``same`` of all of them alike."""
    if not rows:
        return
    if not bulk_rows.is_postgres(tx):
        every = [(*values, *same.values()) for values in rows]
        await bulk_rows.change(tx, row, every, columns=(*columns, *same), keys=(key,))
        return
    await collecting.touched(tx, row, columns, rows)
    sets = [f'"{name}" = given."{name}"' for name in columns if name != key]
    sets += [f'"{name}" = %s' for name in same]
    statement = (
        f'UPDATE "{row.__tablename__}" old SET {", ".join(sets)} '  # noqa: S608
        f'FROM {_given(row, columns)} WHERE old."{key}" = given."{key}"'
    )
    await (await _driver(tx)).execute(statement, [*same.values(), *_arrays(rows)])


@lru_cache(32)
def _inserting_new(row: type[Row], parts_row: type[Row]) -> str:
    """Whether a part's row is new is asked of a hash ("IS TRUE"), never by a nested loop."""
    key, owner = bulk_rows.columns_of(row)[0], bulk_rows.columns_of(parts_row)[0]
    new = f"{_inserting(row)} ON CONFLICT DO NOTHING RETURNING {key}"
    rest = f"{_inserting(parts_row)} WHERE ({owner} IN (SELECT {key} FROM new)) IS TRUE"  # noqa: S608
    return f"WITH new AS ({new}), rest AS ({rest}) SELECT {key} FROM new"  # noqa: S608


@lru_cache(32)
def _inserting(row: type[Row], columns: tuple[str, ...] = ()) -> str:
    columns = columns or bulk_rows.columns_of(row)
    given = _given(row, columns)
    return f'INSERT INTO "{row.__tablename__}" ({_names(columns)}) SELECT * FROM {given}'  # noqa: S608


def _given(row: type[Row], columns: Sequence[str]) -> str:
    """The rows that are handed over, each column as an array."""
    kinds = [_kind(row.__table__.columns[name].type) for name in columns]
    arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
    return f"unnest({arrays}) given ({_names(columns)})"


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _kind(kind: TypeEngine[Any]) -> str:
    """The type of a column's values; of names without a length, for a cast would cut them off."""
    return "TEXT" if isinstance(kind, String) else str(kind.compile(dialect=_DIALECT))


def _arrays(rows: Sequence[Values]) -> list[Any]:
    return [
        list(values) if isinstance(values[0], bytes) else _array(_texts(values))
        for values in zip(*rows, strict=True)
    ]


def _texts(values: Values) -> Sequence[str]:
    """The values of a column, which are all of one kind."""
    first = values[0]
    if isinstance(first, str):
        return values
    assert first is not None, "a null in rows that have none"
    if isinstance(first, datetime):
        assert all(at.tzinfo is not None for at in values), "a naive time reached the database"
    return list(map(str, values))


def _array(texts: Sequence[str]) -> str:
    """An array as PostgreSQL reads it ("Array Input and Output Syntax" in its documentation).

    The driver's own way is a call for each element.
    """
    joined = '","'.join(texts)
    if "\\" in joined or joined.count('"') != 2 * (len(texts) - 1):
        joined = '","'.join(map(_escaped, texts))
    return f'{{"{joined}"}}'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


async def _driver(tx: Tx) -> Any:
    connection = await (await tx.connection()).get_raw_connection()
    return connection.driver_connection
