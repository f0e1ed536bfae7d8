"""One look at the database and one rendering per tick, shared by every open tab.

The hub runs only while somebody watches. It looks when something happened (topic ``live``), at the
latest every `TICK_S`, and never more often than every `GAP_S`, whatever the number of viewers. Each
panel carries the number of the look that last changed it, so a viewer is sent what changed since
what he saw, and a slow viewer skips what he missed.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from controller.noc import board, incoming, views
from controller.noc.rates import Counted, followed
from controller.noc.text import midnight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime

    from controller.noc.rates import Rate
    from controller.signals import Signals
    from controller.store.database import Database

TICK_S = 2.0
GAP_S = 0.5
VIEWERS_MAX = 200
SITES_MAX = 200
SESSIONS_MAX = 200
PAYMENTS_MAX = 40
NOTICES_MAX = 30
UNMATCHED_MAX = 8

log = structlog.get_logger("noc")


class TooManyViewers(Exception):  # noqa: N818 - refusals are sentences
    """As many tabs as the hub serves are already open."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One rendered part of the page, and the number of the look that last changed it."""

    html: str
    changed_in: int


class Viewer:
    """One open tab: what it has seen, and its alarm clock."""

    def __init__(self) -> None:
        self.seen = -1
        self.news = asyncio.Event()


class Hub:
    """Looks once, renders once, tells everybody. ``render`` turns a board into panels by name."""

    def __init__(
        self,
        *,
        db: Database,
        signals: Signals,
        now: Callable[[], datetime],
        render: Callable[[board.Board], Mapping[str, str]],
    ) -> None:
        self.looks = 0
        self._db = db
        self._signals = signals
        self._now = now
        self._render = render
        self._rates: dict[str, Rate] = {}
        self._panels: dict[str, Panel] = {}
        self._looked_at_s = float("-inf")
        self._looking = asyncio.Lock()
        self._viewers: set[Viewer] = set()
        self._task: asyncio.Task[None] | None = None

    async def panels(self) -> dict[str, str]:
        """Every panel as it is now; looks unless somebody just did."""
        await self._look()
        return {name: panel.html for name, panel in self._panels.items()}

    def refuse_crowd(self) -> None:
        """Raise `TooManyViewers` when there is no place for one more."""
        if len(self._viewers) >= VIEWERS_MAX:
            raise TooManyViewers(f"{VIEWERS_MAX} tabs are watching already")

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
        """What changes, from everything on; ends when the hub stops.

        Raises `TooManyViewers`.
        """
        self.refuse_crowd()
        viewer = Viewer()
        self._viewers.add(viewer)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="noc-hub")
            self._task.add_done_callback(self._ended)
        try:
            yield self._changes(viewer)
        finally:
            self._viewers.discard(viewer)
            if not self._viewers:
                self._stop()  # without waiting: this block may run inside a cancelled request

    async def close(self) -> None:
        """Stop looking and wait until it has stopped; every stream ends."""
        task = self._task
        self._stop()
        if task is not None:
            await asyncio.wait([task])

    def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _changes(self, viewer: Viewer) -> AsyncIterator[dict[str, str]]:
        while self._task is not None:
            viewer.news.clear()
            changed = {n: p.html for n, p in self._panels.items() if p.changed_in > viewer.seen}
            viewer.seen = self.looks
            if changed:
                yield changed
            await viewer.news.wait()

    async def _run(self) -> None:
        with self._signals.listen("live") as live:
            while True:
                await asyncio.sleep(self._rest_s())
                live.clear()
                await self._look(even_if_fresh=True)
                with suppress(TimeoutError):
                    await asyncio.wait_for(live.wait(), TICK_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Streams end, tabs reconnect, and the first of them starts a new look.
        if not task.cancelled() and task.exception() is not None:
            log.error("live_page_look_failed", error=repr(task.exception()))
            self._task = None
        for viewer in self._viewers:
            viewer.news.set()

    def _rest_s(self) -> float:
        return max(0.0, self._looked_at_s + GAP_S - asyncio.get_running_loop().time())

    async def _look(self, *, even_if_fresh: bool = False) -> None:
        async with self._looking:
            if self._panels and self._rest_s() > 0 and not even_if_fresh:
                return
            snapshot = await self._snapshot()
            self._looked_at_s = asyncio.get_running_loop().time()
            self._rates = followed(self._rates, (_counted(v) for v in snapshot.sessions))
            rendered = self._render(board.drawn(snapshot, self._rates))
            self.looks += 1
            for name, html in rendered.items():
                if name not in self._panels or self._panels[name].html != html:
                    self._panels[name] = Panel(html, changed_in=self.looks)
        for viewer in self._viewers:
            viewer.news.set()

    async def _snapshot(self) -> board.Snapshot:
        now = self._now()
        async with self._db.read() as tx:
            return board.Snapshot(
                at=now,
                sites=await views.site_views(tx, limit=SITES_MAX),
                sessions=await views.session_views(tx, limit=SESSIONS_MAX, only_open=True),
                sessions_open=await views.sessions_open(tx),
                payments=await views.payment_views(tx, limit=PAYMENTS_MAX),
                takings=await views.takings_since(tx, midnight(now)),
                notices=await views.notice_rows(tx, limit=NOTICES_MAX),
                waiting=await incoming.waiting_views(tx, now),
                unmatched=await incoming.unmatched(tx, limit=UNMATCHED_MAX),
            )


def _counted(view: views.SessionView) -> Counted:
    row = view.row
    return Counted(row.id, row.seen_at, row.down_bytes, row.up_bytes)
