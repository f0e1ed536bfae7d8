"""What the data plane should do, worked out whole from what the site knows. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent import grants, speeds
from agent.lines import capped, lines
from agent.model import State
from billing import speed
from billing.ids import GrantId
from shaping.plane import POOL_DEPTH_MAX, Access, Cap, CapKey, Desired, Pool, PoolKey, SessionKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.model import GrantUse, Session, SitePool
    from billing.plan import Limits
    from shaping.plane import Line, MonotonicMs, Rate

POLL_MS = 2_000
"""How often the plane is counted while nothing is near its end."""

POLL_MIN_MS = 100
"""How often at most."""

POLL_CLOSING_MS = 20
"""How soon a closed session's last reading is taken."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A desired state, and the state that it was worked out from, so that parts can be reused."""

    desired: Desired = field(default_factory=Desired)
    state: State = field(default_factory=State)


def same_grounds(was: State, now: State) -> bool:
    """Whether a plan from ``was`` holds for ``now``, as long as no deadline has come."""
    return (
        now.sessions is was.sessions
        and now.grants is was.grants
        and now.minute == was.minute
        and now.pools is was.pools
        and now.garden is was.garden
        and now.blocked is was.blocked
        and now.logins is was.logins
        and now.hung_up is was.hung_up
    )


def desired(state: State, mono: MonotonicMs, *, lines_at: str = "") -> Desired:
    """The whole desired state of the plane. A session past its deadline is closed in any case.

    ``lines_at`` stands for the router that keeps the secrets of those who dial in; "": none does.
    """
    return planned(state, mono, Plan(), lines_at=lines_at).desired


def planned(state: State, mono: MonotonicMs, before: Plan, *, lines_at: str = "") -> Plan:
    """The same, taking over from ``before`` whatever still follows from the same values."""
    access: dict[SessionKey, Access] = {}
    caps: dict[CapKey, Cap] = {}
    was = before.state
    same_pools = state.pools is was.pools
    pools = before.desired.pools if same_pools else shared_rates(state.pools)
    places = {port: key for key, one in state.pools.items() for port in one.ports if key in pools}
    for session_id, session in state.sessions.items():
        if session.dial is not None:
            continue
        use = state.grants[session.grant_id]
        key = SessionKey(session_id)
        like = before.desired.access.get(key)
        same = was.sessions.get(session_id) is session and was.grants[use.grant.id] is use
        known = like if same else None
        limits = use.grant.limits
        if known is None or not same_pools or _ran_out(known, mono) or not speeds.steady(limits):
            known = _access(
                session,
                use,
                mono=mono,
                rate=rate_now(state, use),
                pool=_pool(use, session, pools, places),
                like=like,
            )
        access[key] = known
        if known.cap is not None and known.cap not in caps:
            caps[known.cap] = (
                before.desired.caps[known.cap]
                if known.cap in before.desired.caps and _same(was, state, use)
                else _cap(use, _siblings(state, use), mono)
            )
    dialled = _lines(state, mono, lines_at, pools) if lines_at else {}
    for cap in {line.cap for line in dialled.values() if line.cap is not None} - caps.keys():
        use = state.grants[GrantId(cap)]
        caps[cap] = _cap(use, _siblings(state, use), mono)
    whole = Desired(
        access=access,
        caps=caps,
        blocked=state.blocked.devices,
        pools=pools,
        garden=state.garden.networks,
        lines=dialled,
    )
    return Plan(desired=whole, state=state)


def _lines(
    state: State, mono: MonotonicMs, router: str, pools: Mapping[PoolKey, Pool]
) -> Mapping[str, Line]:
    return lines(state, router, mono, rate_of=lambda use: rate_now(state, use), pools=pools)


def shared_rates(pools: Mapping[PoolKey, SitePool]) -> dict[PoolKey, Pool]:
    """The pools for the plane. A pool in a ring, too deep, or in none that is here, stands alone.

    One mistake in a pool must not keep a box from doing all the rest.
    """
    return {
        key: Pool(rate=one.rate, parent=one.parent if _rooted(pools, key) else None)
        for key, one in pools.items()
    }


