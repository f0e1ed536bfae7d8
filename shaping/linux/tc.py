"""Class numbers, rates and the messages that build an HTB tree. PURE.

A slot is one session's place in the tree, the same on both interfaces: class ``minor`` in the HTB
of its group. Layouts are those of linux/pkt_sched.h and linux/rtnetlink.h; tick lengths those of
the kernel's packet scheduler clock (64 ns).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from sys import byteorder

from shaping.linux.attributes import attribute, attributes, first

GROUP_CLASSES = 250
"""Classes in one group's HTB: making a class costs a walk over its siblings."""

GROUPS_MAX = 1_000

ROOT_MAJOR = 0x4C00
"""Our root's handle, far from the numbers that people and kernels give by themselves."""

ROOT_HANDLE = ROOT_MAJOR << 16
SPARE_MINOR = 0xFFFF
"""The default class of every HTB in the tree: what has no class of its own."""

LEAVES = ("cake", "fq_codel", "sfq", "bfifo")
"""Queues below a class, best first; the first that the kernel has is used."""

GROUP_BPS = 10_000_000_000
"""A group only gathers; it holds nobody back."""

RTM_NEWQDISC, RTM_GETQDISC = 36, 38
RTM_NEWTCLASS, RTM_GETTCLASS = 40, 42
RTM_NEWTFILTER, RTM_GETTFILTER = 44, 46

ETHERNET = 1
"""The link layer that a class reckons with, as its field for it wants to be told."""

_TCM = struct.Struct("=BxxxiIII")
_RATE = struct.Struct("=BBHhHI")
_KIND, _OPTIONS = 1, 2
_HTB_PARMS, _HTB_INIT, _HTB_RATE64, _HTB_CEIL64 = 1, 2, 6, 7
_BPF_OPS_LEN, _BPF_OPS = 4, 5
_ALL_PROTOCOLS = 0x0300  # ETH_P_ALL in network order
_TICK_NS = 64
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
    """One queueing discipline as the kernel tells it. ``spare`` and ``direct`` are HTB's."""

    ifindex: int
    handle: int
    parent: int
    kind: str
    spare: int = 0
    direct: int = 0


def classid_of(slot: int) -> int:
    """The class of a slot, as the kernel numbers it."""
    assert 0 <= slot < GROUP_CLASSES * GROUPS_MAX, "slots are bounded by the pool"
    return (ROOT_MAJOR + group_of(slot)) << 16 | slot % GROUP_CLASSES + 1


def group_of(slot: int) -> int:
    """The group of a slot, which is also the mark that leads its packets there."""
    return slot // GROUP_CLASSES + 1


def slot_of(classid: int) -> int | None:
    """The slot of a class; None for one that no slot has."""
    group, minor = (classid >> 16) - ROOT_MAJOR, classid & 0xFFFF
    if 1 <= group <= GROUPS_MAX and 1 <= minor <= GROUP_CLASSES:
        return (group - 1) * GROUP_CLASSES + minor - 1
    return None


def burst_bytes(rate_bps: int) -> int:
    """What may pass at once: 10 ms of the rate, and never less than a few frames."""
    return max(rate_bps // 800, 3 * _FRAME_BYTES)


def leaf_limit_bytes(rate_bps: int) -> int:
    """How much waits before a class: 400 ms of the rate, and room for two offloaded packets.

    A plain queue that is shorter drops a tenth of what a sender with BBR offers, and all of it was
    counted. Where the kernel has a queue that manages itself, this one is not used.
    """
    return max(rate_bps // 20, 128 << 10)


def class_text(interface: str, classid: int, rate_bps: int) -> str:
    """A class as a command of tc: for people, logs and golden files."""
    return (
        f"class replace dev {interface} parent {parent_of(classid) >> 16:x}:"
        f" classid {classid >> 16:x}:{classid & 0xFFFF:x}"
        f" htb rate {rate_bps}bit ceil {rate_bps}bit"
        f" burst {burst_bytes(rate_bps)} cburst {burst_bytes(rate_bps)}"
    )


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """What an HTB class of some rate is told. Ticks are the scheduler's, at that rate."""

    bytes_per_s: int
    burst_ticks: int
    quantum_bytes: int


def class_figures(rate_bps: int) -> ClassFigures:
    """The figures of a class of this rate."""
    bytes_per_s = max(1, rate_bps // 8)
    ticks = min(_U32_MAX, burst_bytes(rate_bps) * 1_000_000_000 // bytes_per_s // _TICK_NS)
    quantum = min(60_000, max(_FRAME_BYTES, bytes_per_s // 100))
    return ClassFigures(bytes_per_s, ticks, quantum)


def parent_of(classid: int) -> int:
    """The HTB that a class stands in: the root for a group's, else the group's own."""
    return ROOT_HANDLE if classid >> 16 == ROOT_MAJOR else classid & 0xFFFF0000


def class_message(ifindex: int, classid: int, rate_bps: int) -> bytes:
    """An HTB class; the same message makes it and changes it."""
    figures = class_figures(rate_bps)
    rate = _RATE.pack(0, ETHERNET, 0, 0, 0, min(figures.bytes_per_s, _U32_MAX))
    ticks = figures.burst_ticks
    parms = rate + rate + struct.pack("=IIIII", ticks, ticks, figures.quantum_bytes, 0, 0)
    options = attribute(_HTB_PARMS, parms)
    if figures.bytes_per_s > _U32_MAX:
        wide = struct.pack("=Q", figures.bytes_per_s)
        options += attribute(_HTB_RATE64, wide) + attribute(_HTB_CEIL64, wide)
    return _message(ifindex, classid, parent_of(classid), 0, "htb", options)


def leaf_message(ifindex: int, classid: int, kind: str, rate_bps: int) -> bytes:
    """The queue below a class."""
    options = struct.pack("=I", leaf_limit_bytes(rate_bps)) if kind == "bfifo" else b""
    return _message(ifindex, 0, classid, 0, kind, options)


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
    glob = attributes(attrs.get(_OPTIONS, b"")).get(_HTB_INIT) if kind == "htb" else None
    if glob is None:
        return Qdisc(ifindex, handle, parent, kind)
    _, _, spare, _, direct = struct.unpack_from("=IIIII", glob)
    return Qdisc(ifindex, handle, parent, kind, spare, direct)


def read_class(body: bytes) -> tuple[int, int] | None:
    """(class id, bytes per second) of an HTB class from a dump; None for another kind."""
    _, _, classid, _, _ = _fields(body)
    if first(body, _KIND, start=_TCM.size) != b"htb\0":
        return None
    # The statistics after the options are long and not wanted.
    options = first(body, _OPTIONS, start=_TCM.size)
    wide = first(options, _HTB_RATE64)
    if wide:
        return classid, int.from_bytes(wide[:8], byteorder)
    return classid, _RATE.unpack_from(first(options, _HTB_PARMS))[5]


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
    name = attribute(_KIND, kind.encode() + b"\0")
    return _TCM.pack(0, ifindex, handle, parent, order) + name + attribute(_OPTIONS, options)
