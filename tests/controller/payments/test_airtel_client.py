"""The real Airtel client: retries, doubt, tokens, signatures, and what is logged."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest
from structlog.testing import capture_logs

from billing.ids import OrderId
from billing.money import Money
from billing.payment import Evidence, Reason
from controller.payments.airtel import AirtelGateway
from controller.payments.bucket import MemoryBucket, PaceError
from controller.payments.gateway import GatewayError
from controller.payments.tokens import MemoryTokenStore
from tests.controller.payments.test_airtel_wire import (
    ORDER,
    SECRETS,
    an_answer,
    an_application,
    enquired,
)
from tests.support.airtel import AirtelWorld, an_airtel, sim_settings
from tests.support.daraja import NOON, PAYER, a_push
from tests.support.paystack import a_refund

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.payments.gateway import Push

NOW = datetime.now(UTC)
TOKEN = "Zz0Yy1Xx2Ww3Vv4Uu5Tt6Ss7Rr8Q"


@pytest.fixture
async def airtel() -> AsyncIterator[AirtelWorld]:
    async with an_airtel() as made:
        yield made


class Wire:
    """A transport that answers as told, and remembers what was sent."""

    def __init__(
        self, *answers: httpx2.Response | type[Exception], token_lost: bool = False
    ) -> None:
        self.answers = list(answers)
        self.token_lost = token_lost
        self.sent: list[httpx2.Request] = []
        self.token_asks = 0

    async def take(self, request: httpx2.Request) -> httpx2.Response:
        if "/oauth2/" in request.url.path:
            self.token_asks += 1
            if self.token_lost:
                raise httpx2.ReadTimeout("broken")
            return httpx2.Response(200, json={"access_token": TOKEN, "expires_in": "180"})
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, httpx2.Response):
            return answer
        raise answer("broken")


def a_gateway(wire: Wire, *, signed: bool = False) -> tuple[AirtelGateway, httpx2.AsyncClient]:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(wire.take))
    application = an_application(signed=signed)
    return AirtelGateway(application, http=http, tokens=MemoryTokenStore()), http


def accepted() -> httpx2.Response:
    return httpx2.Response(200, content=an_answer(success=True, response_code="DP00800001006"))


def paid(airtel: AirtelWorld, order: str) -> Push:
    return replace(airtel.push(), order_id=OrderId(order))


async def test_a_push_carries_country_currency_and_token() -> None:
    wire = Wire(accepted())
    gateway, http = a_gateway(wire)
    async with http:
        await gateway.push(a_push(), NOON)
    sent = wire.sent[0]

    assert (sent.method, sent.url.path) == ("POST", "/merchant/v1/payments/")
    assert [sent.headers[name] for name in ("x-country", "x-currency", "authorization")] == [
        "KE",
        "KES",
        f"Bearer {TOKEN}",
    ]
    assert json.loads(sent.content)["transaction"]["id"] == "0" * 32


async def test_a_push_that_never_left_is_sent_again() -> None:
    wire = Wire(httpx2.ConnectError, httpx2.ConnectTimeout, accepted())
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, len(wire.sent)) == (Evidence.ACCEPTED, 3)


async def test_a_push_that_was_turned_away_for_load_is_sent_again() -> None:
    wire = Wire(httpx2.Response(429), httpx2.Response(429, content=b"slow down"), accepted())
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, len(wire.sent)) == (Evidence.ACCEPTED, 3)


async def test_a_push_that_stays_too_much_is_given_up_as_not_sent() -> None:
    wire = Wire(*[httpx2.Response(429)] * 4)
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, answer.reason, len(wire.sent)) == (
        Evidence.NOT_SENT,
        Reason.PROVIDER_SLOW,
        3,
    )


async def test_a_question_that_was_turned_away_for_load_is_asked_again() -> None:
    told = enquired("TS", airtel_money_id="MP261123.1200.L00123")
    wire = Wire(httpx2.Response(429), httpx2.Response(200, content=told))
    gateway, http = a_gateway(wire)
    async with http:
        outcome = await gateway.query(ORDER, NOON)

    assert (outcome.evidence, len(wire.sent)) == (Evidence.PAID, 2)


async def test_two_gateways_keep_one_pace_and_who_would_wait_too_long_is_not_sent() -> None:
    wire, bucket = Wire(*[accepted() for _ in range(6)]), MemoryBucket(5)
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(wire.take))
    tokens = MemoryTokenStore()
    one, other = (
        AirtelGateway(an_application(), http=http, tokens=tokens, bucket=bucket) for _ in "ab"
    )
    begun = asyncio.get_running_loop().time()
    async with http:
        await asyncio.gather(*(gateway.push(a_push(), NOON) for gateway in (one, other) * 3))
        took_s = asyncio.get_running_loop().time() - begun
        for _ in range(60):
            with suppress(PaceError):
                await bucket.take(an_application().bucket, NOON + timedelta(seconds=1))
        late = await other.push(a_push(), NOON)

    assert took_s > 0.15
    assert (late.evidence, late.reason) == (Evidence.NOT_SENT, Reason.PROVIDER_SLOW)
    assert len(wire.sent) == 6


@pytest.mark.parametrize(
    "broken", [httpx2.ReadTimeout, httpx2.ReadError, httpx2.RemoteProtocolError]
)
async def test_a_push_that_may_have_left_is_never_sent_again_and_has_a_name(
    broken: type[Exception],
) -> None:
    wire = Wire(broken, accepted())
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, answer.provider_id, len(wire.sent)) == (
        Evidence.NO_ANSWER,
        "0" * 32,
        1,
    )


async def test_a_token_whose_answer_was_lost_loses_no_push() -> None:
    wire = Wire(token_lost=True)
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, answer.reason, wire.sent) == (
        Evidence.NOT_SENT,
        Reason.PROVIDER_SLOW,
        [],
    )


async def test_a_signing_key_whose_answer_was_lost_loses_no_push() -> None:
    wire = Wire(*[httpx2.ReadTimeout] * 3)
    gateway, http = a_gateway(wire, signed=True)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, {r.method for r in wire.sent}) == (Evidence.NOT_SENT, {"GET"})


async def test_a_dead_token_is_renewed_once() -> None:
    wire = Wire(httpx2.Response(401), accepted())
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, len(wire.sent), wire.token_asks) == (Evidence.ACCEPTED, 2, 2)


async def test_a_token_that_stays_dead_is_our_side(airtel: AirtelWorld) -> None:
    await airtel.set_faults(token_wrong=True)
    answer = await airtel.gateway().push(airtel.push(), NOW)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.OUR_SIDE)
    assert await airtel.look("tokens") == {"issued": 2}


async def test_a_token_that_died_early_is_renewed_and_the_push_is_one(airtel: AirtelWorld) -> None:
    gateway = airtel.gateway()
    await gateway.push(airtel.push(), NOW)
    await airtel.told("tokens/kill", {})
    answer = await gateway.push(paid(airtel, "a" * 32), NOW)

    assert answer.evidence is Evidence.ACCEPTED
    assert len(await airtel.look("prompts")) == 2
    assert await airtel.look("tokens") == {"issued": 2}


async def test_a_wrong_secret_is_our_side(airtel: AirtelWorld) -> None:
    answer = await airtel.gateway(client_secret="wrong").push(airtel.push(), NOW)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.OUR_SIDE)


async def test_a_closed_token_door_collects_nothing(airtel: AirtelWorld) -> None:
    await airtel.set_faults(token_fails=True)
    answer = await airtel.gateway().push(airtel.push(), NOW)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.PROVIDER_SLOW)


async def test_a_duplicate_is_doubt_and_its_payment_is_found_by_asking(airtel: AirtelWorld) -> None:
    gateway = airtel.gateway()
    await airtel.set_faults(push_duplicate=True)
    answer = await gateway.push(airtel.push(), NOW)
    await airtel.type_pin()
    await airtel.done()
    outcome = await gateway.query(answer.provider_id or "", NOW)

    assert (answer.evidence, answer.code) == (Evidence.NO_ANSWER, "ESB000041")
    assert outcome.evidence is Evidence.PAID


async def test_ambiguous_is_never_a_refusal(airtel: AirtelWorld) -> None:
    gateway = airtel.gateway()
    await airtel.set_faults(enquiry_ambiguous=True)
    await gateway.push(airtel.push(), NOW)
    await airtel.type_pin()
    await airtel.done()
    asked = [await gateway.query("0" * 32, NOW) for _ in range(3)]

    assert {outcome.evidence for outcome in asked} == {Evidence.STILL_OPEN}


async def test_in_progress_turns_into_paid(airtel: AirtelWorld) -> None:
    gateway = airtel.gateway()
    await airtel.set_faults(enquiry_lags=True)
    await gateway.push(airtel.push(), NOW)
    await airtel.type_pin()
    await airtel.done()
    asked = [(await gateway.query("0" * 32, NOW)).evidence for _ in range(3)]

    assert asked == [Evidence.STILL_OPEN, Evidence.STILL_OPEN, Evidence.PAID]


async def test_a_callback_that_lies_is_found_out_by_asking(airtel: AirtelWorld) -> None:
    gateway = airtel.gateway()
    await airtel.set_faults(callback_lies=True)
    await gateway.push(airtel.push(), NOW)
    await airtel.cancel()
    told = gateway.parse_callback((await airtel.shop.received())[0], {})
    outcome = await gateway.query(told.provider_id, NOW)

    assert (told.evidence, outcome.evidence) == (Evidence.PAID, Evidence.REFUSED)


@pytest.mark.parametrize(
    ("pin", "shillings", "reason"),
    [("0000", 50, Reason.WRONG_PIN), ("1234", 1_001, Reason.NO_BALANCE)],
)
async def test_an_enquiry_tells_why_nothing_was_paid(
    airtel: AirtelWorld, pin: str, shillings: int, reason: Reason
) -> None:
    gateway = airtel.gateway()
    await gateway.push(airtel.push(shillings=shillings), NOW)
    await airtel.type_pin(pin)
    await airtel.done()
    outcome = await gateway.query("0" * 32, NOW)

    assert (outcome.evidence, outcome.reason) == (Evidence.REFUSED, reason)


async def test_an_enquiry_without_an_answer_is_an_error(airtel: AirtelWorld) -> None:
    await airtel.set_faults(enquiry_fails=True)
    with pytest.raises(GatewayError):
        await airtel.gateway().query("0" * 32, NOW)


async def test_version_2_signs_what_it_sends() -> None:
    async with an_airtel(sim_settings(signed=True)) as airtel:
        gateway = airtel.gateway()
        answers = [await gateway.push(paid(airtel, name * 32), NOW) for name in "ab"]

        assert {answer.evidence for answer in answers} == {Evidence.ACCEPTED}


async def test_a_signing_key_that_changed_is_fetched_once() -> None:
    async with an_airtel(sim_settings(signed=True)) as airtel:
        gateway = airtel.gateway()
        await airtel.set_faults(key_changes=True)
        answer = await gateway.push(airtel.push(), NOW)

        assert answer.evidence is Evidence.ACCEPTED
        assert len(await airtel.look("prompts")) == 1


async def a_payment(airtel: AirtelWorld) -> str:
    await airtel.gateway().push(airtel.push(), NOW)
    await airtel.type_pin()
    return str((await airtel.done())["receipt"])


async def test_the_whole_of_a_payment_goes_back_at_once(airtel: AirtelWorld) -> None:
    receipt = await a_payment(airtel)
    outcome = await airtel.gateway().refund(a_refund(receipt), NOW)
    settled = await airtel.look("settled")

    assert outcome.evidence is Evidence.PAID
    assert outcome.receipt == settled["settled"][1]["receipt"]
    assert settled["shillings_total"] == 0


async def test_a_part_is_not_even_asked_for(airtel: AirtelWorld) -> None:
    receipt = await a_payment(airtel)
    outcome = await airtel.gateway().refund(replace(a_refund(receipt), amount=Money(20_00)), NOW)

    assert (outcome.evidence, outcome.code) == (Evidence.NOT_SENT, "whole-only")
    assert (await airtel.look("settled"))["shillings_total"] == 50


async def test_a_refund_whose_answer_was_lost_is_not_sent_again() -> None:
    wire = Wire(httpx2.ReadTimeout)
    gateway, http = a_gateway(wire)
    async with http:
        outcome = await gateway.refund(a_refund("MP260714.1015.L00123"), NOON)

    assert (outcome.evidence, len(wire.sent)) == (Evidence.NO_ANSWER, 1)


async def test_a_refund_that_never_left_was_not_sent() -> None:
    wire = Wire(*[httpx2.ConnectError] * 3)
    gateway, http = a_gateway(wire)
    async with http:
        outcome = await gateway.refund(a_refund("MP260714.1015.L00123"), NOON)

    assert outcome.evidence is Evidence.NOT_SENT


async def test_no_log_no_error_and_no_repr_tells_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    echo = httpx2.Response(401, json={"error": f"invalid_token {TOKEN} {PAYER}"})
    wire = Wire(accepted(), echo, echo, httpx2.ReadTimeout, *[httpx2.Response(500, text=TOKEN)] * 3)
    gateway, http = a_gateway(wire)
    caplog.set_level(logging.DEBUG)
    said: list[str] = [repr(gateway), repr(an_application())]
    with capture_logs() as logs:
        async with http:
            said += [repr(await gateway.push(a_push(), NOON)) for _ in range(3)]
            with pytest.raises(GatewayError) as told:
                await gateway.query("0" * 32, NOON)
    said += [repr(told.value), str(told.value), caplog.text, *map(repr, logs)]
    everything = "\n".join(said)

    assert len(logs) == 3
    assert not [s for s in (*SECRETS, TOKEN, PAYER, PAYER[3:]) if s in everything]
