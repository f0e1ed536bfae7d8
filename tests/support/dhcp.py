"""A DHCP client as a phone has one, that can also say what no phone would say (RFC 2131)."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.sandbox.lab.device import Device

COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6
HOST_NAME, VENDOR_CLASS, CLIENT_ID, FQDN, CAPTIVE_PORTAL = 12, 60, 61, 81, 114
ROUTER, NAME_SERVER, ASKED_ADDRESS, KIND, SERVER, WANTED = 3, 6, 50, 53, 54, 55
ANSWER_WAIT_S = 3.0
TRIES_MAX = 3
_HEAD = struct.Struct("!4BIHH4s4s4s4s16s192s")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said: the kind of message, the address, the options as they came."""

    kind: int
    address: IPv4Address
    options: Mapping[int, bytes]

    def addresses(self, option: int) -> tuple[str, ...]:
        """An option that is a list of IPv4 addresses."""
        raw = self.options.get(option, b"")
        return tuple(str(IPv4Address(raw[n : n + 4])) for n in range(0, len(raw), 4))


async def leased(device: Device, **saying: bytes) -> Reply:
    """Get an address by the whole exchange; it is then the device's only one, as is its gateway.

    ``saying`` are options by number, like ``option12``.
    """
    reply = await exchanged(device, **saying)
    device.ns.ip(
        "addr flush dev eth0 scope global",
        f"addr add {reply.address}/16 dev eth0",
        f"route replace default via {reply.addresses(ROUTER)[0]}",
    )
    device.ipv4 = reply.address
    return reply


async def exchanged(device: Device, **saying: bytes) -> Reply:
    """Ask and accept, without using the address."""
    extra = {int(name.removeprefix("option")): value for name, value in saying.items()}
    with device.ns.socket(kind=socket.SOCK_DGRAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        made.bind(("", 68))
        offer = await _asked(made, device, DISCOVER, extra)
        request = {
            ASKED_ADDRESS: offer.address.packed,
            SERVER: offer.options[SERVER],
            **extra,
        }
        return await _asked(made, device, REQUEST, request)


async def renewed(device: Device) -> Reply:
    """Ask anew for the address that the device has, as one does that comes back (INIT-REBOOT)."""
    with device.ns.socket(kind=socket.SOCK_DGRAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        made.bind(("", 68))
        return await _asked(made, device, REQUEST, {ASKED_ADDRESS: device.ipv4.packed})


async def _asked(
    made: socket.socket, device: Device, kind: int, options: Mapping[int, bytes]
) -> Reply:
    loop = asyncio.get_running_loop()
    number = secrets.randbelow(1 << 32)
    message = _message(device, number, {KIND: bytes([kind]), **options})
    for _ in range(TRIES_MAX):
        await loop.sock_sendto(made, message, ("255.255.255.255", 67))
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                while True:
                    reply = _reply(await loop.sock_recv(made, 4096), number)
                    if reply is not None:
                        return reply
        except TimeoutError:
            continue
    raise AssertionError(f"device {device.number} got no answer to message {kind}")


def _message(device: Device, number: int, options: Mapping[int, bytes]) -> bytes:
    mac = bytes.fromhex(device.mac.replace(":", ""))
    none = bytes(4)
    head = _HEAD.pack(1, 1, 6, 0, number, 0, 0x8000, none, none, none, none, mac + bytes(10), b"")
    asked = {WANTED: bytes([1, ROUTER, NAME_SERVER, 51, CAPTIVE_PORTAL])}
    written = b"".join(bytes([n, len(v)]) + v for n, v in {**asked, **options}.items())
    return head + COOKIE + written + b"\xff"


def _reply(raw: bytes, number: int) -> Reply | None:
    if len(raw) < _HEAD.size + 4:
        return None
    fields = _HEAD.unpack_from(raw)
    if fields[0] != 2 or fields[4] != number:
        return None
    options: dict[int, bytes] = {}
    at = _HEAD.size + 4
    while at < len(raw) and raw[at] != 255:
        if raw[at] == 0:
            at += 1
            continue
        length = raw[at + 1]
        options[raw[at]] = raw[at + 2 : at + 2 + length]
        at += 2 + length
    return Reply(options[KIND][0], IPv4Address(fields[8]), options)
