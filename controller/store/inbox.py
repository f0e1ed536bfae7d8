"""What came from outside, kept before it is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store import array_rows
from controller.store.bulk_rows import among
from controller.store.database import inserted
from controller.store.rows import InboxRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from controller.store.database import Tx


async def take(tx: Tx, *, source: str, external_id: str, body: bytes, now: datetime) -> bool:
    """Keep a message; False when the same one is here already."""
    return await inserted(
        tx, InboxRow, source=source, external_id=external_id, body=body, received_at=now
    )


async def load(tx: Tx, *, source: str, external_id: str) -> InboxRow:
    """A message that was taken, as it now is."""
    return await tx.get_one(InboxRow, (source, external_id), populate_existing=True)


async def find(tx: Tx, *, source: str, external_id: str) -> InboxRow | None:
    """A message, or None."""
    return await tx.get(InboxRow, (source, external_id))


async def verdicts(tx: Tx, *, source: str, external_ids: Collection[str]) -> dict[str, str | None]:
    """The verdicts of those of these messages that are here, None where there is none yet."""
    if not external_ids:
        return {}
    query = select(InboxRow.external_id, InboxRow.verdict).where(
        InboxRow.source == source, among(tx, InboxRow.external_id, external_ids)
    )
    return {external_id: verdict for external_id, verdict in await tx.execute(query)}  # noqa: C416 - rows, not pairs


async def judged(
    tx: Tx, messages: Sequence[tuple[str, bytes, str]], *, source: str, now: datetime
) -> None:
    """Keep messages (external id, body, verdict) that nobody else can be judging."""
    rows = [(source, name, now, body, verdict) for name, body, verdict in sorted(messages)]
    columns = ("source", "external_id", "received_at", "body", "verdict")
    keys = ("source", "external_id")
    await array_rows.put(tx, InboxRow, rows, columns=columns, keys=keys)
