"""What an M-PESA shortcode needs to collect, and what Daraja refuses in an address. PURE."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.payments.bucket import REQUESTS_PER_S

if TYPE_CHECKING:
    from billing.msisdn import Msisdn

FORBIDDEN_WORDS = ("mpesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
"""Daraja refuses callback addresses with these words, in any case. (``exe`` covers ``exec``.)"""

RATIBA_TILL_TYPE = "Standing Order Customer Pay Marchant"
"""Spelt so in the Daraja 3.0 documentation of M-PESA Ratiba; older pages say Merchant."""

C2B_VERSIONS = ("v1", "v2")


@dataclass(frozen=True, slots=True)
class Initiator:
    """An API user of the organisation: who may look, pay out and reverse. No secret in its repr.

    ``certificate`` is Safaricom's for the environment, as PEM: the password is encrypted for it. It
    may be expired. Safaricom lets the password itself live for 90 days.
    """

    name: str
    password: str = field(repr=False)
    certificate: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MpesaSettings:
    """One shortcode's credentials. Its ``repr`` shows no secret.

    ``till`` is None for a PayBill. For a Till, ``shortcode`` is the store (head office) number that
    Safaricom gave at go-live and ``till`` the number that customers know. ``callback_url`` is what
    stands before the unguessable part of each payment's callback address.

    ``initiator`` is None for an account that only collects. ``c2b_version`` must be that of the
    product on the Daraja app. ``nominated_number`` is the phone in the shortcode's papers, wanted
    by Pull. ``merchant_name`` is shown by whoever scans our QR codes.
    """

    base_url: str
    shortcode: str
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    passkey: str = field(repr=False)
    callback_url: str
    till: str | None = None
    pushes_per_s: int = REQUESTS_PER_S
    initiator: Initiator | None = None
    c2b_version: str = "v2"
    nominated_number: Msisdn | None = field(default=None, repr=False)
    ratiba_till_type: str = RATIBA_TILL_TYPE
    merchant_name: str = "INTERNET"

    def __post_init__(self) -> None:
        if self.c2b_version not in C2B_VERSIONS:
            raise InvalidField("c2b_version", f"want one of {', '.join(C2B_VERSIONS)}")

    @property
    def transaction_type(self) -> str:
        """What kind of payment Daraja is to collect."""
        return "CustomerPayBillOnline" if self.till is None else "CustomerBuyGoodsOnline"

    @property
    def party_b(self) -> str:
        """Who receives: the PayBill itself, or the Till."""
        return self.shortcode if self.till is None else self.till

    @property
    def places(self) -> tuple[str, ...]:
        """Every number under which our money is told, the usual one first."""
        return (self.shortcode,) if self.till is None else (self.till, self.shortcode)

    @property
    def identifier_type(self) -> str:
        """What kind of number `party_b` is, in requests of the initiator: a Till, or a PayBill."""
        return "4" if self.till is None else "2"

    @property
    def bucket(self) -> str:
        """The name of the rate limit that all requests for this shortcode share."""
        return f"mpesa:{self.shortcode}"

    def credential(self) -> str:
        """The name of this credential set (64 hexadecimal digits); tells nothing of the key."""
        return hashlib.sha256(f"{self.base_url}\0{self.consumer_key}".encode()).hexdigest()


def callback_word_faults(url: str) -> tuple[InvalidField, ...]:
    """The words in a callback address for which Daraja refuses it."""
    text = url.partition("://")[2].lower()
    found = [word for word in FORBIDDEN_WORDS if word in text]
    return tuple(InvalidField("callback_url", f"Daraja refuses the word {w!r}") for w in found)
