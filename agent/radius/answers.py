"""A verdict as the bytes of an answer. PURE.

Every answer to a question begins with its Message-Authenticator (CVE-2024-3596), and gives back the
Proxy-States that came; the tests hold it to that by pyrad and by radclient.
"""

from __future__ import annotations

import hmac
import struct
from collections import OrderedDict
from functools import cache
from hashlib import md5
from typing import TYPE_CHECKING, assert_never

from pyrad.packet import AccessAccept, AccessReject

from agent.radius import rates, words
from agent.radius.packets import (
    AUTHENTICATOR_BYTES,
    HEADER_BYTES,
    OURS,
    UNPAID,
    VENDOR_SPECIFIC,
)
from agent.radius.settings import Kind, Unpaid
from agent.radius.verdict import IN_USE, NOTHING_LEFT, Crowded, Poor, Refused, Welcome
from shaping.plane import Rate

if TYPE_CHECKING:
    from pyrad.packet import AuthPacket

    from agent.radius.packets import Access, Alive, Told
    from agent.radius.proofs import Words
    from agent.radius.settings import Nas, Radius
    from agent.radius.verdict import Verdict

UNPAID_S = 600
"""Who was let in to see what to pay is asked for again after this."""

UNPAID_RATE = Rate(512_000, 512_000)
SESSION_S_MAX = 2**31 - 1


def answer(access: Access, verdict: Verdict, nas: Nas, radius: Radius) -> bytes:
    """The answer to somebody who wants in."""
    match verdict:
        case Welcome():
            return _rendered(access, AccessAccept, accepted(verdict, nas, radius))
        case Poor(proof=proof):
            if radius.unpaid is Unpaid.LIST and nas.kind is Kind.MIKROTIK:
                return _rendered(access, AccessAccept, _listed(proof, nas, radius))
            return _rendered(access, AccessReject, (("Reply-Message", NOTHING_LEFT),))
        case Crowded():
            return _rendered(access, AccessReject, (("Reply-Message", IN_USE),))
        case Refused(why=why, proof=proof):
            return _rendered(access, AccessReject, (*proof, ("Reply-Message", why)))
        case _:
            assert_never(verdict)


def accepted(verdict: Welcome, nas: Nas, radius: Radius) -> Words:
    """What a NAS is told of somebody who is let in; it ends the session by itself at its limits."""
    said: list[tuple[str, int | str | bytes]] = [
        *verdict.proof,
        ("Class", OURS + f"{verdict.grant_id}/{rates.mark(nas.kind, verdict.rate)}".encode()),
        ("Acct-Interim-Interval", radius.interim_s),
        *rates.spoken(nas.kind, verdict.rate),
    ]
    if verdict.left.seconds is not None:
        said.append(("Session-Timeout", min(SESSION_S_MAX, max(1, verdict.left.seconds))))
    if verdict.left.bytes is not None:
        said += rates.volume(nas.kind, max(1, verdict.left.bytes))
    return tuple(said)


def noted(told: Told) -> bytes:
    """The answer to an account that is written down."""
    reply: bytes = told.packet.CreateReply().ReplyPacket()
    return reply


def here(alive: Alive) -> bytes:
    """The answer to who asks whether somebody is here."""
    reply: bytes = alive.packet.CreateReply().ReplyPacket()
    return reply


def _listed(proof: Words, nas: Nas, radius: Radius) -> Words:
    """What a NAS is told of somebody who is to see a page, and nothing else.

    Only RouterOS can be told of a list: any other would let them everywhere.
    """
    return (
        *proof,
        ("Class", OURS + UNPAID.encode()),
        ("Acct-Interim-Interval", radius.interim_s),
        *rates.spoken(nas.kind, UNPAID_RATE),
        ("Mikrotik-Address-List", radius.unpaid_list),
        ("Session-Timeout", UNPAID_S),
    )


def _rendered(access: Access, code: int, said: Words) -> bytes:
    """An answer's bytes: its Message-Authenticator first, the Proxy-States as they came, the rest.

    By hand, for pyrad takes most of the time of an answer to do the same.
    """
    packet = access.packet
    states = OrderedDict.get(packet, words.PROXY_STATE) or ()
    body = b"".join(
        (
            *(_attribute(words.PROXY_STATE, state) for state in states),
            *(_worded(packet, name, value) for name, value in said),
        )
    )
    head = struct.pack("!BBH", code, packet.id, HEADER_BYTES + len(_UNSIGNED) + len(body))
    whole = head + packet.authenticator + _UNSIGNED + body
    proof = hmac.digest(packet.secret, whole, "md5")
    signed = _attribute(words.MESSAGE_AUTHENTICATOR, proof) + body
    sealed = md5(head + packet.authenticator + signed + packet.secret)  # noqa: S324 - RFC 2865, 3
    return head + sealed.digest() + signed


def _worded(packet: AuthPacket, name: str, value: int | str | bytes) -> bytes:
    """One attribute by its name."""
    vendor, code, is_salted = _place(name)
    if isinstance(value, int):
        raw = value.to_bytes(4)
    else:
        raw = value.encode() if isinstance(value, str) else value
    if is_salted:
        raw = packet.SaltCrypt(raw)
    inner = _attribute(code, raw)
    return _attribute(VENDOR_SPECIFIC, vendor.to_bytes(4) + inner) if vendor else inner


def _attribute(code: int, raw: bytes) -> bytes:
    return bytes((code, len(raw) + 2)) + raw


@cache
def _place(name: str) -> tuple[int, int, bool]:
    """A name's vendor (0: none) and number, and whether its value is hidden with a salt."""
    known = words.dictionary()
    found = known.attributes[name]
    vendor = known.vendors.GetForward(found.vendor) if found.vendor else 0
    return vendor, found.code, found.encrypt == SALTED


SALTED = 2
"""pyrad's name for the encryption of RFC 2868, 3.5."""

_UNSIGNED = _attribute(words.MESSAGE_AUTHENTICATOR, bytes(AUTHENTICATOR_BYTES))
