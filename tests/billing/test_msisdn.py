"""Phone numbers as people type them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidField
from billing.msisdn import (
    AIRTEL,
    MPESA,
    WALLETS,
    Msisdn,
    masked,
    parse_msisdn,
    parse_phone_code,
    wallet_guess,
    wallet_of,
)

FORMS = """
0712345678        254712345678
0712 345 678      254712345678
0712-345-678      254712345678
(0712) 345 678    254712345678
712345678         254712345678
0110 345 678      254110345678
110345678         254110345678
254712345678      254712345678
+254712345678     254712345678
+254 712 345 678  254712345678
254 (712) 345.678 254712345678
"""

NOT_FORMS = [
    "",
    "0",
    "071234567",
    "07123456789",
    "0812345678",
    "812345678",
    "255712345678",
    "+255712345678",
    "2540712345678",
    "254812345678",
    "++254712345678",
    "00254712345678",
    "07123456a8",
    "٠٧١٢٣٤٥٦٧٨",
    "0712345678;id",
    "0712345678\x00",
]


@pytest.mark.parametrize("row", FORMS.strip().splitlines())
def test_every_written_form_is_the_same_number(row: str) -> None:
    typed, _, normal = row.rpartition(" ")

    assert parse_msisdn(typed) == normal


@pytest.mark.parametrize("typed", NOT_FORMS)
def test_what_is_no_kenyan_mobile_number_is_refused(typed: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        parse_msisdn(typed)

    assert refusal.value.field == "phone"


@given(st.from_regex(r"254[17][0-9]{8}", fullmatch=True))
def test_the_normal_form_is_its_own_normal_form(number: str) -> None:
    assert parse_msisdn(number) == number


@given(st.text())
def test_any_text_is_read_or_refused(typed: str) -> None:
    try:
        number = parse_msisdn(typed)
    except InvalidField:
        return

    assert number.isascii()
    assert len(number) == 12


@given(st.from_regex(r"254[17][0-9]{8}", fullmatch=True))
def test_a_masked_number_hides_five_digits(number: str) -> None:
    assert masked(number) == f"{number[:4]}••••{number[-3:]}"


@pytest.mark.parametrize("number", ["", "12345678"])
def test_a_number_too_short_to_mask_is_hidden_whole(number: str) -> None:
    assert masked(number) == "••••"


@pytest.mark.parametrize("typed", ["042137", "042 137", "042-137"])
def test_a_phones_code_is_read_as_people_type_it(typed: str) -> None:
    assert parse_phone_code(typed) == "042137"


@pytest.mark.parametrize("typed", ["", "42137", "0421370", "04213a", "٠٤٢١٣٧"])
def test_what_is_no_phones_code_is_refused(typed: str) -> None:
    with pytest.raises(InvalidField, match="code"):
        parse_phone_code(typed)


GUESSES = """
0729  mpesa
0730  airtel
0739  airtel
0740  mpesa
0749  mpesa
0750  airtel
0756  airtel
0757  mpesa
0761  mpesa
0762  airtel
0763  mpesa
0767  airtel
0768  mpesa
0779  mpesa
0780  airtel
0789  airtel
0790  mpesa
0100  airtel
0106  airtel
0107  mpesa
0110  mpesa
"""


@pytest.mark.parametrize("row", GUESSES.strip().splitlines())
def test_a_prefix_points_to_a_wallet(row: str) -> None:
    prefix, wallet = row.split()

    assert wallet_guess(parse_msisdn(f"{prefix} 345 678")) == wallet


@given(st.from_regex(r"254[17][0-9]{8}", fullmatch=True))
def test_a_guess_is_always_a_wallet(number: str) -> None:
    assert wallet_guess(number) in WALLETS


BOTH = (MPESA, AIRTEL)
OURS, THEIRS = "254712345678", "254733345678"


@pytest.mark.parametrize(
    ("number", "told", "wallet"),
    [
        (OURS, {"among": BOTH}, MPESA),
        (THEIRS, {"among": BOTH}, AIRTEL),
        (THEIRS, {"among": BOTH, "chosen": MPESA}, MPESA),
        (OURS, {"among": BOTH, "before": AIRTEL}, AIRTEL),
        (OURS, {"among": BOTH, "chosen": MPESA, "before": AIRTEL}, MPESA),
        (THEIRS, {"among": (MPESA, "other")}, MPESA),
        (OURS, {"among": (AIRTEL, "other")}, AIRTEL),
        (OURS, {"among": BOTH, "before": "gone"}, MPESA),
        (THEIRS, {"among": (MPESA,)}, ""),
        (THEIRS, {"among": (MPESA,), "chosen": MPESA}, ""),
        (THEIRS, {"among": (), "before": AIRTEL}, ""),
    ],
)
def test_the_payers_choice_goes_before_what_was_and_that_before_the_guess(
    number: str, told: dict[str, Any], wallet: str
) -> None:
    assert wallet_of(Msisdn(number), **told) == wallet


@pytest.mark.parametrize("among", [(), (MPESA,), BOTH])
def test_a_wallet_that_does_not_collect_cannot_be_chosen(among: tuple[str, ...]) -> None:
    with pytest.raises(InvalidField, match="rail"):
        wallet_of(Msisdn(OURS), among=among, chosen="card")
