"""The site's own network as a value, and what dnsmasq is told of it. PURE.

Nothing that a device can choose reaches a text, and nothing that the controller or an operator can
choose does before it was checked: each name, address and URL has a shape that holds no line break.

There are two resolvers. The *main* one serves addresses to all and names to those who paid. The
*captive* one serves names to all others, who are led to it by the data plane. While the uplink is
cut it answers every name with the gateway, so that a phone's own probe still opens the portal; what
those who paid ask is never answered so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LEASE_S = 3_600
LEASE_S_MIN = 120
"""dnsmasq gives no shorter lease."""

LEASE_S_MAX = 604_800
LEASES_MAX = 16_384
UPSTREAMS_MAX = 8
GARDEN_NAMES_MAX = 500
URI_BYTES_MAX = 255
"""RFC 8910: an option holds no more."""

CAPTIVE_DNS_PORT = 5_300
"""Where the captive resolver listens; the data plane leads those who have not paid there."""

PORTAL_TLS_PORT = 8_443
"""Where the portal speaks TLS; the data plane leads the gateway's port 443 there."""

PORTAL_TTL_S = 60
PASSING_TTL_S = 0
"""What is said only while the uplink is cut, or a change is tried, is to be forgotten at once."""

TRIED_LEASE_S = 120
"""Leases of a range that is only tried: devices come back soon after a change is taken back."""

PREFIX6_BITS = 64
GARDEN_SETS = "4#inet#lango#garden_names4,6#inet#lango#garden_names6"

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,14}")
_URI = re.compile(r"https://[a-z0-9.-]{1,200}(:[0-9]{1,5})?/[A-Za-z0-9._~/-]*")


@dataclass(frozen=True, slots=True)
class Network:
    """How the LAN is numbered, and who answers its names.

    ``host_resolver`` asks the resolvers of the machine instead of ``upstreams``. ``api_url`` is the
    https address of the RFC 8908 API; None says nothing of it. Names in ``garden`` are reached
    before payment; names in ``private`` may be answered with private addresses.
    """

    lan: str
    address: IPv4Interface
    first: IPv4Address
    last: IPv4Address
    portal_host: str
    upstreams: tuple[IPv4Address | IPv6Address, ...] = ()
    host_resolver: bool = False
    address6: IPv6Interface | None = None
    lease_s: int = LEASE_S
    api_url: str | None = None
    garden: tuple[str, ...] = ()
    private: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """What dnsmasq is to serve now: a network, and the one it takes over from while it is tried.

    ``link_up`` is whether the upstreams answer. ``by_name`` is whether this dnsmasq can put the
    addresses of garden names into the data plane's sets.
    """

    network: Network
    before: Network | None = None
    link_up: bool = True
    by_name: bool = True


def faults(network: Network) -> Iterator[tuple[str, str]]:
    """Every field that cannot be, as the key of the configuration and a sentence."""
    if not _INTERFACE.fullmatch(network.lan):
        yield "lan.interface", f"{network.lan!r} is no interface name"
    if not is_name(network.portal_host):
        yield "portal.host", f"{network.portal_host!r} is no host name in lower case"
    yield from _address_faults(network)
    yield from _range_faults(network)
    if not LEASE_S_MIN <= network.lease_s <= LEASE_S_MAX:
        yield "network.lease_s", f"want {LEASE_S_MIN} to {LEASE_S_MAX}, got {network.lease_s}"
    if network.host_resolver and network.upstreams:
        yield "network.upstreams", "host_resolver is true already; want one of the two"
    if not network.host_resolver and not 1 <= len(network.upstreams) <= UPSTREAMS_MAX:
        yield "network.upstreams", f"want 1 to {UPSTREAMS_MAX} addresses of name servers"
    if network.api_url is not None and (fault := _uri_fault(network.api_url)) is not None:
        yield "portal.host", fault
    for name in network.private:
        if not is_name(name):
            yield "network.private_names", f"{name!r} is no host name in lower case"


