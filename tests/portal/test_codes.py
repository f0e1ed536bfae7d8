"""The one field for every kind of code: what it is, or what is wrong with it."""

from __future__ import annotations

import pytest

from portal.captive.codes import Fault, Kind, explained, reading
from portal.captive.gate import Refusal
from portal.captive.text import TABLES

SMS = (
    "SGH7K2Q0XD Confirmed. Ksh50.00 sent to UPEPO NETWORKS for account 0712345678 on 2/3/26 at"
    " 12:00 PM. New M-PESA balance is Ksh1,234.00. Transaction cost, Ksh0.00."
)

TABLE: list[tuple[str, Kind | Fault]] = [
    ("0123-4567-8901-2345-6789", Kind.TOKEN),
    ("01234567890123456789", Kind.TOKEN),
    ("0123 4567 8901 2345 6789", Kind.TOKEN),
    ("7kqm-2xwd-9ftr", Kind.VOUCHER),
    ("7KQM 2XWD 9FTR", Kind.VOUCHER),
    ("sgh7k2q0xd", Kind.RECEIPT),
    (SMS, Kind.RECEIPT),
    ("Umethibitisha SGH7K2Q0XD umetuma Ksh50.00 kwa Upepo", Kind.RECEIPT),
    ("", Fault.EMPTY),
    (" - ", Fault.EMPTY),
    ("0712 345 678", Fault.PHONE),
    ("+254712345678", Fault.PHONE),
    ("0123-4567-8901-2345-678", Fault.TOKEN_LENGTH),
    ("0123-4567-8901-2345-67890", Fault.TOKEN_LENGTH),
    ("7KQM-2XWD-9FTB", Fault.VOUCHER_CHARACTER),
    ("7KQM-2XWD-9FT0", Fault.VOUCHER_CHARACTER),
    ("I have paid you fifty shillings", Fault.MESSAGE),
    ("hello", Fault.NEITHER),
    ("246810", Fault.NEITHER),
]


@pytest.mark.parametrize(("text", "read"), TABLE)
def test_what_was_typed_is_read_as_it_was_meant(text: str, read: Kind | Fault) -> None:
    assert reading(text) == read


@pytest.mark.parametrize("language", TABLES)
@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_a_sentence(language: str, fault: Fault) -> None:
    assert TABLES[language][fault]


@pytest.mark.parametrize("language", TABLES)
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_of_every_kind_has_a_sentence(
    language: str, kind: Kind, refusal: Refusal
) -> None:
    assert TABLES[language][explained(refusal, kind)]


def test_a_receipt_is_not_called_a_voucher() -> None:
    assert explained(Refusal.VOUCHER_INVALID, Kind.RECEIPT) == "receipt.unknown"
    assert explained(Refusal.VOUCHER_INVALID, Kind.VOUCHER) == "refusal.voucher_invalid"
