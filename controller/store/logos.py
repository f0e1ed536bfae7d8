"""Logos that documents were issued with: kept by the hash of their bytes, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.store.billing_rows import LogoRow
from controller.store.database import inserted

if TYPE_CHECKING:
    from controller.store.database import Tx


async def keep(tx: Tx, name: str, picture: bytes) -> None:
    """Keep a logo by its name; the same again changes nothing."""
    await inserted(tx, LogoRow, id=name, picture=picture)


async def load(tx: Tx, name: str) -> bytes | None:
    """A logo by its name, or None."""
    row = await tx.get(LogoRow, name) if name else None
    return None if row is None else row.picture
