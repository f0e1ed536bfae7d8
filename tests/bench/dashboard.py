"""``dashboard``: 50 viewers over 100,000 subscribers and 5,000 live sessions.

Fifty tabs watch the live sessions and their viewers search, all over real HTTP to the real
application: a viewer types something every three seconds on average, in the rhythm of dice with a
fixed seed. What counts is how long after the key the hits are there: `ours` is the 95th percentile.
The peer is the usual dashboard on the same database: each viewer's tab asks every two seconds how
many subscribers, open sessions and payments there are (count(*), no HTTP), and a search is a LIKE
over name and phone. Both have the same viewers, the same dice, and the same clock.

The oracle knows everybody by arithmetic (`people_town.py`): each search must find whom it was for.
``look_ms`` is one look at a page on the full town, ``look_vs_10k`` how many times that of a town of
10,000 subscribers with the same 5,000 sessions: 1 is independent. ``write_us`` is what keeping one
name to be found costs, in a transaction of a thousand.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx2
from sqlalchemy import text

from controller.noc.live import Asked
from controller.noc.pages import customers, sessions
from controller.rights import Role, Who
from controller.store import people
from controller.store.database import Database
from tests.bench.people_town import LIVE, Person, filled, plain_words
from tests.bench.row import Row, quantile
from tests.bench.stores import NAMES, store
from tests.support.office import NOON, an_office, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.stores import Store
    from tests.support.office import Office

ROUNDS = 5
SUBSCRIBERS, FEW = 100_000, 10_000
VIEWERS = 50
THINKS_S = 3.0
LASTS_S = 8.0
POLL_S = 2.0
LOOKS = 20
WARM = 27
"""Searches before it counts: three of each kind. A house that is lived in has its queries ready."""

WRITES = 1_000
OWNER = Who("", "", Role.OWNER)
PATIENCE = httpx2.Timeout(60)
COUNTS = (
    "SELECT count(*) FROM subscriber",
    "SELECT count(*) FROM session WHERE closed_at IS NULL",
    "SELECT count(*), sum(amount_minor) FROM payment WHERE state = 'settled'",
)
LIKE = """
    SELECT id, name, msisdn FROM subscriber
    WHERE lower(name) LIKE :part OR msisdn LIKE :part ORDER BY created_at DESC LIMIT 20"""


@dataclass(frozen=True, slots=True)
class _Search:
    """What is typed, what the page must then hold, and what the peer looks for instead."""

    typed: str
    wanted: str
    part: str


@dataclass(slots=True)
class _Figures:
    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    looks: list[float] = field(default_factory=list)
    few: list[float] = field(default_factory=list)
    write_us: list[float] = field(default_factory=list)
    searches: int = 0
    correct: bool = True


def run() -> list[Row]:
    """Measure each store, interleaved."""
    return [_row(name, _measured(name)) for name in NAMES]


def _measured(name: str) -> _Figures:
    figures = _Figures()
    with store(name) as each:
        with each.plain() as db:
            filled(db, FEW)
        each.keep()
        figures.few = asyncio.run(_looks(each, FEW))
    with store(name) as each:
        with each.plain() as db:
            filled(db, SUBSCRIBERS)
        each.keep()
        figures.looks = asyncio.run(_looks(each, SUBSCRIBERS))
        figures.write_us = asyncio.run(_writes(each))
        for number in range(ROUNDS):
            found = asyncio.run(_ours(each, number, figures))
            figures.ours.append(quantile(found, 0.95))
            figures.peer.append(quantile(asyncio.run(_peer(each, number)), 0.95))
            _say(f"{name} {number}: {figures.ours[-1]:.0f} ms, peer {figures.peer[-1]:.0f} ms")
    return figures


def _searches(seed: int) -> Iterator[_Search]:
    """Searches of all kinds, each for somebody who is there."""
    dice = random.Random(seed)
    while True:
        named = Person(dice.randrange(SUBSCRIBERS // 3) * 3)
        live, anybody = Person(dice.randrange(LIVE)), Person(dice.randrange(SUBSCRIBERS))
        national = f"0{anybody.phone[3:]}"
        first, last = plain_words(named.name)[:2]
        yield from dice.sample(
            [
                _Search(national, f"/noc/customers/{anybody.phone}", anybody.phone),
                _Search(national[:8], f"/noc/customers/254{national[1:4]}", national[1:8]),
                _Search(anybody.phone[-6:], f"/noc/customers/{anybody.phone}", anybody.phone[-6:]),
                _Search(f"{first[:3]} {last}", "/noc/customers/254", named.name.lower()),
                _Search(last[:4], "/noc/customers/254", last[:4]),
                _Search(anybody.receipt, anybody.receipt, anybody.phone),
                _Search(live.mac, f"/noc/sessions/{live.id}", live.phone),
                _Search(live.address, f"/noc/sessions/{live.id}", live.phone),
                _Search(f"INV-main-{anybody.n + 1:06d}", anybody.id, anybody.phone),
            ],
            k=9,
        )


async def _viewers(seed: int, search: Callable[[_Search], object]) -> list[float]:
    """What each search took, in ms, of all viewers together."""
    took: list[float] = []
    until = time.perf_counter() + LASTS_S

    async def viewer(number: int) -> None:
        dice = random.Random(seed * 1_000 + number)
        for one in _searches(seed * 1_000 + number):
            await asyncio.sleep(dice.expovariate(1 / THINKS_S))
            began = time.perf_counter()
            if began >= until:
                return
            await search(one)  # type: ignore[misc]
            took.append((time.perf_counter() - began) * 1_000)

    await asyncio.gather(*(viewer(number) for number in range(VIEWERS)))
    return took


async def _ours(each: Store, seed: int, figures: _Figures) -> list[float]:
    async with _office(each) as office, opened(office) as url:
        headers = {"Authorization": f"Bearer {office.key}"}
        limits = httpx2.Limits(max_connections=2 * VIEWERS)
        async with httpx2.AsyncClient(
            base_url=url, headers=headers, limits=limits, timeout=PATIENCE
        ) as client:
            shown = [asyncio.Event() for _ in range(VIEWERS)]
            tabs = [asyncio.create_task(_tab(client, one)) for one in shown]
            await asyncio.gather(*(one.wait() for one in shown))

            async def search(one: _Search) -> None:
                answer = await client.get(f"/noc/search/hits?q={quote(one.typed)}")
                figures.searches += 1
                if answer.status_code != 200 or one.wanted not in answer.text:
                    figures.correct = False
                    _say(f"not found: {one.typed!r} ({answer.status_code})")

            for one in islice(_searches(0), WARM):
                await search(one)
            took = await _viewers(seed, search)
            for tab in tabs:
                tab.cancel()
            await asyncio.gather(*tabs, return_exceptions=True)
    return took


async def _tab(client: httpx2.AsyncClient, shown: asyncio.Event) -> None:
    page = quote("/noc/sessions", safe="")
    async with client.stream("GET", f"/noc/events?page={page}") as stream:
        async for part in stream.aiter_bytes():
            if b"live-panel" in part:
                shown.set()


async def _peer(each: Store, seed: int) -> list[float]:
    db = Database(each.url)

    async def polls() -> None:
        while True:
            async with db.read() as tx:
                for query in COUNTS:
                    (await tx.execute(text(query))).all()
            await asyncio.sleep(POLL_S)

    async def search(one: _Search) -> None:
        async with db.read() as tx:
            (await tx.execute(text(LIKE), {"part": f"%{one.part}%"})).all()

    for one in islice(_searches(0), WARM):
        await search(one)
    tabs = [asyncio.create_task(polls()) for _ in range(VIEWERS)]
    took = await _viewers(seed, search)
    for tab in tabs:
        tab.cancel()
    await asyncio.gather(*tabs, return_exceptions=True)
    await db.close()
    return took


async def _looks(each: Store, count: int) -> list[float]:
    """How long one look takes, in ms: the live sessions, the list, one customer."""
    took: list[float] = []
    async with _office(each) as office:
        for number in range(LOOKS):
            phone = Person(number * 37 % min(count, LIVE)).phone
            asked = Asked(OWNER, {}, {"phone": phone}, NOON, office.deps)
            began = time.perf_counter()
            await sessions.look(asked)
            await customers.look(asked)
            await customers.look_at_one(asked)
            took.append((time.perf_counter() - began) * 1_000)
    return took


async def _writes(each: Store) -> list[float]:
    """What keeping one name to be found costs, in µs; it is undone."""
    took: list[float] = []
    async with _office(each) as office:
        for number in range(ROUNDS):
            some = list(islice((Person(number * WRITES + n) for n in range(WRITES)), WRITES))
            began = time.perf_counter()
            async with office.deps.db.begin() as tx:
                for person in some:
                    await people.renamed(tx, person.id, before=(), after=("zz-one", "zz-two"))
            took.append((time.perf_counter() - began) * 1_000_000 / WRITES)
            async with office.deps.db.begin() as tx:
                await tx.execute(text("DELETE FROM subscriber_word WHERE word LIKE 'zz-%'"))
    return took


class _office:  # noqa: N801 - a block, like those of contextlib
    def __init__(self, each: Store) -> None:
        self._each = each
        self._folder = tempfile.TemporaryDirectory()

    async def __aenter__(self) -> Office:
        self._db = Database(self._each.url)
        return an_office(Path(self._folder.name), self._db)

    async def __aexit__(self, *_: object) -> None:
        await self._db.close()
        self._folder.cleanup()


def _row(name: str, figures: _Figures) -> Row:
    looks, few = statistics.median(figures.looks), statistics.median(figures.few)
    more = {
        "store": name,
        "subscribers": SUBSCRIBERS,
        "viewers": VIEWERS,
        "searches": figures.searches,
        "look_ms": round(looks, 2),
        "look_vs_10k": round(looks / few, 2),
        "write_us": round(statistics.median(figures.write_us), 1),
    }
    return Row(
        name="dashboard",
        unit="ms to the hits, p95",
        ours=figures.ours,
        peer=figures.peer,
        peer_is="count(*) per viewer, LIKE",
        limit=None,
        limit_is="-",
        lower_is_better=True,
        correct=figures.correct,
        more=more,
    )


def _say(line: str) -> None:
    sys.stderr.write(f"dashboard: {line}\n")
