"""Money given back: all of it by reversal, a part by payout, and never twice."""

from __future__ import annotations

import json
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from structlog.testing import capture_logs

from billing.payment import Evidence
from controller.payments.gateway import CallbackUnreadable, GatewayError, RefundOutcome
from controller.payments.mpesa import MpesaGateway
from controller.payments.tokens import MemoryTokenStore
from tests.controller.payments.test_mpesa_client import Wire, error
from tests.controller.payments.test_mpesa_initiator import ACK, a_refund
from tests.controller.payments.test_mpesa_result import AG, REVERSED, a_result
from tests.controller.payments.test_mpesa_settings import SECRETS, an_account, an_initiator
from tests.support.certificates import rsa_keys
from tests.support.daraja import NOON, PAYER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def opened(wire: Wire, **told: Any) -> AsyncIterator[MpesaGateway]:
    settings = an_account(**{"initiator": an_initiator(), **told})
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(wire.take)) as http:
        yield MpesaGateway(settings, http=http, tokens=MemoryTokenStore())


def acked() -> httpx2.Response:
    return httpx2.Response(200, json=ACK)


def sent(wire: Wire) -> tuple[str, dict[str, Any]]:
    return wire.posts[0].url.path, json.loads(wire.posts[0].content)


async def test_all_of_it_is_reversed() -> None:
    wire = Wire(acked())
    async with opened(wire) as gateway:
        told = await gateway.refund(a_refund(), NOON)
    path, body = sent(wire)

    assert told == RefundOutcome(Evidence.ACCEPTED, "0", AG)
    assert (path, body["CommandID"], body["Amount"]) == (
        "/mpesa/reversal/v1/request",
        "TransactionReversal",
        "1500",
    )
    assert rsa_keys().read(body["SecurityCredential"]) == SECRETS[3]


async def test_a_part_is_paid_to_the_phone() -> None:
    wire = Wire(acked())
    async with opened(wire) as gateway:
        told = await gateway.refund(a_refund(shillings=500), NOON)
    path, body = sent(wire)

    assert told.evidence is Evidence.ACCEPTED
    assert (path, body["OriginatorConversationID"], body["PartyB"], body["Amount"]) == (
        "/mpesa/b2c/v3/paymentrequest",
        "0f" * 16,
        PAYER,
        "500",
    )


async def test_a_part_that_was_asked_for_before_is_taken() -> None:
    wire = Wire(error(500, "500.002.1001", "Duplicate OriginatorConversationID."))
    async with opened(wire) as gateway:
        told = await gateway.refund(a_refund(shillings=500), NOON)

    assert (told.evidence, len(wire.posts)) == (Evidence.ACCEPTED, 1)


@pytest.mark.parametrize(
    ("refund", "code"),
    [
        (a_refund(shillings=9), "below-smallest"),
        (a_refund(shillings=500, cents=50), "not-whole-shillings"),
        (a_refund(shillings=500, msisdn=None), "no-phone"),
        (a_refund(paid=400_000, shillings=300_000), "above-largest"),
    ],
)
async def test_a_part_that_cannot_be_paid_is_not_sent(refund: Any, code: str) -> None:
    async with opened(Wire()) as gateway:
        assert await gateway.refund(refund, NOON) == RefundOutcome(Evidence.NOT_SENT, code)


async def test_all_of_it_needs_no_phone() -> None:
    async with opened(Wire(acked())) as gateway:
        told = await gateway.refund(a_refund(msisdn=None), NOON)

    assert told.evidence is Evidence.ACCEPTED


async def test_without_an_initiator_nothing_is_sent() -> None:
    async with opened(Wire(), initiator=None) as gateway:
        told = await gateway.refund(a_refund(), NOON)

    assert told == RefundOutcome(Evidence.NOT_SENT, "no-initiator")


@pytest.mark.parametrize("shillings", [1_500, 500])
@pytest.mark.parametrize("broken", [httpx2.ReadTimeout, httpx2.ReadError, 500, 502, 504])
async def test_money_that_may_have_left_is_never_sent_again(
    broken: type[Exception] | int, shillings: int
) -> None:
    first = httpx2.Response(broken) if isinstance(broken, int) else broken
    wire = Wire(first, acked())
    async with opened(wire) as gateway:
        told = await gateway.refund(a_refund(shillings=shillings), NOON)

    assert (told.evidence, len(wire.posts)) == (Evidence.NO_ANSWER, 1)


async def test_money_that_was_turned_away_for_load_is_sent_again() -> None:
    wire = Wire(error(500, "500.003.02", "Spike Arrest Violation"), httpx2.ConnectError, acked())
    async with opened(wire) as gateway:
        told = await gateway.refund(a_refund(), NOON)

    assert (told.evidence, len(wire.posts)) == (Evidence.ACCEPTED, 3)


async def test_money_that_cannot_leave_was_not_sent() -> None:
    async with opened(Wire(*[httpx2.ConnectError] * 3)) as gateway:
        told = await gateway.refund(a_refund(), NOON)

    assert told == RefundOutcome(Evidence.NOT_SENT, "not-reached")


async def test_its_result_is_read_at_its_address() -> None:
    async with opened(Wire()) as gateway:
        told = gateway.parse_refund(a_result(REVERSED), {})

    assert told == RefundOutcome(Evidence.PAID, "0", AG, "UGE9P2Q4RT")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ResultCode": 0}', b'{"Result": {}}'])
async def test_junk_is_no_result(body: bytes) -> None:
    async with opened(Wire()) as gateway:
        with pytest.raises(CallbackUnreadable):
            gateway.parse_refund(body, {})


async def test_what_became_of_it_cannot_be_told_at_once() -> None:
    async with opened(Wire()) as gateway:
        with pytest.raises(GatewayError):
            await gateway.query_refund(a_refund(), AG, NOON)


async def test_no_log_and_no_error_tells_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    echo = error(401, "401.002.01", f"Invalid Access Token - {PAYER}")
    wire = Wire(acked(), error(400, "400.002.02", f"{SECRETS[3]} {PAYER}"), echo, echo)
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        async with opened(wire) as gateway:
            said = [repr(await gateway.refund(a_refund(shillings=500), NOON)) for _ in range(3)]
    said += [caplog.text, *map(repr, logs)]
    everything = "\n".join(said)

    assert [log["refund"] for log in logs] == ["0f" * 16] * 3
    assert not [s for s in (*SECRETS, PAYER, PAYER[3:], "CERTIFICATE") if s in everything]
