"""What was used is counted as it is told: by session and hour, and by site altogether.

It is written in the transaction that saves the readings, so that the hours of a session are what
its readings add up to. Bytes belong to the hour in which the controller learnt of them: a site that
was cut off for a day brings a day's use in the hour of its return, and nothing is ever booked into
an hour that was rolled up already.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete
from sqlalchemy.dialects import postgresql, sqlite

from controller.store.database import upsert_many
from controller.store.series import HOUR_S, second
from controller.store.series_rows import SessionHourRow, SessionPaceRow, SiteMeterRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Executable

    from billing.ids import SessionId, SiteId
    from controller.records import Growth
    from controller.store.database import Tx
    from controller.store.rows import Row

SESSION_HOURS_KEPT = timedelta(hours=48)


async def count(
    tx: Tx,
    site_id: SiteId,
    grown: Sequence[Growth],
    *,
    closed: Sequence[SessionId],
    now: datetime,
) -> None:
    """Count what a report's readings have added at a site; the pace of closed sessions is over."""
    if grown:
        await _hours(tx, site_id, grown, second(now))
        await _paces(tx, site_id, grown, second(now), gone=frozenset(closed))
        down, up = (sum(getattr(one, name) for one in grown) for name in ("down_bytes", "up_bytes"))
        await _added(tx, SiteMeterRow, [{"site_id": site_id, "down_bytes": down, "up_bytes": up}])
    if closed:
        await tx.execute(
            delete(SessionPaceRow)
            .where(SessionPaceRow.session_id.in_(bindparam("closed", expanding=True)))
            .execution_options(synchronize_session=False),
            {"closed": list(closed)},
        )


async def _hours(tx: Tx, site_id: SiteId, grown: Sequence[Growth], now_s: int) -> None:
    values: list[dict[str, object]] = [
        {
            "site_id": site_id,
            "hour_s": now_s - now_s % HOUR_S,
            "session_id": one.session_id,
            "grant_id": one.grant_id,
            "down_bytes": one.down_bytes,
            "up_bytes": one.up_bytes,
        }
        for one in grown
    ]
    await _added(tx, SessionHourRow, values)


async def _paces(
    tx: Tx, site_id: SiteId, grown: Sequence[Growth], now_s: int, *, gone: frozenset[SessionId]
) -> None:
    values: list[dict[str, object]] = []
    for one in grown:
        bps = one.bps()
        if bps is None or one.session_id in gone:
            continue
        name = {"session_id": one.session_id, "site_id": site_id}
        values.append({**name, "told_s": now_s, "down_bps": bps[0], "up_bps": bps[1]})
    await upsert_many(tx, SessionPaceRow, keys=("session_id",), values=values)


async def _added(tx: Tx, row: type[Row], values: Sequence[dict[str, object]]) -> None:
    """Insert rows; of those that are there already the bytes grow."""
    statement = _adding(row, tx.get_bind().dialect.name)
    await (await tx.connection()).execute(statement, list(values))


@cache
def _adding(row: type[Row], dialect: str) -> Executable:
    statement = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(row)
    table = row.__table__
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={
            name: table.c[name] + statement.excluded[name] for name in ("down_bytes", "up_bytes")
        },
    )
