"""Which addresses we may be sent to by what somebody typed: those of the public internet. PURE.

Whoever can make this machine send a request can otherwise reach what only this machine can: itself,
its neighbours, the metadata of its cloud. So every address of a host must be public, or in a
network that the operator allowed; and the address that was looked at is the one connected to.

Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates); RFC 6052
(NAT64), RFC 3056 (6to4) and RFC 4380 (Teredo) for addresses that hold another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Network, IPv6Network

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

URL_MAX = 500
PORTS = range(1, 65_536)
NOT_PUBLIC = tuple(
    ip_network(one)
    for one in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
PUBLIC_6 = ip_network("2000::/3")
"""All that IANA gives out to the internet; everything else is local, mapped or reserved."""

NOT_PUBLIC_6 = tuple(
    ip_network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
NAT64 = ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a webhook's address leads: the parts of its URL."""

    scheme: str
    host: str
    port: int
    path: str


class AddressRefused(Exception):  # noqa: N818 - a refusal, see style
    """We do not go there. ``why`` is a code."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def place_of(url: str) -> Place:
    """The parts of a URL. Raises `AddressRefused` for one that is none of ours to call."""
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise AddressRefused("url_unreadable")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("url_unreadable") from error
    if parts.scheme not in {"https", "http"} or not parts.hostname or "\\" in url:
        raise AddressRefused("url_unreadable")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressRefused("url_unreadable")
    port = (443 if parts.scheme == "https" else 80) if port is None else port
    if port not in PORTS:
        raise AddressRefused("url_unreadable")
    path = parts.path or "/"
    return Place(
        parts.scheme, parts.hostname, port, f"{path}?{parts.query}" if parts.query else path
    )


def checked(
    place: Place, addresses: Iterable[str], *, allowed: Sequence[Network] = ()
) -> list[Address]:
    """The addresses of a host, every one of which we may go to.

    Raises `AddressRefused`: where one may not, or the way there is not private.
    """
    found = [_plain(one) for one in addresses]
    if not found:
        raise AddressRefused("no_address")
    for one in found:
        is_ours = any(one in network for network in allowed if network.version == one.version)
        if not is_ours and not is_public(one):
            raise AddressRefused("address_not_public")
        if not is_ours and place.scheme != "https":
            raise AddressRefused("not_https")
    return found


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet at large."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in NOT_PUBLIC)
    if address in NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in PUBLIC_6 and not any(address in network for network in NOT_PUBLIC_6)


def _plain(text: str) -> Address:
    """An address without a zone; IPv4 within IPv6 as what it is."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError as error:
        raise AddressRefused("no_address") from error
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return found if mapped is None else mapped
