"""The table ``inet lango`` as text, and what a change means in it. PURE.

Nothing that a network can choose reaches a text: addresses are address objects, MACs, keys and
interface names are checked against patterns before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from shaping.diff import (
    Block,
    CloseWay,
    DropCap,
    OpenWay,
    SetCap,
    SetGarden,
    StartMeter,
    StopMeter,
    Unblock,
)
from shaping.linux.tc import classid_of, group_of
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from ipaddress import IPv4Network, IPv6Network

    from shaping.diff import Address, CapRef, Change, Way
    from shaping.plane import MacAddress, MonotonicMs, PoolKey, SessionKey

TABLE = "lango"

ADDRESSES_MAX = 65_536
"""Addresses of one family that may pass at once; the kernel refuses more, and `apply` says so."""

DNS_PER_SECOND = 10
DNS_BURST = 40
"""Name look-ups that an unpaid device may make: enough for a portal, useless for a tunnel."""

SITE_DNS_PER_SECOND = 50
SITE_DNS_BURST = 500
"""Name look-ups of all unpaid devices together, since a device may have a new MAC for each. The
burst is for the many that come back at once when the power does."""

PINGS_PER_SECOND = 5
PINGS_BURST = 20
SITE_PINGS_PER_SECOND = 50
SITE_PINGS_BURST = 200
"""ICMP to the gateway, of one device and of all together. Finding neighbours is not limited."""

VISITS_PER_SECOND = 10
VISITS_BURST = 50
"""Connections that one device may open to the portal; it opens a few, and each asks little."""

NAMES_KEPT = "1d"
"""How long the garden keeps an address that a name had."""

_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")

TIMED = ("up4", "down4", "up6", "down6")
"""Sets whose elements the kernel removes by itself."""

MAPPED = ("count_up", "count_down", "class", "group", "cap")
"""Maps of each family, by address; ``4`` or ``6`` is appended."""

SETS = (*TIMED, "blocked", *(f"{name}{family}" for family in "46" for name in MAPPED))
"""All that elements of sessions are put into, and blocks."""

GARDEN_SETS = ("garden4", "garden6")
"""What everybody reaches, as networks. Beside them stand ``garden_names4`` and ``garden_names6``:
addresses that the site's DNS server puts there as it answers names of the garden. They are its
affair alone; nothing here reads or flushes them."""


@dataclass(frozen=True, slots=True)
class LinuxConfig:
    """How a Linux gateway is wired. Devices are on ``lan``; ``wan`` leads to the internet.

    ``close_gateway`` refuses LAN devices every service of the gateway but names, addresses, ICMP
    and the portal. ``captive_dns_port`` is where the gateway answers the names that unpaid devices
    ask anybody for; None lets them ask the gateway's port 53. ``portal_tls_port`` is where the
    portal speaks TLS, if it does. ``spare_bps`` is the speed of what belongs to no session: the
    portal on the LAN, the gateway's own traffic on the WAN. Raises `PlaneError` (no retry) for
    values that cannot be.
    """

    lan: str
    wan: str
    portal_port: int = 8000
    masquerade: bool = True
    close_gateway: bool = True
    captive_dns_port: int | None = None
    portal_tls_port: int | None = None
    spare_bps: int = 50_000_000

    def __post_init__(self) -> None:
        for name, value in (("lan", self.lan), ("wan", self.wan)):
            if not _INTERFACE.fullmatch(value):
                raise PlaneError(f"{name}: {value!r} is not an interface name", retry=False)
        if self.lan == self.wan:
            raise PlaneError(f"lan and wan are both {self.lan!r}", retry=False)
        if not 0 < self.portal_port < 1 << 16:
            raise PlaneError(f"portal_port: {self.portal_port} is not a port", retry=False)
        for name in ("captive_dns_port", "portal_tls_port"):
            port = getattr(self, name)
            if port is not None and not 0 < port < 1 << 16:
                raise PlaneError(f"{name}: {port} is no port", retry=False)
        if self.spare_bps <= 0:
            raise PlaneError(f"spare_bps: {self.spare_bps} is not positive", retry=False)


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a set or map. ``value`` is an object's name, a class id or a mark.

    Its key is an address, a MAC or both; in a garden's set it is a network.
    """

    set: str
    address: Address | None = None
    mac: MacAddress | None = None
    value: str | int | None = None
    timeout_ms: int | None = None
    network: IPv4Network | IPv6Network | None = None


@dataclass(frozen=True, slots=True)
class Put:
    """Add this element."""

    element: Element


@dataclass(frozen=True, slots=True)
class Cut:
    """Remove this element. One with a timeout may be gone already, which is as good."""

    element: Element


@dataclass(frozen=True, slots=True)
class PutCounter:
    """Make a named counter, at zero."""

    name: str


