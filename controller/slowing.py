"""How long somebody waits who signs in wrongly again and again. PURE.

Nobody is ever locked out: a wait grows, is never longer than `WAIT_MAX`, and is forgotten. What is
counted is a pair of account and address, and an address by itself; of a browser that has signed in
to the account before, that browser alone. So whoever guesses at the owner's password from
elsewhere, or from the same office, makes themselves wait, and not the owner.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

FREE_OF_ACCOUNT = 5
FREE_OF_ADDRESS = 20
"""So many failures cost nothing: of one account from one address; of all that come from one."""

WAIT_MAX = timedelta(minutes=5)
FORGOTTEN_AFTER = timedelta(hours=1)

V4_PLACE_BITS, V6_PLACE_BITS, V6_HOST_BITS = 16, 32, 64
"""A place is what a provider tells apart at best without a map of addresses; a host is what one
customer is given."""


def wait(failures: int, last_at: datetime, now: datetime, *, free: int) -> timedelta:
    """How long until the next try: 1 s after the free ones, then twice as long each time."""
    over = failures - free
    if over < 0 or now - last_at >= FORGOTTEN_AFTER:
        return timedelta()
    whole = min(timedelta(seconds=1 << min(over, 16)), WAIT_MAX)
    return max(timedelta(), last_at + whole - now)


def counted(failures: int, last_at: datetime, now: datetime) -> int:
    """Failures with one more; after `FORGOTTEN_AFTER` it is the first again."""
    return 1 if now - last_at >= FORGOTTEN_AFTER else failures + 1


def host_of(address: str) -> str:
    """What one customer of a provider has: an IPv4 address, or a network of 64 bits."""
    return _prefix(address, 32, V6_HOST_BITS)


def place_of(address: str) -> str:
    """The network that an address is of, for "somewhere new": 16 bits of IPv4, 32 of IPv6.

    No list of countries is looked at: a new network stands for a new place.
    """
    return _prefix(address, V4_PLACE_BITS, V6_PLACE_BITS)


def _prefix(address: str, v4_bits: int, v6_bits: int) -> str:
    try:
        found: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    bits = v4_bits if isinstance(found, IPv4Address) else v6_bits
    return str(ip_network(f"{found}/{bits}", strict=False))
