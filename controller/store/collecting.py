"""What a transaction of staff changes, collected while it happens and written beside it.

Each statement that writes is seen before it runs, by whatever road it goes (the ORM's flush, an
UPDATE of many, an INSERT that knows conflicts, `bulk_rows`): the rows that it will touch are looked
up as they are, and once more when the transaction ends. What stands in the audit row is thus what
the database held, not what somebody meant to write; what was undone in between is no change.

Only transactions of staff are collected. A transaction without an actor costs one look at a
context variable.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from datetime import UTC, date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, event, func, insert, or_, select
from sqlalchemy.sql.dml import Delete, Insert, Update

from controller.store.audit_rows import AuditRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Table
    from sqlalchemy.ext.asyncio import AsyncSession

    from controller.acting import Actor
    from controller.store.rows import Row

CHANGES_MAX = 40
"""Rows whose values one audit row tells; of more it says how many there were."""

CHANGES_BYTES_MAX = 16_000
VALUE_CHARS_MAX = 300
INFO = "collected"
"""Where a session has its `Collected`."""

SECRET_WORDS = frozenset(
    ("hash", "secret", "password", "sealed", "salt", "token", "totp", "otp", "key", "keys")
) | frozenset(("proofs", "credential", "private", "recovery", "cookie", "passkey", "nonce"))
"""A column with one of these words in its name is never shown, nor is one of bytes."""

PINS = ("pin", "_pin")
TAX_NUMBER = "kra_pin"
"""The one PIN that is none: a tax number, printed on every invoice."""

DERIVED = frozenset(("site_item", "site_generation", "subscriber_word"))
"""Tables that follow from others: it is told how many of their rows were written."""

UNTOLD = frozenset(("audit", "inbox", "journal", "number_series", "staff_step", "staff_try"))
"""Tables whose rows only keep count: which request was answered, which record and number came last.
Nobody asks later how often somebody mistyped; that they signed in is told by the session."""

BOOKKEEPING = frozenset(("seen_at", "last_seen_at", "used_at_last"))
"""Columns that say when something was last heard of: a change of nothing else is none."""

_Key = tuple[Any, ...]
_Values = dict[str, Any]


class Collected:
    """The changes of one transaction of an actor."""

    def __init__(self, who: Actor) -> None:
        """Nothing yet."""
        self._who = who
        self._before: dict[tuple[Table, _Key], _Values | None] = {}
        self._more: Counter[str] = Counter()
        self._notes: list[dict[str, Any]] = []
        self._result = "done"
        self._is_closed = False

    def watch(self, connection: Connection) -> None:
        """See every statement that this connection runs, until the transaction ends."""
        event.listen(connection, "before_execute", self._seen)

    def note(self, one: dict[str, Any], result: str) -> None:
        """Keep what no row says."""
        self._notes.append(one)
        self._result = result

    def touch(
        self, connection: Connection, table: Table, keys: Sequence[_Key], *, are_new: bool
    ) -> None:
        """Rows of these keys are about to be written; ``are_new``: they are not there yet."""
        if table.name in UNTOLD:
            return
        if table.name in DERIVED:
            self._more[table.name] += len(keys)
            return
        fresh = [key for key in dict.fromkeys(keys) if (table, key) not in self._before]
        told = fresh[: self._room()]
        self._more[table.name] += len(fresh) - len(told)
        there = {} if are_new else _rows(connection, table, told)
        for key in told:
            self._before[table, key] = there.get(key)

    def count(self, table: Table, rows: int) -> None:
        """So many rows are written of which no key is known."""
        if table.name not in UNTOLD:
            self._more[table.name] += rows

    def values(self, connection: Connection) -> _Values | None:
        """The audit row; None when nothing changed. The transaction must be flushed."""
        self._is_closed = True
        changes = [*self._notes, *self._changes(connection)]
        more = {name: count for name, count in self._more.items() if count}
        if not changes and not more:
            return None
        code, (kind, name) = self._code_and_about(changes)
        who = self._who
        return {
            "id": secrets.token_hex(16),
            "at": who.at,
            "staff_id": who.staff_id[:64],
            "staff_name": who.name[:120],
            "address": who.address[:64],
            "route": who.route[:160],
            "request_id": who.request_id[:64],
            "code": code[:40],
            "about_kind": kind[:40],
            "about_id": name[:120],
            "changes": _written(changes, more),
            "result": self._result,
        }

    def _room(self) -> int:
        return max(0, CHANGES_MAX - len(self._before))

    def _seen(self, connection: Connection, clause: Any, many: Any, one: Any, _opts: Any) -> None:
        if self._is_closed or not isinstance(clause, Insert | Update | Delete):
            return
        parameters = list(many) or [one]
        if isinstance(clause, Insert):
            self._inserting(connection, clause, parameters)
        else:
            self._changing(connection, clause, parameters)

    def _inserting(self, connection: Connection, clause: Insert, parameters: list[_Values]) -> None:
        table = _table(clause)
        keys = _inserted_keys(clause, table, parameters)
        if keys is None:
            self.count(table, len(parameters))
            return
        knows_conflicts = clause._post_values_clause is not None  # noqa: SLF001 - no other way to ask
        self.touch(connection, table, keys, are_new=not knows_conflicts)

    def _changing(
        self, connection: Connection, clause: Update | Delete, parameters: list[_Values]
    ) -> None:
        table = _table(clause)
        if table.name in UNTOLD:
            return
        where = clause.whereclause
        for given in parameters:
            room = self._room()
            if table.name in DERIVED or not room:
                query = select(func.count()).select_from(table)
                query = query if where is None else query.where(where)
                self._more[table.name] += connection.execute(query, given).scalar_one()
                continue
            found = select(*table.c).with_for_update(key_share=True, of=table).limit(room + 1)
            found = found if where is None else found.where(where)
            rows = [dict(row) for row in connection.execute(found, given).mappings()]
            for row in rows[:room]:
                self._before.setdefault((table, _key(table, row)), row)
            if len(rows) > room:
                query = select(func.count()).select_from(table)
                query = query if where is None else query.where(where)
                self._more[table.name] += connection.execute(query, given).scalar_one() - room

    def _changes(self, connection: Connection) -> list[dict[str, Any]]:
        after: dict[tuple[Table, _Key], _Values] = {}
        for table in dict.fromkeys(table for table, _ in self._before):
            keys = [key for of, key in self._before if of is table]
            after |= {(table, key): row for key, row in _rows(connection, table, keys).items()}
        told = (
            _change(table, key, was, after.get((table, key)))
            for (table, key), was in self._before.items()
        )
        return [one for one in told if one is not None]

    def _code_and_about(self, changes: list[dict[str, Any]]) -> tuple[str, tuple[str, str]]:
        if self._notes:
            first = self._notes[0]
            return first["note"], tuple(first["about"] or ("", ""))
        if self._who.about is not None:
            return "", self._who.about
        for one in changes:
            if one["key"] and all(one["key"].values()):
                return "", (one["table"], " ".join(map(str, one["key"].values())))
        return "", ("", "")


async def collect(tx: AsyncSession, who: Actor) -> Collected:
    """Collect what a transaction that has just begun changes."""
    found = Collected(who)
    connection = (await tx.connection()).sync_connection
    assert connection is not None
    found.watch(connection)
    tx.info[INFO] = found
    return found


async def write(tx: AsyncSession, collected: Collected) -> None:
    """Write the audit row of a transaction that is about to commit, unless nothing changed."""
    await tx.flush()
    connection = await tx.connection()
    values = await connection.run_sync(collected.values)
    if values is not None:
        await connection.execute(insert(AuditRow), values)


async def touched(
    tx: AsyncSession,
    row: type[Row],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    are_new: bool = False,
) -> None:
    """Tell what is about to be written past the session, by the driver itself."""
    found: Collected | None = tx.info.get(INFO)
    if found is None or not rows:
        return
    table: Any = row.__table__
    names = [column.name for column in table.primary_key]
    if not set(names) <= set(columns):
        found.count(table, len(rows))
        return
    places = [list(columns).index(name) for name in names]
    keys = [tuple(one[n] for n in places) for one in rows]
    await tx.flush()
    connection = await tx.connection()
    await connection.run_sync(found.touch, table, keys, are_new=are_new)


def is_secret(table: Table, column: str) -> bool:
    """Whether a column's values are kept from everybody who reads the audit log."""
    found = table.c[column]
    if "shown" in found.info:
        return not found.info["shown"]
    words = column.split("_")
    is_pin = column.endswith(PINS) and column != TAX_NUMBER
    return found.type.python_type is bytes or is_pin or not SECRET_WORDS.isdisjoint(words)


