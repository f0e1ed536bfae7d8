"""What the simulated network is told. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field

OPENING_SHILLINGS = 1_000


@dataclass(frozen=True, slots=True)
class SimSettings:
    """One merchant on a simulated M-PESA. The defaults are invented, and worth nothing.

    ``prompt_life_s`` is how long a prompt stays on a phone; ``working_ms`` how long M-PESA takes
    after the PIN. The addresses are only shown on the trial page.
    """

    shortcode: str = "600111"
    till: str | None = None
    passkey: str = field(default="trial-passkey", repr=False)
    consumer_key: str = "trial-key"
    consumer_secret: str = field(default="trial-secret", repr=False)
    business: str = "LANGO WIFI"
    prompt_life_s: int = 60
    working_ms: int = 600
    opening_shillings: int = OPENING_SHILLINGS
    staff_url: str = "http://127.0.0.1:8080/noc"
    phone_url: str = "http://127.0.0.1:8091/"

    @property
    def party_b(self) -> str:
        """Who is paid: the PayBill, or the Till."""
        return self.shortcode if self.till is None else self.till

    @property
    def transaction_type(self) -> str:
        """The only kind of payment that this merchant is set up for."""
        return "CustomerPayBillOnline" if self.till is None else "CustomerBuyGoodsOnline"
