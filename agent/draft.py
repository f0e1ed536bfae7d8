"""A working copy of a state while one batch of events is decided. PURE.

`State` is a value: nobody changes it. Copying every mapping for every event would make a batch
quadratic, so a batch is decided on a `Draft`, which copies a mapping once, when first written, and
which keeps the index in step. Nothing outside `agent.decide` ever sees one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Generic, TypeVar

from agent import daytime
from agent.model import Index, State
from shaping.plane import MacAddress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ipaddress import IPv4Address, IPv6Address

    from agent.model import Device, Dial, Effect, GrantUse, Instant, Session
    from billing.ids import GrantId, SessionId
    from shaping.plane import MonotonicMs

K = TypeVar("K")
V = TypeVar("V")

DEVICES_KEPT_MAX = 20_000
"""Devices remembered. Beyond it, devices without a session are forgotten, oldest first."""


class Table(Generic[K, V]):
    """A mapping that is copied at its first change."""

    __slots__ = ("_changed", "_now")

    def __init__(self, before: Mapping[K, V]) -> None:
        self._now: Mapping[K, V] = before
        self._changed: dict[K, V] | None = None

    @property
    def result(self) -> Mapping[K, V]:
        """The mapping as it is now; the very one that came in when nothing was changed."""
        return self._now

    def get(self, key: K) -> V | None:
        """What stands at ``key``, or None."""
        return self._now.get(key)

    def __getitem__(self, key: K) -> V:
        return self._now[key]

    def __contains__(self, key: K) -> bool:
        return key in self._now

    def __len__(self) -> int:
        return len(self._now)

    def __iter__(self) -> Iterator[K]:
        return iter(tuple(self._now))

    def values(self) -> tuple[V, ...]:
        """All values as they are now; safe to change the table while walking them."""
        return tuple(self._now.values())

    def put(self, key: K, value: V) -> None:
        """Set ``key``."""
        self._own()[key] = value

    def drop(self, key: K) -> None:
        """Remove ``key`` if it is there."""
        if key in self._now:
            del self._own()[key]

    def clear(self) -> None:
        """Remove everything."""
        if self._now:
            self._changed = {}
            self._now = self._changed

    def _own(self) -> dict[K, V]:
        if self._changed is None:
            self._changed = dict(self._now)
            self._now = self._changed
        return self._changed


class Draft:
    """One batch's working copy. ``now`` is the moment of the batch; ``effects`` grow in order."""

    def __init__(self, state: State, now: Instant) -> None:
        self.before = state
        self.now = now
        self.effects: list[Effect] = []
        self.generation = state.generation
        self.digest = state.digest
        self.face = state.face
        self.logo = state.logo
        self.works = state.works
        self.garden = state.garden
        self.blocked = state.blocked
        self.asleep_since = state.asleep_since
        self.slept_since = state.slept_since
        self.woke_at = state.woke_at
        self.due_at = state.due_at
        self.counts = state.counts
        self.closing = state.closing
        self.watched = set(state.watched)
        self.ending = set(state.ending)
        self.items = Table(state.items)
        self.offers = Table(state.offers)
        self.grants = Table(state.grants)
        self.sessions = Table(state.sessions)
        self.devices = Table(state.devices)
        self.orders = Table(state.orders)
        self.pools = Table(state.pools)
        self.token_keys = Table(state.token_keys)
        self.slots = Table(state.slots)
        self.chunks = Table(state.chunks)
        self.probes = Table(state.probes)
        self.probed = Table(state.probed)
        self.used = Table(state.used)
        self.tries = Table(state.tries)
        self.logins = Table(state.logins)
        self.hung_up = Table(state.hung_up)
        self.restarts = Table(state.restarts)
        self.shut: list[SessionId] = []
        """Dialled sessions that were closed in this batch."""
        self._by_mac = Table(state.index.by_mac)
        self._by_grant = Table(state.index.by_grant)
        self._owners = Table(state.index.owners)
        self._entitled = Table(state.index.entitled)
        self._holders = Table(state.index.holders)
        self._by_dial = Table(state.index.by_dial)
        self._by_cause = Table(state.index.by_cause)

    @property
    def mono(self) -> MonotonicMs:
        """The batch's moment on the boot-time clock."""
        return self.now.mono

    def say(self, effect: Effect) -> None:
        """Add an effect."""
        self.effects.append(effect)

    def count(self) -> int:
        """The next number of this site's own numbering; never the same twice."""
        self.counts += 1
        return self.counts

    def remind(self, at: MonotonicMs) -> None:
        """Deadlines must be looked at no later than ``at``."""
        self.due_at = min(self.due_at, at)

    def session_of(self, mac: MacAddress) -> Session | None:
        """The one session of a MAC, closing ones included."""
        key = self._by_mac.get(mac)
        return None if key is None else self.sessions[key]

    def sessions_of(self, grant_id: GrantId) -> list[Session]:
        """All sessions of a grant, closing ones included."""
        return [self.sessions[key] for key in self._by_grant.get(grant_id) or ()]

    def owner(self, address: IPv4Address | IPv6Address) -> SessionId | None:
        """Which session has this address."""
        return self._owners.get(address)

    def holder(self, address: IPv4Address | IPv6Address) -> MacAddress | None:
        """Which device was last seen with this address."""
        return self._holders.get(address)

    def uses_for(self, mac: MacAddress) -> list[GrantUse]:
        """Every grant that names this MAC, in order of arrival."""
        found = (self.grants.get(key) for key in self._entitled.get(mac) or ())
        return sorted((use for use in found if use is not None), key=lambda use: use.rank)

    def put_session(self, session: Session) -> None:
        """Write a session and everything that leads to it."""
        old = self.sessions.get(session.id)
        self.sessions.put(session.id, session)
        self.watched.add(session.grant_id)
        if session.dial is not None:
            self._put_dialled(session, session.dial, old)
            return
        if session.closed is not None and (old is None or old.closed is None):
            self.closing += 1
        if old is None:
            assert session.mac not in self._by_mac, "a MAC has at most one session"
            self._by_mac.put(session.mac, session.id)
            others = self._by_grant.get(session.grant_id) or ()
            self._by_grant.put(session.grant_id, (*others, session.id))
        if old is None or (old.ipv4, old.ipv6) != (session.ipv4, session.ipv6):
            for address in addresses_of(old):
                self._owners.drop(address)
            for address in addresses_of(session):
                assert address not in self._owners, "addresses of two sessions never overlap"
                self._owners.put(address, session.id)

    def drop_session(self, session: Session) -> None:
        """Forget a session and everything that leads to it."""
        self.sessions.drop(session.id)
        if session.dial is None:
            self.closing -= session.closed is not None
            self._by_mac.drop(session.mac)
            for address in addresses_of(session):
                self._owners.drop(address)
        else:
            self.ending.discard(session.id)
            if self._by_dial.get(session.dial.place) == session.id:
                self._by_dial.drop(session.dial.place)
        others = tuple(s for s in self._by_grant.get(session.grant_id) or () if s != session.id)
        if others:
            self._by_grant.put(session.grant_id, others)
        else:
            self._by_grant.drop(session.grant_id)

    def put_use(self, use: GrantUse) -> None:
        """Write a grant and for whom it is."""
        old = self.grants.get(use.grant.id)
        self.grants.put(use.grant.id, use)
        self.watched.add(use.grant.id)
        if old is None or old.cause_id != use.cause_id:
            self._uncause(old)
            if stem := _stem(use):
                self._by_cause.put(stem, (*(self._by_cause.get(stem) or ()), use.grant.id))
        if old is None or old.grant.devices != use.grant.devices:
            self._unname(old)
            for mac in use.grant.devices:
                known = self._entitled.get(MacAddress(mac)) or ()
                if use.grant.id not in known:
                    self._entitled.put(MacAddress(mac), (*known, use.grant.id))

    def drop_use(self, use: GrantUse) -> None:
        """Forget a grant."""
        self._unname(use)
        self._uncause(use)
        self.grants.drop(use.grant.id)

    def put_device(self, device: Device) -> None:
        """Write a device and which addresses it holds."""
        old = self.devices.get(device.mac)
        for address in {*_held(old)} - {*_held(device)}:
            if self._holders.get(address) == device.mac:
                self._holders.drop(address)
        for address in {*_held(device)} - {*_held(old)}:
            self._holders.put(address, device.mac)
        if old is None and len(self.devices) >= DEVICES_KEPT_MAX:
            self._forget_one()
        self.devices.put(device.mac, device)

    def result(self) -> State:
        """The state after the batch; the very one before it when nothing changed."""
        index = Index(
            by_mac=self._by_mac.result,
            by_grant=self._by_grant.result,
            owners=self._owners.result,
            entitled=self._entitled.result,
            holders=self._holders.result,
            by_dial=self._by_dial.result,
            by_cause=self._by_cause.result,
        )
        return replace(
            self.before,
            generation=self.generation,
            digest=self.digest,
            face=self.face,
            logo=self.logo,
            works=self.works,
            garden=self.garden,
            blocked=self.blocked,
            items=self.items.result,
            offers=self.offers.result,
            grants=self.grants.result,
            sessions=self.sessions.result,
            devices=self.devices.result,
            orders=self.orders.result,
            pools=self.pools.result,
            token_keys=self.token_keys.result,
            slots=self.slots.result,
            chunks=self.chunks.result,
            probes=self.probes.result,
            probed=self.probed.result,
            used=self.used.result,
            tries=self.tries.result,
            logins=self.logins.result,
            hung_up=self.hung_up.result,
            restarts=self.restarts.result,
            index=index,
            seen=self.now,
            asleep_since=self.asleep_since,
            slept_since=self.slept_since,
            woke_at=self.woke_at,
            due_at=self.due_at,
            counts=self.counts,
            closing=self.closing,
            watched=self.before.watched
            if self.watched == self.before.watched
            else frozenset(self.watched),
            ending=self.before.ending
            if self.ending == self.before.ending
            else frozenset(self.ending),
            minute=daytime.minute(self.now, self.asleep_since),
        )

    def session_at(self, place: str) -> Session | None:
        """The session of a dial, closing ones included."""
        key = self._by_dial.get(place)
        return None if key is None else self.sessions[key]

    def uses_of(self, cause: str) -> list[GrantUse]:
        """Every grant of a cause, in order of arrival."""
        found = (self.grants.get(key) for key in self._by_cause.get(cause) or ())
        return sorted((use for use in found if use is not None), key=lambda use: use.rank)

    def _put_dialled(self, session: Session, dial: Dial, old: Session | None) -> None:
        """Write a session of a NAS: found by its dial, never by what the NAS says of devices."""
        if session.closed is not None and (old is None or old.closed is None):
            self.shut.append(session.id)
            self.ending.add(session.id)
        if old is None:
            self._by_dial.put(dial.place, session.id)
            others = self._by_grant.get(session.grant_id) or ()
            self._by_grant.put(session.grant_id, (*others, session.id))

    def _uncause(self, use: GrantUse | None) -> None:
        if use is None or not (stem := _stem(use)):
            return
        left = tuple(g for g in self._by_cause.get(stem) or () if g != use.grant.id)
        if left:
            self._by_cause.put(stem, left)
        else:
            self._by_cause.drop(stem)

    def _unname(self, use: GrantUse | None) -> None:
        if use is None:
            return
        for mac in map(MacAddress, use.grant.devices):
            left = tuple(g for g in self._entitled.get(mac) or () if g != use.grant.id)
            if left:
                self._entitled.put(mac, left)
            else:
                self._entitled.drop(mac)

    def _forget_one(self) -> None:
        for mac in self.devices:
            if mac not in self._by_mac:
                for address in _held(self.devices[mac]):
                    self._holders.drop(address)
                self.devices.drop(mac)
                return


def _stem(use: GrantUse) -> str:
    """What the grants of one subscription have in common in their causes."""
    return use.cause_id.rpartition(":")[0]


def addresses_of(session: Session | None) -> tuple[IPv4Address | IPv6Address, ...]:
    """The addresses that a session may use."""
    if session is None:
        return ()
    return (*session.ipv6, *(() if session.ipv4 is None else (session.ipv4,)))


def _held(device: Device | None) -> tuple[IPv4Address | IPv6Address, ...]:
    return () if device is None else (*device.ipv4, *device.ipv6)
