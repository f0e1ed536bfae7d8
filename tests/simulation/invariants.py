"""What must hold after every step, and what must hold once every fault is mended.

The database is read here by plain SQL on a connection of its own, so that nothing that is under
test has a hand in it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.ids import GrantId, SiteId
from billing.metering import Volume
from shaping.plane import MacAddress
from tests.simulation.virtual import true_wall
from tests.simulation.world import PLANS, PRICE

if TYPE_CHECKING:
    from tests.simulation.place import Place
    from tests.simulation.world import World

PUNCTUAL_S = 1.0
"""The kernel ends access on time; what the loop hands it may be this late at most."""


INTERVAL_S = 6.0
"""Bytes are known to the agent at most this much after they passed."""


STUCK_BYTES = 65_536
"""Less than this may be left of a quota and yet not pass: no burst fits."""


class Broken(AssertionError):  # noqa: N818 - a sentence
    """An invariant does not hold; the sentence says which, and what was seen."""


@dataclass(slots=True)
class Watcher:
    """Remembers what may only grow."""

    world: World
    readings: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    acked: dict[tuple[str, str], int] = field(default_factory=dict)
    bounds: dict[str, int] = field(default_factory=dict)

    def after_each_step(self) -> None:
        """Invariants 1 to 8 of the design, as far as they can be seen at any moment."""
        with _reading(self.world) as db:
            _balances(db)
            _receipts(db)
            self._readings(db)
            self._acks(db)
        for place in self.world.places:
            self._generation(place)
        for place in self.world.places:
            _places(place)
        with _reading(self.world) as db:
            self._quotas(db)
        _entitled(self.world)

    def at_the_end(self) -> None:
        """All faults are mended and all is quiet: books and world agree, to the unit."""
        self.after_each_step()
        with _reading(self.world) as db:
            _money(self.world, db)
            _bytes(self.world, db)
            _codes(self.world, db)
            _in_step(self.world, db)

    def owed(self) -> list[tuple[Place, MacAddress, str]]:
        """Who must be let in now: devices with a grant that is good, with room for all it names."""
        now = true_wall() + timedelta(seconds=60)
        with _reading(self.world) as db:
            rows = db.execute(
                'SELECT g.id, g.devices, s.site_id FROM "grant" g'
                " JOIN grant_site s ON s.grant_id = g.id JOIN plan p ON p.id = g.plan_id"
                " WHERE g.ended_at IS NULL AND g.suspended_at IS NULL"
                " AND (g.valid_until IS NULL OR g.valid_until > ?)"
                " AND (p.quota_bytes IS NULL OR g.used_bytes + ? < p.quota_bytes)"
                " AND (p.uptime_s IS NULL OR g.spent_uptime_s + 60 < p.uptime_s)"
                " AND (SELECT count(*) FROM grant_site o WHERE o.grant_id = g.id) = 1",
                (now.strftime("%Y-%m-%d %H:%M:%S"), STUCK_BYTES),
            ).fetchall()
        room = {plan: limits.devices_max for plan, limits in PLANS.items()}
        sites = {place.site_id: place for place in self.world.places}
        return [
            (sites[SiteId(site)], MacAddress(mac), grant_id)
            for grant_id, devices, site in rows
            if len(devices.split()) <= min(room.values())
            for mac in devices.split()
        ]

    def _readings(self, db: sqlite3.Connection) -> None:
        for session, epoch, down, up in db.execute(
            "SELECT session_id, epoch, down_bytes, up_bytes FROM session_epoch"
        ):
            before = self.readings.get((session, epoch), (0, 0))
            if down < before[0] or up < before[1]:
                raise Broken(f"4: reading of {session} fell from {before} to {(down, up)}")
            self.readings[session, epoch] = down, up

    def _acks(self, db: sqlite3.Connection) -> None:
        committed = {
            (site, journal): seq
            for site, journal, seq in db.execute("SELECT site_id, journal, acked_seq FROM journal")
        }
        for key, seq in committed.items():
            if seq < self.acked.get(key, 0):
                raise Broken(f"7: the ack of {key} went back to {seq}")
            self.acked[key] = seq
        for place in self.world.places:
            if place.up:
                there = committed.get((place.site_id, place.journal.id), 0)
                if place.journal.acked_seq > there:
                    raise Broken(
                        f"7: {place.site_id} forgot records up to {place.journal.acked_seq},"
                        f" the controller has committed {there}"
                    )

    def _quotas(self, db: sqlite3.Connection) -> None:
        """Invariant 5: use stays within what sites were handed, and so within the exposure.

        To the byte where one site has the whole grant; where several share it, each may be late by
        what passes in one metering interval.
        """
        shares: dict[str, list[int]] = {}
        for grant_id, risked, own in db.execute(
            "SELECT grant_id, risked_bytes, own_bytes FROM grant_site"
        ):
            shares.setdefault(grant_id, []).append(max(risked or 0, own))
        for grant_id, sites in _used(self.world).items():
            quota = next(
                grant.quota_bytes or 0
                for place in sites
                for grant in place.grants.values()
                if grant.id == grant_id
            )
            bound, parts = quota, shares.get(grant_id, [])
            if len(parts) > 1:
                self.bounds[grant_id] = max(self.bounds.get(grant_id, quota), sum(parts))
                bound = self.bounds[grant_id] + _burst(self.world, grant_id)
            if sum(sites.values()) > bound:
                raise Broken(
                    f"5: {sum(sites.values())} bytes passed of grant {grant_id}, which has"
                    f" {quota}; its sites may act on {parts}"
                )

    def _generation(self, place: Place) -> None:
        if not place.up:
            return
        now, before = place.loop.state.generation, self.generations.get(place.site_id, 0)
        if now < before:
            raise Broken(f"6: {place.site_id} went back from generation {before} to {now}")
        self.generations[place.site_id] = now


def _reading(world: World) -> _Closing:
    return _Closing(sqlite3.connect(f"file:{world.office.folder / 'lango.db'}?mode=ro", uri=True))


class _Closing:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.close()


def _balances(db: sqlite3.Connection) -> None:
    sums: dict[str, int] = {}
    for source, target, minor in db.execute("SELECT source, target, amount_minor FROM posting"):
        if minor <= 0 or source == target:
            raise Broken(f"1: a posting of {minor} from {source} to {target}")
        sums[source] = sums.get(source, 0) - minor
        sums[target] = sums.get(target, 0) + minor
    if sum(sums.values()):
        raise Broken(f"1: balances sum to {sum(sums.values())}")


def _receipts(db: sqlite3.Connection) -> None:
    twice = db.execute(
        "SELECT receipt, count(*) FROM payment WHERE receipt IS NOT NULL"
        " GROUP BY rail, receipt HAVING count(*) > 1"
    ).fetchall()
    if twice:
        raise Broken(f"2: receipts credited more than once: {twice}")


def _used(world: World) -> dict[str, dict[Place, int]]:
    """Bytes that truly passed of each grant at each site, less those that a power cut took."""
    used: dict[str, dict[Place, int]] = {}
    for place in world.places:
        for key, passed in place.box.passed.items():
            grant = place.grants[key]
            if grant.quota_bytes is not None:
                there = used.setdefault(grant.id, {})
                lost = place.box.lost.get(key, Volume())
                there[place] = there.get(place, 0) + passed.total_bytes - lost.total_bytes
    return used


def _burst(world: World, grant_id: str) -> int:
    """The most that passed of a grant within one metering interval, all its sites together."""
    log = sorted(
        (at, size, key)
        for key, seen in world.passed.items()
        if seen.place.grants[key].id == grant_id
        for at, size in seen.log
    )
    most = 0
    for n, (until, _, _) in enumerate(log):
        within = [size for at, size, _ in log[: n + 1] if until - at <= INTERVAL_S]
        most = max(most, sum(within))
    return most


def _places(place: Place) -> None:
    """No more devices at once than the plan has room for."""
    if not place.up:
        return
    state = place.loop.state
    open_ones: dict[GrantId, int] = {}
    for session in state.sessions.values():
        if session.closed is None:
            open_ones[session.grant_id] = open_ones.get(session.grant_id, 0) + 1
    for grant_id, count in open_ones.items():
        room = state.grants[grant_id].grant.limits.devices_max
        if count > room:
            raise Broken(
                f"5: {count} devices at once on grant {grant_id}, which has room for {room}"
            )


def _entitled(world: World) -> None:
    """Invariant 8, and time: nothing passed outside the time that a grant gives."""
    for key, seen in world.passed.items():
        grant = seen.place.grants.get(key)
        if grant is None:
            raise Broken(f"8: {seen.macs} passed under {key}, which no agent ever opened")
        if not seen.macs <= grant.devices:
            raise Broken(f"8: {seen.macs} passed on grant {grant.id} of {grant.devices}")
        if seen.paused:
            raise Broken(f"8: {seen.macs} passed on grant {grant.id}, which was suspended")
        if grant.validity_s is not None:
            late = seen.last_s - grant.opened_s - grant.validity_s
            if late > PUNCTUAL_S + seen.place.forgiven_s:
                raise Broken(
                    f"8: {seen.macs} passed {late:.1f} s after the end of grant {grant.id}"
                )


def _money(world: World, db: sqlite3.Connection) -> None:
    paid = {
        asked.push.order_id: asked.push.amount.minor
        for asked in world.office.gateway.asked.values()
        if asked.code == "0"
    }
    rows = dict(db.execute("SELECT order_id, state FROM payment"))
    for order in paid:
        if rows.get(order) != "settled":
            raise Broken(f"money: order {order} was paid and is {rows.get(order)}")
    settled = {order for order, state in rows.items() if state == "settled"}
    if settled - paid.keys():
        raise Broken(f"money: settled without payment: {settled - paid.keys()}")
    booked = db.execute(
        "SELECT coalesce(sum(amount_minor), 0) FROM posting WHERE target LIKE 'asset:mpesa:%'"
    ).fetchone()[0]
    if booked != sum(paid.values()):
        raise Broken(f"money: payers paid {sum(paid.values())}, the ledger has {booked}")
    grants = dict(db.execute('SELECT cause_id, count(*) FROM "grant" GROUP BY cause_id'))
    for order in paid:
        if grants.get(order) != 1:
            raise Broken(f"money: order {order} was paid and has {grants.get(order, 0)} grants")
    assert all(amount == PRICE.minor for amount in paid.values())


def _bytes(world: World, db: sqlite3.Connection) -> None:
    booked = {
        session: Volume(down, up)
        for session, down, up in db.execute("SELECT id, down_bytes, up_bytes FROM session")
    }
    for place in world.places:
        for key, passed in place.box.passed.items():
            lost = place.box.lost.get(key, Volume())
            want = Volume(passed.down_bytes - lost.down_bytes, passed.up_bytes - lost.up_bytes)
            if booked.get(str(key), Volume()) != want:
                raise Broken(
                    f"bytes: {place.site_id} passed {want} under {key},"
                    f" the books have {booked.get(str(key))}"
                )


def _codes(world: World, db: sqlite3.Connection) -> None:
    """Invariant 3: a code gives one grant, and every further one is found and booked."""
    (vouchers,) = db.execute("SELECT count(*) FROM voucher WHERE grant_id IS NOT NULL").fetchone()
    (tokens,) = db.execute("SELECT count(*) FROM token WHERE grant_id IS NOT NULL").fetchone()
    doubles, lost = db.execute(
        "SELECT count(*), coalesce(sum(amount_minor), 0) FROM double_redemption"
    ).fetchone()
    (given,) = db.execute(
        'SELECT count(*) FROM "grant" WHERE cause_id NOT IN (SELECT order_id FROM payment)'
    ).fetchone()
    if given != vouchers + tokens + doubles:
        raise Broken(
            f"3: {given} grants were given for {vouchers} vouchers, {tokens} tokens"
            f" and {doubles} that came twice"
        )
    (booked,) = db.execute(
        "SELECT coalesce(sum(amount_minor), 0) FROM posting"
        " WHERE target LIKE 'expense:double-redemption:%'"
    ).fetchone()
    if not booked == lost == doubles * PRICE.minor:
        raise Broken(f"3: {doubles} codes came twice, {booked} is booked as lost")
    codes = {code for code, _, _ in world.accepted if code in world.codes}
    if vouchers + tokens < len(codes):
        raise Broken(f"3: {len(codes)} codes were accepted, {vouchers + tokens} are in the books")


def _in_step(world: World, db: sqlite3.Connection) -> None:
    for place in world.places:
        if place.journal.acked_seq != place.journal.last_seq:
            left = place.journal.last_seq - place.journal.acked_seq
            raise Broken(f"7: {left} records of {place.site_id} never arrived")
        row = db.execute(
            "SELECT generation, digest, applied_generation, applied_digest FROM site WHERE id = ?",
            (place.site_id,),
        ).fetchone()
        if row[:2] != row[2:]:
            raise Broken(
                f"6: {place.site_id} is at {row[2]}, not at {row[0]}, or holds other items"
            )
