"""The class trees on both interfaces: down is shaped where it enters the LAN, up on the WAN."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shaping.linux import tc
from shaping.linux.iproute import build_group, build_root, remove_root
from shaping.linux.netlink import NLM_F_CREATE, NLM_F_REPLACE, NetlinkError
from shaping.plane import PlaneError, Rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shaping.linux.netlink import NetlinkSocket
    from shaping.linux.nft import LinuxConfig
    from shaping.plane import SessionKey

_TC_H_ROOT = 0xFFFFFFFF


@dataclass(slots=True)
class _Tree:
    """One interface's tree as we believe it to be. ``rates`` are bytes a second by class id."""

    interface: str
    ifindex: int
    rates: dict[int, int] = field(default_factory=dict)
    groups: set[int] = field(default_factory=set)
    direct: int = 0


class Shaper:
    """HTB on LAN and WAN, in the network namespace of ``netlink``. Methods raise `PlaneError`."""

    def __init__(self, config: LinuxConfig, netlink: NetlinkSocket) -> None:
        self._netlink = netlink
        self._spare_bps = config.spare_bps
        self._interfaces = (config.lan, config.wan)
        self._trees: list[_Tree] = []
        self._leaf = ""
        self._slots: dict[SessionKey, int] = {}
        self._free: list[int] = []
        self._next = 0
        self._queue: list[tuple[int, int, bytes]] = []

    def observe(self) -> list[str]:
        """Read both trees, rebuild roots that are not ours; tell what was out of place."""
        found: list[str] = []
        direct = {tree.interface: tree.direct for tree in self._trees}
        self._trees = [_Tree(name, index_of(name)) for name in self._interfaces]
        self._queue.clear()
        for tree in self._trees:
            qdiscs = self._qdiscs(tree)
            if self._has_root(tree, qdiscs):
                self._read(tree, qdiscs)
            else:
                self._build_root(tree, qdiscs)
                found.append(f"the shaper of {tree.interface} was missing")
            if tree.direct > direct.get(tree.interface, tree.direct):
                found.append(f"{tree.interface}: {tree.direct} packets left unshaped")
        return found

    def rates(self) -> dict[int, Rate]:
        """The rate of every slot that is whole on both interfaces."""
        lan, wan = self._trees
        return {
            slot: Rate(rate * 8, wan.rates[classid] * 8)
            for classid, rate in lan.rates.items()
            if classid in wan.rates and (slot := tc.slot_of(classid)) is not None
        }

    def adopt(self, slots: Mapping[SessionKey, int]) -> None:
        """Take over who uses which slot; all others are free to use again."""
        self._slots = dict(slots)
        used = set(slots.values())
        self._next = max(used, default=-1) + 1
        self._free = [slot for slot in range(self._next - 1, -1, -1) if slot not in used]

    def slot_of(self, session: SessionKey) -> int:
        """The slot of a session that was given one by `set_rate`."""
        return self._slots[session]

    def slots(self) -> Mapping[SessionKey, int]:
        """Who uses which slot."""
        return self._slots

    def set_rate(self, session: SessionKey, rate: Rate) -> None:
        """Queue what gives this session this rate, on a slot that it keeps until `free`."""
        slot = self._slots.get(session)
        if slot is None:
            slot = self._slots[session] = self._take()
        for tree, rate_bps in zip(self._trees, (rate.down_bps, rate.up_bps), strict=True):
            self._put_group(tree, tc.group_of(slot))
            self._put_class(tree, tc.classid_of(slot), rate_bps)

    def free(self, session: SessionKey) -> None:
        """Let another session have the slot. Its classes stay: they are a pool."""
        slot = self._slots.pop(session, None)
        if slot is not None:
            self._free.append(slot)

    def flush(self) -> None:
        """Send what is queued."""
        queue, self._queue = self._queue, []
        for number in self._netlink.request(queue):
            if number:
                raise PlaneError(f"the shaper refused a class: {os.strerror(number)}")

    def remove(self) -> None:
        """Delete our trees; roots of others stay."""
        for name in self._interfaces:
            tree = _Tree(name, index_of(name))
            if any(_is_root(qdisc) for qdisc in self._qdiscs(tree)):
                remove_root(tree.ifindex)
        self._trees, self._slots, self._free, self._next = [], {}, [], 0

    def _take(self) -> int:
        if self._free:
            return self._free.pop()
        if self._next == tc.GROUP_CLASSES * tc.GROUPS_MAX:
            raise PlaneError(f"all {self._next} shaper classes are in use")
        self._next += 1
        return self._next - 1

    def _put_group(self, tree: _Tree, group: int) -> None:
        if group in tree.groups:
            return
        build_group(tree.ifindex, group, spare_bps=self._spare_bps)
        spare = (tc.ROOT_MAJOR + group) << 16 | tc.SPARE_MINOR
        self._put_class(tree, spare, self._spare_bps)
        tree.groups.add(group)

    def _put_class(self, tree: _Tree, classid: int, rate_bps: int) -> None:
        if tree.rates.get(classid) == rate_bps // 8:
            return
        self._queue_class(tree, classid, rate_bps)
        leaf = tc.leaf_message(tree.ifindex, classid, self._leaf_kind(tree), rate_bps)
        if classid not in tree.rates or self._leaf == "bfifo":
            self._queue.append((tc.RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, leaf))
        tree.rates[classid] = rate_bps // 8

    def _queue_class(self, tree: _Tree, classid: int, rate_bps: int) -> None:
        message = tc.class_message(tree.ifindex, classid, rate_bps)
        self._queue.append((tc.RTM_NEWTCLASS, NLM_F_CREATE, message))

    def _leaf_kind(self, tree: _Tree) -> str:
        """The best queue that this kernel has, found out once by trying on the real interface."""
        if self._leaf:
            return self._leaf
        spare = tc.ROOT_HANDLE | tc.SPARE_MINOR
        for kind in tc.LEAVES:
            message = tc.leaf_message(tree.ifindex, spare, kind, self._spare_bps)
            (number,) = self._netlink.request(
                [(tc.RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, message)]
            )
            if number == 0:
                self._leaf = kind
                return kind
        raise PlaneError("this kernel has none of the queues " + ", ".join(tc.LEAVES), retry=False)

    def _has_root(self, tree: _Tree, qdiscs: Iterable[tc.Qdisc]) -> bool:
        if not any(_is_root(qdisc) for qdisc in qdiscs):
            return False
        request = tc.plain_message(tree.ifindex, parent=tc.ROOT_HANDLE)
        filters = self._netlink.dump(tc.RTM_GETTFILTER, request)
        ours = (tc.ROOT_HANDLE, tc.chooser_program())
        return [tc.read_filter(body) for _, body in filters if tc.read_filter(body)[1]] == [ours]

    def _read(self, tree: _Tree, qdiscs: Iterable[tc.Qdisc]) -> None:
        classes = self._netlink.dump(tc.RTM_GETTCLASS, tc.plain_message(tree.ifindex))
        tree.rates = dict(filter(None, (tc.read_class(body) for _, body in classes)))
        for qdisc in qdiscs:
            group = (qdisc.handle >> 16) - tc.ROOT_MAJOR
            outer = tc.ROOT_HANDLE | group
            if _is_htb(qdisc) and qdisc.parent == outer and outer in tree.rates:
                tree.groups.add(group)
                tree.direct += qdisc.direct
            elif _is_root(qdisc):
                tree.direct += qdisc.direct
        whole = {tc.ROOT_MAJOR, *(tc.ROOT_MAJOR + group for group in tree.groups)}
        tree.rates = {key: rate for key, rate in tree.rates.items() if key >> 16 in whole}
        self._put_class(tree, tc.ROOT_HANDLE | tc.SPARE_MINOR, self._spare_bps)

    def _build_root(self, tree: _Tree, qdiscs: Iterable[tc.Qdisc]) -> None:
        if any(qdisc.handle == tc.ROOT_HANDLE for qdisc in qdiscs):
            remove_root(tree.ifindex)
        build_root(tree.ifindex, spare_bps=self._spare_bps)
        chooser = tc.RTM_NEWTFILTER, NLM_F_CREATE, tc.chooser_message(tree.ifindex)
        (number,) = self._netlink.request([chooser])
        if number:
            raise PlaneError(f"shaping {tree.interface}: {os.strerror(number)}")
        self._put_class(tree, tc.ROOT_HANDLE | tc.SPARE_MINOR, self._spare_bps)

    def _qdiscs(self, tree: _Tree) -> list[tc.Qdisc]:
        try:
            dumped = self._netlink.dump(tc.RTM_GETQDISC, tc.plain_message(tree.ifindex))
        except NetlinkError as error:
            raise PlaneError(f"reading qdiscs of {tree.interface}: {error}") from error
        read = (tc.read_qdisc(body) for _, body in dumped)
        return [qdisc for qdisc in read if qdisc.ifindex == tree.ifindex]


def index_of(interface: str) -> int:
    """The kernel's number of an interface. Raises `PlaneError` when it is not there."""
    try:
        return socket.if_nametoindex(interface)
    except OSError as error:
        retry = error.errno in {errno.ENODEV, errno.ENXIO, None}
        raise PlaneError(f"there is no interface {interface}", retry=retry) from error


def _is_root(qdisc: tc.Qdisc) -> bool:
    return qdisc.parent == _TC_H_ROOT and qdisc.handle == tc.ROOT_HANDLE and _is_htb(qdisc)


def _is_htb(qdisc: tc.Qdisc) -> bool:
    return qdisc.kind == "htb" and qdisc.spare == tc.SPARE_MINOR
