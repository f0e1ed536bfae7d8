"""One call to a provider: sent once, and what is known when no answer comes."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx2
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from controller.payments.answers import TOO_MANY_REQUESTS
from controller.payments.gateway import AnswerLostError, GatewayError, NotReachedError

CONNECT_TIMEOUT_S = 5.0
PUSH_TIMEOUT_S = 40.0
"""Answers to a push have been seen to take tens of seconds."""
ASK_TIMEOUT_S = 15.0
TOKEN_TIMEOUT_S = 10.0
ATTEMPTS_MAX = 3
RETRY_WAIT_S = 0.3
RETRY_WAIT_MAX_S = 3.0

_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""Errors after which not one byte of the request has left."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whatever it says."""

    status: int
    body: bytes = field(repr=False)


async def sent(http: httpx2.AsyncClient, request: httpx2.Request) -> Reply:
    """Send once and read it all. The errors raised here carry no request, hence no secret.

    Raises `NotReachedError`, `AnswerLostError`.
    """
    try:
        response = await http.send(request)
    except _NOT_SENT as error:
        raise NotReachedError(type(error).__name__) from None
    except httpx2.HTTPError as error:
        raise AnswerLostError(type(error).__name__) from None
    return Reply(response.status_code, response.content)


def within(seconds: float) -> httpx2.Timeout:
    """How long one call may take, and less for its connection."""
    return httpx2.Timeout(seconds, connect=CONNECT_TIMEOUT_S)


def patiently(*mendable: type[GatewayError]) -> AsyncRetrying:
    """Up to three attempts, with jitter, after errors of these kinds that trying again may mend."""

    def may_mend(error: BaseException) -> bool:
        return isinstance(error, mendable) and getattr(error, "again", True) is True

    return AsyncRetrying(
        retry=retry_if_exception(may_mend),
        stop=stop_after_attempt(ATTEMPTS_MAX),
        wait=wait_random_exponential(multiplier=RETRY_WAIT_S, max=RETRY_WAIT_MAX_S),
        reraise=True,
    )


def until_taken() -> AsyncRetrying:
    """Up to three attempts, with jitter, of a request that was certainly not taken before.

    It never left, or was turned away for load (HTTP 429). What the last attempt brought stands.
    """
    return AsyncRetrying(
        retry=retry_if_exception_type(NotReachedError) | retry_if_result(_is_too_much),
        stop=stop_after_attempt(ATTEMPTS_MAX),
        wait=wait_random_exponential(multiplier=RETRY_WAIT_S, max=RETRY_WAIT_MAX_S),
        retry_error_callback=the_last,
    )


def the_last(state: RetryCallState) -> object:
    """What the last attempt brought, or raised."""
    assert state.outcome is not None, "an attempt that ended has an outcome"
    return state.outcome.result()


def _is_too_much(reply: Reply) -> bool:
    return reply.status == TOO_MANY_REQUESTS
