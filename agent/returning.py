"""How a device gets back to what was paid: its badge, the places of a grant, and moving one.

What a device proved beyond its badge (a code, a phone) is remembered here for ten minutes, so that
it can take a place on the next page. Nothing here outlives the process: the joins themselves are
events, and those are journalled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent import badge as badges
from agent import grants, joining
from agent.joining import NOBODY
from agent.model import Joined
from agent.seldom import Seldom
from portal.captive.gate import PlacesView, PlaceView, Refusal, Welcome
from shaping.plane import MacAddress, MonotonicMs

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.loop import Loop
    from agent.model import GrantUse
    from billing.ids import GrantId

PROVED_MS = 10 * 60_000
"""How long it is remembered that a device proved its right to a grant."""

PUT_OUT_MS = 60 * 60_000
"""How long a device is told that another one has its place."""

MOVES_MAX = 3
MOVES_WINDOW_MS = 10 * 60_000
"""So many moves of one grant in this time: two devices that fight for a place get tired."""

KEPT_MAX = 10_000
TRIES = 2
"""A place that was free may be taken by the time it is asked for; then it is looked once more."""


@dataclass(frozen=True, slots=True)
class _Proved:
    grant_id: GrantId
    at: MonotonicMs


class Returning:
    """Who may use which grant, as far as devices prove it at this site.

    ``ref`` is the short code that stands for a device on pages.
    """

    def __init__(self, *, loop: Loop, key: bytes, ref: Callable[[MacAddress], str]) -> None:
        self._loop = loop
        self._key = key
        self._ref = ref
        self._proved: dict[MacAddress, _Proved] = {}
        self._put_out: dict[MacAddress, tuple[str, MonotonicMs]] = {}
        self._moves = Seldom(MOVES_MAX, MOVES_WINDOW_MS)

    def badge(self, mac: MacAddress) -> str | None:
        """The badge of a device that is online."""
        use = self.used_by(mac)
        return None if use is None else badges.written(self._key, use.grant.id, mac)

    async def come_back(self, mac: MacAddress, badge: str) -> Welcome:
        """Let a device that shows a badge have its place again."""
        use = self._badged(badge)
        if use is None:
            return Welcome.STRANGER
        self.prove(mac, use.grant.id)
        refusal = await self.join(mac, use.grant.id, proof="cookie", was=self._wearer(use, badge))
        return Welcome.IN if refusal is None else Welcome.FULL

    def prove(self, mac: MacAddress, grant_id: GrantId) -> None:
        """The device has shown that it may use the grant."""
        self._proved.pop(mac, None)
        if len(self._proved) >= KEPT_MAX:
            del self._proved[next(iter(self._proved))]
        self._proved[mac] = _Proved(grant_id, self._loop.now().mono)

    async def join(
        self, mac: MacAddress, grant_id: GrantId, *, proof: str, was: MacAddress = NOBODY
    ) -> Refusal | None:
        """Let a device that proved its right in, in place of a silent one if need be."""
        for _ in range(TRIES):
            use = self._live(grant_id)
            if use is None:
                return Refusal.NOT_PROVED
            if mac in use.grant.devices:
                return None
            old = joining.gives_way(self._loop.state, use, self._loop.now().mono, was=was)
            if old is None:
                return Refusal.DEVICES_FULL
            if await self._taken(mac, use, old, proof=proof):
                if old != was:
                    self._told(old, by=mac)
                return None
        return Refusal.DEVICES_FULL

    def places(self, mac: MacAddress, badge: str) -> PlacesView | None:
        """The devices of the grant that the device uses, or proved its right to."""
        use = self._right(mac, badge)
        if use is None:
            return None
        return PlacesView(
            plan_name=use.grant.plan_name,
            devices_max=use.grant.limits.devices_max,
            places=tuple(
                self._place(use, MacAddress(one), mine=one == mac) for one in use.grant.devices
            ),
        )

    async def move(self, mac: MacAddress, device_ref: str, badge: str) -> Refusal | None:
        """Put one device out and this one in; nobody is put out while a place can be had."""
        use = self._right(mac, badge)
        if use is None:
            return Refusal.NOT_PROVED
        devices = map(MacAddress, use.grant.devices)
        old = next((one for one in devices if self._ref(one) == device_ref), None)
        if old is None:
            return Refusal.DEVICE_GONE
        if await self.join(mac, use.grant.id, proof="move") is None:
            return None
        if not self._moves.taken(use.grant.id, self._loop.now().mono):
            return Refusal.MOVED_OFTEN
        if not await self._taken(mac, use, old, proof="move"):
            return Refusal.DEVICE_GONE
        self._told(old, by=mac)
        return None

    def put_out_by(self, mac: MacAddress) -> str:
        """The short code of the device that has taken this one's place lately; or nothing."""
        ref, at = self._put_out.get(mac, ("", MonotonicMs(0)))
        return ref if self._loop.now().mono - at < PUT_OUT_MS else ""

    def used_by(self, mac: MacAddress) -> GrantUse | None:
        """The grant that a device is online with."""
        state = self._loop.state
        key = state.index.by_mac.get(mac)
        session = None if key is None else state.sessions[key]
        if session is None or session.closed is not None:
            return None
        return self._live(session.grant_id)

    def _right(self, mac: MacAddress, badge: str) -> GrantUse | None:
        """The grant that a device may take a place of: the one it uses, or has proved last."""
        used = self.used_by(mac)
        if used is not None:
            return used
        proved = self._proved.get(mac)
        if proved is not None and self._loop.now().mono - proved.at < PROVED_MS:
            use = self._live(proved.grant_id)
            if use is not None:
                return use
        return self._badged(badge)

    def _badged(self, text: str) -> GrantUse | None:
        said = badges.read(self._key, text)
        return None if said is None else self._live(said.grant_id)

    def _wearer(self, use: GrantUse, text: str) -> MacAddress:
        """The MAC that the badge's device had when it got it, if that still has a place."""
        said = badges.read(self._key, text)
        for mac in map(MacAddress, use.grant.devices):
            if said is not None and badges.mark(self._key, use.grant.id, mac) == said.mark:
                return mac
        return NOBODY

    def _live(self, grant_id: GrantId) -> GrantUse | None:
        state = self._loop.state
        use = state.grants.get(grant_id)
        if use is None:
            return None
        siblings = [state.sessions[key] for key in state.index.by_grant.get(grant_id, ())]
        over = grants.ended(use, siblings, self._loop.now().mono) is not None
        return None if over else use

    async def _taken(self, mac: MacAddress, use: GrantUse, old: MacAddress, *, proof: str) -> bool:
        await self._loop.kept(Joined(use.grant.id, mac, old, proof))
        after = self._loop.state.grants.get(use.grant.id)
        taken = after is not None and mac in after.grant.devices and old not in after.grant.devices
        if taken:
            self._put_out.pop(mac, None)
        return taken

    def _told(self, old: MacAddress, *, by: MacAddress) -> None:
        if old == NOBODY:
            return
        if len(self._put_out) >= KEPT_MAX:
            del self._put_out[next(iter(self._put_out))]
        self._put_out[old] = (self._ref(by), self._loop.now().mono)

    def _place(self, use: GrantUse, mac: MacAddress, *, mine: bool) -> PlaceView:
        session = joining.session_at(self._loop.state, use, mac)
        mono = self._loop.now().mono
        return PlaceView(
            device_ref=self._ref(mac),
            mine=mine,
            companion=mac in use.companions,
            quiet_s=None if session is None else joining.silence_ms(session, mono) // 1000,
        )