@dataclass(frozen=True, slots=True)
class CutCounter:
    """Remove a named counter that nothing points at."""

    name: str


@dataclass(frozen=True, slots=True)
class PutQuota:
    """Make a named quota that lets this many bytes pass."""

    name: str
    left_bytes: int


@dataclass(frozen=True, slots=True)
class CutQuota:
    """Remove a named quota that nothing points at."""

    name: str


@dataclass(frozen=True, slots=True)
class Flush:
    """Remove all elements of this set."""

    set: str


Op: TypeAlias = Put | Cut | Flush | PutCounter | CutCounter | PutQuota | CutQuota


def meter_names(session: SessionKey, epoch: str) -> tuple[str, str]:
    """The names of a session's down and up counters."""
    return f"d.{session}.{epoch}", f"u.{session}.{epoch}"


def quota_name(cap: CapRef) -> str:
    """The name of one revision of a budget."""
    return f"q.{cap.key}.{cap.revision}"


def pool_name(key: PoolKey, number: int) -> str:
    """The name of the counter that tells which pool has this number in the class trees."""
    return f"p.{key}.{number}"


def way_elements(  # noqa: PLR0917 -- never called with more than an unpacked OpenWay and two more
    session: SessionKey, epoch: str, address: Address, way: Way, slot: int, now: MonotonicMs
) -> tuple[Element, ...]:
    """All elements that let one address pass, be counted, shaped and capped."""
    family = address.version
    down, up = meter_names(session, epoch)
    timeout_ms = None if way.open_until is None else max(1, way.open_until - now)
    elements = (
        Element(f"count_down{family}", address, value=down),
        Element(f"count_up{family}", address, value=up),
        Element(f"class{family}", address, value=classid_of(slot)),
        Element(f"group{family}", address, value=group_of(slot)),
        Element(f"down{family}", address, timeout_ms=timeout_ms),
        Element(f"up{family}", address, way.mac, timeout_ms=timeout_ms),
    )
    if way.cap is None:
        return elements
    return Element(f"cap{family}", address, value=quota_name(way.cap)), *elements


def ops(
    changes: Iterable[Change], *, slot_of: Callable[[SessionKey], int], now: MonotonicMs
) -> Iterator[Op]:
    """What the changes mean in the table; changes of shapers mean nothing here."""
    for change in changes:
        match change:
            case CloseWay(session, address, way):
                gone = way_elements(session, "", address, way, 0, now)
                yield from map(Cut, reversed(gone))
            case OpenWay(session, epoch, address, way):
                slot = slot_of(session)
                yield from map(Put, way_elements(session, epoch, address, way, slot, now))
            case StartMeter(session, epoch):
                yield from map(PutCounter, meter_names(session, epoch))
            case StopMeter(session, epoch):
                yield from map(CutCounter, meter_names(session, epoch))
            case SetCap(cap, left_bytes):
                yield PutQuota(quota_name(cap), left_bytes)
            case DropCap(cap):
                yield CutQuota(quota_name(cap))
            case Block(mac) | Unblock(mac):
                yield (Put if isinstance(change, Block) else Cut)(Element("blocked", mac=mac))
            case SetGarden(networks):
                yield from _garden_ops(networks)
            case _:
                pass  # rates and pools are the shaper's affair


def _garden_ops(networks: Iterable[IPv4Network | IPv6Network]) -> Iterator[Op]:
    yield from map(Flush, GARDEN_SETS)
    for network in sorted(networks, key=lambda one: (one.version, one)):
        yield Put(Element(f"garden{network.version}", network=network))


def op_text(op: Op) -> str:
    """The same operation as a command of nft: for people, logs and golden files."""
    match op:
        case Put() | Cut() | Flush():
            return _set_op_text(op)
        case PutCounter(name):
            return f"add counter inet {TABLE} {name}"
        case CutCounter(name):
            return f"delete counter inet {TABLE} {name}"
        case PutQuota(name, left_bytes):
            return f"add quota inet {TABLE} {name} {{ over {left_bytes} bytes }}"
        case CutQuota(name):
            return f"delete quota inet {TABLE} {name}"


def _set_op_text(op: Put | Cut | Flush) -> str:
    match op:
        case Put(element):
            return f"add element inet {TABLE} {element.set} {{ {_element_text(element)} }}"
        case Cut(element):
            return f"delete element inet {TABLE} {element.set} {{ {_key_text(element)} }}"
        case Flush(name):
            return f"flush set inet {TABLE} {name}"


def _key_text(element: Element) -> str:
    parts = element.address, element.mac, element.network
    return " . ".join(str(part) for part in parts if part is not None)


