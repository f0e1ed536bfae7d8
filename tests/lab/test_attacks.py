"""What somebody who has not paid gets out of a site, judged by what is on its uplink.

Every attack is made of frames by hand, from a device's own link, with the agent's own network and
names in service. The capture stands at the far end of the uplink. Whatever the gateway does not do
for itself (its controller, its neighbours) is a leak, except the names that it asks for; those are
bounded, and the bound is asserted.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from controller.sandbox.lab.device import GATEWAY_V4, GATEWAY_V6, INTERNET_V4, INTERNET_V6
from controller.sandbox.lab.dns import ResolveError
from controller.sandbox.lab.site import CONTROLLER_V4, SITE_V4, SITE_V6
from shaping.linux.nft import DNS_BURST, DNS_PER_SECOND, SITE_DNS_BURST, SITE_DNS_PER_SECOND
from tests.support import frames
from tests.support.capture import captured, uplink
from tests.support.frames import ICMP, ICMP6, IP4, IP6, TCP, UDP
from tests.support.lab import a_lab, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from controller.sandbox.lab.device import Device
    from tests.support.capture import Uplink
    from tests.support.frames import Address
    from tests.support.lab import Lab

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

FAR4, FAR6 = IPv4Address(INTERNET_V4), IPv6Address(INTERNET_V6)
NOBODY4, NOBODY6 = IPv4Address("203.0.113.77"), IPv6Address("2001:db8::77")
"""Outside, where nobody answers: what goes there is seen all the same."""

SECRET = b"nobody paid for this"
OPTION_ALERT = bytes((148, 4, 0, 0))
OPTION_SOURCE_ROUTE = bytes((131, 7, 4)) + FAR4.packed + bytes(1)
OPTION_RECORD_ROUTE = bytes((7, 7, 4)) + bytes(4) + bytes(1)
OF_EACH = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with a_lab(tmp_path_factory.mktemp("rig"), devices=20, own_names=True) as running:
        await running.whole()
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paid(lab: Lab) -> Device:
    """Somebody who has paid, and is quiet."""
    device = lab.fresh()
    await lab.buy(device, await lab.sell("not-stolen", validity_s=36_000))
    return device


@pytest.fixture(scope="module")
def thief(lab: Lab) -> Device:
    """Somebody who has not."""
    return lab.site.device(20)


def own_addresses(device: Device) -> Iterator[tuple[Address, Address]]:
    """An address of the device's and one to send to, of each family."""
    yield device.ipv4, FAR4
    yield device.ipv6, FAR6


def link_local(device: Device) -> IPv6Address:
    """The address that a device has on its link alone."""
    return IPv6Address(f"fe80::ff:fe00:{device.number:x}")


def of_kinds(source: Address, to: Address) -> Iterator[bytes]:
    """All that one could send from one address to another."""
    yield frames.udp(source, to, 443, SECRET)
    yield frames.udp(source, to, 5_353, SECRET)
    yield frames.udp(source, to, 3_544, SECRET)
    yield frames.udp(source, to, 67, SECRET)
    yield frames.udp(source, to, 547, SECRET)
    yield frames.tcp(source, to, 22, SECRET)
    yield frames.tcp(source, to, 80, SECRET)
    yield frames.tcp(source, to, 443, SECRET)
    yield frames.tcp(source, to, 853, SECRET)
    yield frames.echo(source, to, SECRET)
    yield from of_odd_protocols(source, to)
    yield from of_icmp(source, to)


def in_its_own_name(thief: Device, _paid: Device) -> Iterator[bytes]:
    """What any device would send that thinks it is on the internet."""
    for source, to in own_addresses(thief):
        yield from of_kinds(source, to)


def of_odd_protocols(source: Address, to: Address) -> Iterator[bytes]:
    """Tunnels, and protocols that no firewall has heard of."""
    for protocol in (2, 4, 41, 47, 50, 51, 89, 94, 103, 112, 115, 132, 136, 200, 253, 255):
        yield frames.ip(source, to, protocol, SECRET * 2)


