"""What a router should hold for a desired state, row by row. PURE.

Rules are made once and name address lists; who may pass stands in a list, with the router's own
timeout. A session's queue counts it and shapes it. Every row of ours says so in its comment, and
the whole comment tells one row from another; rows without that mark are somebody else's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, TypeAlias

from shaping.lines import key_of
from shaping.plane import POOL_DEPTH_MAX, MonotonicMs
from shaping.routeros.texts import TIMEOUT_MAX_S, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shaping.diff import Garden, Standing
    from shaping.plane import CapKey, Line, MacAddress, Rate, SessionKey
    from shaping.pools import PoolPath

MARK = "lango "
"""What the comment of each of our rows begins with."""

LISTS = "/ip/firewall/address-list"
FILTER = "/ip/firewall/filter"
FILTER6 = "/ipv6/firewall/filter"
MANGLE = "/ip/firewall/mangle"
NAT = "/ip/firewall/nat"
QUEUES = "/queue/simple"

OPEN, GARDEN, BOOT = "lango-open", "lango-garden", "lango-boot"
UP, DOWN, BLOCKED = "lango-up", "lango-down", "lango-blocked"

FREE = {"action": "mark-packet", "new-packet-mark": GARDEN, "passthrough": "false"}
"""What is done with packets from and to the walled garden: the queue of this mark counts nobody."""

NOWHERE = "192.0.2.0/32"
"""The target of a queue that nothing passes: an empty one would be everybody's (RFC 5737)."""

BOOT_ADDRESS = "192.0.2.1"
TOLERANCE_MS = 2_500
"""Ends nearer than this are the same one: routers tell whole seconds, and not at once."""

LEASE_MIN_MS = 90_000
"""The shortest time for which a budget is given out; the agent looks three times in it."""

V6_BPS_MAX = 4_294_967_295
"""RouterOS 6 keeps rates in 32 bits."""

Name: TypeAlias = tuple[str, str]
"""A row by its menu and its whole comment."""


class Place(Enum):
    """Where among others a row must stand."""

    ANYWHERE = "anywhere"
    IN_TURN = "in turn"  # after those of its chain that are told before it; the chain is ours
    FIRST = "first"  # before whatever of somebody else's lets packets pass its chain


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where the devices are (interfaces of the router), and where their portal is.

    ``lines`` has the addresses of those who dial in, where the router keeps their secrets.
    """

    lans: tuple[str, ...]
    portal: IPv4Address
    portal_port: int
    lines: IPv4Network | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row that should be there. Of its words, those not named may be anything.

    ``until`` is when the router itself should drop it, None never. The router's end may be as much
    as ``slack_ms`` before that, so that a lease need not be renewed all the time. ``depth`` is how
    many queues it may be inside of.
    """

    menu: str
    mark: str
    words: Mapping[str, str]
    until: MonotonicMs | None = None
    slack_ms: int = TOLERANCE_MS
    depth: int = 0
    place: Place = Place.ANYWHERE

    @property
    def name(self) -> Name:
        """What tells it from other rows."""
        return self.menu, self.mark


@dataclass(frozen=True, slots=True)
class Wanted:
    """What rows follow from. ``left`` is what each budget has left, ``epochs`` whose meters run.

    ``lines`` are those who may dial in, by name, and the address of each.
    """

    standings: Mapping[SessionKey, Standing]
    pools: Mapping[PoolPath, Rate]
    garden: Garden
    blocked: frozenset[MacAddress]
    left: Mapping[CapKey, int] = field(default_factory=dict)
    epochs: Mapping[SessionKey, str] = field(default_factory=dict)
    lines: Mapping[str, tuple[Line, IPv4Address]] = field(default_factory=dict)


def rows(
    wanted: Wanted, wiring: Wiring, *, now: MonotonicMs, boot: str, major: int
) -> tuple[Row, ...]:
    """Every row of ours, those that others name first."""
    return (
        _boot_row(now, boot),
        *_queue_rows(wanted, wiring, major),
        *_garden_rows(wanted.garden),
        *_way_rows(wanted, now),
        *(_block_row(mac) for mac in sorted(wanted.blocked)),
        *fixed_rows(wiring),
    )


