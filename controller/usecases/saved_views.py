"""Saved views: a long table as somebody narrowed it, under a name of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.store import saved_views

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.rights import Who

NAME_MAX = 40
QUERY_MAX = 1_000
KEPT_MAX = 20
"""Of one page, for one member of the staff: they all stand above the table."""


async def keep(deps: Deps, who: Who, *, place: str, name: str, query: str) -> None:
    """Keep the end of a page's address under a name; another of that name is replaced.

    Raises `InvalidField` (``name``, ``query``), `DatabaseBusy`.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        raise InvalidField("name", f"want 1 to {NAME_MAX} characters")
    if len(query) > QUERY_MAX:
        raise InvalidField("query", f"is longer than {QUERY_MAX:,} characters")
    async with deps.db.begin() as tx:
        if await saved_views.others(tx, who.id, place, name) >= KEPT_MAX:
            raise InvalidField("name", f"{KEPT_MAX} views are kept already: remove one first")
        await saved_views.keep(tx, staff_id=who.id, place=place, name=name, query=query)


async def forget(deps: Deps, who: Who, *, place: str, name: str) -> None:
    """Keep one of one's own views no longer. Raises `DatabaseBusy`."""
    async with deps.db.begin() as tx:
        await saved_views.forget(tx, who.id, place, name)
