"""What a site puts on its uplink, as a capture at the other end has it, frame by frame."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Protocol

from controller.sandbox.lab.device import INTERNET_V4, INTERNET_V6
from controller.sandbox.lab.site import CONTROLLER_V4, SITE_V4
from tests.support.frames import ARP, ICMP6, IP4, IP6, TCP, UDP, ether

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.sandbox.lab.namespace import Namespace
    from controller.sandbox.lab.site import Site

EVERYTHING = 0x0003
LAST = 0x88B5
"""An ethertype for experiments: after this frame, all that came before it has come."""

BUFFER_BYTES = 64 << 20
LAST_WAIT_S = 10.0
NAMES = 53
OWN_NEIGHBOURHOOD = {133, 134, 135, 136, 143}
"""ICMPv6 by which the gateway itself finds its neighbours."""

UNREACHABLE = 1
"""ICMPv6 about a packet that could not be delivered; the packet is in it (RFC 4443 3.1)."""


class Taker(Protocol):
    """Whom frames are given to."""

    def take(self, frame: bytes) -> None:
        """One frame, as it came."""
        ...


@dataclass
class Uplink:
    """Frames that came from the site, sorted: its own affairs, names that it asked for, the rest.

    ``leaked`` must be empty while nobody has paid: there is no walled garden in the lab.
    """

    own: list[bytes] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)
    leaked: list[bytes] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, frame: bytes) -> None:
        """Sort one frame."""
        (kind,) = struct.unpack_from(">H", frame, 12)
        if kind == LAST:
            self.over.set()
        elif _asks_names(frame, kind):
            self.names.append(frame)
        else:
            (self.own if _own(frame, kind) else self.leaked).append(frame)


@contextlib.asynccontextmanager
async def uplink(site: Site) -> AsyncIterator[Uplink]:
    """All that leaves the site during the block; complete when the block is over."""
    for far in (INTERNET_V4, INTERNET_V6):  # so that nothing waits for its neighbour's address
        site.gateway.run("ping", "-c1", "-W2", far)
    seen = Uplink()
    async with captured(site.internet, "isp0", seen):
        yield seen
        sender = site.gateway.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        with sender:
            sender.bind(("wan0", 0))
            sender.send(ether("ff:ff:ff:ff:ff:ff", "02:00:00:00:00:00", LAST, bytes(46)))
        await asyncio.wait_for(seen.over.wait(), LAST_WAIT_S)


@contextlib.asynccontextmanager
async def captured(ns: Namespace, link: str, seen: Taker) -> AsyncIterator[None]:
    """Give every frame that arrives at a link to ``seen``."""
    made = ns.call(
        lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
    )
    made.setsockopt(socket.SOL_SOCKET, 33, BUFFER_BYTES)  # SO_RCVBUFFORCE, asm-generic/socket.h
    made.settimeout(0)
    made.bind((link, EVERYTHING))

    def read() -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, (_, _, way, *_) = made.recvfrom(65_536)
                if way != socket.PACKET_OUTGOING:
                    seen.take(frame)

    loop = asyncio.get_running_loop()
    loop.add_reader(made, read)
    try:
        yield
        read()
    finally:
        loop.remove_reader(made)
        made.close()


def _asks_names(frame: bytes, kind: int) -> bool:
    if kind != IP4 or frame[23] not in {TCP, UDP}:
        return False
    start = 14 + 4 * (frame[14] & 0x0F)
    (port,) = struct.unpack_from(">H", frame, start + 2)
    return port == NAMES and _ends(frame) == (SITE_V4, INTERNET_V4)


def _own(frame: bytes, kind: int) -> bool:
    """Whether it is the gateway's own: its controller, its neighbours, answers to strangers."""
    if kind == ARP:
        return str(IPv4Address(frame[28:32])) == SITE_V4
    if kind == IP4:
        return frame[23] == TCP and _ends(frame) == (SITE_V4, CONTROLLER_V4)
    if kind != IP6:
        return False
    source, following, at = IPv6Address(frame[22:38]), frame[20], 54
    if following == 0:  # multicast listeners speak after a hop-by-hop header
        following, at = frame[54], 62
    near = source.is_link_local or source.is_unspecified or source in _NEAR
    if following != ICMP6 or not near:
        return False
    return frame[at] in OWN_NEIGHBOURHOOD or _tells_a_stranger_that_nobody_is_there(frame, at)


def _tells_a_stranger_that_nobody_is_there(frame: bytes, at: int) -> bool:
    """Whether what comes back is only what came in from outside, for a device that is gone."""
    about = IPv6Address(frame[at + 16 : at + 32])  # the source of the packet inside
    return frame[at] == UNREACHABLE and str(about) == INTERNET_V6


_NEAR = {IPv6Address("fd77:51::2")}


def _ends(frame: bytes) -> tuple[str, str]:
    return str(IPv4Address(frame[26:30])), str(IPv4Address(frame[30:34]))
