"""Prepaid codes: every single slip of the pen is found."""

from __future__ import annotations

import random
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidField
from billing.voucher import (
    ALPHABET,
    CODE_LENGTH,
    VoucherCode,
    check_character,
    new_code,
    parse_code,
    shown,
)

bodies = st.text(ALPHABET, min_size=CODE_LENGTH - 1, max_size=CODE_LENGTH - 1)
codes = bodies.map(lambda body: VoucherCode(body + check_character(body)))


@given(codes, st.integers(0, CODE_LENGTH - 1), st.sampled_from(ALPHABET))
def test_every_single_wrong_character_is_found(code: VoucherCode, at: int, wrong: str) -> None:
    slip = code[:at] + wrong + code[at + 1 :]

    assert slip == code or not is_code(slip)


@given(codes, st.integers(0, CODE_LENGTH - 2))
def test_every_swap_of_neighbours_is_found(code: VoucherCode, at: int) -> None:
    slip = code[:at] + code[at + 1] + code[at] + code[at + 2 :]

    assert slip == code or not is_code(slip)


def test_all_slips_of_some_codes_are_found_by_trying_each() -> None:
    seeded = random.Random(7)
    for _ in range(20):
        code = new_code(seeded.randrange)
        slips = {code[:i] + c + code[i + 1 :] for i in range(CODE_LENGTH) for c in ALPHABET}
        swaps = {code[:i] + code[i + 1] + code[i] + code[i + 2 :] for i in range(CODE_LENGTH - 1)}

        assert {s for s in slips | swaps if is_code(s)} == {code}


@given(codes)
def test_a_code_is_read_as_it_is_shown(code: VoucherCode) -> None:
    assert parse_code(shown(code).lower().replace("-", " - ")) == code


def test_a_fresh_code_is_a_code() -> None:
    assert is_code(new_code(secrets.randbelow))


def test_a_code_uses_all_the_randomness_it_asks_for() -> None:
    asked: list[int] = []
    new_code(lambda n: asked.append(n) or 0)  # type: ignore[func-returns-value] # notes and gives 0

    assert asked == [31] * 11


@pytest.mark.parametrize(
    "typed",
    ["", "7KQM", "7KQM-2XWD-9FTRR", "7KQM-2XWD-9FT0", "7KQM-2XWD-9FT\x00", "7KQM_2XWD_9FTR", "İ"],
)
def test_what_has_no_codes_shape_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(InvalidField, match=r"^code: want 12 letters and digits"):
        parse_code(typed)


def test_the_example_that_people_are_shown_is_a_code() -> None:
    with pytest.raises(InvalidField) as refusal:
        parse_code("")

    assert is_code(refusal.value.problem.rpartition(" ")[2])


def test_a_slip_is_asked_to_be_compared_with_the_paper() -> None:
    with pytest.raises(InvalidField, match=r"^code: a character is wrong"):
        parse_code("7KQM-2XWD-9FTS")


def test_no_two_characters_of_the_alphabet_look_alike() -> None:
    assert not set("01OIL") & set(ALPHABET)
    assert len(set(ALPHABET)) == 31


def is_code(text: str) -> bool:
    try:
        parse_code(text)
    except InvalidField:
        return False
    return True
