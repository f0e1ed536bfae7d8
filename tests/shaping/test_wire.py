"""Counters as the kernel tells them: many read at once are what they are one by one."""

from __future__ import annotations

import pytest

from shaping.linux.attributes import attribute
from shaping.linux.messages import ERROR, HEADER, runs, split
from shaping.linux.wire import kind_of, read_counter, read_counters

NEWOBJ = kind_of(18)


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
