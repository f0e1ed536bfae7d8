"""``invoice``: a month ends for 100,000 subscribers, and all of them are billed.

Ours is the product's due work, `bill_due`, on a prepared database: for each subscriber the plan and
volume by tariff, excise and VAT, a fifth pro rata, a tenth with a discount, a fifth with money that
pays at once; the invoice with its number, lines, postings and debt; the grant of the month that
ended is ended, the next one given, and its site told of both. The peer does the same for a sample
(`orm_loop.py`), the limit makes invoices, lines and postings only, by SQL (`one_statement.py`).

The oracle reckons by plain arithmetic what each subscriber owes and has paid (`town.py`), and asks
the database in plain SQL: one invoice each, of that total; lines sum to totals; numbers from 1
without gaps; postings to zero; receivables are debts; every site's digest is that of its items; no
row names one that is not there. A second run adds nothing.

``LANGO_BENCH_SUBSCRIBERS=1000000`` measures a million (once, on PostgreSQL alone) and adds
``million_s``; without it there is none, for nothing is reckoned up.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.store.database import Database
from controller.store.items import digest_of
from controller.store.loose import loose
from controller.usecases.billing_run import bill_due
from tests.bench import one_statement, orm_loop
from tests.bench.row import Row
from tests.bench.stores import NAMES, store
from tests.bench.town import DEPOSIT_MINOR, DUE_AT, SITES, found, has_money, name_of
from tests.bench.town import owed_minor as owed
from tests.bench.town import paid_minor as paid
from tests.support.builders import a_world

if TYPE_CHECKING:
    from datetime import datetime

    from tests.bench.stores import Plain, Store

ROUNDS = 3
SUBSCRIBERS = 100_000
SUBSCRIBERS_VARIABLE = "LANGO_BENCH_SUBSCRIBERS"
PEER_SUBSCRIBERS = 2_000
MILLION = 1_000_000
ROOMY = ("shared_buffers=1GB", "max_wal_size=8GB")
"""PostgreSQL's memory and log as its documentation wants them for so many rows, for all three."""


@dataclass(slots=True)
class _Figures:
    """Invoices a second of each round."""

    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    cpu_us: float = 0
    correct: bool = True


def run() -> list[Row]:
    """Measure each store, interleaved."""
    count = int(os.environ.get(SUBSCRIBERS_VARIABLE, SUBSCRIBERS))
    is_many = count >= MILLION
    return [
        _row(name, _measured(name, count, rounds=1 if is_many else ROUNDS), count)
        for name in (NAMES[:1] if is_many else NAMES)
    ]


def _measured(name: str, count: int, *, rounds: int) -> _Figures:
    figures = _Figures()
    with store(name, settings=ROOMY) as each:
        with each.plain() as db:
            found(db, count)
        each.keep()
        for number in range(rounds):
            each.renew()
            asyncio.run(_ours(each, count, figures))
            with each.plain() as db:
                wrong = _wrong(db, count)
            figures.correct = figures.correct and not wrong
            each.renew()
            figures.peer.append(orm_loop.invoices_a_second(each, min(count, PEER_SUBSCRIBERS)))
            each.renew()
            figures.limit.append(one_statement.invoices_a_second(each, count))
            rates = (figures.ours[-1], figures.peer[-1], figures.limit[-1])
            shown = ", ".join(f"{rate:.0f}" for rate in rates)
            print(f"  {name} {number + 1}: {shown} {' '.join(wrong)}", file=sys.stderr)
    return figures


def _row(name: str, figures: _Figures, count: int) -> Row:
    return Row(
        name="invoice",
        unit="invoices/s",
        ours=figures.ours,
        peer=figures.peer,
        peer_is="the same by a loop with SQLAlchemy's ORM, a commit for every 500",
        limit=figures.limit,
        limit_is="INSERT … SELECT of invoices, lines and postings alone",
        lower_is_better=False,
        correct=figures.correct,
        more={
            "store": name,
            "subscribers": count,
            "cpu_us": round(figures.cpu_us),
            **({"million_s": round(count / figures.ours[0])} if count == MILLION else {}),
        },
    )


