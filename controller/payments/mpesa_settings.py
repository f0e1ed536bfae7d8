"""What an M-PESA shortcode needs to collect, and what Daraja refuses in an address. PURE."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from billing.errors import InvalidField

PUSHES_PER_S = 5
"""Safaricom publishes no figure; five a second is what integrators begin with."""

FORBIDDEN_WORDS = ("mpesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
"""Daraja refuses callback addresses with these words, in any case. (``exe`` covers ``exec``.)"""


@dataclass(frozen=True, slots=True)
class MpesaSettings:
    """One shortcode's credentials. Its ``repr`` shows no secret.

    ``till`` is None for a PayBill. For a Till, ``shortcode`` is the store (head office) number that
    Safaricom gave at go-live and ``till`` the number that customers know. ``callback_url`` is what
    stands before the unguessable part of each payment's callback address.
    """

    base_url: str
    shortcode: str
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    passkey: str = field(repr=False)
    callback_url: str
    till: str | None = None
    pushes_per_s: int = PUSHES_PER_S

    @property
    def transaction_type(self) -> str:
        """What kind of payment Daraja is to collect."""
        return "CustomerPayBillOnline" if self.till is None else "CustomerBuyGoodsOnline"

    @property
    def party_b(self) -> str:
        """Who receives: the PayBill itself, or the Till."""
        return self.shortcode if self.till is None else self.till

    def credential(self) -> str:
        """The name of this credential set (64 hexadecimal digits); tells nothing of the key."""
        return hashlib.sha256(f"{self.base_url}\0{self.consumer_key}".encode()).hexdigest()


def callback_word_faults(url: str) -> tuple[InvalidField, ...]:
    """The words in a callback address for which Daraja refuses it."""
    text = url.partition("://")[2].lower()
    found = [word for word in FORBIDDEN_WORDS if word in text]
    return tuple(InvalidField("callback_url", f"Daraja refuses the word {w!r}") for w in found)
