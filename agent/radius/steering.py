"""Telling a NAS of a session that changes or ends (RFC 5176), and what it answered. PURE.

A NAS finds the session by name, address and Acct-Session-Id together: some find none by less.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pyrad.packet import (
    CoAACK,
    CoANAK,
    CoAPacket,
    CoARequest,
    DisconnectACK,
    DisconnectNAK,
    DisconnectRequest,
    PacketError,
)

from agent.radius import rates, words
from agent.radius.packets import KEY_LETTERS, attributes

if TYPE_CHECKING:
    from agent.model import Dial
    from agent.radius.proofs import Words
    from agent.radius.settings import Nas
    from agent.radius.verdict import Welcome
    from billing.plan import Limits
    from shaping.plane import Rate


class Said(StrEnum):
    """What a NAS answered, or did not."""

    DONE = "done"
    UNKNOWN = "unknown"  # it knows no such session
    REFUSED = "refused"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Order:
    """One request to a NAS, as it was sent."""

    packet: CoAPacket
    raw: bytes


def wanted(nas: Nas, rate: Rate, limits: Limits) -> str:
    """What a NAS is to hold a session to, in words that stay the same while nothing changes."""
    said = rates.spoken(nas.kind, rate)
    until = ("until", f"{limits.validity_s}/{limits.uptime_s}")
    return "; ".join(f"{name}={value}" for name, value in (*said, until))


def change(nas: Nas, dial: Dial, welcome: Welcome, *, number: int) -> Order:
    """Give a session its speed, and the time that it has left from now."""
    said: Words = rates.spoken(nas.kind, welcome.rate)
    if welcome.left.seconds is not None:
        said = (*said, ("Session-Timeout", min(2**31 - 1, max(1, welcome.left.seconds))))
    return _order(nas, CoARequest, (*_named(dial), *said), number)


def end(nas: Nas, dial: Dial, *, number: int) -> Order:
    """End a session."""
    return _order(nas, DisconnectRequest, _named(dial), number)


def answered(order: Order, raw: bytes) -> Said | None:
    """What a NAS says to an order; None when it is not its answer, whoever sent it."""
    if attributes(raw) is None or raw[1] != order.raw[1]:
        return None
    if raw[0] not in _ANSWERS[order.raw[0]]:
        return None
    try:
        reply = order.packet.CreateReply(packet=raw)
        if not order.packet.VerifyReply(reply, raw):
            return None
    except (PacketError, ValueError, KeyError, IndexError):
        return None
    if raw[0] in {CoAACK, DisconnectACK}:
        return Said.DONE
    causes = reply.get(words.ERROR_CAUSE) or [b""]
    unknown = int.from_bytes(causes[0]) == words.SESSION_UNKNOWN
    return Said.UNKNOWN if unknown else Said.REFUSED


_ANSWERS = {
    CoARequest: (CoAACK, CoANAK),
    DisconnectRequest: (DisconnectACK, DisconnectNAK),
}


def _named(dial: Dial) -> Words:
    address: Words = (("Framed-IP-Address", dial.address),) if dial.address else ()
    key = dial.key.encode(KEY_LETTERS)
    name: Words = (("User-Name", dial.login),) if dial.login else ()
    return (*name, ("Acct-Session-Id", key), *address)


def _order(nas: Nas, code: int, said: Words, number: int) -> Order:
    packet = CoAPacket(code=code, id=number, secret=nas.secret, dict=words.dictionary())
    for name, value in said:
        packet.AddAttribute(name, value)
    return Order(packet, packet.RequestPacket())
