"""What the data plane should do, worked out whole from what the site knows. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import grants
from shaping.plane import Access, Cap, CapKey, Desired, Rate, SessionKey

if TYPE_CHECKING:
    from agent.model import GrantUse, Session, State
    from billing.plan import Limits
    from shaping.plane import MonotonicMs

POLL_MS = 2_000
"""How often the plane is counted while nothing is near its end."""

POLL_MIN_MS = 100
"""How often at most."""

POLL_CLOSING_MS = 20
"""How soon a closed session's last reading is taken."""


def desired(state: State, mono: MonotonicMs) -> Desired:
    """The whole desired state of the plane. A session past its deadline is closed in any case."""
    access: dict[SessionKey, Access] = {}
    caps: dict[CapKey, Cap] = {}
    rates: dict[tuple[int, int], Rate] = {}
    for session in state.sessions.values():
        use = state.grants[session.grant_id]
        cap = None
        if use.grant.limits.quota_bytes is not None:
            cap = CapKey(session.grant_id)
            if cap not in caps:
                caps[cap] = _cap(state, use, mono)
        limits = use.grant.limits
        rate = rates.get((limits.down_bps, limits.up_bps)) or _rate(limits)
        rates[limits.down_bps, limits.up_bps] = rate
        access[SessionKey(session.id)] = _access(session, use, cap=cap, rate=rate, mono=mono)
    return Desired(access=access, caps=caps)


def same_orders(a: Desired | None, b: Desired) -> bool:
    """Whether ``b`` tells a plane nothing new; it keeps the count of a cap itself."""
    if a is None or a.access != b.access or a.blocked != b.blocked:
        return False
    revisions_a = {key: cap.revision for key, cap in a.caps.items()}
    return revisions_a == {key: cap.revision for key, cap in b.caps.items()}


def poll_in_ms(state: State, mono: MonotonicMs) -> int | None:
    """How soon the plane should be counted again: sooner when a cap is near; None: no sessions."""
    if not state.sessions:
        return None
    soonest = POLL_MS
    for session in state.sessions.values():
        if session.closed is not None:
            return POLL_CLOSING_MS
        use = state.grants[session.grant_id]
        if use.grant.limits.quota_bytes is not None and mono - session.active_at < 2 * POLL_MS:
            soonest = min(soonest, _cap_in_ms(state, use, mono))
    return max(POLL_MIN_MS, soonest)


def _access(
    session: Session, use: GrantUse, *, cap: CapKey | None, rate: Rate, mono: MonotonicMs
) -> Access:
    until = grants.deadline(use)
    return Access(
        mac=session.mac,
        ipv4=session.ipv4,
        ipv6=session.ipv6,
        rate=rate,
        open_until=until,
        cap=cap,
        closed=session.closed is not None or (until is not None and until <= mono),
    )


def _cap(state: State, use: GrantUse, mono: MonotonicMs) -> Cap:
    left = grants.remaining(use, _siblings(state, use), mono).bytes
    assert left is not None, "only a grant with a quota has a cap"
    return Cap(left_bytes=left, revision=use.cap_revision)


def _cap_in_ms(state: State, use: GrantUse, mono: MonotonicMs) -> int:
    """Half the time in which one device at full rate, both ways, would reach the cap."""
    left = grants.remaining(use, _siblings(state, use), mono).bytes or 0
    bps = use.grant.limits.down_bps + use.grant.limits.up_bps
    return left * 8 * 1000 // (2 * bps)


def _siblings(state: State, use: GrantUse) -> list[Session]:
    return [state.sessions[key] for key in state.index.by_grant.get(use.grant.id, ())]


def _rate(limits: Limits) -> Rate:
    return Rate(down_bps=limits.down_bps, up_bps=limits.up_bps)
