"""Things that a test of the controller needs, with telling defaults."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NoReturn

from cryptography.fernet import Fernet
from pydantic import SecretStr

from billing.ids import GrantId, OrderId, PlanId, SessionId, SiteId
from billing.money import Money
from billing.msisdn import Msisdn
from billing.plan import Limits, Plan
from controller.config import Settings
from controller.config_sections import HttpSettings, MpesaSection
from controller.deps import Deps
from controller.edge.authority import open_authority
from controller.notify.memory import MemorySms
from controller.notify.memory_email import MemoryEmail
from controller.payments.memory import MemoryGateway
from controller.records import Reading, SessionClosed, SessionOpened, SiteRecord
from controller.signals import Signals
from controller.store.database import Database
from controller.usecases.asking import CALLBACK_PATH
from controller.usecases.ingest import Batch
from controller.usecases.plans import add_plan
from controller.usecases.purchase import NewOrder, purchase
from controller.usecases.settle import take_callback
from controller.usecases.sites import NewSite, add_site
from controller.vault import Vault
from tests.support.clock import MORNING, Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from pathlib import Path

    from controller.payments.gateway import PaymentGateway
    from controller.records import Fact
    from controller.store.database import Tx
    from controller.usecases.purchase import OrderStatus
    from controller.usecases.settle import Verdict

SITE = SiteId("kahawa")
OTHER_SITE = SiteId("ruiru")
HOUR = PlanId("hour")
SHORTCODE = "600111"
MAC = "02:00:00:00:00:0a"
OTHER_MAC = "02:00:00:00:00:0b"
PHONE = Msisdn("254712345678")
OTHER_PHONE = Msisdn("254112345678")
JOURNAL = "a" * 32
Moment = Literal["before", "inside", "after"]


def hex_id(text: str) -> str:
    """A well-formed id that a reader can tell from others: the text, in hexadecimal, padded."""
    return text.encode().hex().ljust(32, "0")[:32]


def an_order_id(name: str = "order") -> OrderId:
    """An order id that says its name."""
    return OrderId(hex_id(name))


def limits(
    *,
    down_bps: int = 4_000_000,
    up_bps: int = 2_000_000,
    validity_s: int | None = 3_600,
    uptime_s: int | None = None,
    quota_bytes: int | None = None,
    devices_max: int = 1,
) -> Limits:
    """An hour at 4 Mbit/s for one device, unless said otherwise."""
    return Limits(down_bps, up_bps, validity_s, uptime_s, quota_bytes, devices_max)


def a_plan(plan_id: str = HOUR, *, shillings: int = 20, allows: Limits | None = None) -> Plan:
    """A plan of 20 shillings."""
    return Plan(
        id=PlanId(plan_id),
        name=f"Plan {plan_id}",
        price=Money(shillings * 100),
        limits=allows or limits(),
    )


def an_order(
    name: str = "order",
    *,
    plan_id: str = HOUR,
    msisdn: Msisdn = PHONE,
    device_mac: str = MAC,
    age_s: int = 0,
) -> NewOrder:
    """An order for the hour plan, just placed."""
    return NewOrder(an_order_id(name), PlanId(plan_id), msisdn, device_mac, age_s)


def settings(state_dir: Path, *, mpesa: bool = True) -> Settings:
    """Settings with an invented M-PESA account."""
    account = MpesaSection(
        shortcode=SHORTCODE,
        consumer_key="key",
        consumer_secret=SecretStr("secret"),
        passkey=SecretStr("passkey"),
    )
    return Settings(
        state_dir=state_dir,
        http=HttpSettings(public_url="https://pay.example.co.ke"),
        mpesa=account if mpesa else None,
    )


def a_vault() -> Vault:
    """A vault with keys of its own."""
    return Vault(
        seal_key=Fernet.generate_key(), hash_key=secrets.token_bytes(32), staff_key="staff-key"
    )


@dataclass(frozen=True, slots=True)
class World:
    """A controller with its payers and its clock."""

    deps: Deps
    gateway: MemoryGateway
    clock: Clock
    sms: MemorySms = field(default_factory=MemorySms)
    email: MemoryEmail = field(default_factory=MemoryEmail)

    def on(self, db: Database, gateway: PaymentGateway | None = None) -> World:
        """The same world seen by another process: another engine on the same database."""
        return replace(
            self,
            deps=replace(self.deps, db=db, signals=Signals(), gateway=gateway or self.deps.gateway),
        )

    @property
    def last_provider_id(self) -> str:
        """How the provider calls the newest push that it took."""
        return list(self.gateway.asked)[-1]

    async def order(
        self,
        name: str = "order",
        *,
        plan_id: str = HOUR,
        msisdn: Msisdn = PHONE,
        device_mac: str = MAC,
        age_s: int = 0,
    ) -> OrderStatus:
        """Purchase at the usual site."""
        order = an_order(name, plan_id=plan_id, msisdn=msisdn, device_mac=device_mac, age_s=age_s)
        return await purchase(self.deps, SITE, order)

    async def call_back(
        self, provider_id: str | None = None, *, amount: Money | None = None
    ) -> Verdict:
        """Deliver what the provider would post about a push that was decided."""
        name = provider_id or self.last_provider_id
        return await take_callback(
            self.deps,
            token=self.token_of(name),
            body=self.gateway.callback(name, amount=amount),
            source="196.201.214.200",
        )

    def token_of(self, provider_id: str) -> str:
        """The unguessable part of the address that the provider was given for a push."""
        return token_in(self.gateway.asked[provider_id].push.callback_url)


def token_in(callback_url: str) -> str:
    """The token of a callback's address."""
    return callback_url.partition(CALLBACK_PATH)[2]


