"""``ledger``: mixed transactions posted durably by many callers, each waiting for its answer.

Payments, invoices, allocations and reversals, named after their causes; every hundredth moves money
of one hot account, and every fiftieth stands there already. Ours is the product's group commit:
each of `CALLERS` hands over one transaction and waits until it is on disk; that is the latency
whose 99th percentile is ``p99_ms``. ``listed`` is the rate when callers hand over lists of
`LISTED`, as a statement or a run does, at its own ``listed_p99_ms``.

The peer is PostgreSQL's own pgbench (TPC-B, 32 clients, prepared) on a cluster with the same
settings, fsync and synchronous_commit on. The limit is the same rows by the driver alone, ready
made, in batches as large as a group. fsync is not assumed: on PostgreSQL ``wal_syncs`` a round is
what the server counted; on SQLite ``synchronous=FULL`` is asserted on the product's connection.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from billing import accounts
from billing.ids import TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.tax import Tax
from controller.store import ledger
from controller.store.database import Database
from controller.store.group import TOGETHER_MAX, Group
from controller.store.ledger import Posted, posting_values, transaction_values
from tests.bench.row import Row, quantile
from tests.bench.stores import NAMES, Postgres, store
from tests.bench.town import name_of
from tests.support.postgres import ACCOUNT, cluster, program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.stores import Plain, Store
    from tests.support.postgres import Cluster

ROUNDS = 5
TRANSACTIONS = 20_000
HISTORY = 50_000
CALLERS = 200
LISTED = 100
LIST_CALLERS = 4
SUBSCRIBERS = 10_000
HOT_EVERY = 100
REPEAT_EVERY = 50
PGBENCH_SCALE = 20
PGBENCH_S = 5
PGBENCH_CLIENTS = 32
AT = datetime(2027, 9, 1, 9, 0, tzinfo=UTC)


@dataclass(slots=True)
class _Figures:
    """Of each round: transactions a second, and the waits for answers in seconds."""

    ours: list[float] = field(default_factory=list)
    listed: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    listed_waits_s: list[float] = field(default_factory=list)
    syncs: list[int] = field(default_factory=list)
    correct: bool = True


def run() -> list[Row]:
    """Measure both stores and the peer, interleaved."""
    figures = {name: _Figures() for name in NAMES}
    peer: list[float] = []
    asked = list(_asked())
    with cluster(durable=True) as made, ExitStack() as stack:
        stores = {name: stack.enter_context(store(name)) for name in NAMES}
        for each in stores.values():
            _live_in(each)
        _pgbench(made, "-i", "-q", "-s", str(PGBENCH_SCALE))
        for number in range(ROUNDS):
            peer.append(_peer(made))
            for name, each in stores.items():
                _measure(each, asked, figures[name])
            shown = ", ".join(f"{f.ours[-1]:.0f} of {f.limit[-1]:.0f}" for f in figures.values())
            print(f"  {number + 1}: {shown}; pgbench {peer[-1]:.0f}", file=sys.stderr)
    return [_row(name, figures[name], peer) for name in NAMES]


def _row(name: str, of: _Figures, peer: list[float]) -> Row:
    return Row(
        name="ledger",
        unit="durable transactions/s",
        ours=of.ours,
        peer=peer,
        peer_is=f"pgbench TPC-B, {PGBENCH_CLIENTS} clients, prepared, fsync on",
        limit=of.limit,
        limit_is=f"the same rows by the driver alone, {TOGETHER_MAX} transactions a commit",
        lower_is_better=False,
        correct=of.correct,
        more={
            "store": name,
            "p99_ms": _short(1_000 * quantile(of.waits_s, 0.99)),
            "callers": CALLERS,
            "listed": _short(statistics.median(of.listed)),
            "listed_vs_peer": _short(statistics.median(of.listed) / statistics.median(peer)),
            "listed_p99_ms": _short(1_000 * quantile(of.listed_waits_s, 0.99)),
            **({"wal_syncs": round(statistics.median(of.syncs))} if of.syncs else {}),
        },
    )


def _live_in(each: Store) -> None:
    """A ledger that has been used for a while: plans of queries depend on it."""
    with each.plain() as db:
        old = [_transaction(n) for n in range(TRANSACTIONS, TRANSACTIONS + HISTORY)]
        _fill(db, old)
        db.commit()
    each.keep()


def _fill(db: Plain, transactions: list[Transaction]) -> None:
    rows = [(v[0], db.moment(v[1]), v[2]) for v in map(transaction_values, transactions)]
    postings = [values for one in transactions for values in posting_values(one)]
    _put(db, rows, postings)


def _put(db: Plain, rows: list[Any], postings: list[Any]) -> None:
    db.fill("ledger_transaction", ("id", "at", "cause"), rows)
    db.fill("posting", _POSTING, postings)


def _asked() -> Iterator[Transaction]:
    """What is handed over, in this order; repeats are of transactions shortly before."""
    for n in range(TRANSACTIONS):
        is_repeat = n % REPEAT_EVERY == REPEAT_EVERY - 1
        yield _transaction(n - 7 if is_repeat else n)


def _transaction(n: int) -> Transaction:
    who, amount = name_of("who", n % SUBSCRIBERS), Money(100_00 + n % 977)
    till = accounts.till("mpesa", "hot" if n % HOT_EVERY == 0 else f"till-{n % 97}")
    wallet, owed = accounts.wallet(who), accounts.receivable(who)
    income = accounts.plan_income("main", f"fibre-{n % 4}")
    kinds = (
        ("received", (Posting(wallet, till, amount),)),
        (
            "document",
            (
                Posting(income, owed, amount),
                Posting(accounts.tax_due(Tax.EXCISE), owed, Money(15_00)),
                Posting(accounts.tax_due(Tax.VAT), owed, Money(18_40)),
            ),
        ),
        ("allocated", (Posting(owed, wallet, amount),)),
        ("reversed", (Posting(till, wallet, amount),)),
    )
    what, postings = kinds[n % 8 if n % 8 < len(kinds) else 0]
    cause = TransactionId(f"{what}:{name_of('cause', n)}")
    return Transaction(cause, AT + timedelta(seconds=n), f"{what} of the bench", postings)


def _measure(each: Store, asked: list[Transaction], figures: _Figures) -> None:
    each.renew()
    before = _syncs(each)
    rate, waits, right = asyncio.run(_posted(each, asked, callers=CALLERS, listed=1))
    if before is not None:
        figures.syncs.append((_syncs(each) or 0) - before)
    figures.ours.append(rate)
    figures.waits_s += waits
    figures.correct = figures.correct and right and _books_are_right(each, asked)
    each.renew()
    rate, waits, right = asyncio.run(_posted(each, asked, callers=LIST_CALLERS, listed=LISTED))
    figures.listed.append(rate)
    figures.listed_waits_s += waits
    figures.correct = figures.correct and right and _books_are_right(each, asked)
    each.renew()
    figures.limit.append(_limit(each, asked))


async def _posted(
    each: Store, asked: list[Transaction], *, callers: int, listed: int
) -> tuple[float, list[float], bool]:
    """Transactions a second, each wait, and whether the answers were those of a ledger."""
    db = Database(each.url)
    group, rest = Group(db, ledger.post_many), iter(asked)
    waits, ends = list[float](), list[Posted]()
    is_durable = await _is_durable(db)

    async def caller() -> None:
        while part := list(islice(rest, listed)):
            handed = time.perf_counter()
            ends.extend(await group.do_all(part))
            waits.append(time.perf_counter() - handed)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    took_s = time.perf_counter() - began
    await db.close()
    created = len({one.id for one in asked})
    told = {kind: ends.count(kind) for kind in Posted}
    right = told == {
        Posted.CREATED: created,
        Posted.EXISTS: len(asked) - created,
        Posted.EXISTS_WITH_OTHER_POSTINGS: 0,
    }
    return len(asked) / took_s, waits, right and is_durable


async def _is_durable(db: Database) -> bool:
    async with db.read() as tx:
        connection = await tx.connection()
        if db.is_sqlite:
            return (await connection.exec_driver_sql("PRAGMA synchronous")).scalar() == 2
        found = [
            (await connection.exec_driver_sql(f"SHOW {name}")).scalar()
            for name in ("fsync", "synchronous_commit")
        ]
        return found == ["on", "on"]


def _books_are_right(each: Store, asked: list[Transaction]) -> bool:
    """Every account holds what plain arithmetic says, from the database by plain SQL."""
    wanted: dict[str, int] = {}
    old = [_transaction(n) for n in range(TRANSACTIONS, TRANSACTIONS + HISTORY)]
    every = {one.id: one for one in (*old, *asked)}
    for one in every.values():
        for posting in one.postings:
            minor = posting.amount.minor
            wanted[posting.source] = wanted.get(posting.source, 0) - minor
            wanted[posting.target] = wanted.get(posting.target, 0) + minor
    with each.plain() as db:
        found = db.ask(
            "SELECT account, sum(minor) FROM ("
            " SELECT source AS account, -amount_minor AS minor FROM posting UNION ALL"
            " SELECT target, amount_minor FROM posting) moved GROUP BY account"
        )
        count = db.ask("SELECT count(*) FROM ledger_transaction")[0][0]
    held = {account: int(minor) for account, minor in found}
    return held == wanted and sum(held.values()) == 0 and count == len(every)


def _limit(each: Store, asked: list[Transaction]) -> float:
    """Transactions a second: rows that are there already, without any question."""
    fresh = list({one.id: one for one in asked}.values())
    with each.plain() as db:
        batches = [
            (
                [(v[0], db.moment(v[1]), v[2]) for v in map(transaction_values, part)],
                [values for one in part for values in posting_values(one)],
            )
            for first in range(0, len(fresh), TOGETHER_MAX)
            for part in [fresh[first : first + TOGETHER_MAX]]
        ]
        began = time.perf_counter()
        for transactions, postings in batches:
            _put(db, transactions, postings)
            db.commit()
        return len(fresh) / (time.perf_counter() - began)


_POSTING = ("transaction_id", "n", "source", "target", "amount_minor", "currency")


def _syncs(each: Store) -> int | None:
    """How often the server has flushed its log; None where there is no server."""
    if not isinstance(each, Postgres):
        return None
    with each.plain() as db:
        db.do("SET stats_fetch_consistency = none")
        return int(db.ask("SELECT wal_sync FROM pg_stat_wal")[0][0])


def _peer(made: Cluster) -> float:
    told = _pgbench(
        *(made, "-n", "-M", "prepared", "-c", str(PGBENCH_CLIENTS), "-j", "2"),
        *("-T", str(PGBENCH_S)),
    )
    found = re.search(r"tps = ([0-9.]+) \(without", told)
    assert found is not None, told
    return float(found[1])


def _pgbench(made: Cluster, *arguments: str) -> str:
    where = ("-h", str(made.folder), "-p", str(made.port), "-U", ACCOUNT)
    done = subprocess.run(
        [program("pgbench"), *where, *arguments, "postgres"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    return done.stdout


def _short(value: float) -> Any:
    return float(f"{value:.4g}")
