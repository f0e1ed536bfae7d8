"""What a page or a form names, as far as it exists for whoever asks.

Somebody who is held to some branches gets the same answer for what is not there and for what
belongs to another branch, as at the HTTP API.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.api import pages as cursors
from controller.api.errors import NotFound
from controller.noc.views import Mark
from controller.store import live, subscribers
from controller.store.scope import belongs
from controller.usecases.subscribers import normal_name

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.rights import Who
    from controller.store.database import Tx
    from controller.store.live import Live
    from controller.store.rows import SubscriberRow

PAGE_LINES = 50
SHOWN = 64
"""So much of a name that is not known is said again."""


async def subscriber(tx: Tx, who: Who, named: str) -> SubscriberRow:
    """A customer by phone or id. Raises `NotFound`."""
    row = await subscribers.by_phone(tx, normal_name(named)) or await subscribers.by_id(tx, named)
    if row is None or not who.reaches(row.branch_id):
        raise NotFound("customer", named[:SHOWN])
    return row


async def session(tx: Tx, who: Who, session_id: str) -> Live:
    """A session. Raises `NotFound`."""
    found = await live.one(tx, session_id, who.branches)
    if found is None:
        raise NotFound("session", session_id[:SHOWN])
    return found


async def must_reach(deps: Deps, who: Who, kind: str, name: str) -> None:
    """Raise `NotFound` for what is not there, or of a branch that is not theirs."""
    async with deps.db.read() as tx:
        if kind == "session":
            await session(tx, who, name)
        elif kind == "subscriber":
            await subscriber(tx, who, name)
        elif not await belongs(tx, kind, name, who.branches):
            raise NotFound(kind, name[:SHOWN])


def mark_of(cursor: str) -> tuple[datetime, str] | None:
    """Where a page begins. Raises `Refused` naming the field."""
    mark = cursors.read(cursor)
    return None if mark is None else (mark.at, mark.id)


def cursor_of(at: datetime, key: str) -> str:
    """Where the page after begins."""
    return cursors.written(Mark(at, key))
