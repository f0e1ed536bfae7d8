"""What must hold after every step, and what must hold once every fault is mended.

The database is read here by plain SQL on a connection of its own, so that nothing that is under
test has a hand in it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.model import VoucherMark
from billing.ids import GrantId, SiteId
from billing.metering import Volume
from shaping.plane import CapKey, MacAddress
from tests.simulation.virtual import true_wall
from tests.simulation.world import PRICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.place import Place
    from tests.simulation.world import World

STUCK_BYTES = 65_536
"""Less than this may be left of a quota and yet not pass: no burst fits."""

MARGIN_S = 60
"""Who has at least so much time left is let in."""

DOWN_S = 180
"""A site that was silent for so long is taken to be cut off: what it holds may be lent again."""

DOUBTS = ("redemption_doubtful", "foreign_session", "record_unreadable", "provider_id_differs")
"""What the controller says of sites and of M-PESA when they do wrong: here none ever does."""


class Broken(AssertionError):  # noqa: N818 - a sentence
    """An invariant does not hold; the sentence says which, and what was seen."""


class Unsettled(Broken):
    """Money was paid that is not in the books."""


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
        faults = [*self.world.faults, *self.world.office.faults]
        if faults:
            raise Broken(faults[0])
        _prompts(self.world)
        with closing(_reading(self.world)) as db:
            _balances(db)
            _receipts(db)
            _settled(self.world, db)
            _codes(db)
            _doubts(db)
            self._readings(db)
            self._acks(db)
            self._quotas(db)
            _handed(self.world, db)
            _booked(self.world, db)
        for place in self.world.places:
            self._generation(place)
            _places(place)

    def at_the_end(self) -> None:
        """All faults are mended and all is quiet: books and world agree, to the unit."""
        with closing(_reading(self.world)) as db:
            _money(self.world, db)
            _bytes(self.world, db)
            _taken(self.world, db)
            _in_step(self.world, db)

    def knows(self, provider_id: str) -> bool:
        """Whether the controller has heard how M-PESA calls a payment."""
        with closing(_reading(self.world)) as db:
            row = db.execute("SELECT 1 FROM payment WHERE provider_id = ?", (provider_id,))
            return row.fetchone() is not None

    def owed(self, *, end: bool = False) -> list[tuple[Place, MacAddress, str]]:
        """Who must be let in now: devices alone on a grant that is good, by what truly passed.

        At the ``end`` also those that never came in yet.
        """
        with closing(_reading(self.world)) as db:
            rows = db.execute(
                'SELECT g.id, g.devices, g.site_id, g.plan_id FROM "grant" g'
                " JOIN grant_site s ON s.grant_id = g.id GROUP BY g.id HAVING count(*) = 1"
            ).fetchall()
            shared = db.execute(
                "SELECT grant_id FROM grant_site GROUP BY grant_id HAVING count(*) > 1"
            ).fetchall()
        known = dict(_latest(self.world))
        untouched = known.keys() - {grant_id for (grant_id,) in shared}
        owners = {grant_id: known[grant_id] for grant_id in untouched}
        if end:
            sites = {place.site_id: place for place in self.world.places}
            for grant_id, devices, site, _ in rows:
                owners.setdefault(grant_id, (sites[SiteId(site)], frozenset(devices.split())))
        return [
            (place, MacAddress(mac), grant_id)
            for grant_id, (place, macs) in sorted(owners.items())
            if len(macs) == 1 and place.able and self._good(grant_id, place)
            for mac in macs
        ]

    def _good(self, grant_id: str, place: Place) -> bool:
        """Whether a grant has something left that nobody took from it."""
        if grant_id in self.world.staffed or place.lost_track:
            return False
        grants = [(key, one) for key, one in place.grants.items() if one.id == grant_id]
        if not grants:
            return True
        now, (_, first) = asyncio.get_running_loop().time(), grants[0]
        lasts = [one for one in (first.validity_s, first.uptime_s) if one is not None]
        used = sum(place.box.passed.get(key, Volume()).total_bytes for key, _ in grants)
        return all(now + MARGIN_S < first.opened_s + one for one in lasts) and (
            first.quota_bytes is None or used + STUCK_BYTES < first.quota_bytes
        )

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
                bound = self.bounds[grant_id] + self.world.bursts[grant_id].most_bytes
            bound += sum(place.box.spilled.get(CapKey(grant_id), 0) for place in sites)
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


def _reading(world: World) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{world.office.folder / 'lango.db'}?mode=ro", uri=True)


def _latest(world: World) -> Iterator[tuple[str, tuple[Place, frozenset[str]]]]:
    """The devices of each grant that was ever used, as its agent last named them."""
    for place in world.places:
        for grant in place.grants.values():
            yield grant.id, (place, grant.latest)


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


def _prompts(world: World) -> None:
    """Nobody is asked twice for the same order."""
    pushes = world.office.gateway.pushes
    if len({push.order_id for push in pushes}) < len(pushes):
        raise Broken("money: somebody was asked twice for the same order")


def _settled(world: World, db: sqlite3.Connection) -> None:
    """What was settled was truly paid, is in the ledger, and gave one grant."""
    paid = {one.push.order_id for one in world.office.gateway.asked.values() if one.code == "0"}
    given = db.execute(
        'SELECT order_id, (SELECT count(*) FROM "grant" WHERE cause_id = order_id)'
        " FROM payment WHERE state = 'settled'"
    ).fetchall()
    for order, count in given:
        if order not in paid:
            raise Broken(f"money: order {order} was settled without payment")
        if count != 1:
            raise Broken(f"money: order {order} was paid and has {count} grants")
    booked = db.execute(
        "SELECT coalesce(sum(amount_minor), 0) FROM posting WHERE target LIKE 'asset:mpesa:%'"
    ).fetchone()[0]
    if booked != len(given) * PRICE.minor:
        raise Broken(f"money: {len(given)} payments are settled, the ledger has {booked}")


def _doubts(db: sqlite3.Connection) -> None:
    """Sites that do right are never told that they do wrong."""
    marks = ", ".join("?" * len(DOUBTS))
    doubt = db.execute(f"SELECT text FROM notice WHERE code IN ({marks})", DOUBTS).fetchone()  # noqa: S608 - question marks
    if doubt is not None:
        raise Broken(f"staff were told: {doubt[0]}")


def _handed(world: World, db: sqlite3.Connection) -> None:
    """Invariant 5: while every site of a grant answers, their slices together are no more than it.

    Beyond it may be what was used before a site heard that its slice became smaller. A site that is
    or was cut off, by the controller's clock, excuses: what it held is lent again.
    """
    used = {grant_id: sum(sites.values()) for grant_id, sites in _used(world).items()}
    silent = (true_wall() - timedelta(seconds=DOWN_S)).strftime("%Y-%m-%d %H:%M:%S")
    rows = db.execute(
        "SELECT h.grant_id, p.quota_bytes, sum(h.handed_bytes) FROM grant_site h"
        ' JOIN "grant" g ON g.id = h.grant_id JOIN plan p ON p.id = g.plan_id'
        " WHERE p.quota_bytes IS NOT NULL AND NOT EXISTS (SELECT 1 FROM grant_site s"
        " JOIN site i ON i.id = s.site_id WHERE s.grant_id = h.grant_id AND"
        " (i.last_seen_at < ? OR EXISTS (SELECT 1 FROM outage o WHERE o.site_id = i.id)))"
        " GROUP BY h.grant_id",
        (silent,),
    )
    for grant_id, quota, handed in rows:
        if handed is not None and handed > quota + used.get(grant_id, 0):
            raise Broken(f"5: {handed} bytes of grant {grant_id} are handed out, it has {quota}")


def _booked(world: World, db: sqlite3.Connection) -> None:
    """Invariant 4: the books never have more than passed."""
    passed = {str(key): one for place in world.places for key, one in place.box.passed.items()}
    for session, down, up in db.execute("SELECT id, down_bytes, up_bytes FROM session"):
        truly = passed.get(session, Volume())
        if down > truly.down_bytes or up > truly.up_bytes:
            raise Broken(f"4: {session} has {down} and {up} in the books, and used {truly}")


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


def _money(world: World, db: sqlite3.Connection) -> None:
    rows = dict(db.execute("SELECT order_id, state FROM payment"))
    for asked in world.office.gateway.asked.values():
        order = asked.push.order_id
        if asked.code == "0" and rows.get(order) != "settled":
            raise Unsettled(f"money: order {order} was paid and is {rows.get(order)}")


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


def _codes(db: sqlite3.Connection) -> None:
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


def _taken(world: World, db: sqlite3.Connection) -> None:
    """Every code that was accepted somewhere is in the books, and twice if it was taken twice."""
    (known,) = db.execute(
        "SELECT (SELECT count(*) FROM voucher WHERE grant_id IS NOT NULL)"
        " + (SELECT count(*) FROM token WHERE grant_id IS NOT NULL)"
    ).fetchone()
    codes = {code for code, _, _ in world.accepted if code in world.codes}
    if known < len(codes):
        raise Broken(f"3: {len(codes)} codes were accepted, {known} are in the books")
    (doubles,) = db.execute("SELECT count(*) FROM double_redemption").fetchone()
    taken = [
        {one for one in place.redeemed if isinstance(one, VoucherMark)} for place in world.places
    ]
    twice = set.intersection(*taken)
    if doubles < len(twice):
        raise Broken(f"3: {len(twice)} codes were taken at both sites, {doubles} are booked")


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
