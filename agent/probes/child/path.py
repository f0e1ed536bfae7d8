"""``trace`` and ``mtu``: the way out of the WAN to a target, and how large a packet it takes."""

from __future__ import annotations

import os
import secrets
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from scapy.layers.inet import ICMP, IP, UDP, IPerror
from scapy.packet import Raw

from agent.probes import asked
from agent.probes.asked import ProbeRefused
from agent.probes.child import machine, names
from agent.probes.child.sending import exchange, now_ms, raw_end

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from agent.probes.asked import Place, Wish
    from agent.probes.child.sending import Budget

HOPS_MAX = 24
PER_S = 50
LISTEN_MS = 1_500
UDP_PORT = 33_434
MTU_MIN, MTU_MAX = 576, 9_000
SMALL = 64
"""What passes anywhere."""

MTU_TRIES = 2
MTU_LISTEN_MS = 700
HEADERS_BYTES = 28
"""IPv4 and ICMP."""

_ECHO_REPLY, _UNREACHABLE, _TIME_EXCEEDED = 0, 3, 11
_TOO_LARGE = 4


class Walk:
    """Packets on their way, each known by the number in its IP header."""

    def __init__(self, place: Place, target: IPv4Address, end: socket.socket) -> None:
        assert place.wan is not None, "a target was found to be behind the WAN"
        self._from, self._to = str(place.wan.ip), str(target)
        self._end = end
        self._id = os.getpid() & 0xFFFF
        self._next = secrets.randbelow(20_000) + 1
        self.sent: dict[int, tuple[int, int]] = {}

    def echo(self, mark: int, *, ttl: int = 64, size: int = 64, whole: bool = False) -> None:
        """Send an echo request of ``size`` bytes; ``mark`` comes back with its answer."""
        number = self._number(mark)
        head = self._head(number, ttl, whole=whole)
        load = Raw(bytes(size - HEADERS_BYTES))
        self._send(head / ICMP(type=8, id=self._id, seq=number) / load)

    def datagram(self, mark: int, *, ttl: int) -> None:
        """Send a UDP packet to a port where nobody listens."""
        number = self._number(mark)
        ports = UDP(sport=40_000 + number % 20_000, dport=UDP_PORT + ttl)
        self._send(self._head(number, ttl) / ports / Raw(bytes(12)))

    def answered(self, message: bytes) -> tuple[int, int, Any] | None:
        """Which mark an ICMP message answers, when it was sent, and the message itself."""
        packet = IP(message)
        icmp = packet.getlayer(ICMP)
        if icmp is None:
            return None
        if icmp.type == _ECHO_REPLY and icmp.id == self._id and packet.src == self._to:
            known = self.sent.get(icmp.seq)
        else:
            quoted = packet.getlayer(IPerror)
            if quoted is None or quoted.dst != self._to:
                return None
            known = self.sent.get(quoted.id)
        return None if known is None else (*known, packet)

    def _number(self, mark: int) -> int:
        self._next += 1
        self.sent[self._next] = (mark, now_ms())
        return self._next

    def _head(self, number: int, ttl: int, *, whole: bool = False) -> Any:
        return IP(src=self._from, dst=self._to, id=number, ttl=ttl, flags="DF" if whole else 0)

    def _send(self, packet: Any) -> None:
        self._end.sendto(bytes(packet), (self._to, 0))


def traced(wish: Wish, place: Place, budget: Budget) -> dict[str, Any]:
    """Ask with a growing time to live who passes the packet on; three rounds, of two kinds."""
    target = _target(wish, place, budget)
    hops: dict[int, tuple[str, int]] = {}
    last = HOPS_MAX

    with (
        raw_end(place.wiring.wan, socket.IPPROTO_RAW) as end,
        raw_end(place.wiring.wan, socket.IPPROTO_ICMP) as ear,
    ):
        walk = Walk(place, target, end)

        def heard(_: socket.socket, message: bytes, at: int) -> bool:
            nonlocal last
            known = walk.answered(message)
            if known is None:
                return False
            ttl, sent_at, packet = known
            if packet[ICMP].type != _TIME_EXCEEDED:
                last = min(last, ttl)
            hops.setdefault(ttl, (str(packet.src), at - sent_at))
            return all(one in hops for one in range(1, last + 1)) and last < HOPS_MAX

        for send in (walk.echo, walk.datagram, walk.echo):
            silent = [ttl for ttl in range(1, last + 1) if ttl not in hops]
            sends = [partial(send, ttl, ttl=ttl) for ttl in silent]
            exchange(sends, [ear], heard, budget=budget, per_s=PER_S, listen_ms=LISTEN_MS)
    reached = last in hops and hops[last][0] == str(target)
    heard_until = last if reached else max(hops, default=0)
    told = [
        {"ttl": ttl, "address": hops[ttl][0], "ms": hops[ttl][1]}
        if ttl in hops
        else {"ttl": ttl, "address": None, "ms": None}
        for ttl in range(1, heard_until + 1)
    ]
    odd = [] if reached else [f"{target} does not answer; the way is known up to {_end_of(told)}"]
    return {"odd": odd, "address": str(target), "reached": reached, "hops": told}


