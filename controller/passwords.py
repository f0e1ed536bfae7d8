"""Passwords: which are good enough, and their hashes (argon2id).

Hashing is made to be slow and large: it runs beside the loop, few at a time, so that a flood of
sign-ins cannot take all memory. Parameters are those of RFC 9106 §4, the second recommended
choice (3 passes over 64 MiB), in one lane: a controller may have one core.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from billing.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

LENGTH_MIN = 10
LENGTH_MAX = 128
DIFFERENT_MIN = 5
AT_ONCE_MAX = 2

OWN_MIN = 4

FIRST_GUESSES = (
    "password",
    "qwerty",
    "123456",
    "iloveyou",
    "letmein",
    "welcome",
    "admin",
    "nairobi",
    "kenya",
    "safaricom",
    "mpesa",
    "lango",
)
"""What people try first, whatever digits come after it (NIST SP 800-63B §3.1.1.2, blocklist)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password was right, and whether its hash is of older parameters than ours."""

    is_right: bool
    is_stale: bool = False


class Passwords:
    """Hashes and checks; a name that is not there costs as much as one that is."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Our own parameters, unless told."""
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
        self._room = ThreadPoolExecutor(AT_ONCE_MAX, thread_name_prefix="passwords")
        self._nobody = ""

    async def hashed(self, password: str) -> str:
        """The hash of a password, with its salt and parameters."""
        return await self._beside(self._hasher.hash, password)

    async def check(self, kept: str, password: str) -> Verdict:
        """Whether ``password`` is that of a hash; "" is the hash of nobody, and takes as long."""
        if not self._nobody:
            self._nobody = await self.hashed("nobody has this password")
        is_right = await self._beside(self._verified, kept or self._nobody, password)
        if not kept or not is_right:
            return Verdict(is_right=False)
        return Verdict(is_right=True, is_stale=self._hasher.check_needs_rehash(kept))

    async def _beside(self, work: Callable[P, R], *told: P.args, **more: P.kwargs) -> R:
        """Work done in a thread, when there is room."""
        return await asyncio.wrap_future(self._room.submit(work, *told, **more))

    def _verified(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password[:LENGTH_MAX])
        except (VerificationError, InvalidHashError):
            return False


def good_password(text: str, *, login: str = "") -> str:
    """A password that may be chosen. Raises `InvalidField`, without a word of it."""
    if not LENGTH_MIN <= len(text) <= LENGTH_MAX:
        raise InvalidField("password", f"want {LENGTH_MIN} to {LENGTH_MAX} characters")
    if len(set(text)) < DIFFERENT_MIN:
        raise InvalidField("password", f"want at least {DIFFERENT_MIN} different characters")
    small = text.lower()
    own = login.partition("@")[0].lower()
    if len(own) >= OWN_MIN and own in small:
        raise InvalidField("password", "it holds your own name or number")
    if small.rstrip("0123456789!.@#$%") in FIRST_GUESSES or small.isdigit():
        raise InvalidField("password", "it is one of the first that people guess")
    return text
