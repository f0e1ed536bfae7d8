"""What the kernel tells of counters and elements: read at once it is what it is one by one."""

from __future__ import annotations

from sys import byteorder

import pytest

from shaping.linux.attributes import attribute
from shaping.linux.messages import ERROR, HEADER, runs, split
from shaping.linux.wire import kind_of, read_counter, read_counters, read_elements

NEWELEM, NEWOBJ = kind_of(12), kind_of(18)


def told(name: str, count: int, *, before: bytes = b"", after: bytes = b"") -> bytes:
    """A counter as the kernel tells it, with what may stand before and after its value."""
    value = attribute(1, count.to_bytes(8, "big")) + attribute(2, bytes(8))
    body = b"\x01\0\0\x05" + attribute(1, b"lango\0") + attribute(2, name.encode() + b"\0")
    body += attribute(6, bytes(8)) + attribute(3, bytes(4)) + attribute(5, bytes(4))
    body += before + attribute(4, value) + after
    return HEADER.pack(HEADER.size + len(body), NEWOBJ, 2, 7, 9) + body


COMMENT = attribute(8, bytes(8))
USUAL = told("d.session-1.0", 1)


@pytest.mark.parametrize(
    "other",
    [
        told("d.session-2.0", 2**64 - 1),
        told("d.session-22.0", 2),
        told("d.2.0", 2),
        told("d.2.0", 2, after=attribute(8, bytes(4))),
        told("d.session-2.0", 2, after=COMMENT),
    ],
)
@pytest.mark.parametrize("first", [USUAL, told("d.session-1.0", 1, before=COMMENT)])
def test_counters_read_at_once_are_what_they_are_one_by_one(first: bytes, other: bytes) -> None:
    block = first + other + first
    at_once = [counter for _, _, _, run in runs(block) for counter in read_counters(run)]

    assert at_once == [read_counter(body) for _, _, _, body in split(block)]
    assert at_once[0] == at_once[2] == ("d.session-1.0", 1)


def test_messages_of_one_header_are_one_run() -> None:
    assert list(runs(USUAL * 9)) == [(NEWOBJ, 2, 7, USUAL * 9)]


@pytest.mark.parametrize("at", range(4, HEADER.size))
def test_messages_of_another_header_are_no_run(at: int) -> None:
    other = USUAL[:at] + b"\x55" + USUAL[at + 1 :]

    assert [run for _, _, _, run in runs(USUAL + other)] == [USUAL, other]


def test_errors_are_told_one_by_one() -> None:
    error = HEADER.pack(36, ERROR, 0, 7, 9) + bytes(20)

    assert list(runs(error * 3)) == [(ERROR, 0, 7, error)] * 3


def an_element(key: bytes, *rest: bytes) -> bytes:
    """An element as the kernel tells it in a list: a key, and what comes after it."""
    return attribute(1, attribute(1, attribute(1, key)) + b"".join(rest))


def told_elements(*elements: bytes) -> bytes:
    """A message of a dump of a set."""
    body = b"\x01\0\0\x05" + attribute(1, b"lango\0") + attribute(2, b"name\0")
    body += attribute(3, b"".join(elements))
    return HEADER.pack(HEADER.size + len(body), NEWELEM, 2, 7, 9) + body


def a_name(name: str) -> bytes:
    return attribute(9, name.encode() + b"\0")


def a_number(value: int) -> bytes:
    return attribute(2, attribute(1, value.to_bytes(4, byteorder)))


def a_time(left_ms: int, of_ms: int = 60_000) -> bytes:
    return attribute(4, of_ms.to_bytes(8, "big")) + attribute(5, left_ms.to_bytes(8, "big"))


KEYS = [bytes([10, 77, 0, number]) for number in range(3)]
WORDS = attribute(6, b"by hand")
ELEMENTS: list[tuple[str, list[bytes], list[str | int | None]]] = [
    ("count_up4", [a_name("u.a.1"), a_name("u.b.1"), a_name("u.c.1")], ["u.a.1", "u.b.1", "u.c.1"]),
    (
        "cap4",
        [a_name("q.a.1"), a_name("q.b.12"), a_name("q.cccc.1")],
        ["q.a.1", "q.b.12", "q.cccc.1"],
    ),
    ("class4", [a_number(1), a_number(2**32 - 1), a_number(3)], [1, 2**32 - 1, 3]),
    ("class4", [a_number(1), a_number(2) + WORDS, a_number(3)], [1, 2, 3]),
    ("down4", [a_time(9), a_time(8, 70_000), a_time(2**40)], [9, 8, 2**40]),
    ("down4", [a_time(9), b"", a_time(7)], [9, None, 7]),
    ("down4", [WORDS + a_time(9), a_time(8) + WORDS, a_time(7)], [9, 8, 7]),
    ("blocked", [b"", b"", b""], [None, None, None]),
]
"""Sets, what comes after the key of three elements of it, and what that tells."""


@pytest.mark.parametrize(("name", "rest", "told"), ELEMENTS)
def test_elements_of_any_make_are_read(
    name: str, rest: list[bytes], told: list[str | int | None]
) -> None:
    run = told_elements(*map(an_element, KEYS, rest))

    assert dict(read_elements(name, run)) == dict(zip(KEYS, told, strict=True))
    assert dict(read_elements(name, run + told_elements())) == dict(zip(KEYS, told, strict=True))
