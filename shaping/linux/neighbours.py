"""Who is on the LAN: the kernel's neighbour tables and the bridge's port table, followed live.

A pinned neighbour (see ``pins.py``) says nothing about presence and is passed over. Link-local
addresses are too: every device has one, and nothing of it is ever forwarded.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from shaping.linux.iproute import QUEUE_BYTES, EventsLostError, listening
from shaping.linux.shaper import index_of
from shaping.linux.sightings import Sightings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shaping.plane import Neighbour


async def follow(lan: str, *, queue_bytes: int = QUEUE_BYTES) -> AsyncIterator[Neighbour]:
    """Everybody on ``lan`` now, then every sighting as it happens, without end.

    Belongs to the network namespace of the calling thread. When events were lost, the tables are
    read again, so a device may be told twice. Raises `PlaneError` when ``lan`` is not there.
    """
    sightings = Sightings(index_of(lan), _port_name)
    while True:
        # Listening begins before the tables are read, so that nothing falls between.
        async with listening(queue_bytes=queue_bytes) as ears:
            with suppress(EventsLostError):
                entries = await ears.tables()
                while True:
                    for neighbour in (n for entry in entries for n in sightings.take(entry)):
                        yield neighbour
                    entries = await ears.events()


def _port_name(ifindex: int) -> str:
    try:
        return socket.if_indextoname(ifindex)
    except OSError:
        return ""  # the port went while its message was under way