class Sizes:
    """Packets that must arrive whole, of one size after the other.

    ``teller`` is who said that one was too large, and ``hint`` the size that it named.
    """

    def __init__(self, walk: Walk, ear: socket.socket, budget: Budget) -> None:
        self._walk, self._ear, self._budget = walk, ear, budget
        self._size, self._arrived = 0, False
        self.teller, self.hint = "", 0

    def passes(self, size: int) -> bool:
        """Whether a packet of this size arrives; silence, twice, means that it does not."""
        self._size, self._arrived = size, False
        for _ in range(MTU_TRIES):
            told_by, self.teller = self.teller, ""
            send = partial(self._walk.echo, size, size=size, whole=True)
            exchange(
                [send],
                [self._ear],
                self._heard,
                budget=self._budget,
                per_s=PER_S,
                listen_ms=MTU_LISTEN_MS,
            )
            is_told, self.teller = bool(self.teller), self.teller or told_by
            if self._arrived or is_told:
                break
        return self._arrived

    def largest(self, low: int, high: int) -> int:
        """The largest size that passes, where ``low`` does and ``high`` does not."""
        while high - low > 1:
            middle = self.hint if low < self.hint < high else (low + high) // 2
            if self.passes(middle):
                low = middle
            else:
                high = middle
        return low

    def _heard(self, _: socket.socket, message: bytes, _at: int) -> bool:
        known = self._walk.answered(message)
        if known is None or known[0] != self._size:
            return False
        packet = known[2]
        icmp = packet[ICMP]
        if (icmp.type, icmp.code) == (_UNREACHABLE, _TOO_LARGE):
            self.teller, self.hint = str(packet.src), int(icmp.nexthopmtu or 0)
            return True
        self._arrived = icmp.type == _ECHO_REPLY
        return self._arrived


def measured(wish: Wish, place: Place, budget: Budget) -> dict[str, Any]:
    """Find, by halves, the largest packet that arrives whole."""
    target = _target(wish, place, budget)
    wan = place.wiring.wan
    top = min(machine.mtu(wan), MTU_MAX)
    with raw_end(wan, socket.IPPROTO_RAW) as end, raw_end(wan, socket.IPPROTO_ICMP) as ear:
        sizes = Sizes(Walk(place, target, end), ear, budget)
        if not sizes.passes(SMALL):
            raise ProbeRefused(f"target: {target} answers no echo request; choose another")
        if sizes.passes(top):
            mtu = top
        elif sizes.passes(MTU_MIN):
            mtu = sizes.largest(MTU_MIN, top)
        else:
            mtu = sizes.largest(SMALL, MTU_MIN)
    odd = [] if mtu == top else [f"the way to {target} takes {mtu} bytes, and {wan} {top}"]
    if odd and not sizes.teller:
        odd.append("larger packets vanish, and nobody says so: pages will hang")
    return {"odd": odd, "address": str(target), "mtu": mtu, "told_by": sizes.teller}


def _target(wish: Wish, place: Place, budget: Budget) -> IPv4Address:
    """The target as an address: a name is resolved once, and held to the same rules."""
    if not wish.target:
        return asked.default_target(place)
    address = asked.as_address(wish.target)
    if address is None:
        address = names.resolved(wish.target, place, budget)
    return asked.destination(address, place)


def _end_of(hops: list[dict[str, Any]]) -> str:
    known = [one["address"] for one in hops if one["address"]]
    return known[-1] if known else "nowhere"
