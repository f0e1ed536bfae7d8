"""Who has which slot, and which group of slots stands in which pool. Touches no kernel.

A group belongs to one pool for its life. Slots are used again within their group; a group is given
up only when nobody is in it and its pool went, or when there is no number left for another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shaping.linux.handles import GROUPS_MAX
from shaping.linux.tc import GROUP_CLASSES, group_of
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shaping.plane import SessionKey
    from shaping.pools import PoolPath


class Slots:
    """The slots of one box."""

    def __init__(self, *, groups_max: int = GROUPS_MAX) -> None:
        self._groups_max = groups_max
        self._held: dict[SessionKey, int] = {}
        self._places: dict[int, PoolPath] = {}
        self._free: dict[int, list[int]] = {}
        self._roomy: dict[PoolPath, list[int]] = {}
        self._left: list[int] = []

    def adopt(self, held: Mapping[SessionKey, int], places: Mapping[int, PoolPath]) -> None:
        """Begin with these sessions on these slots, and these groups in these pools."""
        self._held, self._places = dict(held), dict(places)
        self._free, self._roomy, self._left = {}, {}, []
        used = set(held.values())
        for slot in used:
            self._places.setdefault(group_of(slot), ())
        for group, path in sorted(self._places.items(), reverse=True):
            self._free[group] = [slot for slot in _slots(group) if slot not in used]
            if self._free[group]:
                self._roomy.setdefault(path, []).append(group)

    @property
    def held(self) -> Mapping[SessionKey, int]:
        """Who has which slot."""
        return self._held

    @property
    def places(self) -> Mapping[int, PoolPath]:
        """Which group stands in which pool."""
        return self._places

    def has_room(self, session: SessionKey, path: PoolPath) -> bool:
        """Whether `take` will find a slot for this session in this pool."""
        return (
            self.found(session, path) is not None
            or bool(self._roomy.get(path))
            or len(self._places) < self._groups_max
        )

    def found(self, session: SessionKey, path: PoolPath) -> int | None:
        """The slot that this session has in this pool."""
        slot = self._held.get(session)
        return slot if slot is not None and self._places[group_of(slot)] == path else None

    def take(self, session: SessionKey, path: PoolPath) -> int:
        """A slot for this session in this pool: the one that it has, where it is in that pool.

        One that it has elsewhere stays its own until `settle`. Raises `PlaneError` when all groups
        are in use.
        """
        slot = self.found(session, path)
        if slot is not None:
            return slot
        if not self._roomy.get(path):
            self._open_group(path)
        group = self._roomy[path][-1]
        slot = self._free[group].pop()
        if not self._free[group]:
            self._roomy[path].pop()
        if session in self._held:
            self._left.append(self._held[session])
        self._held[session] = slot
        return slot

    def free(self, session: SessionKey) -> None:
        """Let another session have the slot."""
        slot = self._held.pop(session, None)
        if slot is not None:
            self._give_back(slot)

    def settle(self) -> None:
        """Nothing leads to the slots any more that sessions moved away from."""
        left, self._left = self._left, []
        for slot in left:
            self._give_back(slot)

    def members(self, group: int) -> int:
        """How many sessions are in a group."""
        return GROUP_CLASSES - len(self._free[group])

    def empty(self) -> list[int]:
        """Groups that nobody is in."""
        return [group for group, free in self._free.items() if len(free) == GROUP_CLASSES]

    def forget(self, group: int) -> None:
        """The group is gone; its number may be used again, in any pool."""
        path = self._places.pop(group)
        assert len(self._free.pop(group)) == GROUP_CLASSES, "a group goes when nobody is in it"
        self._roomy[path].remove(group)

    def _open_group(self, path: PoolPath) -> None:
        if len(self._places) >= self._groups_max:
            where = f" in pool {path[-1]}" if path else ""
            raise PlaneError(
                f"all {self._groups_max} groups of shaper classes are in use: no room{where}"
            )
        group = next(n for n in range(1, self._groups_max + 1) if n not in self._places)
        self._places[group] = path
        self._free[group] = list(_slots(group))
        self._roomy.setdefault(path, []).append(group)

    def _give_back(self, slot: int) -> None:
        group = group_of(slot)
        if not self._free[group]:
            self._roomy.setdefault(self._places[group], []).append(group)
        self._free[group].append(slot)


def _slots(group: int) -> range:
    """The slots of a group, the first one last: lists are taken from at their end."""
    return range(group * GROUP_CLASSES - 1, (group - 1) * GROUP_CLASSES - 1, -1)
