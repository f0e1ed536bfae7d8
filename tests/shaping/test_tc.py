"""Class numbers and shaper messages."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shaping.linux import tc

slots = st.integers(0, tc.GROUP_CLASSES * tc.GROUPS_MAX - 1)


@given(slots)
def test_a_slot_is_found_again_by_its_class(slot: int) -> None:
    assert tc.slot_of(tc.classid_of(slot)) == slot


@given(slots)
def test_a_class_stands_in_the_group_that_its_mark_names(slot: int) -> None:
    assert (tc.classid_of(slot) >> 16) - tc.ROOT_MAJOR == tc.group_of(slot)


@pytest.mark.parametrize(
    "classid", [tc.ROOT_HANDLE | 1, 0x4C01FFFF, 0x4C010000, 0x00010001, 0xFFFF0001]
)
def test_classes_that_no_session_has_have_no_slot(classid: int) -> None:
    assert tc.slot_of(classid) is None


@given(slots, st.integers(8, 10**12))
def test_a_rate_is_read_back_as_it_was_sent(slot: int, rate_bps: int) -> None:
    classid = tc.classid_of(slot)
    message = tc.class_message(3, classid, rate_bps)

    assert tc.read_class(message) == (classid, rate_bps // 8)


@given(st.integers(0, 2**32 - 1) | st.sampled_from([1 << 30, 1 << 16, tc.ROOT_HANDLE]))
def test_the_chooser_answers_the_group_of_a_mark_and_never_the_root_itself(mark: int) -> None:
    answer = _run(tc.chooser_program(), mark)
    group = mark & 0xFFFF

    assert answer == (group | tc.ROOT_HANDLE if group else 0)
    assert answer != tc.ROOT_HANDLE, "to the kernel that class would mean unshaped"


def _run(program: bytes, mark: int) -> int:
    """Classic BPF, as far as our program goes."""
    steps: list[tuple[int, int, int, int]] = list(struct.iter_unpack("=HBBI", program))
    value: int = 0
    position: int = 0
    while True:
        code, jump_true, jump_false, constant = steps[position]
        position += 1
        match code:
            case 0x20:
                value = mark
            case 0x15:
                position += jump_true if value == constant else jump_false
            case 0x44:
                value |= constant
            case 0x54:
                value &= constant
            case 0x16:
                return value
            case _:
                return constant


@given(st.integers(1, 10**11))
def test_a_burst_holds_at_least_ten_milliseconds(rate_bps: int) -> None:
    assert tc.burst_bytes(rate_bps) >= rate_bps // 8 // 100
