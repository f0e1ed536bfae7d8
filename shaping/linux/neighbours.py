"""Who is on the LAN: the kernel's neighbour tables and the bridge's port table, followed live.

A pinned neighbour (see ``pins.py``) says nothing about presence and is passed over. Link-local
addresses are too: every device has one, and nothing of it is ever forwarded.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

from shaping.linux.netlink import NETLINK_ROUTE, RECEIVE_BYTES, NetlinkSocket, split
from shaping.linux.shaper import index_of
from shaping.linux.sightings import FAMILIES, RTM_GETNEIGH, Sightings, neighbours_request
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shaping.plane import Neighbour

_GROUP_NEIGH = 1 << 2
"""RTNLGRP_NEIGH of linux/rtnetlink.h, as the bit that a socket is bound to."""

_QUEUE_BYTES = 4 << 20


async def follow(lan: str) -> AsyncIterator[Neighbour]:
    """Everybody on ``lan`` now, then every sighting as it happens, without end.

    Belongs to the network namespace of the calling thread. When events were lost, the tables are
    read again, so a device may be told twice. Raises `PlaneError` when ``lan`` is not there.
    """
    sightings = Sightings(index_of(lan), _port_name)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as events:
        events.setblocking(False)  # noqa: FBT003 -- the library's own signature
        events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE_BYTES)
        # Bound before the tables are read, so that nothing falls between.
        events.bind((0, _GROUP_NEIGH))
        messages = _tables()
        while True:
            for kind, body in messages:
                for neighbour in sightings.take(kind, body):
                    yield neighbour
            messages = await _events(events)


async def _events(events: socket.socket) -> list[tuple[int, bytes]]:
    try:
        block = await asyncio.get_running_loop().sock_recv(events, RECEIVE_BYTES)
    except OSError as error:
        if error.errno == errno.ENOBUFS:
            return _tables()
        raise PlaneError(f"following neighbours: {error}") from error
    return [(kind, body) for kind, _, _, body in split(block)]


def _port_name(ifindex: int) -> str:
    try:
        return socket.if_indextoname(ifindex)
    except OSError:
        return ""  # the port went while its message was under way


def _tables() -> list[tuple[int, bytes]]:
    netlink = NetlinkSocket(NETLINK_ROUTE)
    try:
        requests = [neighbours_request(family) for family in FAMILIES]
        return [found for request in requests for found in netlink.dump(RTM_GETNEIGH, request)]
    finally:
        netlink.close()