def _element_text(element: Element) -> str:
    text = _key_text(element)
    if element.timeout_ms is not None:
        seconds, milliseconds = divmod(element.timeout_ms, 1000)
        text += f" timeout {seconds}s{milliseconds}ms"
    if element.value is None:
        return text
    if isinstance(element.value, str):
        return f'{text} : "{element.value}"'
    if element.set.startswith("class"):
        return f"{text} : {element.value >> 16:x}:{element.value & 0xFFFF:x}"
    return f"{text} : {element.value:#010x}"


CHAINS = {
    "names": "",
    "pings": "",
    "visits": "",
    "portal_nat": "type nat hook prerouting priority dstnat; policy accept;",
    "wan_nat": "type nat hook postrouting priority srcnat; policy accept;",
    "gateway_door": "type filter hook input priority filter; policy accept;",
    "passage": "type filter hook forward priority filter; policy accept;",
    "from_lan": "",
    "to_lan": "",
    "go_up4": "",
    "go_up6": "",
    "go_down4": "",
    "go_down6": "",
}
"""The chains and their hooks. Their policy is accept: what is not the LAN's is not our affair."""


def rules(config: LinuxConfig) -> dict[str, tuple[str, ...]]:
    """The rules of each chain, in order."""
    lan, wan = config.lan, config.wan
    paid = ("ip saddr . ether saddr @up4", "ip6 saddr . ether saddr @up6")
    portal = f"redirect to :{config.portal_port}"
    nat = f'iifname "{lan}" oifname "{wan}" meta nfproto ipv4 masquerade'
    return {
        "portal_nat": (
            f'iifname != "{lan}" accept',
            f"fib daddr type local tcp dport 80 {portal}",
            *_portal_tls(config, "fib daddr type local tcp dport 443 redirect to :{}"),
            *(f"{rule} accept" for rule in paid),
            *_garden("daddr"),
            *_captive_names(config),
            f"tcp dport 80 {portal}",
        ),
        "wan_nat": (nat,) if config.masquerade else (),
        "gateway_door": (
            f'iifname != "{lan}" accept',
            "ether saddr @blocked drop",
            *_ANSWERABLE,
            *_PINGS,
            *(f"{rule} {protocol} dport 53 accept" for rule in paid for protocol in _DNS),
            *(
                f"{protocol} dport {port} goto names"
                for port in _ports(config)
                for protocol in _DNS
            ),
            *(_DOORS if config.close_gateway else ()),
            f"tcp dport {config.portal_port} ct state new goto visits",
            *_portal_tls(config, "tcp dport {} ct state new goto visits"),
            *(("tcp dport 443 reject with tcp reset", "drop") if config.close_gateway else ()),
        ),
        "names": (
            f"update @names_asked {{ ether saddr limit rate over {_DNS_LIMIT} }} drop",
            f"limit rate over {_SITE_DNS_LIMIT} drop",
            "accept",
        ),
        "pings": (
            f"update @pinged {{ ether saddr limit rate over {_PINGS_LIMIT} }} drop",
            f"limit rate over {_SITE_PINGS_LIMIT} drop",
            "accept",
        ),
        "visits": (
            f"update @visiting {{ ether saddr limit rate over {_VISITS_LIMIT} }} drop",
            "accept",
        ),
        "passage": (
            f'iifname "{lan}" goto from_lan',
            f'oifname "{lan}" goto to_lan',
        ),
        "from_lan": (
            "ether saddr @blocked drop",
            f'oifname != "{wan}" drop',
            *_garden("daddr"),
            *(f"{rule} goto go_up{family}" for rule, family in zip(paid, "46", strict=True)),
            _ANSWERED_ON_THE_LAN,
            "tcp dport 443 reject with tcp reset",
            "drop",
        ),
        "to_lan": (
            *_garden("saddr"),
            "ip daddr @down4 goto go_down4",
            "ip6 daddr @down6 goto go_down6",
            "drop",
        ),
        **{
            f"go_{way}{family}": _go(way, family) for way in ("up", "down") for family in ("4", "6")
        },
    }


def _captive_names(config: LinuxConfig) -> Iterator[str]:
    """Whomever an unpaid device asks for a name, the gateway's captive resolver answers."""
    if config.captive_dns_port is not None:
        for protocol in _DNS:
            yield f"{protocol} dport 53 redirect to :{config.captive_dns_port}"


def _portal_tls(config: LinuxConfig, rule: str) -> Iterator[str]:
    if config.portal_tls_port is not None:
        yield rule.format(config.portal_tls_port)


def _ports(config: LinuxConfig) -> tuple[int, ...]:
    return (53,) if config.captive_dns_port is None else (53, config.captive_dns_port)


