"""A site whose box is a MikroTik router: its part of the configuration, and what comes of it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.lan import Lan
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from agent.clock import Clock
    from shaping.plane import MonotonicMs, Neighbour
    from shaping.routeros.plane import RouterPlane
    from shaping.routeros.session import Lane, Talk

TLS_PORT, PLAIN_PORT = 8729, 8728
PORT_MAX = 65_535
PASSWORD_CHARS_MAX = 256
_HOST = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.:-]{0,251}[a-zA-Z0-9])?")
_INTERFACE = re.compile(r"[^\s,!=\x00-\x1f]{1,64}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
SECRETS, RADIUS = "secrets", "radius"
"""Who says who may dial in by PPPoE: the router's own secrets, or a RADIUS server."""

LINES_PREFIXES = range(16, 29)
LINES_LIKE = 'like "10.20.0.0/22" (a /16 to a /28)'
MISS_REST_S = 1.0
"""Strangers at the portal make the router tell its tables no more often than this."""


@dataclass(frozen=True, slots=True)
class RouterOs:
    """Where the router is and what it is told. Devices are behind its ``interfaces``.

    ``fingerprint`` pins its certificate (SHA-256); None, by ``tls = false``, is for a link that
    nobody else is on. ``portal`` is this machine's address, as the router reaches it: it leads
    devices there, so it must not be in their own network. Of several routers, each has a ``name``
    and the ``networks`` of its devices; a single one has all there are. ``lines`` are the addresses
    of those who dial in by PPPoE, where the router is to keep their secrets; None: it asks RADIUS,
    or nobody dials in.
    """

    host: str
    user: str
    password_file: Path
    interfaces: tuple[str, ...]
    portal: IPv4Address
    port: int
    fingerprint: str | None
    name: str = ""
    networks: tuple[IPv4Network, ...] = ()
    lines: IPv4Network | None = None


KEYS: dict[str, tuple[type, str | None]] = {
    "host": (str, 'like "10.9.0.1"'),
    "port": (int, None),
    "tls": (bool, None),
    "fingerprint": (str, None),
    "user": (str, 'like "lango"'),
    "password_file": (str, 'like "/etc/lango/router.password"'),
    "interfaces": (list, 'like ["bridge-hotspot"]'),
    "portal": (str, 'like "10.9.0.2"'),
    "pppoe": (str, None),
    "pppoe_network": (str, None),
}
"""What [routeros] may hold, of which type, and an example where it must be there."""


def parsed(
    told: Mapping[str, Any], *, place: str = "routeros"
) -> tuple[RouterOs | None, list[str]]:
    """The router of a configuration, from keys without their table, and what is wrong with it."""
    faults = [
        f"{place}.{key}: it must be there, {like}"
        for key, (_, like) in KEYS.items()
        if like is not None and key not in told
    ]
    tls = told.get("tls", True)
    if tls and "fingerprint" not in told:
        like = "the SHA-256 of the router's certificate; or tls = false on a link of its own"
        faults.append(f"{place}.fingerprint: it must be there, {like}")
    if faults:
        return None, faults
    fingerprint = told["fingerprint"].replace(":", "").lower() if tls else None
    faults = [f"{place}.{one}" for one in _impossible({**told, "fingerprint": fingerprint})]
    if faults:
        return None, faults
    router = RouterOs(
        host=told["host"],
        user=told["user"],
        password_file=Path(told["password_file"]),
        interfaces=tuple(told["interfaces"]),
        portal=IPv4Address(told["portal"]),
        port=told.get("port", TLS_PORT if tls else PLAIN_PORT),
        fingerprint=fingerprint,
        lines=_lines(told) if told.get("pppoe") == SECRETS else None,
    )
    return router, []


def _lines(told: Mapping[str, Any]) -> IPv4Network | None:
    """The network of those who dial in; None where it is none, or too small, or too large."""
    try:
        network = IPv4Network(told.get("pppoe_network", ""))
    except ValueError:
        return None
    return network if network.prefixlen in LINES_PREFIXES else None


