"""Devices: which addresses a MAC has, and which of them its session may use. PURE.

A MAC is a hint, not an identity. A session follows its device to a new address only when nobody
else can be meant: the old address is silent, and the MAC is not contested. A MAC is contested for a
while when it shows up behind another bridge port, or when two of its IPv4 addresses are alive.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, TypeVar

from agent.draft import addresses_of
from agent.model import NOWHERE, Device, Notice, Spell
from shaping.one import compact
from shaping.plane import MonotonicMs, Sight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.draft import Draft
    from agent.model import Session
    from shaping.plane import MacAddress, Neighbour

A = TypeVar("A", IPv4Address, IPv6Address)

SILENT_MS = 30_000
"""An address from which nothing came for this long may be left for a new one."""

CONTESTED_MS = 60_000
"""How long a MAC stays contested after the latest sign of a second user."""

COUNT_SLACK_MS = 5_000
"""Bytes are known to have moved only when they are counted: up to this much later."""

IPV4_KEPT_MAX = 4
IPV6_KEPT_MAX = 16
"""Addresses remembered of one device; the one seen longest ago is forgotten first."""

IPV6_USED_MAX = 8
"""IPv6 addresses that one session may use; the one seen longest ago gives way."""


def sighted(draft: Draft, seen: Neighbour) -> None:
    """Take in one sighting; an open session of the device may follow it to a new address."""
    device = draft.devices.get(seen.mac) or Device(mac=seen.mac)
    if seen.sight is Sight.GONE:
        draft.put_device(_without(device, seen.address))
        return
    moved = bool(device.port and seen.port and seen.port != device.port)
    if moved or seen.sight is Sight.MOVED:
        device = _contest(draft, device, f"moved from port {device.port or '?'} to {seen.port}")
    device = replace(device, port=seen.port or device.port)
    if seen.address is not None and _free_for(draft, device, seen.address):
        device = _with(device, seen.address, draft.mono)
    elif seen.address is not None:
        device = _contest(draft, device, f"claims {seen.address}, which is in use")
    draft.put_device(device)
    session = draft.session_of(seen.mac)
    if session is not None and session.closed is None:
        follow(draft, _widen(draft, session, seen.address))


def follow(draft: Draft, session: Session) -> Session:
    """The session after it has followed its device to a new IPv4 address, where that is due."""
    device = draft.devices.get(session.mac)
    if device is None or session.closed is not None or contested(device, draft.mono):
        return session
    if session.ipv4 is not None and draft.mono - session.heard_at < SILENT_MS:
        return session
    fresh = [
        (spell.last_at, address)
        for address, spell in device.ipv4.items()
        if draft.owner(address) is None
        and (session.ipv4 is None or spell.last_at + COUNT_SLACK_MS >= session.heard_at)
    ]
    if not fresh:
        return session
    _, address = max(fresh)
    after = replace(session, ipv4=address, heard_at=draft.mono)
    draft.put_session(after)
    draft.put_device(_without(device, session.ipv4) if session.ipv4 else device)
    return after


def stays(device: Device | None, session: Session) -> bool:
    """Whether there is no other IPv4 address that the session could follow its device to."""
    return device is None or device.ipv4.keys() <= {session.ipv4}


def shared(draft: Draft, session: Session) -> None:
    """Contest the MAC if another of its IPv4s is alive while the session's own is heard."""
    device = draft.devices.get(session.mac)
    if device is None or len(device.ipv4) < 2:  # noqa: PLR2004 - the session's own and another
        return
    for address, spell in device.ipv4.items():
        recent = draft.mono - spell.last_at < CONTESTED_MS
        if address != session.ipv4 and recent and spell.first_at <= session.active_at:
            why = f"is alive at {session.ipv4} and at {address}"
            draft.put_device(_contest(draft, device, why))
            return


def settle_addresses(draft: Draft, session: Session, *, here: bool) -> None:
    """Say where the device of a session that is over is now: where it was, or nobody knows.

    While a session is open the box sights nothing of its addresses: they are pinned.
    """
    device = draft.devices.get(session.mac) or Device(mac=session.mac)
    for address in addresses_of(session):
        seen = _with(device, address, session.active_at)
        device = seen if here else _without(device, address)
    draft.put_device(device)


