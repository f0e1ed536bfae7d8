"""Receipts: what a payer can show for money that the provider has. PURE.

Source: an M-PESA receipt is ten upper-case letters and digits today, in the message as its first
word of that shape ("SGH7K2Q0XD Confirmed. …").
"""

from __future__ import annotations

import re
from typing import NewType

from billing.errors import InvalidField

Receipt = NewType("Receipt", str)
"""A provider's number for a settled payment, in upper case."""

TEXT_MAX = 400
"""A pasted message is no longer than this."""

_FIRST_WORD = re.compile(r"(?=[0-9]*[A-Z])[A-Z0-9]{10}\b", re.ASCII)
"""Not figures alone: that would be a phone number. Letters alone do occur."""

_ANY_WORD = re.compile(r"\b(?=[A-Z]*[0-9])(?=[0-9]*[A-Z])[A-Z0-9]{10}\b", re.ASCII)
"""Further on in a text, ten letters may be any word."""


def parse_receipt(text: str) -> Receipt:
    """The receipt that a person typed, or pasted with its whole message.

    Raises `InvalidField` (field ``code``).
    """
    words = text[:TEXT_MAX].strip().upper()
    found = _FIRST_WORD.match(words) or _ANY_WORD.search(words)
    if found is None:
        raise InvalidField("code", "want the 10 letters and digits of the M-PESA message")
    return Receipt(found[0])
