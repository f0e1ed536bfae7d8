"""Those who dial in to a router by PPPoE: its own secrets for them, and who is in. PURE.

A secret has one address, and only one who dials in by it at a time. What passes there is decided
as for any other address: rules lead the lines' network to our chains, the list of open addresses
has the router's own timeout, and a queue of ours shapes and counts. So the profile has no speed and
no time: what it makes when somebody dials in can be neither changed nor read once they are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shaping.lines import key_of, own_end
from shaping.plane import Caller, LineSeen, MacAddress
from shaping.routeros.rows import DOWN, FILTER, FREE, GARDEN, MANGLE, MARK, UP, Place, Row
from shaping.routeros.texts import span_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from ipaddress import IPv4Address, IPv4Network

    from shaping.plane import Counter, Line, SessionKey

PROFILES = "/ppp/profile"
SECRETS = "/ppp/secret"
ACTIVE = "/ppp/active"
PROFILE = "lango-pppoe"
PASSWORD = "password"  # noqa: S105 - a word of RouterOS
SERVICE = "pppoe"
IPV6 = "use-ipv6"


def profile_mark() -> str:
    """The comment of our profile."""
    return f"{MARK}profile {SERVICE}"


def line_rows(
    lines: Mapping[str, tuple[Line, IPv4Address]], network: IPv4Network | None, *, ipv6: bool
) -> Iterator[Row]:
    """A secret for each line, what they have in common, and what leads their packets to us.

    ``ipv6``: profiles of this router say something of it; version 6 without its package does not.
    """
    if network is None:
        return
    for way, where, place, target in (
        ("up", "src-address", "dst-address-list", UP),
        ("down", "dst-address", "src-address-list", DOWN),
    ):
        there = {"chain": "forward", where: str(network)}
        words = {**there, "action": "jump", "jump-target": target}
        for menu, told in ((MANGLE, {**there, place: GARDEN, **FREE}), (FILTER, words)):
            yield Row(menu, f"{MARK}rule {way} lines", told, place=Place.FIRST)
    common = {"name": PROFILE, "local-address": str(own_end(network)), "only-one": "yes"}
    no_ipv6 = {IPV6: "no"} if ipv6 else {}
    yield Row(PROFILES, profile_mark(), {**common, **no_ipv6, "rate-limit": ""})
    for name, (line, address) in lines.items():
        words = {
            "name": name,
            "service": SERVICE,
            PASSWORD: line.secret,
            "profile": PROFILE,
            "remote-address": str(address),
            "disabled": "true" if line.rate is None else "false",
        }
        yield Row(SECRETS, secret_mark(name), words)


def secret_mark(name: str) -> str:
    """The comment of a line's secret."""
    return f"{MARK}secret {name}"


def seen(
    addresses: Mapping[str, str],
    active: Iterable[Mapping[str, str]],
    counters: Mapping[SessionKey, Counter],
) -> dict[str, LineSeen]:
    """How each line stands that is counted; who is in at another address is no caller of it."""
    callers = {
        name: _caller(row)
        for row in active
        if (name := row.get("name", "")) and row.get("address") == addresses.get(name)
    }
    found = {}
    for name in addresses:
        counter = counters.get(key_of(name))
        if counter is not None:
            found[name] = LineSeen(counter, callers.get(name))
    return found


def _caller(row: Mapping[str, str]) -> Caller:
    return Caller(
        key=row.get("session-id") or row.get(".id", ""),
        mac=MacAddress(row.get("caller-id", "").lower()),
        address=row.get("address", ""),
        seconds=(span_ms(row.get("uptime", "")) or 0) // 1_000,
    )
