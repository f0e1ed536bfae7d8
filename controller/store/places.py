"""What we know of the places where money lands, as it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store.database import ROW_LOCK, inserted
from controller.store.payment_rows import PlaceRow

if TYPE_CHECKING:
    from controller.store.database import Tx


async def locked(tx: Tx, rail: str, place: str) -> PlaceRow:
    """What we know of a place, locked; nothing yet, if this is the first look."""
    await inserted(tx, PlaceRow, rail=rail, place=place, registered_as="")
    return await tx.get_one(
        PlaceRow, (rail, place), with_for_update=ROW_LOCK, populate_existing=True
    )


async def by_ask_token(tx: Tx, token_hash: str) -> PlaceRow | None:
    """The place about which was asked with this token, or None."""
    return await tx.scalar(select(PlaceRow).where(PlaceRow.ask_token_hash == token_hash))


async def all_places(tx: Tx) -> list[PlaceRow]:
    """Every place that we know of."""
    query = select(PlaceRow).order_by(PlaceRow.rail, PlaceRow.place)
    return list(await tx.scalars(query))
