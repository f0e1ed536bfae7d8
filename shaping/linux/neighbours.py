"""Who is on the LAN: the kernel's neighbour tables and the bridge's port table, followed live.

A pinned neighbour (see ``pins.py``) says nothing about presence and is passed over. Link-local
addresses are too: every device has one, and nothing of it is ever forwarded.
"""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from shaping.linux.neigh import RTM_GETNEIGH, TABLES, read_entries, read_entry, table_request
from shaping.linux.netlink import NETLINK_ROUTE, Ears, EventsLostError, NetlinkError, NetlinkSocket
from shaping.linux.shaper import index_of
from shaping.linux.sightings import Sightings
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from shaping.linux.sightings import Entry
    from shaping.plane import Neighbour

QUEUE_BYTES = 4 << 20
"""Events of the kernel that may wait to be read; above that we begin anew from the tables."""

_RTMGRP_NEIGH = 0x4


async def follow(lan: str, *, queue_bytes: int = QUEUE_BYTES) -> AsyncIterator[Neighbour]:
    """Everybody on ``lan`` now, then every sighting as it happens, without end.

    Belongs to the network namespace of the calling thread. When events were lost, the tables are
    read again, so a device may be told twice. Raises `PlaneError` when ``lan`` is not there.
    """
    sightings = Sightings(index_of(lan), _port_name)
    while True:
        # Listening begins before the tables are read, so that nothing falls between.
        with closing(Ears(NETLINK_ROUTE, _RTMGRP_NEIGH, queue_bytes=queue_bytes)) as ears:
            for neighbour in _sighted(sightings, _tables()):
                yield neighbour
            with suppress(EventsLostError):
                while True:
                    told = (read_entry(*message) for message in await ears.heard())
                    for neighbour in _sighted(sightings, filter(None, told)):
                        yield neighbour


def _sighted(sightings: Sightings, entries: Iterable[Entry]) -> Iterator[Neighbour]:
    for entry in entries:
        yield from sightings.take(entry)


def _tables() -> list[Entry]:
    """All entries that there are now, but for those that say nothing."""
    with closing(NetlinkSocket(NETLINK_ROUTE)) as netlink:
        try:
            return [
                entry
                for family in TABLES
                for entry in netlink.collect(RTM_GETNEIGH, table_request(family), read_entries)
            ]
        except NetlinkError as error:
            raise PlaneError(f"reading neighbours: {error}") from error


def _port_name(ifindex: int) -> str:
    try:
        return socket.if_indextoname(ifindex)
    except OSError:
        return ""  # the port went while its message was under way
