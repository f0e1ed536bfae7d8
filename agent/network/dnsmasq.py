"""The two dnsmasq processes: found, checked, started and ended, each by its own process id.

They are nobody's children. dnsmasq sends itself into the background and writes down its process
id; whoever comes next, a new agent or a command, finds it by that file and by its command line, in
which the name of the configuration is a hash of its text. So a killed agent leaves no gap in the
LAN's addresses and names, and the next one knows whether what runs is what should run.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.network import files
from agent.network.plan import captive_text, digest, features, main_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.network.plan import Served

PROGRAM = "dnsmasq"
CAPABILITIES = "+net_admin,+net_bind_service,+net_raw"
"""What it needs: DHCP and the data plane's sets, low ports, router advertisements."""

START_WAIT_S = 10
STOP_WAIT_S = 3
LEASES = "leases"
MAIN, CAPTIVE = "main", "captive"
SAID_BYTES_MAX = 400
CMDLINE_BYTES_MAX = 4_096


class DnsmasqError(Exception):
    """dnsmasq is missing, refuses a configuration, or does not start; the message says which."""


@dataclass(frozen=True, slots=True)
class Running:
    """A dnsmasq of ours. ``right`` is whether it has the configuration that is wanted."""

    pid: int
    right: bool


def installed() -> frozenset[str]:
    """What this machine's dnsmasq was built with. Raises `DnsmasqError` when there is none."""
    return features(_run(PROGRAM, "--version"))


def texts(served: Served) -> dict[str, str]:
    """The configuration of each process, by its name."""
    return {MAIN: main_text(served), CAPTIVE: captive_text(served)}


def serve(state_dir: Path, served: Served) -> dict[str, int]:
    """Have both processes run with just this; what is right already is left alone. Their ids.

    Raises `DnsmasqError`; then what ran before runs on, or again, as far as that is possible.
    """
    try:
        with files.locked(state_dir) as folder:
            return serve_locked(folder, served)
    except OSError as error:
        raise DnsmasqError(f"{state_dir}: {error.strerror}") from error


def serve_locked(folder: Path, served: Served) -> dict[str, int]:
    """As `serve`, by one who holds the lock."""
    try:
        return _serve(folder, texts(served))
    except OSError as error:
        raise DnsmasqError(f"{folder}: {error.strerror}") from error


def check(folder: Path, served: Served) -> None:
    """Ask dnsmasq what it thinks of this. Raises `DnsmasqError` when it would not run with it."""
    for name, text in texts(served).items():
        path = _written(folder, name, text)
        try:
            _run(*_argv(folder, name, path), "--test")
        finally:
            if running(folder, name, text) is None:
                path.unlink(missing_ok=True)


def stop(state_dir: Path) -> None:
    """End both processes. Raises `DnsmasqError`."""
    try:
        with files.locked(state_dir) as folder:
            for name in (MAIN, CAPTIVE):
                if (found := running(folder, name, "")) is not None:
                    _end(found.pid)
    except OSError as error:
        raise DnsmasqError(f"{state_dir}: {error.strerror}") from error


def running(folder: Path, name: str, text: str) -> Running | None:
    """Our process of that name, if it lives. A stranger with its old process id is not it."""
    try:
        pid = int((folder / f"{name}.pid").read_text(encoding="ascii")[:16])
        with Path(f"/proc/{pid}/cmdline").open("rb") as file:
            words = file.read(CMDLINE_BYTES_MAX).decode("utf-8", "replace").split("\0")
    except (OSError, ValueError):
        return None
    if _pid_option(folder, name) not in words:
        return None
    return Running(pid, right=f"--conf-file={_path(folder, name, text)}" in words)


def _serve(folder: Path, wanted: Mapping[str, str]) -> dict[str, int]:
    found = {name: running(folder, name, text) for name, text in wanted.items()}
    wrong = [name for name, one in found.items() if one is None or not one.right]
    paths = {name: _written(folder, name, wanted[name]) for name in wrong}
    for name, path in paths.items():
        _run(*_argv(folder, name, path), "--test")
    for name, path in paths.items():
        before = _confs(folder, name) - {path}
        if (old := found[name]) is not None:
            _end(old.pid)
        _start(folder, name, path, instead=before if old is not None else frozenset())
        for stale in before:
            stale.unlink(missing_ok=True)
    return {name: _sure(running(folder, name, text), name).pid for name, text in wanted.items()}


def _sure(found: Running | None, name: str) -> Running:
    if found is None:
        raise DnsmasqError(f"dnsmasq ({name}) ended as soon as it had started; see the system log")
    return found


def _start(folder: Path, name: str, path: Path, *, instead: frozenset[Path]) -> None:
    """Start one, and if it does not, the one that ran before: better an old one than none."""
    if name == MAIN:
        leases = folder / LEASES
        leases.touch(mode=0o600)
        files.give(leases)
    try:
        _run(*_argv(folder, name, path))
    except DnsmasqError:
        for old in instead:
            _run(*_argv(folder, name, old))
        raise


def _end(pid: int) -> None:
    """Ask a process to end and wait until it has; one that does not is killed."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(watched, number)
            if select.select([watched], [], [], STOP_WAIT_S)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        os.close(watched)


def _written(folder: Path, name: str, text: str) -> Path:
    path = _path(folder, name, text)
    if not path.exists():
        files.write(path, text)
    return path


def _path(folder: Path, name: str, text: str) -> Path:
    return folder / f"{name}-{digest(text)}.conf"


def _confs(folder: Path, name: str) -> frozenset[Path]:
    return frozenset(folder.glob(f"{name}-*.conf"))


def _argv(folder: Path, name: str, path: Path) -> list[str]:
    argv = [*_as_owner(folder), PROGRAM, f"--conf-file={path}", _pid_option(folder, name)]
    if name == MAIN:
        argv.append(f"--dhcp-leasefile={folder / LEASES}")
    if os.geteuid() == 0 and folder.stat().st_uid == 0:
        argv += ["--user=root", "--group=root"]
    return argv


def _pid_option(folder: Path, name: str) -> str:
    return f"--pid-file={folder / name}.pid"


def _as_owner(folder: Path) -> list[str]:
    """Root starts it as who owns the folder: the agent must be able to see and to end it.

    It is that user's from its first instruction on. One that only becomes so later is hidden from
    the agent where /proc shows nobody more than his own.
    """
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return []
    return [
        "setpriv",
        f"--reuid={owner.st_uid}",
        f"--regid={owner.st_gid}",
        "--clear-groups",
        f"--inh-caps={CAPABILITIES}",
        f"--ambient-caps={CAPABILITIES}",
        f"--bounding-set=-all,{CAPABILITIES}",
    ]


def _run(*argv: str) -> str:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=START_WAIT_S,
            check=False,
            env={"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin", "LC_ALL": "C"},
        )
    except FileNotFoundError as missing:
        raise DnsmasqError("dnsmasq is not installed: apt install dnsmasq-base") from missing
    except (OSError, subprocess.TimeoutExpired) as broken:
        raise DnsmasqError(f"dnsmasq cannot be run: {broken}") from broken
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[:SAID_BYTES_MAX]
        raise DnsmasqError(f"dnsmasq refuses: {said or f'exit code {done.returncode}'}")
    return done.stdout.decode("utf-8", "replace")
