"""Class numbers, rates and the messages that build an HTB tree. PURE.

A slot is one session's place in the tree, the same on both interfaces: class ``minor`` in the HTB
of its group. Layouts are those of linux/pkt_sched.h and linux/rtnetlink.h; tick lengths those of
the kernel's packet scheduler clock (64 ns).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from sys import byteorder
from typing import NamedTuple

from shaping.linux.attributes import HEAD_BYTES, attribute, attributes, first, places
from shaping.linux.handles import (
    GROUP_MAJORS,
    GROUP_OF_MAJOR,
    GROUPS_MAX,
    LEAF_MAJORS,
    ROOT_MAJOR,
)
from shaping.linux.messages import HEADER, split
from shaping.plane import Burst, Rate

GROUP_CLASSES = 250
"""Classes in one group's HTB: making a class costs a walk over its siblings."""

POOLS_MAX = 1_000

CLASSES_MAX = 32_000
"""Classes of one interface: the kernel has 32,768 numbers for the queues below them."""

ROOT_HANDLE = ROOT_MAJOR << 16
SPARE_MINOR = 0xFFFF
"""The default class of every HTB in the tree: what has no class of its own."""

LEAVES = ("cake", "fq_codel", "sfq", "bfifo")
"""Queues below a class, best first; the first that the kernel has is used."""

POOL_MINOR = 0x8000
"""Pools are classes of the root too, from this number on; below it are the groups."""

GROUP_BPS = 100_000_000_000
"""A group only gathers; it holds nobody back: more than any gateway forwards."""

FLOOR_BPS = 8
"""What a group or pool inside a pool may send unasked: next to nothing, all else it borrows. HTB
adds what classes may send by themselves to what their parent may, so these must be small for the
parent's rate to be the bound."""

TURN_BYTES = 1_514
"""What a session may send before it is the next one's turn: one frame, whatever its rate."""

RTM_NEWQDISC, RTM_GETQDISC = 36, 38
RTM_NEWTCLASS, RTM_DELTCLASS, RTM_GETTCLASS = 40, 41, 42
RTM_NEWTFILTER, RTM_GETTFILTER = 44, 46

ETHERNET = 1
"""The link layer that a class reckons with, as its field for it wants to be told."""

_TCM = struct.Struct("=BxxxiIII")
_RATE = struct.Struct("=BBHhHI")
_REST = struct.Struct("=IIIII")
_U64 = struct.Struct("=Q")
_NS_PER_S = 1_000_000_000
_KIND, _OPTIONS, _STATS = 1, 2, 7
_HTB = attribute(_KIND, b"htb\0")
_CLASSID = 8
"""Where in a message its class stands; its parent follows."""

_STATS_QUEUE = 3
_HTB_PARMS, _HTB_INIT, _HTB_RATE64, _HTB_CEIL64 = 1, 2, 6, 7
_BPF_OPS_LEN, _BPF_OPS = 4, 5
_ALL_PROTOCOLS = 0x0300  # ETH_P_ALL in network order
_TICK_NS = 64
_GROUP_QUANTUM_BYTES = 60_000
_FRAME_BYTES = 1514
_U32_MAX = (1 << 32) - 1
_CHOOSER = (
    (0x20, 0, 0, 0xFFFFF014),  # ld mark
    (0x54, 0, 0, 0xFFFF),  # and
    (0x15, 2, 0, 0),  # jeq #0, to the last
    (0x44, 0, 0, ROOT_HANDLE),  # or
    (0x16, 0, 0, 0),  # ret a
    (0x06, 0, 0, 0),  # ret #0
)


@dataclass(frozen=True, slots=True)
class Qdisc:
    """One queueing discipline as the kernel tells it. ``spare`` and ``direct`` are HTB's.

    ``waiting`` counts the packets in it and below it.
    """

    ifindex: int
    handle: int
    parent: int
    kind: str
    spare: int = 0
    direct: int = 0
    waiting: int = 0


def classid_of(slot: int) -> int:
    """The class of a slot, as the kernel numbers it."""
    assert 0 <= slot < GROUP_CLASSES * GROUPS_MAX, "slots are bounded by the pool"
    return group_handle(group_of(slot)) | slot % GROUP_CLASSES + 1


def group_of(slot: int) -> int:
    """The group of a slot, which is also the mark that leads its packets there."""
    return slot // GROUP_CLASSES + 1


def slot_of(classid: int) -> int | None:
    """The slot of a class; None for one that no slot has."""
    group, minor = GROUP_OF_MAJOR.get(classid >> 16, 0), classid & 0xFFFF
    if group and 1 <= minor <= GROUP_CLASSES:
        return (group - 1) * GROUP_CLASSES + minor - 1
    return None


