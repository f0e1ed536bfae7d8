"""Paystack: cards on a page of its own, stored cards without their holder, refunds.

Our order's id is its reference, so a payment can be asked for even when no answer came, and the
same order is charged once. What Paystack tells is signed, and believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog

from billing.payment import Evidence, Reason
from controller.payments import paystack_dispute as disputes
from controller.payments import paystack_refund as refunds
from controller.payments import paystack_wire as wire
from controller.payments.bucket import MemoryBucket
from controller.payments.calls import (
    ASK_TIMEOUT_S,
    PUSH_TIMEOUT_S,
    Reply,
    patiently,
    sent,
    until_taken,
    within,
)
from controller.payments.gateway import (
    AnswerLostError,
    GatewayError,
    NotReachedError,
    ProviderError,
    PushAnswer,
    RefundOutcome,
    Trust,
)
from controller.payments.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import httpx2

    from controller.payments.bucket import Bucket
    from controller.payments.gateway import Dispute, Outcome, Push, Refund, StoredCard
    from controller.payments.paystack_settings import PaystackSettings

NO_EMAIL = "no-email"
NOT_REACHED = "not-reached"
NO_ANSWER = "no-answer"

_log = structlog.get_logger(__name__)


class PaystackGateway:
    """Paystack for one business: a `PaymentGateway`, and a `StoredCards`.

    ``http`` is the process's client (it should not follow redirects); ``bucket`` is shared by all
    processes of the business.
    """

    rail: str = "card"
    trust: Trust = Trust.SIGNED
    takes_our_name: bool = True

    def __init__(
        self,
        settings: PaystackSettings,
        *,
        http: httpx2.AsyncClient,
        bucket: Bucket | None = None,
        push_timeout_s: float = PUSH_TIMEOUT_S,
        ask_timeout_s: float = ASK_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self.place = settings.merchant
        self._http = http
        self._pace = Pace(bucket or MemoryBucket(settings.requests_per_s), settings.bucket)
        self._push_timeout_s = push_timeout_s
        self._ask_timeout_s = ask_timeout_s

    def __repr__(self) -> str:
        """Name the merchant; the rest is nobody's business."""
        return f"PaystackGateway({self._settings.merchant})"

    async def push(self, push: Push, now: datetime) -> PushAnswer:
        """Open a page where the payer types a card: ``pay_at``. Doubt is ``NO_ANSWER``."""
        if not push.email:
            return PushAnswer(Evidence.NOT_SENT, None, NO_EMAIL, Reason.OUR_SIDE)
        body = wire.push_body(self._settings, push)
        reply = await self._posted(wire.PUSH_PATH, body, now)
        answer = _read(reply, push, wire.read_push_answer)
        return _told("paystack.push", push, answer)

    async def charge(self, push: Push, card: StoredCard, now: datetime) -> PushAnswer:
        """Charge a stored card; once for an order.

        ``pay_at`` is set when the card's bank wants its holder to confirm. Never raises for the
        provider's trouble: doubt is ``NO_ANSWER``.
        """
        body = wire.charge_body(self._settings, push, card)
        reply = await self._posted(wire.CHARGE_PATH, body, now)
        answer = _read(reply, push, wire.read_charge_answer)
        return _told("paystack.charge", push, answer)

    async def query(self, provider_id: str, now: datetime) -> Outcome:
        """Ask what became of a payment: with receipt, amount and card. Raises `GatewayError`."""
        path = wire.QUERY_PATH.format(quote(provider_id, safe=""))
        async for attempt in patiently(AnswerLostError, ProviderError):
            with attempt:
                reply = await self._send("GET", path, now=now)
                return wire.read_query_answer(self._settings, reply.status, reply.body, provider_id)
        raise AssertionError("the last attempt either returned or raised")

    def parse_callback(self, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Read an event about a payment; see `paystack_wire.read_callback`.

        Raises `CallbackUnreadable`.
        """
        return wire.read_callback(self._settings, body, headers)

    async def refund(self, refund: Refund, now: datetime) -> RefundOutcome:
        """Give back the whole or a part; looks first whether this very refund was taken before."""
        outcome = await self._refunded(refund, now)
        _log.info(
            "paystack.refund",
            refund=refund.refund_id,
            evidence=outcome.evidence.value,
            code=outcome.code,
        )
        return outcome

    async def query_refund(self, refund: Refund, provider_id: str, now: datetime) -> RefundOutcome:
        """Ask what became of a refund; by our own id when ``provider_id`` is "".

        One that Paystack does not know is still open. Raises `GatewayError`.
        """
        if not provider_id:
            found = await self._found(refund, now)
            return found or RefundOutcome(Evidence.STILL_OPEN, "not-found")
        async for attempt in patiently(AnswerLostError, ProviderError):
            with attempt:
                path = refunds.ONE_PATH.format(quote(provider_id, safe=""))
                reply = await self._send("GET", path, now=now)
                return refunds.read_one(reply.status, reply.body)
        raise AssertionError("the last attempt either returned or raised")

    def parse_refund(self, body: bytes, headers: Mapping[str, str]) -> RefundOutcome:
        """Read an event about a refund; see `paystack_refund.read_event_of_refund`.

        Raises `CallbackUnreadable`.
        """
        return refunds.read_event_of_refund(self._settings, body, headers)

    def parse_dispute(self, body: bytes, headers: Mapping[str, str]) -> Dispute:
        """Read an event about a dispute; see `paystack_dispute.read_event_of_dispute`.

        Raises `CallbackUnreadable`.
        """
        return disputes.read_event_of_dispute(self._settings, body, headers)

    async def _refunded(self, refund: Refund, now: datetime) -> RefundOutcome:
        try:
            known = await self._found(refund, now)
        except GatewayError as trouble:
            return RefundOutcome(Evidence.NOT_SENT, getattr(trouble, "code", NOT_REACHED))
        if known is not None:
            return refunds.as_accepted(known)
        body = refunds.refund_body(refund)
        try:
            reply = await self._send("POST", refunds.REFUND_PATH, body, now=now)
        except AnswerLostError:
            return RefundOutcome(Evidence.NO_ANSWER, NO_ANSWER)
        except GatewayError:
            return RefundOutcome(Evidence.NOT_SENT, NOT_REACHED)
        return refunds.read_refund_answer(reply.status, reply.body)

    async def _found(self, refund: Refund, now: datetime) -> RefundOutcome | None:
        path = refunds.LIST_PATH.format(quote(refund.receipt, safe=""))
        async for attempt in patiently(AnswerLostError, ProviderError):
            with attempt:
                reply = await self._send("GET", path, now=now)
                return refunds.find_ours(reply.status, reply.body, refund.refund_id)
        raise AssertionError("the last attempt either returned or raised")

    async def _posted(self, path: str, body: bytes, now: datetime) -> Reply | GatewayError:
        """The answer, or why there is none."""
        try:
            return await self._send("POST", path, body, now=now, timeout_s=self._push_timeout_s)
        except GatewayError as trouble:
            return trouble

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        now: datetime,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send when it is our turn; again only what was certainly not taken."""
        headers = {"Authorization": f"Bearer {self._settings.secret_key}"}
        if body is not None:
            headers["Content-Type"] = "application/json"

        async def send() -> Reply:
            await self._pace.turn(now)
            request = self._http.build_request(
                method,
                self._settings.base_url + path,
                content=body,
                headers=headers,
                timeout=within(timeout_s or self._ask_timeout_s),
            )
            return await sent(self._http, request)

        # Whoever asks a question asks it again.
        trying = patiently(NotReachedError) if body is None else until_taken()
        return await trying(send)


def _read(
    reply: Reply | GatewayError, push: Push, read: Callable[[int, bytes, str], PushAnswer]
) -> PushAnswer:
    if isinstance(reply, AnswerLostError):
        return PushAnswer(Evidence.NO_ANSWER, push.order_id, NO_ANSWER, None)
    if isinstance(reply, GatewayError):
        return PushAnswer(Evidence.NOT_SENT, None, NOT_REACHED, Reason.PROVIDER_SLOW)
    return read(reply.status, reply.body, push.order_id)


def _told(event: str, push: Push, answer: PushAnswer) -> PushAnswer:
    log = _log.info if answer.evidence is Evidence.ACCEPTED else _log.warning
    log(event, order=push.order_id, evidence=answer.evidence.value, code=answer.code)
    return answer
