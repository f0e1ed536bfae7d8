"""Several boxes of one site behind the three methods of the seam.

Each box is asked on its own, at the same time as the others. One that hangs or is gone harms no
other: what could be done is done, what could not is told row by row (`Applied.refused`,
`Applied.unreached`), and until the box answers in time again it is not waited for.

A session follows its address from box to box. Where it was it is closed, its last count is told,
and only then is it taken away there; every life of its meter has an epoch of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from shaping.diff import Observed, diff
from shaping.plane import Applied, Counter, Desired, MonotonicMs, Partial, PlaneError, SessionKey
from shaping.pools import pool_rates
from shaping.split import split

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from ipaddress import IPv4Network

    from shaping.plane import DataPlane, Lines, LineSeen
    from shaping.split import Split

PATIENCE_S = 6.0
"""How long a box that answered last time is waited for; its own lane gives up before that."""

GRACE_S = 0.2
"""How long one that did not answer last time is waited for, once the others are done."""

GIVEN_UP_MS = 600_000
"""A box that is silent for so long no longer keeps sessions from ending: what it counted since it
was last heard is lost then."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Box:
    """One of several boxes, by a name that staff know; devices in ``networks`` are behind it.

    ``lines`` is set of the one that people dial in to.
    """

    name: str
    plane: DataPlane
    networks: tuple[IPv4Network, ...]
    close: Callable[[], None] = lambda: None
    lines: Lines | None = None


@dataclass(slots=True)
class _Member:
    """What is known of a box. ``held`` None: it was not yet asked what it holds.

    ``leaving`` has the sessions that are at home elsewhere by now, and whether their last count
    here was told.
    """

    box: Box
    held: set[SessionKey] | None = None
    leaving: dict[SessionKey, bool] = field(default_factory=dict)
    trouble: str = ""
    silent_since: MonotonicMs | None = None
    busy: asyncio.Task[object] | None = None


@dataclass(frozen=True, slots=True)
class _Told(Generic[T]):
    """What boxes answered, and which of them did not."""

    answers: Mapping[str, T]
    failed: Mapping[str, PlaneError]


