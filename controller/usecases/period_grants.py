"""The grants of billed periods: given, suspended, let pass again, ended; many at once.

Each period of a subscription gives a grant of its own at its site. The one before ends in the same
generation, so that no device is without one in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing.ids import GrantId, SiteId
from controller.store import billing_bulk, grant_sites, grants, plans, subscriptions
from controller.store.rows import GrantRow, GrantSiteRow
from controller.usecases.allowances import Told, grant_body, resliced

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.store.database import Tx
    from controller.store.rows import PlanRow


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
        return f"sub:{self.subscription_id}:{self.start:%Y%m%dT%H%M%S%f}"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to become of grants; those named to change may be over already."""

    given: Sequence[New] = ()
    replaced: Sequence[str | None] = ()
    suspended: Sequence[str | None] = ()
    resumed: Sequence[str | None] = ()
    revoked: Sequence[str | None] = ()


async def carry_out(tx: Tx, changes: Changes, now: datetime) -> set[str]:
    """Change grants, and tell their sites; those that have news. Locks grants, shares, sites."""
    await tx.flush()
    told = Told()
    held = await _changed(tx, changes, now)
    shares = await grant_sites.locked(tx, list(held)) if held else {}
    given = [_row(new, now) for new in changes.given]
    of_plan = await plans.load_many(tx, {row.plan_id for row in (*held.values(), *given)})
    replaced = set(changes.replaced)
    for grant in held.values():
        rows = shares[grant.id]
        for row in rows:
            gone = grant.id in replaced
            body = None if gone else grant_body(grant, of_plan[grant.plan_id], row, rows, now)
            told.add(row, body)
    await billing_bulk.write(tx, GrantRow, [billing_bulk.values_of(row) for row in given])
    brought = await _brought(tx, given, of_plan, now, told)
    news = await told.write(tx)
    await billing_bulk.write(tx, GrantSiteRow, [billing_bulk.values_of(row) for row in brought])
    return set(news)


async def _changed(tx: Tx, changes: Changes, now: datetime) -> dict[str, GrantRow]:
    """The grants that change, locked and changed, by id; those that are over are left."""
    of_kind = (changes.replaced, changes.suspended, changes.resumed, changes.revoked)
    names = {one for ids in of_kind for one in ids if one is not None}
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
    tx: Tx, given: Sequence[GrantRow], of_plan: dict[str, PlanRow], now: datetime, told: Told
) -> list[GrantSiteRow]:
    """The shares of new grants at their sites, sliced and told, not written yet."""
    shares = {grant.id: [_share(grant)] for grant in given}
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


def _row(new: New, now: datetime) -> GrantRow:
    return GrantRow(
        id=new.grant_id,
        site_id=new.site_id,
        subscriber_id=new.subscriber_id,
        plan_id=new.plan_id,
        cause_id=new.cause_id,
        devices=new.devices,
        created_at=now,
        started_at=None,
        valid_until=None,
        ended_at=None,
        ended_reason=None,
        spent_validity_s=0,
        spent_uptime_s=0,
        used_bytes=0,
        suspended_at=None,
        proofs=None,
    )


def _share(grant: GrantRow) -> GrantSiteRow:
    return GrantSiteRow(
        grant_id=grant.id,
        site_id=grant.site_id,
        generation=0,
        handed_bytes=None,
        risked_bytes=None,
        handed_uptime_s=None,
        own_bytes=0,
        own_uptime_s=0,
        own_validity_s=0,
    )
