"""The controller: two processes on one database, each of which dies when it is told to."""

from __future__ import annotations

import atexit
import random
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from billing.ids import PlanId
from billing.invoice import shown_number
from billing.money import Money
from billing.plan import Limits, Plan
from controller.config import Settings
from controller.config_sections import HttpSettings, MpesaSection
from controller.deps import Deps
from controller.edge.authority import open_authority
from controller.notify.memory import MemorySms
from controller.payments.bank_notice import Bank, BankSettings
from controller.payments.gateway import Trust
from controller.signals import Signals
from controller.store.database import Database
from controller.store.migrations import upgrade
from controller.usecases.arrivals import place_due
from controller.usecases.paybill import confirm_due, pull_due
from controller.usecases.plans import add_plan
from controller.usecases.refunds import refunds_due
from controller.usecases.settle import query_due
from controller.usecases.sites import NewSite, add_site
from controller.usecases.statements import book_due
from controller.usecases.token_keys import make_ready
from controller.vault import open_vault
from tests.simulation.inline import connecting
from tests.simulation.roads import bodies
from tests.simulation.roads.rails import Account, Rail
from tests.simulation.roads.truth import Truth
from tests.support.builders import SITE
from tests.support.charges import a_subscriber, an_invoice
from tests.support.clock import MORNING, Clock
from tests.support.memory import memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from controller.edge.authority import Authority
    from controller.store.database import Tx
    from controller.vault import Vault

SHORTCODE, TILL = "600111", "5100200"
BANK_ACCOUNT = "0110000001"
SHILLINGS = {"hour": 20, "day": 50, "year": 6_000}
ACCOUNTS = ("anne", "ben", "cate")
JOBS: Mapping[str, Callable[[Deps], Awaitable[int]]] = {
    "query": query_due,
    "place": place_due,
    "refunds": refunds_due,
    "confirm": confirm_due,
    "pull": pull_due,
    "book": partial(book_due),
}


class Killed(BaseException):
    """The process is gone. Nothing in it can catch this."""


class Process(Database):
    """A database as one process sees it; the process dies at a chosen transaction.

    ``before`` it begins, ``inside`` (all statements ran, no commit), or ``after`` the commit; then
    it can do nothing more until it is started again.
    """

    def __init__(self, url: str, *, connect: Callable[..., Awaitable[Any]] | None = None) -> None:
        super().__init__(url, busy_timeout_ms=0 if connect else 10_000, connect=connect)
        self.dead = False
        self._left, self._moment = 0, ""

    def die_at(self, nth: int, moment: str) -> None:
        """Arm it."""
        self._left, self._moment = nth, moment

    def start(self) -> None:
        """A new process takes its place."""
        self.dead, self._left = False, 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """As the real one, except at the chosen transaction."""
        self._left -= 1
        moment = self._moment if self._left == 0 else ""
        if self.dead or moment == "before":
            self._die()
        async with super().begin() as tx:
            yield tx
            if moment == "inside" or self.dead:
                self._die()
        if moment == "after":
            self._die()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """As the real one, while it lives."""
        if self.dead:
            self._die()
        async with super().read() as tx:
            yield tx

    def _die(self) -> None:
        self.dead = True
        raise Killed


@dataclass(slots=True)
class Stage:
    """One run's world. ``processes`` are two controllers; ``truth`` is what the providers did."""

    clock: Clock
    truth: Truth
    rails: dict[str, Rail]
    account: Account
    processes: tuple[Deps, ...]
    accounts: dict[str, Payer]
    told: list[str] = field(default_factory=list)

    @property
    def deps(self) -> Deps:
        """The first process."""
        return self.processes[0]

    def tell(self, text: str) -> None:
        """A line of the story."""
        since = int((self.clock() - MORNING).total_seconds())
        self.told.append(f"{since // 3600:3d}:{since // 60 % 60:02d}:{since % 60:02d}  {text}")


@dataclass(frozen=True, slots=True)
class Payer:
    """A subscriber with an account, a phone and an open invoice."""

    id: str
    phone: str
    invoice: str


