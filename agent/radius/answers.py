"""A verdict as the bytes of an answer. PURE.

Every answer to a question begins with its Message-Authenticator (CVE-2024-3596), and gives back the
Proxy-States that came: pyrad does both, and the tests hold it to that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pyrad.packet import AccessAccept, AccessReject

from agent.radius import rates
from agent.radius.packets import OURS, UNPAID
from agent.radius.settings import Kind, Unpaid
from agent.radius.verdict import IN_USE, NOTHING_LEFT, Crowded, Poor, Refused, Welcome
from shaping.plane import Rate

if TYPE_CHECKING:
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
            if radius.unpaid is Unpaid.LIST:
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
        ("Class", OURS + verdict.grant_id.encode()),
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
    """What a NAS is told of somebody who is to see a page, and nothing else."""
    listed: Words = ()
    if nas.kind is Kind.MIKROTIK:
        listed = (("Mikrotik-Address-List", radius.unpaid_list),)
    return (
        *proof,
        ("Class", OURS + UNPAID.encode()),
        ("Acct-Interim-Interval", radius.interim_s),
        *rates.spoken(nas.kind, UNPAID_RATE),
        *listed,
        ("Session-Timeout", UNPAID_S),
    )


def _rendered(access: Access, code: int, said: Words) -> bytes:
    reply = access.packet.CreateReply()
    reply.code = code
    for name, value in said:
        reply.AddAttribute(name, value)
    raw: bytes = reply.ReplyPacket()
    return raw
