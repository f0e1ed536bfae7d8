"""Access tokens of providers, shared by all processes; sealed before they come here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from controller.store.database import inserted
from controller.store.rows import ProviderTokenRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


async def load(tx: Tx, credential: str) -> ProviderTokenRow | None:
    """The newest token of a credential, or None."""
    query = select(ProviderTokenRow).where(ProviderTokenRow.credential == credential)
    return (await tx.scalars(query)).first()


async def save(
    tx: Tx, *, credential: str, sealed: bytes, expires_at: datetime, replaces: int | None
) -> bool:
    """Keep a token in place of version ``replaces`` (None: the first); False when another came.

    Providers end the old token when they issue a new one, so the one who comes second must load.
    """
    if replaces is None:
        return await inserted(
            tx,
            ProviderTokenRow,
            credential=credential,
            sealed=sealed,
            expires_at=expires_at,
            version=1,
        )
    changed = await tx.execute(
        update(ProviderTokenRow)
        .where(ProviderTokenRow.credential == credential, ProviderTokenRow.version == replaces)
        .values(sealed=sealed, expires_at=expires_at, version=replaces + 1)
        .returning(ProviderTokenRow.version)
    )
    return changed.first() is not None
