"""What a Paystack business needs to charge cards. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field


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
