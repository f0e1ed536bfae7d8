"""A captive portal to test: a scripted gate, a clock that is set, requests and a real server."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar, cast

import httpx2
import uvicorn

from billing.money import Money
from portal.captive.app import create_app
from portal.captive.gate import AccessView, Offer, SiteFace
from portal.captive.memory_gate import MemoryGate

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")

HOST = "wifi.lango"
GATEWAY = "10.77.0.1"
PHONE = "10.77.0.7"
NOON = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # 12:00 in Nairobi, a Monday
GB = 10**9
TWO_WALLETS = ("mpesa", "airtel")


@dataclass
class SetClock:
    """A clock that stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)


def an_offer(plan_id: str = "hour", **but: object) -> Offer:
    fields: dict[str, object] = {
        "plan_id": plan_id,
        "name": "One hour",
        "price": Money(10_00),
        "down_bps": 5_000_000,
        "up_bps": 2_000_000,
        "validity_s": 3600,
        "uptime_s": None,
        "quota_bytes": None,
        "devices_max": 1,
    }
    return Offer(**{**fields, **but})  # type: ignore[arg-type] # telling defaults, any may differ


LADDER = (
    an_offer("hour"),
    an_offer("half-day", name="Half day", price=Money(30_00), validity_s=12 * 3600),
    an_offer("day", name="Day", price=Money(50_00), validity_s=86_400, devices_max=2),
    an_offer("gb", name="Gigabyte", price=Money(60_00), validity_s=7 * 86_400, quota_bytes=GB),
    an_offer("week", name="Week", price=Money(250_00), validity_s=7 * 86_400, devices_max=3),
    an_offer(
        "month",
        name="Month",
        price=Money(1_500_00),
        validity_s=30 * 86_400,
        down_bps=10_000_000,
        devices_max=4,
    ),
)


def a_face(**but: object) -> SiteFace:
    fields: dict[str, object] = {
        "operator_name": "Upepo Networks",
        "site_name": "Market Street",
        "help_phone": "0700 000 000",
        "language": "en",
    }
    return SiteFace(**{**fields, **but})  # type: ignore[arg-type] # telling defaults, any may differ


def an_access(**but: object) -> AccessView:
    fields: dict[str, object] = {
        "plan_name": "Day",
        "seconds_left": 3600,
        "until": NOON + timedelta(seconds=3600),
        "bytes_left": None,
        "down_bytes": 0,
        "up_bytes": 0,
        "devices_used": 1,
        "devices_max": 2,
    }
    return AccessView(**{**fields, **but})  # type: ignore[arg-type] # telling defaults, any may differ


@dataclass
class Site:
    """A portal over a scripted gate, as devices on its LAN reach it."""

    clock: SetClock = field(default_factory=SetClock)
    offers: tuple[Offer, ...] = LADDER
    face: SiteFace = field(default_factory=a_face)
    portal_url: str | None = None

    def __post_init__(self) -> None:
        self.gate = MemoryGate(self.face, self.offers, self.clock)
        self.app = create_app(self.gate, host=HOST, portal_url=self.portal_url)

    def phone(self, address: str = PHONE) -> httpx2.AsyncClient:
        """A client that follows nothing and connects from ``address``."""
        transport = httpx2.ASGITransport(reached_at(self.app, GATEWAY), client=(address, 40_000))
        return httpx2.AsyncClient(transport=transport, base_url=f"http://{HOST}")

    async def ordered(self, address: str = PHONE, plan_id: str = "hour") -> str:
        """The id of a fresh order of the device at ``address``."""
        placed = await self.gate.order(address, plan_id=plan_id, phone="0712345678")
        assert type(placed) is str
        return placed

    def ordered_at_once(self, address: str) -> str:
        """`ordered` for a test that runs no event loop; the memory gate waits for nothing."""
        return at_once(self.ordered(address))


def at_once(asked: Coroutine[object, None, T]) -> T:
    """The answer of the memory gate, which waits for nothing, without an event loop."""
    try:
        asked.send(None)
    except StopIteration as answer:
        return cast("T", answer.value)
    raise AssertionError("the memory gate waited")


def reached_at(app: ASGIApp, gateway: str) -> ASGIApp:
    """``app`` as a server listening at ``gateway`` would call it, whatever host was asked for."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "server": (gateway, 80)}, receive, send)

    return served


@dataclass
class Stage:
    """An ASGI application whose site can be changed while its server runs."""

    site: Site = field(default_factory=Site)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.site.app(scope, receive, send)


@contextmanager
def serving(app: ASGIApp) -> Iterator[int]:
    """A real server for ``app`` on loopback, in a thread; yields its port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none", http="httptools")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
