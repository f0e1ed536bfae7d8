"""A provider's day over HTTP: payments, a bad line, an hour without Daraja, a statement.

Everything is the product's own: its application at one end, `MpesaGateway` and `MpesaAccount` at
the other, and the simulated Daraja on a loopback port. Between Daraja and us is a line that loses,
doubles and delays what is posted.

``python -m tests.simulation.roads.day [SEED [PAYMENTS]]`` prints its figures.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx2
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from billing.ids import OrderId, PlanId
from billing.msisdn import Msisdn
from controller.api.app import create_app
from controller.config import Settings
from controller.config_sections import HttpSettings, MpesaSection
from controller.deps import Deps
from controller.payments.mpesa import MpesaGateway
from controller.payments.mpesa_account import MpesaAccount
from controller.payments.mpesa_settings import MpesaSettings
from controller.payments.tokens import MemoryTokenStore
from controller.sandbox.daraja.app import build_app
from controller.sandbox.daraja.settings import SimSettings
from controller.signals import Signals
from controller.store.database import Database
from controller.store.migrations import upgrade
from controller.usecases.arrivals import place_due
from controller.usecases.asking import CALLBACK_PATH
from controller.usecases.paybill import confirm_due, pull_due, register_due
from controller.usecases.purchase import NewOrder, purchase
from controller.usecases.reconcile import reconcile
from controller.usecases.settle import query_due
from controller.usecases.statements import import_statement
from tests.simulation.roads import judge
from tests.simulation.roads.stage import Keys, filled
from tests.support.builders import SITE
from tests.support.clock import Clock
from tests.support.daraja import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from controller.usecases.reconcile import Reconciliation
    from tests.simulation.roads.stage import Payer

DAY = date(2026, 11, 23)
MIDNIGHT = datetime(2026, 11, 22, 21, tzinfo=UTC)
"""In Nairobi."""

SHORTCODE = "600111"
OUTAGE = (timedelta(hours=13), timedelta(hours=14))
LOST, DOUBLED, LATE = 0.10, 0.05, 0.05
HEARD_MAX_S = 20


@dataclass(slots=True)
class Line:
    """What Daraja posts passes here; some is lost, some comes twice, some comes late."""

    clock: Clock
    chance: random.Random
    ours: httpx2.AsyncClient | None = None
    down: bool = False
    count: Counter[str] = field(default_factory=Counter)
    waiting: list[tuple[datetime, str, bytes]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        """The line as Daraja sees it: it always takes."""
        return Starlette(routes=[Route("/{path:path}", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        """Pass it on, as well as it goes."""
        path, body = request.url.path, await request.body()
        fate = self.chance.random()
        validates = path.endswith("/validate")
        if validates:
            return await self._asked(path, body)
        self.count["posted"] += 1
        if self.down or fate < LOST:
            self.count["lost"] += 1
        elif fate < LOST + DOUBLED:
            self.count["doubled"] += 1
            await asyncio.gather(self.give(path, body), self.give(path, body))
        elif fate < LOST + DOUBLED + LATE:
            self.count["late"] += 1
            due = self.clock() + timedelta(seconds=self.chance.randint(300, 7_200))
            self.waiting.append((due, path, body))
        else:
            await self.give(path, body)
        self.news.set()
        return Response("{}", media_type="application/json")

    async def give(self, path: str, body: bytes) -> None:
        """We hear it."""
        assert self.ours is not None
        await self.ours.post(path, content=body)

    async def give_late(self) -> None:
        """What is due by now is heard."""
        due = [one for one in self.waiting if one[0] <= self.clock()]
        self.waiting = [one for one in self.waiting if one[0] > self.clock()]
        for _, path, body in due:
            await self.give(path, body)

    async def has_heard(self, posts: int) -> None:
        """Wait until so many posts have passed in all."""
        async with asyncio.timeout(HEARD_MAX_S):
            while self.count["posted"] < posts:
                self.news.clear()
                await self.news.wait()

    async def _asked(self, path: str, body: bytes) -> Response:
        assert self.ours is not None
        if self.down:
            return Response(status_code=503)
        answer = await self.ours.post(path, content=body)
        return Response(answer.content, answer.status_code, media_type="application/json")


class Gone(httpx2.AsyncHTTPTransport):
    """Our way to Daraja, which may be cut."""

    cut = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """As ever, unless it is cut."""
        if self.cut:
            raise httpx2.ConnectError("no route to Daraja")
        return await super().handle_async_request(request)


@dataclass(slots=True)
class Day:
    """The day's parts, and what was done in it."""

    deps: Deps
    clock: Clock
    line: Line
    way: Gone
    sim: httpx2.AsyncClient
    chance: random.Random
    accounts: dict[str, Payer]
    count: Counter[str] = field(default_factory=Counter)

    async def lived(self, payments: int) -> None:
        """So many payments, from one midnight to the next."""
        await register_due(self.deps)
        # Pull has gaps too: some money is told by the statement alone.
        await self.sim.post("/sim/faults", json={"pull_misses_rows": True})
        for n in range(payments):
            self.clock.to(MIDNIGHT + (n + 1) * timedelta(hours=23) / payments)
            await self._weather()
            await self.line.give_late()
            if self.chance.random() < 0.65:
                await self.buy(n)
            else:
                await self.from_menu(n)
            await self.jobs()
        self.clock.to(MIDNIGHT + timedelta(hours=24, minutes=30))
        for _ in range(3):
            await self.jobs()
            self.clock.advance(700)

    async def _weather(self) -> None:
        since = self.clock() - MIDNIGHT
        self.way.cut = self.line.down = OUTAGE[0] <= since < OUTAGE[1]

    async def buy(self, n: int) -> None:
        """Somebody at a portal buys, and types a PIN, or not."""
        plan = self.chance.choice(("hour", "hour", "day"))
        order = OrderId(f"{n:08x}" + "b" * 24)
        phone, mac = Msisdn(f"2547110{n:05d}"), f"02:00:00:00:{n // 256:02x}:{n % 256:02x}"
        told = await purchase(self.deps, SITE, NewOrder(order, PlanId(plan), phone, mac, 0))
        if told.stage != "prompted":
            self.count["could not be asked"] += 1
            return
        prompts = (await self.sim.get("/sim/prompts")).json()
        open_ = [p for p in prompts if p["on_screen"]]
        posts = self.line.count["posted"]
        if not open_:
            return
        (prompt,) = open_
        if self.chance.random() < 0.15:
            self.count["cancelled"] += 1
            await self.sim.post(f"/sim/prompts/{prompt['id']}/cancel")
            await self.line.has_heard(posts + 1)
            return
        self.count["paid by prompt"] += 1
        answer = await self.sim.post(f"/sim/prompts/{prompt['id']}/pin", json={"pin": "1234"})
        assert answer.status_code == 200, answer.text
        await self.line.has_heard(posts + 2)

    async def from_menu(self, n: int) -> None:
        """Somebody pays from the menu: for a phone, an invoice, or for who knows whom."""
        one = self.accounts[self.chance.choice(sorted(self.accounts))]
        account = self.chance.choice((one.phone, "0" + one.phone[3:], one.invoice, "JINA LANGU"))
        shillings = self.chance.choice((50, 300, 1_500, 6_000))
        wanted = {"msisdn": f"2547120{n:05d}", "shillings": shillings, "account": account}
        posts = self.line.count["posted"]
        answer = await self.sim.post("/sim/pay", json=wanted)
        assert answer.status_code == 200, answer.text
        self.count["paid from the menu"] += 1
        await self.line.has_heard(posts + 1)

    async def jobs(self) -> None:
        """The scheduler's rounds."""
        for job in (query_due, place_due, confirm_due, pull_due):
            await job(self.deps)

    async def closed(self) -> Reconciliation:
        """The next morning: the portal's statement is imported, and the two sides compared."""
        told = await self.sim.get(f"/sim/statement.csv?day={DAY}")
        name = {"name": f"org-{DAY}.csv", "idempotent": f"{self.chance.getrandbits(128):032x}"}
        left = True
        while left:
            done = await import_statement(self.deps, told.content, **name)
            left = done.left
        await self.jobs()
        return await reconcile(self.deps, "mpesa", SHORTCODE, DAY)


