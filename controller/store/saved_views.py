"""Views of long tables that members of the staff keep for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from controller.store.database import upsert_many
from controller.store.staff_rows import SavedViewRow

if TYPE_CHECKING:
    from controller.store.database import Tx


async def of(tx: Tx, staff_id: str, place: str) -> list[SavedViewRow]:
    """What somebody keeps of a page, by name."""
    row = SavedViewRow
    query = select(row).where(row.staff_id == staff_id, row.place == place)
    return list(await tx.scalars(query.order_by(row.name)))


async def others(tx: Tx, staff_id: str, place: str, name: str) -> int:
    """How many views somebody keeps of a page, beside the one of this name."""
    row = SavedViewRow
    query = select(func.count()).select_from(row)
    query = query.where(row.staff_id == staff_id, row.place == place, row.name != name)
    return int((await tx.execute(query)).scalar_one())


async def keep(tx: Tx, *, staff_id: str, place: str, name: str, query: str) -> None:
    """Keep a view, in place of another of its name."""
    values: dict[str, object] = {
        "staff_id": staff_id, "place": place, "name": name, "query": query,
    }  # fmt: skip
    await upsert_many(tx, SavedViewRow, keys=("staff_id", "place", "name"), values=[values])


async def forget(tx: Tx, staff_id: str, place: str, name: str) -> None:
    """Keep a view no longer."""
    row = SavedViewRow
    await tx.execute(
        delete(row).where(row.staff_id == staff_id, row.place == place, row.name == name)
    )