def of_icmp(source: Address, to: Address) -> Iterator[bytes]:
    """Errors about a connection that there never was, and answers that nobody asked for."""
    inner = frames.udp(to, source, 9, SECRET)
    four = isinstance(source, IPv4Address)
    for kind in (0, 3, 4, 5, 11, 12, 13, 15, 17, 42) if four else (1, 2, 3, 4, 129, 133, 134, 137):
        message = struct.pack(">BBHI", kind, 0, 0, 0) + inner
        yield frames.ip(
            source, to, ICMP if four else ICMP6, frames.icmp(source, to, message), hops=255
        )


def from_nowhere(thief: Device, paid: Device) -> Iterator[bytes]:
    """Packets from addresses that are not the thief's."""
    fours: tuple[str, ...] = (
        "0.0.0.0",
        GATEWAY_V4,
        SITE_V4,
        INTERNET_V4,
        CONTROLLER_V4,
        "127.0.0.1",
        "10.99.0.1",
    )
    fours = (*fours, "255.255.255.255", "224.0.0.5", "169.254.7.7", str(paid.ipv4))
    for one in fours:
        for to in (FAR4, NOBODY4):
            yield from of_kinds(IPv4Address(one), to)
    sixes: tuple[str, ...] = (
        "::",
        GATEWAY_V6,
        SITE_V6,
        INTERNET_V6,
        "::1",
        "fd00:dead::1",
        "2001:db8::66",
    )
    sixes = (*sixes, "ff02::1", "::ffff:10.77.0.9", "fd77::abcd", str(paid.ipv6))
    for one in (*sixes, str(link_local(thief))):
        for there in (FAR6, NOBODY6):
            yield from of_kinds(IPv6Address(one), there)


def to_the_gateway(thief: Device, _paid: Device) -> Iterator[bytes]:
    """Packets to the gateway itself in the name of somebody outside, who would get the answer."""
    for to in (GATEWAY_V4, SITE_V4):
        for source in (FAR4, NOBODY4):
            yield from of_kinds(source, IPv4Address(to))
            yield frames.udp(source, IPv4Address(to), 53, frames.query("secret.example"))
            yield frames.udp(source, IPv4Address(to), 9, SECRET)
    for there in (GATEWAY_V6, SITE_V6):
        for asker in (FAR6, NOBODY6, link_local(thief)):
            yield from of_kinds(asker, IPv6Address(there))
            yield frames.udp(asker, IPv6Address(there), 9, SECRET)


def in_pieces(thief: Device, _paid: Device) -> Iterator[bytes]:
    """Fragments: first ones alone, later ones alone, tiny ones, and ones that lie over another."""
    whole = frames.udp(thief.ipv4, FAR4, 80, SECRET * 20)[20:]
    for start, size, more in (
        (0, 8, True),
        (0, 400, True),
        (8, 200, True),
        (8, 392, False),
        (16, 384, False),
        (65_528, 8, False),
    ):
        word = (0x2000 if more else 0) | start // 8
        piece = (whole[start : start + size] or SECRET)[:size]
        yield frames.ip(thief.ipv4, FAR4, UDP, piece, fragment=word)
        yield frames.ip(thief.ipv4, FAR4, TCP, piece, fragment=word)
        head = struct.pack(">BBHI", UDP, 0, start | more, 7)
        yield frames.ip(thief.ipv6, FAR6, 44, head + piece)
    yield frames.ip(thief.ipv6, FAR6, 44, struct.pack(">BBHI", UDP, 0, 0, 8) + whole)


