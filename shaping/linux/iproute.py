"""The door to pyroute2: what it does for us, with all of its untyped values inside.

It follows neighbours, and builds and removes what of the shaper is built once. What a sign-in
sends, and what is dumped by the ten thousand, goes by way of ``netlink.py``: there pyroute2 costs
from five to twenty times as much.

The package's own front page loads all of its 180 modules. Ours are loaded with an empty one in its
place, which costs half the memory and half the time.
"""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec, module_from_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from shaping.linux import tc
from shaping.linux.sightings import FIXED, Entry
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@contextmanager
def _without_front_page() -> Iterator[None]:
    spec = find_spec("pyroute2")
    if "pyroute2" in sys.modules or spec is None:
        yield
        return
    sys.modules["pyroute2"] = module_from_spec(spec)
    try:
        yield
    finally:
        # Whoever imports the package after us gets the whole of it.
        del sys.modules["pyroute2"]


with _without_front_page():
    from pyroute2.iproute.linux import AsyncIPRoute, IPRoute
    from pyroute2.netlink.exceptions import NetlinkError
    from pyroute2.netlink.rtnl import RTM_DELNEIGH, RTM_NEWNEIGH, RTMGRP_NEIGH
    from pyroute2.netlink.rtnl.tcmsg import tcmsg

TABLES = (socket.AF_BRIDGE, socket.AF_INET, socket.AF_INET6)
"""The neighbour tables: ports first, so that an address is told with the port it is behind."""

WAITING_MAX = 8_192
"""Messages of the kernel that may wait to be read; above that we begin anew from the tables."""

QUEUE_BYTES = 4 << 20
DUMP_TRIES = 5
"""A table that changed while it was read is read again this often."""

_REQUEST, _ACK, _CREATE, _REPLACE = 0x1, 0x4, 0x400, 0x100
_DUMP_INTERRUPTED = 0x10
_TC_H_ROOT = 0xFFFFFFFF
_U32_MAX = (1 << 32) - 1


class EventsLostError(PlaneError):
    """More was told than could be taken; only the tables themselves know how things stand."""


class Ears:
    """A socket that hears of every neighbour, made by `listening`.

    Its methods raise `PlaneError`, and `EventsLostError` when a new one must be made.
    """

    def __init__(self, route: Any, *, waiting_max: int) -> None:
        self._route = route
        self._waiting_max = waiting_max

    async def tables(self) -> list[Entry]:
        """All entries that there are now."""
        return [entry for family in TABLES for entry in await self._table(family)]

    async def events(self) -> list[Entry]:
        """The next entries that changed; waits for them."""
        if self._route.msg_queue.root.qsize() > self._waiting_max:
            raise EventsLostError("neighbours change faster than they can be read")
        with _explained("following neighbours"):
            return [e async for message in self._route.get() for e in _entry(message)]

    async def _table(self, family: int) -> list[Entry]:
        for _ in range(DUMP_TRIES):
            found: list[Entry] = []
            interrupted = 0
            with _explained("reading neighbours"):
                # One by one: a message of pyroute2 takes 4 KB, and there may be 10,000.
                async for message in await self._route.neigh("dump", family=family):
                    found += _entry(message)
                    interrupted |= message["header"]["flags"] & _DUMP_INTERRUPTED
            if not interrupted:
                return found
        raise PlaneError("the neighbours changed faster than they could be read")


@asynccontextmanager
async def listening(
    *, queue_bytes: int = QUEUE_BYTES, waiting_max: int = WAITING_MAX
) -> AsyncIterator[Ears]:
    """Listen to the neighbours of the calling thread's namespace. Raises `PlaneError`."""
    async with AsyncIPRoute(rcvbuf=queue_bytes) as route:
        with _explained("following neighbours"):
            await route.bind(RTMGRP_NEIGH)
        yield Ears(route, waiting_max=waiting_max)


