"""Airtel Money: push a prompt to a phone, ask what became of it, give the whole of it back.

Its name for a payment is ours, so a payment can be asked for even when no answer came to its push.
Its callbacks are registered in a portal and signed over bytes that nobody publishes: they only make
us ask. Airtel advises to wait three minutes before the first enquiry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog

from billing.msisdn import masked
from billing.payment import Evidence, Reason
from controller.payments import airtel_wire as wire
from controller.payments.airtel_door import AirtelDoor
from controller.payments.calls import ASK_TIMEOUT_S, PUSH_TIMEOUT_S, patiently
from controller.payments.gateway import (
    AnswerLostError,
    CallbackUnreadable,
    CredentialsError,
    GatewayError,
    ProviderError,
    PushAnswer,
    RefundOutcome,
    Trust,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import httpx2

    from controller.payments.airtel_settings import AirtelSettings
    from controller.payments.bucket import Bucket
    from controller.payments.gateway import Outcome, Push, Refund
    from controller.payments.tokens import TokenStore

WHOLE_ONLY = "whole-only"
NOT_REACHED = "not-reached"
NO_ANSWER = "no-answer"

_log = structlog.get_logger(__name__)


class AirtelGateway:
    """Airtel Money's collection for one merchant.

    ``http`` is the process's client (it should not follow redirects); ``tokens`` and ``bucket``
    are shared by all processes that use the same application.
    """

    rail: str = "airtel"
    trust: Trust = Trust.HINT
    takes_our_name: bool = True

    def __init__(
        self,
        settings: AirtelSettings,
        *,
        http: httpx2.AsyncClient,
        tokens: TokenStore,
        bucket: Bucket | None = None,
        push_timeout_s: float = PUSH_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self.place = settings.merchant
        self._push_timeout_s = push_timeout_s
        self._door = AirtelDoor(settings, http=http, tokens=tokens, bucket=bucket)

    def __repr__(self) -> str:
        """Name the merchant; the rest is nobody's business."""
        return f"AirtelGateway({self._settings.merchant})"

    async def push(self, push: Push, now: datetime) -> PushAnswer:
        """Ask the payer. Never raises for the provider's trouble: doubt is ``NO_ANSWER``.

        The provider's name for the payment is ``push.order_id``, and is told in doubt as well.
        """
        answer = await self._pushed(push, now)
        log = _log.info if answer.evidence is Evidence.ACCEPTED else _log.warning
        log(
            "airtel.push",
            order=push.order_id,
            payer=masked(push.msisdn),
            evidence=answer.evidence.value,
            code=answer.code,
        )
        return answer

    async def query(self, provider_id: str, now: datetime) -> Outcome:
        """Ask what became of a push: its receipt, not its amount. Raises `GatewayError`."""
        path = wire.ENQUIRY_PATH.format(quote(provider_id, safe=""))
        async for attempt in patiently(AnswerLostError, ProviderError):
            with attempt:
                reply = await self._door.get(path, now=now)
                return wire.read_enquiry(reply.status, reply.body, provider_id)
        raise AssertionError("the last attempt either returned or raised")

    def parse_callback(self, body: bytes, headers: Mapping[str, str]) -> Outcome:  # noqa: ARG002 - nothing there is believed
        """Read a callback; see `airtel_wire.read_callback`. Raises `CallbackUnreadable`."""
        return wire.read_callback(body)

    async def refund(self, refund: Refund, now: datetime) -> RefundOutcome:
        """Give a whole payment back; a part of one is ``NOT_SENT``. Airtel tells at once."""
        if refund.amount != refund.paid:
            return RefundOutcome(Evidence.NOT_SENT, WHOLE_ONLY)
        outcome = await self._refunded(refund, now)
        _log.info(
            "airtel.refund",
            refund=refund.refund_id,
            evidence=outcome.evidence.value,
            code=outcome.code,
        )
        return outcome

    async def query_refund(self, refund: Refund, provider_id: str, now: datetime) -> RefundOutcome:  # noqa: ARG002 - the seam's
        """Raise `GatewayError`: Airtel answers no question after a refund; its portal does."""
        raise GatewayError("Airtel tells nothing of refunds: look for it in its portal")

    def parse_refund(self, body: bytes, headers: Mapping[str, str]) -> RefundOutcome:  # noqa: ARG002 - the seam's
        """Raise `CallbackUnreadable`: Airtel posts nothing of refunds."""
        raise CallbackUnreadable("rail", "Airtel posts nothing of refunds")

    async def _pushed(self, push: Push, now: datetime) -> PushAnswer:
        body = wire.push_body(self._settings, push)
        path = wire.push_path(self._settings)
        try:
            reply = await self._door.post(path, body, now=now, timeout_s=self._push_timeout_s)
        except AnswerLostError:
            return PushAnswer(Evidence.NO_ANSWER, push.order_id, NO_ANSWER, None)
        except CredentialsError as refused:
            return PushAnswer(Evidence.NOT_SENT, None, refused.code, Reason.OUR_SIDE)
        except GatewayError as trouble:
            code = getattr(trouble, "code", NOT_REACHED)
            return PushAnswer(Evidence.NOT_SENT, None, code, Reason.PROVIDER_SLOW)
        return wire.read_push_answer(reply.status, reply.body, push.order_id)

    async def _refunded(self, refund: Refund, now: datetime) -> RefundOutcome:
        body = wire.refund_body(refund)
        path = wire.refund_path(self._settings)
        try:
            reply = await self._door.post(path, body, now=now, timeout_s=ASK_TIMEOUT_S)
        except AnswerLostError:
            return RefundOutcome(Evidence.NO_ANSWER, NO_ANSWER)
        except GatewayError as trouble:
            return RefundOutcome(Evidence.NOT_SENT, getattr(trouble, "code", NOT_REACHED))
        return wire.read_refund_answer(reply.status, reply.body)