def behind_headers(thief: Device, _paid: Device) -> Iterator[bytes]:
    """IPv6 with headers before what it carries, and IPv4 with options."""
    inner = frames.udp(thief.ipv6, FAR6, 80, SECRET)[40:]
    syn = frames.tcp(thief.ipv6, FAR6, 443, SECRET)[40:]
    padding = bytes((0, 1, 4, 0, 0, 0, 0))
    via = bytes((2, 0, 1)) + bytes(4) + FAR6.packed
    for following, carried in ((UDP, inner), (TCP, syn)):
        for kind, rest in (
            (0, padding),
            (60, padding),
            (43, via),
            (43, bytes((2, 2, 1)) + via[3:]),
        ):
            yield frames.ip(thief.ipv6, FAR6, kind, bytes((following,)) + rest + carried)
            yield frames.ip(
                thief.ipv6, IPv6Address(GATEWAY_V6), kind, bytes((following,)) + rest + carried
            )
    yield frames.ip(thief.ipv6, FAR6, 59, SECRET)
    yield frames.ip(
        thief.ipv6, FAR6, 0, (bytes((0,)) + padding) * 3 + bytes((UDP,)) + padding + inner
    )
    for options in (OPTION_ALERT, OPTION_SOURCE_ROUTE, OPTION_RECORD_ROUTE):
        for to in (FAR4, IPv4Address(GATEWAY_V4)):
            content = frames.udp(thief.ipv4, to, 80, SECRET)[20:]
            yield frames.ip(thief.ipv4, to, UDP, content, options=options)


def to_everybody(thief: Device, _paid: Device) -> Iterator[bytes]:
    """Broadcast and multicast, and packets whose hops end at the gateway."""
    for one in ("255.255.255.255", "10.77.255.255", "198.51.100.255", "224.0.0.1", "239.1.2.3"):
        yield from of_kinds(thief.ipv4, IPv4Address(one))
    for there in ("ff02::1", "ff05::2", "ff0e::1234", "ff02::16"):
        yield from of_kinds(thief.ipv6, IPv6Address(there))
        yield from of_kinds(link_local(thief), IPv6Address(there))
    for source, to in own_addresses(thief):
        yield frames.ip(source, to, UDP, frames.udp(source, to, 80, SECRET)[-36:], hops=1)
        yield frames.ip(source, to, UDP, SECRET, hops=0)


def misframed(thief: Device) -> Iterator[tuple[int, bytes]]:
    """Packets in frames of other kinds: VLANs within VLANs, PPPoE, MPLS, bridges, nonsense."""
    for source, to in own_addresses(thief):
        packet = frames.udp(source, to, 80, SECRET)
        kind = IP4 if source.version == 4 else IP6
        for outer in (0x8100, 0x88A8, 0x9100):
            yield outer, struct.pack(">HH", 10, kind) + packet
            yield outer, struct.pack(">HH", 0, kind) + packet
            yield outer, struct.pack(">HHHH", 10, 0x8100, 20, kind) + packet
        ppp = 0x0021 if source.version == 4 else 0x0057
        yield 0x8864, struct.pack(">BBHHH", 0x11, 0, 1, len(packet) + 2, ppp) + packet
        yield 0x8847, struct.pack(">I", 16 << 12 | 1 << 8 | 64) + packet
        yield 0x6558, frames.ether(GATEWAY_MAC, thief.mac, kind, packet)
        yield len(packet) + 8, b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", kind) + packet
        yield IP6 if kind == IP4 else IP4, packet
    for kind in (0x0805, 0x1234, 0x88CC, 0x88E5, 0x8906, 0xFFFF):
        yield kind, SECRET * 4


GATEWAY_MAC = "02:00:00:00:ff:01"
"""Where `of_the_lan` finds no better one."""


