"""What came from outside, kept before it is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.store.database import inserted
from controller.store.rows import InboxRow

if TYPE_CHECKING:
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
