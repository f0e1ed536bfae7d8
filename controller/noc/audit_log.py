"""The audit log, to look at: reading queries, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, or_, select

from controller.store.audit_rows import AuditRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.noc.views import Mark
    from controller.store.database import Tx


@dataclass(frozen=True, slots=True)
class AuditAsked:
    """By what the log is narrowed; empty: all of it.

    ``who`` is a member of staff by id or name, ``about`` a kind of object, or ``kind:id`` of one,
    ``what`` a part of the route or of the note's code.
    """

    who: str = ""
    about: str = ""
    what: str = ""
    since: datetime | None = None
    until: datetime | None = None


async def audit_rows(
    tx: Tx, asked: AuditAsked, *, after: Mark | None = None, limit: int
) -> list[AuditRow]:
    """Rows of the log, newest first, from after a mark."""
    row = AuditRow
    query = select(row).order_by(row.at.desc(), row.id.desc()).limit(limit)
    if after is not None:
        query = query.where(or_(row.at < after.at, and_(row.at == after.at, row.id < after.id)))
    if asked.who:
        query = query.where(or_(row.staff_id == asked.who, row.staff_name == asked.who))
    if asked.about:
        kind, _, name = asked.about.partition(":")
        query = query.where(row.about_kind == kind)
        query = query.where(row.about_id == name) if name else query
    if asked.what:
        found = (func.lower(column) for column in (row.route, row.code))
        query = query.where(or_(*(c.contains(asked.what.lower(), autoescape=True) for c in found)))
    if asked.since is not None:
        query = query.where(row.at >= asked.since)
    if asked.until is not None:
        query = query.where(row.at < asked.until)
    return list(await tx.scalars(query))
