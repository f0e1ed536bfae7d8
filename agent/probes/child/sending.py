"""Sockets that are bound to one interface, and packets that are counted and paced."""

from __future__ import annotations

import ctypes
import selectors
import socket
import struct
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.probes.asked import PACKETS_MAX, ProbeRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MESSAGE_BYTES_MAX = 65_535
_IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE = 10, 3
_SO_ATTACH_FILTER = 26
ETHER_HEAD_BYTES = 14


class Budget:
    """Packets that one probe may send; the one that would be too many is not sent."""

    def __init__(self, most: int = PACKETS_MAX) -> None:
        self.sent = 0
        self._most = most

    def spend(self) -> None:
        """Take one packet from it. Raises `ProbeRefused` when nothing is left."""
        if self.sent >= self._most:
            raise ProbeRefused(f"packets: {self._most:,} were sent, and no more are")
        self.sent += 1


def now_ms() -> int:
    """A moment, in milliseconds that never go back."""
    return time.monotonic_ns() // 1_000_000


def exchange(
    sends: Iterable[Callable[[], object]],
    ears: Sequence[socket.socket],
    heard: Callable[[socket.socket, bytes, int], bool],
    *,
    budget: Budget,
    per_s: int,
    listen_ms: int,
) -> None:
    """Send at a steady pace, and hand over what is heard, until some time after the last packet.

    Ends at once when ``heard`` says that nothing more is awaited.
    """
    with selectors.DefaultSelector() as selector:
        for ear in ears:
            ear.setblocking(False)  # noqa: FBT003 - the library's signature
            selector.register(ear, selectors.EVENT_READ)
        due = now_ms()
        for send in sends:
            budget.spend()
            send()
            due = max(due, now_ms() - 50) + max(1, 1_000 // per_s)
            if _listened(selector, heard, until=due):
                return
        _listened(selector, heard, until=now_ms() + listen_ms)


def _listened(
    selector: selectors.BaseSelector,
    heard: Callable[[socket.socket, bytes, int], bool],
    *,
    until: int,
) -> bool:
    """Whether somebody said that this is enough before ``until``."""
    while (left := until - now_ms()) > 0:
        for key, _ in selector.select(left / 1_000):
            ear = key.fileobj
            assert isinstance(ear, socket.socket)
            try:
                message = ear.recv(MESSAGE_BYTES_MAX)
            except BlockingIOError:
                continue
            except ConnectionRefusedError:
                continue  # a resolver's machine says that nobody answers there
            if heard(ear, message, now_ms()):
                return True
    return False


@contextmanager
def link_end(
    interface: str, ether_type: int, *, udp_port: int | None = None
) -> Iterator[socket.socket]:
    """Frames of one type on one interface; of UDP only what goes to ``udp_port``."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as made:
        if udp_port is not None:
            _only_udp_to(made, udp_port, ip_at=ETHER_HEAD_BYTES)
        made.bind((interface, ether_type))
        yield made


@contextmanager
def raw_end(
    interface: str, protocol: int, *, udp_port: int | None = None
) -> Iterator[socket.socket]:
    """IPv4 packets that bring their own header and leave by one interface.

    Hears what this machine is sent in one protocol; of UDP only what goes to ``udp_port``.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) as made:
        if udp_port is not None:
            _only_udp_to(made, udp_port, ip_at=0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        made.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
        yield made


def _only_udp_to(made: socket.socket, port: int, *, ip_at: int) -> None:
    """A classic BPF program: the kernel keeps all other packets from us."""
    program = (
        (0x30, 0, 0, ip_at + 9),  # the protocol
        (0x15, 0, 6, 17),  # UDP, or nothing
        (0x28, 0, 0, ip_at + 6),  # fragment
        (0x45, 4, 0, 0x1FFF),  # the first, or nothing
        (0xB1, 0, 0, ip_at),  # length of the IP header
        (0x48, 0, 0, ip_at + 2),  # destination port
        (0x15, 0, 1, port),
        (0x06, 0, 0, 0xFFFF),
        (0x06, 0, 0, 0),
    )
    packed = b"".join(struct.pack("HBBI", *one) for one in program)
    held = ctypes.create_string_buffer(packed)
    told = struct.pack("HL", len(program), ctypes.addressof(held))
    made.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, told)
