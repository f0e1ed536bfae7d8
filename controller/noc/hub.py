"""One look at the database and one rendering, shared by every open tab that wants the same.

A `Subject` is what a tab watches: its key says what is the same, `look` reads, `paint` renders. The
hub looks only while somebody watches: when something happened (topic ``live``), at the latest after
the subject's own interval, and never more often than every `GAP_S`, whatever the number of viewers.
What is looked at is painted once for each style that somebody wants. Each panel carries the number
of the look that last changed it, so a viewer is sent what changed since what he saw, and a slow
viewer skips what he missed. A tab may watch several subjects over one stream.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence

    from controller.signals import Signals

GAP_S = 0.5
REST_PER_LOOK = 2
"""A look that took long is followed by a rest: it begins again after so many times as long."""

VIEWERS_MAX = 200
LOOKS_MAX = 100
"""Different things that are watched, or remembered, at one time."""

LOOKS_AT_ONCE = 4

log = structlog.get_logger("noc")


class TooManyViewers(Exception):  # noqa: N818 - refusals are sentences
    """As many tabs, or as many different things, as the hub serves are already watched."""


@dataclass(frozen=True, slots=True)
class Style:
    """How something is painted: in which language, and whether private things are covered."""

    language: str = "en"
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to be looked at; two of one ``key`` are the same.

    ``look`` is given what it gave the last time (None the first time). ``paint`` makes panels by
    name. ``every_s`` is how old what is watched may become; nobody looks again within ``gap_s``.
    """

    key: Hashable
    look: Callable[[object], Awaitable[object]] = field(compare=False)
    paint: Callable[[object, Style], Mapping[str, str]] = field(compare=False)
    every_s: float
    gap_s: float = GAP_S


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look gave, and its panels."""

    board: object
    panels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Panel:
    """One rendered part of a page, and the number of the look that last changed it."""

    html: str
    changed_in: int


@dataclass(eq=False, slots=True)
class Viewer:
    """One open tab: how it wants to be shown things, what it has seen, and its alarm clock.

    ``seen`` is the last look of each thing that it watches.
    """

    style: Style
    seen: dict[Watched, int] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Watched:
    """One subject with those who watch it."""

    def __init__(self, subject: Subject, *, signals: Signals, turn: asyncio.Semaphore) -> None:
        self.viewers: set[Viewer] = set()
        self.looks = 0
        self._subject = subject
        self._signals = signals
        self._turn = turn
        self._board: object = None
        self._painted: dict[Style, dict[str, Panel]] = {}
        self._painted_in: dict[Style, int] = {}
        self._rest_until_s = float("-inf")
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether somebody watches, or looks just now."""
        return bool(self.viewers) or self._looking.locked()

    async def seen(self, style: Style, *, anew: bool = False) -> Seen:
        """Everything as it is now; looks unless somebody just did, or in any case ``anew``."""
        await self._look(even_if_fresh=anew)
        panels = {name: panel.html for name, panel in self._panels(style).items()}
        return Seen(self._board, panels)

    def enter(self, viewer: Viewer) -> None:
        """Begin to look for this viewer too."""
        self.viewers.add(viewer)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="noc-look")
            self._task.add_done_callback(self._ended)

    def leave(self, viewer: Viewer) -> None:
        """No longer look for this viewer."""
        self.viewers.discard(viewer)
        if not self.viewers:
            self.stop()  # without waiting: this may run inside a cancelled request

    def stop(self) -> asyncio.Task[None] | None:
        """Stop looking; the task that will have ended soon."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        return task

    @property
    def is_looking(self) -> bool:
        """Whether it is still looked at for those who watch."""
        return self._task is not None

    def changed(self, viewer: Viewer) -> dict[str, str]:
        """What a viewer has not seen yet; from now on he has."""
        if not self.looks:
            return {}
        seen = viewer.seen.get(self, -1)
        viewer.seen[self] = self.looks
        panels = self._panels(viewer.style)
        return {name: panel.html for name, panel in panels.items() if panel.changed_in > seen}

    async def _run(self) -> None:
        with self._signals.listen("live") as live:
            while True:
                await asyncio.sleep(self._rest_s())
                live.clear()
                await self._look(even_if_fresh=True)
                # Not `wait_for`: up to Python 3.11 news at the moment of a cancellation hide it.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._subject.every_s):
                        await live.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Streams end, tabs reconnect, and the first of them starts a new look.
        if not task.cancelled() and task.exception() is not None:
            log.error("live_page_look_failed", error=repr(task.exception()))
            self._task = None
        for viewer in self.viewers:
            viewer.news.set()

    def _rest_s(self) -> float:
        return max(0.0, self._rest_until_s - asyncio.get_running_loop().time())

    async def _look(self, *, even_if_fresh: bool) -> None:
        clock = asyncio.get_running_loop().time
        async with self._looking:
            if self.looks and self._rest_s() > 0 and not even_if_fresh:
                return
            async with self._turn:
                began_s = clock()
                self._board = await self._subject.look(self._board)
                self.looks += 1
                for style in {viewer.style for viewer in self.viewers}:
                    self._panels(style)
                took_s = clock() - began_s
            self._rest_until_s = began_s + max(self._subject.gap_s, took_s * REST_PER_LOOK)
        for viewer in self.viewers:
            viewer.news.set()

    def _panels(self, style: Style) -> dict[str, Panel]:
        """What the last look gave, painted in this style, once."""
        painted = self._painted.setdefault(style, {})
        if self._painted_in.get(style) != self.looks:
            for name, html in self._subject.paint(self._board, style).items():
                if name not in painted or painted[name].html != html:
                    painted[name] = Panel(html, changed_in=self.looks)
            self._painted_in[style] = self.looks
        return painted


class Hub:
    """Everything that is watched."""

    def __init__(self, *, signals: Signals) -> None:
        self._signals = signals
        self._watched: dict[Hashable, Watched] = {}
        self._turn = asyncio.Semaphore(LOOKS_AT_ONCE)

    @property
    def looks(self) -> int:
        """How often was looked, of what is still remembered."""
        return sum(watched.looks for watched in self._watched.values())

    @property
    def viewers(self) -> int:
        """How many tabs watch."""
        return len({viewer for watched in self._watched.values() for viewer in watched.viewers})

    async def seen(self, subject: Subject, style: Style, *, anew: bool = False) -> Seen:
        """A subject as it is now; one look for all who ask at once.

        ``anew`` is for whoever has just changed something: a look of a moment before will not do.
        """
        return await self._of(subject).seen(style, anew=anew)

    async def once(self, subject: Subject, style: Style) -> Seen:
        """A subject as it is now, looked at for one who asks and shared with nobody."""
        return await Watched(subject, signals=self._signals, turn=self._turn).seen(style)

    def refuse_crowd(self, subject: Subject) -> None:
        """Raise `TooManyViewers` when there is no place for one more."""
        if self.viewers >= VIEWERS_MAX:
            raise TooManyViewers(f"{VIEWERS_MAX} tabs are watching already")
        if subject.key not in self._watched and not self._has_room():
            raise TooManyViewers(f"{LOOKS_MAX} different pages are watched already")

    @asynccontextmanager
    async def watch(
        self, subject: Subject, style: Style, *beside: Subject
    ) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
        """What changes of a subject and of those beside it, from everything on.

        Ends when the hub stops, or when the subject cannot be looked at. Raises `TooManyViewers`.
        """
        self.refuse_crowd(subject)
        viewer = Viewer(style)
        watched = [self._of(one) for one in (subject, *beside)]
        for one in watched:
            one.enter(viewer)
        try:
            yield _changes(watched, viewer)
        finally:
            for one in watched:
                one.leave(viewer)

    async def close(self) -> None:
        """Stop looking and wait until it has stopped; every stream ends."""
        tasks = [task for one in self._watched.values() if (task := one.stop()) is not None]
        if tasks:
            await asyncio.wait(tasks)

    def _of(self, subject: Subject) -> Watched:
        """What is known of a subject. The longest forgotten makes room; a crowd is not kept."""
        known = self._watched.get(subject.key)
        if known is None:
            known = Watched(subject, signals=self._signals, turn=self._turn)
            if self._has_room():
                self._watched[subject.key] = known
        return known

    def _has_room(self) -> bool:
        if len(self._watched) >= LOOKS_MAX:
            idle = next((key for key, one in self._watched.items() if not one.is_busy), None)
            if idle is None:
                return False
            del self._watched[idle]
        return True


async def _changes(watched: Sequence[Watched], viewer: Viewer) -> AsyncIterator[dict[str, str]]:
    """What changes of all of these, as long as the first is looked at."""
    first = watched[0]
    while first.is_looking:
        viewer.news.clear()
        changed = {name: html for one in watched for name, html in one.changed(viewer).items()}
        if changed:
            yield changed
        await viewer.news.wait()
