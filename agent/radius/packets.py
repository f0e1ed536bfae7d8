"""What a NAS sent: a question, an account, or nothing that may be believed. PURE.

pyrad reads attributes leniently (it cuts one that runs past the end, and checks nothing unasked):
the form is looked at here first, and the proof: anybody can send from a NAS's address, and reading
4 KB of attributes takes a hundred times as long as finding them forged. A request for access must
prove that it comes from somebody who knows the secret, by a Message-Authenticator (RFC 2869, 5.14;
CVE-2024-3596). RouterOS 6 sends none:
a NAS may be let off by the settings, for the form alone. What it does send is checked in any case,
and a request with a Proxy-State, which the known attack needs, is never let off.
"""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from hashlib import md5, sha256
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from pyrad.packet import (
    AccessRequest,
    AccountingRequest,
    AcctPacket,
    AuthPacket,
    PacketError,
    StatusServer,
)

from agent.model import Account, AccountStatus
from agent.radius import mschap, words
from shaping.plane import MacAddress

if TYPE_CHECKING:
    from agent.radius.settings import Nas

HEADER_BYTES = 20
PACKET_BYTES_MAX = 4_096
ATTRIBUTES_MAX = 200
"""In one packet; NASes send some thirty."""

AUTHENTICATOR_BYTES = 16
VENDOR_SPECIFIC = 26
PASSWORD_BYTES_MAX = 128
KEY_LETTERS = "latin-1"
"""How an Acct-Session-Id, which may be any bytes, is a text here."""

TEXT_MAX = 128
BYTES_MAX = 2**50
"""A session that moved a petabyte did not; eight are more than a controller takes."""

CLOCK_SET = 1_704_067_200
"""The beginning of 2024 (UTC). A NAS that tells of a moment before it has no clock: boards without
a battery begin in 1970, and the first to dial in after a power cut do so before the time is got."""

TIMED_OUT = 5
"""Acct-Terminate-Cause of a session whose time was over."""

OURS = b"lango:"
"""How a Class begins that this site gave; behind it: a grant's id, a slash, a speed's mark."""

UNPAID = "unpaid"
"""Stands there in place of a grant."""

_HEX = re.compile(r"[0-9a-f]{12}")


class Doubt(StrEnum):
    """Why a packet gets no answer."""

    MALFORMED = "malformed"
    UNSIGNED = "unsigned"
    FORGED = "forged"
    STRANGE = "strange"  # of a kind that is not for this port


@dataclass(frozen=True, slots=True)
class Pap:
    """A password as it stands in the packet, hidden by the NAS's secret."""

    hidden: bytes


@dataclass(frozen=True, slots=True)
class Chap:
    """A response to a challenge (RFC 1994)."""

    ident: bytes
    digest: bytes
    challenge: bytes


@dataclass(frozen=True, slots=True)
class MsChap:
    """A response to a challenge of MS-CHAPv2."""

    challenge: bytes
    response: mschap.Response