async def _ours(each: Store, count: int, figures: _Figures) -> None:
    db = Database(each.url)
    with tempfile.TemporaryDirectory(prefix="lango-bench-") as folder:
        world = a_world(db, Path(folder))
        began, cpu = time.perf_counter(), time.process_time()
        deps = replace(world.deps, now=lambda: _later(DUE_AT, time.perf_counter() - began))
        done = await bill_due(deps)
        figures.ours.append(count / (time.perf_counter() - began))
        figures.cpu_us = 1e6 * (time.process_time() - cpu) / count
        again = await bill_due(deps)
    async with db.read() as tx:
        whole = not await loose(tx)
    await db.close()
    figures.correct = figures.correct and whole and (done, again) == (count, 0)


def _later(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=seconds)


def _wrong(db: Plain, count: int) -> list[str]:
    """What does not hold, by name."""
    people = {name_of("who", n): n for n in range(count)}
    totals = dict(db.ask("SELECT subscriber_id, total_minor FROM document"))
    debts = dict(db.ask("SELECT subscriber_id, open_minor FROM debt"))
    checks = {
        "count": _one(db, "SELECT count(*) FROM document") == count,
        "totals": totals == {one: owed(n) for one, n in people.items()},
        "debts": debts == {one: owed(n) - paid(n) for one, n in people.items()},
        "numbers": db.ask("SELECT count(*), min(number), max(number) FROM document")
        == [(count, 1, count)],
        "series": _one(db, "SELECT next_number FROM number_series") == count + 1,
        "lines": _one(db, _LINES_OFF) == 0,
        "postings": _one(db, _UNPOSTED) == 0,
        "receivables": _balances(db, "asset:receivable:")
        == {one: minor for one, minor in debts.items() if minor},
        "wallets": _balances(db, "liability:wallet:")
        == {
            one: paid(n) - DEPOSIT_MINOR
            for one, n in people.items()
            if has_money(n) and paid(n) != DEPOSIT_MINOR
        },
        "grants": _one(db, _GRANTS_ON) == count,
        "sites": all(_site_is_right(db, n) for n in range(min(SITES, 10))),
    }
    return [name for name, holds in checks.items() if not holds]


def _one(db: Plain, query: str) -> Any:
    return db.ask(query)[0][0]


_LINES_OFF = """
    SELECT count(*) FROM (
        SELECT d.id FROM document d LEFT JOIN document_line l ON l.document_id = d.id
        GROUP BY d.id, d.net_minor, d.excise_minor, d.vat_minor, d.total_minor
        HAVING coalesce(sum(l.total_minor), -1) <> d.total_minor
            OR sum(l.net_minor) <> d.net_minor OR sum(l.excise_minor) <> d.excise_minor
            OR sum(l.vat_minor) <> d.vat_minor
            OR d.net_minor + d.excise_minor + d.vat_minor <> d.total_minor
    ) odd"""
_UNPOSTED = """
    SELECT count(*) FROM (
        SELECT d.id FROM document d LEFT JOIN posting p ON p.transaction_id = 'document:' || d.id
        GROUP BY d.id, d.total_minor, d.subscriber_id
        HAVING coalesce(sum(CASE WHEN p.target = 'asset:receivable:' || d.subscriber_id
            THEN p.amount_minor ELSE -p.amount_minor END), 0) <> d.total_minor
    ) odd"""
_GRANTS_ON = """
    SELECT count(*) FROM "grant" g JOIN subscription s ON s.grant_id = g.id
    JOIN site_item i ON i.site_id = g.site_id AND i.key = 'grant/' || g.id
    WHERE g.ended_at IS NULL AND i.body IS NOT NULL"""


def _balances(db: Plain, prefix: str) -> dict[str, int]:
    """What accounts hold that are not empty, by who they are of."""
    rows = db.ask(
        "SELECT account, sum(minor) FROM ("  # noqa: S608
        " SELECT source AS account, -amount_minor AS minor FROM posting UNION ALL"
        " SELECT target, amount_minor FROM posting) moved"
        f" WHERE account LIKE '{prefix}%' GROUP BY account HAVING sum(minor) <> 0"
    )
    return {account.removeprefix(prefix): int(minor) for account, minor in rows}


def _site_is_right(db: Plain, number: int) -> bool:
    where = f"WHERE site_id = 'site-{number}' AND body IS NOT NULL"
    held = {key: bytes(body) for key, body in db.ask(f"SELECT key, body FROM site_item {where}")}  # noqa: S608
    digest = db.ask(f"SELECT digest FROM site WHERE id = 'site-{number}'")[0][0]  # noqa: S608
    return bytes(digest) == digest_of(held)
