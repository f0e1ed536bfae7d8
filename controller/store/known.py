"""What is worked out of statements once for each kind of database, not for each that is opened.

To compile a statement takes longer than a small database takes to answer it, and each engine would
do it for itself. What comes out depends on the dialect alone, so the engines of a process share
one of each kind, and what was compiled for it. A process speaks to one version of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.util import LRUCache

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.ext.asyncio import AsyncEngine

STATEMENTS_MAX = 1_000
"""Compiled statements that are kept; those that were used longest ago are given up first."""

_DIALECTS: dict[str, Dialect] = {}
# Invariant: each of these has asked a server what it can do (its first connection does that).

_STATEMENTS: LRUCache[Any, Any] = LRUCache(STATEMENTS_MAX)


def share(engine: AsyncEngine) -> None:
    """Let this engine, which has no connection yet, use and add to what others know."""
    made = engine.sync_engine
    made.update_execution_options(compiled_cache=_STATEMENTS)
    if made.name in _DIALECTS:
        made.dialect = _DIALECTS[made.name]
        return

    @event.listens_for(made, "connect", once=True)
    def _asked(_connection: Any, _record: Any) -> None:
        _DIALECTS.setdefault(made.name, made.dialect)
