"""The grants of billed periods: given, suspended, let pass again, ended; many at once.

Each period of a subscription gives a grant of its own at its site. The one before ends in the same
generation, so that no device is without one in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from billing.grant import Grant, Spent
from billing.ids import GrantId, PlanId, SiteId
from controller.edge import wire
from controller.limits import limits_of
from controller.store import bulk_rows, grant_sites, grants, plans, subscriptions
from controller.store.rows import GrantRow, GrantSiteRow
from controller.usecases.allowances import Shares, Told, grant_body, is_bound, resliced

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.store.database import Tx
    from controller.store.rows import PlanRow, Row


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
    def cause_id(self) -> str:
        """What gives it, once."""
        return f"sub:{self.subscription_id}:{_written(self.start)}"


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
    sliced: Sequence[GrantSiteRow]

    async def tell(self, tx: Tx) -> set[str]:
        """Tell the sites; those that have news. Locks sites, so it comes late."""
        news = await self.told.write(tx)
        await bulk_rows.write(tx, GrantSiteRow, [bulk_rows.values_of(row) for row in self.sliced])
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
    bound = [new for new in changes.given if is_bound(of_plan[new.plan_id])]
    whole = [new for new in changes.given if not is_bound(of_plan[new.plan_id])]
    await bulk_rows.write(tx, GrantRow, [_row(new, now) for new in changes.given])
    await bulk_rows.write(tx, GrantSiteRow, [_share(new) for new in whole])
    sliced = await _brought(tx, bound, of_plan, now, told)
    _tell_new(whole, of_plan, told)
    return Untold(told, sliced)


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


async def _brought(
    tx: Tx, bound: Sequence[New], of_plan: dict[str, PlanRow], now: datetime, told: Told
) -> list[GrantSiteRow]:
    """The shares of new grants that are handed out in slices, sliced and told, not written yet."""
    given = [GrantRow(**_by_column(GrantRow, _row(new, now))) for new in bound]
    shares: Shares = {
        new.grant_id: [GrantSiteRow(**_by_column(GrantSiteRow, _share(new)))] for new in bound
    }
    by_site: dict[str, dict[str, GrantRow]] = {}
    for grant in given:
        by_site.setdefault(grant.site_id, {})[grant.id] = grant
    sliced = Told()
    for site_id, held in by_site.items():
        await resliced(tx, held, of_plan, shares, site_id=SiteId(site_id), now=now, told=sliced)
    for grant in given:
        (row,) = shares[grant.id]
        told.add(row, grant_body(grant, of_plan[grant.plan_id], row, [row], now))
    return [row for rows in shares.values() for row in rows]


def _tell_new(given: Sequence[New], of_plan: dict[str, PlanRow], told: Told) -> None:
    """Tell sites of new grants that are not handed out in slices, and of which nothing is spent."""
    limits = {name: limits_of(plan) for name, plan in of_plan.items()}
    for new in given:
        plan = of_plan[new.plan_id]
        grant = Grant(
            id=new.grant_id,
            plan_id=PlanId(plan.id),
            plan_name=plan.name,
            limits=limits[plan.id],
            devices=tuple(new.devices.split()),
        )
        body = wire.grant_body(grant, Spent(), cause_id=new.cause_id, pool_id=plan.pool_id or "")
        told.put(new.site_id, new.grant_id, body)


def _by_column(row: type[Row], values: bulk_rows.Values) -> dict[str, Any]:
    return dict(zip(bulk_rows.columns_of(row), values, strict=True))


def _row(new: New, now: datetime) -> bulk_rows.Values:
    """A new grant as it is kept, in the order of the columns."""
    started_at = valid_until = ended_at = ended_reason = suspended_at = proofs = None
    spent_validity_s = spent_uptime_s = used_bytes = 0
    return (
        new.grant_id,
        new.site_id,
        new.subscriber_id,
        new.plan_id,
        new.cause_id,
        new.devices,
        now,
        started_at,
        valid_until,
        ended_at,
        ended_reason,
        spent_validity_s,
        spent_uptime_s,
        used_bytes,
        suspended_at,
        proofs,
    )


def _share(new: New) -> bulk_rows.Values:
    """Its share at its site, of which nothing is handed out."""
    generation = own_bytes = own_uptime_s = own_validity_s = 0
    handed_bytes = risked_bytes = handed_uptime_s = None
    return (
        new.grant_id,
        new.site_id,
        generation,
        handed_bytes,
        risked_bytes,
        handed_uptime_s,
        own_bytes,
        own_uptime_s,
        own_validity_s,
    )
