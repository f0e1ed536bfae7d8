"""A large step in portions, so that the first customers pass before the last are prepared. PURE.

Building the shapers of 10,000 sessions takes seconds, and a transaction with all of them tens of
megabytes. Each portion is complete: meters, speeds and ways of its sessions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shaping.diff import OpenWay, SetRate, StartMeter, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shaping.diff import Change, Observed
    from shaping.plane import SessionKey

PORTION_SESSIONS = 1_000


def portions(
    step: Step, observed: Observed, *, size: int = PORTION_SESSIONS
) -> Iterator[tuple[Change, ...]]:
    """The changes of ``step``, all in order within each portion.

    The first portion has all that ends, moves or is shared, and the rest so many new sessions each.
    """
    waiting = [key for key in step.after if _can_wait(key, step, observed)][size:]
    turn = {key: 1 + number // size for number, key in enumerate(waiting)}
    parts: list[list[Change]] = [[] for _ in range(1 + max(turn.values(), default=0))]
    for change in step.changes:
        number = 0
        if isinstance(change, StartMeter | SetRate | OpenWay):
            number = turn.get(change.session, 0)
        parts[number].append(change)
    yield from map(tuple, parts)


def _can_wait(key: SessionKey, step: Step, observed: Observed) -> bool:
    """Whether nobody has this session yet, nor any address of it."""
    after = step.after[key]
    return (
        after is not None
        and key not in observed.sessions
        and not any(address in observed.owners for address in after.ways)
    )