def usable(
    draft: Draft, mac: MacAddress, *, asked: IPv4Address | IPv6Address | None
) -> tuple[IPv4Address | None, frozenset[IPv6Address]]:
    """The addresses with which a new session of this device may begin; ``asked`` comes first.

    While the MAC is contested only the address that asks is taken, or the only IPv4 there is.
    """
    device = draft.devices.get(mac) or Device(mac=mac)
    free4 = [a for a in device.ipv4 if draft.owner(a) is None]
    free6 = [a for a in device.ipv6 if draft.owner(a) is None and routable(a)]
    if contested(device, draft.mono):
        free4, free6 = free4 if len(device.ipv4) == 1 else [], []
    if asked is not None and draft.owner(asked) is None:
        if isinstance(asked, IPv4Address):
            free4 = [asked]
        elif routable(asked) and asked not in free6:
            free6.append(asked)
    ipv4 = max(free4, key=lambda a: _last(device.ipv4, a), default=None)
    newest = sorted(free6, key=lambda a: _last(device.ipv6, a))[-IPV6_USED_MAX:]
    return ipv4, frozenset(newest) if newest else NOWHERE


def contested(device: Device, mono: MonotonicMs) -> bool:
    """Whether somebody else may be using the MAC now."""
    return device.contested_until is not None and mono < device.contested_until


def routable(address: IPv4Address | IPv6Address) -> bool:
    """Whether packets from this address can leave the site at all."""
    odd = address.is_link_local or address.is_multicast or address.is_loopback
    return not (odd or address.is_unspecified)


def _widen(draft: Draft, session: Session, address: IPv4Address | IPv6Address | None) -> Session:
    """The session with one more IPv6 address, unless somebody else may be behind it."""
    if not isinstance(address, IPv6Address) or not routable(address):
        return session
    device = draft.devices[session.mac]
    if contested(device, draft.mono) or draft.owner(address) is not None:
        return session
    newest = sorted(session.ipv6, key=lambda a: _last(device.ipv6, a))
    kept = newest[1 - IPV6_USED_MAX :] if len(newest) >= IPV6_USED_MAX else newest
    after = replace(session, ipv6=frozenset((*kept, address)))
    draft.put_session(after)
    return after


def _free_for(draft: Draft, device: Device, address: IPv4Address | IPv6Address) -> bool:
    """Whether the address may count as this device's; taken from a device without a session."""
    owner = draft.owner(address)
    if owner is not None:
        return draft.sessions[owner].mac == device.mac
    other = draft.holder(address)
    if other is not None and other != device.mac:
        draft.put_device(_without(draft.devices[other], address))
    return True


def _contest(draft: Draft, device: Device, why: str) -> Device:
    if not contested(device, draft.mono):
        draft.say(Notice(code="mac_contested", text=f"{device.mac} {why}"))
    return replace(device, contested_until=MonotonicMs(draft.mono + CONTESTED_MS))


def _with(device: Device, address: IPv4Address | IPv6Address, mono: MonotonicMs) -> Device:
    if isinstance(address, IPv4Address):
        return replace(device, ipv4=_seen(device.ipv4, address, mono=mono, most=IPV4_KEPT_MAX))
    return replace(device, ipv6=_seen(device.ipv6, address, mono=mono, most=IPV6_KEPT_MAX))


def _seen(
    spells: Mapping[A, Spell], address: A, *, mono: MonotonicMs, most: int
) -> Mapping[A, Spell]:
    first = spells[address].first_at if address in spells else mono
    after = {**spells, address: Spell(first_at=first, last_at=mono)}
    if len(after) > most:
        del after[min(after, key=lambda a: after[a].last_at)]
    return compact(after)


def _without(device: Device, address: IPv4Address | IPv6Address | None) -> Device:
    return replace(
        device,
        ipv4=compact({a: s for a, s in device.ipv4.items() if address not in {None, a}}),
        ipv6=compact({a: s for a, s in device.ipv6.items() if address not in {None, a}}),
    )


def _last(spells: Mapping[A, Spell], address: A) -> int:
    spell = spells.get(address)
    return -1 if spell is None else spell.last_at
