"""``callbacks``: 20,000 STK callbacks, posted three times each and shuffled, over real HTTP.

Ours is the controller's application on the server that `controller.main` runs, in a process of its
own, on a durable database; no jobs run beside it, so nobody asks the provider about what is
doubted. A provider in another process posts on `CONNECTIONS` kept connections. A tenth are of
payments that we had given up on, a twentieth are forged (`payers.py`). The figure is valid
callbacks a second, from the first post to the last answer of all copies, forgeries included.

The peer is the same door and the same rules with one transaction for each callback; the limit is a
bare ASGI application on the same server that reads the body and answers. CPU is of the process that
answers, user and system, for each valid callback.

The oracle asks the database by plain SQL (`payers.wrong`): every paid order has one arrival, one
transaction of its amount, one grant and its item; the till holds what was paid and not a cent more;
every site's digest is that of its items; every body was kept and judged.

``LANGO_BENCH_CALLBACKS=2000`` makes it smaller.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from controller.api.app import create_app
from controller.api.callbacks import ACCEPTED
from controller.api.door import Door
from controller.config import Settings
from controller.config_sections import (
    DatabaseSettings,
    HttpSettings,
    MpesaSection,
)
from controller.deps import Deps
from controller.edge.authority import open_authority
from controller.main import HTTP_CONNECTIONS_MAX, wall_clock
from controller.rails import open_rails
from controller.signals import Signals
from controller.store import payments
from controller.store.database import Database
from controller.usecases.asking import CALLBACK_PATH, token_hash
from controller.usecases.settle import take_one
from controller.usecases.together import Posted
from controller.vault import open_vault
from tests.bench import payers
from tests.bench.row import Row, quantile
from tests.bench.stores import NAMES, store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from tests.bench.stores import Store

ROUNDS = 3
CALLBACKS = 20_000
CALLBACKS_VARIABLE = "LANGO_BENCH_CALLBACKS"
PEER_CALLBACKS = 1_000
CONNECTIONS = {"ours": 200, "peer": 20, "limit": 200}
"""The peer gets as many as it has connections to its database: more only wait."""

KINDS = ("ours", "peer", "limit")


@dataclass(slots=True)
class _Figures:
    """Of each round: valid callbacks a second, and CPU time for each."""

    rates: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    cpu_us: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    p99_ms: list[float] = field(default_factory=list)
    correct: bool = True


def run() -> list[Row]:
    """Measure each store, interleaved."""
    count = int(os.environ.get(CALLBACKS_VARIABLE, CALLBACKS))
    return [_row(name, _measured(name, count), count) for name in NAMES]


def _measured(name: str, count: int) -> _Figures:
    figures = _Figures()
    with store(name) as each, tempfile.TemporaryDirectory(prefix="lango-bench-") as made:
        folder = Path(made)
        counts = {"ours": count, "peer": min(count, PEER_CALLBACKS), "limit": count}
        _prepare(each, folder, count)
        for number in range(ROUNDS):
            for kind in KINDS:
                wrong = _round(each, folder, figures, kind, count=counts[kind], number=number)
                figures.correct = figures.correct and not wrong
                rate, cpu = figures.rates[kind][-1], figures.cpu_us[kind][-1]
                shown = f"{rate:.0f}/s, {cpu:.0f} us {' '.join(wrong)}"
                print(f"  {name} {number + 1} {kind}: {shown}", file=sys.stderr)
    return figures


def _prepare(each: Store, folder: Path, count: int) -> None:
    vault = open_vault(folder)
    with each.plain() as db:
        payers.waiting(db, count, lambda token: vault.fingerprint("callback", token))
    each.keep()


def _round(
    each: Store, folder: Path, figures: _Figures, kind: str, *, count: int, number: int
) -> list[str]:
    """Post to one kind of server; what was wrong afterwards."""
    each.renew()
    with each.plain() as db:
        payers.seen_now(db)
    every = payers.posts(count, seed=number)
    valid = sum(not payers.is_forged(n) for n in range(count))
    payers.write_posts(folder / "posts", every)
    with _served(kind, each.url, folder) as (port, pid):
        used = _cpu_s(pid)
        told = _posted(port, folder / "posts", CONNECTIONS[kind])
        figures.cpu_us[kind].append(1e6 * (_cpu_s(pid) - used) / valid)
    figures.rates[kind].append(valid / told["took_s"])
    if kind == "limit":
        return []
    if kind == "ours":
        figures.p99_ms.append(1_000 * told["p99_s"])
    with each.plain() as db:
        wrong = payers.wrong(db, count)
    return wrong + ["answers"] * (told["answers"] != len(every) or told["unwanted"] != 0)


def _row(name: str, of: _Figures, count: int) -> Row:
    cpu = {kind: statistics.median(values) for kind, values in of.cpu_us.items()}
    return Row(
        name="callbacks",
        unit="valid callbacks/s",
        ours=of.rates["ours"],
        peer=of.rates["peer"],
        peer_is="the same door and rules, one transaction for each callback",
        limit=of.rates["limit"],
        limit_is="bare ASGI on the same server, no database",
        lower_is_better=False,
        correct=of.correct,
        more={
            "store": name,
            "callbacks": count,
            "posts": count * payers.COPIES,
            "p99_ms": round(quantile(of.p99_ms, 0.5), 1),
            "cpu_us": round(cpu["ours"]),
            "cpu_vs_peer": round(cpu["peer"] / cpu["ours"], 2),
            "cpu_vs_limit": round(cpu["limit"] / cpu["ours"], 3),
        },
    )


def _posted(port: int, path: Path, connections: int) -> dict[str, Any]:
    argv = [sys.executable, "-m", "tests.bench.poster", str(port), str(path), str(connections)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far, user and system (proc(5), stat, fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _served(kind: str, url: str, folder: Path) -> Iterator[tuple[int, int]]:
    """A server in a process of its own; yields its port and process."""
    read_end, write_end = os.pipe()
    argv = [sys.executable, "-m", "tests.bench.callbacks", kind, url, str(folder), str(write_end)]
    process = subprocess.Popen(argv, pass_fds=[write_end], stdout=subprocess.DEVNULL)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as told:
            yield int(told.readline()), process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


async def _serve(kind: str, url: str, folder: Path, tell: int) -> None:
    if kind == "limit":
        await _listen(_bare, tell)
        return
    settings, vault = _settings(url, folder), open_vault(folder)
    db = Database(url)
    async with httpx2.AsyncClient() as http:
        rails = open_rails(settings, db=db, vault=vault, http=http)
        deps = Deps(
            settings=settings,
            db=db,
            now=wall_clock,
            signals=Signals(),
            vault=vault,
            authority=open_authority(folder, wall_clock()),
            gateway=rails.gateway,
        )
        await _listen(create_app(deps) if kind == "ours" else _one_by_one(deps), tell)


def _settings(url: str, folder: Path) -> Settings:
    """Nothing listens where Daraja is said to be: what is doubted stays so."""
    secret = SecretStr("secret")
    return Settings(
        state_dir=folder,
        database=DatabaseSettings(url=url),
        http=HttpSettings(public_url="https://pay.example.co.ke"),
        mpesa=MpesaSection(
            base_url="http://127.0.0.1:9",
            shortcode=payers.SHORTCODE,
            consumer_key="key",
            consumer_secret=secret,
            passkey=secret,
        ),
    )


def _one_by_one(deps: Deps) -> Starlette:
    """The product's door, behind which each callback has a transaction of its own."""

    async def stk_callback(request: Request) -> Response:
        hashed = token_hash(deps, request.path_params["secret"])
        source = request.client.host if request.client else ""
        posted = Posted(deps, await request.body(), source, dict(request.headers))
        async with deps.db.read() as tx:
            order_id = (await payments.ids_by_tokens(tx, [hashed])).get(hashed)
        if order_id is None:
            return JSONResponse(ACCEPTED, 404)
        await take_one(order_id, posted)
        return JSONResponse(ACCEPTED)

    route = Route(f"{CALLBACK_PATH}{{secret}}", stk_callback, methods=["POST"])
    return Starlette(routes=[route], middleware=[Middleware(Door)])


async def _listen(app: Any, tell: int) -> None:
    config = uvicorn.Config(
        app,
        port=0,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=HTTP_CONNECTIONS_MAX,
    )
    listener = config.bind_socket()
    listener.listen(1_024)
    os.write(tell, f"{listener.getsockname()[1]}\n".encode())
    await uvicorn.Server(config).serve(sockets=[listener])


async def _bare(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"40")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"ResultCode":0,"ResultDesc":"Accepted"}'})


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))
