"""What every `PaymentGateway` does: the fake that ships, and each rail over real loopback."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import pytest

from billing.msisdn import Msisdn
from billing.payment import Evidence, Reason
from controller.payments.gateway import CallbackUnreadable, GatewayError, Refund
from controller.payments.memory import MemoryGateway, Scripted
from tests.support.airtel import AirtelWorld, an_airtel
from tests.support.daraja import World, a_push, a_world
from tests.support.paystack import DECLINES, PaystackWorld, a_card_push, a_paystack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from controller.payments.gateway import PaymentGateway, Push

NOW = datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """What a provider posted."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Manners:
    """Where rails differ, each in what its provider tells and can do."""

    callback_amount: bool = True
    query_receipt: bool = False
    query_amount: bool = False
    refusal: Reason = Reason.CANCELLED
    names_in_doubt: bool = False
    gives_back: bool = True
    gives_back_parts: bool = True
    tells_of_refunds: bool = True
    answers_after_refunds: bool = True


class Payers(Protocol):
    """A gateway, and the hands and fingers on the other end of it."""

    @property
    def gateway(self) -> PaymentGateway: ...
    @property
    def manners(self) -> Manners: ...
    def push(self, *, shillings: int) -> Push: ...
    async def turn_pushes_away(self) -> None: ...
    async def lose_the_answer(self) -> None: ...
    async def pay(self) -> Told: ...
    async def say_no(self) -> Told: ...
    async def told_of_the_refund(self) -> Told: ...


@dataclass(slots=True)
class MemoryPayers:
    gateway: MemoryGateway
    manners: Manners = Manners()

    def push(self, *, shillings: int) -> Push:
        return a_push(shillings=shillings)

    async def turn_pushes_away(self) -> None:
        self.gateway.script(Scripted.REFUSE)

    async def lose_the_answer(self) -> None:
        self.gateway.script(Scripted.LOSE)

    async def pay(self) -> Told:
        provider_id = next(iter(self.gateway.asked))
        self.gateway.pay(provider_id, NOW)
        return Told(self.gateway.callback(provider_id), {})

    async def say_no(self) -> Told:
        provider_id = next(iter(self.gateway.asked))
        self.gateway.refuse(provider_id)
        return Told(self.gateway.callback(provider_id), {})

    async def told_of_the_refund(self) -> Told:
        return Told(self.gateway.refund_result(next(iter(self.gateway.refunds))), {})


@dataclass(slots=True)
class MpesaPayers:
    world: World
    gateway: PaymentGateway
    manners: Manners = Manners(answers_after_refunds=False)

    def push(self, *, shillings: int) -> Push:
        return self.world.push(shillings=shillings)

    async def turn_pushes_away(self) -> None:
        await self.world.set_faults(push_refused=True)

    async def lose_the_answer(self) -> None:
        await self.world.set_faults(push_no_answer=True)

    async def pay(self) -> Told:
        await self.world.type_pin()
        return Told((await self.world.shop.received())[0], {})

    async def say_no(self) -> Told:
        await self.world.cancel()
        return Told((await self.world.shop.received())[0], {})

    async def told_of_the_refund(self) -> Told:
        return Told((await self.world.shop.received(2))[1], {})  # after the payment


@dataclass(slots=True)
class AirtelPayers:
    world: AirtelWorld
    gateway: PaymentGateway
    manners: Manners = Manners(
        callback_amount=False,
        query_receipt=True,
        names_in_doubt=True,
        gives_back_parts=False,
        tells_of_refunds=False,
    )

    def push(self, *, shillings: int) -> Push:
        return self.world.push(shillings=shillings)

    async def turn_pushes_away(self) -> None:
        await self.world.set_faults(push_refused=True)

    async def lose_the_answer(self) -> None:
        await self.world.set_faults(push_no_answer=True)

    async def pay(self) -> Told:
        await self.world.type_pin()
        return Told((await self.world.shop.received())[0], {})

    async def say_no(self) -> Told:
        await self.world.cancel()
        return Told((await self.world.shop.received())[0], {})

    async def told_of_the_refund(self) -> Told:
        raise AssertionError("Airtel posts nothing of refunds")