ATTACKS = {
    "in its own name": in_its_own_name,
    "from nowhere": from_nowhere,
    "to the gateway": to_the_gateway,
    "in pieces": in_pieces,
    "behind headers": behind_headers,
    "to everybody": to_everybody,
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("as_whom", ["itself", "the paid one"])
async def test_nothing_leaves_of_who_has_not_paid(
    lab: Lab, thief: Device, paid: Device, attack: str, as_whom: str
) -> None:
    own = str(thief.mac) if as_whom == "itself" else str(paid.mac)
    packets = [packet for packet in ATTACKS[attack](thief, paid) if not _of(packet, paid, own)]
    async with uplink(lab.site) as seen, of_the_lan(lab, thief) as lan:
        for packet in packets * OF_EACH:
            lan.send(frames.ether(lan.gateway, own, IP4 if packet[0] >> 4 == 4 else IP6, packet))
    await has_its_mac_again(lab, paid)

    assert len(packets) > 10
    assert told(seen.leaked) == []
    assert len(seen.names) <= SITE_DNS_BURST


async def test_no_frame_of_another_kind_leaves(lab: Lab, thief: Device) -> None:
    async with uplink(lab.site) as seen, of_the_lan(lab, thief) as lan:
        for kind, content in misframed(thief):
            lan.send(frames.ether(lan.gateway, thief.mac, kind, content))
            lan.send(frames.ether("ff:ff:ff:ff:ff:ff", thief.mac, kind, content))

    assert told(seen.leaked) == []


async def test_the_capture_sees_what_the_paid_one_sends(lab: Lab, paid: Device) -> None:
    async with uplink(lab.site) as seen, of_the_lan(lab, paid) as lan:
        for source, to in own_addresses(paid):
            packet = frames.udp(source, to, 9, SECRET)
            lan.send(
                frames.ether(lan.gateway, paid.mac, IP4 if source.version == 4 else IP6, packet)
            )

    assert sum(SECRET in frame for frame in seen.leaked) == 2


def _of(packet: bytes, paid: Device, mac: str) -> bool:
    """Whether the packet, under that MAC, is in all respects the paid device's own."""
    source = packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]
    return mac == paid.mac and source in {paid.ipv4.packed, paid.ipv6.packed}


class Lan:
    """A device's own link, on which it sends what it likes."""

    def __init__(self, link: socket.socket, gateway: str) -> None:
        self.gateway = gateway
        self._link = link

    def send(self, frame: bytes) -> None:
        """Send one frame, as short as it may be."""
        self._link.send(frame.ljust(60, b"\0"))


@contextlib.asynccontextmanager
async def of_the_lan(lab: Lab, device: Device) -> AsyncIterator[Lan]:
    """The link of a device."""
    told_of = lab.site.gateway.run("ip", "-o", "link", "show", "br-lan")
    made = device.ns.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    with made:
        made.bind(("eth0", 0))
        yield Lan(made, told_of.split("link/ether ")[1].split()[0])


async def has_its_mac_again(lab: Lab, paid: Device) -> None:
    """The bridge has heard the paid device since somebody else spoke under its MAC."""
    await eventually(lambda: paid.reaches(GATEWAY_V4, 80))


def told(leaked: Iterable[bytes]) -> list[str]:
    """Frames as they are read when a test fails; each kind once."""
    return sorted({frame[:14].hex() + " " + frame[14:80].hex() for frame in leaked})[:20]


@pytest.mark.parametrize("family", [4, 6])
async def test_who_announces_anothers_address_does_not_get_his_packets(
    lab: Lab, thief: Device, paid: Device, family: int
) -> None:
    seen = Overheard()
    far = INTERNET_V4 if family == 4 else INTERNET_V6
    await paid.udp_up(1_000, bps=100_000, address=far)
    async with captured(thief.ns, "eth0", seen), of_the_lan(lab, thief) as lan:
        for _ in range(3):
            for frame in announcements(thief, paid, lan.gateway)[family]:
                lan.send(frame)
        moved = await paid.udp_down(20_000, bps=200_000, address=far)

    assert moved.received_bytes == moved.sent_bytes == 20_000
    assert not any(METERED in frame for frame in seen.frames)


METERED = b"DN"
"""Begins every datagram of a flow down."""


