"""What a device without a grant can and cannot do, by real packets through the real kernel."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from shaping.linux.nft import (
    PINGS_BURST,
    PINGS_PER_SECOND,
    SITE_DNS_BURST,
    SITE_DNS_PER_SECOND,
    SITE_PINGS_BURST,
    SITE_PINGS_PER_SECOND,
)
from shaping.plane import Desired
from tests.support.gateway import (
    DATAGRAM_BYTES,
    KEY,
    PHONE,
    SERVER4,
    SERVER6,
    THIEF,
    an_access,
    mac_of,
    v4_of,
    v6_of,
)
from tests.support.netns import Namespace, NamespaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.gateway import Street

pytestmark = pytest.mark.root

OPEN = Desired({KEY: an_access()})
BOTH = pytest.mark.parametrize("server", [SERVER4, SERVER6])
GATEWAY = {SERVER4: "10.77.0.1", SERVER6: "fd77:1::1"}
WAN = {SERVER4: "198.51.100.1", SERVER6: "fd77:2::1"}
SECRET = b"nobody paid this"


@BOTH
def test_nothing_of_a_captive_device_reaches_the_internet(street: Street, server: str) -> None:
    street.apply(Desired())

    assert not street.reaches(PHONE, server)


@BOTH
def test_a_paid_device_reaches_the_internet(street: Street, server: str) -> None:
    street.apply(OPEN)

    assert street.reaches(PHONE, server)


@BOTH
def test_nothing_from_the_internet_reaches_a_captive_device(street: Street, server: str) -> None:
    street.apply(Desired())

    assert street.send(5, up=False, server=server) == 0


@BOTH
def test_a_closed_session_passes_nothing(street: Street, server: str) -> None:
    street.apply(OPEN)
    street.apply(Desired({KEY: an_access(closed=True)}))

    assert not street.reaches(PHONE, server)


@BOTH
def test_a_captive_web_request_arrives_at_the_portal(street: Street, server: str) -> None:
    street.apply(Desired())
    with street.listen(street.gateway, 8000):
        assert street.tcp(PHONE, server, 80) == "open"


@BOTH
def test_a_captive_secure_request_is_refused_at_once(street: Street, server: str) -> None:
    street.apply(Desired())

    assert street.tcp(PHONE, server, 443) == "refused"


@BOTH
def test_any_other_captive_connection_meets_silence(street: Street, server: str) -> None:
    street.apply(Desired())
    with street.listen(street.internet, 8443):
        assert street.tcp(PHONE, server, 8443) == "silence"


@BOTH
def test_a_paid_web_request_arrives_where_it_was_sent(street: Street, server: str) -> None:
    street.apply(OPEN)
    with street.listen(street.internet, 80) as web:
        street.tcp(PHONE, server, 80)
        accepted, (visitor, *_) = web.accept()
        accepted.close()

    assert visitor.removeprefix("::ffff:") in {str(v4_of(PHONE)), str(v6_of(PHONE))}


@BOTH
def test_the_gateways_own_web_page_is_the_portal_for_paid_devices_too(
    street: Street, server: str
) -> None:
    street.apply(OPEN)
    with street.listen(street.gateway, 8000):
        assert street.tcp(PHONE, GATEWAY[server], 80) == "open"


@BOTH
def test_the_gateways_other_services_are_closed_to_devices(street: Street, server: str) -> None:
    street.apply(OPEN)
    with street.listen(street.gateway, 22):
        assert street.tcp(PHONE, GATEWAY[server], 22) == "silence"


@BOTH
def test_names_are_asked_of_the_gateway_alone(street: Street, server: str) -> None:
    street.apply(Desired())
    with street.listen(street.gateway, 53), street.listen(street.internet, 53):
        outcomes = [street.tcp(PHONE, there, 53) for there in (GATEWAY[server], server)]

    assert outcomes == ["open", "silence"]


def test_names_asked_too_fast_are_dropped(street: Street) -> None:
    street.apply(Desired())
    with (
        street.gateway.socket(kind=socket.SOCK_DGRAM) as names,
        street.udp(PHONE, GATEWAY[SERVER4]) as phone,
    ):
        names.bind((GATEWAY[SERVER4], 53))
        for _ in range(200):
            phone.sendto(b"?", (GATEWAY[SERVER4], 53))
        heard = _heard(names)

    assert 40 <= heard <= 60


def test_a_device_that_changes_its_mac_asks_no_more_names_than_a_site_may(street: Street) -> None:
    street.apply(Desired())
    with street.gateway.socket(kind=socket.SOCK_DGRAM) as names:
        names.bind((GATEWAY[SERVER4], 53))
        names.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        began = time.monotonic()
        sent = _from_many_macs(street, _datagram(53), macs=60, of_each=30)
        heard = _heard(names)
        took_s = time.monotonic() - began

    assert sent == 1_800
    assert SITE_DNS_BURST <= heard <= SITE_DNS_BURST + SITE_DNS_PER_SECOND * took_s + 5


def test_a_device_that_changes_its_mac_pings_no_more_than_a_site_may(street: Street) -> None:
    street.apply(Desired())
    before = _pings_answered(street)
    began = time.monotonic()
    _from_many_macs(street, _ping(), macs=60, of_each=15)
    answered = _pings_answered(street) - before
    took_s = time.monotonic() - began

    assert SITE_PINGS_BURST <= answered <= SITE_PINGS_BURST + SITE_PINGS_PER_SECOND * took_s + 5


def test_one_device_pings_no_faster_than_it_may(street: Street) -> None:
    street.apply(Desired())
    before = _pings_answered(street)
    began = time.monotonic()
    _from_many_macs(street, _ping(), macs=1, of_each=100)
    answered = _pings_answered(street) - before
    took_s = time.monotonic() - began

    assert PINGS_BURST <= answered <= PINGS_BURST + PINGS_PER_SECOND * took_s + 3


def _from_many_macs(street: Street, packet: bytes, *, macs: int, of_each: int) -> int:
    """Send this IPv4 packet to the gateway from the thief's link, under one MAC after another."""
    told = street.gateway.run("ip", "-o", "link", "show", "br-lan")
    gateway = bytes.fromhex(told.split("link/ether ")[1].split()[0].replace(":", ""))
    thief = street.devices[THIEF].call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    with thief:
        thief.bind(("eth0", 0))
        for number in range(macs):
            mac = bytes.fromhex(f"0200000077{number:02x}")
            for _ in range(of_each):
                thief.send(gateway + mac + b"\x08\x00" + packet)
    return macs * of_each


