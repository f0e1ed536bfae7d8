"""The seam to those who move money. PURE.

A gateway speaks one provider's interface and knows nothing of plans or subscribers. It never
retries a push: two pushes are two prompts, and may be two payments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.ids import OrderId
    from billing.money import Money
    from billing.msisdn import Msisdn
    from billing.payment import Evidence, Reason


class Trust(StrEnum):
    """How far a callback of a rail is believed by itself."""

    ADDRESS = "address"  # unsigned: by its unguessable address, up to a limit; above, ask
    SIGNED = "signed"  # `parse_callback` has checked the provider's signature
    HINT = "hint"  # not at all: it is a reason to ask


@dataclass(frozen=True, slots=True)
class Push:
    """A request to collect. ``callback_url`` holds the unguessable part of this payment.

    ``account`` is how the payer, and whoever shows the money later, sees what it is for: our
    payment's reference. ``email`` is wanted by card gateways alone.
    """

    order_id: OrderId
    amount: Money
    msisdn: Msisdn
    account: str
    description: str
    callback_url: str
    email: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What the provider said to a push.

    ``evidence`` is ACCEPTED, NOT_SENT (certain: nothing will be collected) or NO_ANSWER (may have
    been taken). ``provider_id`` is the provider's name for it (CheckoutRequestID) when accepted;
    rails that take our own name for it (``airtel``, ``card``: the order's id) tell it with
    NO_ANSWER too, so that even a payment whose push was lost can be asked for. ``code`` is the
    provider's own code. ``pay_at`` is a page of the provider where the payer goes on, for rails
    that prompt no phone, and for a stored card whose bank wants its holder.
    """

    evidence: Evidence
    provider_id: str | None
    code: str
    reason: Reason | None
    pay_at: str | None = None


@dataclass(frozen=True, slots=True)
class StoredCard:
    """What lets us charge a card again, with its holder's consent. Its ``repr`` shows no secret.

    ``token`` is the provider's word for it (Paystack: authorization_code), good only together with
    the same ``email``. ``label`` is what its holder knows it by: ``visa …4081, 12/2030``.
    """

    token: str = field(repr=False)
    email: str = field(repr=False)
    label: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider says became of a payment, by callback or by query.

    ``evidence`` is PAID, REFUSED or STILL_OPEN. ``receipt``, ``amount``, ``paid_at`` are None where
    that road does not tell them (a query of M-PESA has no receipt, Airtel never tells an amount).
    ``provider_id`` is always present.
    """

    evidence: Evidence
    provider_id: str
    code: str
    reason: Reason | None
    receipt: str | None = None
    amount: Money | None = None
    shortcode: str | None = None
    paid_at: datetime | None = None
    card: StoredCard | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money to give back. ``refund_id`` is ours (32 hexadecimal digits), written down before.

    ``receipt`` and ``paid`` are of the payment; ``amount`` is what to give back of it. ``msisdn``
    is whom to pay where the rail pays a phone; ``callback_url`` is where its outcome is told.
    """

    refund_id: str
    receipt: str
    paid: Money
    amount: Money
    msisdn: Msisdn | None
    callback_url: str
    reason: str


@dataclass(frozen=True, slots=True)
class RefundOutcome:
    """What the provider says of a refund, at once or later.

    ``evidence`` is ACCEPTED (it will tell), PAID (given back), REFUSED, STILL_OPEN, NOT_SENT or
    NO_ANSWER. ``provider_id`` is its name for it, ``receipt`` the number of the money that went.
    ``order_id`` is the payment that it belongs to, where the provider names that and perhaps
    nothing else: then it is a reason to ask for that payment's refunds.
    """

    evidence: Evidence
    code: str
    provider_id: str | None = None
    receipt: str | None = None
    order_id: str | None = None


class Resolution(StrEnum):
    """How a card's holder and the merchant ended a dispute."""

    LOST = "lost"  # the money, or a part of it, goes back
    WON = "won"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A card's holder says that a payment was not theirs, or was for nothing.

    ``resolution`` is None while it is open; ``amount`` is what goes back when it is lost, None when
    that is not told. ``answer_until`` is when the provider decides without us.
    """

    receipt: str
    resolution: Resolution | None
    amount: Money | None = None
    answer_until: datetime | None = None


class CallbackUnreadable(Exception):  # noqa: N818 - a refusal, see style
    """The bytes are not a callback of this provider; ``field`` names what was wrong."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class GatewayError(Exception):
    """The provider could not be asked (network, limits, its own trouble); trying again may help."""


class NotReachedError(GatewayError):
    """No connection to the provider: nothing was sent."""


class AnswerLostError(GatewayError):
    """The request was, or may have been, sent; no answer came."""


class ProviderError(GatewayError):
    """The provider answered a question with an error. ``again``: the same question may do better.

    The message holds the code alone: texts of providers have been seen to echo secrets.
    """

    def __init__(self, code: str, *, again: bool) -> None:
        super().__init__(f"the provider answered {code}")
        self.code = code
        self.again = again


class CredentialsError(ProviderError):
    """Our credentials were not taken, or may not use this product: staff must act."""

    def __init__(self, code: str) -> None:
        super().__init__(code, again=False)


class PaymentGateway(Protocol):
    """A provider that collects money.

    Implementations: ``mpesa``, ``airtel``, ``paystack``; ``memory`` for tests, ``absent`` for a
    controller without an account.
    """

    rail: str
    """The rail's name in receipts and accounts, for example ``mpesa``."""

    place: str
    """Where its money lands (a shortcode, a merchant's name): names the ledger's account."""

    trust: Trust
    """How far its callbacks are believed."""

    takes_our_name: bool
    """Whether it knows a push by our order's id: then it can be asked for one whose answer we never
    noted, too."""

    async def push(self, push: Push, now: datetime) -> PushAnswer:
        """Ask the payer. Never raises for the provider's trouble: doubt is `NO_ANSWER`."""
        ...

    async def query(self, provider_id: str, now: datetime) -> Outcome:
        """Ask what became of a push. Raises `GatewayError`."""
        ...

    def parse_callback(self, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Read a callback; header names are in lower case. Raises `CallbackUnreadable`.

        Believes nothing but a signature: the caller compares.
        """
        ...

    async def refund(self, refund: Refund, now: datetime) -> RefundOutcome:
        """Give money back; once for a ``refund_id``. Never raises for the provider's trouble."""
        ...

    async def query_refund(self, refund: Refund, provider_id: str, now: datetime) -> RefundOutcome:
        """Ask what became of a refund. Raises `GatewayError`.

        ``provider_id`` is "" when no answer has named it: a rail that can finds it by our own id.
        """
        ...

    def parse_refund(self, body: bytes, headers: Mapping[str, str]) -> RefundOutcome:
        """Read what is told of a refund at its address. Raises `CallbackUnreadable`."""
        ...


class StoredCards(Protocol):
    """A gateway that may charge a stored card: Paystack; ``memory`` for tests."""

    rail: str

    async def charge(self, push: Push, card: StoredCard, now: datetime) -> PushAnswer:
        """Charge without the payer: the outcome is told as that of a push.

        ``push.order_id`` is the provider's name for it too: the same one is charged once. Never
        raises for the provider's trouble.
        """
        ...

    def parse_dispute(self, body: bytes, headers: Mapping[str, str]) -> Dispute:
        """Read what is told of a dispute. Raises `CallbackUnreadable` for all else."""
        ...
