"""Neighbour entries read as sightings, and the live stream of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shaping.linux.neighbours import follow
from shaping.linux.sightings import DEVICES_MAX, Entry, Sightings
from shaping.plane import Neighbour, PlaneError, Sight
from tests.support.gateway import PHONE, SERVER4, Street, mac_of, v4_of, v6_of
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from shaping.plane import MacAddress

LAN, PORT, OTHER_PORT = 5, 7, 8
REACHABLE, STALE, PROBE, FAILED, PERMANENT = 0x02, 0x04, 0x10, 0x20, 0x80
PORTS = {PORT: "port1", OTHER_PORT: "port2"}


def a_sightings() -> Sightings:
    return Sightings(LAN, PORTS.__getitem__)


def an_entry(
    address: IPv4Address | IPv6Address,
    *,
    mac: MacAddress | None = None,
    state: int = REACHABLE,
    ifindex: int = LAN,
) -> Entry:
    return Entry(ifindex, state, mac or "", address)


def a_port_entry(mac: str, port: int = PORT, *, state: int = REACHABLE) -> Entry:
    return Entry(port, state, mac, bridge=LAN)


def told(*entries: Entry, by: Sightings | None = None) -> list[Neighbour]:
    sightings = by or a_sightings()
    return [neighbour for entry in entries for neighbour in sightings.take(entry)]


MAC = mac_of(PHONE)
SEEN = Neighbour(Sight.SEEN, MAC, v4_of(PHONE))
SEEN_AT_PORT = Neighbour(Sight.SEEN, MAC, None, "port1")


def test_an_address_with_a_mac_is_a_device_seen() -> None:
    assert told(an_entry(v4_of(PHONE), mac=MAC)) == [SEEN]


def test_a_device_is_told_with_the_port_it_is_behind() -> None:
    by_port, by_address = told(a_port_entry(MAC), an_entry(v6_of(PHONE), mac=MAC))

    assert by_port == Neighbour(Sight.SEEN, MAC, None, "port1")
    assert by_address == Neighbour(Sight.SEEN, MAC, v6_of(PHONE), "port1")


def test_another_port_is_a_move() -> None:
    moves = told(a_port_entry(MAC), a_port_entry(MAC, OTHER_PORT))

    assert moves[1] == Neighbour(Sight.MOVED, MAC, None, "port2")


def test_the_same_port_again_is_no_news() -> None:
    assert len(told(a_port_entry(MAC), a_port_entry(MAC))) == 1


def test_a_device_that_no_longer_answers_is_gone() -> None:
    failed = an_entry(v4_of(PHONE), state=FAILED)

    assert told(an_entry(v4_of(PHONE), mac=MAC), failed)[1].sight is Sight.GONE


def test_an_entry_removed_is_gone_once() -> None:
    sightings = a_sightings()
    told(an_entry(v4_of(PHONE), mac=MAC), by=sightings)
    entry = replace(an_entry(v4_of(PHONE), mac=MAC, state=STALE), gone=True)

    assert len(told(entry, entry, by=sightings)) == 1


def test_an_address_that_changes_hands_is_seen_with_its_new_mac() -> None:
    news = told(an_entry(v4_of(PHONE), mac=MAC), an_entry(v4_of(PHONE), mac=mac_of(2), state=PROBE))

    assert news[1] == Neighbour(Sight.SEEN, mac_of(2), v4_of(PHONE))


def test_beyond_the_limit_the_device_known_longest_is_told_as_new() -> None:
    sightings = a_sightings()
    told(a_port_entry(MAC), by=sightings)
    crowd = [f"02:01:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}" for n in range(DEVICES_MAX)]
    told(*(a_port_entry(mac) for mac in crowd), by=sightings)

    assert told(a_port_entry(MAC), by=sightings) == [SEEN_AT_PORT]
    assert told(a_port_entry(crowd[-1]), by=sightings) == []


QUIET = {
    "a pinned entry": an_entry(v4_of(PHONE), mac=MAC, state=PERMANENT),
    "another interface": an_entry(v4_of(PHONE), mac=MAC, ifindex=LAN + 1),
    "a question not yet answered": an_entry(v4_of(PHONE), state=0x01),
    "a link-local address": an_entry(type(v6_of(1))("fe80::1"), mac=MAC),
    "a group's MAC": a_port_entry("33:33:00:00:00:01"),
    "nobody's MAC": a_port_entry("00:00:00:00:00:00"),
    "a link that is no MAC": a_port_entry("10.1.2.3"),
    "another bridge's port": replace(a_port_entry(MAC), bridge=LAN + 1),
    "a port table that forgets": replace(a_port_entry(MAC), gone=True),
    "the bridge's own MAC": a_port_entry(MAC, state=PERMANENT),
}


@pytest.mark.parametrize("name", QUIET)
def test_what_is_no_sighting_is_passed_over(name: str) -> None:
    assert told(QUIET[name]) == []


@pytest.mark.root
def test_a_device_on_the_lan_is_told_as_it_speaks() -> None:
    with Street() as street:
        street.reaches(PHONE, SERVER4)
        street.devices[PHONE].run("ping", "-c1", "-W1", "fd77:1::1")
        found = street.gateway.call(lambda: asyncio.run(_first(4)))
    told = {(n.mac, n.address, n.port) for n in found if n.mac == MAC}

    assert {(MAC, None, "port1"), (MAC, v4_of(PHONE), "port1")} <= told


@pytest.mark.root
def test_a_device_that_speaks_from_another_port_has_moved() -> None:
    with Street() as street:
        street.devices[PHONE].run("ping", "-c1", "-W1", "10.77.0.1")

        async def watch() -> Neighbour:
            async for neighbour in follow("br-lan"):
                if neighbour == Neighbour(Sight.SEEN, MAC, None, "port1"):
                    await asyncio.to_thread(_impersonate, street)
                if neighbour.sight is Sight.MOVED:
                    return neighbour
            raise AssertionError("the stream has no end")

        moved = street.gateway.call(lambda: asyncio.run(asyncio.wait_for(watch(), 5)))

    assert (moved.mac, moved.port) == (MAC, "port2")


def _impersonate(street: Street) -> None:
    thief = street.devices[2]
    thief.ip(f"link set eth0 address {MAC}")
    thief.run("sh", "-c", "ping -c1 -W1 10.77.0.1 || true")


async def _first(count: int) -> list[Neighbour]:
    found: list[Neighbour] = []
    async with asyncio.timeout(5):
        async for neighbour in follow("br-lan"):
            found.append(neighbour)
            if len(found) == count:
                return found
    return found


@pytest.mark.root
def test_following_an_interface_that_is_not_there_says_so() -> None:
    with Namespace("bare") as bare, pytest.raises(PlaneError, match="no interface br-lan"):
        bare.call(lambda: asyncio.run(_first(1)))


@pytest.mark.root
def test_when_events_were_lost_the_tables_are_read_again() -> None:
    crowd = [f"10.77.1.{number}" for number in range(1, 251)]

    async def watch(street: Street) -> set[str]:
        heard: set[str] = set()
        # The smallest queue that the kernel gives: it holds a handful of events.
        async for neighbour in follow("br-lan", queue_bytes=1):
            if neighbour == SEEN_AT_PORT:
                # Made while nothing here can listen, so that most of the events are lost.
                street.gateway.ip(
                    *(f"neigh replace {a} lladdr {MAC} dev br-lan nud stale" for a in crowd)
                )
            heard.add(str(neighbour.address))
            if heard >= set(crowd):
                return heard
        raise AssertionError("the stream has no end")

    with Street() as street:
        street.reaches(PHONE, SERVER4)
        heard = street.gateway.call(lambda: asyncio.run(asyncio.wait_for(watch(street), 20)))

    assert heard >= set(crowd)
