"""What M-PESA's codes mean, and what is no code at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.payment import Evidence, Reason
from controller.payments.codes import (
    CODES,
    INITIATOR_CODES,
    Meaning,
    Retry,
    initiator_meaning,
    meaning,
    normal_code,
)

TABLES = pytest.mark.parametrize("table", [CODES, INITIATOR_CODES], ids=["prompt", "initiator"])
TOLD = """
1           no_balance
3           limit
17          provider_slow
1001        line_busy
1019        no_reply
1025        provider_slow
1032        cancelled
1037        no_reply
2001        wrong_pin
2028        our_side
9999        provider_slow
SFC_IC0003  our_side
"""


@pytest.mark.parametrize("line", TOLD.split("\n")[1:-1])
def test_a_refusal_is_told_in_the_customers_words(line: str) -> None:
    code, reason = line.split()

    assert meaning(code).reason is Reason(reason)


@pytest.mark.parametrize("code", ["4999", "2008", "15", "31337", "NO_SUCH", "-1"])
def test_what_is_not_decided_stays_open(code: str) -> None:
    assert meaning(code).evidence is Evidence.STILL_OPEN


def test_only_zero_is_paid() -> None:
    assert [c for c, says in CODES.items() if says.evidence is Evidence.PAID] == ["0"]


def test_only_zero_and_what_was_done_before_is_done() -> None:
    done = [c for c, says in INITIATOR_CODES.items() if says.evidence is Evidence.PAID]

    assert done == ["0", "R000001"]


def test_too_little_is_the_payers_after_a_prompt_and_ours_after_a_request() -> None:
    assert (meaning("1").reason, initiator_meaning("1").reason) == (
        Reason.NO_BALANCE,
        Reason.OUR_SIDE,
    )


@pytest.mark.parametrize("code", ["15", "17", "2008", "4999", "31337", "R000003"])
def test_a_refund_that_nobody_calls_failed_is_open(code: str) -> None:
    assert initiator_meaning(code).evidence is Evidence.STILL_OPEN


@TABLES
def test_every_refusal_has_a_reason_and_nothing_else_has(table: dict[str, Meaning]) -> None:
    bare = [
        c for c, m in table.items() if (m.evidence is Evidence.REFUSED) != (m.reason is not None)
    ]

    assert bare == []


@TABLES
def test_every_meaning_names_its_source(table: dict[str, Meaning]) -> None:
    assert all(says.source and says.text for says in table.values())


def test_an_unknown_code_is_for_staff_to_look_at() -> None:
    assert meaning("31337").retry is Retry.UNKNOWN


@pytest.mark.parametrize("raw", [0, "0", " 0 ", "00", "0.0", "0.00"])
def test_zero_is_zero_however_it_is_written(raw: object) -> None:
    assert normal_code(raw) == "0"


@pytest.mark.parametrize(
    "raw", [None, "", "  ", False, True, [], {}, "0" * 33, "\x00", "0\n0", "\u0660", 0.0]
)
def test_what_is_no_code_is_not_taken_for_zero(raw: object) -> None:
    assert normal_code(raw) is None


@TABLES
def test_every_code_of_the_table_is_in_normal_form(table: dict[str, Meaning]) -> None:
    assert [c for c in table if normal_code(c) != c] == []


@given(st.integers() | st.text() | st.none() | st.booleans())
def test_normal_form_is_reached_at_once(raw: object) -> None:
    once = normal_code(raw)

    assert once is None or normal_code(once) == once


@given(st.integers(min_value=1, max_value=10**9))
def test_no_other_number_is_ever_zero(number: int) -> None:
    assert normal_code(json.loads(str(number))) != "0"