@dataclass(slots=True)
class PaystackPayers:
    world: PaystackWorld
    gateway: PaymentGateway
    manners: Manners = Manners(
        query_receipt=True, query_amount=True, refusal=Reason.ACCOUNT, names_in_doubt=True
    )

    def push(self, *, shillings: int) -> Push:
        return a_card_push(shillings=shillings)

    async def turn_pushes_away(self) -> None:
        await self.world.set_faults(push_refused=True)

    async def lose_the_answer(self) -> None:
        await self.world.set_faults(push_no_answer=True)

    async def pay(self) -> Told:
        await self.world.type_card()
        return await self._told(1)

    async def say_no(self) -> Told:
        await self.world.type_card(DECLINES)
        return await self._told(1)

    async def told_of_the_refund(self) -> Told:
        return await self._told(3)  # after the payment, and the refund's first event

    async def _told(self, count: int) -> Told:
        body = (await self.world.shop.received(count))[-1]
        return Told(body, self.world.shop.headers[count - 1])


@asynccontextmanager
async def memory_payers() -> AsyncIterator[Payers]:
    yield MemoryPayers(MemoryGateway())


@asynccontextmanager
async def mpesa_payers() -> AsyncIterator[Payers]:
    async with a_world() as world:
        initiator = await world.initiator()
        yield MpesaPayers(world, world.gateway(push_timeout_s=0.5, initiator=initiator))


@asynccontextmanager
async def airtel_payers() -> AsyncIterator[Payers]:
    async with an_airtel() as world:
        yield AirtelPayers(world, world.gateway(push_timeout_s=0.5))


@asynccontextmanager
async def paystack_payers() -> AsyncIterator[Payers]:
    async with a_paystack() as world:
        yield PaystackPayers(world, world.gateway(push_timeout_s=0.5))


@pytest.fixture(
    params=[memory_payers, mpesa_payers, airtel_payers, paystack_payers],
    ids=["memory", "mpesa", "airtel", "paystack"],
)
async def payers(request: pytest.FixtureRequest) -> AsyncIterator[Payers]:
    async with request.param() as made:
        yield made


async def paid(payers: Payers, *, shillings: int = 50) -> Refund:
    """A payment that was made, and the giving back of the whole of it."""
    push = payers.push(shillings=shillings)
    await payers.gateway.push(push, NOW)
    told = await payers.pay()
    receipt = payers.gateway.parse_callback(told.body, told.headers).receipt
    return Refund(
        refund_id="f" * 32,
        receipt=receipt or "",
        paid=push.amount,
        amount=push.amount,
        msisdn=Msisdn(push.msisdn),
        callback_url=push.callback_url,
        reason="Paid twice",
    )


async def test_an_accepted_push_has_a_name(payers: Payers) -> None:
    answer = await payers.gateway.push(payers.push(shillings=50), NOW)

    assert answer.evidence is Evidence.ACCEPTED
    assert answer.provider_id


async def test_a_push_that_was_turned_away_was_not_sent(payers: Payers) -> None:
    await payers.turn_pushes_away()
    answer = await payers.gateway.push(payers.push(shillings=50), NOW)

    assert (answer.evidence, answer.provider_id, answer.reason) == (
        Evidence.NOT_SENT,
        None,
        Reason.OUR_SIDE,
    )


async def test_a_lost_answer_is_doubt_and_the_payer_can_still_pay(payers: Payers) -> None:
    await payers.lose_the_answer()
    answer = await payers.gateway.push(payers.push(shillings=50), NOW)
    told = await payers.pay()
    outcome = payers.gateway.parse_callback(told.body, told.headers)

    assert answer.evidence is Evidence.NO_ANSWER
    assert outcome.evidence is Evidence.PAID
    assert answer.provider_id == (outcome.provider_id if payers.manners.names_in_doubt else None)


async def test_what_the_payer_has_not_decided_is_still_open(payers: Payers) -> None:
    answer = await payers.gateway.push(payers.push(shillings=50), NOW)
    outcome = await payers.gateway.query(answer.provider_id or "", NOW)

    assert outcome.evidence is Evidence.STILL_OPEN


