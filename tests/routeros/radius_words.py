"""RADIUS packets as RFC 2865, 2866, 2869 and 5176 draw them, for a router that asks. PURE.

Written from the RFCs alone: the site's server is tried with it, so nothing of it is used here.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass, field
from hashlib import md5
from typing import TypeAlias

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT = 1, 2, 3
ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 4, 5
DISCONNECT_REQUEST, DISCONNECT_ACK, DISCONNECT_NAK = 40, 41, 42
COA_REQUEST, COA_ACK, COA_NAK = 43, 44, 45

USER_NAME, USER_PASSWORD, CHAP_PASSWORD, NAS_IP_ADDRESS, NAS_PORT = 1, 2, 3, 4, 5
SERVICE_TYPE, FRAMED_PROTOCOL, FRAMED_IP_ADDRESS, CLASS = 6, 7, 8, 25
SESSION_TIMEOUT, CALLED_STATION_ID, CALLING_STATION_ID, NAS_IDENTIFIER = 27, 30, 31, 32
ACCT_STATUS_TYPE, ACCT_DELAY_TIME, ACCT_INPUT_OCTETS, ACCT_OUTPUT_OCTETS = 40, 41, 42, 43
ACCT_SESSION_ID, ACCT_SESSION_TIME, ACCT_INPUT_PACKETS, ACCT_OUTPUT_PACKETS = 44, 46, 47, 48
ACCT_TERMINATE_CAUSE, ACCT_INPUT_GIGAWORDS, ACCT_OUTPUT_GIGAWORDS = 49, 52, 53
EVENT_TIMESTAMP, CHAP_CHALLENGE, NAS_PORT_TYPE, MESSAGE_AUTHENTICATOR = 55, 60, 61, 80
ACCT_INTERIM_INTERVAL, NAS_PORT_ID, FRAMED_POOL, ERROR_CAUSE = 85, 87, 88, 101
MIKROTIK = 14988
MIKROTIK_RATE_LIMIT, MIKROTIK_ADDRESS_LIST = 8, 19

FRAMED, PPP, ETHERNET = 2, 1, 15
START, STOP, INTERIM = 1, 2, 3
NO_SESSION, UNSUPPORTED_ATTRIBUTE = 503, 401
_VENDOR, _HEAD, _ALL = 26, 20, 65_535

Attribute: TypeAlias = tuple[int, bytes]


class BadPacket(Exception):  # noqa: N818 - a sentence
    """Bytes that are no packet, or are not signed by who knows the secret."""


@dataclass(slots=True)
class Packet:
    """One packet: what kind, its number, its authenticator, and its attributes in order."""

    code: int
    number: int
    authenticator: bytes = bytes(16)
    attributes: list[Attribute] = field(default_factory=list)

    def add(self, kind: int, value: bytes | str | int) -> None:
        """Append an attribute; numbers have four bytes."""
        if isinstance(value, int):
            value = struct.pack("!I", value)
        self.attributes.append((kind, value.encode() if isinstance(value, str) else value))

    def first(self, kind: int) -> bytes | None:
        """The first attribute of a kind."""
        return next((value for one, value in self.attributes if one == kind), None)

    def number_of(self, kind: int) -> int | None:
        """The first attribute of a kind as a number."""
        value = self.first(kind)
        return None if value is None else int.from_bytes(value)

    def text_of(self, kind: int) -> str | None:
        """The first attribute of a kind as text."""
        value = self.first(kind)
        return None if value is None else value.decode()

    def mikrotik(self, kind: int) -> str | None:
        """The first of MikroTik's own attributes of a kind, as text."""
        for one, value in self.attributes:
            inner = value[6:]
            if one == _VENDOR and int.from_bytes(value[:4]) == MIKROTIK and value[4] == kind:
                return inner[: value[5] - 2].decode()
        return None

    def raw(self) -> bytes:
        """As it goes over the wire."""
        body = b"".join(bytes((kind, len(v) + 2)) + v for kind, v in self.attributes)
        head = struct.pack("!BBH", self.code, self.number, _HEAD + len(body))
        return head + self.authenticator + body


def read(raw: bytes) -> Packet:
    """The packet that bytes are. Raises `BadPacket`."""
    if len(raw) < _HEAD:
        raise BadPacket("shorter than a head")
    code, number, length = struct.unpack("!BBH", raw[:4])
    if not _HEAD <= length <= len(raw):
        raise BadPacket("a length that is not so")
    packet = Packet(code, number, raw[4:_HEAD])
    at = _HEAD
    while at < length:
        size = raw[at + 1] if at + 1 < length else 0
        if size < 2 or at + size > length:
            raise BadPacket("an attribute that is not whole")
        packet.attributes.append((raw[at], raw[at + 2 : at + size]))
        at += size
    return packet


def hidden(password: bytes, secret: bytes, authenticator: bytes) -> bytes:
    """A password as RFC 2865, 5.2 hides it."""
    padded = password.ljust(-(-max(1, len(password)) // 16) * 16, b"\0")
    out, before = b"", authenticator
    for at in range(0, len(padded), 16):
        pad = md5(secret + before, usedforsecurity=False).digest()
        before = bytes(a ^ b for a, b in zip(padded[at : at + 16], pad, strict=True))
        out += before
    return out


def chap(number: int, password: bytes, challenge: bytes) -> bytes:
    """What a client answers to a challenge (RFC 1994)."""
    proof = md5(bytes((number,)) + password + challenge, usedforsecurity=False).digest()
    return bytes((number,)) + proof


def sign(packet: Packet, secret: bytes) -> None:
    """Put a Message-Authenticator into a question, as its first attribute (RFC 3579, 3.2)."""
    packet.attributes.insert(0, (MESSAGE_AUTHENTICATOR, bytes(16)))
    packet.attributes[0] = (MESSAGE_AUTHENTICATOR, hmac.digest(secret, packet.raw(), "md5"))


def seal(packet: Packet, secret: bytes, asked: bytes = bytes(16)) -> None:
    """Give an account, an order, or the answer to what had the authenticator ``asked`` its own."""
    packet.authenticator = asked
    packet.authenticator = md5(packet.raw() + secret, usedforsecurity=False).digest()


def must_be_sealed(packet: Packet, secret: bytes, asked: bytes = bytes(16)) -> None:
    """Raises `BadPacket` when somebody without the secret made it."""
    again = Packet(packet.code, packet.number, bytes(16), packet.attributes)
    seal(again, secret, asked)
    if not hmac.compare_digest(again.authenticator, packet.authenticator):
        raise BadPacket("an authenticator that is not right")


def must_be_signed(packet: Packet, secret: bytes, asked: bytes) -> None:
    """Raises `BadPacket` for an answer without a right Message-Authenticator."""
    shown = packet.first(MESSAGE_AUTHENTICATOR)
    blank = [
        (kind, bytes(16) if kind == MESSAGE_AUTHENTICATOR else v) for kind, v in packet.attributes
    ]
    right = hmac.digest(secret, Packet(packet.code, packet.number, asked, blank).raw(), "md5")
    if shown is None or not hmac.compare_digest(shown, right):
        raise BadPacket("no right Message-Authenticator")
