"""The grants of billed periods: given, suspended, let pass again, ended; many at once.

Each period of a subscription gives a grant of its own at its site. The one before ends in the same
generation, so that no device is without one in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from controller.store import grant_sites, grants, plans, subscriptions
from controller.usecases.allowances import Told, grant_body
from controller.usecases.giving import Given, Kept, give_many_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.ids import GrantId
    from controller.store.database import Tx
    from controller.store.rows import GrantRow


@dataclass(frozen=True, slots=True)
class New:
    """A grant to give for a period of a subscription that begins at ``start``."""

    subscription_id: str
    subscriber_id: str
    site_id: str
    plan_id: str
    devices: str
    start: datetime
    grant_id: GrantId = field(default_factory=grants.new_id)

    @property
    def given(self) -> Given:
        """The grant: its subscription gives one for each start."""
        return Given(
            cause_id=f"{grants.SUBSCRIPTION}{self.subscription_id}:{_written(self.start)}",
            subscriber_id=self.subscriber_id,
            site_id=self.site_id,
            plan_id=self.plan_id,
            devices=self.devices,
            grant_id=self.grant_id,
        )


@lru_cache(1_024)
def _written(start: datetime) -> str:
    return f"{start:%Y%m%dT%H%M%S%f}"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to become of grants; those named to change may be over already."""

    given: Sequence[New] = ()
    replaced: Sequence[str | None] = ()
    suspended: Sequence[str | None] = ()
    resumed: Sequence[str | None] = ()
    revoked: Sequence[str | None] = ()


@dataclass(frozen=True, slots=True)
class Untold:
    """Grants that are changed, and of which no site has been told yet."""

    told: Told
    kept: Kept

    async def tell(self, tx: Tx) -> set[str]:
        """Tell the sites; those that have news. Locks sites, so it comes late."""
        news = await self.told.write(tx)
        await self.kept.write(tx)
        return set(news)


async def carry_out(tx: Tx, changes: Changes, now: datetime) -> set[str]:
    """Change grants, and tell their sites; those that have news. Locks grants, shares, sites."""
    return await (await changed(tx, changes, now)).tell(tx)


async def changed(tx: Tx, changes: Changes, now: datetime) -> Untold:
    """Change grants, of which their sites are yet to be told. Locks grants and shares."""
    await tx.flush()
    told = Told()
    alive = set(await grants.locked_among(tx, _named(changes)))
    unbound = await _replaced(tx, alive.intersection(changes.replaced), now, told)
    held = await _each_changed(tx, changes, alive - unbound, now)
    shares = await grant_sites.locked(tx, list(held)) if held else {}
    of_plan = await plans.load_many(
        tx, {row.plan_id for row in held.values()} | {new.plan_id for new in changes.given}
    )
    replaced = set(changes.replaced)
    for grant in held.values():
        rows = shares[grant.id]
        for row in rows:
            gone = grant.id in replaced
            body = None if gone else grant_body(grant, of_plan[grant.plan_id], row, rows, now)
            told.add(row, body)
    given = [new.given for new in changes.given]
    return Untold(told, await give_many_in(tx, given, of_plan, now=now, told=told))


def _named(changes: Changes) -> set[str]:
    of_kind = (changes.replaced, changes.suspended, changes.resumed, changes.revoked)
    return {one for ids in of_kind for one in ids if one is not None}


async def _replaced(tx: Tx, grant_ids: set[str], now: datetime, told: Told) -> set[str]:
    """End those of which no site holds a slice: there may be many, and all ends alike."""
    places = await grant_sites.unbound_among(tx, grant_ids)
    await grants.end_many(tx, places, now=now, reason="renewed")
    for grant_id, site_ids in places.items():
        for site_id in site_ids:
            told.put(site_id, grant_id, None)
    return set(places)


async def _each_changed(
    tx: Tx, changes: Changes, names: set[str], now: datetime
) -> dict[str, GrantRow]:
    """The grants that change, locked and changed, by id; those that are over are left."""
    held = {row.id: row for row in await subscriptions.grants_locked(tx, names)} if names else {}
    for grant_id in changes.replaced:
        _end(held, grant_id, now, "renewed")
    for grant_id in changes.revoked:
        _end(held, grant_id, now, "revoked")
    for at, ids in ((now, changes.suspended), (None, changes.resumed)):
        for grant_id in ids:
            if grant_id in held:
                held[grant_id].suspended_at = at
    return held


def _end(held: dict[str, GrantRow], grant_id: str | None, now: datetime, reason: str) -> None:
    if grant_id in held:
        held[grant_id].ended_at, held[grant_id].ended_reason = now, reason
