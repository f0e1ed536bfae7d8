"""The real client against the simulated Daraja, over loopback: all that is not a prompt."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from billing.money import Money
from billing.payment import Evidence
from controller.payments.gateway import GatewayError, Refund
from controller.payments.mpesa import MpesaGateway
from controller.payments.mpesa_account import MpesaAccount
from controller.payments.mpesa_c2b import read_confirmation
from controller.payments.mpesa_ratiba import Frequency, StandingOrder
from controller.payments.mpesa_result import (
    RatibaOutcome,
    read_balances,
    read_ratiba,
    read_result,
    read_status,
)
from controller.payments.mpesa_settings import MpesaSettings
from controller.payments.mpesa_wire import EAT
from controller.payments.tokens import MemoryTokenStore
from tests.support.daraja import PAYER, sim_settings
from tests.support.merchant import Merchant, a_merchant, invariant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.payments.gateway import RefundOutcome
    from controller.payments.mpesa_result import Result

HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Shop:
    """A merchant, and both our clients for him."""

    merchant: Merchant
    settings: MpesaSettings
    account: MpesaAccount
    gateway: MpesaGateway

    async def faults(self, **faults: object) -> None:
        """Turn faults on."""
        await self.merchant.world.set_faults(**faults)

    async def body(self, door: str, n: int = 1) -> bytes:
        """What came to a door."""
        return json.dumps((await self.merchant.at(door, n))[n - 1]).encode()

    async def result(self, n: int = 1) -> Result:
        """What a result said."""
        return read_result(await self.body("results", n))

    async def refund(self, *, shillings: int = 50, receipt: str = "") -> tuple[Refund, str]:
        """A payment of 50, and what is to be given back of it."""
        receipt = receipt or await self.merchant.paid()
        refund = Refund(
            refund_id="0f" * 16,
            receipt=receipt,
            paid=Money(50_00),
            amount=Money(shillings * 100),
            msisdn=PAYER,
            callback_url=self.merchant.door("results"),
            reason="Outage",
        )
        return refund, receipt

    async def gives_back(self, *, shillings: int = 50) -> tuple[RefundOutcome, RefundOutcome]:
        """The answer to a refund, and what is told of it later."""
        refund, _ = await self.refund(shillings=shillings)
        answer = await self.gateway.refund(refund, now())
        return answer, self.gateway.parse_refund(await self.body("results"), {})


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def a_shop(*, till: str | None = None, password: str | None = None) -> AsyncIterator[Shop]:
    sim = sim_settings(till=till)
    async with a_merchant(sim) as merchant:
        world = merchant.world
        initiator = await world.initiator()
        told = MpesaSettings(
            base_url=world.url,
            shortcode=sim.shortcode,
            till=till,
            consumer_key=sim.consumer_key,
            consumer_secret=sim.consumer_secret,
            passkey=sim.passkey,
            callback_url=merchant.door("stk"),
            pushes_per_s=1_000,
            initiator=replace(initiator, password=password or initiator.password),
            nominated_number=PAYER,
        )
        tokens = MemoryTokenStore()
        yield Shop(
            merchant,
            told,
            MpesaAccount(told, http=world.http, tokens=tokens),
            MpesaGateway(told, http=world.http, tokens=tokens),
        )
        await invariant(world)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with a_shop() as made:
        yield made


async def test_money_from_the_menu_is_told_and_pulled_and_looked_up_as_the_same(
    shop: Shop,
) -> None:
    merchant = shop.merchant
    await shop.account.register_urls(merchant.door("confirm"), merchant.door("validate"), now())
    await shop.account.register_pull(merchant.door("pull"), now())
    receipt = await merchant.paid()
    told = read_confirmation(await shop.body("confirm"))
    (pulled,) = await shop.account.pull(now() - HOUR, now() + HOUR, now() + HOUR)
    await shop.account.ask_status(receipt, merchant.door("results"), now())
    looked_up = read_status(await shop.result())

    assert looked_up is not None
    for seen in (told, pulled, looked_up):
        assert (seen.rail, seen.receipt, seen.amount, seen.place) == (
            "mpesa",
            receipt,
            Money(50_00),
            shop.account.place,
        )
        assert seen.at is not None
        assert abs(seen.at - now()) < HOUR
    assert (told.reference, pulled.reference) == ("ISP10023", "ISP10023")


@pytest.mark.parametrize("fault", ["payer_plain", "payer_hashed", "account_spaced"])
async def test_a_confirmation_is_read_whatever_payer_and_fingers_look_like(
    shop: Shop, fault: str
) -> None:
    merchant = shop.merchant
    await shop.account.register_urls(merchant.door("confirm"), merchant.door("validate"), now())
    await shop.faults(**{fault: True})
    receipt = await merchant.paid()

    assert read_confirmation(await shop.body("confirm")).receipt == receipt


async def test_more_than_a_page_is_pulled(shop: Shop) -> None:
    await shop.account.register_pull(shop.merchant.door("pull"), now())
    receipts = {await shop.merchant.paid(shillings=1) for _ in range(103)}
    seen = await shop.account.pull(now() - HOUR, now() + HOUR, now() + HOUR)

    assert {s.receipt for s in seen} == receipts


@pytest.mark.parametrize("fault", ["pull_only_get", "pull_request_id"])
async def test_a_pull_bears_what_daraja_does_otherwise(shop: Shop, fault: str) -> None:
    await shop.account.register_pull(shop.merchant.door("pull"), now())
    receipt = await shop.merchant.paid()
    await shop.faults(**{fault: True})
    seen = await shop.account.pull(now() - HOUR, now() + HOUR, now() + HOUR)

    assert [s.receipt for s in seen] == [receipt]


async def test_leave_to_pull_is_needed_and_given_once(shop: Shop) -> None:
    with pytest.raises(GatewayError):
        await shop.account.pull(now() - HOUR, now(), now())

    assert [await shop.account.register_pull(shop.merchant.door("pull"), now()) for _ in "ab"] == [
        True,
        False,
    ]


async def test_a_whole_payment_is_given_back(shop: Shop) -> None:
    answer, told = await shop.gives_back()

    assert (answer.evidence, told.evidence) == (Evidence.ACCEPTED, Evidence.PAID)
    assert answer.provider_id == told.provider_id
    assert told.receipt


async def test_a_payment_is_given_back_once_and_then_that_is_what_is_told(shop: Shop) -> None:
    refund, _ = await shop.refund()
    for _ in range(2):
        await shop.gateway.refund(refund, now())
    second = shop.gateway.parse_refund(await shop.body("results", 2), {})
    settled = await shop.merchant.world.look("settled")

    assert (second.evidence, second.code, second.receipt) == (Evidence.PAID, "R000001", None)
    assert [s["kind"] for s in settled["settled"]].count("reversal") == 1


async def test_a_part_is_paid_to_the_phone_once(shop: Shop) -> None:
    refund, _ = await shop.refund(shillings=20)
    first = await shop.gateway.refund(refund, now())
    second = await shop.gateway.refund(refund, now())
    told = shop.gateway.parse_refund(await shop.body("results"), {})
    settled = await shop.merchant.world.look("settled")

    assert (first.evidence, second.evidence) == (Evidence.ACCEPTED, Evidence.ACCEPTED)
    assert (told.evidence, told.provider_id) == (Evidence.PAID, first.provider_id)
    assert [s["shillings"] for s in settled["settled"] if s["kind"] == "b2c"] == [-20]


async def test_what_became_of_a_part_is_asked_by_our_own_name_for_it(shop: Shop) -> None:
    await shop.faults(result_lost=True)
    refund, _ = await shop.refund(shillings=20)
    await shop.gateway.refund(refund, now())
    await shop.faults(result_lost=False)
    await shop.account.ask_status(
        "", shop.merchant.door("results"), now(), conversation_id=refund.refund_id
    )
    body = await shop.body("results")
    told = shop.gateway.parse_refund(body, {})

    assert told.evidence is Evidence.PAID
    assert told.receipt
    assert read_status(read_result(body)) is None


async def test_a_lost_answer_is_doubt_and_the_same_part_again_is_taken(shop: Shop) -> None:
    refund, _ = await shop.refund(shillings=20)
    await shop.faults(initiator_no_answer=True)
    hasty = MpesaGateway(
        shop.settings,
        http=shop.merchant.world.http,
        tokens=MemoryTokenStore(),
        push_timeout_s=0.5,
    )
    doubt = await hasty.refund(refund, now())
    await shop.faults(initiator_no_answer=False)
    again = await shop.gateway.refund(refund, now())

    assert (doubt.evidence, again.evidence) == (Evidence.NO_ANSWER, Evidence.ACCEPTED)


FAILURES = """
initiator_role       21    refused
initiator_locked     8006  refused
payout_unregistered  2040  refused
result_timeout       26    refused
"""


@pytest.mark.parametrize("line", FAILURES.split("\n")[1:-1])
async def test_what_is_refused_later_is_told_by_its_code(shop: Shop, line: str) -> None:
    fault, code, evidence = line.split()
    await shop.faults(**{fault: True})
    answer, told = await shop.gives_back(shillings=20)

    assert answer.evidence is Evidence.ACCEPTED
    assert (told.code, told.evidence, told.receipt) == (code, Evidence(evidence), None)


@pytest.mark.parametrize("fault", ["result_text_code", "result_no_parameters", "result_doubled"])
async def test_a_result_bears_what_daraja_does_otherwise(shop: Shop, fault: str) -> None:
    await shop.faults(**{fault: True})
    _, told = await shop.gives_back()

    assert told.evidence is Evidence.PAID


async def test_a_wrong_password_is_told_by_its_code() -> None:
    async with a_shop(password="wrong") as shop:
        _, told = await shop.gives_back()

        assert (told.code, told.evidence) == ("2001", Evidence.REFUSED)


@pytest.mark.parametrize(("till", "name"), [(None, "Utility"), ("5123456", "Merchant")])
async def test_the_balance_is_what_came(till: str | None, name: str) -> None:
    async with a_shop(till=till) as shop:
        await shop.merchant.paid(till=True) if till else await shop.merchant.paid()
        await shop.account.ask_balance(shop.merchant.door("results"), now())
        held = read_balances(await shop.result())
        settled = await shop.merchant.world.look("settled")

        assert held[f"{name} Account"] == Money(settled["balance"] * 100)


async def test_a_receipt_that_nobody_gave_is_no_money(shop: Shop) -> None:
    await shop.account.ask_status("UGE5L8M3RZ", shop.merchant.door("results"), now())

    assert read_status(await shop.result()) is None


async def test_a_payout_that_is_quoted_as_a_payment_is_no_money(shop: Shop) -> None:
    _, told = await shop.gives_back(shillings=20)
    await shop.account.ask_status(told.receipt or "", shop.merchant.door("results"), now())

    assert read_status(await shop.result(2)) is None


async def test_a_busy_door_is_knocked_at_again(shop: Shop) -> None:
    await shop.faults(initiator_busy=True)
    refund, _ = await shop.refund()
    answer = await shop.gateway.refund(refund, now())

    assert (answer.evidence, answer.code) == (Evidence.NOT_SENT, "500.003.02")


def an_order(shop: Shop) -> StandingOrder:
    today = now().astimezone(EAT).date()
    return StandingOrder(
        name="ISP10023 monthly",
        amount=Money(50_00),
        msisdn=PAYER,
        account="ISP10023",
        description="Home 10Mbps",
        starts_on=today,
        ends_on=today + timedelta(days=365),
        frequency=Frequency.MONTHLY,
        callback_url=shop.merchant.door("orders"),
    )


@pytest.mark.parametrize("other_case", [False, True])
async def test_a_standing_order_is_agreed_to_and_pays_like_any_payment(
    shop: Shop, *, other_case: bool
) -> None:
    merchant = shop.merchant
    await shop.account.register_urls(merchant.door("confirm"), merchant.door("validate"), now())
    await shop.faults(order_other_case=other_case)
    acked = await shop.account.standing_order(an_order(shop), now())
    await merchant.world.type_pin()
    agreed = read_ratiba(await shop.body("orders"))
    ran = await merchant.world.http.post(
        f"{merchant.world.url}/sim/orders/{acked.conversation_id}/run"
    )
    seen = read_confirmation(await shop.body("confirm"))

    assert agreed == RatibaOutcome(acked.conversation_id, accepted=True, code="0")
    assert (seen.receipt, seen.reference) == (ran.json()["receipt"], "ISP10023")


@pytest.mark.parametrize("other_case", [False, True])
async def test_a_standing_order_is_refused(shop: Shop, *, other_case: bool) -> None:
    await shop.faults(order_other_case=other_case)
    acked = await shop.account.standing_order(an_order(shop), now())
    await shop.merchant.world.cancel()

    assert read_ratiba(await shop.body("orders")) == RatibaOutcome(
        acked.conversation_id, accepted=False, code="1032"
    )


async def test_a_till_is_agreed_to_as_well() -> None:
    async with a_shop(till="5123456") as shop:
        assert (await shop.account.standing_order(an_order(shop), now())).conversation_id
        await shop.merchant.world.cancel()


async def test_a_code_is_drawn(shop: Shop) -> None:
    assert (await shop.account.qr("ISP10023", Money(50_00), now())).startswith(b"\x89PNG")