_DNS = ("udp", "tcp")
_DNS_LIMIT = f"{DNS_PER_SECOND}/second burst {DNS_BURST} packets"
_SITE_DNS_LIMIT = f"{SITE_DNS_PER_SECOND}/second burst {SITE_DNS_BURST} packets"
_VISITS_LIMIT = f"{VISITS_PER_SECOND}/second burst {VISITS_BURST} packets"
_PINGS_LIMIT = f"{PINGS_PER_SECOND}/second burst {PINGS_BURST} packets"
_SITE_PINGS_LIMIT = f"{SITE_PINGS_PER_SECOND}/second burst {SITE_PINGS_BURST} packets"
_FINDING = "{ nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report }"
_PINGS = (
    f"icmpv6 type {_FINDING} accept",
    # Before connections are asked about: the second ping of a flow is one of an old connection.
    "meta l4proto icmp goto pings",
    "meta l4proto ipv6-icmp goto pings",
)
# Who asks as somebody on the internet would have the gateway answer there: a free road out. A reset
# is an answer too, wherever the packet was going.
_ANSWERED_ON_THE_LAN = "fib saddr . iif oif missing drop"
_ANSWERABLE = (
    "ip saddr 0.0.0.0 udp dport 67 accept",
    "ip6 saddr :: meta l4proto ipv6-icmp accept",
    _ANSWERED_ON_THE_LAN,
)
_DOORS = (
    "ct state established,related accept",
    "udp dport 67 accept",
    "udp dport 547 accept",
)


def _garden(side: str) -> Iterator[str]:
    for family, protocol in (("4", "ip"), ("6", "ip6")):
        for name in ("garden", "garden_names"):
            yield f"{protocol} {side} @{name}{family} accept"


def _go(way: str, family: str) -> tuple[str, ...]:
    key = f"{'ip' if family == '4' else 'ip6'} {'saddr' if way == 'up' else 'daddr'}"
    return (
        f"quota name {key} map @cap{family} drop",
        f"counter name {key} map @count_{way}{family}",
        f"meta priority set {key} map @class{family}",
        f"meta mark set {key} map @group{family}",
        "accept",
    )


def set_lines() -> Iterator[str]:
    """Declarations of all sets and maps; adding what is there already changes nothing."""
    for family in ("4", "6"):
        key = f"ipv{family}_addr"
        timed = f"flags timeout; size {ADDRESSES_MAX};"
        yield f"add set inet {TABLE} up{family} {{ type {key} . ether_addr; {timed} }}"
        yield f"add set inet {TABLE} down{family} {{ type {key}; {timed} }}"
        yield f"add set inet {TABLE} garden{family} {{ type {key}; flags interval; }}"
        kept = f"flags timeout; timeout {NAMES_KEPT}; size {ADDRESSES_MAX};"
        yield f"add set inet {TABLE} garden_names{family} {{ type {key}; {kept} }}"
        for name, kind in _MAP_KINDS:
            sized = f"type {key} : {kind}; size {ADDRESSES_MAX};"
            yield f"add map inet {TABLE} {name}{family} {{ {sized} }}"
    yield f"add set inet {TABLE} blocked {{ type ether_addr; size {ADDRESSES_MAX}; }}"
    asked = f"type ether_addr; size {ADDRESSES_MAX}; flags dynamic,timeout; timeout 1m;"
    yield f"add set inet {TABLE} names_asked {{ {asked} }}"
    yield f"add set inet {TABLE} pinged {{ {asked} }}"
    yield f"add set inet {TABLE} visiting {{ {asked} }}"


_MAP_KINDS = (
    ("count_up", "counter"),
    ("count_down", "counter"),
    ("class", "classid"),
    ("group", "mark"),
    ("cap", "quota"),
)


def install_text(config: LinuxConfig, strangers: Iterable[str] = ()) -> str:
    """Commands that make the table, or make its rules anew without touching its elements.

    ``strangers`` are chains in our table that are not ours; they go.
    """
    chains = rules(config)
    lines = [f"add table inet {TABLE}", *set_lines()]
    for chain in chains:
        hook = CHAINS.get(chain, "")
        lines.append(f"add chain inet {TABLE} {chain}" + (f" {{ {hook} }}" if hook else ""))
    gone = sorted(_checked_chains(strangers))
    lines += [f"flush chain inet {TABLE} {chain}" for chain in (*chains, *gone)]
    lines += [f"delete chain inet {TABLE} {chain}" for chain in gone]
    lines += [
        f"add rule inet {TABLE} {chain} {rule}" for chain, body in chains.items() for rule in body
    ]
    return "\n".join(lines) + "\n"


def _checked_chains(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]{0,120}", name):
            raise PlaneError(f"chain {name!r} in table {TABLE} has no removable name", retry=False)
        yield name
