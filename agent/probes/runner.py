"""Runs the program that looks at the network, once, and ends it in any case."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent.network import uplink
from agent.probes import asked, told
from agent.probes.asked import ProbeRefused, Wiring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.config import Config
    from agent.probes.asked import Wish

OUTPUT_BYTES_MAX = 2 * told.RESULT_BYTES_MAX
"""What is read of the program's output: a result is smaller."""

COMPLAINT_BYTES_MAX = 4_096
LENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG")
"""All of the environment that the program sees."""


class ProbeBusy(Exception):  # noqa: N818 - a state, see style
    """Another probe of this machine is under way."""


def wiring(config: Config) -> Wiring:
    """How this machine is connected, by its configuration."""
    network = config.network
    if network is None:
        return Wiring(config.lan, config.wan, upstreams=_addresses(uplink.of_the_machine()))
    upstreams = network.upstreams
    if network.host_resolver:
        upstreams = _addresses(uplink.of_the_machine())
    return Wiring(config.lan, config.wan, network.address, upstreams, network.private)


async def run(wish: Wish, site: Wiring, state_dir: Path) -> dict[str, Any]:
    """What a probe saw; whatever goes wrong is a result too. Raises `ProbeBusy`."""
    with _alone(state_dir):
        try:
            async with asyncio.timeout(asked.SECONDS_MAX):
                return await _looked(wish, site)
        except TimeoutError:
            error = f"took longer than {asked.SECONDS_MAX} s, and was ended"
            return told.failed(wish.kind, wish.target, error)


async def _looked(wish: Wish, site: Wiring) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent.probes.child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: os.environ[name] for name in LENT if name in os.environ},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        child.stdin.write(json.dumps(asked.order_text(wish, site)).encode())
        child.stdin.close()
        out, complaint = await asyncio.gather(
            _read(child.stdout, OUTPUT_BYTES_MAX), _read(child.stderr, COMPLAINT_BYTES_MAX)
        )
        code = await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return _result(wish, code, out, complaint)


def _result(wish: Wish, code: int, out: bytes, complaint: bytes) -> dict[str, Any]:
    try:
        result = json.loads(out)
        if not code and result["kind"] == wish.kind:
            return dict(result)
    except (ValueError, KeyError, TypeError):
        pass
    last = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return told.failed(wish.kind, wish.target, f"the probe ended with {code}: {last or 'no word'}")


async def _read(stream: asyncio.StreamReader, most: int) -> bytes:
    """What comes, up to so much; the rest is read and forgotten."""
    kept = b""
    while part := await stream.read(4_096):
        kept += part[: max(0, most - len(kept))]
    return kept


@contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    """Keep every other probe of this machine out. The kernel lets go when the process ends."""
    held = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as busy:
        raise ProbeBusy("another probe is under way; wait half a minute") from busy
    finally:
        os.close(held)


def _addresses(texts: list[str]) -> tuple[Any, ...]:
    from ipaddress import ip_address

    found = []
    for text in texts:
        try:
            found.append(ip_address(text))
        except ValueError:
            continue  # with a zone, like fe80::1%eth0: no resolver that a probe can name
    return tuple(found)


__all__ = ["ProbeBusy", "ProbeRefused", "run", "wiring"]
