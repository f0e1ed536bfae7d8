"""``radius``: requests for access a second, beside FreeRADIUS with the same users in PostgreSQL.

FreeRADIUS's own radclient asks both, in turns, each user once a round, all of them signed; it
checks every answer, and the oracle is that it lost none and saw every user let in. Ours runs the
agent's whole loop and journal on the memory plane, in a process of its own; theirs is Debian's,
with its own schema and queries, as many threads as it likes, and a log that says nothing.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psycopg

from agent.changes import digest
from agent.clock import SystemClock
from agent.journal import Journal
from agent.loop import Loop
from agent.model import Changed
from agent.radius.server import Server
from agent.radius.settings import Nas, Radius
from agent.radius.steer import Steer
from agent.uplink.memory import grant_item, login_item
from agent.uplink.seam import DesiredChange
from shaping.memory import MemoryPlane
from tests.bench.row import Row
from tests.support.postgres import cluster
from tests.support.site import some_limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Cluster

USERS = 2_000
ROUNDS = 5
AT_ONCE = 64
START_S = 30
HERE, SECRET = "127.0.0.1", "the-secret-of-both"
QUERIES = Path("/etc/freeradius/3.0/mods-config/sql/main/postgresql")
MONTH_S = 30 * 86_400

CONFIG = """
prefix = /usr
exec_prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {folder}
modconfdir = /etc/freeradius/3.0/mods-config
run_dir = {folder}
logdir = {folder}
max_requests = 16384
log {{
    destination = files
    file = {folder}/log
}}
thread pool {{
    start_servers = 5
    max_servers = 32
    min_spare_servers = 3
    max_spare_servers = 10
}}
client here {{
    ipaddr = 127.0.0.1
    secret = {secret}
    require_message_authenticator = yes
}}
modules {{
    expr {{
    }}
    pap {{
    }}
    chap {{
    }}
    sql {{
        dialect = "postgresql"
        driver = "rlm_sql_postgresql"
        server = "127.0.0.1"
        port = {port}
        login = "postgres"
        radius_db = "postgres"
        acct_table1 = "radacct"
        acct_table2 = "radacct"
        postauth_table = "radpostauth"
        authcheck_table = "radcheck"
        groupcheck_table = "radgroupcheck"
        authreply_table = "radreply"
        groupreply_table = "radgroupreply"
        usergroup_table = "radusergroup"
        client_table = "nas"
        group_attribute = "SQL-Group"
        pool {{
            start = 5
            min = 3
            max = 32
            spare = 10
            uses = 0
            lifetime = 0
        }}
        $INCLUDE ${{modconfdir}}/sql/main/postgresql/queries.conf
    }}
}}
instantiate {{
    expr
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {auth}
    }}
    authorize {{
        chap
        sql
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type CHAP {{
            chap
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for every user once."""

    per_s: float
    cpu_us: float
    accepted: int
    lost: int


def run() -> Iterator[Row]:
    """PAP, then CHAP; beside FreeRADIUS where freeradius-postgresql is installed."""
    with TemporaryDirectory(prefix="lango-radius-") as name, ExitStack() as both:
        folder = Path(name)
        files = {kind: _questions(folder, kind) for kind in ("pap", "chap")}
        ours = both.enter_context(_ours(folder / "ours"))
        sides: dict[int, tuple[Path, ...]] = {ours: (folder / "ours",)}
        theirs = None
        if shutil.which("freeradius") is not None:
            with_users = both.enter_context(cluster())
            theirs = both.enter_context(_freeradius(folder / "theirs", with_users))
            sides[theirs] = (folder / "theirs", with_users.folder)
        for kind, file in files.items():
            found: dict[int, list[Asked]] = {port: [] for port in sides}
            for turn in range(1 + ROUNDS):
                for port, rounds in found.items():
                    asked = _ask(port, file, sides[port])
                    rounds.extend([asked] if turn else [])
            peer = None if theirs is None else found[theirs]
            yield Row(
                name=f"radius-{kind}",
                unit="requests/s",
                ours=[one.per_s for one in found[ours]],
                peer=None if peer is None else [one.per_s for one in peer],
                peer_is="FreeRADIUS 3 with rlm_sql on PostgreSQL",
                limit=None,
                limit_is="",
                lower_is_better=False,
                correct=all(
                    (one.accepted, one.lost) == (USERS, 0)
                    for rounds in found.values()
                    for one in rounds
                ),
                more={
                    "users": USERS,
                    "at_once": AT_ONCE,
                    "cpu_us": round(_cpu_us(found[ours])),
                    "peer_cpu_us": None if peer is None else round(_cpu_us(peer)),
                },
            )


def _questions(folder: Path, kind: str) -> Path:
    word = "User-Password" if kind == "pap" else "CHAP-Password"
    asked = (
        f'User-Name = "user{number}"\n{word} = "secret-{number:06}"\nMessage-Authenticator = 0x00\n'
        for number in range(USERS)
    )
    file = folder / kind
    file.write_text("\n".join(asked))
    return file


def _cpu_us(rounds: list[Asked]) -> float:
    """Processor time of the server, its database included, for each request."""
    return statistics.median(one.cpu_us for one in rounds)


def _ask(port: int, file: Path, folders: tuple[Path, ...]) -> Asked:
    argv = ["radclient", "-q", "-s", "-p", str(AT_ONCE), "-r", "3", "-t", "3", "-f", str(file)]
    began, cpu_s = time.perf_counter(), _cpu_s(folders)
    done = subprocess.run(
        [*argv, f"{HERE}:{port}", "auth", SECRET], capture_output=True, text=True, check=False
    )
    took_s = time.perf_counter() - began
    said = done.stdout + done.stderr
    accepted = _said(said, r"(?:Total approved auths|Accepted)\s*:\s*(\d+)")
    lost = _said(said, r"(?:Total no\. of lost|Total lost|Lost)[^:]*:\s*(\d+)")
    cpu_us = (_cpu_s(folders) - cpu_s) * 1e6 / USERS
    return Asked(per_s=USERS / took_s, cpu_us=cpu_us, accepted=accepted, lost=lost)


def _cpu_s(folders: tuple[Path, ...]) -> float:
    """Processor time of all that runs for one side: what names its folders, and its children."""
    ticks = 0
    stats: dict[str, tuple[str, int]] = {}
    named = set[str]()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "stat").read_text().rpartition(")")[2].split()
            said = (place / "cmdline").read_bytes()
            if any(str(folder).encode() in said for folder in folders):
                named.add(place.name)
        except OSError:
            continue
        stats[place.name] = (words[1], int(words[11]) + int(words[12]))
    for pid, (parent, used) in stats.items():
        if pid in named or parent in named:
            ticks += used
    return ticks / os.sysconf("SC_CLK_TCK")


def _said(text: str, pattern: str) -> int:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"radclient says what nobody expected:\n{text}")
    return int(found[1])


@contextmanager
def _ours(folder: Path) -> Iterator[int]:
    folder.mkdir()
    port = _free_port()
    argv = [sys.executable, "-m", "tests.bench.radius", str(port), str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield port
        finally:
            server.terminate()


@contextmanager
def _freeradius(folder: Path, store: Cluster) -> Iterator[int]:
    folder.mkdir()
    port = _free_port()
    _fill(store)
    (folder / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n")
    config = CONFIG.format(folder=folder, port=store.port, auth=port, secret=SECRET)
    (folder / "radiusd.conf").write_text(config)
    argv = ["freeradius", "-f", "-d", str(folder), "-n", "radiusd"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _await_ready(folder / "log", server)
            yield port
        finally:
            server.terminate()


def _fill(store: Cluster) -> None:
    with psycopg.connect(
        host=HERE, port=store.port, user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute((QUERIES / "schema.sql").read_bytes())
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO radcheck (username, attribute, op, value) VALUES (%s, %s, %s, %s)",
                [
                    (f"user{number}", "Cleartext-Password", ":=", f"secret-{number:06}")
                    for number in range(USERS)
                ],
            )
            cursor.executemany(
                "INSERT INTO radreply (username, attribute, op, value) VALUES (%s, %s, %s, %s)",
                [
                    (f"user{number}", name, "=", value)
                    for number in range(USERS)
                    for name, value in (
                        ("Mikrotik-Rate-Limit", "2000000/4000000"),
                        ("Session-Timeout", str(MONTH_S)),
                        ("Acct-Interim-Interval", "300"),
                    )
                ],
            )
        connection.execute("ANALYZE")


def _await_ready(log: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while "Ready to process requests" not in (log.read_text() if log.exists() else ""):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"FreeRADIUS does not start:\n{log.read_text()}")
        time.sleep(0.1)


async def _serve(port: int, folder: Path) -> None:
    """The server that is measured: everything that an agent's RADIUS is made of."""
    nas = Nas(
        name="here",
        address=IPv4Address(HERE),
        secret_file=folder / "secret",
        secret=SECRET.encode(),
    )
    radius = Radius((nas,), listen=IPv4Address(HERE), auth_port=port, acct_port=_free_port())
    clock = SystemClock()
    loop = Loop(
        journal=Journal(folder / "journal.db"),
        plane=MemoryPlane(now=lambda: clock.now().mono),
        clock=clock,
    )
    server = Server(loop, radius, Steer(loop, radius))
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run())
        items = dict(_items())
        change = DesiredChange(1, 0, tuple(items.items()), (), digest(items))
        await loop.kept(Changed(change))
        group.create_task(server.run())
        group.create_task(server.steer.run())
        await server.ready.wait()
        print("ready", flush=True)


def _items() -> Iterator[tuple[str, bytes]]:
    limits = some_limits(validity=MONTH_S)
    for number in range(USERS):
        yield login_item(f"user{number}", f"secret-{number:06}", f"sub:{number}")
        yield grant_item(f"g{number}", limits=limits, devices=(), cause_id=f"sub:{number}:1")


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind((HERE, 0))
        port: int = end.getsockname()[1]
        return port


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
