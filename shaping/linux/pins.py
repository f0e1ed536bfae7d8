"""Pinned neighbours: a paid address keeps its MAC, whatever somebody else announces."""

from __future__ import annotations

import os
import socket
from functools import partial
from typing import TYPE_CHECKING

from shaping.linux.neigh import (
    RTM_DELNEIGH,
    RTM_GETNEIGH,
    RTM_NEWNEIGH,
    pin_message,
    read_pins,
    table_request,
)
from shaping.linux.netlink import NLM_F_CREATE, NLM_F_REPLACE
from shaping.linux.shaper import index_of
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shaping.diff import Address
    from shaping.linux.netlink import NetlinkSocket
    from shaping.plane import MacAddress


class Pins:
    """The permanent neighbours of one interface. Methods raise `PlaneError`."""

    def __init__(self, interface: str, netlink: NetlinkSocket) -> None:
        self._interface = interface
        self._netlink = netlink

    def held(self) -> dict[Address, MacAddress]:
        """Our entries, as the kernel has them."""
        index = index_of(self._interface)
        read = partial(read_pins, ifindex=index)
        found: dict[Address, MacAddress] = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            request = table_request(family, ifindex=index)
            found.update(self._netlink.collect(RTM_GETNEIGH, request, read))
        return found

    def pin(self, entries: Mapping[Address, MacAddress]) -> None:
        """Keep these addresses at these MACs."""
        index = index_of(self._interface) if entries else 0
        messages = [
            (RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, pin_message(index, address, mac))
            for address, mac in entries.items()
        ]
        for number, address in zip(self._netlink.request(messages), entries, strict=True):
            if number:
                raise PlaneError(f"pinning {address} on {self._interface}: {os.strerror(number)}")

    def release(self, addresses: Iterable[Address]) -> None:
        """Let the kernel ask again who has these addresses. One that is not pinned is no fault."""
        gone = list(addresses)
        index = index_of(self._interface) if gone else 0
        self._netlink.request([(RTM_DELNEIGH, 0, pin_message(index, address)) for address in gone])
