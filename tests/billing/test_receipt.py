"""A payer's receipt is found in what a person types or pastes."""

from __future__ import annotations

import pytest

from billing.errors import InvalidField
from billing.receipt import TEXT_MAX, parse_receipt

MESSAGE = "SGH7K2Q0XD Confirmed. Ksh10.00 sent to LANGO WIFI for account 5888C36E926F on 23/11/26."


@pytest.mark.parametrize(
    "text", ["SGH7K2Q0XD", "  sgh7k2q0xd ", MESSAGE, MESSAGE.lower(), f"Fwd: {MESSAGE}"]
)
def test_a_receipt_is_read_as_typed_or_pasted(text: str) -> None:
    assert parse_receipt(text) == "SGH7K2Q0XD"


def test_a_receipt_of_letters_alone_is_read_when_it_comes_first() -> None:
    assert parse_receipt(" sghkzqrxdw Confirmed.") == "SGHKZQRXDW"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0712345678",
        "I am CONFIRMING",
        "SGH7K2Q0X",
        "SGH7K2Q0XDA",
        "SGH7 K2Q0XD",
        "ŚGH7K2Q0XD",
        "x" * TEXT_MAX + " SGH7K2Q0XD",
    ],
)
def test_what_is_no_receipt_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(InvalidField) as refused:
        parse_receipt(text)

    assert refused.value.field == "code"
