"""The audit log, to look at: reading queries, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, func, or_, select

from controller.store.audit_rows import AuditRow
from controller.store.billing_rows import SubscriptionRow
from controller.store.rows import GrantRow, PaymentRow, SessionRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.noc.views import Mark
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow


@dataclass(frozen=True, slots=True)
class AuditAsked:
    """By what the log is narrowed; empty: all of it.

    ``who`` is a member of staff by id or name, ``about`` a kind of object, or ``kind:id`` of one,
    ``what`` a part of the route or of the note's code. ``names`` has the names of objects by their
    kind, of which any will do.
    """

    who: str = ""
    about: str = ""
    what: str = ""
    since: datetime | None = None
    until: datetime | None = None
    names: Mapping[str, Sequence[str]] | None = None


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
    if asked.names is not None:
        one_of = (
            and_(row.about_kind == kind, row.about_id.in_(names))
            for kind, names in asked.names.items()
        )
        query = query.where(or_(*one_of))
    elif asked.about:
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


RELATED_MAX = 200
"""Of each kind, the newest: so much of a customer is looked for in the log."""


async def about_customer(tx: Tx, row: SubscriberRow) -> dict[str, list[str]]:
    """Under which kinds and names the log tells of a customer and of what is theirs.

    A route names them as whoever asked typed it: by id, or by a phone in one of its forms.
    """
    local = row.msisdn.removeprefix("254")
    typed = [row.id, row.msisdn, f"+{row.msisdn}", f"0{local}", local]
    grants = list(await tx.scalars(_newest(GrantRow, GrantRow.id, row.id)))
    sessions = select(SessionRow.id).where(SessionRow.grant_id.in_(grants))
    sessions = sessions.order_by(SessionRow.opened_at.desc()).limit(RELATED_MAX)
    subscriptions = _newest(SubscriptionRow, SubscriptionRow.id, row.id)
    return {
        "subscriber": typed,
        "phone": typed,
        "grant": grants,
        "session": list(await tx.scalars(sessions)),
        "payment": list(await tx.scalars(_newest(PaymentRow, PaymentRow.order_id, row.id))),
        "subscription": list(await tx.scalars(subscriptions)),
    }


def _newest(row: Any, key: Any, subscriber_id: str) -> Select[Any]:
    query = select(key).where(row.subscriber_id == subscriber_id)
    return query.order_by(row.created_at.desc()).limit(RELATED_MAX)
