"""The seam to those who move money. PURE.

A gateway speaks one provider's interface and knows nothing of plans or subscribers. It never
retries a push: two pushes are two prompts, and may be two payments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from billing.ids import OrderId
    from billing.money import Money
    from billing.msisdn import Msisdn
    from billing.payment import Evidence, Reason


@dataclass(frozen=True, slots=True)
class Push:
    """A request to collect. ``callback_url`` holds the unguessable part of this payment."""

    order_id: OrderId
    amount: Money
    msisdn: Msisdn
    account: str
    description: str
    callback_url: str


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What the provider said to a push.

    ``evidence`` is ACCEPTED, NOT_SENT (certain: nothing will be collected) or NO_ANSWER (may have
    been taken). ``provider_id`` is the provider's name for it (CheckoutRequestID) when accepted;
    ``code`` is the provider's own code.
    """

    evidence: Evidence
    provider_id: str | None
    code: str
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider says became of a payment, by callback or by query.

    ``evidence`` is PAID, REFUSED or STILL_OPEN. ``receipt``, ``amount``, ``paid_at`` are None where
    that road does not tell them (a query has no receipt). ``provider_id`` is always present.
    """

    evidence: Evidence
    provider_id: str
    code: str
    reason: Reason | None
    receipt: str | None = None
    amount: Money | None = None
    shortcode: str | None = None
    paid_at: datetime | None = None


class CallbackUnreadable(Exception):  # noqa: N818 - a refusal, see style
    """The bytes are not a callback of this provider; ``field`` names what was wrong."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class GatewayError(Exception):
    """The provider could not be asked (network, limits, its own trouble); trying again may help."""


class PaymentGateway(Protocol):
    """A provider that collects money. Implementations: ``mpesa``; ``memory`` for tests."""

    rail: str
    """The rail's name in receipts and accounts, for example ``mpesa``."""

    async def push(self, push: Push, now: datetime) -> PushAnswer:
        """Ask the payer. Never raises for the provider's trouble: doubt is `NO_ANSWER`."""
        ...

    async def query(self, provider_id: str, now: datetime) -> Outcome:
        """Ask what became of a push. Raises `GatewayError`."""
        ...

    def parse_callback(self, body: bytes) -> Outcome:
        """Read a callback. Believes nothing: the caller compares. Raises `CallbackUnreadable`."""
        ...
