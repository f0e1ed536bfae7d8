"""The class tree of one interface: read, built, changed and thinned out.

Below the root stand pools, pools in pools, and groups; each group has an HTB of its own with the
classes of its sessions. What stands below the root is named by the low half of its class number.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from shaping.linux import tc
from shaping.linux.iproute import build_root, remove_root
from shaping.linux.netlink import NLM_F_CREATE, NLM_F_REPLACE, NetlinkError
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shaping.linux.netlink import NetlinkSocket
    from shaping.linux.tc import ClassFigures

_TC_H_ROOT = 0xFFFFFFFF
_ROOT_SPARE = tc.ROOT_HANDLE | tc.SPARE_MINOR


class Tree:
    """One interface's tree as we believe it to be. Methods raise `PlaneError`."""

    def __init__(self, interface: str, netlink: NetlinkSocket, *, spare_bps: int) -> None:
        self.interface = interface
        self.classes: dict[int, ClassFigures] = {}
        self.parents: dict[int, int] = {}
        self.groups: set[int] = set()
        self.evicted: list[str] = []
        self._netlink = netlink
        self._spare_bps = spare_bps
        self._ifindex = 0
        self._direct = 0
        self._leaf = ""
        self._queue: list[tuple[int, int, bytes]] = []
        self._leaves: dict[int, bytes] = {}

    def observe(self) -> list[str]:
        """Read the tree, build a root where ours is not; tell what was out of place."""
        before = {low: (self.classes[tc.ROOT_HANDLE | low], up) for low, up in self.parents.items()}
        direct, known = self._direct, self._ifindex != 0
        self._ifindex = index_of(self.interface)
        self.classes, self.parents, self.groups, self._direct = {}, {}, set(), 0
        self._queue.clear()
        self._leaves.clear()
        root = self._below(_TC_H_ROOT)
        if not self._has_root(root):
            self._build_root(root)
            return [f"the shaper of {self.interface} was missing"]
        self._read(root)
        found = [
            f"{self.interface}: {_name(low)} of the shaper was changed"
            for low, was in before.items()
            if (self.classes.get(tc.ROOT_HANDLE | low), self.parents.get(low)) != was
        ]
        if known and self._direct > direct:
            found.append(f"{self.interface}: {self._direct} packets left unshaped")
        return found

    def put_shared(self, low: int, figures: ClassFigures, *, inside: int) -> None:
        """Have this pool or group below the root, ``inside`` that pool (0: in none)."""
        classid = tc.ROOT_HANDLE | low
        if self.classes.get(classid) == figures:
            return
        self._put(classid, tc.ROOT_HANDLE | inside, figures)
        self.parents[low] = inside

    def put_group(self, group: int, figures: ClassFigures, *, inside: int) -> None:
        """As `put_shared`, with the group's own HTB below it."""
        self.put_shared(group, figures, inside=inside)
        if group in self.groups:
            return
        inner = tc.group_handle(group)
        htb = tc.htb_message(self._ifindex, inner, tc.ROOT_HANDLE | group)
        self._queue.append((tc.RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, htb))
        self.groups.add(group)
        self.put_session(inner | tc.SPARE_MINOR, tc.class_figures(self._spare_bps))

    def put_session(self, classid: int, figures: ClassFigures) -> None:
        """Have this class, with a queue below it, in the HTB that its number names."""
        before = self.classes.get(classid)
        if before == figures:
            return
        self._put(classid, tc.parent_of(classid), figures)
        kind = self._leaf or self._leaf_kind()
        limit = _limit(figures.bytes_per_s) if kind == "bfifo" else 0
        if before is None or (limit and limit != _limit(before.bytes_per_s)):
            self._leaves[classid] = tc.leaf_message(self._ifindex, classid, kind, limit)

    def cut(self, low: int) -> None:
        """Take a pool or group from below the root, with all that is below it."""
        message = tc.plain_message(self._ifindex, handle=tc.ROOT_HANDLE | low)
        self._queue.append((tc.RTM_DELTCLASS, 0, message))
        del self.parents[low], self.classes[tc.ROOT_HANDLE | low]
        if low in self.groups:
            self.groups.discard(low)
            inner = tc.group_handle(low)
            for below in (self.classes, self._leaves):
                for key in [key for key in below if tc.parent_of(key) == inner]:
                    del below[key]

    def waiting(self) -> Mapping[int, int]:
        """How many packets wait in each group."""
        found = ((group, self._below(tc.ROOT_HANDLE | group)) for group in self.groups)
        return {group: qdisc.waiting if qdisc else 0 for group, qdisc in found}

    def flush(self) -> None:
        """Send what is queued."""
        # The kernel is faster when queues below classes come after all of the classes.
        queue = [
            *self._queue,
            *(
                (tc.RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, one)
                for one in self._leaves.values()
            ),
        ]
        self._queue, self._leaves = [], {}
        for number in self._netlink.request(queue):
            if number:
                raise PlaneError(
                    f"the shaper of {self.interface} refused a class: {os.strerror(number)}"
                )

    def remove(self) -> None:
        """Delete the tree; a root of somebody else's stays."""
        self._ifindex = index_of(self.interface)
        if _is_root(self._below(_TC_H_ROOT)):
            remove_root(self._ifindex)
        self.classes, self.parents, self.groups, self._direct = {}, {}, set(), 0
        self._ifindex = 0

    def _put(self, classid: int, parent: int, figures: ClassFigures) -> None:
        message = tc.shaped_message(self._ifindex, classid, parent, figures)
        self._queue.append((tc.RTM_NEWTCLASS, NLM_F_CREATE, message))
        self.classes[classid] = figures

    def _leaf_kind(self) -> str:
        """The best queue that this kernel has, found out once by trying on the real interface."""
        self.flush()
        limit = _limit(tc.class_figures(self._spare_bps).bytes_per_s)
        for kind in tc.LEAVES:
            message = tc.leaf_message(self._ifindex, _ROOT_SPARE, kind, limit)
            (number,) = self._netlink.request(
                [(tc.RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, message)]
            )
            if number == 0:
                self._leaf = kind
                return kind
        raise PlaneError("this kernel has none of the queues " + ", ".join(tc.LEAVES), retry=False)

    def _has_root(self, root: tc.Qdisc | None) -> bool:
        if not _is_root(root):
            return False
        request = tc.plain_message(self._ifindex, parent=tc.ROOT_HANDLE)
        filters = self._netlink.dump(tc.RTM_GETTFILTER, request)
        ours = (tc.ROOT_HANDLE, tc.chooser_program())
        return [tc.read_filter(body) for _, body in filters if tc.read_filter(body)[1]] == [ours]

    def _read(self, root: tc.Qdisc | None) -> None:
        request = tc.plain_message(self._ifindex)
        classes = self._netlink.collect(tc.RTM_GETTCLASS, request, tc.read_classes)
        for one in classes:
            if tc.parent_of(one.classid) == tc.ROOT_HANDLE and one.classid != _ROOT_SPARE:
                inside = 0 if one.parent == _TC_H_ROOT else one.parent & 0xFFFF
                self.parents[one.classid & 0xFFFF] = inside
        below = {low: self._below(tc.ROOT_HANDLE | low) for low in self.parents}
        self.groups = {low for low, qdisc in below.items() if _is_group(qdisc, low)}
        self._direct = sum(one.direct for one in (root, *map(below.get, self.groups)) if one)
        whole = {tc.ROOT_HANDLE, *map(tc.group_handle, self.groups)}
        self.classes = {
            one.classid: one.figures for one in classes if tc.parent_of(one.classid) in whole
        }
        self.put_session(_ROOT_SPARE, tc.class_figures(self._spare_bps))

    def _build_root(self, root: tc.Qdisc | None) -> None:
        if root and root.handle == tc.ROOT_HANDLE:
            remove_root(self._ifindex)
        elif root and root.handle:
            # A number says that somebody put it there: the kernel's own has none.
            named = f"{root.kind} {root.handle >> 16:x}:"
            words = f"{self.interface}: {named} of somebody else was the root, and was replaced"
            self.evicted.append(words)
        build_root(self._ifindex, spare_bps=self._spare_bps)
        chooser = tc.RTM_NEWTFILTER, NLM_F_CREATE, tc.chooser_message(self._ifindex)
        (number,) = self._netlink.request([chooser])
        if number:
            raise PlaneError(f"shaping {self.interface}: {os.strerror(number)}")
        self.put_session(_ROOT_SPARE, tc.class_figures(self._spare_bps))

    def _below(self, classid: int) -> tc.Qdisc | None:
        """What stands below a class, or at the root; None where nobody put anything.

        All queues are never asked for: there is one for each session.
        """
        request = tc.plain_message(self._ifindex, parent=classid)
        try:
            return tc.read_qdisc(self._netlink.ask(tc.RTM_GETQDISC, request))
        except NetlinkError as error:
            # The kernel's own queues are there for nobody to see.
            if error.errno in {errno.ENOENT, errno.EINVAL}:
                return None
            raise PlaneError(f"reading qdiscs of {self.interface}: {error}") from error


def index_of(interface: str) -> int:
    """The kernel's number of an interface. Raises `PlaneError` when it is not there."""
    try:
        return socket.if_nametoindex(interface)
    except OSError as error:
        retry = error.errno in {errno.ENODEV, errno.ENXIO, None}
        raise PlaneError(f"there is no interface {interface}", retry=retry) from error


def _limit(bytes_per_s: int) -> int:
    return tc.leaf_limit_bytes(8 * bytes_per_s)


def _name(low: int) -> str:
    kind, number = ("pool", low - tc.POOL_MINOR) if low > tc.POOL_MINOR else ("group", low)
    return f"{kind} {number}"


def _is_root(qdisc: tc.Qdisc | None) -> bool:
    return qdisc is not None and qdisc.handle == tc.ROOT_HANDLE and _is_htb(qdisc)


def _is_group(qdisc: tc.Qdisc | None, low: int) -> bool:
    return qdisc is not None and tc.group_under(qdisc.handle) == low and _is_htb(qdisc)


def _is_htb(qdisc: tc.Qdisc) -> bool:
    return qdisc.kind == "htb" and qdisc.spare == tc.SPARE_MINOR
