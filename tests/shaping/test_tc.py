"""Class numbers and shaper messages."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shaping.linux import tc
from shaping.linux.attributes import attribute
from shaping.linux.handles import GROUP_MAJORS, GROUPS_MAX, LEAF_MAJORS, ROOT_MAJOR, list_of
from shaping.linux.messages import HEADER, runs, split
from shaping.plane import Burst, Rate

slots = st.integers(0, tc.GROUP_CLASSES * GROUPS_MAX - 1)


@given(slots)
def test_a_slot_is_found_again_by_its_class(slot: int) -> None:
    assert tc.slot_of(tc.classid_of(slot)) == slot


@given(slots)
def test_a_class_stands_in_the_group_that_its_mark_names(slot: int) -> None:
    assert tc.group_under(tc.parent_of(tc.classid_of(slot))) == tc.group_of(slot)


def test_no_queue_below_a_class_is_in_the_kernels_list_of_the_groups() -> None:
    groups = {list_of(major) for major in GROUP_MAJORS}

    assert len(groups) == 1
    assert groups.isdisjoint(map(list_of, LEAF_MAJORS))


def test_all_queues_of_ours_have_numbers_of_their_own() -> None:
    majors = [ROOT_MAJOR, *GROUP_MAJORS, *LEAF_MAJORS]

    assert len(set(majors)) == len(majors)
    assert max(majors) < 0x8000, "from there on the kernel gives numbers by itself"


@pytest.mark.parametrize(
    ("slot", "handle"), [(0, LEAF_MAJORS[0] << 16), (len(LEAF_MAJORS), 0), (249_999, 0)]
)
def test_the_kernel_numbers_what_we_have_no_numbers_for(slot: int, handle: int) -> None:
    assert tc.leaf_handle(tc.classid_of(slot)) == handle


@pytest.mark.parametrize("rate_bps", [85_000_000_000, 86_000_000_000, 10**12])
def test_a_queue_is_never_longer_than_the_kernels_field_for_it(rate_bps: int) -> None:
    limit = tc.leaf_limit_bytes(rate_bps)

    assert limit == min(rate_bps // 20, 2**32 - 1)
    assert tc.leaf_message(3, tc.classid_of(0), "bfifo", limit)


@pytest.mark.parametrize(
    "classid", [tc.ROOT_HANDLE | 1, 0x4C01FFFF, 0x4C010000, 0x00010001, 0xFFFF0001]
)
def test_classes_that_no_session_has_have_no_slot(classid: int) -> None:
    assert tc.slot_of(classid) is None


@given(slots, st.integers(8, 10**12))
def test_a_rate_is_read_back_as_it_was_sent(slot: int, rate_bps: int) -> None:
    classid = tc.classid_of(slot)
    message = tc.class_message(3, classid, rate_bps)

    assert tc.read_class(message) == tc.Class(
        classid, tc.parent_of(classid), tc.class_figures(rate_bps)
    )


def told_class(rate_bps: int, *, kind: bytes = b"htb\0", late: bytes = b"") -> bytes:
    """A class as a dump tells it: with statistics after its options."""
    usual = tc.class_message(3, tc.classid_of(7), rate_bps)
    body = usual.replace(attribute(1, b"htb\0"), late + attribute(1, kind)) + attribute(
        7, bytes(40)
    )
    return HEADER.pack(HEADER.size + len(body), 40, 2, 7, 9) + body


@pytest.mark.parametrize(
    "other",
    [
        told_class(2_000_000),
        told_class(10**12),
        told_class(2_000_000, kind=b"drr\0"),
        told_class(2_000_000, late=attribute(9, b"")),
    ],
)
@pytest.mark.parametrize("usual", [told_class(1_000_000), told_class(1, late=attribute(9, b""))])
def test_classes_read_at_once_are_what_they_are_one_by_one(usual: bytes, other: bytes) -> None:
    block = usual + other + usual
    at_once = [one for _, _, _, run in runs(block) for one in tc.read_classes(run)]
    one_by_one = [tc.read_class(body) for _, _, _, body in split(block)]

    assert at_once == [one for one in one_by_one if one is not None]
    assert at_once[0].classid == tc.classid_of(7)


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


speeds = st.integers(8, 10**11)
bursts = st.none() | st.builds(Burst, speeds, speeds, st.integers(1, 10**12))
rates = st.builds(Rate, speeds, speeds, bursts)


@given(rates)
def test_a_speed_with_its_burst_is_read_back_as_one_that_no_class_can_tell_apart(
    rate: Rate,
) -> None:
    read = tc.rate_of(*tc.session_figures(rate))

    assert read is not None
    assert tc.same_rate(read, rate)


@given(st.integers(8_000, 10**10), st.integers(2, 50), st.integers(100_000, 10**9))
def test_what_passes_at_the_speed_of_a_burst_is_its_size(
    rate_bps: int, times: int, size_bytes: int
) -> None:
    figures = tc.class_figures(rate_bps, times * rate_bps, size_bytes)
    bucket = figures.burst_ticks * 64 * figures.bytes_per_s // 10**9
    passed = bucket * times // (times - 1)  # it fills at the rate while it empties
    most = max(size_bytes, 2 * tc.burst_bytes(rate_bps))

    assert passed <= most * 101 // 100 + 10
    assert passed >= size_bytes * 99 // 100 - 10 or figures.burst_ticks > (1 << 32) - 10**6


def test_a_burst_that_is_slower_than_the_rate_is_none() -> None:
    slow = Rate(8_000_000, 2_000_000, Burst(4_000_000, 2_000_000, 1_000_000))

    assert tc.same_rate(slow, Rate(8_000_000, 2_000_000))


@pytest.mark.parametrize("members", [None, 1, 250])
def test_a_group_in_a_pool_sends_next_to_nothing_unasked(members: int | None) -> None:
    figures = tc.group_figures(members)

    assert (figures.bytes_per_s == 1) == (members is not None)
    assert figures.quantum_bytes == (60_000 if members is None else 1_514 * members)


def test_a_group_holds_nobody_back() -> None:
    fastest_bps = 10_000_000_000

    assert 8 * tc.group_figures(None).bytes_per_s >= 10 * fastest_bps
    assert 8 * tc.group_figures(1).ceil_bytes_per_s >= 10 * fastest_bps
