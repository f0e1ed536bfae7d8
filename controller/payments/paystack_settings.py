"""What a Paystack business needs to charge cards. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.payments.bucket import REQUESTS_PER_S


@dataclass(frozen=True, slots=True)
class PaystackSettings:
    """One business with Paystack. Its ``repr`` shows no secret.

    ``merchant`` names the place where the money lands, as staff call it. ``secret_key`` (``sk_…``)
    both opens the door and signs what is told to us. ``return_url`` is the page of ours to which
    Paystack sends the payer's browser afterwards; "" leaves that to its dashboard.
    """

    secret_key: str = field(repr=False)
    merchant: str
    base_url: str = "https://api.paystack.co"
    currency: str = "KES"
    return_url: str = ""
    requests_per_s: int = REQUESTS_PER_S

    @property
    def bucket(self) -> str:
        """The name of the rate limit that all requests for this business share."""
        return f"card:{self.merchant}"
