"""Safaricom's M-PESA by Daraja: push a prompt to a phone, ask what became of it.

A push is posted once. It is repeated in two cases only, both certain to have collected nothing: the
connection could not be made, or the access token was turned away. Everything else that goes wrong
after sending is `Evidence.NO_ANSWER`: the payer may be looking at the prompt this very moment.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2
import structlog
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from billing.msisdn import masked
from billing.payment import Evidence, Reason
from controller.payments import mpesa_wire as wire
from controller.payments.gateway import (
    CallbackUnreadable,
    GatewayError,
    Outcome,
    PushAnswer,
    RefundOutcome,
    Trust,
)
from controller.payments.mpesa_callback import read_callback
from controller.payments.pace import Pace
from controller.payments.tokens import SharedToken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.payments.gateway import Push, Refund
    from controller.payments.mpesa_settings import MpesaSettings
    from controller.payments.tokens import KeptToken, TokenStore

CONNECT_TIMEOUT_S = 5.0
PUSH_TIMEOUT_S = 40.0
"""Daraja's answers to a push have been seen to take tens of seconds."""
ASK_TIMEOUT_S = 15.0
TOKEN_TIMEOUT_S = 10.0
ATTEMPTS_MAX = 3
RETRY_WAIT_S = 0.3
RETRY_WAIT_MAX_S = 3.0

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""Errors after which not one byte of the request has left."""

NO_INITIATOR = "no-initiator"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes = field(repr=False)


class NotReachedError(GatewayError):
    """No connection to the provider: nothing was sent."""


class AnswerLostError(GatewayError):
    """The request was, or may have been, sent; no answer came."""


class MpesaGateway:
    """Daraja's M-PESA Express for one shortcode.

    ``http`` is the process's client (it should not follow redirects); ``tokens`` is shared by all
    processes that use the same consumer key.
    """

    rail: str = "mpesa"
    trust: Trust = Trust.ADDRESS

    def __init__(
        self,
        settings: MpesaSettings,
        *,
        http: httpx2.AsyncClient,
        tokens: TokenStore,
        push_timeout_s: float = PUSH_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self.place = settings.party_b
        self._http = http
        self._push_timeout_s = push_timeout_s
        self._pace = Pace(settings.pushes_per_s)
        self._token = SharedToken(
            store=tokens, credential=settings.credential(), fetch=self._fetch_token
        )

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
        body = wire.query_body(self._settings, provider_id, now)
        async for attempt in _patiently(AnswerLostError, wire.ProviderError):
            with attempt:
                reply = await self._ask(wire.QUERY_PATH, body, now=now, timeout_s=ASK_TIMEOUT_S)
                return wire.read_query_answer(reply.status, reply.body, provider_id)
        raise AssertionError("the last attempt either returned or raised")

    def parse_callback(self, body: bytes, headers: Mapping[str, str]) -> Outcome:  # noqa: ARG002 - it is not signed
        """Read a callback; see `read_callback`. Raises `CallbackUnreadable`."""
        return read_callback(body)

    async def refund(self, refund: Refund, now: datetime) -> RefundOutcome:  # noqa: ARG002 - the seam's
        """Say that nothing was sent: it takes an API user of the shortcode."""
        return RefundOutcome(Evidence.NOT_SENT, NO_INITIATOR)

    async def query_refund(
        self,
        refund: Refund,  # noqa: ARG002 - the seam's
        provider_id: str,  # noqa: ARG002 - the seam's
        now: datetime,  # noqa: ARG002 - the seam's
    ) -> RefundOutcome:
        """Raise `GatewayError`: there is no API user to ask with."""
        raise GatewayError(NO_INITIATOR)

    def parse_refund(self, body: bytes, headers: Mapping[str, str]) -> RefundOutcome:  # noqa: ARG002 - the seam's
        """Raise `CallbackUnreadable`: nobody was asked to refund."""
        raise CallbackUnreadable("rail", NO_INITIATOR)

    async def _pushed(self, push: Push, now: datetime) -> PushAnswer:
        body = wire.push_body(self._settings, push, now)
        try:
            reply = await self._ask(wire.PUSH_PATH, body, now=now, timeout_s=self._push_timeout_s)
        except AnswerLostError:
            return PushAnswer(Evidence.NO_ANSWER, None, "no-answer", None)
        except wire.CredentialsError as refused:
            return PushAnswer(Evidence.NOT_SENT, None, refused.code, Reason.OUR_SIDE)
        except GatewayError as trouble:
            code = getattr(trouble, "code", "not-reached")
            return PushAnswer(Evidence.NOT_SENT, None, code, Reason.PROVIDER_SLOW)
        return wire.read_push_answer(reply.status, reply.body)

    async def _ask(
        self, path: str, body: Mapping[str, str | int], *, now: datetime, timeout_s: float
    ) -> _Reply:
        """Post with a token, and once more with a fresh one when the token was turned away.

        Raises `AnswerLostError` only when this very request may have arrived; every other
        `GatewayError` means that it did not.
        """
        token = await self._current_token(now)
        reply = await self._post(path, body, token=token.text, timeout_s=timeout_s)
        trouble = wire.read_trouble(reply.status, reply.body)
        if trouble is None or not trouble.dead_token:
            return reply
        token = await self._current_token(now, dead_version=token.version)
        return await self._post(path, body, token=token.text, timeout_s=timeout_s)

    async def _post(
        self, path: str, body: Mapping[str, str | int], *, token: str, timeout_s: float
    ) -> _Reply:
        """Post once; again only when the connection could not be made."""
        async for attempt in _patiently(NotReachedError):
            with attempt:
                await self._pace.turn()
                return await self._send(
                    self._http.build_request(
                        "POST",
                        self._settings.base_url + path,
                        json=body,
                        headers={"Authorization": f"Bearer {token}"},
                        timeout=httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
                    )
                )
        raise AssertionError("the last attempt either returned or raised")

    async def _current_token(self, now: datetime, *, dead_version: int = 0) -> KeptToken:
        try:
            return await self._token.current(now, dead_version=dead_version)
        except AnswerLostError as lost:
            # A token's answer that is lost loses no push: nothing of it was sent yet.
            raise NotReachedError("no answer to the request for an access token") from lost

    async def _fetch_token(self) -> wire.FreshToken:
        pair = f"{self._settings.consumer_key}:{self._settings.consumer_secret}"
        basic = base64.b64encode(pair.encode()).decode()
        async for attempt in _patiently(NotReachedError, AnswerLostError, wire.ProviderError):
            with attempt:
                reply = await self._send(
                    self._http.build_request(
                        "GET",
                        self._settings.base_url + wire.TOKEN_PATH,
                        headers={"Authorization": f"Basic {basic}"},
                        timeout=httpx2.Timeout(TOKEN_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
                    )
                )
                return wire.read_token(reply.status, reply.body)
        raise AssertionError("the last attempt either returned or raised")

    async def _send(self, request: httpx2.Request) -> _Reply:
        """Send and read it all. The errors raised here carry no request, hence no secret."""
        try:
            response = await self._http.send(request)
        except _NOT_SENT as error:
            raise NotReachedError(type(error).__name__) from None
        except httpx2.HTTPError as error:
            raise AnswerLostError(type(error).__name__) from None
        return _Reply(response.status_code, response.content)


def _patiently(*mendable: type[GatewayError]) -> AsyncRetrying:
    """Up to three attempts, with jitter, after errors of these kinds that trying again may mend."""

    def may_mend(error: BaseException) -> bool:
        return isinstance(error, mendable) and getattr(error, "again", True) is True

    return AsyncRetrying(
        retry=retry_if_exception(may_mend),
        stop=stop_after_attempt(ATTEMPTS_MAX),
        wait=wait_random_exponential(multiplier=RETRY_WAIT_S, max=RETRY_WAIT_MAX_S),
        reraise=True,
    )
