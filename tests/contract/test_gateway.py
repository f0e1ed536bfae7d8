"""What every `PaymentGateway` does, on the fake that ships and on M-PESA's over real loopback."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import pytest

from billing.payment import Evidence, Reason
from controller.payments.gateway import CallbackUnreadable
from controller.payments.memory import MemoryGateway, Scripted
from tests.support.daraja import World, a_push, a_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.payments.gateway import PaymentGateway, Push

NOW = datetime.now(UTC)


class Payers(Protocol):
    """A gateway, and the hands and fingers on the other end of it."""

    @property
    def gateway(self) -> PaymentGateway: ...
    def push(self, *, shillings: int) -> Push: ...
    async def turn_pushes_away(self) -> None: ...
    async def lose_the_answer(self) -> None: ...
    async def pay(self) -> bytes: ...
    async def say_no(self) -> bytes: ...


@dataclass(slots=True)
class MemoryPayers:
    gateway: MemoryGateway

    def push(self, *, shillings: int) -> Push:
        return a_push(shillings=shillings)

    async def turn_pushes_away(self) -> None:
        self.gateway.script(Scripted.REFUSE)

    async def lose_the_answer(self) -> None:
        self.gateway.script(Scripted.LOSE)

    async def pay(self) -> bytes:
        provider_id = next(iter(self.gateway.asked))
        self.gateway.pay(provider_id, NOW)
        return self.gateway.callback(provider_id)

    async def say_no(self) -> bytes:
        provider_id = next(iter(self.gateway.asked))
        self.gateway.refuse(provider_id)
        return self.gateway.callback(provider_id)


@dataclass(slots=True)
class SimulatedPayers:
    world: World
    gateway: PaymentGateway

    def push(self, *, shillings: int) -> Push:
        return self.world.push(shillings=shillings)

    async def turn_pushes_away(self) -> None:
        await self.world.set_faults(push_refused=True)

    async def lose_the_answer(self) -> None:
        await self.world.set_faults(push_no_answer=True)

    async def pay(self) -> bytes:
        await self.world.type_pin()
        return (await self.world.shop.received())[0]

    async def say_no(self) -> bytes:
        await self.world.cancel()
        return (await self.world.shop.received())[0]


@asynccontextmanager
async def memory_payers() -> AsyncIterator[Payers]:
    yield MemoryPayers(MemoryGateway())


@asynccontextmanager
async def simulated_payers() -> AsyncIterator[Payers]:
    async with a_world() as world:
        yield SimulatedPayers(world, world.gateway(push_timeout_s=0.5))


@pytest.fixture(params=[memory_payers, simulated_payers], ids=["memory", "mpesa"])
async def payers(request: pytest.FixtureRequest) -> AsyncIterator[Payers]:
    async with request.param() as made:
        yield made


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
    outcome = payers.gateway.parse_callback(await payers.pay(), {})

    assert answer.evidence is Evidence.NO_ANSWER
    assert outcome.evidence is Evidence.PAID


async def test_what_the_payer_has_not_decided_is_still_open(payers: Payers) -> None:
    answer = await payers.gateway.push(payers.push(shillings=50), NOW)
    outcome = await payers.gateway.query(answer.provider_id or "", NOW)

    assert outcome.evidence is Evidence.STILL_OPEN


async def test_a_payment_is_told_by_callback_with_receipt_and_amount(payers: Payers) -> None:
    push = payers.push(shillings=950)
    answer = await payers.gateway.push(push, NOW)
    outcome = payers.gateway.parse_callback(await payers.pay(), {})

    assert outcome.provider_id == answer.provider_id
    assert outcome.evidence is Evidence.PAID
    assert outcome.amount == push.amount
    assert outcome.receipt


async def test_a_payment_is_told_by_query_without_receipt(payers: Payers) -> None:
    answer = await payers.gateway.push(payers.push(shillings=50), NOW)
    await payers.pay()
    outcome = await payers.gateway.query(answer.provider_id or "", NOW)

    assert (outcome.evidence, outcome.provider_id, outcome.receipt) == (
        Evidence.PAID,
        answer.provider_id,
        None,
    )


async def test_both_roads_tell_the_same_refusal(payers: Payers) -> None:
    answer = await payers.gateway.push(payers.push(shillings=50), NOW)
    by_callback = payers.gateway.parse_callback(await payers.say_no(), {})
    by_query = await payers.gateway.query(answer.provider_id or "", NOW)

    assert by_callback == by_query
    assert by_query.reason is Reason.CANCELLED


async def test_a_name_that_nobody_gave_is_never_called_failed(payers: Payers) -> None:
    outcome = await payers.gateway.query("ws_CO_14072026123016700712345678", NOW)

    assert outcome.evidence is Evidence.STILL_OPEN


async def test_junk_is_unreadable(payers: Payers) -> None:
    with pytest.raises(CallbackUnreadable):
        payers.gateway.parse_callback(b'{"ResultCode": 0}', {})