Proof = Pap | Chap | MsChap


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody wants in. ``spelt`` is the name as it came; ``proof`` None: none that is known here.

    ``packet`` is what the answer is made for.
    """

    packet: AuthPacket
    spelt: bytes
    mac: MacAddress
    proof: Proof | None

    @property
    def name(self) -> str:
        """The name as logins have it; "" when it can be none."""
        return self.spelt.decode("ascii", "replace").lower()


@dataclass(frozen=True, slots=True)
class Told:
    """A NAS tells something; ``account`` None: what means nothing here, and is answered for."""

    packet: AcctPacket
    account: Account | None


@dataclass(frozen=True, slots=True)
class Alive:
    """A NAS asks whether somebody is here (RFC 5997), at either port."""

    packet: AuthPacket | AcctPacket


def asked(raw: bytes, nas: Nas) -> Access | Alive | Doubt:
    """What came to the port where access is asked for."""
    packet = AuthPacket(secret=nas.secret, dict=words.dictionary())
    doubt = _doubted(packet, raw, nas)
    if doubt is not None:
        return doubt
    if raw[0] == StatusServer:
        return Alive(packet)
    spelt = _first(packet, words.USER_NAME)
    if not spelt:
        return Doubt.MALFORMED
    return Access(packet=packet, spelt=spelt, mac=_mac(packet, spelt), proof=_proof(packet))


def _doubted(packet: AuthPacket | AcctPacket, raw: bytes, nas: Nas) -> Doubt | None:
    """Why a request is not believed; else it is read into ``packet``."""
    found = attributes(raw)
    if found is None:
        return Doubt.MALFORMED
    if raw[0] not in {AccessRequest, StatusServer}:
        return Doubt.STRANGE
    signed = [value for kind, value in found if kind == words.MESSAGE_AUTHENTICATOR]
    proxied = any(kind == words.PROXY_STATE for kind, _ in found)
    if not signed and (raw[0] == StatusServer or proxied or not nas.weak):
        return Doubt.UNSIGNED
    if signed and not _signed(raw, found, nas, raw[4:HEADER_BYTES]):
        return Doubt.FORGED
    return None if _decoded(packet, raw) else Doubt.MALFORMED


def told(raw: bytes, nas: Nas) -> Told | Alive | Doubt:
    """What came to the port where accounts are told."""
    found = attributes(raw)
    if found is None:
        return Doubt.MALFORMED
    if raw[0] == StatusServer:
        packet = AcctPacket(secret=nas.secret, dict=words.dictionary())
        return _doubted(packet, raw, nas) or Alive(packet)
    return _noted(raw, found, nas) if raw[0] == AccountingRequest else Doubt.STRANGE


def _noted(raw: bytes, found: list[tuple[int, bytes]], nas: Nas) -> Told | Doubt:
    """What an account says, or why it is not believed."""
    signed = any(kind == words.MESSAGE_AUTHENTICATOR for kind, _ in found)
    if not _sealed(raw, nas) or (signed and not _signed(raw, found, nas, _UNSEALED)):
        return Doubt.FORGED
    packet = AcctPacket(secret=nas.secret, dict=words.dictionary())
    if not _decoded(packet, raw):
        return Doubt.MALFORMED
    try:
        return Told(packet=packet, account=_account(packet, nas))
    except ValueError:
        return Doubt.MALFORMED


def attributes(raw: bytes) -> list[tuple[int, bytes]] | None:
    """The attributes of a packet, in order; None when its lengths do not add up (RFC 2865, 3).

    None as well when there are more than `ATTRIBUTES_MAX`.
    """
    if not HEADER_BYTES <= len(raw) <= PACKET_BYTES_MAX:
        return None
    size = int.from_bytes(raw[2:4])
    if not HEADER_BYTES <= size <= len(raw):
        return None
    found: list[tuple[int, bytes]] = []
    at = HEADER_BYTES
    while at < size:
        length = raw[at + 1] if at + 1 < size else 0
        if length < 2 or at + length > size or len(found) == ATTRIBUTES_MAX:  # noqa: PLR2004 - its own two bytes
            return None
        found.append((raw[at], raw[at + 2 : at + length]))
        at += length
    return found


def _decoded(packet: AuthPacket | AcctPacket, raw: bytes) -> bool:
    try:
        packet.DecodePacket(raw)
    except (PacketError, ValueError, KeyError, IndexError):
        return False
    return True


_UNSEALED = bytes(AUTHENTICATOR_BYTES)
"""Stands for the authenticator of an account while its seals are made."""


def _sealed(raw: bytes, nas: Nas) -> bool:
    """Whether an account's authenticator is of somebody who knows the secret (RFC 2866, 3)."""
    size = int.from_bytes(raw[2:4])
    whole = raw[:4] + _UNSEALED + raw[HEADER_BYTES:size] + nas.secret
    right = md5(whole).digest()  # noqa: S324 - the protocol's
    return hmac.compare_digest(right, raw[4:HEADER_BYTES])


def _signed(raw: bytes, found: list[tuple[int, bytes]], nas: Nas, authenticator: bytes) -> bool:
    """Whether there is one Message-Authenticator, and it is right (RFC 3579, 3.2)."""
    at, places = HEADER_BYTES, []
    for kind, value in found:
        if kind == words.MESSAGE_AUTHENTICATOR:
            places.append((at + 2, value))
        at += 2 + len(value)
    if len(places) != 1 or len(places[0][1]) != AUTHENTICATOR_BYTES:
        return False
    ((place, told),) = places
    before, behind = raw[HEADER_BYTES:place], raw[place + AUTHENTICATOR_BYTES : at]
    whole = raw[:4] + authenticator + before + bytes(AUTHENTICATOR_BYTES) + behind
    return hmac.compare_digest(hmac.digest(nas.secret, whole, "md5"), told)


def _first(packet: AuthPacket | AcctPacket, key: int | tuple[int, int]) -> bytes:
    """The first value of an attribute as it came; nothing when there is none."""
    found = OrderedDict.get(packet, key)  # pyrad's own decodes all of them by the dictionary
    return bytes(found[0]) if found else b""


