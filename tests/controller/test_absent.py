"""A controller without a payment account asks nobody for money."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.ids import OrderId
from billing.money import Money
from billing.msisdn import Msisdn
from billing.payment import Evidence, Reason
from controller.payments.absent import AbsentGateway
from controller.payments.gateway import CallbackUnreadable, GatewayError, PaymentGateway, Push

NOW = datetime(2026, 11, 23, tzinfo=UTC)
GATEWAY: PaymentGateway = AbsentGateway()


async def test_a_push_is_certainly_not_sent_and_our_own_fault() -> None:
    push = Push(
        order_id=OrderId("0a" * 16),
        amount=Money(2000, "KES"),
        msisdn=Msisdn("254712345678"),
        account="A",
        description="B",
        callback_url="http://127.0.0.1/x",
    )
    answer = await GATEWAY.push(push, NOW)

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, Reason.OUR_SIDE)


async def test_there_is_nobody_to_ask() -> None:
    with pytest.raises(GatewayError, match="mpesa"):
        await GATEWAY.query("ws_CO_1", NOW)


def test_there_is_nobody_to_believe() -> None:
    with pytest.raises(CallbackUnreadable, match="mpesa"):
        GATEWAY.parse_callback(b"{}", {})
