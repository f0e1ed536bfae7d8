"""What an M-PESA shortcode needs to collect, and the faults that such settings can have. PURE."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from billing.errors import InvalidField

SANDBOX_URL = "https://sandbox.safaricom.co.ke"
PRODUCTION_URL = "https://api.safaricom.co.ke"
PUSHES_PER_S = 5
"""Safaricom publishes no figure; five a second is what integrators begin with."""

FORBIDDEN_WORDS = ("mpesa", "safaricom", "exe", "exec", "cmd", "sql", "query")
"""Daraja refuses callback addresses with these words, in any case. (``exe`` covers ``exec``.)"""

_SHORTCODE = re.compile(r"[0-9]{5,7}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


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


def mpesa_faults(settings: MpesaSettings) -> tuple[InvalidField, ...]:
    """Everything that is wrong with ``settings``, so that all can be told at once."""
    faults = [
        InvalidField(name, "want 5 to 7 digits")
        for name, value in (("shortcode", settings.shortcode), ("till", settings.till))
        if value is not None and not _SHORTCODE.fullmatch(value)
    ]
    faults += [
        InvalidField(name, "is empty")
        for name, value in (
            ("consumer_key", settings.consumer_key),
            ("consumer_secret", settings.consumer_secret),
            ("passkey", settings.passkey),
        )
        if not value.strip()
    ]
    if settings.pushes_per_s < 1:
        faults.append(InvalidField("pushes_per_s", "want at least 1"))
    faults += _url_faults("base_url", settings.base_url, open_ok=False)
    in_sandbox = settings.base_url != PRODUCTION_URL
    faults += _url_faults("callback_url", settings.callback_url, open_ok=in_sandbox)
    faults += callback_word_faults(settings.callback_url)
    return tuple(faults)


def callback_word_faults(url: str) -> tuple[InvalidField, ...]:
    """The words in a callback address for which Daraja refuses it."""
    text = url.partition("://")[2].lower()
    found = [word for word in FORBIDDEN_WORDS if word in text]
    return tuple(InvalidField("callback_url", f"Daraja refuses the word {w!r}") for w in found)


def _url_faults(name: str, url: str, *, open_ok: bool) -> list[InvalidField]:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return [InvalidField(name, "is not an address")]
    if parts.scheme not in ("http", "https") or not host:
        return [InvalidField(name, "want an address like https://pay.example.co.ke")]
    if parts.query or parts.fragment or parts.username:
        return [InvalidField(name, "want no user, query or fragment in it")]
    if parts.scheme == "http" and not (open_ok or host in _LOOPBACK):
        return [InvalidField(name, "want https")]
    return []
