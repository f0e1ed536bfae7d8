"""The simulated Airtel Money on a real loopback port, a merchant, and a payer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2

from controller.payments.airtel import AirtelGateway
from controller.payments.airtel_settings import AirtelSettings
from controller.payments.tokens import MemoryTokenStore
from controller.sandbox.airtel.app import build_app
from controller.sandbox.airtel.settings import AirtelSimSettings
from controller.tls import trusted
from tests.support.daraja import Shop, a_push, served
from tests.support.remote import Remote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.payments.gateway import Push
    from controller.payments.tokens import TokenStore

PAYER = "254733123456"


def sim_settings(*, signed: bool = False) -> AirtelSimSettings:
    """A simulated application whose network works without delay."""
    return AirtelSimSettings(
        client_id="simulated-id",
        client_secret="simulated-client-secret",
        hash_key="simulated-hash-key",
        prompt_life_s=30,
        working_ms=0,
        signed=signed,
    )


@dataclass(slots=True)
class AirtelWorld(Remote):
    """A simulated network, a merchant, and a client for both; everything on loopback."""

    shop: Shop
    settings: AirtelSimSettings

    def gateway(
        self,
        *,
        tokens: TokenStore | None = None,
        push_timeout_s: float = 10.0,
        client_secret: str | None = None,
        country: str = "KE",
    ) -> AirtelGateway:
        """The real client, pointed at the simulated network."""
        return AirtelGateway(
            AirtelSettings(
                base_url=self.url,
                client_id=self.settings.client_id,
                client_secret=client_secret or self.settings.client_secret,
                merchant="LANGO",
                country=country,
                signed=self.settings.signed,
            ),
            http=self.http,
            tokens=tokens or MemoryTokenStore(),
            push_timeout_s=push_timeout_s,
        )

    def push(self, *, shillings: int = 50) -> Push:
        """A request to 0733 123 456."""
        return replace(a_push(msisdn=PAYER, shillings=shillings))

    async def type_pin(self, pin: str = "1234") -> None:
        """The payer types a PIN into the prompt that is on the phone."""
        prompt = await self.prompt_on_screen()
        await self.told(f"prompts/{prompt['id']}/pin", {"pin": pin})

    async def cancel(self) -> None:
        """The payer says no."""
        prompt = await self.prompt_on_screen()
        await self.told(f"prompts/{prompt['id']}/cancel", {})

    async def done(self) -> Any:
        """The one prompt of this world, as soon as the network is done with it."""
        return (await self.seen("prompts", lambda told: told and told[0]["stage"] == "done"))[0]


@asynccontextmanager
async def an_airtel(settings: AirtelSimSettings | None = None) -> AsyncIterator[AirtelWorld]:
    """Everything that a payment needs, on loopback."""
    shop = Shop()
    async with (
        served(shop.app()) as shop_url,
        httpx2.AsyncClient(trust_env=False, verify=trusted()) as http,
    ):
        shop.url = f"{shop_url}/callbacks/stk/00ff"
        told = replace(settings or sim_settings(), callback_url=shop.url)
        async with served(build_app(told, now=lambda: datetime.now(UTC))) as url:
            yield AirtelWorld(url=url, http=http, shop=shop, settings=told)