def _table(clause: Insert | Update | Delete) -> Table:
    """The table itself, not the ORM's annotated copy of it."""
    named: Any = clause.table
    found: Table = named.metadata.tables[named.key]
    return found


def _inserted_keys(clause: Insert, table: Table, parameters: list[_Values]) -> list[_Key] | None:
    """The keys of rows that are to be inserted; None where they are not told."""
    lists: Any = clause._multi_values  # noqa: SLF001 - values() of many rows are nowhere else
    said: Any = clause._values or {}  # noqa: SLF001 - as are those of one
    rows: list[Mapping[Any, Any]]
    if lists:
        rows = [one for part in lists for one in part]
    else:
        rows = [{**said, **given} for given in parameters]
    keys = [_told_key(table, row) for row in rows]
    return None if any(key is None for key in keys) else [key for key in keys if key is not None]


def _told_key(table: Table, row: Mapping[Any, Any]) -> _Key | None:
    by_name = {getattr(name, "key", name): value for name, value in row.items()}
    try:
        return tuple(_bound(by_name[column.name]) for column in table.primary_key)
    except KeyError:
        return None


def _bound(value: Any) -> Any:
    return getattr(value, "value", value) if not isinstance(value, Enum) else value


def _key(table: Table, row: Mapping[str, Any]) -> _Key:
    return tuple(row[column.name] for column in table.primary_key)


