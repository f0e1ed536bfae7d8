"""What an Airtel Money merchant needs to collect. PURE."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from controller.payments.bucket import REQUESTS_PER_S


@dataclass(frozen=True, slots=True)
class AirtelSettings:
    """One application of the Airtel developer portal. Its ``repr`` shows no secret.

    ``base_url`` is configuration: Airtel moves its countries from ``openapi.airtel.africa`` to
    hosts of their own, and Kenya's is not published. ``merchant`` names the place where the money
    lands, as staff call it. ``signed`` turns on the message signing of its version 2, which some
    countries demand.
    """

    base_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    merchant: str
    country: str = "KE"
    currency: str = "KES"
    signed: bool = False
    requests_per_s: int = REQUESTS_PER_S

    @property
    def bucket(self) -> str:
        """The name of the rate limit that all requests for this merchant share."""
        return f"airtel:{self.merchant}"

    def credential(self) -> str:
        """The name of this credential set (64 hexadecimal digits); tells nothing of the key."""
        return hashlib.sha256(f"{self.base_url}\0{self.client_id}".encode()).hexdigest()
