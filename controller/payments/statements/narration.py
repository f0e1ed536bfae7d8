"""What can be found in a bank's free text: receipts, references, payers. PURE.

Banks put the parts of a payment in an order of their own, between ``~`` or just spaces; so each
part is known by its shape. Source of the shapes: Co-operative Bank's instant notices, and public
importers of Kenyan statements.
"""

from __future__ import annotations

import re
from typing import NamedTuple

RECEIPT_MAX = 64
TEXT_MAX = 200
NAME_MAX = 80
REFERENCE_MAX = 64

_RECEIPT = re.compile(r"(?<![A-Z0-9])(?=[A-Z]*[0-9])(?=[0-9]*[A-Z])[A-Z0-9]{10}(?![A-Z0-9])")
_PAYER = re.compile(r"254[0-9]{9}|254[0-9]{1,5}\s?\*+\s?[0-9]{2,4}")
_MOMENT = re.compile(r"[0-9]{8}( [0-9]{6})?|[0-9]{2,4}[-/][0-9]{2}[-/][0-9]{2,4}.*")
_TYPED = re.compile(r"INV-[A-Z0-9-]{1,40}|(?=[A-Z]*[0-9])(?=[0-9]*[A-Z])[A-Z0-9]{12}|0[17][0-9]{8}")
_LABELLED = re.compile(r"\bAC(?:C(?:OUNT)?|CT)?(?:\s+NO)?\b[\s.:#]+([A-Z0-9-]{3,40})")
_CHARGE = re.compile(r"\b(charges?|fees?|commission|excise|levy)\b", re.IGNORECASE)
_REVERSAL = re.compile(r"\b(reversal|reversed|rev|returned|unpaid)\b", re.IGNORECASE)
_SIGNS = re.compile(r"[^\x20-\x7e\u00a0-\uffff]+")


class Told(NamedTuple):
    """What a narration says of a payment; "" for what it does not."""

    receipt: str
    reference: str
    payer: str
    name: str


def plain(text: str, most: int = TEXT_MAX) -> str:
    """Text on one line, without control characters, bounded."""
    return " ".join(_SIGNS.sub(" ", text).split())[:most]


def receipt_of(text: str) -> str:
    """A provider's own number without spaces, in upper case; "" for NONREF."""
    shown = "".join(c for c in text.upper() if "!" <= c <= "~")[:RECEIPT_MAX]
    return "" if shown in {"NONREF", "NOTPROVIDED"} else shown


def receipt_in(text: str) -> str:
    """The first word of ten letters and digits, with some of both: an M-PESA receipt; or ""."""
    found = _RECEIPT.search(text.upper())
    return found[0] if found else ""


def is_charge(text: str) -> bool:
    """Whether a text speaks of what the provider keeps."""
    return _CHARGE.search(text) is not None


def is_reversal(text: str) -> bool:
    """Whether a text speaks of money that goes back."""
    return _REVERSAL.search(text) is not None


def told_in(text: str) -> Told:
    """What a narration tells."""
    shown = plain(text)
    if "~" in shown:
        return _in_parts([part.strip() for part in shown.split("~")])
    words = re.split(r"[\s,;|]+", shown)
    labelled = _LABELLED.search(shown.upper())
    typed = next((word for word in words if _TYPED.fullmatch(word.upper())), "")
    payer = next((word for word in words if _PAYER.fullmatch(word)), "")
    return Told(receipt_in(shown), labelled[1] if labelled else typed, payer, "")


def _in_parts(parts: list[str]) -> Told:
    """Parts in any order: what has no digit is a name, what is nothing else is the reference."""
    receipt = next((part for part in parts if _RECEIPT.fullmatch(part.upper())), "")
    payer = next((part for part in parts if _PAYER.fullmatch(part)), "")
    rest = [p for p in parts if p not in {receipt, payer, ""} and not _MOMENT.fullmatch(p)]
    reference = next((part for part in rest if any(c.isdigit() for c in part)), "")
    name = next((part for part in rest if not any(c.isdigit() for c in part)), "")
    return Told(receipt.upper(), reference[:REFERENCE_MAX], payer, name[:NAME_MAX])