def _rows(connection: Connection, table: Table, keys: Sequence[_Key]) -> dict[_Key, _Values]:
    """The rows of these keys that are there."""
    if not keys:
        return {}
    columns = list(table.primary_key)
    one_of = or_(
        *(and_(*(c == part for c, part in zip(columns, key, strict=True))) for key in keys)
    )
    found = connection.execute(select(*table.c).where(one_of)).mappings()
    return {_key(table, row): row for row in map(dict, found)}


def _change(
    table: Table, key: _Key, before: _Values | None, after: _Values | None
) -> dict[str, Any] | None:
    """What became of a row, as it is kept; None when it is as it was."""
    was, became = before or {}, after or {}
    changed = [c.name for c in table.c if was.get(c.name) != became.get(c.name)]
    if not changed or (before and after and BOOKKEEPING.issuperset(changed)):
        return None
    shown = [name for name in changed if not is_secret(table, name)]
    names = [column.name for column in table.primary_key]
    told: dict[str, Any] = {
        "table": table.name,
        "key": {
            name: None if is_secret(table, name) else _plain(part)
            for name, part in zip(names, key, strict=True)
        },
        "before": None if before is None else {name: _plain(was.get(name)) for name in shown},
        "after": None if after is None else {name: _plain(became.get(name)) for name in shown},
    }
    if hidden := sorted(set(changed) - set(shown)):
        told["hidden"] = hidden
    return told


def _plain(value: Any) -> Any:
    """A value as JSON has it; long text is cut."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int):
        return value
    text = str(value)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]}…"


def _written(changes: list[dict[str, Any]], more: dict[str, int]) -> str:
    """The changes as JSON within bounds: what has no room is counted."""
    kept: list[dict[str, Any]] = []
    size, over = 0, Counter(more)
    for one in changes:
        size += len(json.dumps(one, ensure_ascii=False).encode())
        if size > CHANGES_BYTES_MAX and kept:
            over[one.get("table", "note")] += 1
        else:
            kept.append(one)
    last: Iterable[dict[str, Any]] = [{"more": dict(sorted(over.items()))}] if over else []
    return json.dumps([*kept, *last], ensure_ascii=False, separators=(",", ":"))
