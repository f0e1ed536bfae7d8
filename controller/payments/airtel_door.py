"""Airtel Money's HTTP door: an access token, the country's headers, a signature where it is wanted.

A request is repeated only when it is certain that the first did nothing: no connection, a token or
a signature that was turned away, or too many requests at once (HTTP 429). All wait for their turn
in one queue.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from controller.payments import airtel_wire as wire
from controller.payments.airtel_signing import SigningKey, read_key, signed_headers
from controller.payments.answers import UNAUTHORISED
from controller.payments.bucket import MemoryBucket
from controller.payments.calls import (
    ASK_TIMEOUT_S,
    TOKEN_TIMEOUT_S,
    Reply,
    patiently,
    sent,
    until_taken,
    within,
)
from controller.payments.gateway import AnswerLostError, NotReachedError, ProviderError
from controller.payments.pace import Pace
from controller.payments.tokens import SharedToken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    import httpx2

    from controller.payments.airtel_settings import AirtelSettings
    from controller.payments.bucket import Bucket
    from controller.payments.mpesa_wire import FreshToken
    from controller.payments.tokens import KeptToken, TokenStore

JSON = {"Content-Type": "application/json", "Accept": "*/*"}


class AirtelDoor:
    """The door of one application; ``tokens`` and ``bucket`` are shared by all who use it."""

    def __init__(
        self,
        settings: AirtelSettings,
        *,
        http: httpx2.AsyncClient,
        tokens: TokenStore,
        bucket: Bucket | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._settings = settings
        self._http = http
        self._random_bytes = random_bytes
        self._pace = Pace(bucket or MemoryBucket(settings.requests_per_s), settings.bucket)
        self._key: SigningKey | None = None
        self._token = SharedToken(
            store=tokens, credential=settings.credential(), fetch=self._fetch_token
        )

    async def post(self, path: str, body: bytes, *, now: datetime, timeout_s: float) -> Reply:
        """Post ``body``, byte for byte.

        Raises `AnswerLostError` only when this very request may have arrived; every other
        `GatewayError` means that it did not.
        """
        reply = await self._post(path, body, now=now, timeout_s=timeout_s)
        if self._settings.signed and wire.answer_code(reply.body) == wire.UNSIGNED_CODE:
            self._key = None
            reply = await self._post(path, body, now=now, timeout_s=timeout_s)
        return reply

    async def get(self, path: str, *, now: datetime) -> Reply:
        """Ask. Raises `GatewayError`."""
        return await self._tokened("GET", path, None, now=now, timeout_s=ASK_TIMEOUT_S)

    async def _post(self, path: str, body: bytes, *, now: datetime, timeout_s: float) -> Reply:
        signature = await self._signature(body, now)
        return await self._tokened(
            "POST", path, body, now=now, timeout_s=timeout_s, signature=signature
        )

    async def _tokened(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        now: datetime,
        timeout_s: float,
        signature: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send with a token, and once more with a fresh one when the token was turned away."""
        headers = {
            **JSON,
            "X-Country": self._settings.country,
            "X-Currency": self._settings.currency,
            **(signature or {}),
        }
        token = await self._current_token(now)

        async def send() -> Reply:
            await self._pace.turn(now)
            request = self._http.build_request(
                method,
                self._settings.base_url + path,
                content=body,
                headers={**headers, "Authorization": f"Bearer {token.text}"},
                timeout=within(timeout_s),
            )
            return await sent(self._http, request)

        # Whoever asks a question asks it again.
        trying = patiently(NotReachedError) if body is None else until_taken()
        reply: Reply = await trying(send)
        if reply.status != UNAUTHORISED:
            return reply
        token = await self._current_token(now, dead_version=token.version)
        return await trying(send)

    async def _signature(self, body: bytes, now: datetime) -> Mapping[str, str]:
        if not self._settings.signed:
            return {}
        if self._key is None or self._key.until <= now:
            self._key = await self._fetch_key(now)
        return signed_headers(body, self._key, self._random_bytes)

    async def _fetch_key(self, now: datetime) -> SigningKey:
        try:
            async for attempt in patiently(AnswerLostError, ProviderError):
                with attempt:
                    reply = await self.get(wire.KEY_PATH, now=now)
                    return read_key(reply.status, reply.body, now)
        except AnswerLostError as lost:
            # A key's answer that is lost loses no push: nothing of it was sent yet.
            raise NotReachedError("no answer to the request for a signing key") from lost
        raise AssertionError("the last attempt either returned or raised")

    async def _current_token(self, now: datetime, *, dead_version: int = 0) -> KeptToken:
        try:
            return await self._token.current(now, dead_version=dead_version)
        except AnswerLostError as lost:
            # As above.
            raise NotReachedError("no answer to the request for an access token") from lost

    async def _fetch_token(self) -> FreshToken:
        async for attempt in patiently(NotReachedError, AnswerLostError, ProviderError):
            with attempt:
                request = self._http.build_request(
                    "POST",
                    self._settings.base_url + wire.TOKEN_PATH,
                    content=wire.token_body(self._settings),
                    headers=JSON,
                    timeout=within(TOKEN_TIMEOUT_S),
                )
                reply = await sent(self._http, request)
                return wire.read_token(reply.status, reply.body)
        raise AssertionError("the last attempt either returned or raised")
