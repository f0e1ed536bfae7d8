"""One desired state for several boxes: each gets the devices in its own networks. PURE.

What is of no one device (pools, walled garden, blocks) is told to every box. So a pool over two
boxes bounds each of them by itself, and a budget over two boxes is enforced by each as if it were
alone: whoever counts them together ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from ipaddress import IPv4Network

    from shaping.plane import Access, Desired, SessionKey


@dataclass(frozen=True, slots=True)
class Split:
    """What each box by its name should do, where each session is at home, and who is nowhere."""

    parts: Mapping[str, Desired]
    homes: Mapping[SessionKey, str]
    homeless: tuple[SessionKey, ...]


def split(
    desired: Desired,
    networks: Mapping[str, Sequence[IPv4Network]],
    held: Mapping[str, Collection[SessionKey]],
    *,
    lines_at: str = "",
) -> Split:
    """The part of each box. ``held`` names the sessions that a box has a meter for.

    Lines are told to the box ``lines_at`` alone.
    A session that moved to another box is closed where it was, so that its last count can be read
    there; one without an address stays where it is held.
    """
    homes: dict[SessionKey, str] = {}
    homeless = []
    for key, access in desired.access.items():
        home = _home(access, networks)
        if home is not None:
            homes[key] = home
        elif access.ipv4 is not None:
            homeless.append(key)
    lineless = replace(desired, lines={})
    parts = {
        name: _part(desired if name == lines_at else lineless, name, homes, held.get(name, ()))
        for name in networks
    }
    return Split(parts, homes, tuple(homeless))


def _home(access: Access, networks: Mapping[str, Sequence[IPv4Network]]) -> str | None:
    if access.ipv4 is None:
        return None
    for name, inside in networks.items():
        if any(access.ipv4 in network for network in inside):
            return name
    return None


def _part(
    desired: Desired, name: str, homes: Mapping[SessionKey, str], held: Collection[SessionKey]
) -> Desired:
    access: dict[SessionKey, Access] = {}
    for key, one in desired.access.items():
        if homes.get(key) == name:
            access[key] = one
        elif key in held:
            access[key] = replace(one, ipv4=None, ipv6=frozenset(), closed=True, pool=None)
    caps = {one.cap for one in access.values()} | {one.cap for one in desired.lines.values()}
    return replace(
        desired,
        access=access,
        caps={key: cap for key, cap in desired.caps.items() if key in caps},
    )
