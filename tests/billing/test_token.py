"""Activation tokens: what was encoded is decoded, and nothing else is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidField
from billing.token import (
    CODE_LENGTH,
    SERIALS,
    SLOTS,
    VERSIONS,
    Token,
    TokenCode,
    decode,
    encode,
    parse_token,
    shown,
)

KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
tokens = st.builds(
    Token, st.integers(0, VERSIONS - 1), st.integers(0, SLOTS - 1), st.integers(0, SERIALS - 1)
)


@given(tokens)
def test_a_token_is_read_as_it_was_made(token: Token) -> None:
    assert decode(encode(token, KEY), {token.version: KEY}) == token


@given(tokens)
def test_a_token_of_another_site_opens_nothing(token: Token) -> None:
    assert decode(encode(token, OTHER), dict.fromkeys(range(VERSIONS), KEY)) is None


@given(tokens)
def test_a_token_under_a_key_that_was_given_up_opens_nothing(token: Token) -> None:
    assert decode(encode(token, KEY), {(token.version + 1) % VERSIONS: KEY}) is None


@given(tokens, st.integers(0, CODE_LENGTH - 1), st.sampled_from("0123456789"))
def test_every_single_wrong_digit_is_found(token: Token, at: int, wrong: str) -> None:
    code = encode(token, KEY)
    slip = TokenCode(code[:at] + wrong + code[at + 1 :])

    assert slip == code or decode(slip, {token.version: KEY}) is None


def test_a_hundred_thousand_guesses_open_nothing() -> None:
    seeded = random.Random(11)
    keys = {0: KEY, 1: OTHER}
    guesses = (TokenCode(f"{seeded.randrange(10**CODE_LENGTH):020d}") for _ in range(100_000))

    assert not any(decode(guess, keys) for guess in guesses)


def test_tokens_that_follow_each_other_look_unlike() -> None:
    codes = [encode(Token(1, 7, serial), KEY) for serial in range(200)]
    heads = {code[:6] for code in codes}

    assert len(heads) > 190, "a token must not show how many were sold before it"


def test_the_largest_token_has_twenty_digits() -> None:
    code = encode(Token(VERSIONS - 1, SLOTS - 1, SERIALS - 1), KEY)

    assert len(code) == CODE_LENGTH


def test_a_known_token_stays_what_it_is() -> None:
    assert encode(Token(2, 5, 1_234), KEY) == "54566791689347684546"


@given(tokens)
def test_a_token_is_typed_as_it_is_shown(token: Token) -> None:
    code = encode(token, KEY)

    assert parse_token(f" {shown(code).replace('-', ' - ')} ") == code


@pytest.mark.parametrize(
    "text",
    ["", "1234", "1" * 19, "1" * 21, "1" * 19 + "x", "\u0661" * 20, "1" * 19 + "\n", "-" * 20],
)
def test_what_is_no_token_is_refused_by_field(text: str) -> None:
    with pytest.raises(InvalidField, match=r"^code: want 20 digits"):
        parse_token(text)
