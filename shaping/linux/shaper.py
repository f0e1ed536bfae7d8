"""The class trees on both interfaces: down is shaped where it enters the LAN, up on the WAN.

A pool is a class below the root, with the same number on both interfaces; the name of an object of
our table tells which pool has that number (see ``tables.py``). Groups stand in pools, sessions in
groups.

How fair a pool is: sessions of one group take turns of one frame, groups take turns of as many
frames as they have sessions, and a pool inside another gets one round of all its groups. So every
session of a full pool gets the same, within 10 % as tested, while the sessions of each group are
equally busy. HTB counts sessions, not who of them is busy: one busy session among many idle ones
gets, for its group, the turns of all. A pool's sum stays within its rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shaping.linux import tc
from shaping.linux.handles import GROUPS_MAX
from shaping.linux.slots import Slots
from shaping.linux.tree import Tree, index_of
from shaping.plane import POOL_DEPTH_MAX, PlaneError, PoolKey, Rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shaping.linux.netlink import NetlinkSocket
    from shaping.linux.nft import LinuxConfig
    from shaping.plane import SessionKey
    from shaping.pools import PoolPath

__all__ = ["Shaper", "index_of"]

BROKEN = Rate(1, 1)
"""What a pool is said to share that differs between the interfaces: no pool's rate, so mended."""

NOWHERE = (PoolKey("?"),)
"""Where groups are that stand in no pool of ours: no session's pool, so left."""


