"""A PostgreSQL cluster of the test run's own: made, started and stopped by it, seen by nobody else.

PostgreSQL refuses to run as root, so as root everything here runs as the ``postgres`` account.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.support.memory import memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ACCOUNT = "postgres"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
PR_SET_PDEATHSIG = 1
INITDB = ("-E", "UTF8", "--locale=C", "--no-sync")
SETTINGS = ("max_connections=100", "shared_buffers=32MB", "log_min_messages=warning")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server: where its socket is, on which loopback port it listens."""

    folder: Path
    port: int

    def url(self, database: str) -> str:
        """What `controller.store.database.Database` wants."""
        return f"postgresql+psycopg://{ACCOUNT}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str) -> None:
        """Run one statement of the administrator, outside any transaction."""
        with psycopg.connect(
            host=str(self.folder), port=self.port, user=ACCOUNT, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())


@contextmanager
def cluster(*, durable: bool = False, settings: Sequence[str] = ()) -> Iterator[Cluster]:
    """A fresh cluster in a temporary folder; it ends with the block, or with this process.

    Unless ``durable`` it lives in memory, where there is room, and waits for no disk: no test pulls
    the machine's plug, and making and dropping a database for each takes 50 ms instead of 1,500.
    What is measured must be durable. ``settings`` (``name=value``) come on top of ours.
    """
    folder = Path(tempfile.mkdtemp(prefix="lango-pg-", dir=None if durable else memory()))
    try:
        if os.geteuid() == 0:
            account = pwd.getpwnam(ACCOUNT)
            os.chown(folder, account.pw_uid, account.pw_gid)
        made = Cluster(folder, _free_port())
        with _server(made, durable=durable, settings=settings):
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(made: Cluster, *, durable: bool, settings: Sequence[str]) -> Iterator[None]:
    store = made.folder / "store"
    _run(
        [program("initdb"), "-D", str(store), "-U", ACCOUNT, "-A", "trust", *INITDB],
        folder=made.folder,
    )
    argv = [program("postgres"), "-D", str(store), "-k", str(made.folder)]
    argv += ["-h", "127.0.0.1", "-p", str(made.port)]
    all_settings = (*SETTINGS, f"fsync={'on' if durable else 'off'}", *settings)
    argv += [part for setting in all_settings for part in ("-c", setting)]
    with (made.folder / "log").open("wb") as log:
        server = _start(argv, log.fileno(), made.folder)
        try:
            _await_ready(made, server)
            yield
        finally:
            _stop(server)


def _start(argv: list[str], log: int, folder: Path) -> subprocess.Popen[bytes]:
    libc = ctypes.CDLL(None)

    def die_with_parent() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)

    server: subprocess.Popen[bytes] = subprocess.Popen(
        argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one prctl, no locks are taken
        **_as_account(),
    )
    return server


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # "fast": roll back, checkpoint, exit
    try:
        server.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(STOP_TIMEOUT_S)


def _await_ready(made: Cluster, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            made.run("SELECT 1")
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                log = (made.folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL does not start:\n{log}") from error
            time.sleep(0.05)
        else:
            return


def _run(argv: list[str], *, folder: Path) -> None:
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, check=False, **_as_account()
    )
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed:\n{done.stdout}{done.stderr}")


def _as_account() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    return {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []}


def program(name: str) -> str:
    """The newest installed server's program: Debian keeps them out of PATH."""
    places = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    found = sorted(places, key=lambda place: float(place.parts[-3]))
    on_path = shutil.which(name)
    if found:
        return str(found[-1])
    if on_path is None:
        raise RuntimeError(f"{name} not found: install Debian's package postgresql")
    return on_path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
