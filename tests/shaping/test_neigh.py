"""Neighbour messages: what is sent is read back, and what says nothing is passed over."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import pytest

from shaping.linux.attributes import attribute
from shaping.linux.messages import HEADER, runs
from shaping.linux.neigh import (
    RTM_DELNEIGH,
    RTM_NEWNEIGH,
    pin_message,
    read_entries,
    read_entry,
    read_pins,
    table_request,
)
from shaping.linux.sightings import Entry
from shaping.plane import MacAddress

LAN = 7
MAC = MacAddress("02:00:00:00:00:0a")
REACHABLE, PERMANENT = 0x02, 0x80
RTM_NEWLINK = 16


def a_message(family: int, *attributes: bytes, state: int = REACHABLE) -> bytes:
    return struct.pack("=BxxxiHBB", family, LAN, state, 0, 0) + b"".join(attributes)


LINK = attribute(2, bytes.fromhex(MAC.replace(":", "")))


def told(body: bytes) -> bytes:
    """A message of a dump."""
    return HEADER.pack(HEADER.size + len(body), RTM_NEWNEIGH, 2, 7, 9) + body


@pytest.mark.parametrize("address", ["10.77.0.9", "fd77::9"])
def test_a_pin_is_read_back_as_it_was_sent(address: str) -> None:
    pin = told(pin_message(LAN, ip_address(address), MAC))

    assert list(read_pins(pin, LAN)) == [(ip_address(address), MAC)]


def test_pins_read_at_once_are_those_among_whatever_stands_beside_them() -> None:
    addresses = [ip_address(f"10.77.0.{number}") for number in range(1, 4)]
    pins = [pin_message(LAN, address, MAC) for address in addresses]
    late = pin_message(LAN, addresses[1]) + LINK + attribute(9, bytes(4)) + attribute(12, b"\x4c")
    elsewhere = pin_message(LAN + 1, addresses[1], MAC)
    other = a_message(socket.AF_INET, pins[1][12:], state=REACHABLE)
    blocks = ((*pins, late), (pins[0], elsewhere, pins[2]), (pins[0], other, pins[2]))
    found = [
        [who for _, _, _, run in runs(b"".join(map(told, block))) for who, _ in read_pins(run, LAN)]
        for block in blocks
    ]

    assert found == [[*addresses, addresses[1]], addresses[::2], addresses[::2]]


def test_a_pin_of_another_interface_is_not_ours() -> None:
    pin = told(pin_message(LAN, ip_address("10.77.0.9"), MAC))

    assert not list(read_pins(pin, LAN + 1))


def test_a_permanent_entry_of_somebody_else_is_no_pin() -> None:
    message = a_message(socket.AF_INET, attribute(1, bytes(4)), LINK, state=PERMANENT)

    assert not list(read_pins(told(message), LAN))


def test_a_line_of_a_table_tells_what_an_event_does() -> None:
    entry = a_message(socket.AF_INET, attribute(1, bytes([10, 77, 0, 9])), LINK)
    pin = pin_message(LAN, ip_address("10.77.0.9"), MAC)

    assert list(read_entries(told(entry) + told(entry))) == [read_entry(RTM_NEWNEIGH, entry)] * 2
    assert list(read_entries(told(pin) + told(pin))) == []


def test_a_table_is_asked_for_by_family_and_interface() -> None:
    assert table_request(socket.AF_INET6, ifindex=LAN)[:8] == struct.pack("=BxxxI", 10, LAN)


def test_an_entry_tells_address_and_link() -> None:
    address = ip_address("10.77.0.9")
    message = a_message(socket.AF_INET, attribute(1, address.packed), LINK)

    assert read_entry(RTM_NEWNEIGH, message) == Entry(LAN, REACHABLE, MAC, address=address)


def test_an_entry_that_was_deleted_is_gone() -> None:
    message = a_message(socket.AF_INET, attribute(1, bytes([10, 77, 0, 9])))
    entry = read_entry(RTM_DELNEIGH, message)

    assert entry is not None
    assert entry.gone
    assert entry.link == ""


def test_an_entry_of_a_port_tells_its_bridge() -> None:
    message = a_message(socket.AF_BRIDGE, LINK, attribute(9, struct.pack("=I", 3)))

    assert read_entry(RTM_NEWNEIGH, message) == Entry(LAN, REACHABLE, MAC, bridge=3)


def test_pins_and_other_news_say_nothing() -> None:
    assert read_entry(RTM_NEWNEIGH, pin_message(LAN, ip_address("10.77.0.9"), MAC)) is None
    assert read_entry(RTM_NEWLINK, a_message(socket.AF_UNSPEC)) is None
