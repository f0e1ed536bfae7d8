"""Alerts as they are kept, with what happened to them and who was told."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import and_, exists, or_, select

from controller.alerts.rules import Severity
from controller.alerts.states import REOPENS_WITHIN, Alert, State
from controller.store.alert_rows import (
    AlertDeedRow,
    AlertRoundRow,
    AlertRouteRow,
    AlertRow,
    AlertToldRow,
)
from controller.store.bulk_rows import among
from controller.store.database import ROW_LOCK, inserted
from controller.store.scope import within

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Select

    from controller.store.database import Tx

    Query = Select[*tuple[Any, ...]]

OPEN_MAX = 1_000
DETAIL_MAX = 300


def as_alert(row: AlertRow) -> Alert:
    """The alert as its life is reckoned."""
    return Alert(
        state=State(row.state),
        severity=Severity(row.severity),
        bad_at=row.bad_at,
        raised_at=row.raised_at,
        well_at=row.well_at,
        acked_at=row.acked_at,
        recovered_at=row.recovered_at,
        silenced_until=row.silenced_until,
        held_by=row.held_by,
        freed_at=row.freed_at,
        times=row.times,
    )


def columns_of(alert: Alert) -> dict[str, object]:
    """What a look may change of an alert, by column."""
    return {
        "state": alert.state.value,
        "severity": alert.severity.value,
        "bad_at": alert.bad_at,
        "raised_at": alert.raised_at,
        "well_at": alert.well_at,
        "acked_at": alert.acked_at,
        "recovered_at": alert.recovered_at,
        "silenced_until": alert.silenced_until,
        "held_by": alert.held_by,
        "freed_at": alert.freed_at,
        "times": alert.times,
    }


def note(row: AlertRow, alert: Alert) -> None:
    """Let a row hold what its alert has become."""
    for name, value in columns_of(alert).items():
        if getattr(row, name) != value:
            setattr(row, name, value)


async def round_read(tx: Tx) -> AlertRoundRow | None:
    """When it was looked last, or None."""
    return await tx.get(AlertRoundRow, 1)


async def round_locked(tx: Tx, now: datetime) -> AlertRoundRow | None:
    """The right to look now, held until the transaction ends; None: somebody else is looking."""
    await inserted(tx, AlertRoundRow, id=1, looked_at=now, since_at=now)
    query = select(AlertRoundRow).where(AlertRoundRow.id == 1)
    query = query.with_for_update(skip_locked=True, key_share=True)
    return await tx.scalar(query.execution_options(populate_existing=True))


async def living(tx: Tx, now: datetime) -> list[AlertRow]:
    """Every alert that is not over, or was over of late: a look may change them."""
    row = AlertRow
    recent = and_(row.state == State.RECOVERED, row.recovered_at >= now - REOPENS_WITHIN)
    query = select(row).where(or_(row.state != State.RECOVERED, recent)).order_by(row.id)
    return list(await tx.scalars(query))


async def owing(tx: Tx) -> list[AlertRow]:
    """Alerts that are over, of which somebody was told that they began and not that they ended."""
    told, row = AlertToldRow, AlertRow
    owed = exists().where(told.alert_id == row.id, told.kind != "resolved")
    return list(await tx.scalars(select(row).where(row.state == State.RECOVERED, owed)))


async def add(
    tx: Tx,
    *,
    rule: str,
    subject: str,
    alert: Alert,
    text: str,
    told: str,
) -> AlertRow | None:
    """Keep a new alert; None when another of this rule and subject is open."""
    name = secrets.token_hex(16)
    new = await inserted(
        tx,
        AlertRow,
        id=name,
        rule=rule,
        subject=subject,
        site_id=subject or None,
        text=text,
        told=told,
        **columns_of(alert),
    )
    return await tx.get(AlertRow, name) if new else None


async def drop(tx: Tx, row: AlertRow) -> None:
    """Forget a trouble that did not last long enough to be an alert."""
    assert row.state == State.PENDING, "what was raised stays"
    await tx.delete(row)


async def locked(tx: Tx, alert_id: str) -> AlertRow | None:
    """An alert, locked and as it now is, or None."""
    return await tx.get(AlertRow, alert_id, with_for_update=ROW_LOCK, populate_existing=True)


async def load(tx: Tx, alert_id: str) -> AlertRow | None:
    """An alert, or None."""
    return await tx.get(AlertRow, alert_id)


async def page(
    tx: Tx,
    *,
    branches: Collection[str] | None,
    after: tuple[datetime, str] | None,
    limit: int,
    only_open: bool = False,
    site_id: str | None = None,
    rule: str | None = None,
) -> list[AlertRow]:
    """Alerts that were ever raised, newest first, from after a moment and an id."""
    row = AlertRow
    query = select(row).where(row.raised_at.is_not(None))
    if only_open:
        query = query.where(row.state.in_((State.RAISED, State.ACKNOWLEDGED)))
    if site_id is not None:
        query = query.where(row.site_id == site_id)
    if rule is not None:
        query = query.where(row.rule == rule)
    if after is not None:
        at, key = after
        query = query.where(or_(row.raised_at < at, and_(row.raised_at == at, row.id < key)))
    query = of_branches(query, branches).order_by(row.raised_at.desc(), row.id.desc())
    return list(await tx.scalars(query.limit(limit)))


async def open_alerts(
    tx: Tx, branches: Collection[str] | None = None, *, limit: int = OPEN_MAX
) -> list[AlertRow]:
    """Alerts that are open, the worst and newest first; only of sites of those branches.

    None: of all, and those of the operator's business as well.
    """
    row = AlertRow
    query = select(row).where(row.state.in_((State.RAISED, State.ACKNOWLEDGED)))
    query = of_branches(query, branches).order_by(row.severity, row.raised_at.desc(), row.id)
    return list(await tx.scalars(query.limit(limit)))


def of_branches(query: Query, branches: Collection[str] | None) -> Query:
    """Only alerts of sites of these branches; None: all."""
    if branches is None:
        return query
    return query.where(within(AlertRow, frozenset(branches)))


def add_deed(
    tx: Tx, alert_id: str, *, now: datetime, what: str, who: str = "", detail: str = ""
) -> None:
    """Note what happened to an alert."""
    tx.add(
        AlertDeedRow(
            id=secrets.token_hex(16),
            alert_id=alert_id,
            at=now,
            who=who[:80],
            what=what,
            detail=detail[:DETAIL_MAX],
        )
    )


async def deeds_of(tx: Tx, alert_id: str, *, limit: int = 200) -> list[AlertDeedRow]:
    """What happened to an alert, the newest first."""
    row = AlertDeedRow
    query = select(row).where(row.alert_id == alert_id).order_by(row.at.desc(), row.id)
    return list(await tx.scalars(query.limit(limit)))


async def routes(tx: Tx) -> list[AlertRouteRow]:
    """Every route, in the order in which they were made."""
    row = AlertRouteRow
    query = select(row).where(row.removed_at.is_(None)).order_by(row.created_at, row.id)
    return list(await tx.scalars(query))


async def route(tx: Tx, route_id: str) -> AlertRouteRow | None:
    """A route that is there, or None."""
    found = await tx.get(AlertRouteRow, route_id, populate_existing=True)
    return None if found is None or found.removed_at is not None else found


async def told(tx: Tx, alert_ids: Collection[str]) -> dict[tuple[str, str], AlertToldRow]:
    """What each route was told of these alerts, by alert and route."""
    if not alert_ids:
        return {}
    row = AlertToldRow
    found = await tx.scalars(select(row).where(among(tx, row.alert_id, alert_ids)))
    return {(one.alert_id, one.route_id): one for one in found}
