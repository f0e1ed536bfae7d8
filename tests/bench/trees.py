"""Shaper trees on a booth's two interfaces: ours, and the same as files for the system's ``tc``."""

from __future__ import annotations

import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING

from shaping.linux import tc
from shaping.linux.handles import ROOT_MAJOR
from shaping.linux.netlink import NETLINK_ROUTE, NetlinkSocket
from shaping.linux.shaper import Shaper
from shaping.plane import Rate, SessionKey
from tests.bench.booth import WIRING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

INTERFACES = (WIRING.lan, WIRING.wan)
LEAF = "bfifo limit 131072"
FLAT_FIRST = 0x10
"""The first class number of a flat tree."""


class OurTrees:
    """The product's own shaper. Belongs into the namespace of the thread that makes it."""

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(NETLINK_ROUTE)
        self._shaper = Shaper(WIRING, self._netlink)
        self._shaper.observe()
        self._shaper.flush()

    def close(self) -> None:
        """Remove the trees."""
        self._shaper.remove()
        self._netlink.close()

    def give(self, subscribers: int, rate_bps: int) -> float:
        """Give each of so many subscribers this rate, both ways; the seconds it took."""
        rate = Rate(rate_bps, rate_bps)
        began = time.perf_counter()
        for number in range(subscribers):
            self._shaper.set_rate(SessionKey(f"{number:032x}"), rate)
        self._shaper.flush()
        return time.perf_counter() - began


def built(gateway: Namespace, subscribers: int, rate_bps: int) -> float:
    """Build ours from nothing and remove it; the seconds for building."""

    def build() -> float:
        began = time.perf_counter()
        with closing(OurTrees()) as trees:
            trees.give(subscribers, rate_bps)
            took_s = time.perf_counter() - began
            for interface in INTERFACES:
                assert classes(gateway, interface, rate_bps) == subscribers, "classes are missing"
        return took_s

    return gateway.call(build)


def by_tc(gateway: Namespace, lines: list[str]) -> float:
    """Let ``tc -b`` read these commands; the seconds it took."""
    text = "\n".join([*lines, ""])
    began = time.perf_counter()
    _tc(gateway, "-b", "-", stdin=text)
    return time.perf_counter() - began


def classes(gateway: Namespace, interface: str, rate_bps: int) -> int:
    """How many classes of this rate the system's ``tc`` lists."""
    shown = f" rate {rate_bps // 1_000_000}Mbit "
    return _tc(gateway, "class", "show", "dev", interface).count(shown)


def gone(gateway: Namespace) -> None:
    """Remove whatever stands on both interfaces."""
    for interface in INTERFACES:
        _tc(gateway, "qdisc", "del", "dev", interface, "root")


def _tc(gateway: Namespace, *words: str, stdin: str = "") -> str:
    """Run ``tc`` inside, for as long as it takes: a flat tree takes minutes."""

    def run() -> str:
        done = subprocess.run(
            ["tc", *words], input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-500:]
        return done.stdout

    return gateway.call(run)


def flat(subscribers: int, rate_bps: int) -> list[str]:
    """One HTB with a class and a queue for each subscriber, as most programs make it."""
    return [line for name in INTERFACES for line in _flat(name, subscribers, rate_bps)]


def nested(subscribers: int, rate_bps: int) -> list[str]:
    """The tree that we build, as commands."""
    return [line for name in INTERFACES for line in _nested(name, subscribers, rate_bps)]


def changes(subscribers: int, rate_bps: int) -> list[str]:
    """Another rate for every class of our tree, as commands."""
    return [
        _text(name, tc.classid_of(slot), rate_bps)
        for name in INTERFACES
        for slot in range(subscribers)
    ]


def _text(name: str, classid: int, rate_bps: int) -> str:
    return tc.class_text(name, tc.Class(classid, tc.parent_of(classid), tc.class_figures(rate_bps)))


def _flat(name: str, subscribers: int, rate_bps: int) -> Iterator[str]:
    yield f"qdisc add dev {name} root handle 1: htb default 1"
    yield f"class add dev {name} parent 1: classid 1:1 htb rate 1gbit"
    for minor in range(FLAT_FIRST, FLAT_FIRST + subscribers):
        yield f"class add dev {name} parent 1: classid 1:{minor:x} htb rate {rate_bps}bit"
        yield f"qdisc add dev {name} parent 1:{minor:x} {LEAF}"


def _nested(name: str, subscribers: int, rate_bps: int) -> Iterator[str]:
    yield f"qdisc add dev {name} root handle {ROOT_MAJOR:x}: htb default ffff"
    yield _text(name, tc.ROOT_HANDLE | tc.SPARE_MINOR, WIRING.spare_bps)
    for group in range(1, tc.group_of(subscribers - 1) + 1):
        inner = tc.group_handle(group) >> 16
        yield _text(name, tc.ROOT_HANDLE | group, tc.GROUP_BPS)
        parent = f"{ROOT_MAJOR:x}:{group:x}"
        yield f"qdisc add dev {name} parent {parent} handle {inner:x}: htb default ffff"
        yield _text(name, inner << 16 | tc.SPARE_MINOR, WIRING.spare_bps)
    for slot in range(subscribers):
        classid = tc.classid_of(slot)
        yield _text(name, classid, rate_bps)
        parent, leaf = f"{classid >> 16:x}:{classid & 0xFFFF:x}", tc.leaf_handle(classid) >> 16
        yield f"qdisc add dev {name} parent {parent} handle {leaf:x}: {LEAF}"