def same_orders(a: Desired, b: Desired) -> bool:
    """Whether ``b`` tells a plane nothing new; it keeps the count of a cap itself."""
    if a.access != b.access or a.blocked != b.blocked or a.caps.keys() != b.caps.keys():
        return False
    if a.pools != b.pools or a.garden != b.garden or a.lines != b.lines:
        return False
    return all(a.caps[key].revision == cap.revision for key, cap in b.caps.items())


def poll_in_ms(state: State, mono: MonotonicMs) -> int | None:
    """How soon the plane should be counted again: sooner when a cap or another speed is near.

    None: there are no sessions.
    """
    if not state.sessions:
        return None
    if state.closing:
        return POLL_CLOSING_MS
    soonest = POLL_MS
    for session in state.sessions.values():
        if session.dial is not None:
            continue
        use = state.grants[session.grant_id]
        if (capped(use) or use.grant.limits.steps) and mono - session.active_at < 2 * POLL_MS:
            soonest = min(soonest, _news_in_ms(use, grants.used_bytes(use, _siblings(state, use))))
    return max(POLL_MIN_MS, soonest)


def rate_now(state: State, use: GrantUse) -> Rate:
    """How fast a session of the grant is now."""
    limits = use.grant.limits
    used = grants.used_bytes(use, _siblings(state, use)) if limits.steps else 0
    return speeds.rate(limits, used, state.minute)


def _pool(
    use: GrantUse,
    session: Session,
    pools: Mapping[PoolKey, Pool],
    places: Mapping[str, PoolKey],
) -> PoolKey | None:
    """The pool of the grant, or of the place where the device is; one that is not here is none."""
    if use.pool_id:
        return PoolKey(use.pool_id) if use.pool_id in pools else None
    return places.get(session.port)


def _rooted(pools: Mapping[PoolKey, SitePool], key: PoolKey) -> bool:
    """Whether the pool's parent is here, and going up from it comes to an end that is near."""
    seen, at = {key}, pools[key].parent
    if at not in pools:
        return False
    while at is not None and at in pools:
        if at in seen:
            return False
        seen.add(at)
        at = pools[at].parent
    return len(seen) <= POOL_DEPTH_MAX


def _access(
    session: Session,
    use: GrantUse,
    *,
    mono: MonotonicMs,
    rate: Rate,
    pool: PoolKey | None,
    like: Access | None,
) -> Access:
    """A session's access; the very object ``like`` when nothing in it differs."""
    until = grants.deadline(use)
    fresh = Access(
        mac=session.mac,
        ipv4=session.ipv4,
        ipv6=session.ipv6,
        rate=rate,
        open_until=until,
        cap=CapKey(session.grant_id) if capped(use) else None,
        closed=session.closed is not None or (until is not None and until <= mono),
        pool=pool,
    )
    return like if like is not None and like == fresh else fresh


def _ran_out(access: Access, mono: MonotonicMs) -> bool:
    """Whether the deadline passed since this was worked out."""
    return not access.closed and access.open_until is not None and access.open_until <= mono


def _same(was: State, now: State, use: GrantUse) -> bool:
    """Whether a cap was worked out from these very values."""
    if was.grants.get(use.grant.id) is not use:
        return False
    old, new = _siblings(was, use), _siblings(now, use)
    return len(old) == len(new) and all(a is b for a, b in zip(old, new, strict=True))


def _cap(use: GrantUse, siblings: tuple[Session, ...], mono: MonotonicMs) -> Cap:
    left = grants.remaining(use, siblings, mono).bytes
    assert left is not None, "only a grant with a quota has a cap"
    return Cap(left_bytes=left, revision=use.cap_revision)


def _news_in_ms(use: GrantUse, used: int) -> int:
    """When the cap, or the next fair-use step, may be near; `POLL_MS` when neither is."""
    limits = use.grant.limits
    lefts = (grants.left_bytes(use, used), speed.next_step_bytes(limits, used))
    return min((_half_way_ms(limits, left) for left in lefts if left is not None), default=POLL_MS)


def _half_way_ms(limits: Limits, left_bytes: int) -> int:
    """Half the time in which one device at full rate, both ways, would use so many bytes."""
    return max(0, left_bytes) * 8 * 1000 // (2 * (limits.down_bps + limits.up_bps))


def _siblings(state: State, use: GrantUse) -> tuple[Session, ...]:
    return tuple(state.sessions[key] for key in state.index.by_grant.get(use.grant.id, ()))
