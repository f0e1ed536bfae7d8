"""The real Paystack client: doubt, stored cards, refunds that happen once, and what is logged."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest
from structlog.testing import capture_logs

from billing.payment import Evidence, Reason
from controller.payments.bucket import MemoryBucket, PaceError
from controller.payments.gateway import CallbackUnreadable, GatewayError, StoredCard
from controller.payments.paystack import PaystackGateway
from tests.controller.payments.test_paystack_wire import (
    SECRET,
    a_business,
    a_transaction,
    an_answer,
)
from tests.support.daraja import NOON, PAYER, a_push
from tests.support.paystack import (
    ASKS,
    EMAIL,
    PaystackWorld,
    a_card_push,
    a_paystack,
    a_refund,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime.now(UTC)
ORDER = "0" * 32
SECOND = "2" * 32
CARD = StoredCard("AUTH_1", EMAIL, "visa …4081, 12/2030")


@pytest.fixture
async def paystack() -> AsyncIterator[PaystackWorld]:
    async with a_paystack() as made:
        yield made


class Wire:
    """A transport that answers as told, and remembers what was sent."""

    def __init__(self, *answers: httpx2.Response | type[Exception]) -> None:
        self.answers = list(answers)
        self.sent: list[httpx2.Request] = []

    async def take(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, httpx2.Response):
            return answer
        raise answer("broken")


def a_gateway(wire: Wire) -> tuple[PaystackGateway, httpx2.AsyncClient]:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(wire.take))
    return PaystackGateway(a_business(), http=http), http


async def paid(paystack: PaystackWorld) -> str:
    """A payment of KES 50 that was made; its receipt."""
    gateway = paystack.gateway()
    await gateway.push(a_card_push(), NOW)
    await paystack.type_card()
    return (await gateway.query(ORDER, NOW)).receipt or ""


async def test_a_push_tells_where_the_payer_goes_on(paystack: PaystackWorld) -> None:
    answer = await paystack.gateway().push(a_card_push(), NOW)
    page = await paystack.http.get(answer.pay_at or "")

    assert (page.status_code, answer.provider_id) == (200, ORDER)
    assert "KES 50.00" in page.text


async def test_a_push_without_an_address_is_not_sent() -> None:
    wire = Wire()
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_push(), NOON)

    assert (answer.evidence, answer.code, wire.sent) == (Evidence.NOT_SENT, "no-email", [])


async def test_a_push_that_never_left_is_sent_again() -> None:
    opened = {"authorization_url": "https://checkout.example/0x", "reference": ORDER}
    wire = Wire(httpx2.ConnectError, httpx2.Response(200, content=an_answer(opened)))
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.push(a_card_push(), NOON)

    assert (answer.evidence, len(wire.sent)) == (Evidence.ACCEPTED, 2)


async def test_a_charge_that_was_turned_away_for_load_is_sent_again() -> None:
    wire = Wire(httpx2.Response(429), httpx2.Response(200, content=an_answer(a_transaction())))
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.charge(a_card_push(), CARD, NOON)

    assert (answer.evidence, len(wire.sent)) == (Evidence.ACCEPTED, 2)


async def test_a_charge_that_stays_too_much_is_given_up_as_not_sent() -> None:
    wire = Wire(*[httpx2.Response(429)] * 4)
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.charge(a_card_push(), CARD, NOON)

    assert (answer.evidence, answer.reason, len(wire.sent)) == (
        Evidence.NOT_SENT,
        Reason.PROVIDER_SLOW,
        3,
    )


async def test_two_gateways_keep_one_pace_and_who_would_wait_too_long_is_not_sent() -> None:
    charged = httpx2.Response(200, content=an_answer(a_transaction()))
    wire, bucket = Wire(*[charged] * 6), MemoryBucket(5)
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(wire.take))
    one, other = (PaystackGateway(a_business(), http=http, bucket=bucket) for _ in "ab")
    begun = asyncio.get_running_loop().time()
    async with http:
        await asyncio.gather(
            *(gateway.charge(a_card_push(), CARD, NOON) for gateway in (one, other) * 3)
        )
        took_s = asyncio.get_running_loop().time() - begun
        for _ in range(60):
            with suppress(PaceError):
                await bucket.take(a_business().bucket, NOON + timedelta(seconds=1))
        late = await other.charge(a_card_push(), CARD, NOON)

    assert took_s > 0.15
    assert (late.evidence, late.reason) == (Evidence.NOT_SENT, Reason.PROVIDER_SLOW)
    assert len(wire.sent) == 6


@pytest.mark.parametrize("broken", [httpx2.ReadTimeout, httpx2.RemoteProtocolError])
async def test_a_charge_that_may_have_left_is_never_sent_again(broken: type[Exception]) -> None:
    wire = Wire(broken, httpx2.Response(200, content=an_answer(a_transaction())))
    gateway, http = a_gateway(wire)
    async with http:
        answer = await gateway.charge(a_card_push(), CARD, NOON)

    assert (answer.evidence, answer.provider_id, len(wire.sent)) == (Evidence.NO_ANSWER, ORDER, 1)


async def test_a_card_that_declined_may_be_followed_by_another(paystack: PaystackWorld) -> None:
    gateway = paystack.gateway()
    await gateway.push(a_card_push(), NOW)
    prompt = await paystack.prompt_on_screen()
    await paystack.told(f"prompts/{prompt['id']}/pin", {"card": "4084080000005408"})
    first = await gateway.query(ORDER, NOW)
    await paystack.told(f"prompts/{prompt['id']}/pin", {})
    second = await gateway.query(ORDER, NOW)

    assert (first.evidence, second.evidence) == (Evidence.REFUSED, Evidence.PAID)


async def test_a_bank_may_ask_the_holder_first(paystack: PaystackWorld) -> None:
    gateway = paystack.gateway()
    await gateway.push(a_card_push(), NOW)
    await paystack.type_card(ASKS)
    first = await gateway.query(ORDER, NOW)
    await paystack.answer_bank(agreed=True)
    second = await gateway.query(ORDER, NOW)

    assert (first.evidence, second.evidence) == (Evidence.STILL_OPEN, Evidence.PAID)


async def test_a_stored_card_is_charged_without_its_holder(paystack: PaystackWorld) -> None:
    card = await paystack.stored_card()
    answer = await paystack.gateway().charge(a_card_push(order=SECOND), card, NOW)
    outcome = await paystack.gateway().query(SECOND, NOW)
    kinds = [row["kind"] for row in (await paystack.look("settled"))["settled"]]

    assert (answer.evidence, answer.pay_at) == (Evidence.ACCEPTED, None)
    assert (outcome.evidence, kinds) == (Evidence.PAID, ["card", "stored"])


async def test_the_same_order_charges_a_card_once(paystack: PaystackWorld) -> None:
    card = await paystack.stored_card()
    await paystack.set_faults(charge_no_answer=True)
    lost = await paystack.gateway(push_timeout_s=0.3).charge(a_card_push(order=SECOND), card, NOW)
    await paystack.set_faults(charge_no_answer=False)
    again = await paystack.gateway().charge(a_card_push(order=SECOND), card, NOW)
    outcome = await paystack.gateway().query(SECOND, NOW)

    assert {lost.evidence, again.evidence} == {Evidence.NO_ANSWER}
    assert outcome.evidence is Evidence.PAID
    assert (await paystack.look("settled"))["cents_total"] == 100_00


async def test_a_bank_that_wants_the_holder_gives_a_page_to_go_on(paystack: PaystackWorld) -> None:
    card = await paystack.stored_card()
    await paystack.set_faults(charge_wants_holder=True)
    gateway = paystack.gateway()
    answer = await gateway.charge(a_card_push(order=SECOND), card, NOW)
    page = await paystack.http.get(answer.pay_at or "")
    await paystack.answer_bank(agreed=True)
    outcome = await gateway.query(SECOND, NOW)

    assert (answer.evidence, answer.code, page.status_code) == (Evidence.ACCEPTED, "paused", 200)
    assert outcome.evidence is Evidence.PAID


async def test_an_expired_card_is_certainly_not_charged(paystack: PaystackWorld) -> None:
    card = await paystack.stored_card()
    await paystack.set_faults(charge_token_expired=True)
    answer = await paystack.gateway().charge(a_card_push(order=SECOND), card, NOW)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.ACCOUNT)
    assert (await paystack.look("settled"))["cents_total"] == 50_00


async def test_too_little_on_a_stored_card_is_told_as_that(paystack: PaystackWorld) -> None:
    card = await paystack.stored_card()
    push = a_card_push(order=SECOND, shillings=9_951)
    answer = await paystack.gateway().charge(push, card, NOW)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.NO_BALANCE)


async def test_a_card_that_may_not_be_kept_is_not_kept(paystack: PaystackWorld) -> None:
    await paystack.set_faults(card_not_reusable=True)
    await paid(paystack)

    assert (await paystack.gateway().query(ORDER, NOW)).card is None


async def test_a_query_is_asked_again_after_trouble() -> None:
    wire = Wire(
        httpx2.ReadTimeout,
        httpx2.Response(502, html="<h1>502</h1>"),
        httpx2.Response(200, content=an_answer(a_transaction())),
    )
    gateway, http = a_gateway(wire)
    async with http:
        outcome = await gateway.query(ORDER, NOON)

    assert (outcome.evidence, len(wire.sent)) == (Evidence.PAID, 3)


async def test_a_query_without_an_answer_is_an_error(paystack: PaystackWorld) -> None:
    await paystack.set_faults(query_fails=True)
    with pytest.raises(GatewayError):
        await paystack.gateway().query(ORDER, NOW)


async def test_a_part_and_the_rest_go_back_and_no_more(paystack: PaystackWorld) -> None:
    receipt = await paid(paystack)
    gateway = paystack.gateway()
    outcomes = [
        await gateway.refund(a_refund(receipt, back=back, refund_id=name * 32), NOW)
        for name, back in (("a", 20), ("b", 30), ("c", 1))
    ]
    await paystack.seen("settled", lambda told: len(told["settled"]) == 3)

    assert [outcome.evidence for outcome in outcomes] == [
        Evidence.ACCEPTED,
        Evidence.ACCEPTED,
        Evidence.NOT_SENT,
    ]
    assert (await paystack.look("settled"))["cents_total"] == 0


async def test_a_refund_whose_answer_was_lost_is_found_and_not_given_twice(
    paystack: PaystackWorld,
) -> None:
    receipt = await paid(paystack)
    part = a_refund(receipt, back=20)
    await paystack.set_faults(refund_no_answer=True)
    lost = await paystack.gateway(ask_timeout_s=0.3).refund(part, NOW)
    await paystack.set_faults(refund_no_answer=False)
    again = await paystack.gateway().refund(part, NOW)
    found = await paystack.gateway().query_refund(part, "", NOW)

    assert (lost.evidence, lost.provider_id) == (Evidence.NO_ANSWER, None)
    assert again.evidence in (Evidence.ACCEPTED, Evidence.PAID)
    assert found.provider_id == again.provider_id
    assert len(await paystack.look("refunds")) == 1


async def test_a_refund_is_not_sent_while_its_list_cannot_be_read() -> None:
    wire = Wire(*[httpx2.Response(500)] * 3)
    gateway, http = a_gateway(wire)
    async with http:
        outcome = await gateway.refund(a_refund("4099260516"), NOON)

    assert (outcome.evidence, {r.method for r in wire.sent}) == (Evidence.NOT_SENT, {"GET"})


@pytest.mark.parametrize(
    ("broken", "evidence"),
    [(httpx2.ConnectError, Evidence.NOT_SENT), (httpx2.ReadTimeout, Evidence.NO_ANSWER)],
)
async def test_a_refund_is_in_doubt_only_when_it_may_have_left(
    broken: type[Exception], evidence: Evidence
) -> None:
    wire = Wire(httpx2.Response(200, content=an_answer([])), *[broken] * 3)
    gateway, http = a_gateway(wire)
    async with http:
        outcome = await gateway.refund(a_refund("4099260516"), NOON)

    assert outcome.evidence is evidence


async def test_a_push_that_cannot_leave_was_not_sent() -> None:
    gateway, http = a_gateway(Wire(*[httpx2.ConnectError] * 3))
    async with http:
        answer = await gateway.push(a_card_push(), NOON)

    assert (answer.evidence, answer.provider_id) == (Evidence.NOT_SENT, None)


async def test_a_refund_that_nobody_took_is_still_open(paystack: PaystackWorld) -> None:
    receipt = await paid(paystack)
    outcome = await paystack.gateway().query_refund(a_refund(receipt), "", NOW)

    assert outcome.evidence is Evidence.STILL_OPEN


async def test_a_refund_may_fail_later(paystack: PaystackWorld) -> None:
    receipt = await paid(paystack)
    await paystack.set_faults(refund_fails_later=True)
    gateway = paystack.gateway()
    taken = await gateway.refund(a_refund(receipt), NOW)
    await paystack.seen("refunds", lambda told: told[0]["status"] == "failed")
    outcome = await gateway.query_refund(a_refund(receipt), taken.provider_id or "", NOW)

    assert (taken.evidence, outcome.evidence) == (Evidence.ACCEPTED, Evidence.REFUSED)
    assert (await paystack.look("settled"))["cents_total"] == 50_00


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ("event_tampered", "signature"),
        ("event_unsigned", "signature"),
        ("event_foreign_currency", "currency"),
    ],
)
async def test_an_event_that_somebody_touched_is_not_believed(
    paystack: PaystackWorld, fault: str, field: str
) -> None:
    await paystack.set_faults(**{fault: True})
    await paid(paystack)
    body = (await paystack.shop.received())[0]
    with pytest.raises(CallbackUnreadable) as told:
        paystack.gateway().parse_callback(body, paystack.shop.headers[0])

    assert told.value.field == field


async def test_no_log_no_error_and_no_repr_tells_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    echo = httpx2.Response(400, json={"status": False, "message": f"{SECRET} {EMAIL} AUTH_1"})
    wire = Wire(echo, echo, httpx2.ReadTimeout, echo, *[httpx2.Response(500, text=SECRET)] * 3)
    gateway, http = a_gateway(wire)
    card = StoredCard("AUTH_1", EMAIL, "visa …4081, 12/2030")
    caplog.set_level(logging.DEBUG)
    said: list[str] = [repr(gateway), repr(a_business())]
    with capture_logs() as logs:
        async with http:
            said += [repr(await gateway.push(a_card_push(), NOON))]
            said += [repr(await gateway.charge(a_card_push(), card, NOON)) for _ in range(2)]
            said += [repr(await gateway.refund(a_refund("4099260516"), NOON))]
            with pytest.raises(GatewayError) as told:
                await gateway.query(ORDER, NOON)
    said += [repr(told.value), str(told.value), caplog.text, *map(repr, logs)]
    everything = "\n".join(said)

    assert len(logs) == 4
    assert not [s for s in (SECRET, EMAIL, "AUTH_1", PAYER) if s in everything]
