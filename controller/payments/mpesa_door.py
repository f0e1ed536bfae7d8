"""The door to Daraja: one access token, one pace, and what may be posted twice.

A request is posted once. It is posted again in three cases only, in which it was certainly not
taken: the connection could not be made, the access token was turned away, or the door was too busy
(HTTP 429, spike arrest, quota). A question moves no money: it is also asked again when its answer
was lost. Everything else that goes wrong after sending is `AnswerLostError`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from controller.payments import mpesa_wire as wire
from controller.payments.bucket import MemoryBucket
from controller.payments.calls import (
    ASK_TIMEOUT_S,
    ATTEMPTS_MAX,
    RETRY_WAIT_MAX_S,
    RETRY_WAIT_S,
    TOKEN_TIMEOUT_S,
    Reply,
    sent,
    the_last,
    within,
)
from controller.payments.credential import security_credential
from controller.payments.gateway import (
    AnswerLostError,
    GatewayError,
    NotReachedError,
    ProviderError,
)
from controller.payments.pace import Pace
from controller.payments.tokens import SharedToken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    import httpx2
    from tenacity.retry import retry_base

    from controller.payments.bucket import Bucket
    from controller.payments.mpesa_settings import Initiator, MpesaSettings
    from controller.payments.tokens import KeptToken, TokenStore

Asked = TypeVar("Asked")
Told = TypeVar("Told")

NO_INITIATOR = "no-initiator"
"""What is told where an API user of the organisation is needed and none is configured."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. ``timeout_s`` bounds the wait for its answer."""

    path: str
    body: Mapping[str, str | int] = field(repr=False)
    now: datetime
    timeout_s: float = ASK_TIMEOUT_S
    method: str = "POST"


class DarajaDoor:
    """Where everything for one shortcode passes.

    ``http`` is the process's client (it should not follow redirects); ``tokens`` and ``bucket`` are
    shared by all processes that use the same consumer key. Raises `InvalidField` when the password
    of the initiator cannot be encrypted for its certificate.
    """

    def __init__(
        self,
        settings: MpesaSettings,
        *,
        http: httpx2.AsyncClient,
        tokens: TokenStore,
        bucket: Bucket | None = None,
    ) -> None:
        self.settings = settings
        self._http = http
        self._pace = Pace(bucket or MemoryBucket(settings.pushes_per_s), settings.bucket)
        self._token = SharedToken(
            store=tokens, credential=settings.credential(), fetch=self._fetch_token
        )
        if settings.initiator is not None:
            self.initiator()

    def __repr__(self) -> str:
        """Name the shortcode; the rest is nobody's business."""
        return f"DarajaDoor({self.settings.shortcode})"

    def initiator(self) -> tuple[Initiator, str]:
        """Our API user, and its credential for one request. Raises `GatewayError` without one."""
        initiator = self.settings.initiator
        if initiator is None:
            raise GatewayError(NO_INITIATOR)
        return initiator, security_credential(initiator.password, initiator.certificate)

    async def post(self, ask: Ask) -> Reply:
        """Post what may move money; again only when it was certainly not taken.

        Raises `AnswerLostError` only when this very request may have arrived; every other
        `GatewayError` means that it did not.
        """
        return await _again(self._with_token, ask, when=retry_if_result(_is_busy))

    async def question(self, ask: Ask, read: Callable[[int, bytes], Told]) -> Told:
        """What ``read`` makes of the answer to a question. Raises `GatewayError`."""

        async def once(ask: Ask) -> Told:
            reply = await self._with_token(ask)
            return read(reply.status, reply.body)

        return await _again(once, ask, when=_mendable(AnswerLostError, ProviderError))

    async def _with_token(self, ask: Ask) -> Reply:
        """Post with a token, and once more with a fresh one when the token was turned away."""
        token = await self._current_token(ask.now)
        reply = await self._posted(ask, token.text)
        trouble = wire.read_trouble(reply.status, reply.body)
        if trouble is None or not trouble.dead_token:
            return reply
        token = await self._current_token(ask.now, dead_version=token.version)
        return await self._posted(ask, token.text)

    async def _posted(self, ask: Ask, token: str) -> Reply:
        async def once(ask: Ask) -> Reply:
            await self._pace.turn(ask.now)
            return await sent(
                self._http,
                self._http.build_request(
                    ask.method,
                    self.settings.base_url + ask.path,
                    json=ask.body,
                    headers={"Authorization": f"Bearer {token}"},
                    timeout=within(ask.timeout_s),
                ),
            )

        return await _again(once, ask, when=_mendable(NotReachedError))

    async def _current_token(self, now: datetime, *, dead_version: int = 0) -> KeptToken:
        try:
            return await self._token.current(now, dead_version=dead_version)
        except AnswerLostError as lost:
            # A token's answer that is lost loses no push: nothing of it was sent yet.
            raise NotReachedError("no answer to the request for an access token") from lost

    async def _fetch_token(self) -> wire.FreshToken:
        told = self.settings
        basic = base64.b64encode(f"{told.consumer_key}:{told.consumer_secret}".encode()).decode()

        async def once(path: str) -> wire.FreshToken:
            reply = await sent(
                self._http,
                self._http.build_request(
                    "GET",
                    told.base_url + path,
                    headers={"Authorization": f"Basic {basic}"},
                    timeout=within(TOKEN_TIMEOUT_S),
                ),
            )
            return wire.read_token(reply.status, reply.body)

        mendable = _mendable(NotReachedError, AnswerLostError, ProviderError)
        return await _again(once, wire.TOKEN_PATH, when=mendable)


async def _again(
    once: Callable[[Asked], Awaitable[Told]], asked: Asked, *, when: retry_base
) -> Told:
    """Up to three attempts, with jitter; then what the last one brought."""
    patiently = AsyncRetrying(
        retry=when,
        stop=stop_after_attempt(ATTEMPTS_MAX),
        wait=wait_random_exponential(multiplier=RETRY_WAIT_S, max=RETRY_WAIT_MAX_S),
        retry_error_callback=the_last,
    )
    return await patiently(once, asked)


def _mendable(*kinds: type[GatewayError]) -> retry_base:
    """Errors of these kinds that trying again may mend."""

    def may_mend(error: BaseException) -> bool:
        return isinstance(error, kinds) and getattr(error, "again", True) is True

    return retry_if_exception(may_mend)


def _is_busy(reply: Reply) -> bool:
    trouble = wire.read_trouble(reply.status, reply.body)
    return trouble is not None and trouble.busy and trouble.certain