def _address_faults(network: Network) -> Iterator[tuple[str, str]]:
    address, subnet = network.address, network.address.network
    if not 8 <= subnet.prefixlen <= 30:  # noqa: PLR2004 - room for a gateway and a device
        yield "network.address", f"{address}: want a prefix of /8 to /30"
    elif address.ip in {subnet.network_address, subnet.broadcast_address}:
        yield "network.address", f"{address.ip} is not one device's address in {subnet}"
    if address.is_multicast or address.is_loopback or address.is_unspecified:
        yield "network.address", f"{address} cannot be a gateway's"
    if network.address6 is not None and network.address6.network.prefixlen != PREFIX6_BITS:
        yield "network.address6", f"{network.address6}: want a prefix of /{PREFIX6_BITS}"


def _range_faults(network: Network) -> Iterator[tuple[str, str]]:
    subnet, first, last = network.address.network, network.first, network.last
    shown = f"{first}-{last}"
    if first not in subnet or last not in subnet:
        yield "network.range", f"{shown} is not all in {subnet}"
    elif first > last:
        yield "network.range", f"{shown} ends before it begins"
    elif first == subnet.network_address or last == subnet.broadcast_address:
        yield "network.range", f"{shown} has an address in it that no device can have"
    elif first <= network.address.ip <= last:
        yield "network.range", f"{shown} has the gateway's own address {network.address.ip} in it"
    elif int(last) - int(first) >= LEASES_MAX:
        yield "network.range", f"{shown}: want at most {LEASES_MAX} addresses"


def _uri_fault(uri: str) -> str | None:
    if not uri.startswith("https://"):
        # RFC 8908 wants https, and a phone that is told otherwise may show no portal at all.
        return f"{uri!r}: want an https address, or none: phones take any other for a dead end"
    if not _URI.fullmatch(uri) or len(uri) > URI_BYTES_MAX:
        return f"{uri!r}: want https, a host name and a path, {URI_BYTES_MAX} bytes at most"
    if not is_name(urlsplit(uri).hostname or "") or _is_address(urlsplit(uri).hostname or ""):
        return f"{uri!r}: want a host name that the certificate is for"
    return None


