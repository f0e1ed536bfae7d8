"""By what names people may dial in to a router now, and what they may do then. PURE.

A line goes to the grant of its session; while nobody is in, to the one that they would use, as far
as that has a place free. A session that has ended keeps its line shut until it is counted out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import grants
from agent.model import dial_place
from shaping.plane import CapKey, Line, PoolKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from agent.model import GrantUse, Login, Session, State
    from shaping.plane import MonotonicMs, Pool, Rate


def lines(
    state: State,
    router: str,
    mono: MonotonicMs,
    *,
    rate_of: Callable[[GrantUse], Rate],
    pools: Mapping[PoolKey, Pool],
) -> dict[str, Line]:
    """The line of everybody who has a name, at the router for which ``router`` stands."""
    found = {}
    for session in state.sessions.values():
        if session.dial is not None and session.dial.nas == router:
            # Of a name that is good no more: shut, and kept until it is counted out.
            found[session.dial.login] = Line(session.id, None)
    for name, login in state.logins.items():
        use = used(state, router, login, mono)
        if use is None:
            found[name] = Line(login.secret, None)
            continue
        pool = PoolKey(use.pool_id)
        found[name] = Line(
            secret=login.secret,
            rate=rate_of(use),
            open_until=grants.deadline(use),
            lease_ms=grants.lease_ms(use),
            cap=CapKey(use.grant.id) if capped(use) else None,
            pool=pool if pool in pools else None,
        )
    return found


def used(state: State, router: str, login: Login, mono: MonotonicMs) -> GrantUse | None:
    """The grant by which somebody may be in by a name, or come in; None: they may not."""
    place = dial_place(router, login.name)
    key = state.index.by_dial.get(place)
    session = None if key is None else state.sessions[key]
    last = session or state.hung_up.get(place)
    if last is not None and last.mac in state.blocked.devices:
        return None
    if session is None:
        return grants.first(_free(state, login.cause, mono))
    # A deadline that is not decided yet puts nobody out: they may go on with their next grant.
    return state.grants[session.grant_id] if session.closed is None else None


def capped(use: GrantUse) -> bool:
    """Whether there is a budget of bytes to a grant here."""
    return use.grant.limits.quota_bytes is not None or use.allowance.bytes is not None


def _free(state: State, cause: str, mono: MonotonicMs) -> Iterator[GrantUse]:
    """The good grants of a cause that have a place for one more."""
    for key in state.index.by_cause.get(cause, ()):
        use = state.grants[key]
        places = use.grant.limits.devices_max
        open_now = sum(one.closed is None for one in _siblings(state, use))
        if open_now < places and _is_good(state, use, mono):
            yield use


def _is_good(state: State, use: GrantUse, mono: MonotonicMs) -> bool:
    return grants.ended(use, _siblings(state, use), mono) is None


def _siblings(state: State, use: GrantUse) -> list[Session]:
    return [state.sessions[key] for key in state.index.by_grant.get(use.grant.id, ())]