def build_root(ifindex: int, *, spare_bps: int) -> None:
    """Put our root on an interface, with its spare class. Raises `PlaneError`."""
    # Invariant: the spare class comes in the same send, before any packet could miss its class.
    spare = tc.ROOT_HANDLE | tc.SPARE_MINOR
    _build(_qdisc(ifindex, tc.ROOT_HANDLE, _TC_H_ROOT), _class(ifindex, spare, spare_bps))


def build_group(ifindex: int, group: int, *, spare_bps: int) -> None:
    """Put a group below our root: its class there, its own HTB, and the spare class of that.

    Raises `PlaneError`.
    """
    outer, inner = tc.ROOT_HANDLE | group, (tc.ROOT_MAJOR + group) << 16
    _build(
        _class(ifindex, outer, tc.GROUP_BPS),
        _qdisc(ifindex, inner, outer),
        _class(ifindex, inner | tc.SPARE_MINOR, spare_bps),
    )


def remove_root(ifindex: int) -> None:
    """Delete the root that has our number, and all below it. Raises `PlaneError`."""
    with _explained("removing a shaper"), IPRoute() as route:
        route.tc("del", index=ifindex, handle=tc.ROOT_HANDLE, parent=_TC_H_ROOT)


def _build(*messages: Any) -> None:
    with _explained("building a shaper"), IPRoute() as route:
        route.nlm_request_batch(messages)


def _qdisc(ifindex: int, handle: int, parent: int) -> Any:
    told = {"version": 3, "rate2quantum": 10, "defcls": tc.SPARE_MINOR}
    message = _htb(ifindex, handle, parent, [("TCA_HTB_INIT", told)])
    message["header"]["type"] = tc.RTM_NEWQDISC
    message["header"]["flags"] = _REQUEST | _ACK | _CREATE | _REPLACE
    return message


def _class(ifindex: int, classid: int, rate_bps: int) -> Any:
    figures = tc.class_figures(rate_bps)
    shown = min(figures.bytes_per_s, _U32_MAX)
    told = {"rate": shown, "ceil": shown, "quantum": figures.quantum_bytes}
    told |= {"buffer": figures.burst_ticks, "cbuffer": figures.burst_ticks}
    told |= {"rate___reserved": tc.ETHERNET, "ceil___reserved": tc.ETHERNET}
    options: list[tuple[str, Any]] = [("TCA_HTB_PARMS", told)]
    if figures.bytes_per_s > _U32_MAX:
        options += [(f"TCA_HTB_{which}64", figures.bytes_per_s) for which in ("RATE", "CEIL")]
    message = _htb(ifindex, classid, tc.parent_of(classid), options)
    message["header"]["type"] = tc.RTM_NEWTCLASS
    message["header"]["flags"] = _REQUEST | _ACK | _CREATE
    return message


def _htb(ifindex: int, handle: int, parent: int, options: list[tuple[str, Any]]) -> Any:
    message = tcmsg()
    message["index"], message["handle"], message["parent"] = ifindex, handle, parent
    message["attrs"] = [("TCA_KIND", "htb"), ("TCA_OPTIONS", {"attrs": options})]
    return message


def _entry(message: Any) -> Iterator[Entry]:
    kind = message["header"]["type"]
    # Most entries of a busy box are its own pins: not worth the reading of their attributes.
    if kind not in {RTM_NEWNEIGH, RTM_DELNEIGH} or message["state"] & FIXED:
        return
    address, bridge = message.get("dst"), None
    if message["family"] == socket.AF_BRIDGE:
        address, bridge = None, message.get("master") or 0
    yield Entry(
        gone=kind == RTM_DELNEIGH,
        ifindex=message["ifindex"],
        state=message["state"],
        link=message.get("lladdr") or "",
        address=ip_address(address) if address else None,
        bridge=bridge,
    )


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOBUFS:
            raise EventsLostError(f"{doing}: {error}") from error
        raise PlaneError(f"{doing}: {error}") from error
    except NetlinkError as error:
        raise PlaneError(f"{doing}: {error}") from error