@dataclass(slots=True)
class Keys:
    """What all runs share: a folder with keys, and who has an account."""

    folder: Path
    accounts: dict[str, Payer] = field(default_factory=dict)
    vault: Vault = field(init=False)
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.vault, self.authority = open_vault(self.folder), open_authority(self.folder, MORNING)


class Template:
    """A folder with keys and a migrated SQLite file: one site, plans on sale, some accounts."""

    def __init__(self, chance: random.Random) -> None:
        self.folder = Path(mkdtemp(prefix="lango-roads-", dir=memory()))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.path, self._kept = self.folder / "lango.db", self.folder / "template.db"
        self.keys = Keys(self.folder)
        upgrade(f"sqlite+aiosqlite:///{self.path}")
        connect = connecting(str(self.path), chance)
        url = f"sqlite+aiosqlite:///{self.path}"
        self.databases = tuple(Process(url, connect=connect) for _ in range(2))

    async def fill(self) -> None:
        """Make the template, once."""
        stage = a_stage(self.keys, self.databases, Truth(Clock(), random.Random(0)), till=False)
        self.keys.accounts = await filled(stage.deps)
        for one in self.databases:
            await one.close()
        shutil.copy(self.path, self._kept)

    async def fresh(self) -> None:
        """Put the template's database in the place of what was there."""
        for one in self.databases:
            await one.close()
            one.start()
        for rest in ("-wal", "-shm"):
            self.path.with_name(self.path.name + rest).unlink(missing_ok=True)
        shutil.copy(self._kept, self.path)


async def filled(deps: Deps) -> dict[str, Payer]:
    """One site, plans on sale, accounts with an open invoice each."""
    await add_site(deps, NewSite(SITE, "Kahawa West", "Lango Net", "0700 000 000"))
    for rank, (name, shillings) in enumerate(SHILLINGS.items()):
        limits = Limits(4_000_000, 2_000_000, 3_600, None, None, 1)
        await add_plan(deps, Plan(PlanId(name), name, Money(shillings * 100), limits), rank=rank)
    await make_ready(deps)
    found = {}
    for n, name in enumerate(ACCOUNTS):
        phone = f"2547220000{n:02d}"
        subscriber = await a_subscriber(deps, name, msisdn=phone)
        document = await an_invoice(deps, subscriber)
        number = shown_number(document.series, document.number)
        found[name] = Payer(subscriber, phone, number)
    return found


def a_stage(
    keys: Keys,
    databases: tuple[Database, ...],
    truth: Truth,
    *,
    till: bool,
    pull: bool = True,
    look_up: bool = True,
) -> Stage:
    """A world on these databases."""
    places = (TILL, SHORTCODE) if till else (SHORTCODE,)
    mpesa = Rail(truth, "mpesa", places[0], Trust.ADDRESS)
    airtel = Rail(truth, "airtel", "shop", Trust.HINT)
    card = Rail(truth, "card", "shop", Trust.SIGNED)
    account = Account(truth, places, can_look_up=look_up)
    clock = truth.now
    assert isinstance(clock, Clock)
    made = tuple(
        Deps(
            settings=_settings(keys.folder, till=till, pull=pull),
            db=db,
            now=clock,
            signals=Signals(),
            vault=keys.vault,
            authority=keys.authority,
            gateway=mpesa,
            more_gateways=(airtel, card),
            mpesa=account,
            bank=BankSettings(
                Bank.JENGA, BANK_ACCOUNT, user=bodies.BANK_USER, password=bodies.BANK_PASSWORD
            ),
            sms=MemorySms(),
        )
        for db in databases
    )
    rails = {one.rail: one for one in (mpesa, airtel, card)}
    return Stage(clock, truth, rails, account, made, keys.accounts)


def _settings(folder: Path, *, till: bool, pull: bool) -> Settings:
    told = MpesaSection(
        shortcode=SHORTCODE,
        till=TILL if till else None,
        consumer_key="key",
        consumer_secret=SecretStr("secret"),
        passkey=SecretStr("passkey"),
        nominated_number="254722111111" if pull else None,
        c2b=True,
    )
    public = HttpSettings(public_url="https://pay.example.co.ke")
    return Settings(state_dir=folder, http=public, mpesa=told)