def group_handle(group: int) -> int:
    """The handle of a group's own HTB."""
    return GROUP_MAJORS[group - 1] << 16


def group_under(handle: int) -> int:
    """The group whose own HTB has this handle; 0 for none of ours."""
    return 0 if handle & 0xFFFF else GROUP_OF_MAJOR.get(handle >> 16, 0)


def leaf_handle(classid: int) -> int:
    """The handle of the queue below a class; 0: the kernel may choose one."""
    slot = slot_of(classid)
    return 0 if slot is None or slot >= len(LEAF_MAJORS) else LEAF_MAJORS[slot] << 16


def burst_bytes(rate_bps: int) -> int:
    """What may pass at once: 10 ms of the rate, and never less than a few frames."""
    return max(rate_bps // 800, 3 * _FRAME_BYTES)


def leaf_limit_bytes(rate_bps: int) -> int:
    """How much waits before a class: 400 ms of the rate, and room for two offloaded packets.

    A plain queue that is shorter drops a tenth of what a sender with BBR offers, and all of it was
    counted. Where the kernel has a queue that manages itself, this one is not used. The kernel's
    field for it has 32 bits.
    """
    return min(max(rate_bps // 20, 128 << 10), _U32_MAX)


class ClassFigures(NamedTuple):
    """What an HTB class is told. Ticks are the scheduler's: how long its buckets take to fill.

    A class without a parent cannot borrow: above its rate it sends only what the first bucket
    holds, at the speed of the ceiling. A tuple, since tens of thousands are compared and hashed
    when plans change.
    """

    bytes_per_s: int
    burst_ticks: int
    quantum_bytes: int
    ceil_bytes_per_s: int
    ceil_ticks: int


class Class(NamedTuple):
    """One HTB class as the kernel tells it. ``parent`` is a class, or its HTB itself."""

    classid: int
    parent: int
    figures: ClassFigures


def class_text(interface: str, one: Class) -> str:
    """A class as a command of tc: for people, logs and golden files."""
    figures = one.figures
    rate, ceil = figures.bytes_per_s, figures.ceil_bytes_per_s
    burst, cburst = _bucket(figures.burst_ticks, rate), _bucket(figures.ceil_ticks, ceil)
    return (
        f"class replace dev {interface} parent {_handle_text(one.parent)}"
        f" classid {_handle_text(one.classid)} htb rate {8 * rate}bit ceil {8 * ceil}bit"
        f" burst {burst} cburst {cburst} quantum {figures.quantum_bytes}"
    )


def _handle_text(handle: int) -> str:
    return f"{handle >> 16:x}:{handle & 0xFFFF:x}".removesuffix(":0") + ":" * (not handle & 0xFFFF)


@lru_cache(1024)
def class_figures(rate_bps: int, burst_bps: int = 0, size_bytes: int = 0) -> ClassFigures:
    """The figures of a session's class: this rate, before it ``size_bytes`` at ``burst_bps``."""
    rate, ceil = _bytes_per_s(rate_bps), _bytes_per_s(max(rate_bps, burst_bps))
    bucket = burst_bytes(8 * rate)
    if ceil > rate:
        # While it sends at the ceiling its bucket is filled at the rate.
        bucket = max(bucket, size_bytes * (ceil - rate) // ceil)
    return ClassFigures(
        rate, _ticks(bucket, rate), TURN_BYTES, ceil, _ticks(burst_bytes(8 * ceil), ceil)
    )


@lru_cache(1024)
def session_figures(rate: Rate) -> tuple[ClassFigures, ClassFigures]:
    """The figures of a session's two classes, down and up."""
    burst = rate.burst
    if burst is None:
        return class_figures(rate.down_bps), class_figures(rate.up_bps)
    return (
        class_figures(rate.down_bps, burst.down_bps, burst.size_bytes),
        class_figures(rate.up_bps, burst.up_bps, burst.size_bytes),
    )


@lru_cache(1024)
def rate_of(down: ClassFigures, up: ClassFigures) -> Rate | None:
    """The rate of a session whose classes are these; None when no session's are."""
    burst = None
    if down.ceil_bytes_per_s > down.bytes_per_s or up.ceil_bytes_per_s > up.bytes_per_s:
        size_bytes = max(_burst_size(down), _burst_size(up))
        burst = Burst(8 * down.ceil_bytes_per_s, 8 * up.ceil_bytes_per_s, size_bytes)
    rate = Rate(8 * down.bytes_per_s, 8 * up.bytes_per_s, burst)
    return rate if session_figures(rate) == (down, up) else None


def same_rate(one: Rate, other: Rate) -> bool:
    """Whether sessions of these rates have the same classes."""
    return session_figures(one) == session_figures(other)


def group_figures(members: int | None) -> ClassFigures:
    """The figures of a group in a pool, by how many share it; None: it is in no pool."""
    ceil = _bytes_per_s(GROUP_BPS)
    ceil_ticks = _ticks(burst_bytes(GROUP_BPS), ceil)
    if members is None:
        return ClassFigures(ceil, ceil_ticks, _GROUP_QUANTUM_BYTES, ceil, ceil_ticks)
    floor = _bytes_per_s(FLOOR_BPS)
    turn = TURN_BYTES * max(1, members)
    return ClassFigures(floor, _ticks(_FRAME_BYTES, floor), turn, ceil, ceil_ticks)


def pool_figures(rate_bps: int, *, inside: bool) -> ClassFigures:
    """The figures of a pool: it lends its rate, or, ``inside`` another, hands on what that lends.

    Its turn comes by the pools and groups in it, one after the other, so its quantum is not used.
    """
    ceil = _bytes_per_s(rate_bps)
    rate = _bytes_per_s(FLOOR_BPS) if inside else ceil
    bucket = _FRAME_BYTES if inside else burst_bytes(8 * ceil)
    return ClassFigures(
        rate, _ticks(bucket, rate), TURN_BYTES, ceil, _ticks(burst_bytes(8 * ceil), ceil)
    )


def _bytes_per_s(rate_bps: int) -> int:
    return max(1, rate_bps // 8)


def _ticks(bucket: int, bytes_per_s: int) -> int:
    # Invariant: whole bytes are cut to fit, not ticks, so that figures can be read back as bytes.
    most = _U32_MAX * _TICK_NS * bytes_per_s // _NS_PER_S
    return min(bucket, most) * _NS_PER_S // bytes_per_s // _TICK_NS


def _bucket(ticks: int, bytes_per_s: int) -> int:
    """The fewest bytes that take so long."""
    return -(-ticks * _TICK_NS * bytes_per_s // _NS_PER_S)


def _burst_size(figures: ClassFigures) -> int:
    """The smallest burst that gives these figures."""
    rate, ceil = figures.bytes_per_s, figures.ceil_bytes_per_s
    bucket = _bucket(figures.burst_ticks, rate)
    if ceil <= rate or bucket <= burst_bytes(8 * rate):
        return 1
    return -(-bucket * ceil // (ceil - rate))


def parent_of(classid: int) -> int:
    """The HTB that a class stands in: the root for a group's, else the group's own."""
    return ROOT_HANDLE if classid >> 16 == ROOT_MAJOR else classid & 0xFFFF0000


def class_message(ifindex: int, classid: int, rate_bps: int) -> bytes:
    """A class of this rate that stands in no other; the same message makes it and changes it."""
    return shaped_message(ifindex, classid, parent_of(classid), class_figures(rate_bps))


def shaped_message(ifindex: int, classid: int, parent: int, figures: ClassFigures) -> bytes:
    """An HTB class; the same message makes it and changes it, but for its parent."""
    return _TCM.pack(0, ifindex, classid, parent, 0) + _class_tail(figures)


@lru_cache(1024)
def _class_tail(figures: ClassFigures) -> bytes:
    rate, ceil = figures.bytes_per_s, figures.ceil_bytes_per_s
    parms = b"".join(
        _RATE.pack(0, ETHERNET, 0, 0, 0, min(shown, _U32_MAX)) for shown in (rate, ceil)
    )
    ticks = figures.burst_ticks, figures.ceil_ticks
    options = attribute(_HTB_PARMS, parms + _REST.pack(*ticks, figures.quantum_bytes, 0, 0))
    for kind, wide in ((_HTB_RATE64, rate), (_HTB_CEIL64, ceil)):
        options += attribute(kind, _U64.pack(wide)) if wide > _U32_MAX else b""
    return _kind_and_options("htb", options)


def htb_message(ifindex: int, handle: int, parent: int) -> bytes:
    """An HTB of ours, with its spare class for all that no class is named for."""
    options = attribute(_HTB_INIT, _REST.pack(3, 10, SPARE_MINOR, 0, 0))
    return _message(ifindex, handle, parent, 0, "htb", options)


def leaf_message(ifindex: int, classid: int, kind: str, limit_bytes: int) -> bytes:
    """The queue below a class; one that manages itself is told no limit."""
    handle = leaf_handle(classid)
    return _TCM.pack(0, ifindex, handle, classid, 0) + _leaf_tail(kind, limit_bytes)


@lru_cache(256)
def _leaf_tail(kind: str, limit_bytes: int) -> bytes:
    options = struct.pack("=I", limit_bytes) if kind == "bfifo" else b""
    return _kind_and_options(kind, options)


def chooser_message(ifindex: int) -> bytes:
    """The root's one filter: the packet's mark is the number of its group.

    The low half of the mark is the class below our root. A half of zero is no match: to the kernel
    it would name the root itself, which means unshaped. No match, and marks of others that name no
    class, mean the spare class.
    """
    code = b"".join(struct.pack("=HBBI", *step) for step in _CHOOSER)
    options = attribute(_BPF_OPS_LEN, struct.pack("=H", len(_CHOOSER))) + attribute(_BPF_OPS, code)
    order = 1 << 16 | _ALL_PROTOCOLS
    return _message(ifindex, 1, ROOT_HANDLE, order, "bpf", options)


def plain_message(ifindex: int, *, handle: int = 0, parent: int = 0) -> bytes:
    """A request that names an object, or asks for all of an interface."""
    return _TCM.pack(0, ifindex, handle, parent, 0)


def read_qdisc(body: bytes) -> Qdisc:
    """A qdisc from a dump."""
    _, ifindex, handle, parent, _ = _fields(body)
    attrs = attributes(body[_TCM.size :])
    kind = attrs.get(_KIND, b"").rstrip(b"\0").decode(errors="replace")
    if kind != "htb":
        return Qdisc(ifindex, handle, parent, kind)
    glob = attributes(attrs.get(_OPTIONS, b""))[_HTB_INIT]
    _, _, spare, _, direct = _REST.unpack_from(glob)
    queue = attributes(attrs.get(_STATS, b"")).get(_STATS_QUEUE, b"")
    waiting = int.from_bytes(queue[:4], byteorder)
    return Qdisc(ifindex, handle, parent, kind, spare, direct, waiting)


def read_class(body: bytes) -> Class | None:
    """An HTB class from a dump; None for another kind."""
    _, _, classid, parent, _ = _fields(body)
    if first(body, _KIND, start=_TCM.size) != b"htb\0":
        return None
    # The statistics after the options are long and not wanted.
    return Class(classid, parent, _read_figures(first(body, _OPTIONS, start=_TCM.size)))


def read_classes(run: bytes) -> list[Class]:
    """The HTB classes in a run of messages of a dump."""
    size, begin = int.from_bytes(run[:4], byteorder), HEADER.size + _TCM.size
    found = places(run, size, begin, {_KIND: len(_HTB) - HEAD_BYTES})
    if found is None or run[begin : begin + len(_HTB)] != _HTB or _OPTIONS not in found:
        one_by_one = (read_class(body) for _, _, _, body in split(run))
        return [one for one in one_by_one if one]
    at, end = found[_OPTIONS]
    layout = (
        f"={HEADER.size + _CLASSID}xII{at - HEADER.size - _CLASSID - 8}x{end - at}s{size - end}x"
    )
    return [
        Class(classid, parent, _read_figures(options))
        for classid, parent, options in struct.iter_unpack(layout, run)
    ]


@lru_cache(1024)
def _read_figures(options: bytes) -> ClassFigures:
    attrs = attributes(options)
    parms = attrs[_HTB_PARMS]
    rate, ceil = (_RATE.unpack_from(parms, at)[5] for at in (0, _RATE.size))
    ticks, ceil_ticks, quantum, _, _ = _REST.unpack_from(parms, 2 * _RATE.size)
    wide_rate, wide_ceil = (
        int.from_bytes(attrs.get(kind, b"")[:8], byteorder) for kind in (_HTB_RATE64, _HTB_CEIL64)
    )
    return ClassFigures(wide_rate or rate, ticks, quantum, wide_ceil or ceil, ceil_ticks)


def read_filter(body: bytes) -> tuple[int, bytes]:
    """(parent, program) of a filter from a dump; the program is empty for another kind."""
    _, _, _, parent, _ = _fields(body)
    options = attributes(attributes(body[_TCM.size :]).get(_OPTIONS, b""))
    return parent, options.get(_BPF_OPS, b"")


def chooser_program() -> bytes:
    """The bytes by which our filter is known again."""
    return read_filter(chooser_message(0))[1]


def _fields(body: bytes) -> tuple[int, int, int, int, int]:
    family, ifindex, handle, parent, rest = _TCM.unpack_from(body)
    return family, ifindex, handle, parent, rest


def _message(  # noqa: PLR0917 -- the order of the kernel's own structure
    ifindex: int, handle: int, parent: int, order: int, kind: str, options: bytes
) -> bytes:
    return _TCM.pack(0, ifindex, handle, parent, order) + _kind_and_options(kind, options)


def _kind_and_options(kind: str, options: bytes) -> bytes:
    return attribute(_KIND, kind.encode() + b"\0") + attribute(_OPTIONS, options)