def fixed_rows(wiring: Wiring) -> Iterator[Row]:
    """The rules: made once, the same for everybody, and in force only when all are there."""
    portal, port = str(wiring.portal), str(wiring.portal_port)
    up = (
        {"action": "jump", "jump-target": BLOCKED},
        {"action": "accept", "protocol": "tcp", "dst-address": portal, "dst-port": port},
        {"action": "accept", "dst-address-list": GARDEN},
        {"action": "accept", "src-address-list": OPEN},
        {
            "action": "reject",
            "protocol": "tcp",
            "dst-port": "443",
            "reject-with": "tcp-reset",
        },
        {"action": "drop"},
    )
    down = (
        {"action": "accept", "protocol": "tcp", "src-address": portal, "src-port": port},
        {"action": "accept", "src-address-list": GARDEN},
        {"action": "accept", "dst-address-list": OPEN},
        {"action": "drop"},
    )
    for chain, rules in ((UP, up), (DOWN, down)):
        for number, words in enumerate(rules, 1):
            yield Row(
                FILTER,
                f"{MARK}rule {chain} {number}",
                {"chain": chain, **words},
                place=Place.IN_TURN,
            )
    for lan in wiring.lans:
        yield from _lan_rows(lan, portal, port)


def _lan_rows(lan: str, portal: str, port: str) -> Iterator[Row]:
    """What leads packets of this interface to our rules."""
    for way, where, place, target in (
        ("up", "in-interface", "dst-address-list", UP),
        ("down", "out-interface", "src-address-list", DOWN),
    ):
        there = {"chain": "forward", where: lan}
        yield _rule(MANGLE, f"{way} {lan}", {**there, place: GARDEN, **FREE})
        yield _rule(FILTER6, f"{way} {lan}", {**there, "action": "drop"})
        yield _rule(FILTER, f"{way} {lan}", {**there, "action": "jump", "jump-target": target})
    to_portal = {"action": "dst-nat", "to-addresses": portal, "to-ports": port}
    strangers = {"src-address-list": f"!{OPEN}", "dst-address-list": f"!{GARDEN}"}
    http = {"chain": "dstnat", "in-interface": lan, "protocol": "tcp", "dst-port": "80"}
    yield _rule(NAT, f"portal {lan}", {**http, **strangers, **to_portal})


def _rule(menu: str, name: str, words: Mapping[str, str]) -> Row:
    return Row(menu, f"{MARK}rule {name}", words, place=Place.FIRST)


def _boot_row(now: MonotonicMs, boot: str) -> Row:
    """An entry that dies with the router's power, and so tells that counters began anew."""
    life_ms = TIMEOUT_MAX_S * 1_000
    words = {"list": BOOT, "address": BOOT_ADDRESS}
    return Row(LISTS, boot_mark(boot), words, MonotonicMs(now + life_ms), slack_ms=life_ms)


def boot_mark(boot: str) -> str:
    """The comment of the entry that tells this life of the router."""
    return f"{MARK}boot {boot}"


def _garden_rows(garden: Garden) -> Iterator[Row]:
    for network in sorted(one for one in garden if isinstance(one, IPv4Network)):
        address = str(network).removesuffix("/32")
        yield Row(LISTS, f"{MARK}garden {address}", {"list": GARDEN, "address": address})


def _block_row(mac: MacAddress) -> Row:
    words = {"chain": BLOCKED, "src-mac-address": mac.upper(), "action": "drop"}
    return Row(FILTER, f"{MARK}block {mac}", words)


def _way_rows(wanted: Wanted, now: MonotonicMs) -> Iterator[Row]:
    leases = leases_ms(wanted)
    terms = {key_of(name): line.lease_ms for name, (line, _) in wanted.lines.items()}
    for key, standing in wanted.standings.items():
        for address, way in standing.ways.items():
            if not isinstance(address, IPv4Address):
                continue
            lease = leases.get(way.cap.key) if way.cap else None
            if way.cap and lease is None:
                continue  # the budget is used up
            term = terms.get(key)
            if term is not None:
                lease = term if lease is None else min(term, lease)
            until, slack = way.open_until, TOLERANCE_MS
            if lease is not None and (until is None or now + lease < until):
                until, slack = MonotonicMs(now + lease), lease // 2
            words = {"list": OPEN, "address": str(address)}
            yield Row(LISTS, f"{MARK}way {key} {address}", words, until, slack)


