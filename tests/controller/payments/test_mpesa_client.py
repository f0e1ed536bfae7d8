"""The real client against the simulated network: retries, doubt, tokens, and what is logged."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx2
import pytest
from structlog.testing import capture_logs

from billing.payment import Evidence, Reason
from controller.payments.bucket import MemoryBucket
from controller.payments.gateway import GatewayError
from controller.payments.mpesa import MpesaGateway
from controller.payments.tokens import MemoryTokenStore
from tests.controller.payments.test_mpesa_settings import SECRETS, an_account
from tests.support.daraja import NOON, PAYER, World, a_push, a_world, sim_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime.now(UTC)
TOKEN = "Zz0Yy1Xx2Ww3Vv4Uu5Tt6Ss7Rr8Q"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as made:
        yield made


class Wire:
    """A transport that answers as told, and remembers what was sent."""

    def __init__(self, *answers: httpx2.Response | type[Exception]) -> None:
        self.answers = list(answers)
        self.posts: list[httpx2.Request] = []
        self.token_asks = 0

    async def take(self, request: httpx2.Request) -> httpx2.Response:
        if "/oauth/" in request.url.path:
            self.token_asks += 1
            return httpx2.Response(200, json={"access_token": TOKEN, "expires_in": "3599"})
        self.posts.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, httpx2.Response):
            return answer
        raise answer("broken")


def a_gateway(wire: Wire) -> tuple[MpesaGateway, httpx2.AsyncClient]:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(wire.take))
    return MpesaGateway(an_account(), http=http, tokens=MemoryTokenStore()), http


def accepted() -> httpx2.Response:
    return httpx2.Response(200, json={"ResponseCode": "0", "CheckoutRequestID": "ws_CO_1"})


def error(status: int, code: str, message: str = "") -> httpx2.Response:
    return httpx2.Response(status, json={"errorCode": code, "errorMessage": message})


async def test_a_push_that_never_left_is_sent_again() -> None:
    wire = Wire(httpx2.ConnectError, httpx2.ConnectTimeout, accepted())
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, len(wire.posts)) == (Evidence.ACCEPTED, 3)


async def test_a_push_that_cannot_leave_was_not_sent() -> None:
    wire = Wire(*[httpx2.ConnectError] * 3)
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.PROVIDER_SLOW)


@pytest.mark.parametrize(
    "broken",
    [
        httpx2.ReadTimeout,
        httpx2.ReadError,
        httpx2.WriteError,
        httpx2.WriteTimeout,
        httpx2.RemoteProtocolError,
    ],
)
async def test_a_push_that_may_have_left_is_never_sent_again(broken: type[Exception]) -> None:
    wire = Wire(broken, accepted())
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, len(wire.posts)) == (Evidence.NO_ANSWER, 1)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_push_that_broke_over_there_is_never_sent_again(status: int) -> None:
    wire = Wire(httpx2.Response(status), accepted())
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, len(wire.posts)) == (Evidence.NO_ANSWER, 1)


@pytest.mark.parametrize(
    ("status", "code"), [(404, "404.001.03"), (400, "400.003.01"), (401, "401.002.01")]
)
async def test_a_dead_token_is_renewed_once(status: int, code: str) -> None:
    wire = Wire(error(status, code), accepted())
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, len(wire.posts), wire.token_asks) == (Evidence.ACCEPTED, 2, 2)


BUSY = [
    (429, "429", "Too many requests"),
    (500, "500.003.02", "Error Occurred: Spike Arrest Violation"),
    (500, "500.003.02", "System is busy. Please try again in few minutes."),
    (500, "500.003.03", "Error Occurred: Quota Violation"),
]


@pytest.mark.parametrize(("status", "code", "text"), BUSY)
async def test_a_push_that_was_turned_away_for_load_is_sent_again(
    status: int, code: str, text: str
) -> None:
    wire = Wire(error(status, code, text), error(status, code, text), accepted())
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, len(wire.posts)) == (Evidence.ACCEPTED, 3)


async def test_a_push_that_stays_too_much_is_given_up_as_not_sent() -> None:
    wire = Wire(*[error(500, "500.003.02", "Spike Arrest Violation")] * 4)
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, answer.reason, len(wire.posts)) == (
        Evidence.NOT_SENT,
        Reason.PROVIDER_SLOW,
        3,
    )


async def test_two_gateways_keep_one_pace() -> None:
    bucket = MemoryBucket(5)
    wire = Wire(*[accepted() for _ in range(12)])
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(wire.take)) as http:
        tokens = MemoryTokenStore()
        two = [MpesaGateway(an_account(), http=http, tokens=tokens, bucket=bucket) for _ in "ab"]
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*(g.push(a_push(), NOON) for g in two for _ in range(4)))

    assert asyncio.get_running_loop().time() - begun > 0.55


async def test_a_token_that_stays_dead_is_our_side() -> None:
    wire = Wire(error(404, "404.001.03"), error(404, "404.001.03"), accepted())
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.OUR_SIDE)


async def test_a_push_repeated_for_its_token_may_be_lost_like_any_other() -> None:
    wire = Wire(error(404, "404.001.03"), httpx2.ReadTimeout)
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert answer.evidence is Evidence.NO_ANSWER


async def test_a_query_is_asked_again_after_trouble() -> None:
    paid = httpx2.Response(200, json={"ResultCode": "0", "CheckoutRequestID": "ws_CO_1"})
    wire = Wire(httpx2.ReadTimeout, httpx2.Response(502, html="<h1>502</h1>"), paid)
    gateway, http = a_gateway(wire)
    async with http:
        outcome = await gateway.query("ws_CO_1", NOON)

    assert (outcome.evidence, len(wire.posts)) == (Evidence.PAID, 3)


async def test_a_query_without_an_answer_is_an_error_and_not_a_refusal() -> None:
    gateway, http = a_gateway(Wire(*[httpx2.ReadTimeout] * 3))
    async with http:
        with pytest.raises(GatewayError):
            await gateway.query("ws_CO_1", NOON)


async def test_a_query_that_is_wrong_is_not_asked_again() -> None:
    wire = Wire(error(400, "400.002.02", "Bad Request - Invalid CheckoutRequestID"))
    gateway, http = a_gateway(wire)
    async with http:
        with pytest.raises(GatewayError):
            await gateway.query("ws_CO_1", NOON)

    assert len(wire.posts) == 1


async def test_two_gateways_of_one_credential_do_not_kill_each_others_token(world: World) -> None:
    tokens = MemoryTokenStore()
    gateways = [world.gateway(tokens=tokens) for _ in range(4)]
    answers = await asyncio.gather(
        *(
            gateway.push(world.push(msisdn=f"2547000000{i}{j}"), NOW)
            for i, gateway in enumerate(gateways)
            for j in range(5)
        )
    )

    assert {a.evidence for a in answers} == {Evidence.ACCEPTED}
    assert await world.look("tokens") == {"issued": 1}


async def test_a_token_that_somebody_killed_is_renewed_once(world: World) -> None:
    gateway = world.gateway()
    await gateway.push(world.push(), NOW)
    await world.token()
    answer = await gateway.push(world.push(msisdn="254100000001"), NOW)

    assert answer.evidence is Evidence.ACCEPTED
    assert await world.look("tokens") == {"issued": 3}


async def test_a_wrong_secret_is_our_side(world: World) -> None:
    answer = await world.gateway(consumer_secret="wrong").push(world.push(), NOW)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.OUR_SIDE)


async def test_a_wrong_passkey_is_our_side(world: World) -> None:
    answer = await world.gateway(passkey="wrong").push(world.push(), NOW)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.OUR_SIDE)


async def test_a_second_push_to_a_busy_phone_is_told_as_that(world: World) -> None:
    gateway = world.gateway()
    await gateway.push(world.push(), NOW)
    answer = await gateway.push(world.push(), NOW)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.LINE_BUSY)


async def test_a_till_is_paid_to_the_till() -> None:
    async with a_world(sim_settings(till="5123456")) as world:
        gateway = world.gateway()
        await gateway.push(world.push(), NOW)
        await world.type_pin()
        outcome = gateway.parse_callback((await world.shop.received())[0], {})

    assert outcome.evidence is Evidence.PAID


async def test_a_till_that_is_not_ours_is_told_by_callback(world: World) -> None:
    gateway = world.gateway(till="5999999")
    await gateway.push(world.push(), NOW)
    outcome = gateway.parse_callback((await world.shop.received())[0], {})

    assert (outcome.code, outcome.reason) == ("SFC_IC0003", Reason.OUR_SIDE)


async def test_no_log_no_error_and_no_repr_tells_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    echo = f"Error Occurred - Invalid Access Token - {TOKEN}"
    wire = Wire(
        accepted(),
        error(401, "401.002.01", echo),
        error(401, "401.002.01", echo),
        httpx2.ReadTimeout,
        *[error(500, "500.003.02", f"{SECRETS[1]} {PAYER}")] * 3,
    )
    gateway, http = a_gateway(wire)
    caplog.set_level(logging.DEBUG)
    said: list[str] = [repr(gateway), repr(an_account())]
    with capture_logs() as logs:
        async with http:
            said += [repr(await gateway.push(a_push(), NOON)) for _ in range(3)]
            with pytest.raises(GatewayError) as told:
                await gateway.query("ws_CO_1", NOON)
    said += [repr(told.value), str(told.value), caplog.text, *map(repr, logs)]
    everything = "\n".join(said)

    assert len(logs) == 3
    assert not [s for s in (*SECRETS, TOKEN, PAYER, PAYER[3:], "Basic ") if s in everything]
