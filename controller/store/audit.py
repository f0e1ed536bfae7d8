"""The audit log as it is kept: notes beside what rows say, and the sealing of rows into a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, bindparam, func, literal, select, update

from controller.store.audit_chain import GENESIS, Entry, Head, Sealed, sealed
from controller.store.audit_rows import AuditRow
from controller.store.collecting import INFO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.store.collecting import Collected
    from controller.store.database import Tx

SEALING = 0x4C4E_5345
"""PostgreSQL's advisory lock of who seals."""


def note(
    tx: Tx,
    code: str,
    about: tuple[str, str] | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    result: str = "done",
) -> None:
    """Say in this transaction's audit row what no row of the database says.

    ``about`` is the kind and id of the object meant. Values are plain JSON, and never secrets. What
    nobody of the staff does is not noted (`controller.acting.acting` says who acts).
    """
    collected: Collected | None = tx.info.get(INFO)
    if collected is not None:
        told = {"note": code, "about": list(about or ()), "before": before, "after": after}
        collected.note(told, result)


async def unsealed(tx: Tx, *, limit: int) -> list[Entry]:
    """The oldest rows that have no place in the chain yet."""
    query = select(AuditRow).where(AuditRow.seq.is_(None))
    rows = await tx.scalars(query.order_by(AuditRow.at, AuditRow.id).limit(limit))
    return [_entry(row) for row in rows]


async def any_unsealed(tx: Tx) -> bool:
    """Whether there is something to seal."""
    query = select(literal(1)).select_from(AuditRow).where(AuditRow.seq.is_(None)).limit(1)
    return (await tx.execute(query)).first() is not None


async def head(tx: Tx) -> Head:
    """The end of the chain."""
    query = select(AuditRow.seq, AuditRow.hash).where(AuditRow.seq.is_not(None))
    found = (await tx.execute(query.order_by(AuditRow.seq.desc()).limit(1))).first()
    return Head(0, GENESIS) if found is None else Head(found[0] or 0, found[1] or "")


async def seal(tx: Tx, *, limit: int) -> Head | None:
    """Put the oldest unsealed rows at the end of the chain; its head, or None for nothing to do.

    One process at a time seals: the lock is held until the transaction ends, and the places are
    unique besides.
    """
    if tx.get_bind().dialect.name != "sqlite":  # there a transaction is alone anyway
        await tx.execute(select(func.pg_advisory_xact_lock(SEALING)))
    entries = await unsealed(tx, limit=limit)
    if not entries:
        return None
    rows = sealed(await head(tx), entries)
    table = AuditRow.__table__
    assert isinstance(table, Table)
    statement = (
        update(table)
        .where(table.c.id == bindparam("of"))
        .values(seq=bindparam("place"), hash=bindparam("sum"))
    )
    await (await tx.connection()).execute(
        statement, [{"of": row.entry.id, "place": row.seq, "sum": row.hash} for row in rows]
    )
    return Head(rows[-1].seq, rows[-1].hash)


async def sealed_rows(tx: Tx, *, after_seq: int, limit: int) -> list[Sealed]:
    """Rows of the chain in their order, from after a place."""
    query = select(AuditRow).where(AuditRow.seq > after_seq).order_by(AuditRow.seq).limit(limit)
    rows = await tx.scalars(query.execution_options(populate_existing=True))
    return [Sealed(_entry(row), row.seq or 0, row.hash or "") for row in rows]


def _entry(row: AuditRow) -> Entry:
    return Entry(**{name: getattr(row, name) for name in Entry.__dataclass_fields__})
