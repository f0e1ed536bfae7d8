"""Sessions and the highest reading of each epoch, loaded and saved in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from billing.ids import GrantId, SessionId, SiteId
from billing.metering import Meter, Volume
from controller.records import SessionView
from controller.store.database import upsert_many
from controller.store.rows import SessionEpochRow, SessionRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from controller.store.database import Tx


async def load_many(tx: Tx, ids: Collection[SessionId]) -> dict[SessionId, SessionView]:
    """Those of the sessions that are known, with their meters; locked in the order of their ids."""
    if not ids:
        return {}
    epochs: dict[str, dict[str, Volume]] = {}
    listed = select(
        SessionRow.id,
        SessionRow.site_id,
        SessionRow.grant_id,
        SessionRow.mac,
        SessionRow.addresses,
        SessionRow.opened_at,
        SessionRow.seen_at,
        SessionRow.closed_at,
        SessionRow.closed_reason,
    ).where(SessionRow.id.in_(ids))
    rows = (await tx.execute(listed.order_by(SessionRow.id).with_for_update(key_share=True))).all()
    readings = select(
        SessionEpochRow.session_id,
        SessionEpochRow.epoch,
        SessionEpochRow.down_bytes,
        SessionEpochRow.up_bytes,
    ).where(SessionEpochRow.session_id.in_(ids))
    for session_id, epoch, down, up in await tx.execute(readings):
        epochs.setdefault(session_id, {})[epoch] = Volume(down, up)
    return {
        SessionId(row.id): SessionView(
            id=SessionId(row.id),
            site_id=SiteId(row.site_id),
            grant_id=GrantId(row.grant_id),
            mac=row.mac,
            addresses=tuple(row.addresses.split()),
            opened_at=row.opened_at,
            seen_at=row.seen_at,
            closed_at=row.closed_at,
            closed_reason=row.closed_reason,
            meter=Meter(epochs.get(row.id, {})),
        )
        for row in rows
    }


async def save_many(
    tx: Tx,
    sessions: Mapping[SessionId, SessionView],
    epochs: Iterable[tuple[SessionId, str]],
) -> None:
    """Save sessions whole, and of their epochs those named."""
    await upsert_many(
        tx, SessionRow, keys=("id",), values=[_values(s) for _, s in sorted(sessions.items())]
    )
    await upsert_many(
        tx,
        SessionEpochRow,
        keys=("session_id", "epoch"),
        values=[_epoch_values(sessions[session_id], epoch) for session_id, epoch in sorted(epochs)],
    )


async def used_bytes_by_grant(
    tx: Tx, grant_ids: Collection[str], *, site_id: str
) -> dict[str, int]:
    """The usage of each grant at this site, all its sessions there and both directions together.

    What another site says of it is that one's own affair.
    """
    query = (
        select(SessionRow.grant_id, func.sum(SessionRow.down_bytes + SessionRow.up_bytes))
        .where(SessionRow.grant_id.in_(grant_ids), SessionRow.site_id == site_id)
        .group_by(SessionRow.grant_id)
    )
    return {grant_id: int(used) for grant_id, used in await tx.execute(query)}


def _values(session: SessionView) -> dict[str, object]:
    usage = session.meter.usage
    return {
        "id": session.id,
        "site_id": session.site_id,
        "grant_id": session.grant_id,
        "mac": session.mac,
        "addresses": " ".join(session.addresses),
        "opened_at": session.opened_at,
        "seen_at": session.seen_at,
        "closed_at": session.closed_at,
        "closed_reason": session.closed_reason,
        "down_bytes": usage.down_bytes,
        "up_bytes": usage.up_bytes,
    }


def _epoch_values(session: SessionView, epoch: str) -> dict[str, object]:
    reading = session.meter.epochs[epoch]
    return {
        "session_id": session.id,
        "epoch": epoch,
        "down_bytes": reading.down_bytes,
        "up_bytes": reading.up_bytes,
    }