def _proof(packet: AuthPacket) -> Proof | None:
    response = mschap.read_response(_first(packet, words.MS_CHAP2_RESPONSE))
    challenge = _first(packet, words.MS_CHAP_CHALLENGE)
    if response is not None and len(challenge) == mschap.CHALLENGE_BYTES:
        return MsChap(challenge, response)
    chap = _first(packet, words.CHAP_PASSWORD)
    if len(chap) == 1 + AUTHENTICATOR_BYTES:
        challenge = _first(packet, words.CHAP_CHALLENGE) or packet.authenticator
        return Chap(chap[:1], chap[1:], challenge)
    hidden = _first(packet, words.USER_PASSWORD)
    if hidden and len(hidden) % AUTHENTICATOR_BYTES == 0 and len(hidden) <= PASSWORD_BYTES_MAX:
        return Pap(hidden)
    return None


def _account(packet: AcctPacket, nas: Nas) -> Account | None:
    """What an account says; None when it is of no session. Raises `ValueError`."""
    status = _STATUSES.get(_number(packet, words.ACCT_STATUS_TYPE))
    if status is None:
        return None
    mark: bytes = packet.authenticator
    late_s = _number(packet, words.ACCT_DELAY_TIME)
    if status is AccountStatus.RESTART:
        return Account(nas=nas.name, status=status, mark=mark, late_s=late_s)
    spelt = _first(packet, words.USER_NAME)
    stamp = _number(packet, words.EVENT_TIMESTAMP)
    grant_id, _, rate = _given(packet).partition("/")
    up = _octets(packet, words.ACCT_INPUT_OCTETS, words.ACCT_INPUT_GIGAWORDS)
    down = _octets(packet, words.ACCT_OUTPUT_OCTETS, words.ACCT_OUTPUT_GIGAWORDS)
    high_too = packet.get(words.ACCT_INPUT_GIGAWORDS) or packet.get(words.ACCT_OUTPUT_GIGAWORDS)
    return Account(
        nas=nas.name,
        status=status,
        mark=mark,
        key=_key(packet),
        login=spelt.decode("ascii", "replace")[:TEXT_MAX],
        grant_id=grant_id,
        rate=rate,
        mac=_mac(packet, spelt),
        address=_address(packet),
        seconds=_number(packet, words.ACCT_SESSION_TIME),
        down_bytes=up if nas.swapped else down,
        up_bytes=down if nas.swapped else up,
        wraps=not high_too,
        stamp=stamp if stamp >= CLOCK_SET else 0,
        late_s=late_s,
        timed_out=_number(packet, words.ACCT_TERMINATE_CAUSE) == TIMED_OUT,
    )


_STATUSES = {
    1: AccountStatus.START,
    2: AccountStatus.STOP,
    3: AccountStatus.INTERIM,
    7: AccountStatus.RESTART,
    8: AccountStatus.RESTART,
}


def _number(packet: AcctPacket, key: int) -> int:
    """An integer attribute; 0 when there is none. Raises `ValueError`."""
    raw = _first(packet, key)
    if raw and len(raw) != 4:  # noqa: PLR2004 - RFC 2865, 5: an integer has four bytes
        raise ValueError(raw)
    return int.from_bytes(raw)


def _octets(packet: AcctPacket, low: int, high: int) -> int | None:
    """A count of bytes; None when it is not told. Raises `ValueError`."""
    if not packet.get(low):
        return None
    octets = _number(packet, low) + (_number(packet, high) << 32)
    if octets > BYTES_MAX:
        raise ValueError(octets)
    return octets


def _key(packet: AcctPacket) -> str:
    """The Acct-Session-Id, a letter for each byte, however odd: the NAS knows it by no other name.

    Raises `ValueError`.
    """
    raw = _first(packet, words.ACCT_SESSION_ID)
    if not raw:
        raise ValueError("an account without a session")
    return raw.decode(KEY_LETTERS)


def _given(packet: AcctPacket) -> str:
    """What this site gave with the access."""
    given = [bytes(one) for one in packet.get(words.CLASS) or () if one.startswith(OURS)]
    return given[0][len(OURS) :].decode("ascii", "replace") if given else ""


def _address(packet: AcctPacket) -> str:
    raw = _first(packet, words.FRAMED_IP_ADDRESS)
    return str(IPv4Address(raw)) if len(raw) == 4 else ""  # noqa: PLR2004 - an IPv4 address


def _mac(packet: AuthPacket | AcctPacket, spelt: bytes) -> MacAddress:
    """The device by its Calling-Station-Id; one made of the name where that is no MAC."""
    text = _first(packet, words.CALLING_STATION_ID).decode("ascii", "replace").lower()
    digits = re.sub(r"[:.-]", "", text)
    if not _HEX.fullmatch(digits):
        digits = "02" + sha256(text.encode() + b"\0" + spelt).hexdigest()[:10]
    return MacAddress(":".join(digits[at : at + 2] for at in range(0, 12, 2)))
