"""A gateway between devices and an internet, each in a namespace of its own, with real packets."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import threading
import time
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Self

from shaping.linux.nft import LinuxConfig
from shaping.linux.plane import LinuxPlane, boot_clock
from shaping.plane import Access, MacAddress, Rate, SessionKey
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shaping.plane import Applied, CapKey, Counter, Desired, MonotonicMs

PHONE, THIEF = 1, 2
"""The devices on the LAN, by number."""

SERVER4 = "198.51.100.2"
SERVER6 = "fd77:2::2"
CONFIG = LinuxConfig(lan="br-lan", wan="wan0", masquerade=False)
ECHO_PORT, SINK_PORT = 7, 9
DATAGRAM_BYTES = 1000
"""Payload of a test datagram; the network layer adds 28 bytes (IPv4) or 48 (IPv6)."""

WINDOW_BYTES = 48 << 10
_ANSWER_WAIT_S = 0.4


def mac_of(number: int) -> MacAddress:
    return MacAddress(f"02:00:00:00:00:{number:02x}")


def v4_of(number: int) -> IPv4Address:
    return IPv4Address(f"10.77.0.{100 + number}")


def v6_of(number: int) -> IPv6Address:
    return IPv6Address(f"fd77:1::{100 + number}")


def an_access(
    number: int = PHONE,
    *,
    rate: Rate = Rate(down_bps=50_000_000, up_bps=50_000_000),  # noqa: B008 -- frozen
    open_until: MonotonicMs | None = None,
    cap: CapKey | None = None,
    closed: bool = False,
) -> Access:
    return Access(
        mac=mac_of(number),
        ipv4=v4_of(number),
        ipv6=frozenset({v6_of(number)}),
        rate=rate,
        open_until=open_until,
        cap=cap,
        closed=closed,
    )


KEY = SessionKey("0193-phone")


class Street:
    """Gateway, internet and two devices; its plane works inside the gateway."""

    def __init__(self, config: LinuxConfig = CONFIG) -> None:
        self.config = config
        self.gateway = Namespace("gateway")
        self.internet = Namespace("internet")
        self.devices = {number: Namespace(f"device {number}") for number in (PHONE, THIEF)}
        for namespace in (self.gateway, self.internet, *self.devices.values()):
            # Fresh addresses may speak at once: nobody else is on these links.
            knobs = {f"ipv6/conf/{which}/accept_dad": "0" for which in ("all", "default")}
            namespace.sysctl(knobs)
        self._wire()
        self.plane = self.a_plane()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.plane.close()
        for namespace in (self.gateway, self.internet, *self.devices.values()):
            namespace.close()

    def a_plane(
        self, config: LinuxConfig | None = None, *, now: Callable[[], MonotonicMs] = boot_clock
    ) -> LinuxPlane:
        return self.gateway.call(lambda: LinuxPlane(config or self.config, now=now))

    def restart(self) -> None:
        """What a killed agent's successor does: begin with nothing but the kernel's state."""
        self.plane.close()
        self.plane = self.a_plane()

    def apply(self, desired: Desired) -> Applied:
        return asyncio.run(self.plane.apply(desired))

    def counter(self, key: SessionKey = KEY) -> Counter:
        return asyncio.run(self.plane.counters())[key]

    def nft(self, *lines: str) -> str:
        return self.gateway.run("nft", "-f", "-", stdin="\n".join(lines) + "\n")

    def _wire(self) -> None:
        self.internet.ip("link set lo up")
        self.gateway.ip(
            "link set lo up",
            "link add br-lan type bridge",
            f"link add wan0 type veth peer name eth0 netns {self.internet.path}",
            "addr add 10.77.0.1/24 dev br-lan",
            "addr add fd77:1::1/64 dev br-lan nodad",
            "addr add 198.51.100.1/24 dev wan0",
            "addr add fd77:2::1/64 dev wan0 nodad",
            "link set br-lan up",
            "link set wan0 up",
            lend=(self.internet,),
        )
        self.internet.ip(
            f"addr add {SERVER4}/24 dev eth0",
            f"addr add {SERVER6}/64 dev eth0 nodad",
            "link set eth0 up",
            "route add default via 198.51.100.1",
            "route add default via fd77:2::1",
        )
        self.gateway.sysctl({"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"})
        for number, device in self.devices.items():
            self._join(number, device)

    def _join(self, number: int, device: Namespace) -> None:
        self.gateway.ip(
            f"link add port{number} type veth peer name eth0 netns {device.path}",
            f"link set port{number} master br-lan up",
            lend=(device,),
        )
        device.ip(
            "link set lo up",
            f"link set eth0 address {mac_of(number)} up",
            f"addr add {v4_of(number)}/24 dev eth0",
            f"addr add {v6_of(number)}/64 dev eth0 nodad",
            "route add default via 10.77.0.1",
            "route add default via fd77:1::1",
        )

    def reaches(self, number: int = PHONE, server: str = SERVER4, *, source: str = "") -> bool:
        """Whether a datagram of this device comes back from the internet."""
        with self.echo(server), self.udp(number, server, source=source) as phone:
            for _ in range(2):
                phone.sendto(b"ping", (server, ECHO_PORT))
                try:
                    return phone.recv(100) == b"ping"
                except TimeoutError:
                    continue
        return False

    @contextmanager
    def echo(self, server: str = SERVER4) -> Iterator[None]:
        """A server on the internet that sends datagrams back."""
        with _socket(self.internet, server, socket.SOCK_DGRAM) as made:
            made.bind((server, ECHO_PORT))
            made.settimeout(None)
            thread = threading.Thread(target=_echo, args=(made,))
            thread.start()
            try:
                yield
            finally:
                with _socket(self.internet, server, socket.SOCK_DGRAM) as stop:
                    stop.sendto(b"stop", (server, ECHO_PORT))
                thread.join()

    def udp(self, number: int, server: str, *, source: str = "") -> socket.socket:
        """A datagram socket on a device, bound to the source address."""
        made = _socket(self.devices[number], server, socket.SOCK_DGRAM)
        if source:
            made.bind((source, 0))
        made.settimeout(_ANSWER_WAIT_S)
        return made

    def tcp(self, number: int, server: str, port: int) -> str:
        """What comes of a connection: "open", "refused" or "silence"."""
        made = _socket(self.devices[number], server, socket.SOCK_STREAM)
        made.settimeout(_ANSWER_WAIT_S)
        with made:
            try:
                made.connect((server, port))
            except ConnectionRefusedError:
                return "refused"
            except OSError:
                return "silence"
            return "open"

    def listen(self, namespace: Namespace, port: int) -> socket.socket:
        """A listening socket for both families."""
        family = socket.AF_INET6
        made = namespace.call(
            lambda: socket.create_server(("::", port), family=family, dualstack_ipv6=True)
        )
        made.settimeout(5)
        return made

    def send(self, count: int, *, up: bool, server: str = SERVER4, pace_s: float = 0.0005) -> int:
        """Send paced datagrams one way between phone and internet; tells how many arrived."""
        there = server if up else str(v6_of(PHONE) if ":" in server else v4_of(PHONE))
        sender = self.devices[PHONE] if up else self.internet
        receiver = self.internet if up else self.devices[PHONE]
        with (
            _socket(sender, server, socket.SOCK_DGRAM) as source,
            _socket(receiver, server, socket.SOCK_DGRAM) as sink,
        ):
            sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sink.bind((there, SINK_PORT))
            for _ in range(count):
                source.sendto(bytes(DATAGRAM_BYTES), (there, SINK_PORT))
                time.sleep(pace_s)
            return _arrived(sink)


def until(wanted: Callable[[], bool], *, within_s: float = 5) -> bool:
    """Ask again and again until it is so; False when time runs out."""
    end = time.monotonic() + within_s
    while not wanted():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def goodput_bps(street: Street, *, up: bool, seconds: float) -> float:
    """What a TCP connection carries between phone and internet, after its first second.

    The receiver's window is smaller than the shaper's queue: with a loss, a reader waits for what
    is missing and then reads much at once, which no short measurement can tell from speed.
    """
    with (
        street.listen(street.internet, 5001) as server,
        _socket(street.devices[PHONE], SERVER4, socket.SOCK_STREAM) as phone,
    ):
        for end in (server, phone):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
        phone.settimeout(5)
        phone.connect((SERVER4, 5001))
        accepted, _ = server.accept()
        for end in (phone, accepted):
            # Closing forgets what is on its way: a later test must not count it sent again.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with accepted:
            source, sink = (phone, accepted) if up else (accepted, phone)
            return _carried_bps(source, sink, seconds=seconds)


def _carried_bps(source: socket.socket, sink: socket.socket, *, seconds: float) -> float:
    thread = threading.Thread(target=_pour, args=(source,))
    thread.start()
    _read_dry(sink, until=time.monotonic() + 1)
    began = time.monotonic()
    carried = _read_dry(sink, until=began + seconds)
    took_s = time.monotonic() - began
    source.shutdown(socket.SHUT_RDWR)
    thread.join()
    return carried * 8 / took_s


def _read_dry(sink: socket.socket, *, until: float) -> int:
    """Bytes read until that moment and on to the end of what waits already.

    Without the second half, a reader that the machine kept waiting would count a burst as speed.
    """
    carried = 0
    while True:
        ready, _, _ = select.select([sink], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return carried
        carried += len(sink.recv(65_536))
        if time.monotonic() > until + 1:
            return carried


def _pour(source: socket.socket) -> None:
    try:
        while True:
            source.send(bytes(16_384))
    except OSError:
        return  # the reader has seen enough


def _arrived(sink: socket.socket) -> int:
    sink.settimeout(0.3)
    count = 0
    try:
        while sink.recv(2048):
            count += 1
    except TimeoutError:
        return count
    return count


def _socket(namespace: Namespace, server: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    return namespace.socket(family, kind)


def _echo(server: socket.socket) -> None:
    while True:
        payload, sender = server.recvfrom(2048)
        if payload == b"stop":
            return
        server.sendto(payload, sender)