class Overheard:
    """Everything that came to a link."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def take(self, frame: bytes) -> None:
        """Keep it."""
        self.frames.append(frame)


def announcements(thief: Device, paid: Device, gateway: str) -> dict[int, list[bytes]]:
    """All that says, by ARP and by ND, that the paid address is at the thief's MAC."""
    everybody, own = "ff:ff:ff:ff:ff:ff", frames.mac(thief.mac)
    asks, answers = b"\0\1\x08\0\6\4\0\1", b"\0\1\x08\0\6\4\0\2"
    mine = own + paid.ipv4.packed
    door = frames.mac(gateway) + IPv4Address(GATEWAY_V4).packed
    fours = [
        frames.ether(everybody, thief.mac, frames.ARP, asks + mine + bytes(6) + door[6:]),
        frames.ether(everybody, thief.mac, frames.ARP, asks + mine + bytes(6) + mine[6:]),
        frames.ether(gateway, thief.mac, frames.ARP, answers + mine + door),
    ]
    sixes = []
    for to, flags in ((GATEWAY_V6, 0x60), (GATEWAY_V6, 0xE0), ("ff02::1", 0x20)):
        said = struct.pack(">BBHI", 136, 0, 0, flags << 24) + paid.ipv6.packed + b"\2\1" + own
        there = IPv6Address(to)
        packet = frames.ip(paid.ipv6, there, ICMP6, frames.icmp(paid.ipv6, there, said), hops=255)
        sixes.append(frames.ether(gateway, thief.mac, IP6, packet))
    asked = struct.pack(">BBHI", 135, 0, 0, 0) + IPv6Address(GATEWAY_V6).packed + b"\1\1" + own
    door6 = IPv6Address(GATEWAY_V6)
    packet = frames.ip(paid.ipv6, door6, ICMP6, frames.icmp(paid.ipv6, door6, asked), hops=255)
    return {4: fours, 6: [*sixes, frames.ether(gateway, thief.mac, IP6, packet)]}


async def test_a_router_that_announces_itself_changes_no_way_out(
    lab: Lab, thief: Device, paid: Device
) -> None:
    before = lab.site.gateway.run("ip", "-6", "route", "show", "default")
    source = link_local(thief)
    prefix = struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 7_200, 7_200, 0)
    said = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 9_000, 0, 0) + prefix
    said += IPv6Address("2001:db8:bad::").packed
    async with uplink(lab.site) as seen, of_the_lan(lab, thief) as lan:
        for one in ("ff02::1", GATEWAY_V6):
            to = IPv6Address(one)
            packet = frames.ip(source, to, ICMP6, frames.icmp(source, to, said), hops=255)
            lan.send(frames.ether(lan.gateway, thief.mac, IP6, packet))
    moved = await paid.udp_down(10_000, bps=200_000, address=INTERNET_V6)

    assert told(seen.leaked) == []
    assert lab.site.gateway.run("ip", "-6", "route", "show", "default") == before
    assert moved.received_bytes == 10_000


@pytest.mark.parametrize("asked_of", [INTERNET_V4, GATEWAY_V4, "203.0.113.53"])
async def test_names_carry_out_no_more_than_one_device_may_ask(
    lab: Lab, thief: Device, asked_of: str
) -> None:
    took_s, seen = await flooded_with_names(lab, thief, asked_of, macs=(thief.mac,))

    assert told(seen.leaked) == []
    assert 0 < len(seen.names) <= DNS_BURST + DNS_PER_SECOND * took_s + 2
    assert sum(map(len, seen.names)) <= NAME_BYTES_MAX * len(seen.names)


async def test_names_carry_out_no_more_than_the_site_may_ask_whatever_macs_one_has(
    lab: Lab, thief: Device
) -> None:
    macs = tuple(f"06:00:00:00:01:{number:02x}" for number in range(60))
    took_s, seen = await flooded_with_names(lab, thief, GATEWAY_V4, macs=macs)

    assert told(seen.leaked) == []
    assert len(seen.names) <= SITE_DNS_BURST + SITE_DNS_PER_SECOND * took_s + 2