def _impossible_lines(told: Mapping[str, Any]) -> Iterator[str]:
    kind = told.get("pppoe", RADIUS)
    if kind not in {SECRETS, RADIUS}:
        yield f'pppoe: want "{SECRETS}" or "{RADIUS}", got {kind!r}'
    elif kind == RADIUS and "pppoe_network" in told:
        yield f'pppoe_network: only with pppoe = "{SECRETS}"'
    elif kind == SECRETS and _lines(told) is None:
        yield f"pppoe_network: want a network of its own for those who dial in, {LINES_LIKE}"


def _impossible(told: Mapping[str, Any]) -> list[str]:
    faults = []
    if not _HOST.fullmatch(told["host"]):
        faults.append(f"host: {told['host']!r} is no host name and no address")
    if not 0 < told.get("port", TLS_PORT) <= PORT_MAX:
        faults.append(f"port: want 1 to {PORT_MAX}, got {told['port']}")
    if told["fingerprint"] is not None and not _FINGERPRINT.fullmatch(told["fingerprint"]):
        faults.append("fingerprint: want 64 hexadecimal digits")
    if not told["user"]:
        faults.append("user: want a name")
    if not Path(told["password_file"]).is_absolute():
        faults.append(f"password_file: want an absolute path, got {told['password_file']!r}")
    names = told["interfaces"]
    if not names or len(set(map(str, names))) < len(names):
        faults.append(f"interfaces: want names, each once, got {names!r}")
    faults += [
        f"interfaces: {name!r} is no interface name"
        for name in names
        if not isinstance(name, str) or not _INTERFACE.fullmatch(name)
    ]
    faults += _impossible_lines(told)
    try:
        IPv4Address(told["portal"])
    except ValueError:
        faults.append(f"portal: {told['portal']!r} is no IPv4 address")
    return faults


def lane(
    router: RouterOs,
    *,
    patience_s: float | None = None,
    greeting: Callable[[Talk], object] | None = None,
) -> Lane:
    """The one way to the router. Raises `PlaneError` (no retry) when there is no password."""
    # Deferred: only sites with a router take the library for it.
    from shaping.routeros.session import PATIENCE_S, Lane, Router

    where = Router(
        host=router.host,
        port=router.port,
        user=router.user,
        password=password(router.password_file),
        fingerprint=router.fingerprint,
    )
    return Lane(where, patience_s=patience_s or PATIENCE_S, greeting=greeting)


def password(path: Path) -> str:
    """The first line of a file. Raises `PlaneError` (no retry) that names the file."""
    try:
        text = path.read_text().partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        if isinstance(error, FileNotFoundError):
            why = f"{why}; lango-agent router adopt makes it"
        raise PlaneError(f"password_file: {path}: {why}", retry=False) from error
    if not 0 < len(text) <= PASSWORD_CHARS_MAX:
        raise PlaneError(f"password_file: {path} holds no password", retry=False)
    return text


def box(
    router: RouterOs, portal_port: int, clock: Clock, *, patience_s: float | None = None
) -> tuple[RouterPlane, Lan]:
    """The router as a plane and as a LAN, over one connection. Raises `PlaneError` (no retry).

    Of a router with networks only what it sees in them counts, and its ports have its name. That
    it works is told to the router, which undoes its adoption otherwise: over TLS alone.
    """
    from shaping.routeros import adoption, neighbours
    from shaping.routeros.plane import RouterPlane
    from shaping.routeros.rows import Wiring

    greeting = adoption.confirm if router.fingerprint is not None else None
    way = lane(router, patience_s=patience_s, greeting=greeting)
    wiring = Wiring(router.interfaces, router.portal, portal_port, router.lines)
    missed = asyncio.Event()

    def now() -> MonotonicMs:
        return clock.now().mono

    async def wait(seconds: float) -> None:
        await clock.sleep(MISS_REST_S)
        missed.clear()
        await clock.wait(missed.wait(), at_most_ms=int(seconds * 1_000))

    def follow() -> AsyncIterator[Neighbour]:
        seen = neighbours.follow(way, router.interfaces, wait=wait)
        return _own(seen, router) if router.networks else seen

    return RouterPlane(way, wiring, now=now), Lan(follow, clock, missed=missed.set)


async def _own(seen: AsyncIterator[Neighbour], router: RouterOs) -> AsyncIterator[Neighbour]:
    async for one in seen:
        if one.address is None or any(one.address in network for network in router.networks):
            yield replace(one, port=f"{router.name}/{one.port}" if one.port else "")
