"""``dns``: what the site's resolver and those upstream say of a name, and whether that can be."""

from __future__ import annotations

import contextlib
import secrets
import socket
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from scapy.layers.dns import DNS, DNSQR, DNSRR

from agent.probes.asked import NAME_USUAL, ProbeRefused
from agent.probes.child.sending import exchange, now_ms
from agent.probes.truth import Said, odd

if TYPE_CHECKING:
    from agent.probes.asked import Place, Wish
    from agent.probes.child.sending import Budget

PORT = 53
PER_S = 20
LISTEN_MS = 2_000
TRIES = 2
RECORDS_MAX = 16
CODES = {0: "no address", 2: "server failure", 3: "no such name", 5: "refused"}
_TYPE_A = 1


class Conversation:
    """One resolver, and what it said to each question."""

    def __init__(self, server: IPv4Address | IPv6Address, whose: str, place: Place) -> None:
        self.server, self.whose = server, whose
        self.asked: dict[int, tuple[str, int]] = {}
        self.codes: dict[str, str] = {}
        self.answers: dict[str, set[tuple[IPv4Address, ...]]] = {}
        self.ms: dict[str, int] = {}
        family = socket.AF_INET if isinstance(server, IPv4Address) else socket.AF_INET6
        self.end = socket.socket(family, socket.SOCK_DGRAM)
        interface = _interface(server, whose, place)
        if interface is not None:
            self.end.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0"
            )

    def ask(self, name: str) -> None:
        """Send a question; what cannot be sent gets no answer."""
        number = secrets.randbelow(1 << 16)
        self.asked[number] = (name, now_ms())
        question = DNS(id=number, rd=1, qd=[DNSQR(qname=name, qtype="A")])
        with contextlib.suppress(OSError):
            self.end.connect((str(self.server), PORT))
            self.end.send(bytes(question))

    def take(self, message: bytes, at: int) -> None:
        """Note an answer to one of the questions; anything else is nothing."""
        said = DNS(message)
        known = self.asked.get(said.id)
        if known is None or not said.qr or not said.qd:
            return
        name, sent_at = known
        if bytes(said.qd[0].qname).decode("ascii", "replace").rstrip(".").lower() != name:
            return
        self.codes.setdefault(name, CODES.get(said.rcode, f"code {said.rcode}"))
        self.ms.setdefault(name, at - sent_at)
        self.answers.setdefault(name, set()).add(_addresses(said))

    def first(self, name: str) -> tuple[IPv4Address, ...]:
        """The addresses that it gave, all in order."""
        return tuple(sorted({one for said in self.answers.get(name, ()) for one in said}))


def seen(wish: Wish, place: Place, budget: Budget) -> dict[str, Any]:
    """Ask every resolver for the name, and for one that cannot exist."""
    name = wish.target or NAME_USUAL
    nowhere = f"{secrets.token_hex(10)}.com"
    talks = _talks(place)
    if not talks:
        raise ProbeRefused("upstreams: there is no resolver to ask")
    _asked(talks, (name, nowhere), budget)
    all_said = [
        Said(
            server=str(one.server),
            code=one.codes.get(name),
            answers=one.first(name),
            invented=one.first(nowhere),
            twice=len(one.answers.get(name, ())) > 1,
        )
        for one in talks
    ]
    servers = [
        {
            "server": str(one.server),
            "whose": one.whose,
            "code": one.codes.get(name, ""),
            "answers": [str(address) for address in one.first(name)[:RECORDS_MAX]],
            "ms": one.ms.get(name),
        }
        for one in talks
    ]
    found = odd(name, all_said, private=place.wiring.private)
    return {"odd": found, "name": name, "servers": servers}


def resolved(name: str, place: Place, budget: Budget) -> IPv4Address:
    """The address of a name, as the resolvers upstream say. Raises `ProbeRefused`."""
    talks = [one for one in _talks(place) if one.whose == "upstream"]
    _asked(talks, (name,), budget)
    for one in talks:
        if addresses := one.first(name):
            return addresses[0]
    raise ProbeRefused(f"target: no resolver upstream has an IPv4 address for {name}")


def _talks(place: Place) -> list[Conversation]:
    here = [] if place.lan is None else [Conversation(place.lan.ip, "site", place)]
    return here + [Conversation(one, "upstream", place) for one in place.wiring.upstreams]


def _asked(talks: list[Conversation], names: tuple[str, ...], budget: Budget) -> None:
    by_end = {one.end: one for one in talks}

    def heard(end: socket.socket, message: bytes, at: int) -> bool:
        by_end[end].take(message, at)
        return False  # a second answer may come: it is listened for to the end

    for _ in range(TRIES):
        sends = [partial(one.ask, name) for one in talks for name in names if name not in one.codes]
        if sends:
            ends = [one.end for one in talks]
            exchange(sends, ends, heard, budget=budget, per_s=PER_S, listen_ms=LISTEN_MS)


def _addresses(said: Any) -> tuple[IPv4Address, ...]:
    found = []
    for record in (said.an or ())[:RECORDS_MAX]:
        if isinstance(record, DNSRR) and record.type == _TYPE_A:
            with contextlib.suppress(ValueError):
                found.append(IPv4Address(str(record.rdata)))
    return tuple(sorted(found))


def _interface(server: IPv4Address | IPv6Address, whose: str, place: Place) -> str | None:
    """By which interface a resolver is asked; None where the question stays in this machine."""
    if whose == "site" or server.is_loopback:
        return None
    if place.lan is not None and server in place.lan.network:
        return place.wiring.lan
    return place.wiring.wan
