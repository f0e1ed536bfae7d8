"""Safaricom's M-PESA by Daraja: push a prompt to a phone, ask what became of it, give money back.

Everything that goes wrong after sending is `Evidence.NO_ANSWER`: the payer may be looking at the
prompt this very moment, and a refund may be on its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from billing.money import whole_units
from billing.msisdn import masked
from billing.payment import Evidence, Reason
from controller.payments import mpesa_wire as wire
from controller.payments.gateway import (
    AnswerLostError,
    CredentialsError,
    GatewayError,
    Outcome,
    PushAnswer,
    RefundOutcome,
    Trust,
)
from controller.payments.mpesa_callback import read_callback
from controller.payments.mpesa_door import NO_INITIATOR, Ask, DarajaDoor
from controller.payments.mpesa_initiator import (
    PAYOUT_PATH,
    REVERSAL_PATH,
    payout_body,
    payout_fault,
    read_refund_answer,
    reversal_body,
)
from controller.payments.mpesa_result import read_refund, read_result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import httpx2

    from controller.payments.bucket import Bucket
    from controller.payments.gateway import Push, Refund
    from controller.payments.mpesa_settings import MpesaSettings
    from controller.payments.tokens import TokenStore

PUSH_TIMEOUT_S = 40.0
"""Daraja's answers to what moves money have been seen to take tens of seconds."""

_log = structlog.get_logger(__name__)


class MpesaGateway:
    """Daraja's M-PESA Express for one shortcode.

    See `DarajaDoor` for what is shared with whom, and for `InvalidField`.
    """

    rail: str = "mpesa"
    trust: Trust = Trust.ADDRESS
    takes_our_name: bool = False

    def __init__(
        self,
        settings: MpesaSettings,
        *,
        http: httpx2.AsyncClient,
        tokens: TokenStore,
        bucket: Bucket | None = None,
        push_timeout_s: float = PUSH_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self.place = settings.party_b
        self._door = DarajaDoor(settings, http=http, tokens=tokens, bucket=bucket)
        self._push_timeout_s = push_timeout_s

    def __repr__(self) -> str:
        """Name the shortcode; the rest is nobody's business."""
        return f"MpesaGateway({self._settings.shortcode})"

    async def push(self, push: Push, now: datetime) -> PushAnswer:
        """Ask the payer. Never raises for the provider's trouble: doubt is ``NO_ANSWER``."""
        answer = await self._pushed(push, now)
        known = answer.evidence is Evidence.ACCEPTED
        log = _log.info if known else _log.warning
        log(
            "mpesa.push",
            order=push.order_id,
            payer=masked(push.msisdn),
            evidence=answer.evidence.value,
            code=answer.code,
        )
        return answer

    async def query(self, provider_id: str, now: datetime) -> Outcome:
        """Ask what became of a push. Raises `GatewayError`."""
        ask = Ask(wire.QUERY_PATH, wire.query_body(self._settings, provider_id, now), now)
        return await self._door.question(
            ask, lambda status, body: wire.read_query_answer(status, body, provider_id)
        )

    def parse_callback(self, body: bytes, headers: Mapping[str, str]) -> Outcome:  # noqa: ARG002 - it is not signed
        """Read a callback; see `read_callback`. Raises `CallbackUnreadable`."""
        return read_callback(body)

    async def refund(self, refund: Refund, now: datetime) -> RefundOutcome:
        """Give money back: all of it by reversing the payment, a part by paying the phone.

        A part is one payout however often it is asked for: its id is Daraja's too. A payment that
        was reversed already is answered so by its result. Never raises for Daraja's trouble.
        """
        outcome = await self._refunded(refund, now)
        known = outcome.evidence is Evidence.ACCEPTED
        log = _log.info if known else _log.warning
        log(
            "mpesa.refund",
            refund=refund.refund_id,
            evidence=outcome.evidence.value,
            code=outcome.code,
        )
        return outcome

    async def query_refund(
        self,
        refund: Refund,  # noqa: ARG002 - the seam's
        provider_id: str,  # noqa: ARG002 - the seam's
        now: datetime,  # noqa: ARG002 - the seam's
    ) -> RefundOutcome:
        """Raise `GatewayError`: Daraja tells it by callback only (`MpesaAccount.ask_status`)."""
        raise GatewayError("told-by-callback")

    def parse_refund(self, body: bytes, headers: Mapping[str, str]) -> RefundOutcome:  # noqa: ARG002 - it is not signed
        """Read the result of a refund, or of a status that was asked after one.

        Raises `CallbackUnreadable`. Believes nothing: the caller compares ``provider_id``.
        """
        return read_refund(read_result(body))

    async def _refunded(self, refund: Refund, now: datetime) -> RefundOutcome:
        fault = self._refund_fault(refund)
        if fault is not None:
            return RefundOutcome(Evidence.NOT_SENT, fault)
        try:
            reply = await self._door.post(self._refund_ask(refund, now))
        except AnswerLostError:
            return RefundOutcome(Evidence.NO_ANSWER, "no-answer")
        except GatewayError as trouble:
            return RefundOutcome(Evidence.NOT_SENT, getattr(trouble, "code", "not-reached"))
        return read_refund_answer(reply.status, reply.body)

    def _refund_fault(self, refund: Refund) -> str | None:
        if self._settings.initiator is None:
            return NO_INITIATOR
        if refund.amount == refund.paid:
            return "not-whole-shillings" if whole_units(refund.amount) is None else None
        return "no-phone" if refund.msisdn is None else payout_fault(refund.amount)

    def _refund_ask(self, refund: Refund, now: datetime) -> Ask:
        whole = refund.amount == refund.paid
        path, body = (REVERSAL_PATH, reversal_body) if whole else (PAYOUT_PATH, payout_body)
        initiator, credential = self._door.initiator()
        told = body(self._settings, initiator, credential, refund)
        return Ask(path, told, now, self._push_timeout_s)

    async def _pushed(self, push: Push, now: datetime) -> PushAnswer:
        body = wire.push_body(self._settings, push, now)
        try:
            reply = await self._door.post(Ask(wire.PUSH_PATH, body, now, self._push_timeout_s))
        except AnswerLostError:
            return PushAnswer(Evidence.NO_ANSWER, None, "no-answer", None)
        except CredentialsError as refused:
            return PushAnswer(Evidence.NOT_SENT, None, refused.code, Reason.OUR_SIDE)
        except GatewayError as trouble:
            code = getattr(trouble, "code", "not-reached")
            return PushAnswer(Evidence.NOT_SENT, None, code, Reason.PROVIDER_SLOW)
        return wire.read_push_answer(reply.status, reply.body)
