"""A large change cut into parts, so that a link that breaks does not begin from zero. PURE.

In the order of their keys' bytes, which is the order of Python's own strings: a part says up to
which key the change is told, and that is all that a later stream needs to go on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.store.items import Change

PART_BYTES_MAX = 64 * 1024
"""Of keys and bodies: some ten seconds of a link of 64 kbit/s. A larger item is one part."""


def parts(
    change: Change, *, held_upto: str = "", bytes_max: int = PART_BYTES_MAX
) -> Iterator[Change]:
    """The change in its parts: only one, if it is small.

    What amends the keys that the agent holds (up to ``held_upto``) is in one part with the first:
    between two parts it must hold one version of them.
    """
    told = sorted([*change.upserts, *((key, None) for key in change.removals)], key=_key)
    part: list[tuple[str, bytes | None]] = []
    left = bytes_max
    for key, body in told:
        weight = len(key.encode()) + len(body or b"")
        if part and key > held_upto and weight > left:
            yield _part(change, part, upto_key=max(held_upto, part[-1][0]))
            change, part, left = replace(change, continues=True), [], bytes_max
        part.append((key, body))
        left -= weight
    yield _part(change, part, upto_key="")


def _key(told: tuple[str, bytes | None]) -> str:
    return told[0]


def _part(change: Change, told: Sequence[tuple[str, bytes | None]], *, upto_key: str) -> Change:
    return replace(
        change,
        upserts=tuple((key, body) for key, body in told if body is not None),
        removals=tuple(key for key, body in told if body is None),
        upto_key=upto_key,
    )
