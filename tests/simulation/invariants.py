"""What must hold after every step, and what must hold once every fault is mended.

The database is read here by plain SQL on a connection of its own, so that nothing that is under
test has a hand in it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing.metering import Volume
from tests.simulation.world import PRICE

if TYPE_CHECKING:
    from tests.simulation.place import Place
    from tests.simulation.world import World

PUNCTUAL_S = 1.0
"""The kernel ends access on time; what the loop hands it may be this late at most."""


class Broken(AssertionError):
    """An invariant does not hold; the sentence says which, and what was seen."""


@dataclass(slots=True)
class Watcher:
    """Remembers what may only grow."""

    world: World
    readings: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    generations: dict[str, int] = field(default_factory=dict)
    acked: dict[tuple[str, str], int] = field(default_factory=dict)

    def after_each_step(self) -> None:
        """Invariants 1 to 8 of the design, as far as they can be seen at any moment."""
        with _reading(self.world) as db:
            _balances(db)
            _receipts(db)
            self._readings(db)
            self._acks(db)
        for place in self.world.places:
            self._generation(place)
        _quotas(self.world)
        _entitled(self.world)

    def at_the_end(self) -> None:
        """All faults are mended and all is quiet: books and world agree, to the unit."""
        self.after_each_step()
        with _reading(self.world) as db:
            _money(self.world, db)
            _bytes(self.world, db)
            _vouchers(self.world, db)
            _in_step(self.world, db)

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


def _quotas(world: World) -> None:
    """Invariant 5: what passed of a grant at one site is within its quota, to the byte."""
    for place in world.places:
        used: dict[str, int] = {}
        quota: dict[str, int] = {}
        if not place.up:
            continue
        for key, volume in place.box.passed.items():
            grant = place.grants.get(key)
            if grant is not None and grant.quota_bytes is not None:
                used[grant.id] = used.get(grant.id, 0) + volume.total_bytes
                quota[grant.id] = grant.quota_bytes
        for grant_id, total in used.items():
            lost = sum(
                place.box.lost.get(key, Volume()).total_bytes
                for key, grant in place.grants.items()
                if grant.id == grant_id
            )
            if total > quota[grant_id] + lost:
                raise Broken(
                    f"5: {total} bytes passed of grant {grant_id}, whose quota is"
                    f" {quota[grant_id]} ({lost} lost in power cuts)"
                )


def _entitled(world: World) -> None:
    """Invariant 8, and time: nothing passed outside the time that a grant gives."""
    for key, seen in world.passed.items():
        grant = seen.place.grants.get(key)
        if grant is None:
            raise Broken(f"8: {seen.mac} passed under {key}, which no agent ever opened")
        if seen.mac not in grant.devices:
            raise Broken(f"8: {seen.mac} passed on grant {grant.id} of {grant.devices}")
        if grant.validity_s is not None:
            late = seen.last_s - grant.opened_s - grant.validity_s
            if late > PUNCTUAL_S + seen.place.forgiven_s:
                raise Broken(f"8: {seen.mac} passed {late:.1f} s after the end of grant {grant.id}")


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


def _vouchers(world: World, db: sqlite3.Connection) -> None:
    redeemed = db.execute("SELECT count(*) FROM voucher WHERE redeemed_at IS NOT NULL").fetchone()[
        0
    ]
    codes = {code for code, _, _ in world.accepted}
    if redeemed < len(codes):
        raise Broken(f"3: {len(codes)} vouchers were accepted, {redeemed} are in the books")


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
