"""The machine's IPv4 addresses: read, put and taken. Only short-lived commands import this."""

from __future__ import annotations

import errno
import socket
from contextlib import contextmanager
from ipaddress import IPv4Interface
from typing import TYPE_CHECKING, Any

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

if TYPE_CHECKING:
    from collections.abc import Iterator


class AddressError(Exception):
    """The kernel refused; the message says what."""


def addresses() -> list[tuple[str, IPv4Interface]]:
    """Every IPv4 address, with the interface that it is on. Raises `AddressError`."""
    with _asking("reading addresses") as route:
        return [_read(message) for message in route.get_addr(family=socket.AF_INET)]


def put(interface: str, address: IPv4Interface) -> None:
    """Give an interface one more address; one that is there already is fine.

    Raises `AddressError`.
    """
    with _asking(f"putting {address} on {interface}") as route:
        try:
            route.addr("add", **_named(interface, address), broadcast=_broadcast(address))
        except NetlinkError as refused:
            if refused.code != errno.EEXIST:
                raise


def take(interface: str, address: IPv4Interface) -> None:
    """Take an address away; one that is gone already is fine. Raises `AddressError`."""
    with _asking(f"taking {address} from {interface}") as route:
        try:
            route.addr("del", **_named(interface, address))
        except NetlinkError as refused:
            if refused.code not in {errno.EADDRNOTAVAIL, errno.ENODEV}:
                raise


def _named(interface: str, address: IPv4Interface) -> dict[str, Any]:
    return {
        "index": socket.if_nametoindex(interface),
        "address": str(address.ip),
        "prefixlen": address.network.prefixlen,
    }


def _broadcast(address: IPv4Interface) -> str:
    return str(address.network.broadcast_address)


def _read(message: Any) -> tuple[str, IPv4Interface]:
    # On a point-to-point link the local address is ours, the other is the peer's.
    own = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
    try:
        name = socket.if_indextoname(message["index"])
    except OSError:
        name = ""
    return name, IPv4Interface(f"{own}/{message['prefixlen']}")


@contextmanager
def _asking(doing: str) -> Iterator[Any]:
    try:
        with IPRoute() as route:
            yield route
    except (NetlinkError, OSError) as refused:
        raise AddressError(f"{doing}: {refused}") from refused
