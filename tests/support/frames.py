"""Frames made by hand, as an attacker makes them. PURE."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

IP4, ARP, IP6 = 0x0800, 0x0806, 0x86DD
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
Address: TypeAlias = IPv4Address | IPv6Address

ECHO4, ECHO6 = 8, 128
SYN = 0x02


def ether(to: str, source: str, kind: int, content: bytes) -> bytes:
    """A frame between two MACs."""
    return mac(to) + mac(source) + struct.pack(">H", kind) + content


def mac(text: str) -> bytes:
    """A MAC as it goes on the wire."""
    return bytes.fromhex(text.replace(":", ""))


def ip(
    source: Address,
    to: Address,
    protocol: int,
    content: bytes,
    *,
    hops: int = 64,
    fragment: int = 0,
    options: bytes = b"",
) -> bytes:
    """An IP packet. ``fragment`` is IPv4's word of flags and offset."""
    if isinstance(source, IPv6Address):
        head = struct.pack(">IHBB", 6 << 28, len(content), protocol, hops)
        return head + source.packed + to.packed + content
    words = 5 + len(options) // 4
    size = words * 4 + len(content)
    head = struct.pack(">BBHHHBBH", 0x40 | words, 0, size, 7, fragment, hops, protocol, 0)
    head += source.packed + to.packed + options
    return head[:10] + checksum(head) + head[12:] + content


def udp(source: Address, to: Address, port: int, content: bytes, *, own: int = 4_000) -> bytes:
    """A UDP datagram within its IP packet."""
    size = 8 + len(content)
    head = struct.pack(">HHHH", own, port, size, 0)
    total = checksum(_pseudo(source, to, UDP, size) + head + content)
    return ip(source, to, UDP, head[:6] + total + content)


def tcp(
    source: Address, to: Address, port: int, content: bytes = b"", *, own: int = 4_000
) -> bytes:
    """The first segment of a connection, which may carry something already."""
    head = struct.pack(">HHIIBBHHH", own, port, 0x4C4C4C4C, 0, 5 << 4, SYN, 1_024, 0, 0)
    total = checksum(_pseudo(source, to, TCP, len(head) + len(content)) + head + content)
    return ip(source, to, TCP, head[:16] + total + head[18:] + content)


def echo(source: Address, to: Address, content: bytes) -> bytes:
    """A ping."""
    four = isinstance(source, IPv4Address)
    kind, protocol = (ECHO4, ICMP) if four else (ECHO6, ICMP6)
    return ip(
        source, to, protocol, icmp(source, to, struct.pack(">BBHHH", kind, 0, 0, 7, 7) + content)
    )


def icmp(source: Address, to: Address, message: bytes) -> bytes:
    """An ICMP message of either family with its checksum."""
    covered = message
    if isinstance(source, IPv6Address):
        covered = _pseudo(source, to, ICMP6, len(message)) + message
    return message[:2] + checksum(covered) + message[4:]


def checksum(content: bytes) -> bytes:
    """The Internet's checksum of these bytes, whose own field is zero."""
    even = content + bytes(len(content) % 2)
    total = sum(struct.unpack(f">{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack(">H", ~total & 0xFFFF)


def query(name: str) -> bytes:
    """A question for the address of a name."""
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))
    return struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


def _pseudo(source: Address, to: Address, protocol: int, size: int) -> bytes:
    return source.packed + to.packed + struct.pack(">IHH", size, 0, protocol)
