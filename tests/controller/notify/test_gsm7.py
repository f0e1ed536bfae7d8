"""Parts of a text message, counted as carriers charge them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.notify.gsm7 import EXTENDED, is_gsm7, parts
from portal.account.messages import GSM7

COUNTED = [
    ("", 1),
    ("a" * 160, 1),
    ("a" * 161, 2),
    ("a" * 306, 2),
    ("a" * 307, 3),
    ("€" * 80, 1),
    ("€" * 81, 2),
    # A letter of two septets is never torn apart: 153 is odd, so each part leaves one septet empty.
    ("a" + "€" * 152, 2),
    ("a" + "€" * 153, 3),
    ("\u2019" * 70, 1),
    ("\u2019" * 71, 2),
    ("\u2019" * 134, 2),
    ("\u2019" * 135, 3),
    ("a" * 70 + "\u2019", 2),
    ("\U0001f600" * 35, 1),
    ("\U0001f600" * 36, 2),
    ("\U0001f600" * 67, 3),
]


@pytest.mark.parametrize(("text", "count"), COUNTED)
def test_parts_are_counted_as_they_are_charged(text: str, count: int) -> None:
    assert parts(text) == count


@given(st.text(sorted(GSM7 | EXTENDED), max_size=700))
def test_letters_of_the_alphabet_fill_their_parts(text: str) -> None:
    septets = sum(2 if one in EXTENDED else 1 for one in text)

    assert is_gsm7(text)
    assert parts(text) == 1 or 152 * (parts(text) - 1) < septets <= 153 * parts(text)


@given(st.text(sorted(GSM7 | EXTENDED), max_size=300))
def test_one_letter_beyond_the_alphabet_makes_nothing_cheaper(text: str) -> None:
    assert not is_gsm7(text + "\u2019")
    assert parts(text + "\u2019") >= parts(text)