class Shaper:
    """HTB on LAN and WAN, in the network namespace of ``netlink``. Methods raise `PlaneError`."""

    def __init__(
        self,
        config: LinuxConfig,
        netlink: NetlinkSocket,
        *,
        groups_max: int = GROUPS_MAX,
        pools_max: int = tc.POOLS_MAX,
        classes_max: int = tc.CLASSES_MAX,
    ) -> None:
        self._trees = tuple(
            Tree(name, netlink, spare_bps=config.spare_bps) for name in (config.lan, config.wan)
        )
        self._groups_max, self._pools_max = groups_max, pools_max
        self._classes_max = classes_max
        self._slots = Slots(groups_max=groups_max)
        self._names: dict[int, PoolKey] = {}
        self._numbers: dict[PoolPath, int] = {}
        self._dropped: set[PoolPath] = set()
        self._crowds: set[int] = set()
        self._littered = False

    def observe(self) -> list[str]:
        """Read both trees, rebuild roots that are not ours; tell what was out of place."""
        found = [words for tree in self._trees for words in tree.observe()]
        self.know(self._names)
        return found

    def evicted(self) -> list[str]:
        """Roots of somebody else's that ours took the place of, told once."""
        found = [words for tree in self._trees for words in tree.evicted]
        for tree in self._trees:
            tree.evicted.clear()
        return found

    def know(self, names: Mapping[int, PoolKey]) -> list[int]:
        """Learn which pool has which number; tell the numbers that stand for nothing."""
        there = {low - tc.POOL_MINOR for tree in self._trees for low in tree.parents}
        self._names = {number: key for number, key in names.items() if number in there}
        self._numbers = {}
        for number in sorted(self._names):
            path = self._path(number)
            if path:
                self._numbers.setdefault(path, number)
        self._dropped &= self._numbers.keys()
        self._slots.adopt(self._slots.held, {**self._slots.places, **self._places()})
        self._littered = bool(self._dropped) or self._is_strewn()
        return sorted(names.keys() - there)

    def adopt(self, slots: Mapping[SessionKey, int]) -> None:
        """Take over who uses which slot; all others are free to use again."""
        self._slots.adopt(slots, self._places())
        self._crowds = set(self._slots.places)
        self._littered = bool(self._dropped) or self._is_strewn()

    def rates(self) -> dict[int, Rate]:
        """The rate of every slot that is whole on both interfaces."""
        lan, wan = (tree.classes for tree in self._trees)
        found: dict[int, Rate] = {}
        for classid, down in lan.items():
            up = wan.get(classid)
            slot = tc.slot_of(classid)
            rate = tc.rate_of(down, up) if up and slot is not None else None
            if rate and slot is not None:
                found[slot] = rate
        return found

    def pools(self) -> dict[PoolPath, Rate]:
        """What each pool shares, but for those that were dropped."""
        wanted = self._numbers.keys() - self._dropped
        return {path: self._pool_rate(path, self._numbers[path]) for path in wanted}

    def places(self) -> Mapping[int, PoolPath]:
        """Which pool each group is in."""
        return self._slots.places

    def slot_of(self, session: SessionKey) -> int:
        """The slot of a session that was given one by `set_rate`."""
        return self._slots.held[session]

    def slots(self) -> Mapping[SessionKey, int]:
        """Who uses which slot."""
        return self._slots.held

    def number_pools(self, paths: Iterable[PoolPath]) -> dict[int, PoolKey]:
        """Give numbers to those of these pools that have none; they must be written down first."""
        fresh: dict[int, PoolKey] = {}
        for path in paths:
            if path in self._numbers:
                self._dropped.discard(path)
                continue
            number = self._unused_number()
            self._numbers[path] = number
            self._names[number] = fresh[number] = path[-1]
        return fresh

    def set_pool(self, path: PoolPath, rate: Rate) -> None:
        """Queue what lets this pool, which has its number, share this rate."""
        outer = self._minor(path[:-1])
        for tree, rate_bps in zip(self._trees, (rate.down_bps, rate.up_bps), strict=True):
            figures = tc.pool_figures(rate_bps, inside=outer != 0)
            tree.put_shared(self._minor(path), figures, inside=outer)

    def drop_pool(self, path: PoolPath) -> None:
        """Nobody is wanted in this pool: `sweep` takes it away."""
        self._dropped.add(path)
        self._littered = True

    def set_rate(self, session: SessionKey, rate: Rate, path: PoolPath = ()) -> None:
        """Queue what gives this session this rate, on a slot that it keeps until it leaves."""
        slot = self._slots.found(session, path)
        if slot is None:
            slot = self._take(session, path)
        classid = tc.classid_of(slot)
        for tree, figures in zip(self._trees, tc.session_figures(rate), strict=True):
            if classid not in tree.classes:
                self._open(tree, slot, path)
            tree.put_session(classid, figures)
        if path:
            self._crowds.add(tc.group_of(slot))

    def free(self, session: SessionKey) -> None:
        """Let another session have the slot. Its classes stay, to be used again."""
        slot = self._slots.held.get(session)
        if slot is not None:
            self._crowds.add(tc.group_of(slot))
            self._slots.free(session)

    def settle(self) -> None:
        """Nothing leads any more to the slots that sessions moved away from."""
        self._slots.settle()
        self._crowds.update(self._slots.places)

    def flush(self) -> None:
        """Send what is queued."""
        crowds, self._crowds = self._crowds, set()
        for group in crowds & self._slots.places.keys():
            path = self._slots.places[group]
            if path == NOWHERE:
                continue
            figures = self._group_figures(group)
            for tree in self._trees:
                if group in tree.groups:
                    tree.put_shared(group, figures, inside=self._minor(path))
        for tree in self._trees:
            tree.flush()

    def sweep(self) -> dict[int, PoolKey]:
        """Take away what nobody is in and no packet waits in; tell which names are now free.

        What still waits is for the next time. No packet that was let pass is lost by it.
        """
        if not self._littered:
            return {}
        wanted = {number for path, number in self._numbers.items() if path not in self._dropped}
        waiting = self._waiting()
        for group in self._slots.empty():
            left = self._slots.places[group] in {*self._dropped, NOWHERE}
            if left and not waiting.get(group):
                self._cut(group)
                self._slots.forget(group)
        for tree in self._trees:
            for low in list(tree.parents):
                stray = low < tc.POOL_MINOR and low not in self._slots.places
                if stray and not waiting.get(low):
                    tree.cut(low)
        self._cut_pools(wanted)
        for tree in self._trees:
            tree.flush()
        return self._gone()

    def remove(self) -> None:
        """Delete our trees; roots of others stay."""
        for tree in self._trees:
            tree.remove()
        self._slots = Slots(groups_max=self._groups_max)
        self._names, self._numbers, self._dropped = {}, {}, set()

    def _places(self) -> dict[int, PoolPath]:
        """The pool of each group that is on any interface."""
        paths = {number: path for path, number in self._numbers.items()}
        found: dict[int, PoolPath] = {}
        for group in set().union(*(tree.groups for tree in self._trees)):
            inside = self._inside(group)
            number = (inside or 0) - tc.POOL_MINOR
            found[group] = () if inside == 0 else paths.get(number, NOWHERE)
        return found

    def _path(self, number: int) -> PoolPath:
        """The path of a numbered pool; empty when its place cannot be told."""
        inside_out: list[PoolKey] = []
        while number in self._names and len(inside_out) < POOL_DEPTH_MAX:
            inside_out.append(self._names[number])
            inside = self._inside(tc.POOL_MINOR + number)
            if inside == 0:
                return tuple(reversed(inside_out))
            number = (inside or 0) - tc.POOL_MINOR
        return ()

    def _inside(self, low: int) -> int | None:
        """What a class stands in; None where the interfaces tell different things."""
        told = {tree.parents[low] for tree in self._trees if low in tree.parents}
        return told.pop() if len(told) == 1 else None

    def _pool_rate(self, path: PoolPath, number: int) -> Rate:
        classid = tc.ROOT_HANDLE | (tc.POOL_MINOR + number)
        held = [tree.classes.get(classid) for tree in self._trees]
        down_bps, up_bps = (8 * figures.ceil_bytes_per_s if figures else 1 for figures in held)
        wanted = [tc.pool_figures(rate, inside=len(path) > 1) for rate in (down_bps, up_bps)]
        return Rate(down_bps, up_bps) if held == wanted else BROKEN

    def _minor(self, path: PoolPath) -> int:
        return tc.POOL_MINOR + self._numbers[path] if path else 0

    def _group_figures(self, group: int) -> tc.ClassFigures:
        pooled = bool(self._slots.places[group])
        return tc.group_figures(self._slots.members(group) if pooled else None)

    def _unused_number(self) -> int:
        used = {low - tc.POOL_MINOR for tree in self._trees for low in tree.parents}
        used |= self._names.keys()
        number = next((n for n in range(1, self._pools_max + 1) if n not in used), None)
        if number is None:
            raise PlaneError(f"all {self._pools_max} pools are in use")
        return number

    def _take(self, session: SessionKey, path: PoolPath) -> int:
        if not self._slots.has_room(session, path):
            self._make_room()
        return self._slots.take(session, path)

    def _open(self, tree: Tree, slot: int, path: PoolPath) -> None:
        """See that there is room for the class of this slot, and a group for it to stand in."""
        if len(tree.classes) >= self._classes_max:
            self._make_room()
        if len(tree.classes) >= self._classes_max:
            raise PlaneError(f"all {self._classes_max} classes of {tree.interface} are in use")
        group = tc.group_of(slot)
        if group not in tree.groups:
            tree.put_group(group, self._group_figures(group), inside=self._minor(path))

    def _waiting(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for tree in self._trees:
            for group, packets in tree.waiting().items():
                found[group] = found.get(group, 0) + packets
        return found

    def _make_room(self) -> None:
        """Give up groups, of whatever pool, that nobody is in."""
        waiting = self._waiting()
        for group in self._slots.empty():
            if not waiting.get(group):
                self._cut(group)
                self._slots.forget(group)

    def _cut(self, group: int) -> None:
        for tree in self._trees:
            if group in tree.parents:
                tree.cut(group)

    def _cut_pools(self, wanted: set[int]) -> None:
        for tree in self._trees:
            for _ in range(POOL_DEPTH_MAX):
                outer = set(tree.parents.values())
                pools = [low for low in tree.parents if low > tc.POOL_MINOR and low not in outer]
                for low in (low for low in pools if low - tc.POOL_MINOR not in wanted):
                    tree.cut(low)

    def _gone(self) -> dict[int, PoolKey]:
        """Forget numbers that no interface has any more, and tell them."""
        there = {low - tc.POOL_MINOR for tree in self._trees for low in tree.parents}
        gone = {number: key for number, key in self._names.items() if number not in there}
        self._names = {number: key for number, key in self._names.items() if number in there}
        self._numbers = {path: n for path, n in self._numbers.items() if n in there}
        self._dropped &= self._numbers.keys()
        self._littered = bool(self._dropped) or self._is_strewn()
        return gone

    def _is_strewn(self) -> bool:
        """Whether anything stands below a root that leads nowhere."""
        ours = {tc.POOL_MINOR + number for number in self._numbers.values()}
        ours |= {group for group, path in self._slots.places.items() if path != NOWHERE}
        return any(tree.parents.keys() - ours for tree in self._trees)