def is_name(text: str) -> bool:
    """Whether this is a host name in ASCII and lower case, and nothing else."""
    return _NAME.fullmatch(text) is not None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def garden_names(told: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names that can be used, sorted and once each, and those that cannot."""
    usable, refused = set[str](), list[str]()
    for name in told:
        plain = name.strip().rstrip(".").lower()
        if is_name(plain) and not _is_address(plain):
            usable.add(plain)
        else:
            refused.append(name)
    kept = sorted(usable)
    return tuple(kept[:GARDEN_NAMES_MAX]), (*refused, *kept[GARDEN_NAMES_MAX:])


def dnsmasq_text(network: Network) -> str:
    """The main resolver's configuration in ordinary times."""
    return main_text(Served(network))


def main_text(served: Served) -> str:
    """Addresses for all, names for those who paid."""
    network = served.network
    lines = [
        *_head(network),
        *_forwarding(network),
        *_own_names(network),
        f"local-ttl={PORTAL_TTL_S if served.before is None else PASSING_TTL_S}",
        *(_garden(network) if served.by_name else ()),
        "# Addresses. What a device calls itself is neither kept nor answered to anybody.",
        "dhcp-authoritative",
        "dhcp-ignore-names",
        "no-ping",
        "quiet-dhcp",
        *_addresses(network, served.before),
    ]
    if network.api_url is not None:
        lines += ["# RFC 8910.", f"dhcp-option-force=114,{network.api_url}"]
    if network.address6 is not None:
        lines += _ipv6(network, network.address6)
    return "\n".join(lines) + "\n"


def captive_text(served: Served) -> str:
    """Names for those who have not paid; while the uplink is cut, the gateway whatever they ask."""
    network = served.network
    lines = [*_head(network), f"port={CAPTIVE_DNS_PORT}"]
    if served.link_up:
        lines += [
            *_forwarding(network),
            *_own_names(network),
            f"local-ttl={PORTAL_TTL_S if served.before is None else PASSING_TTL_S}",
            *(_garden(network) if served.by_name else ()),
        ]
    else:
        lines += [
            "# The uplink is cut.",
            "no-resolv",
            "local=/#/",
            *_answers("#", network),
            f"local-ttl={PASSING_TTL_S}",
        ]
    return "\n".join(lines) + "\n"


def digest(text: str) -> str:
    """What tells one configuration from another, short enough for a file's name."""
    return sha256(text.encode()).hexdigest()[:16]


def features(version_text: str) -> frozenset[str]:
    """What a dnsmasq was built with, from the answer to ``--version``."""
    for line in version_text.splitlines():
        label, colon, words = line.partition(":")
        if colon and label.strip().lower() == "compile time options":
            return frozenset(word.lower() for word in words.split())
    return frozenset()


def readdressed(
    network: Network, *, address: IPv4Interface, first: IPv4Address, last: IPv4Address
) -> Network:
    """The same network with other numbers."""
    return replace(network, address=address, first=first, last=last)


def _head(network: Network) -> Iterator[str]:
    yield "# Written by lango-agent; what is changed here is lost."
    yield f"interface={network.lan}"
    yield "except-interface=lo"
    yield "bind-dynamic"
    yield "no-hosts"


def _forwarding(network: Network) -> Iterator[str]:
    yield "domain-needed"
    yield "bogus-priv"
    yield "stop-dns-rebind"
    yield from (f"rebind-domain-ok=/{name}/" for name in network.private)
    if not network.host_resolver:
        yield "no-resolv"
        yield from (f"server={upstream}" for upstream in network.upstreams)


def _own_names(network: Network) -> Iterator[str]:
    """The portal's name, and the API's: both are the gateway."""
    names = [network.portal_host]
    if network.api_url is not None:
        names.append(urlsplit(network.api_url).hostname or "")
    for name in dict.fromkeys(names):
        yield f"local=/{name}/"
        yield from _answers(name, network)


def _answers(name: str, network: Network) -> Iterator[str]:
    yield f"address=/{name}/{network.address.ip}"
    if network.address6 is not None:
        yield f"address=/{name}/{network.address6.ip}"


def _garden(network: Network) -> Iterator[str]:
    """One line a name: a line holds a thousand bytes, and a name in two lines fills one set."""
    for name in network.garden:
        yield f"nftset=/{name}/{GARDEN_SETS}"


def _addresses(network: Network, before: Network | None) -> Iterator[str]:
    """The range, and while it is tried also the one before: no device loses its address to a try.

    Ranges that meet are served as one.
    """
    if before is None:
        yield from _leases(network, network.lease_s, "lan")
        yield f"dhcp-lease-max={_size(network)}"
        return
    if network.first <= before.last and before.first <= network.last:
        first, last = min(network.first, before.first), max(network.last, before.last)
        both = replace(network, first=first, last=last)
        yield from _leases(both, TRIED_LEASE_S, "lan")
        yield f"dhcp-lease-max={_size(both)}"
        return
    yield from _leases(network, TRIED_LEASE_S, "lan")
    yield "# Until the change is confirmed."
    yield from _leases(before, before.lease_s, "before")
    yield f"dhcp-lease-max={_size(network) + _size(before)}"


def _leases(network: Network, lease_s: int, tag: str) -> Iterator[str]:
    address = network.address
    yield f"dhcp-range=set:{tag},{network.first},{network.last},{address.netmask},{lease_s}"
    yield f"dhcp-option=tag:{tag},option:router,{address.ip}"
    yield f"dhcp-option=tag:{tag},option:dns-server,{address.ip}"


def _ipv6(network: Network, address6: IPv6Interface) -> Iterator[str]:
    """Router advertisements with our resolver in them; the API's address by DHCPv6 (option 103)."""
    prefix = address6.network.network_address
    yield "# IPv6."
    yield "enable-ra"
    yield "quiet-ra"
    yield "quiet-dhcp6"
    yield f"dhcp-range={prefix},ra-stateless,{PREFIX6_BITS},{network.lease_s}"
    yield f"dhcp-option=option6:dns-server,[{address6.ip}]"
    if network.api_url is not None:
        yield f"dhcp-option=option6:103,{network.api_url}"


def _size(network: Network) -> int:
    return int(network.last) - int(network.first) + 1
