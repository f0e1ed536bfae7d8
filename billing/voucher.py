"""Prepaid codes: their alphabet, check character and normal form. PURE.

A code is 11 random characters and one check character of an alphabet without look-alikes, shown in
groups of four: ``7KQM-2XWD-9FTR``. 31^11 codes are about 54 bits. Randomness is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NewType

from billing.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable

VoucherCode = NewType("VoucherCode", str)
"""A voucher code in normal form: 12 characters, upper case, no dashes."""

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""31 characters (a prime, which the check character needs): no 0/O, 1/I/L."""

CODE_LENGTH = 12
_LOOK_ALIKES = str.maketrans({"-": "", " ": ""})


def new_code(below: Callable[[int], int]) -> VoucherCode:
    """A fresh code; ``below(n)`` gives a uniform random integer in 0 … n-1 (a CSPRNG's)."""
    body = "".join(ALPHABET[below(len(ALPHABET))] for _ in range(CODE_LENGTH - 1))
    return VoucherCode(body + check_character(body))


def check_character(body: str) -> str:
    """The last character: a weighted sum modulo 31.

    It finds every single wrong character and every swap of two neighbours.
    """
    total = sum((i + 1) * ALPHABET.index(c) for i, c in enumerate(body))
    return ALPHABET[total % len(ALPHABET)]


def parse_code(text: str) -> VoucherCode:
    """The normal form of what a person typed. Raises `InvalidField` (field ``code``)."""
    code = text.upper().translate(_LOOK_ALIKES)
    if len(code) != CODE_LENGTH or any(c not in ALPHABET for c in code):
        raise InvalidField("code", f"want {CODE_LENGTH} letters and digits like 7KQM-2XWD-9FTR")
    if check_character(code[:-1]) != code[-1]:
        raise InvalidField("code", "a character is wrong: please compare with the slip")
    return VoucherCode(code)


def shown(code: VoucherCode) -> str:
    """The code in groups of four for people."""
    return "-".join(code[i : i + 4] for i in range(0, CODE_LENGTH, 4))
