"""Who may use a grant here: devices that joined it, and those that gave way for them. PURE.

What the controller says of a grant's devices lags behind what a device has proved at the site, and
with the link down nothing comes at all. So a join is kept beside the controller's word, until that
word contains it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agent import grants, sessions
from agent.model import COMPANION, DeviceJoined, Notice, Why
from shaping.plane import MacAddress, MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.draft import Draft
    from agent.model import GrantUse, Joined, Session, State

NOBODY = MacAddress("")
"""Stands for the device that left, when none had to."""

SILENT_MS = 60_000
"""A session from whose device nothing came for this long gives way to a device that proved its
right."""

OWN_SILENT_MS = 15_000
"""The same when it is the very device that asks, under an address that it had before; and when
nothing was seen or heard of the device since the machine started."""


def joined(draft: Draft, event: Joined) -> None:
    """Let a device that proved its right use a grant, if need be in place of another."""
    use, old = draft.grants.get(event.grant_id), event.instead_of
    if use is None or grants.ended(use, draft.sessions_of(use.grant.id), draft.mono) is not None:
        return
    before = use.grant.devices
    after = _with(before, event.mac, old)
    gone_already = old != NOBODY and old not in before
    if after == before or gone_already or len(after) > max(len(before), _most(use)):
        return
    companions = tuple(mac for mac in use.companions if mac != old)
    if event.proof == COMPANION and event.mac not in before:
        companions = (*companions, event.mac)
    draft.put_use(
        replace(
            use,
            grant=replace(use.grant, devices=after),
            joined=(*(one for one in use.joined if one not in {event.mac, old}), event.mac),
            left=(
                *(one for one in use.left if one not in {event.mac, old}),
                *([old] if old else []),
            ),
            companions=companions,
        )
    )
    draft.say(DeviceJoined(use.grant.id, event.mac, old, event.proof))
    left = draft.session_of(old)
    if left is not None and left.grant_id == use.grant.id:
        sessions.close(draft, left, Why.MOVED)
    sessions.open_for(draft, event.mac)


def kept(use: GrantUse) -> GrantUse:
    """The grant after the controller spoke, with the joins that its word does not contain yet.

    What it does contain is forgotten: from then on its word alone counts.
    """
    told = use.grant.devices
    waiting = tuple(mac for mac in use.joined if mac not in told)
    left = use.left if waiting else tuple(mac for mac in use.left if mac in told)
    devices = (*(mac for mac in told if mac not in left), *waiting)
    companions = tuple(mac for mac in use.companions if mac in devices)
    grant = replace(use.grant, devices=devices)
    return replace(use, grant=grant, joined=waiting, left=left, companions=companions)


def make_room(draft: Draft, mac: MacAddress) -> None:
    """End a silent session when a device that is entitled asks, and every place is taken."""
    if draft.session_of(mac) is not None:
        return
    full = None
    for use in draft.uses_for(mac):
        siblings = draft.sessions_of(use.grant.id)
        if grants.ended(use, siblings, draft.mono) is not None:
            continue
        if grants.room(draft, use):
            return
        full = full or siblings
    silent = [one for one in full or () if one.dial is None and _ghost_in(draft, one)]
    if any(one.closed is not None for one in full or ()) or not silent:
        return
    longest = min(silent, key=lambda one: one.heard_at)
    draft.say(Notice(code="ghost_left", text=f"{longest.mac} was silent and gave way to {mac}"))
    sessions.close(draft, longest, Why.LEFT)


def gives_way(
    state: State, use: GrantUse, mono: MonotonicMs, *, was: MacAddress = NOBODY
) -> MacAddress | None:
    """Which device a joiner takes the place of; `NOBODY` when one is free; None when none may be.

    ``was`` is what the joiner itself was called before, if that is known.
    """
    devices = tuple(map(MacAddress, use.grant.devices))
    if was in devices and _quiet_ms(state, use, was, mono) >= OWN_SILENT_MS:
        return was  # also while its session is being counted out: it is the same device
    if len(devices) < use.grant.limits.devices_max:
        return NOBODY
    able = [mac for mac in devices if _may_go(state, use, mac, mono)]
    return max(able, key=lambda mac: _quiet_ms(state, use, mac, mono), default=None)


def silence_ms(session: Session, mono: MonotonicMs) -> int:
    """For how long nothing has come from the session's device."""
    return max(0, mono - session.heard_at)


def session_at(state: State, use: GrantUse, mac: MacAddress) -> Session | None:
    """The open session that a device has of this very grant."""
    key = state.index.by_mac.get(mac)
    session = None if key is None else state.sessions[key]
    if session is None or session.closed is not None or session.grant_id != use.grant.id:
        return None
    return session


def last_seen(state: State, mac: MacAddress) -> int | None:
    """When the LAN last showed the device; None when it has not since the agent started."""
    device = state.devices.get(mac)
    if device is None:
        return None
    spells = (*device.ipv4.values(), *device.ipv6.values())
    return max((spell.last_at for spell in spells), default=None)


def _may_go(state: State, use: GrantUse, mac: MacAddress, mono: MonotonicMs) -> bool:
    """Whether a device of the grant must give way to one that asks.

    One without a session does, unless it may be waiting for one that is just being counted out.
    """
    session = session_at(state, use, mac)
    if session is None:
        ids = state.index.by_grant.get(use.grant.id, ())
        return all(state.sessions[key].closed is None for key in ids)
    boot = "" if state.seen is None else state.seen.boot
    seen = mac in state.devices
    return _ghost(session, mono, boot=boot, woke_at=state.woke_at, seen=seen)


def _ghost_in(draft: Draft, session: Session) -> bool:
    seen = session.mac in draft.devices
    boot, woke_at = draft.now.boot, draft.woke_at
    return _ghost(session, draft.mono, boot=boot, woke_at=woke_at, seen=seen)


def _ghost(
    session: Session, mono: MonotonicMs, *, boot: str, woke_at: MonotonicMs, seen: bool
) -> bool:
    """Whether nobody seems to be behind the session any more."""
    silence = silence_ms(session, mono)
    lost = not seen and session.opened_at.boot != boot and session.heard_at <= woke_at
    return silence >= SILENT_MS or (lost and silence >= OWN_SILENT_MS)


def _quiet_ms(state: State, use: GrantUse, mac: MacAddress, mono: MonotonicMs) -> int:
    """How long a device of the grant has been without use of it; for ever without a session.

    Of those without one, the device that the LAN showed longest ago counts as quietest.
    """
    session = session_at(state, use, mac)
    if session is not None:
        return silence_ms(session, mono)
    seen = last_seen(state, mac)
    return _FOR_EVER + (_FOR_EVER if seen is None else mono - seen)


_FOR_EVER = 2**62


def _most(use: GrantUse) -> int:
    return use.grant.limits.devices_max


def _with(devices: Iterable[str], mac: str, old: str) -> tuple[str, ...]:
    """The devices after ``mac`` joined and ``old`` left."""
    return tuple(dict.fromkeys((*(one for one in devices if one != old), mac)))