async def test_a_payment_is_told_by_callback_with_its_receipt(payers: Payers) -> None:
    push = payers.push(shillings=950)
    answer = await payers.gateway.push(push, NOW)
    told = await payers.pay()
    outcome = payers.gateway.parse_callback(told.body, told.headers)

    assert outcome.provider_id == answer.provider_id
    assert outcome.evidence is Evidence.PAID
    assert outcome.amount == (push.amount if payers.manners.callback_amount else None)
    assert outcome.receipt


async def test_a_query_tells_of_a_payment_what_its_rail_tells(payers: Payers) -> None:
    push = payers.push(shillings=50)
    answer = await payers.gateway.push(push, NOW)
    told = await payers.pay()
    by_callback = payers.gateway.parse_callback(told.body, told.headers)
    outcome = await payers.gateway.query(answer.provider_id or "", NOW)

    assert (outcome.evidence, outcome.provider_id) == (Evidence.PAID, answer.provider_id)
    assert outcome.receipt == (by_callback.receipt if payers.manners.query_receipt else None)
    assert outcome.amount == (push.amount if payers.manners.query_amount else None)


async def test_both_roads_tell_the_same_refusal(payers: Payers) -> None:
    answer = await payers.gateway.push(payers.push(shillings=50), NOW)
    told = await payers.say_no()
    by_callback = payers.gateway.parse_callback(told.body, told.headers)
    by_query = await payers.gateway.query(answer.provider_id or "", NOW)

    assert (by_callback.evidence, by_callback.provider_id) == (
        by_query.evidence,
        by_query.provider_id,
    )
    assert (by_query.evidence, by_query.reason) == (Evidence.REFUSED, payers.manners.refusal)


async def test_a_name_that_nobody_gave_is_never_called_failed(payers: Payers) -> None:
    outcome = await payers.gateway.query("ws_CO_14072026123016700712345678", NOW)

    assert outcome.evidence is Evidence.STILL_OPEN


async def test_junk_is_unreadable(payers: Payers) -> None:
    with pytest.raises(CallbackUnreadable):
        payers.gateway.parse_callback(b'{"ResultCode": 0}', {})


async def test_a_whole_payment_is_given_back(payers: Payers) -> None:
    outcome = await payers.gateway.refund(await paid(payers), NOW)

    if payers.manners.gives_back:
        assert outcome.evidence in (Evidence.ACCEPTED, Evidence.PAID)
        assert outcome.provider_id
    else:
        assert outcome.evidence is Evidence.NOT_SENT


async def test_a_part_is_given_back_or_certainly_not_sent(payers: Payers) -> None:
    refund = await paid(payers)
    part = replace(refund, amount=replace(refund.amount, minor=20_00))
    outcome = await payers.gateway.refund(part, NOW)

    if payers.manners.gives_back and payers.manners.gives_back_parts:
        assert outcome.evidence in (Evidence.ACCEPTED, Evidence.PAID)
    else:
        assert outcome.evidence is Evidence.NOT_SENT


async def test_a_refund_is_told_of_later_where_the_rail_does_that(payers: Payers) -> None:
    refund = await paid(payers)
    answer = await payers.gateway.refund(refund, NOW)
    if not payers.manners.tells_of_refunds:
        with pytest.raises(CallbackUnreadable):
            payers.gateway.parse_refund(b'{"refund": "f"}', {})
        with pytest.raises(GatewayError):
            await payers.gateway.query_refund(refund, answer.provider_id or "", NOW)
        return
    told = await payers.told_of_the_refund()
    by_callback = payers.gateway.parse_refund(told.body, told.headers)
    assert by_callback.evidence is Evidence.PAID
    if not payers.manners.answers_after_refunds:
        with pytest.raises(GatewayError):
            await payers.gateway.query_refund(refund, answer.provider_id or "", NOW)
        return
    by_query = await payers.gateway.query_refund(refund, answer.provider_id or "", NOW)

    assert (by_query.evidence, by_query.provider_id) == (Evidence.PAID, answer.provider_id)
    assert by_query.receipt


async def test_junk_is_no_news_of_a_refund(payers: Payers) -> None:
    with pytest.raises(CallbackUnreadable):
        payers.gateway.parse_refund(b'{"ResultCode": 0}', {})
