"""Whatever way records come, they fold to the same sessions."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from billing.grant import Spent
from billing.ids import GrantId, SessionId
from controller.records import SessionView, contiguous, folded
from tests.support.builders import (
    OTHER_SITE,
    SITE,
    a_record,
    closed,
    hex_id,
    opened,
    reading,
)
from tests.support.clock import MORNING

GRANT = GrantId("b" * 32)
NAME = SessionId(hex_id("session"))

readings = st.lists(
    st.tuples(st.sampled_from(["e1", "e2", "e3"]), st.integers(0, 10**9), st.integers(0, 10**9)),
    min_size=1,
    max_size=30,
)


def usage_of(told: list[tuple[str, int, int]]) -> tuple[int, int]:
    records = [
        a_record(n, reading(grant_id=GRANT, epoch=epoch, down=down, up=up))
        for n, (epoch, down, up) in enumerate(told, start=1)
    ]
    usage = folded({}, records, site_id=SITE, now=MORNING).sessions[NAME].meter.usage
    return usage.down_bytes, usage.up_bytes


@given(readings, st.integers(0))
def test_usage_does_not_depend_on_order_or_repeats(
    told: list[tuple[str, int, int]], seed: int
) -> None:
    again = told + told[: seed % (len(told) + 1)]
    random.Random(seed).shuffle(again)

    assert usage_of(again) == usage_of(told)


@given(st.lists(st.integers(1, 40)), st.integers(0, 40))
def test_contiguous_records_follow_the_ack_without_a_gap(seqs: list[int], acked: int) -> None:
    taken = [r.seq for r in contiguous([a_record(n, closed(grant_id=GRANT)) for n in seqs], acked)]

    assert taken == list(range(acked + 1, acked + 1 + len(taken)))
    assert acked + len(taken) + 1 not in seqs


def test_opening_that_was_never_reported_does_not_lose_the_usage() -> None:
    session = folded(
        {}, [a_record(1, reading(grant_id=GRANT, down=7))], site_id=SITE, now=MORNING
    ).sessions[NAME]

    assert (session.mac, session.meter.usage.down_bytes) == ("", 7)


def test_session_of_another_site_is_left_alone() -> None:
    theirs = SessionView(NAME, OTHER_SITE, GRANT, "", (), MORNING, MORNING)
    result = folded(
        {NAME: theirs}, [a_record(1, reading(grant_id=GRANT, down=7))], site_id=SITE, now=MORNING
    )

    assert (result.sessions, result.foreign) == ({}, frozenset({NAME}))


def test_reading_that_says_nothing_new_is_not_written_again() -> None:
    first = folded({}, [a_record(1, reading(grant_id=GRANT, down=7))], site_id=SITE, now=MORNING)
    again = folded(
        first.sessions, [a_record(2, reading(grant_id=GRANT, down=6))], site_id=SITE, now=MORNING
    )

    assert again.epochs == frozenset()


def test_spending_of_a_grant_is_the_most_that_was_reported() -> None:
    records = [
        a_record(1, reading("one", grant_id=GRANT, validity_s=9, uptime_s=1)),
        a_record(2, reading("two", grant_id=GRANT, validity_s=5, uptime_s=4)),
    ]

    assert folded({}, records, site_id=SITE, now=MORNING).spent == {GRANT: Spent(9, 4, 0)}


def test_session_that_was_moved_closes_once() -> None:
    records = [
        a_record(1, opened(grant_id=GRANT)),
        a_record(2, closed(grant_id=GRANT, reason="moved")),
        a_record(3, closed(grant_id=GRANT, reason="idle")),
    ]

    assert folded({}, records, site_id=SITE, now=MORNING).sessions[NAME].closed_reason == "moved"