def leases_ms(wanted: Wanted) -> dict[CapKey, int]:
    """For how long each budget that is not used up may be used unseen.

    A router has no budgets of bytes, only time: in this time all devices of the budget together, at
    the highest speed that they may have, cannot use more than is left, or than `LEASE_MIN_MS` lets
    through. So a dead agent ends what it no longer counts.
    """
    speeds: dict[CapKey, int] = {}
    for standing in wanted.standings.values():
        for cap in {way.cap.key for way in standing.ways.values() if way.cap is not None}:
            if standing.rate is not None:
                speeds[cap] = speeds.get(cap, 0) + _peak_bps(standing.rate)
    return {
        cap: max(LEASE_MIN_MS, wanted.left[cap] * 8_000 // bps)
        for cap, bps in speeds.items()
        if wanted.left[cap] > 0
    }


def _peak_bps(rate: Rate) -> int:
    """The most that passes in a second, both ways."""
    if rate.burst is None:
        return rate.down_bps + rate.up_bps
    return max(rate.down_bps, rate.burst.down_bps) + max(rate.up_bps, rate.burst.up_bps)


def _queue_rows(wanted: Wanted, wiring: Wiring, major: int) -> Iterator[Row]:
    inside = _members(wanted)
    dialled = () if wiring.lines is None else (str(wiring.lines),)
    everybody = ",".join((*wiring.lans, *dialled))
    free = {"name": GARDEN, "target": everybody, "packet-marks": GARDEN}
    yield Row(QUEUES, f"{MARK}queue garden", {**free, "max-limit": "0/0"}, place=Place.FIRST)
    for path in sorted(wanted.pools, key=lambda path: (len(path), path)):
        parent = pool_name(path[-2]) if len(path) > 1 else "none"
        target = ",".join(inside.get(path, [])) or NOWHERE
        words = {"name": pool_name(path[-1]), "target": target, "parent": parent}
        words |= speed_words(wanted.pools[path], major)
        yield Row(QUEUES, f"{MARK}pool {path[-1]}", words, depth=len(path))
    for key, standing in wanted.standings.items():
        words = {"name": f"lango-s-{key}", "target": _target(standing)}
        words["parent"] = pool_name(standing.pool[-1]) if standing.pool else "none"
        if standing.rate is not None:
            words |= speed_words(standing.rate, major)
        yield Row(QUEUES, session_mark(key, wanted.epochs[key]), words, depth=POOL_DEPTH_MAX + 1)


def pool_name(pool: str) -> str:
    """The name of a pool's queue."""
    return f"lango-p-{pool}"


def session_mark(key: SessionKey, epoch: str) -> str:
    """The comment of a session's queue: whose, and which life of its counters."""
    return f"{MARK}session {key} {epoch}"


def _target(standing: Standing) -> str:
    """What a queue serves. A budget that is used up closes the way, not the queue."""
    addresses = sorted(one for one in standing.ways if isinstance(one, IPv4Address))
    return ",".join(f"{address}/32" for address in addresses) or NOWHERE


def _members(wanted: Wanted) -> dict[PoolPath, list[str]]:
    """The addresses in each pool, those in the pools inside it among them.

    The router gives a packet to the first outer queue whose target it fits, and then looks inside
    of that one alone; so an outer queue serves exactly whom its inner ones do.
    """
    inside: dict[PoolPath, list[str]] = {}
    for standing in wanted.standings.values():
        for depth in range(1, len(standing.pool) + 1):
            target = _target(standing)
            if target != NOWHERE:
                inside.setdefault(standing.pool[:depth], []).append(target)
    return inside


def speed_words(rate: Rate, major: int) -> dict[str, str]:
    """A rate as a queue has it: upload first.

    Burst lets ``burst-threshold * burst-time`` bits through before the rate holds.
    """
    bursts = [(0, 0, 0), (0, 0, 0)]
    ends = ((rate.up_bps, "up_bps"), (rate.down_bps, "down_bps"))
    for which, (bps, name) in enumerate(ends):
        high = getattr(rate.burst, name) if rate.burst else 0
        if rate.burst is not None and high > bps:
            bursts[which] = (high, bps, max(1, rate.burst.size_bytes * 8 // bps))
    (up, down) = bursts
    most = V6_BPS_MAX if major < 7 else 1 << 63  # noqa: PLR2004 - a version

    def pair(one: int, other: int) -> str:
        return f"{min(one, most)}/{min(other, most)}"

    return {
        "max-limit": pair(rate.up_bps, rate.down_bps),
        "burst-limit": pair(up[0], down[0]),
        "burst-threshold": pair(up[1], down[1]),
        "burst-time": f"{span(up[2])}/{span(down[2])}",
    }
