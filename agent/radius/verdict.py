"""Who may come in, on which grant, how fast and for how long: from what the site knows. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import grants
from agent.desired import rate_now
from agent.radius import proofs

if TYPE_CHECKING:
    from agent.model import GrantUse, Instant, Session, State
    from agent.radius.packets import Access
    from agent.radius.proofs import Words
    from billing.ids import GrantId
    from billing.quota import Left
    from shaping.plane import MacAddress, Rate

WRONG = "Wrong name or password."
BLOCKED = "This device is blocked."
NOTHING_LEFT = "No package is running."
IN_USE = "This name is in use already."


@dataclass(frozen=True, slots=True)
class Welcome:
    """Come in. ``proof`` is what the peer is told of the secret."""

    grant_id: GrantId
    rate: Rate
    left: Left
    proof: Words = ()


@dataclass(frozen=True, slots=True)
class Poor:
    """The secret is right, and there is nothing to use."""

    proof: Words = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Stay out. ``why`` is for people."""

    why: str
    proof: Words = ()


@dataclass(frozen=True, slots=True)
class Crowded:
    """Every place is taken, by these sessions: come in if one of them is a ghost."""

    sessions: tuple[Session, ...]
    proof: Words = ()


Verdict = Welcome | Poor | Refused | Crowded


def verdict(state: State, access: Access, now: Instant) -> Verdict:
    """What is said to somebody who wants in. Nobody is told which of name and secret was wrong."""
    login = state.logins.get(access.name)
    proof = proofs.proven(access, login.secret if login is not None else _NOBODYS)
    if login is None or proof is None:
        return Refused(WRONG, proofs.refused(access))
    if access.mac in state.blocked.devices:
        return Refused(BLOCKED, proofs.refused(access))
    good = good_of(state, login.cause, now)
    use = grants.first(use for use in good if len(open_of(state, use)) < _places(use))
    if use is not None:
        return welcome(state, use, now, proof)
    if good:
        return Crowded(tuple(one for use in good for one in open_of(state, use)), proof)
    return Poor(proof)


def welcome(state: State, use: GrantUse, now: Instant, proof: Words = ()) -> Welcome:
    """What somebody is let in with on a grant."""
    left = grants.remaining(use, _siblings(state, use), now.mono)
    return Welcome(use.grant.id, rate_now(state, use), left, proof)


def good_of(state: State, cause: str, now: Instant) -> list[GrantUse]:
    """The grants of a cause that somebody can use now."""
    known = (state.grants[key] for key in state.index.by_cause.get(cause, ()))
    return [use for use in known if grants.ended(use, _siblings(state, use), now.mono) is None]


def open_of(state: State, use: GrantUse) -> list[Session]:
    """The sessions that have the places of a grant."""
    return [one for one in _siblings(state, use) if one.closed is None]


def has_had(state: State, name: str, mac: MacAddress) -> bool:
    """Whether a device has the line of a login, or was the last to have it."""
    cause = state.logins[name].cause
    theirs = (
        one
        for key in state.index.by_cause.get(cause, ())
        for one in _siblings(state, state.grants[key])
    )
    return any(one.mac == mac for one in theirs) or any(
        one.mac == mac and one.dial is not None and one.dial.login.lower() == name
        for one in state.hung_up.values()
    )


_NOBODYS = "nobody has this secret"
"""Compared with for a name that nobody has, so that it takes as long to refuse."""


def _places(use: GrantUse) -> int:
    return use.grant.limits.devices_max


def _siblings(state: State, use: GrantUse) -> list[Session]:
    return [state.sessions[key] for key in state.index.by_grant.get(use.grant.id, ())]
