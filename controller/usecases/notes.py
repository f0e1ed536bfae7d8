"""Notes: what staff write down about a customer. They are never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.store import people
from controller.usecases.subscribers import must_find

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.rights import Who

NOTE_MAX = 1_000


async def add_note(deps: Deps, who: Who, named: str, text: str) -> str:
    """Keep what somebody wrote about a customer; its id.

    Raises `InvalidField` (``text``), `SubscriberUnknown`, `DatabaseBusy`.
    """
    told = " ".join(text.split())
    if not told or len(told) > NOTE_MAX or not told.isprintable():
        raise InvalidField("text", f"want 1 to {NOTE_MAX:,} characters")
    async with deps.db.begin() as tx:
        row = await must_find(tx, named)
        note_id = await people.add_note(
            tx, row.id, staff_id=who.id, staff_name=who.name, text=told, now=deps.now()
        )
    deps.signals.wake("live")
    return note_id