async def test_names_over_tcp_carry_out_no_more_either(lab: Lab, thief: Device) -> None:
    began = time.monotonic()
    async with uplink(lab.site) as seen:
        for number in range(60):
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await asked_over_tcp(thief, tunnelled(number))
    took_s = time.monotonic() - began

    assert told(seen.leaked) == []
    # Each question over TCP takes six packets of the device's, and as many of the gateway's.
    assert len(seen.names) <= 2 * (DNS_BURST + DNS_PER_SECOND * took_s)


async def test_pings_carry_nothing_out(lab: Lab, thief: Device) -> None:
    async with uplink(lab.site) as seen, of_the_lan(lab, thief) as lan:
        for source, to in own_addresses(thief):
            for there in (to, IPv4Address(GATEWAY_V4) if to == FAR4 else IPv6Address(GATEWAY_V6)):
                kind = IP4 if source.version == 4 else IP6
                for size in (1, 50):
                    packet = frames.echo(source, there, SECRET * size)
                    for _ in range(100):
                        lan.send(frames.ether(lan.gateway, thief.mac, kind, packet))

    assert told(seen.leaked) == []
    assert seen.names == []


async def test_a_clone_of_the_payer_uses_what_the_payer_bought_and_not_a_byte_more(
    lab: Lab, thief: Device
) -> None:
    paid = lab.fresh()
    await lab.buy(paid, await lab.sell("cloned", quota_bytes=100_000))
    before = lab.counted(paid)
    async with uplink(lab.site) as seen, of_the_lan(lab, thief) as lan:
        packet = frames.udp(paid.ipv4, FAR4, 9, SECRET * 50)
        for _ in range(400):
            lan.send(frames.ether(lan.gateway, paid.mac, IP4, packet))
    passed = sum(len(frame) - 14 for frame in seen.leaked if SECRET in frame)

    assert passed <= 100_000 - before.down_bytes - before.up_bytes


NAME_BYTES_MAX = 14 + 20 + 8 + 12 + 255 + 4 + 11
"""A question for the longest name, as a resolver passes it on."""


def tunnelled(number: int) -> bytes:
    """A question whose name carries as much as one can."""
    return frames.query(
        f"{'.'.join(f'{number:04d}{part:056d}' for part in range(3))}.tunnel.example"
    )


async def flooded_with_names(
    lab: Lab, thief: Device, asked_of: str, *, macs: tuple[str, ...]
) -> tuple[float, Uplink]:
    """Two thousand questions as fast as they go; how long it took, and what left."""
    to = IPv4Address(asked_of)
    began = time.monotonic()
    async with uplink(lab.site) as seen, of_the_lan(lab, thief) as lan:
        for number in range(2_000):
            packet = frames.udp(thief.ipv4, to, 53, tunnelled(number), own=20_000 + number)
            lan.send(frames.ether(lan.gateway, macs[number % len(macs)], IP4, packet))
        await resolver_is_idle(lab)
    return time.monotonic() - began, seen


async def resolver_is_idle(lab: Lab) -> None:
    """Whoever asks now is answered, so that all that was asked before has been dealt with."""
    other = lab.site.device(19)
    await eventually(lambda: answered(other), wait_s=30)


async def answered(device: Device) -> bool:
    """Whether the portal's name is told to a device."""
    try:
        return await device.resolve("wifi.lango") == GATEWAY_V4
    except ResolveError:
        return False


async def asked_over_tcp(device: Device, question: bytes) -> bytes:
    """The answer to one question over TCP."""
    reader, writer = await device.connect(INTERNET_V4, 53, wait_s=1)
    with contextlib.closing(writer):
        writer.write(struct.pack(">H", len(question)) + question)
        async with asyncio.timeout(1):
            (size,) = struct.unpack(">H", await reader.readexactly(2))
            return await reader.readexactly(size)