class Together:
    """As `shaping.plane.DataPlane`, by several of them.

    Their networks must not overlap, and no two of them ever call lives of a meter by one name.
    """

    def __init__(
        self,
        boxes: Sequence[Box],
        *,
        now: Callable[[], MonotonicMs],
        patience_s: float = PATIENCE_S,
        grace_s: float = GRACE_S,
    ) -> None:
        self._members = {box.name: _Member(box) for box in boxes}
        self._networks = {box.name: box.networks for box in boxes}
        self._now = now
        self._patience_s, self._grace_s = patience_s, grace_s
        self._homes: Mapping[SessionKey, str] = {}
        dialled = [box.name for box in boxes if box.lines is not None]
        assert len(dialled) <= 1, "people dial in to one box of a site"
        self._lines_at = dialled[0] if dialled else ""

    async def apply(self, desired: Desired) -> Applied:
        """As `shaping.plane.DataPlane.apply`. Raises `PlaneError` when no box could be brought."""
        _must_be_possible(desired, self._now())
        await self._adopt()
        whole = split(desired, self._networks, self._kept(), lines_at=self._lines_at)
        known = [name for name, one in self._members.items() if one.held is not None]
        told = await self._each(known, lambda box: box.plane.apply(whole.parts[box.name]))
        for name in told.answers:
            self._brought(name, whole)
        self._homes = whole.homes
        if not told.answers:
            raise _joined(self._members.values(), told.failed)
        return self._merged(desired, whole, told.answers)

    async def counters(self) -> Mapping[SessionKey, Counter]:
        """As `shaping.plane.DataPlane.counters`; `Partial` when a box did not answer."""
        told = await self._each(self._members, lambda box: box.plane.counters())
        if not told.answers:
            raise _joined(self._members.values(), told.failed)
        counters: dict[SessionKey, Counter] = {}
        for name, read in told.answers.items():
            for key, counter in read.items():
                if key not in counters or self._homes.get(key) == name:
                    counters[key] = counter
        for name, read in told.answers.items():
            self._tell_last(self._members[name], read, counters)
        unread = {key for name in told.failed for key in self._awaited(name)}
        return Partial(counters, unread=frozenset(unread - counters.keys())) if unread else counters

    async def lines(self) -> Mapping[str, LineSeen]:
        """As `shaping.plane.Lines.lines`, of the box that has them. Raises `PlaneError`."""
        one = self._members.get(self._lines_at)
        return {} if one is None or one.box.lines is None else await one.box.lines.lines()

    async def clear(self) -> None:
        """As `shaping.plane.DataPlane.clear`, of every box. Raises `PlaneError` if one was not."""
        told = await self._each(self._members, lambda box: box.plane.clear())
        for name in told.answers:
            self._members[name].held, self._members[name].leaving = set(), {}
        if told.failed:
            raise _joined(self._members.values(), told.failed)

    def close(self) -> None:
        """Hang up everywhere. The boxes keep doing what they were told."""
        for one in self._members.values():
            one.box.close()

    async def _adopt(self) -> None:
        """Learn what boxes hold that were not asked yet: it may be more than they should."""
        fresh = [name for name, one in self._members.items() if one.held is None]
        told = await self._each(fresh, lambda box: box.plane.counters())
        for name, read in told.answers.items():
            self._members[name].held = set(read)

    def _kept(self) -> dict[str, set[SessionKey]]:
        """The sessions whose meters a box must not lose yet."""
        return {
            name: {key for key in one.held or () if not one.leaving.get(key, False)}
            for name, one in self._members.items()
        }

    def _brought(self, name: str, whole: Split) -> None:
        one, access = self._members[name], whole.parts[name].access
        one.held = set(access)
        away = [key for key in access if whole.homes.get(key, name) != name]
        one.leaving = {key: one.leaving.get(key, False) for key in away}

    def _merged(self, desired: Desired, whole: Split, answers: Mapping[str, Applied]) -> Applied:
        drift = [f"{name}: {text}" for name, one in answers.items() for text in one.drift]
        refused = [f"{name}: {text}" for name, one in answers.items() for text in one.refused]
        unreached: set[SessionKey] = set()
        for name, one in self._members.items():
            if name in answers:
                continue
            waiting = whole.parts[name].access
            refused.append(f"{name} does not answer: {one.trouble}")
            refused += [f"{name}: {access.mac} waits for it" for access in waiting.values()]
            unreached |= set(self._awaited(name)) | waiting.keys() if self._hoped(one) else set()
        for key in whole.homeless:
            access = desired.access[key]
            if not access.closed:
                refused.append(f"{access.ipv4} of {access.mac} is in no router's networks")
        changes = sum(one.changes for one in answers.values())
        return Applied(changes, tuple(drift), tuple(refused), frozenset(unreached))

    def _tell_last(
        self,
        one: _Member,
        read: Mapping[SessionKey, Counter],
        counters: dict[SessionKey, Counter],
    ) -> None:
        """The last counts of sessions that left this box, once each, before those at home."""
        for key, was_told in one.leaving.items():
            if not was_told and key in read:
                counters[key] = read[key]
            one.leaving[key] = True

    def _awaited(self, name: str) -> set[SessionKey]:
        """The sessions whose counts at a silent box are worth waiting for."""
        one = self._members[name]
        return one.held or set() if self._hoped(one) else set()

    def _hoped(self, one: _Member) -> bool:
        return one.silent_since is None or self._now() - one.silent_since < GIVEN_UP_MS

    async def _each(self, names: Iterable[str], work: Callable[[Box], Awaitable[T]]) -> _Told[T]:
        """Ask boxes, each on its own; those that do not answer in time go on being busy."""
        asked: dict[str, asyncio.Task[T]] = {}
        failed: dict[str, PlaneError] = {}
        for name in names:
            one = self._members[name]
            if one.busy is not None and not one.busy.done():
                failed[name] = PlaneError(f"{name} is still busy")
                continue
            asked[name] = asyncio.ensure_future(_asked(one, work, self._now))
            one.busy = asked[name]
        await self._waited(asked)
        answers = {}
        for name, task in asked.items():
            error = _failure(task, name)
            if error is None:
                answers[name] = task.result()
                continue
            one = self._members[name]
            one.trouble = one.trouble or str(error)
            one.silent_since = self._now() if one.silent_since is None else one.silent_since
            failed[name] = error
        return _Told(answers, failed)

    async def _waited(self, asked: Mapping[str, asyncio.Task[T]]) -> None:
        good = [task for name, task in asked.items() if not self._members[name].trouble]
        try:
            if good:
                await asyncio.wait(good, timeout=self._patience_s)
            rest = [task for task in asked.values() if not task.done() and task not in good]
            if rest:
                await asyncio.wait(rest, timeout=self._grace_s if good else self._patience_s)
        except asyncio.CancelledError:
            for task in asked.values():
                task.cancel()
            raise


async def _asked(
    one: _Member, work: Callable[[Box], Awaitable[T]], now: Callable[[], MonotonicMs]
) -> T:
    """One answer of a box; from then on it is well, or silent."""
    try:
        answer = await work(one.box)
    except PlaneError as error:
        one.trouble = one.trouble or str(error)
        one.silent_since = now() if one.silent_since is None else one.silent_since
        raise
    one.trouble, one.silent_since = "", None
    return answer


def _failure(task: asyncio.Task[T], name: str) -> PlaneError | None:
    """Why a box has not answered. Raises what is no trouble of a box."""
    if not task.done():
        task.add_done_callback(_noticed)
        return PlaneError(f"{name} takes too long")
    error = task.exception()
    if error is not None and not isinstance(error, PlaneError):
        raise error
    return error


def _noticed(late: asyncio.Task[T]) -> None:
    """Nobody waits any more; what it brought is asked for again."""
    if not late.cancelled():
        late.exception()


def _must_be_possible(desired: Desired, now: MonotonicMs) -> None:
    """Raises `PlaneError` (no retry) for what no box could do, before any was told."""
    diff(Observed(), desired, now=now, epoch="")
    pool_rates(desired.pools)


def _joined(members: Iterable[_Member], failed: Mapping[str, PlaneError]) -> PlaneError:
    texts = [str(error) for error in failed.values()]
    texts += [one.trouble for one in members if one.box.name not in failed and one.trouble]
    retry = not failed or any(error.retry for error in failed.values())
    return PlaneError("; ".join(texts), retry=retry)
