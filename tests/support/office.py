"""A controller's office for tests: real database and keys, a clock that is set, money in memory.

`an_office` builds `Deps`; `opened` serves its HTTP application on a loopback port; the ``a_…``
functions write rows as other parts of the controller would have left them.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import uvicorn
from pydantic import SecretStr

from controller.api.app import create_app
from controller.config import Settings
from controller.config_sections import MpesaSection, SmsSection
from controller.deps import Deps
from controller.edge.authority import open_authority
from controller.notify.memory import MemorySms
from controller.payments.memory import MemoryGateway
from controller.signals import Signals
from controller.store.rows import (
    GrantRow,
    LedgerTransactionRow,
    PaymentRow,
    PlanRow,
    PostingRow,
    SessionRow,
    SubscriberRow,
)
from controller.store.site_rows import NoticeRow, SiteRow
from controller.vault import open_vault
from tests.support.database import sqlite_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI

    from controller.store.database import Database
    from controller.store.rows import Row

NOON = datetime(2026, 11, 23, 9, tzinfo=UTC)
"""Noon in Nairobi."""


ACCOUNT = MpesaSection(
    base_url="http://127.0.0.1:8090",
    shortcode="600111",
    consumer_key="key",
    consumer_secret=SecretStr("secret"),
    passkey=SecretStr("passkey"),
)


CARRIER = SmsSection(username="sandbox", api_key=SecretStr("key"))


@dataclass(slots=True)
class SetClock:
    """A clock that stands still until it is moved."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: int) -> None:
        """Move it on, by the words of ``timedelta``."""
        self.at += timedelta(**by)


@dataclass(frozen=True, slots=True)
class Office:
    """A controller without its doors, and the clock that it reads."""

    deps: Deps
    clock: SetClock

    @property
    def key(self) -> str:
        """The staff key."""
        return self.deps.vault.staff_key()

    async def keep(self, *rows: Row) -> None:
        """Write rows, and wake those who look."""
        async with self.deps.db.begin() as tx:
            for row in rows:
                tx.add(row)
                await tx.flush()
        self.deps.signals.wake("live")


def an_office(state_dir: Path, db: Database) -> Office:
    """A controller of this database, at noon."""
    clock = SetClock()
    deps = Deps(
        settings=Settings(state_dir=state_dir, mpesa=ACCOUNT, sms=CARRIER),
        db=db,
        now=clock,
        signals=Signals(),
        vault=open_vault(state_dir),
        authority=open_authority(state_dir, clock()),
        gateway=MemoryGateway(),
        sms=MemorySms(),
    )
    return Office(deps, clock)


@asynccontextmanager
async def caller(office: Office, key: str | None = "") -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the real application, without a socket; with the staff key unless told."""
    app = create_app(office.deps)
    shown = office.key if key == "" else key
    headers = {} if shown is None else {"Authorization": f"Bearer {shown}"}
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://lango.test", headers=headers
    ) as client:
        yield client
    await app.state.hub.close()


@asynccontextmanager
async def opened(office: Office, app: FastAPI | None = None) -> AsyncIterator[str]:
    """The address of the real application, of this one or a new one, served on loopback."""
    app = app or create_app(office.deps)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with serving(app, listening):
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.opened = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the door, and say so."""
        await super().startup(sockets=sockets)
        self.opened.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the test run."""
        yield


@asynccontextmanager
async def serving(app: FastAPI, listening: socket.socket) -> AsyncIterator[None]:
    """Answer on a socket while the block lasts."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, proxy_headers=False, timeout_graceful_shutdown=1
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.wait_for(server.opened.wait(), 20)
        yield
    finally:
        server.should_exit = True
        await task


def a_site(site_id: str = "estate-1", **fields: Any) -> SiteRow:
    """A site that is online and in step."""
    usual: dict[str, Any] = {
        "name": "Estate 1",
        "operator_name": "Lango",
        "help_phone": "0700 000 000",
        "language": "en",
        "created_at": NOON - timedelta(days=30),
        "generation": 12,
        "digest": bytes(32),
        "applied_generation": 12,
        "applied_digest": bytes(32),
        "last_seen_at": NOON - timedelta(seconds=4),
        "agent_version": "0.1.0",
    }
    return SiteRow(id=site_id, **{**usual, **fields})