def _packet(protocol: int, content: bytes) -> bytes:
    """An IPv4 packet of the thief's to the gateway."""
    size = 20 + len(content)
    ends = v4_of(THIEF).packed + bytes((10, 77, 0, 1))
    head = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, 64, protocol, 0) + ends
    return head[:10] + _checksum(head) + head[12:] + content


def _datagram(port: int) -> bytes:
    return _packet(17, struct.pack(">HHHH", 4000, port, 9, 0) + b"?")


def _ping() -> bytes:
    content = struct.pack(">BBHHH", 8, 0, 0, 7, 7)
    return _packet(1, content[:2] + _checksum(content) + content[4:])


def _checksum(content: bytes) -> bytes:
    total = sum(struct.unpack(f">{len(content) // 2}H", content))
    return struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)


def _pings_answered(street: Street) -> int:
    told = street.gateway.run("cat", "/proc/net/snmp")
    names, values = (line.split() for line in told.splitlines() if line.startswith("Icmp:"))
    return int(dict(zip(names, values, strict=True))["InEchos"])


@BOTH
def test_no_fragment_of_a_captive_device_leaves_the_site(street: Street, server: str) -> None:
    street.apply(Desired())
    with heard_by(street.internet) as frames, street.udp(PHONE, server) as phone:
        phone.sendto(SECRET * 250, (server, 9))

    assert [frame for frame in frames if SECRET in frame] == []


@BOTH
def test_every_fragment_of_a_paid_device_passes_and_is_counted(street: Street, server: str) -> None:
    street.apply(OPEN)
    family = socket.AF_INET6 if server == SERVER6 else socket.AF_INET
    with (
        street.internet.socket(family, socket.SOCK_DGRAM) as sink,
        street.udp(PHONE, server) as phone,
    ):
        sink.bind((server, 9))
        sink.settimeout(2)
        with heard_by(street.internet) as frames:
            phone.sendto(SECRET * 250, (server, 9))
            arrived = sink.recv(5_000)
    fragments = [len(frame) - 14 for frame in frames if SECRET in frame]
    whole = 4_000 + (48 if server == SERVER6 else 28)

    assert arrived == SECRET * 250
    assert len(fragments) == 3
    # The kernel puts fragments together to look at them, so the heads of two are not there.
    assert whole <= street.counter().up_bytes_total <= sum(fragments)


def _heard(names: socket.socket) -> int:
    names.settimeout(0.2)
    count = 0
    try:
        while names.recv(100):
            count += 1
    except TimeoutError:
        pass
    return count


@BOTH
def test_the_gateway_still_answers_ping(street: Street, server: str) -> None:
    street.apply(Desired())
    said = street.devices[PHONE].run("ping", "-c1", "-W1", GATEWAY[server])

    assert "1 received" in said