def a_world(db: Database, state_dir: Path, *, mpesa: bool = True) -> World:
    """A controller on ``db`` with nothing in it."""
    clock, carrier, post = Clock(), MemorySms(), MemoryEmail()
    gateway = MemoryGateway(place=SHORTCODE if mpesa else "")
    deps = Deps(
        settings=settings(state_dir, mpesa=mpesa),
        db=db,
        now=clock,
        signals=Signals(),
        vault=a_vault(),
        authority=open_authority(state_dir, MORNING),
        gateway=gateway,
        sms=carrier,
        email=post,
    )
    return World(deps, gateway, clock, carrier, post)


async def with_site(world: World, *plans: Plan) -> World:
    """The world with one site, and with plans on sale: the hour plan unless others are named."""
    await add_site(world.deps, NewSite(SITE, "Kahawa West", "Lango Net", "0700 000 000"))
    for rank, plan in enumerate(plans or (a_plan(),)):
        await add_plan(world.deps, plan, rank=rank)
    return world


class Killed(Exception):  # noqa: N818 - stands for SIGKILL
    """The process is gone."""


class MortalDatabase(Database):
    """A database whose process dies at one chosen transaction.

    ``before`` it begins, ``inside`` (all statements ran, no commit), or ``after`` the commit.
    """

    def __init__(self, url: str, *, nth: int, moment: Moment) -> None:
        super().__init__(url)
        self._nth, self._moment = nth, moment
        self.transactions = 0
        self.is_dead = False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """As the real one until the chosen transaction; there is none after it."""
        self.transactions += 1
        moment = self._moment if self.transactions == self._nth else None
        if self.is_dead or moment == "before":
            self._die()
        async with super().begin() as tx:
            yield tx
            if moment == "inside":
                self._die()
        if moment == "after":
            self._die()

    def _die(self) -> NoReturn:
        self.is_dead = True
        raise Killed


def opened(
    session: str = "session", *, grant_id: str, mac: str = MAC, address: str = "10.0.0.2"
) -> SessionOpened:
    """A device got access."""
    return SessionOpened(SessionId(hex_id(session)), GrantId(grant_id), mac, (address,))


def reading(
    session: str = "session",
    *,
    grant_id: str,
    epoch: str = "boot-1",
    down: int = 0,
    up: int = 0,
    validity_s: int = 0,
    uptime_s: int = 0,
    own_uptime_s: int = 0,
) -> Reading:
    """Cumulative counters of a session."""
    return Reading(
        SessionId(hex_id(session)),
        GrantId(grant_id),
        epoch,
        down,
        up,
        validity_s,
        uptime_s,
        own_uptime_s,
    )


def closed(session: str = "session", *, grant_id: str, reason: str = "time") -> SessionClosed:
    """A session is over."""
    return SessionClosed(SessionId(hex_id(session)), GrantId(grant_id), reason)


def a_record(seq: int, fact: Fact, *, at: datetime = MORNING) -> SiteRecord:
    """A fact in the journal."""
    return SiteRecord(seq, at, fact)


def a_batch(*records: SiteRecord, journal: str = JOURNAL) -> Batch:
    """A report of those records."""
    return Batch(journal, records, applied_generation=0, applied_digest=b"", agent_version="0.1")
