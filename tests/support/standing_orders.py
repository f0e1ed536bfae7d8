"""A controller in a simulated M-PESA: each calls the other, over loopback."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from controller.api.app import create_app
from controller.config_sections import HttpSettings
from controller.payments.mpesa_account import MpesaAccount
from controller.payments.mpesa_settings import Initiator, MpesaSettings
from controller.payments.tokens import MemoryTokenStore
from tests.support.daraja import PAYER, a_world, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.support.builders import World
    from tests.support.daraja import World as Network


CONFIRM_ABOVE = 500
"""Shillings above which an unsigned word is not enough; a simulated line has 1,000."""


@dataclass(slots=True)
class Door:
    """The controller's door, open before the controller is built; what was answered there."""

    app: ASGIApp | None = None
    answered: list[tuple[str, int]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in."""
        if scope["type"] != "http":
            return
        assert self.app is not None

        async def noted(message: Any) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                self.answered.append((scope["path"], message["status"]))
            self._news.set()

        await self.app(scope, receive, noted)

    async def called(self, path: str, count: int = 1) -> list[int]:
        """What was answered at addresses that begin so, as soon as it was so often."""
        async with asyncio.timeout(10):
            while len(found := [s for p, s in self.answered if p.startswith(path)]) < count:
                self._news.clear()
                await self._news.wait()
        return found


def an_account(network: Network, public_url: str, *, certificate: str = "") -> MpesaAccount:
    """A shortcode in the simulated network, of a controller at ``public_url``.

    With the network's ``certificate`` it may look things up.
    """
    told = network.settings
    initiator = Initiator(told.initiator_name, told.initiator_password, certificate)
    return MpesaAccount(
        MpesaSettings(
            base_url=network.url,
            shortcode=told.shortcode,
            consumer_key=told.consumer_key,
            consumer_secret=told.consumer_secret,
            passkey=told.passkey,
            callback_url=f"{public_url}/callbacks/stk/",
            initiator=initiator if certificate else None,
            nominated_number=PAYER,
        ),
        http=network.http,
        tokens=MemoryTokenStore(),
    )


@asynccontextmanager
async def in_a_network(world: World) -> AsyncIterator[tuple[World, Network, Door]]:
    """The world with an account at a simulated M-PESA, which calls its real doors."""
    door = Door()
    async with served(door) as url, a_world(now=world.clock) as network:
        settings = world.deps.settings
        assert settings.mpesa is not None
        settings = settings.model_copy(
            update={
                "http": HttpSettings(public_url=url),
                "mpesa": settings.mpesa.model_copy(
                    update={
                        "c2b": True,
                        "nominated_number": PAYER,
                        "confirm_above": CONFIRM_ABOVE,
                    }
                ),
            }
        )
        certificate = (await network.http.get(f"{network.url}/sim/certificate")).text
        account = an_account(network, url, certificate=certificate)
        deps = replace(world.deps, settings=settings, mpesa=account)
        app = create_app(deps)
        door.app = app
        yield replace(world, deps=deps), network, door
        await app.state.hub.close()
