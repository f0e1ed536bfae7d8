"""Time that jumps to whatever happens next, and chance that a seed decides."""

from __future__ import annotations

import asyncio
import random
import secrets
import selectors
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

T = TypeVar("T")

START = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
"""Eight o'clock of a Monday in Nairobi, at the world's first moment."""

FIRST_S = 1_000.0


class Stuck(Exception):  # noqa: N818 - a sentence
    """Nothing is left that could ever happen."""


class _Skipping(selectors.BaseSelector):
    """Waits for nothing: a wait for time is a jump, and there is no other input."""

    def __init__(self) -> None:
        self.now = FIRST_S
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Note it; nothing ever comes."""
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        return self._keys[number]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Forget it."""
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Jump to the next timer."""
        if timeout is None:
            raise Stuck("everybody waits for somebody else")
        self.now += max(0.0, timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """What is registered."""
        return self._keys


LIFE: ContextVar[str] = ContextVar("life", default="world")
"""Whose life a task belongs to; what a task starts belongs to the same."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is the next timer's; work for other threads is done at once.

    Every task belongs to a life, and `end_life` ends them all, as kill -9 does.
    """

    def __init__(self) -> None:
        self._skipping = _Skipping()
        self._lives: dict[str, set[asyncio.Task[Any]]] = {}
        super().__init__(self._skipping)
        self.set_task_factory(self._made)

    def spawn(
        self, life: str, work: Coroutine[Any, Any, T], *, context: Context | None = None
    ) -> asyncio.Task[T]:
        """Begin a task of this life."""
        within = context or copy_context()
        within.run(LIFE.set, life)
        return self.create_task(work, context=within)

    def living(self, life: str) -> bool:
        """Whether any task of this life goes on."""
        return bool(self._lives.get(life))

    async def end_life(self, life: str) -> None:
        """End every task of a life, whatever it was doing."""
        while tasks := self._lives.pop(life, None):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _made(
        self, _loop: asyncio.AbstractEventLoop, work: Any, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=self, context=context)
        life = LIFE.get() if context is None else context.get(LIFE, "world")
        self._lives.setdefault(life, set()).add(task)
        task.add_done_callback(lambda done: self._lives.get(life, set()).discard(done))
        return task

    def time(self) -> float:
        """Virtual seconds."""
        return self._skipping.now

    def run_in_executor(  # type: ignore[override]  # a future, as there
        self, _executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do it here and now."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is told to whoever asked
            future.set_exception(error)
        return future


def true_wall() -> datetime:
    """The right time."""
    return START + timedelta(seconds=asyncio.get_running_loop().time() - FIRST_S)


@contextmanager
def seeded(seed: int) -> Iterator[random.Random]:
    """All chance in this process, keys and ids too, follows ``seed`` while the block lasts."""
    kept, state = secrets._sysrand, random.getstate()  # type: ignore[attr-defined]  # noqa: SLF001 - the one source of entropy
    secrets._sysrand = random.Random(seed ^ 0x5EED)  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    random.seed(seed)
    try:
        yield random.Random(seed)
    finally:
        secrets._sysrand = kept  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        random.setstate(state)


def virtual_loop() -> VirtualLoop:
    """The loop that runs."""
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualLoop), "a simulation runs in virtual time"
    return running
