"""The gateway of a controller that has no account with a provider yet: it asks nobody for money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.payment import Evidence, Reason
from controller.payments.gateway import (
    CallbackUnreadable,
    GatewayError,
    PushAnswer,
    RefundOutcome,
    Trust,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.payments.gateway import Outcome, Push, Refund

SENTENCE = "no payment account is configured: set [mpesa] in the configuration file"


class AbsentGateway:
    """Refuses every push as our own fault; nothing ever leaves, so nothing is ever collected."""

    rail: str = "absent"
    place: str = ""
    trust: Trust = Trust.HINT
    takes_our_name: bool = False

    async def push(self, push: Push, now: datetime) -> PushAnswer:  # noqa: ARG002 - the seam's
        """Say at once that nothing was sent."""
        return PushAnswer(
            evidence=Evidence.NOT_SENT, provider_id=None, code="absent", reason=Reason.OUR_SIDE
        )

    async def query(self, provider_id: str, now: datetime) -> Outcome:  # noqa: ARG002 - the seam's
        """Raise `GatewayError`: there is nobody to ask."""
        raise GatewayError(SENTENCE)

    def parse_callback(self, body: bytes, headers: Mapping[str, str]) -> Outcome:  # noqa: ARG002 - the seam's
        """Raise `CallbackUnreadable`: nobody was given an address to call."""
        raise CallbackUnreadable("rail", SENTENCE)

    async def refund(self, refund: Refund, now: datetime) -> RefundOutcome:  # noqa: ARG002 - the seam's
        """Say at once that nothing was sent."""
        return RefundOutcome(Evidence.NOT_SENT, "absent")

    async def query_refund(self, refund: Refund, provider_id: str, now: datetime) -> RefundOutcome:  # noqa: ARG002 - the seam's
        """Raise `GatewayError`: there is nobody to ask."""
        raise GatewayError(SENTENCE)

    def parse_refund(self, body: bytes, headers: Mapping[str, str]) -> RefundOutcome:  # noqa: ARG002 - the seam's
        """Raise `CallbackUnreadable`: nobody was asked to refund."""
        raise CallbackUnreadable("rail", SENTENCE)