@BOTH
@pytest.mark.parametrize("asked", ["lan", "wan"])
def test_the_gateway_answers_nobody_on_the_internet_for_a_captive_device(
    street: Street, server: str, asked: str
) -> None:
    street.apply(Desired())
    street.internet.run("ping", "-c1", "-W1", WAN[server])  # it knows where to answer
    to = GATEWAY[server] if asked == "lan" else WAN[server]
    phone = street.devices[PHONE]
    phone.ip(f"addr add {server} dev lo")
    with heard_by(street.internet) as frames, suppress(NamespaceError):
        phone.run("ping", "-c1", "-W1", "-I", server, "-p", SECRET.hex(), to)
    phone.ip(f"addr del {server} dev lo")
    reflected = [frame for frame in frames if SECRET in frame]

    assert reflected == []


@contextmanager
def heard_by(namespace: Namespace) -> Iterator[list[bytes]]:
    """All frames that ``eth0`` of a namespace saw during the block, once it is over."""
    every = socket.htons(0x0003)
    made = namespace.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, every))
    frames: list[bytes] = []
    with made:
        made.bind(("eth0", 0))
        made.settimeout(0.2)
        yield frames
        with suppress(TimeoutError):
            while True:
                frames.append(made.recv(2048))


@BOTH
def test_a_thief_of_the_paid_address_gets_nothing(street: Street, server: str) -> None:
    street.apply(OPEN)
    stolen = str(v6_of(PHONE) if server == SERVER6 else v4_of(PHONE))
    thief = street.devices[THIEF]
    suffix = "/64 dev eth0 nodad" if server == SERVER6 else "/24 dev eth0"
    thief.ip(f"addr add {stolen}{suffix}")
    reached = street.reaches(THIEF, server, source=stolen), street.reaches(PHONE, server)
    thief.ip(f"addr del {stolen}{suffix.removesuffix(' nodad')}")

    assert reached == (False, True)


def test_a_thief_cannot_draw_the_paid_downstream_by_announcing_the_address(street: Street) -> None:
    street.apply(OPEN)
    street.reaches(PHONE, SERVER4)
    thief = street.devices[THIEF].call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    with thief:
        thief.bind(("eth0", 0))
        for _ in range(3):
            thief.send(_announcement())
            time.sleep(0.4)  # the kernel believes one announcement a second at most
    known = street.gateway.run("ip", "neigh", "show", str(v4_of(PHONE)))

    assert mac_of(PHONE) in known
    assert street.send(10, up=False) == 10


def _announcement() -> bytes:
    """An ARP request by which the thief tells everybody that it has the phone's address."""
    thief = bytes.fromhex(mac_of(THIEF).replace(":", ""))
    gateway = bytes((10, 77, 0, 1))
    head = b"\xff" * 6 + thief + b"\x08\x06" + bytes.fromhex("0001080006040001")
    return head + thief + v4_of(PHONE).packed + bytes(6) + gateway


@BOTH
def test_a_thief_of_the_paid_mac_gets_nothing(street: Street, server: str) -> None:
    street.apply(OPEN)
    street.devices[PHONE].ip("link set eth0 down")
    street.devices[THIEF].ip(f"link set eth0 address {mac_of(PHONE)}")
    reached = street.reaches(THIEF, server)
    street.devices[THIEF].ip(f"link set eth0 address {mac_of(THIEF)}")
    street.devices[PHONE].ip(
        "link set eth0 up",
        f"addr replace {v6_of(PHONE)}/64 dev eth0 nodad",
        "route replace default via 10.77.0.1",
        "route replace default via fd77:1::1",
    )

    assert not reached


def test_a_blocked_device_is_not_even_answered(street: Street) -> None:
    street.apply(Desired({KEY: an_access()}, blocked=frozenset({mac_of(PHONE)})))
    with street.listen(street.gateway, 8000):
        assert street.tcp(PHONE, GATEWAY[SERVER4], 80) == "silence"


def test_devices_do_not_reach_each_other_through_the_gateway(street: Street) -> None:
    street.apply(OPEN)
    street.gateway.ip("addr add 10.77.9.1/24 dev br-lan")
    street.devices[THIEF].ip("addr add 10.77.9.2/24 dev eth0")
    with street.listen(street.devices[THIEF], 8443):
        outcome = street.tcp(PHONE, "10.77.9.2", 8443)
    street.gateway.ip("addr del 10.77.9.1/24 dev br-lan")
    street.devices[THIEF].ip("addr del 10.77.9.2/24 dev eth0")

    assert outcome == "silence"


def test_traffic_between_other_interfaces_is_not_touched(street: Street) -> None:
    street.apply(Desired())
    said = street.gateway.run("ping", "-c1", "-W1", SERVER4)

    assert "1 received" in said


def test_datagrams_are_whole_packets() -> None:
    assert DATAGRAM_BYTES + 48 < 1280, "the counting tests assume one packet each"
