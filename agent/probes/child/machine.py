"""The machine's own addresses, as the kernel tells them."""

from __future__ import annotations

import fcntl
import socket
import struct
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING

from agent.probes.asked import Place

if TYPE_CHECKING:
    from agent.probes.asked import Wiring

ROUTES = Path("/proc/net/route")
_SIOCGIFADDR, _SIOCGIFNETMASK, _SIOCGIFMTU, _SIOCGIFHWADDR = 0x8915, 0x891B, 0x8921, 0x8927
_REQUEST = struct.Struct("16s24s")
_UP_GATEWAY = 3
"""RTF_UP and RTF_GATEWAY."""


def place(wiring: Wiring) -> Place:
    """Where the machine stands. Raises `OSError` for an interface that is not there."""
    return Place(
        wiring=wiring,
        lan=wiring.address or _address(wiring.lan),
        wan=_address(wiring.wan),
        gateway=_gateway(wiring.wan),
    )


def mac(interface: str) -> str:
    """The MAC address of an interface. Raises `OSError`."""
    return _ioctl(_SIOCGIFHWADDR, interface)[2:8].hex(":")


def mtu(interface: str) -> int:
    """How large a packet the interface takes. Raises `OSError`."""
    return int.from_bytes(_ioctl(_SIOCGIFMTU, interface)[:4], "little")


def _address(interface: str) -> IPv4Interface | None:
    socket.if_nametoindex(interface)
    try:
        address = IPv4Address(_ioctl(_SIOCGIFADDR, interface)[4:8])
        mask = IPv4Address(_ioctl(_SIOCGIFNETMASK, interface)[4:8])
    except OSError:
        return None
    return IPv4Interface(f"{address}/{mask}")


def _gateway(interface: str) -> IPv4Address | None:
    """The next machine on the default route out of an interface."""
    for line in ROUTES.read_text().splitlines()[1:]:
        name, destination, gateway, flags, *_ = line.split()
        if name == interface and destination == "00000000" and int(flags, 16) & 3 == _UP_GATEWAY:
            return IPv4Address(bytes.fromhex(gateway)[::-1])
    return None


def _ioctl(number: int, interface: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        asked = _REQUEST.pack(interface.encode(), b"")
        return fcntl.ioctl(made.fileno(), number, asked)[16:]
