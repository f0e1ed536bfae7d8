"""The simulated M-PESA on a real loopback port, a merchant who is called back, and a payer."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from billing.ids import OrderId
from billing.money import Money
from billing.msisdn import Msisdn
from controller.payments.gateway import Push
from controller.payments.mpesa import MpesaGateway
from controller.payments.mpesa_settings import Initiator, MpesaSettings
from controller.payments.tokens import MemoryTokenStore
from controller.sandbox.daraja.app import build_app
from controller.sandbox.daraja.settings import SimSettings
from controller.tls import trusted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from controller.payments.tokens import TokenStore

NOON = datetime(2026, 7, 14, 9, 30, 15, tzinfo=UTC)
"""12:30:15 in Nairobi."""

PAYER = Msisdn("254712345678")


def a_push(
    *,
    shillings: int = 50,
    msisdn: str = PAYER,
    account: str = "ABC123",
    description: str = "Day pass",
    callback_url: str = "http://127.0.0.1:9/callbacks/stk/00ff",
) -> Push:
    """A request for KES 50 from 0712 345 678."""
    return Push(
        order_id=OrderId("0" * 32),
        amount=Money(shillings * 100),
        msisdn=Msisdn(msisdn),
        account=account,
        description=description,
        callback_url=callback_url,
    )


def sim_settings(*, till: str | None = None, prompt_life_s: int = 30) -> SimSettings:
    """A simulated merchant whose network works without delay."""
    return SimSettings(
        shortcode="600111",
        till=till,
        passkey="simulated-passkey",
        consumer_key="simulated-key",
        consumer_secret="simulated-consumer-secret",
        prompt_life_s=prompt_life_s,
        working_ms=0,
    )


class Server(uvicorn.Server):
    """A server that stops at once when told, and leaves the test run's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told_to_stop = asyncio.Event()

    async def main_loop(self) -> None:
        """Run until told to stop."""
        await self.told_to_stop.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Catch none."""
        yield


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """``app`` on a free loopback port; its address."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    server = Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.told_to_stop.set()
        await running
        listening.close()


@dataclass(slots=True)
class Shop:
    """A merchant's callback door: what came, in order of arrival."""

    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    taken_at: list[float] = field(default_factory=list)
    status: int = 200
    url: str = ""
    at_once_max: int = 0
    _open: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        """The door."""
        return Starlette(routes=[Route("/callbacks/stk/00ff", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        """Keep what came."""
        self._open += 1
        self.at_once_max = max(self.at_once_max, self._open)
        body = await request.body()
        # Lets callbacks that come together be seen together.
        await asyncio.sleep(0)
        self._open -= 1
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.taken_at.append(asyncio.get_running_loop().time())
        self._news.set()
        return JSONResponse({"ResultCode": 0, "ResultDesc": "Accepted"}, self.status)

    async def received(self, count: int = 1) -> list[bytes]:
        """The first ``count`` callbacks, as soon as they are there."""
        async with asyncio.timeout(10):
            while len(self.bodies) < count:
                self._news.clear()
                await self._news.wait()
        return self.bodies[:count]


@dataclass(slots=True)
class World:
    """A simulated network, a merchant, and a client for both; everything on loopback."""

    url: str
    shop: Shop
    http: httpx2.AsyncClient
    settings: SimSettings

    def gateway(
        self,
        *,
        tokens: TokenStore | None = None,
        push_timeout_s: float = 10.0,
        passkey: str | None = None,
        consumer_secret: str | None = None,
        till: str | None = None,
        initiator: Initiator | None = None,
    ) -> MpesaGateway:
        """The real client, pointed at the simulated network."""
        return MpesaGateway(
            MpesaSettings(
                base_url=self.url,
                shortcode=self.settings.shortcode,
                till=till if till is not None else self.settings.till,
                consumer_key=self.settings.consumer_key,
                consumer_secret=consumer_secret or self.settings.consumer_secret,
                passkey=passkey or self.settings.passkey,
                callback_url=self.shop.url,
                pushes_per_s=1_000,
                initiator=initiator,
            ),
            http=self.http,
            tokens=tokens or MemoryTokenStore(),
            push_timeout_s=push_timeout_s,
        )

    async def initiator(self) -> Initiator:
        """The merchant's API user, with the network's certificate."""
        certificate = (await self.http.get(f"{self.url}/sim/certificate")).text
        told = self.settings
        return Initiator(told.initiator_name, told.initiator_password, certificate)

    def push(self, *, shillings: int = 50, msisdn: str = PAYER, account: str = "ABC123") -> Push:
        """A request whose callback reaches the merchant."""
        return a_push(
            shillings=shillings, msisdn=msisdn, account=account, callback_url=self.shop.url
        )

    async def set_faults(self, **faults: object) -> None:
        """Turn faults on."""
        answer = await self.http.post(f"{self.url}/sim/faults", json=faults)
        assert answer.status_code == 200, answer.text

    async def look(self, what: str) -> Any:
        """What ``/sim/<what>`` says."""
        return (await self.http.get(f"{self.url}/sim/{what}")).json()

    async def seen(self, what: str, enough: Callable[[Any], object]) -> Any:
        """What ``/sim/<what>`` says, as soon as it is ``enough``."""
        async with asyncio.timeout(10):
            while True:
                told = await self.look(what)
                if enough(told):
                    return told
                await asyncio.sleep(0.01)

    async def prompt_on_screen(self) -> str:
        """The id of the prompt that is on a phone, as soon as there is one."""
        prompts = await self.seen("prompts", lambda told: any(p["on_screen"] for p in told))
        return next(str(p["id"]) for p in prompts if p["on_screen"])

    async def type_pin(self, pin: str = "1234") -> None:
        """The payer types a PIN into the prompt that is on a phone."""
        prompt = await self.prompt_on_screen()
        answer = await self.http.post(f"{self.url}/sim/prompts/{prompt}/pin", json={"pin": pin})
        assert answer.status_code == 200, answer.text

    async def cancel(self) -> None:
        """The payer presses Cancel."""
        prompt = await self.prompt_on_screen()
        answer = await self.http.post(f"{self.url}/sim/prompts/{prompt}/cancel")
        assert answer.status_code == 200, answer.text

    async def token(self) -> str:
        """A fresh access token."""
        answer = await self.http.get(
            f"{self.url}/oauth/v1/generate?grant_type=client_credentials",
            auth=(self.settings.consumer_key, self.settings.consumer_secret),
        )
        return str(answer.json()["access_token"])


@asynccontextmanager
async def a_world(
    settings: SimSettings | None = None, *, now: Callable[[], datetime] | None = None
) -> AsyncIterator[World]:
    """Everything that a payment needs, on loopback; ``now`` is the network's clock."""
    told = settings or sim_settings()
    clock = now or (lambda: datetime.now(UTC))
    shop = Shop()
    async with (
        served(shop.app()) as shop_url,
        served(build_app(told, now=clock)) as url,
        httpx2.AsyncClient(trust_env=False, verify=trusted()) as http,
    ):
        shop.url = f"{shop_url}/callbacks/stk/00ff"
        yield World(url=url, shop=shop, http=http, settings=told)