@asynccontextmanager
async def a_day(folder: Path, seed: int) -> AsyncIterator[Day]:
    """A day that has not begun."""
    chance, clock = random.Random(seed), Clock(MIDNIGHT)
    line, way, keys = Line(clock, chance), Gone(), Keys(folder)
    url = f"sqlite+aiosqlite:///{folder / 'lango.db'}"
    await asyncio.to_thread(upgrade, url)
    told = SimSettings(shortcode=SHORTCODE, working_ms=0, opening_shillings=20_000)
    db = Database(url)
    async with (
        served(line.app()) as line_url,
        served(build_app(told, now=clock)) as daraja_url,
        httpx2.AsyncClient(transport=way, trust_env=False) as http,
        httpx2.AsyncClient(base_url=daraja_url, trust_env=False) as sim,
    ):
        deps = _deps(told, db, keys, http, urls=(line_url, daraja_url), clock=clock)
        accounts = await filled(deps)
        app = create_app(deps)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=line_url) as ours:
            line.ours = ours
            yield Day(deps, clock, line, way, sim, chance, accounts)
        await app.state.hub.close()
    await db.close()


def _deps(
    told: SimSettings,
    db: Database,
    keys: Keys,
    http: httpx2.AsyncClient,
    *,
    urls: tuple[str, str],
    clock: Clock,
) -> Deps:
    line_url, daraja_url = urls
    nominated = "254722111111"
    section = MpesaSection(
        base_url=daraja_url,
        shortcode=SHORTCODE,
        consumer_key=told.consumer_key,
        consumer_secret=SecretStr(told.consumer_secret),
        passkey=SecretStr(told.passkey),
        nominated_number=nominated,
        c2b=True,
    )
    account = MpesaSettings(
        base_url=daraja_url,
        shortcode=SHORTCODE,
        consumer_key=told.consumer_key,
        consumer_secret=told.consumer_secret,
        passkey=told.passkey,
        callback_url=line_url + CALLBACK_PATH,
        pushes_per_s=1_000,
        nominated_number=Msisdn(nominated),
    )
    tokens = MemoryTokenStore()
    return Deps(
        settings=Settings(
            state_dir=keys.folder, http=HttpSettings(public_url=line_url), mpesa=section
        ),
        db=db,
        now=clock,
        signals=Signals(),
        vault=keys.vault,
        authority=keys.authority,
        gateway=MpesaGateway(account, http=http, tokens=tokens),
        mpesa=MpesaAccount(account, http=http, tokens=tokens),
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """What the day came to. ``unplaced`` are receipts that are in no wallet, order or suspense."""

    settled: int
    credited: int
    waiting: int
    unplaced: tuple[str, ...]
    differences: tuple[str, ...]
    told_minor: int
    booked_minor: int
    till_minor: int
    daraja_minor: int
    text: str


async def figures(day: Day, payments: int) -> Figures:
    """Live it, close it, and add it up."""
    await day.lived(payments)
    before = {one.key[1] for one in await judge.arrived(day.deps.db)}
    closed = await day.closed()
    known = {one.key[1]: one for one in await judge.arrived(day.deps.db)}
    book = (await day.sim.get("/sim/settled")).json()
    came = [one for one in book["settled"] if one["kind"] in {"stk", "c2b"}]
    unplaced = tuple(
        one["receipt"]
        for one in came
        if one["receipt"] not in known
        or known[one["receipt"]].state not in {"credited", "suspense"}
        or known[one["receipt"]].minor != one["shillings"] * 100
    )
    states = Counter(one.state for one in known.values())
    held = (await judge.balances(day.deps.db))[f"asset:mpesa:{SHORTCODE}"]
    late = sum(one["receipt"] not in before for one in came)
    told = {**day.count, **day.line.count, "only in the statement": late}
    text = ", ".join(f"{name} {n:,}" for name, n in told.items())
    return Figures(
        settled=len(came),
        credited=states["credited"],
        waiting=states["suspense"],
        unplaced=unplaced,
        differences=tuple(f"{row.kind} {row.receipt}" for row in closed.differences),
        told_minor=closed.told.minor,
        booked_minor=closed.booked.minor,
        till_minor=held,
        daraja_minor=(book["balance"] - SimSettings().merchant_shillings) * 100,
        text=text,
    )


async def main(seed: int, payments: int) -> int:
    """Live a day and print it; 0 when every shilling is placed."""
    with TemporaryDirectory(prefix="lango-day-") as folder:
        async with a_day(Path(folder), seed) as day:
            found = await figures(day, payments)
    sys.stdout.write(
        f"{found.text}\nsettled {found.settled:,}: {found.credited:,} credited,"
        f" {found.waiting:,} in suspense, {len(found.unplaced)} unplaced;"
        f" {len(found.differences)} differences; the statement says"
        f" {found.told_minor / 100:,.2f}, the books {found.booked_minor / 100:,.2f}\n"
    )
    return int(bool(found.unplaced or found.differences))


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    sys.exit(asyncio.run(main(*(numbers + [1, 300][len(numbers) :]))))
