"""Televisions and consoles: devices without a browser, which a phone that is online connects.

Nobody is shown other people's phones: only devices that are captive, were seen just now, and have
never opened the portal; those that hide who made them come last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import grants, joining
from agent.model import COMPANION, Joined
from agent.seldom import Seldom
from portal.captive.gate import Refusal, ScreenlessView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.loop import Loop
    from agent.returning import Returning
    from shaping.plane import MacAddress

SEEN_MS = 5 * 60_000
SHOWN_MAX = 10
WINDOW_MS = 15 * 60_000
LOOKS_MAX = 30
"""Lists shown to one device in the window."""

CONNECTS_MAX = 5
"""Devices that one device connects in the window."""

BROWSERS_KEPT_MAX = 20_000
LOCAL_BIT = 0b10
"""Set in the first byte of a MAC that its device made up, as phones do."""


class Companions:
    """What a phone that is online may connect and take off again."""

    def __init__(
        self,
        *,
        loop: Loop,
        returning: Returning,
        ref: Callable[[MacAddress], str],
    ) -> None:
        self._loop = loop
        self._returning = returning
        self._ref = ref
        self._browsers: dict[MacAddress, None] = {}
        self._looks = Seldom(LOOKS_MAX, WINDOW_MS)
        self._connects = Seldom(CONNECTS_MAX, WINDOW_MS)

    def opened(self, mac: MacAddress) -> None:
        """The device has a browser: it opened the portal."""
        if mac not in self._browsers and len(self._browsers) >= BROWSERS_KEPT_MAX:
            del self._browsers[next(iter(self._browsers))]
        self._browsers[mac] = None

    def nearby(self, mac: MacAddress) -> Sequence[ScreenlessView] | Refusal:
        """What the device at ``mac`` may connect."""
        if self._returning.used_by(mac) is None:
            return Refusal.NOT_PROVED
        if not self._looks.taken(mac, self._loop.now().mono):
            return Refusal.TOO_MANY_TRIES
        return [self._view(one) for one in self._candidates()]

    async def connect(self, mac: MacAddress, device_ref: str) -> Refusal | None:
        """Connect a device that is shown; in place of the one that asks when no place is free."""
        use, mono = self._returning.used_by(mac), self._loop.now().mono
        if use is None:
            return Refusal.NOT_PROVED
        found = next((one for one in self._candidates() if self._ref(one) == device_ref), None)
        if found is None:
            return Refusal.DEVICE_GONE
        if not self._connects.taken(mac, mono):
            return Refusal.TOO_MANY_TRIES
        gives_way = joining.gives_way(self._loop.state, use, mono)
        old = mac if gives_way is None else gives_way
        await self._loop.kept(Joined(use.grant.id, found, old, COMPANION))
        after = self._loop.state.grants[use.grant.id]
        return None if found in after.grant.devices else Refusal.DEVICES_FULL

    async def release(self, mac: MacAddress, device_ref: str) -> Refusal | None:
        """Take a companion off the grant again."""
        use = self._returning.used_by(mac)
        if use is None:
            return Refusal.NOT_PROVED
        found = next((one for one in use.companions if self._ref(one) == device_ref), None)
        if found is None:
            return Refusal.DEVICE_GONE
        await self._loop.kept(Joined(use.grant.id, mac, found, COMPANION))
        return None

    def _candidates(self) -> list[MacAddress]:
        state, mono = self._loop.state, self._loop.now().mono
        customers = {note.mac for note in state.orders.values()}
        found = []
        for mac in state.devices:
            if mac in state.index.by_mac or mac in self._browsers or mac in customers:
                continue
            seen = joining.last_seen(state, mac)
            if seen is not None and mono - seen <= SEEN_MS and not self._entitled(mac):
                found.append((_made_up(mac), -seen, mac))
        return [mac for _, _, mac in sorted(found)[:SHOWN_MAX]]

    def _entitled(self, mac: MacAddress) -> bool:
        state, mono = self._loop.state, self._loop.now().mono
        return any(
            grants.ended(state.grants[key], (), mono) is None
            for key in state.index.entitled.get(mac, ())
        )

    def _view(self, mac: MacAddress) -> ScreenlessView:
        return ScreenlessView(device_ref=self._ref(mac), address_end=mac[-5:].upper())


def _made_up(mac: MacAddress) -> bool:
    """Whether the device made its MAC up, and so hides who made it."""
    return bool(int(mac[:2], 16) & LOCAL_BIT)
