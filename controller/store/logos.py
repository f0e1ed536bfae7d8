"""Logos as documents were issued with them: kept by the hash of their bytes, never changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store.billing_rows import LogoRow
from controller.store.database import inserted

if TYPE_CHECKING:
    from controller.store.database import Tx


async def kept(tx: Tx, picture: bytes | None) -> str:
    """The name of a logo, which is kept when it is new; empty for none.

    Only the first document with a new logo writes, and so waits for another such first one.
    """
    if not picture:
        return ""
    name = hashlib.sha256(picture).hexdigest()
    if await tx.scalar(select(LogoRow.id).where(LogoRow.id == name)) is None:
        await inserted(tx, LogoRow, id=name, picture=picture)
    return name


async def load(tx: Tx, name: str) -> bytes | None:
    """A logo by its name, or None."""
    row = await tx.get(LogoRow, name) if name else None
    return None if row is None else row.picture
