"""The simulated Paystack on a real loopback port, a merchant, and a payer with cards."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx2

from billing.ids import OrderId
from billing.money import Money
from controller.payments.gateway import Refund
from controller.payments.paystack import PaystackGateway
from controller.payments.paystack_settings import PaystackSettings
from controller.sandbox.paystack.app import build_app
from controller.sandbox.paystack.settings import PaystackSimSettings
from controller.tls import trusted
from tests.support.daraja import Shop, a_push, served
from tests.support.remote import Remote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.payments.gateway import Push, StoredCard

EMAIL = "amina@example.test"
DECLINES = "4084080000005408"
ASKS = "4000000000003220"
SECRET = "sk_test_simulated"


def sim_settings() -> PaystackSimSettings:
    """A simulated business whose banks work without delay."""
    return PaystackSimSettings(
        secret_key=SECRET, working_ms=0, retry_ms=50, opening_cents=10_000_00
    )


def a_card_push(*, shillings: int = 50, order: str = "0" * 32) -> Push:
    """A request for KES 50 by card."""
    return replace(a_push(shillings=shillings), email=EMAIL, order_id=OrderId(order))


def a_refund(receipt: str, *, paid: int = 50, back: int = 50, refund_id: str = "f" * 32) -> Refund:
    """Shillings to give back of a payment."""
    return Refund(
        refund_id=refund_id,
        receipt=receipt,
        paid=Money(paid * 100),
        amount=Money(back * 100),
        msisdn=None,
        callback_url="http://127.0.0.1:9/callbacks/results/00ff",
        reason="Paid twice",
    )


@dataclass(slots=True)
class PaystackWorld(Remote):
    """A simulated card world, a merchant, and a client for both; everything on loopback."""

    shop: Shop
    settings: PaystackSimSettings

    def gateway(
        self,
        *,
        push_timeout_s: float = 10.0,
        ask_timeout_s: float = 10.0,
        secret_key: str = SECRET,
        return_url: str = "",
    ) -> PaystackGateway:
        """The real client, pointed at the simulated world."""
        return PaystackGateway(
            PaystackSettings(
                base_url=self.url, secret_key=secret_key, merchant="LANGO", return_url=return_url
            ),
            http=self.http,
            push_timeout_s=push_timeout_s,
            ask_timeout_s=ask_timeout_s,
        )

    async def type_card(self, number: str | None = None) -> None:
        """The payer types a card into the page that waits; one that pays, unless told."""
        prompt = await self.prompt_on_screen()
        await self.told(f"prompts/{prompt['id']}/pin", {"card": number} if number else {})

    async def answer_bank(self, *, agreed: bool) -> None:
        """The card's holder answers the bank."""
        prompt = await self.prompt_on_screen()
        await self.told(f"prompts/{prompt['id']}/holder", {"agreed": agreed})

    async def stored_card(self, order: str = "1" * 32) -> StoredCard:
        """A card that was stored with a payment."""
        gateway, now = self.gateway(), datetime.now(UTC)
        await gateway.push(a_card_push(order=order), now)
        await self.type_card()
        card = (await gateway.query(order, now)).card
        assert card is not None
        return card


@asynccontextmanager
async def a_paystack(settings: PaystackSimSettings | None = None) -> AsyncIterator[PaystackWorld]:
    """Everything that a card payment needs, on loopback."""
    shop = Shop()
    async with (
        served(shop.app()) as shop_url,
        httpx2.AsyncClient(trust_env=False, verify=trusted()) as http,
    ):
        shop.url = f"{shop_url}/callbacks/stk/00ff"
        told = replace(settings or sim_settings(), callback_url=shop.url)
        async with served(build_app(told, now=lambda: datetime.now(UTC))) as url:
            yield PaystackWorld(url=url, http=http, shop=shop, settings=told)
