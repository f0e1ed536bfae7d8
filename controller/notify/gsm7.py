"""How many parts a text message has, which is what it costs. PURE.

Source: 3GPP TS 23.038 (GSM 03.38). A message of the GSM 7-bit alphabet has 160 septets, or 153 in
each part of several; one letter beyond it makes the whole message UCS-2, of 70 or 67 units a part.
"""

from __future__ import annotations

from portal.account.messages import GSM7

EXTENDED = frozenset("^{}\\[~]|€\f")
"""Letters that take two septets, the escape and another; never torn apart between two parts."""

GSM7_ALONE, GSM7_PART = 160, 153
UCS2_ALONE, UCS2_PART = 70, 67
BEYOND_UCS2 = 0xFFFF
"""Letters above take two units of 16 bits."""


def is_gsm7(text: str) -> bool:
    """Whether every letter is of the 7-bit alphabet or of its extension."""
    return set(text) <= GSM7 | EXTENDED


def parts(text: str) -> int:
    """How many parts a carrier sends, and charges; an empty text is one."""
    if is_gsm7(text):
        widths = [2 if one in EXTENDED else 1 for one in text]
        return _packed(widths, alone=GSM7_ALONE, part=GSM7_PART)
    widths = [2 if ord(one) > BEYOND_UCS2 else 1 for one in text]
    return _packed(widths, alone=UCS2_ALONE, part=UCS2_PART)


def _packed(widths: list[int], *, alone: int, part: int) -> int:
    if sum(widths) <= alone:
        return 1
    count, used = 1, 0
    for width in widths:
        if used + width > part:
            count, used = count + 1, 0
        used += width
    return count
