"""A controller's gRPC doors on loopback, and an agent that knocks."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
from wirepb.v1 import edge_pb2 as pb
from wirepb.v1 import edge_pb2_grpc as rpc

from billing.ids import PlanId, SiteId
from billing.money import Money
from billing.plan import Limits, Plan
from controller.config import Settings
from controller.config_sections import EdgeSettings, MpesaSection
from controller.deps import Deps
from controller.edge.authority import SERVER_NAME, open_authority
from controller.edge.dispatch import Dispatch, Verbs
from controller.edge.grpc import EdgeServers
from controller.payments.memory import MemoryGateway
from controller.signals import Signals
from controller.store.database import Database
from controller.usecases.plans import add_plan
from controller.usecases.sites import NewSite, add_site, new_join_token
from controller.vault import open_vault
from controller.work import VERBS
from tests.controller.edge.certificates import a_csr, a_key, private_pem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric import ec

    from controller.edge.grpc import EdgePorts
    from controller.payments.gateway import PaymentGateway

SITE = SiteId("estate-1")
HOUR = PlanId("hour")
CALL_S = 10.0
"""Patience of the agent in these tests."""


class Clock:
    """The controller's wall clock, in the hands of the test."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, step: timedelta) -> None:
        self.moment += step


@dataclass(frozen=True, slots=True)
class Doors:
    """An open controller edge; ``clock`` is the controller's."""

    deps: Deps
    ports: EdgePorts
    clock: Clock
    gateway: MemoryGateway
    servers: EdgeServers

    async def secret(self, site_id: SiteId = SITE) -> str:
        """The secret of a fresh join token."""
        return await new_join_token(self.deps, site_id)


@dataclass(slots=True)
class Agent:
    """What an agent keeps after joining."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=a_key)
    certificate: bytes = b""

    def csr(self) -> bytes:
        return a_csr(self.key)


def a_settings(state_dir: Path) -> Settings:
    """Settings of a controller on free ports of loopback."""
    mpesa = MpesaSection.model_validate(
        {
            "base_url": "http://127.0.0.1:9",
            "shortcode": "600111",
            "consumer_key": "key",
            "consumer_secret": "secret",
            "passkey": "passkey",
        }
    )
    return Settings(state_dir=state_dir, edge=EdgeSettings(port=0, join_port=0), mpesa=mpesa)


@asynccontextmanager
async def open_doors(
    state_dir: Path, url: str, verbs: Verbs = VERBS, *, more: tuple[PaymentGateway, ...] = ()
) -> AsyncIterator[Doors]:
    """Doors over a migrated database, with one site and one plan."""
    clock, gateway, settings = Clock(), MemoryGateway(), a_settings(state_dir)
    db = Database(url)
    deps = Deps(
        settings=settings,
        db=db,
        now=clock,
        signals=Signals(),
        vault=open_vault(state_dir),
        authority=open_authority(state_dir, clock()),
        gateway=gateway,
        more_gateways=more,
    )
    await add_site(deps, NewSite(SITE, name="Estate 1", operator_name="Mtaa Net"))
    await add_plan(deps, an_hour())
    servers = EdgeServers(deps, Dispatch(deps, verbs))
    try:
        yield Doors(deps, await servers.open(), clock, gateway, servers)
    finally:
        await servers.stop()
        await db.close()


def an_hour() -> Plan:
    """A plan that every site sells."""
    limits = Limits(
        down_bps=5_000_000,
        up_bps=2_000_000,
        validity_s=3600,
        uptime_s=None,
        quota_bytes=None,
        devices_max=1,
    )
    return Plan(id=HOUR, name="One hour", price=Money(2000, "KES"), limits=limits)


@asynccontextmanager
async def at_join(doors: Doors) -> AsyncIterator[rpc.JoinAsyncStub]:
    """The join door, as a new agent sees it."""
    trust = grpc.ssl_channel_credentials(doors.deps.authority.ca_pem)
    async with _channel(doors.ports.join, trust) as channel:
        yield rpc.JoinStub(channel)


@asynccontextmanager
async def at_edge(doors: Doors, agent: Agent | None) -> AsyncIterator[rpc.EdgeAsyncStub]:
    """The edge door, as an agent with its certificate (or without one) sees it."""
    trust = grpc.ssl_channel_credentials(doors.deps.authority.ca_pem)
    if agent is not None:
        trust = grpc.ssl_channel_credentials(
            doors.deps.authority.ca_pem, private_pem(agent.key), agent.certificate
        )
    async with _channel(doors.ports.edge, trust) as channel:
        yield rpc.EdgeStub(channel)


def _channel(port: int, trust: grpc.ChannelCredentials) -> grpc.aio.Channel:
    return grpc.aio.secure_channel(
        f"127.0.0.1:{port}", trust, options=[("grpc.ssl_target_name_override", SERVER_NAME)]
    )


async def enrol(doors: Doors, secret: str, csr: bytes) -> pb.Certificate:
    """Knock at the join door."""
    async with at_join(doors) as join:
        return await join.Enrol(pb.EnrolRequest(secret=secret, csr_pem=csr), timeout=CALL_S)


async def an_agent(doors: Doors) -> Agent:
    """An agent that has joined."""
    agent = Agent()
    agent.certificate = (await enrol(doors, await doors.secret(), agent.csr())).certificate_pem
    return agent
