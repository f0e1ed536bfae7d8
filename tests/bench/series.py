"""Bench ``series``: samples of 200 sites kept by the tick, their graphs, and top talkers of a day.

Rows a second are those of whole ticks, each durable before the next. Peer: the same samples by the
row, as the ORM adds them; limit: the driver itself, one statement and one commit a tick. A graph is
24 hours of one metric in 288 steps, of every site one after the other, in milliseconds for all 200;
its peer loads the samples and adds up in Python, its limit is the same query in the driver.

Talkers are of a town of 100,000 subscribers, 5,000 of them online in each of 24 hours.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.store import series, usage_reports
from controller.store.database import Database
from controller.store.series import METRICS, Metric
from controller.store.series_rows import SiteSampleRow
from controller.store.usage_reports import By, Scope
from tests.bench.row import Row
from tests.bench.stores import NAMES, store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.store.database import Tx
    from tests.bench.stores import Plain, Store

SITES = 200
TICK_S = 20
DAY_TICKS = 86_400 // TICK_S
TICKS = 40
SUBSCRIBERS = 100_000
ONLINE = 5_000
SPANS = 3
NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
STEP = timedelta(seconds=300)
FIRST_S = series.second(NOON - DAY)
NAMES_OF_SITES = tuple(f"site-{number:03}" for number in range(SITES))


def run() -> Iterator[Row]:
    """Measure on both databases."""
    for name in NAMES:
        with store(name) as each:
            with each.plain() as db:
                _fill(db)
                db.commit()
            each.keep()
            each.renew()
            yield from asyncio.run(_measured(each))


async def _measured(each: Store) -> list[Row]:
    db = Database(each.url)
    try:
        rows = [await _kept(db, each), await _drawn(db, each)]
        rows += [await _talked(db, each, by) for by in By]
    finally:
        await db.close()
    return rows


async def _kept(db: Database, each: Store) -> Row:
    ours, peer, limit = [], [], []
    for span in range(SPANS):
        ticks = [series.second(NOON) + TICK_S * (3 * TICKS * span + n) for n in range(3 * TICKS)]
        ours.append(await _per_s(db, ticks[:TICKS]))
        peer.append(await _orm_per_s(db, ticks[TICKS : 2 * TICKS]))
        limit.append(_driver_per_s(each, ticks[2 * TICKS :]))
    with each.plain() as plain:
        kept = plain.ask(
            f"SELECT count(*) FROM site_sample WHERE at_s >= {series.second(NOON)}"  # noqa: S608
        )[0][0]
    return Row(
        name=f"series-write-{each.name}",
        unit="rows/s",
        ours=ours,
        peer=peer,
        peer_is="the ORM, an object a sample",
        limit=limit,
        limit_is="the driver, one statement a tick",
        lower_is_better=False,
        correct=kept == SPANS * 3 * TICKS * SITES,
        more={"sites": SITES, "metrics": len(METRICS), "needed": SITES / TICK_S},
    )


async def _per_s(db: Database, ticks: list[int]) -> float:
    began = time.perf_counter()
    for at_s in ticks:
        async with db.begin() as tx:
            await series.keep(tx, [_sample(site, at_s) for site in NAMES_OF_SITES])
    return len(ticks) * SITES / (time.perf_counter() - began)


async def _orm_per_s(db: Database, ticks: list[int]) -> float:
    began = time.perf_counter()
    for at_s in ticks:
        async with db.begin() as tx:
            tx.add_all(SiteSampleRow(**_sample(site, at_s)) for site in NAMES_OF_SITES)
    return len(ticks) * SITES / (time.perf_counter() - began)


def _driver_per_s(each: Store, ticks: list[int]) -> float:
    columns = ("site_id", "at_s", *METRICS)
    with each.plain() as db:
        began = time.perf_counter()
        for at_s in ticks:
            samples = [_sample(site, at_s) for site in NAMES_OF_SITES]
            db.fill("site_sample", columns, [[s.get(c) for c in columns] for s in samples])
            db.commit()
        return len(ticks) * SITES / (time.perf_counter() - began)


async def _drawn(db: Database, each: Store) -> Row:
    ours, peer, limit = [], [], []
    correct = True
    for _ in range(SPANS):
        began = time.perf_counter()
        found = {}
        async with db.read() as tx:
            for site in NAMES_OF_SITES:
                found[site] = await series.last(
                    tx, site, Metric.DOWN_BPS, since=NOON - DAY, until=NOON, step=STEP
                )
        ours.append((time.perf_counter() - began) * 1_000)
        began = time.perf_counter()
        async with db.read() as tx:
            added = {site: await _added_up(tx, site) for site in NAMES_OF_SITES}
        peer.append((time.perf_counter() - began) * 1_000)
        limit.append(_driver_ms(each))
        means = {site: [point.mean for point in points] for site, points in found.items()}
        correct = correct and means == added
    return Row(
        name=f"series-graph-{each.name}",
        unit="ms",
        ours=ours,
        peer=peer,
        peer_is="samples loaded, added up in Python",
        limit=limit,
        limit_is="the same query in the driver",
        lower_is_better=True,
        correct=correct,
        more={"sites": SITES, "samples": SITES * DAY_TICKS, "points": 288},
    )


async def _added_up(tx: Tx, site: str) -> list[int]:
    rows = await tx.execute(
        select(SiteSampleRow.at_s, SiteSampleRow.down_bps)
        .where(SiteSampleRow.site_id == site, SiteSampleRow.at_s >= FIRST_S)
        .where(SiteSampleRow.at_s < series.second(NOON))
        .order_by(SiteSampleRow.at_s)
    )
    buckets: dict[int, list[int]] = {}
    for at_s, value in rows:
        buckets.setdefault(at_s // 300, []).append(value or 0)
    return [sum(values) // len(values) for values in buckets.values()]


def _driver_ms(each: Store) -> float:
    with each.plain() as db:
        began = time.perf_counter()
        for site in NAMES_OF_SITES:
            db.ask(_DRIVER_QUERY.format(site=site, since=FIRST_S, until=series.second(NOON)))
        return (time.perf_counter() - began) * 1_000


_DRIVER_QUERY = """
    SELECT at_s - at_s % 300, count(down_bps), sum(down_bps), min(down_bps), max(down_bps)
    FROM site_sample WHERE site_id = '{site}' AND at_s >= {since} AND at_s < {until}
    GROUP BY 1 ORDER BY 1"""


async def _talked(db: Database, each: Store, by: By) -> Row:
    took, now_took = [], []
    for _ in range(SPANS):
        began = time.perf_counter()
        async with db.read() as tx:
            found = await usage_reports.top_since(tx, by, scope=Scope(), since=NOON - DAY, limit=20)
        took.append((time.perf_counter() - began) * 1_000)
        began = time.perf_counter()
        async with db.read() as tx:
            await usage_reports.top_now(tx, by, scope=Scope(), now=NOON, limit=20)
        now_took.append((time.perf_counter() - began) * 1_000)
    falls = [one.down + one.up for one in found]
    return Row(
        name=f"series-top-{by}-{each.name}",
        unit="ms",
        ours=took,
        peer=None,
        peer_is="none",
        limit=None,
        limit_is="none",
        lower_is_better=True,
        correct=falls == sorted(falls, reverse=True) and bool(found),
        more={
            "now_ms": round(statistics.median(now_took), 1),
            "subscribers": SUBSCRIBERS,
            "online": ONLINE,
            "session_hours": ONLINE * 24,
        },
    )


def _sample(site: str, at_s: int) -> dict[str, int | str | None]:
    return {"site_id": site, "at_s": at_s, **dict.fromkeys(METRICS, at_s % 997)}


def _fill(db: Plain) -> None:
    """Sites with a day of samples, and a town that was online all day."""
    chance = random.Random(6)
    at = db.moment(NOON - DAY)
    db.fill(
        "site",
        ("id", "name", "operator_name", "help_phone", "language", "created_at", "generation",
         "digest", "applied_generation", "applied_digest", "last_seen_at", "agent_version"),
        ((s, s, "Lango", "", "en", at, 0, bytes(32), 0, b"", at, "1") for s in NAMES_OF_SITES),
    )  # fmt: skip
    columns = ("site_id", "at_s", *METRICS)
    db.fill(
        "site_sample",
        columns,
        (
            (site, FIRST_S + TICK_S * tick, *(chance.getrandbits(20) for _ in METRICS))
            for site in NAMES_OF_SITES
            for tick in range(DAY_TICKS)
        ),
    )
    db.fill(
        "plan",
        ("id", "name", "price_minor", "currency", "down_bps", "up_bps", "validity_s",
         "devices_max", "rank", "created_at"),
        ((f"plan-{n}", f"Plan {n}", 1_000, "KES", 8_000, 8_000, 3_600, 1, n, at) for n in range(8)),
    )  # fmt: skip
    db.fill(
        "subscriber",
        ("id", "msisdn", "created_at"),
        ((f"{n:032x}", f"2547{n:08}", at) for n in range(SUBSCRIBERS)),
    )
    db.fill(
        "grant",
        ("id", "site_id", "subscriber_id", "plan_id", "cause_id", "devices", "created_at",
         "spent_validity_s", "spent_uptime_s", "used_bytes"),
        (
            (f"{n:032x}", NAMES_OF_SITES[n % SITES], f"{n:032x}", f"plan-{n % 8}", f"{n:032x}", "",
             at, 0, 0, 0)
            for n in range(SUBSCRIBERS)
        ),
    )  # fmt: skip
    _fill_use(db, chance)


def _fill_use(db: Plain, chance: random.Random) -> None:
    at = db.moment(NOON - DAY)
    # Who is online changes by the hour: a session lives for three of them.
    sessions = [
        (number, hour)
        for hour in range(24)
        for number in range(hour // 3 * ONLINE, hour // 3 * ONLINE + ONLINE)
    ]
    made = sorted({number for number, _ in sessions})
    db.fill(
        "session",
        ("id", "site_id", "grant_id", "mac", "addresses", "opened_at", "seen_at", "down_bytes",
         "up_bytes"),
        (
            (f"{n:032x}", NAMES_OF_SITES[n % SITES], f"{n:032x}", _mac(n), "", at, at, 0, 0)
            for n in made
        ),
    )  # fmt: skip
    db.fill(
        "session_hour",
        ("site_id", "hour_s", "session_id", "grant_id", "down_bytes", "up_bytes"),
        (
            (NAMES_OF_SITES[n % SITES], FIRST_S + 3_600 * hour, f"{n:032x}", f"{n:032x}",
             chance.getrandbits(28), chance.getrandbits(24))
            for n, hour in sessions
        ),
    )  # fmt: skip
    db.fill(
        "session_pace",
        ("session_id", "site_id", "told_s", "down_bps", "up_bps"),
        (
            (f"{n:032x}", NAMES_OF_SITES[n % SITES], series.second(NOON), chance.getrandbits(22),
             chance.getrandbits(20))
            for n in made[-ONLINE:]
        ),
    )  # fmt: skip


def _mac(number: int) -> str:
    return ":".join(f"{octet:02x}" for octet in (2, 0, 0, *number.to_bytes(3)))