def a_plan(plan_id: str = "hours-2", **fields: Any) -> PlanRow:
    """Two hours at 3 Mb/s for KES 10."""
    usual: dict[str, Any] = {
        "name": "2 hours",
        "price_minor": 1_000,
        "currency": "KES",
        "down_bps": 3_000_000,
        "up_bps": 1_000_000,
        "validity_s": 7_200,
        "uptime_s": None,
        "quota_bytes": None,
        "devices_max": 1,
        "rank": 0,
        "created_at": NOON - timedelta(days=30),
        "withdrawn_at": None,
    }
    return PlanRow(id=plan_id, **{**usual, **fields})


def a_subscriber(subscriber_id: str = "5" * 32, msisdn: str = "254712345678") -> SubscriberRow:
    """Somebody with a phone."""
    return SubscriberRow(id=subscriber_id, msisdn=msisdn, created_at=NOON)


def a_payment(order_id: str = "a" * 32, **fields: Any) -> PaymentRow:
    """A payment of KES 10 that is settled."""
    usual: dict[str, Any] = {
        "site_id": "estate-1",
        "subscriber_id": "5" * 32,
        "plan_id": "hours-2",
        "device_mac": "02:00:00:00:00:01",
        "msisdn": "254712345678",
        "rail": "mpesa",
        "amount_minor": 1_000,
        "currency": "KES",
        "state": "settled",
        "code": "0",
        "reason": None,
        "provider_id": f"ws_{order_id}",
        "callback_token_hash": order_id,
        "receipt": f"R{order_id[-9:].upper()}",
        "created_at": NOON,
        "pushed_at": NOON,
        "settled_at": NOON,
        "next_query_at": None,
    }
    return PaymentRow(order_id=order_id, **{**usual, **fields})


def a_grant(grant_id: str = "9" * 32, **fields: Any) -> GrantRow:
    """A grant of two hours, half spent."""
    usual: dict[str, Any] = {
        "site_id": "estate-1",
        "subscriber_id": "5" * 32,
        "plan_id": "hours-2",
        "cause_id": grant_id,
        "devices": "02:00:00:00:00:01",
        "created_at": NOON - timedelta(hours=1),
        "started_at": NOON - timedelta(hours=1),
        "ended_at": None,
        "ended_reason": None,
        "spent_validity_s": 3_600,
        "spent_uptime_s": 3_600,
        "used_bytes": 250_000_000,
    }
    return GrantRow(id=grant_id, **{**usual, **fields})


def a_session(session_id: str = "7" * 32, **fields: Any) -> SessionRow:
    """An open session with 200 MB down and 50 MB up."""
    usual: dict[str, Any] = {
        "site_id": "estate-1",
        "grant_id": "9" * 32,
        "mac": "02:00:00:00:00:01",
        "addresses": "10.77.0.10",
        "opened_at": NOON - timedelta(hours=1),
        "seen_at": NOON - timedelta(seconds=2),
        "closed_at": None,
        "closed_reason": None,
        "down_bytes": 200_000_000,
        "up_bytes": 50_000_000,
    }
    return SessionRow(id=session_id, **{**usual, **fields})


def a_notice(notice_id: str = "c" * 32, **fields: Any) -> NoticeRow:
    """A notice of a site."""
    usual: dict[str, Any] = {
        "at": NOON,
        "site_id": "estate-1",
        "code": "amount_differs",
        "text": "A callback said KES 1, the order was KES 10; nothing was credited.",
    }
    return NoticeRow(id=notice_id, **{**usual, **fields})


def a_sale(order_id: str = "a" * 32) -> tuple[Row, ...]:
    """The ledger's two postings of a settled payment."""
    cause = f"payment:{order_id}:settled"
    wallet = f"liability:wallet:{'5' * 32}"
    return (
        LedgerTransactionRow(id=cause, at=NOON, cause="payment settled"),
        PostingRow(
            transaction_id=cause,
            n=0,
            source=wallet,
            target="asset:mpesa:600111",
            amount_minor=1_000,
            currency="KES",
        ),
        PostingRow(
            transaction_id=cause,
            n=1,
            source="income:main:plan:hours-2",
            target=wallet,
            amount_minor=1_000,
            currency="KES",
        ),
    )


def a_day() -> tuple[Row, ...]:
    """A site with one customer who paid and is online."""
    rows = (a_site(), a_plan(), a_subscriber(), a_payment(), a_grant(), a_session(), a_notice())
    return (*rows, *a_sale())


@pytest.fixture
def office(tmp_path: Path, db: Database) -> Office:
    """A controller of a fresh database."""
    return an_office(tmp_path, db)


@pytest.fixture
def sqlite_only(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of an empty SQLite database; for tests in which the database plays no part."""
    return sqlite_url(Path(shutil.copy(sqlite_template, tmp_path / "lango.db")))
