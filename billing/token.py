"""Activation tokens: 20 digits that a site accepts with its link down. PURE.

Shown as 4-4-4-4-4, like a token for prepaid electricity. 20 digits hold 66 bits: the version of
the site's key (2), the plan's slot (8), a serial number (20) and a keyed MAC (36). What the MAC
does not show is masked by it (a synthetic initialisation vector), so that a token tells a stranger
nothing, not even how many were sold. A guess is right once in 2^36 for each serial that is out; the
site limits guesses.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, NewType

from billing.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Mapping

TokenCode = NewType("TokenCode", str)
"""An activation token in normal form: 20 digits."""

CODE_LENGTH = 20
VERSION_BITS, SLOT_BITS, SERIAL_BITS, MAC_BITS = 2, 8, 20, 36
VERSIONS, SLOTS, SERIALS = 1 << VERSION_BITS, 1 << SLOT_BITS, 1 << SERIAL_BITS
SECRET_BYTES = 32
_CLEAR_BITS = SLOT_BITS + SERIAL_BITS
_SPACERS = str.maketrans({"-": "", " ": "", "\u00a0": ""})


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says: which key made it, which plan slot it opens, and its number."""

    version: int
    slot: int
    serial: int

    def __post_init__(self) -> None:
        assert 0 <= self.version < VERSIONS
        assert 0 <= self.slot < SLOTS
        assert 0 <= self.serial < SERIALS


def encode(token: Token, secret: bytes) -> TokenCode:
    """The token's 20 digits under the site's key of its version."""
    clear = token.slot << SERIAL_BITS | token.serial
    mac = _mac(secret, token)
    hidden = clear ^ _mask(secret, token.version, mac)
    number = (token.version << _CLEAR_BITS | hidden) << MAC_BITS | mac
    return TokenCode(f"{number:0{CODE_LENGTH}d}")


def parse_token(text: str) -> TokenCode:
    """The normal form of what a person typed. Raises `InvalidField` (field ``code``)."""
    code = text.strip().translate(_SPACERS)
    if len(code) != CODE_LENGTH or not (code.isascii() and code.isdecimal()):
        raise InvalidField("code", f"want {CODE_LENGTH} digits like 0123-4567-8901-2345-6789")
    return TokenCode(code)


def decode(code: TokenCode, secrets: Mapping[int, bytes]) -> Token | None:
    """What a token says, or None when none of these keys (by version) made it."""
    number = int(code)
    mac = number & (1 << MAC_BITS) - 1
    hidden = number >> MAC_BITS & (1 << _CLEAR_BITS) - 1
    version = number >> MAC_BITS + _CLEAR_BITS
    secret = secrets.get(version)
    if secret is None:
        return None
    slot, serial = divmod(hidden ^ _mask(secret, version, mac), SERIALS)
    token = Token(version, slot, serial)
    right = _mac(secret, token).to_bytes(8), mac.to_bytes(8)
    return token if hmac.compare_digest(*right) else None


def shown(code: TokenCode) -> str:
    """The token in groups of four for people."""
    return "-".join(code[i : i + 4] for i in range(0, CODE_LENGTH, 4))


def _mac(secret: bytes, token: Token) -> int:
    said = token.version.to_bytes(1) + token.slot.to_bytes(1) + token.serial.to_bytes(3)
    return _keyed(secret, b"mac", said) >> 256 - MAC_BITS


def _mask(secret: bytes, version: int, mac: int) -> int:
    return _keyed(secret, b"mask", bytes([version]) + mac.to_bytes(5)) >> 256 - _CLEAR_BITS


def _keyed(secret: bytes, use: bytes, said: bytes) -> int:
    assert len(secret) == SECRET_BYTES, "a token key is 32 bytes"
    return int.from_bytes(hmac.digest(secret, use + b"\0" + said, sha256))
