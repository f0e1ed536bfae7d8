"""What the data plane should do, worked out whole from what the site knows. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent import grants
from shaping.plane import Access, Cap, CapKey, Desired, Rate, SessionKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.model import GrantUse, Session, State
    from billing.plan import Limits
    from shaping.plane import MonotonicMs

POLL_MS = 2_000
"""How often the plane is counted while nothing is near its end."""

POLL_MIN_MS = 100
"""How often at most."""

POLL_CLOSING_MS = 20
"""How soon a closed session's last reading is taken."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A desired state, and what each part of it was worked out from, so that it can be reused."""

    desired: Desired = field(default_factory=Desired)
    sources: Mapping[SessionKey, tuple[Session, GrantUse]] = field(default_factory=dict)
    funds: Mapping[CapKey, tuple[GrantUse, tuple[Session, ...]]] = field(default_factory=dict)


def desired(state: State, mono: MonotonicMs) -> Desired:
    """The whole desired state of the plane. A session past its deadline is closed in any case."""
    return planned(state, mono, Plan()).desired


def planned(state: State, mono: MonotonicMs, before: Plan) -> Plan:
    """The same, taking over from ``before`` whatever still follows from the same values."""
    access: dict[SessionKey, Access] = {}
    caps: dict[CapKey, Cap] = {}
    sources: dict[SessionKey, tuple[Session, GrantUse]] = {}
    funds: dict[CapKey, tuple[GrantUse, tuple[Session, ...]]] = {}
    for session_id, session in state.sessions.items():
        use = state.grants[session.grant_id]
        key = SessionKey(session_id)
        sources[key] = (session, use)
        old = before.sources.get(key)
        known = before.desired.access[key] if old and old[0] is session and old[1] is use else None
        if known is None or _ran_out(known, mono):
            known = _access(session, use, mono=mono, like=before.desired.access.get(key))
        access[key] = known
        if known.cap is not None and known.cap not in caps:
            siblings = _siblings(state, use)
            funds[known.cap] = (use, siblings)
            caps[known.cap] = (
                before.desired.caps[known.cap]
                if _same(before.funds.get(known.cap), use, siblings)
                else _cap(use, siblings, mono)
            )
    return Plan(desired=Desired(access=access, caps=caps), sources=sources, funds=funds)


def same_orders(a: Desired, b: Desired) -> bool:
    """Whether ``b`` tells a plane nothing new; it keeps the count of a cap itself."""
    if a.access != b.access or a.blocked != b.blocked or a.caps.keys() != b.caps.keys():
        return False
    return all(a.caps[key].revision == cap.revision for key, cap in b.caps.items())


def poll_in_ms(state: State, mono: MonotonicMs) -> int | None:
    """How soon the plane should be counted again: sooner when a cap is near; None: no sessions."""
    if not state.sessions:
        return None
    if state.closing:
        return POLL_CLOSING_MS
    soonest = POLL_MS
    for session in state.sessions.values():
        use = state.grants[session.grant_id]
        quota_bytes = use.grant.limits.quota_bytes
        if quota_bytes is not None and mono - session.active_at < 2 * POLL_MS:
            left = quota_bytes - grants.used_bytes(use, _siblings(state, use))
            soonest = min(soonest, _cap_in_ms(use.grant.limits, left))
    return max(POLL_MIN_MS, soonest)


def _access(session: Session, use: GrantUse, *, mono: MonotonicMs, like: Access | None) -> Access:
    """A session's access; the very object ``like`` when nothing in it differs."""
    until, limits = grants.deadline(use), use.grant.limits
    fresh = Access(
        mac=session.mac,
        ipv4=session.ipv4,
        ipv6=session.ipv6,
        rate=Rate(down_bps=limits.down_bps, up_bps=limits.up_bps),
        open_until=until,
        cap=None if limits.quota_bytes is None else CapKey(session.grant_id),
        closed=session.closed is not None or (until is not None and until <= mono),
    )
    return like if like is not None and like == fresh else fresh


def _ran_out(access: Access, mono: MonotonicMs) -> bool:
    """Whether the deadline passed since this was worked out."""
    return not access.closed and access.open_until is not None and access.open_until <= mono


def _same(
    before: tuple[GrantUse, tuple[Session, ...]] | None,
    use: GrantUse,
    siblings: tuple[Session, ...],
) -> bool:
    """Whether a cap was worked out from these very values."""
    if before is None or before[0] is not use or len(before[1]) != len(siblings):
        return False
    return all(old is new for old, new in zip(before[1], siblings, strict=True))


def _cap(use: GrantUse, siblings: tuple[Session, ...], mono: MonotonicMs) -> Cap:
    left = grants.remaining(use, siblings, mono).bytes
    assert left is not None, "only a grant with a quota has a cap"
    return Cap(left_bytes=left, revision=use.cap_revision)


def _cap_in_ms(limits: Limits, left_bytes: int) -> int:
    """Half the time in which one device at full rate, both ways, would reach the cap."""
    return max(0, left_bytes) * 8 * 1000 // (2 * (limits.down_bps + limits.up_bps))


def _siblings(state: State, use: GrantUse) -> tuple[Session, ...]:
    return tuple(state.sessions[key] for key in state.index.by_grant.get(use.grant.id, ()))
