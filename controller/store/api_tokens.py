"""Keys for programs, as they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from controller.store.staff_rows import ApiTokenRow, StaffRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx


async def by_hash(tx: Tx, token_hash: str) -> tuple[ApiTokenRow, StaffRow | None] | None:
    """A token and who made it, or None; whether it is still good is not asked here."""
    query = (
        select(ApiTokenRow, StaffRow)
        .outerjoin(StaffRow, StaffRow.id == ApiTokenRow.staff_id)
        .where(ApiTokenRow.token_hash == token_hash)
    )
    found = (await tx.execute(query)).first()
    return None if found is None else (found[0], found[1])


async def load(tx: Tx, token_id: str) -> ApiTokenRow | None:
    """A token by its id, or None."""
    return await tx.get(ApiTokenRow, token_id)


async def touch(tx: Tx, token_id: str, now: datetime) -> None:
    """Note that a token was used."""
    await tx.execute(update(ApiTokenRow).where(ApiTokenRow.id == token_id).values(used_at=now))


async def in_use(tx: Tx, *, staff_id: str | None = None) -> list[ApiTokenRow]:
    """Tokens that are not revoked, the newest first; of one maker where asked."""
    row = ApiTokenRow
    query = select(row).where(row.revoked_at.is_(None)).order_by(row.created_at.desc(), row.id)
    if staff_id is not None:
        query = query.where(row.staff_id == staff_id)
    return list(await tx.scalars(query))


async def revoke(tx: Tx, token_id: str, now: datetime) -> bool:
    """Let a token open nothing any more; whether it did."""
    row = ApiTokenRow
    done = await tx.execute(
        update(row)
        .where(row.id == token_id, row.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(row.id)
    )
    return done.first() is not None
