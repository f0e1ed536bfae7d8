"""New grants, many at once: kept, handed out in slices where a limit is counted at sites, and told.

For one alone there is `grants.give_in`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing.grant import Grant
from billing.ids import GrantId, PlanId, SiteId
from billing.quota import UNBOUND, UNUSED
from controller.edge import wire
from controller.limits import limits_of
from controller.store import bulk_rows, grants
from controller.store.rows import GrantRow, GrantSiteRow
from controller.usecases.allowances import first_slices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from billing.quota import Allowance
    from controller.store.database import Tx
    from controller.store.rows import PlanRow
    from controller.usecases.allowances import Told


@dataclass(frozen=True, slots=True)
class Given:
    """A grant to give for a cause, which gives once. ``devices`` stand with spaces between them.

    ``proofs`` are those of the codes that bought it, one after the other.
    """

    cause_id: str
    subscriber_id: str | None
    site_id: str
    plan_id: str
    devices: str
    proofs: bytes | None = None
    grant_id: GrantId = field(default_factory=grants.new_id)


@dataclass(frozen=True, slots=True)
class Kept:
    """Shares of new grants that wait until their sites are told: they say in which generation."""

    sliced: Sequence[Given]
    slices: Mapping[tuple[str, str], Allowance]
    told: Told

    async def write(self, tx: Tx) -> None:
        """Write them, after the items."""
        rows = [
            _share(new, self.slices[new.plan_id, new.site_id], self.told.generations[site_id])
            for new in self.sliced
            for site_id in (SiteId(new.site_id),)
        ]
        await bulk_rows.write(tx, GrantSiteRow, rows)


async def give_many_in(
    tx: Tx, given: Sequence[Given], of_plan: Mapping[str, PlanRow], *, now: datetime, told: Told
) -> Kept:
    """Keep new grants; ``told`` gets their items. The caller writes that, then the shares."""
    await bulk_rows.write(tx, GrantRow, [_row(new, now) for new in given])
    places = {(new.plan_id, new.site_id) for new in given}
    slices = await first_slices(tx, places, of_plan, now)
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
        body = wire.grant_body(
            grant,
            UNUSED,
            cause_id=new.cause_id,
            allowance=slices[new.plan_id, new.site_id],
            pool_id=plan.pool_id or "",
            proofs=new.proofs or b"",
        )
        told.put(new.site_id, new.grant_id, body)
    whole = [new for new in given if slices[new.plan_id, new.site_id] == UNBOUND]
    await bulk_rows.write(tx, GrantSiteRow, [_share(new, UNBOUND, 0) for new in whole])
    sliced = [new for new in given if slices[new.plan_id, new.site_id] != UNBOUND]
    return Kept(sliced, slices, told)


def _row(new: Given, now: datetime) -> bulk_rows.Values:
    """A new grant as it is kept, in the order of the columns."""
    started_at = valid_until = ended_at = ended_reason = suspended_at = None
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
        new.proofs,
    )


def _share(new: Given, handed: Allowance, generation: int) -> bulk_rows.Values:
    """A grant's share at its site, of which nothing is used; at risk is what was handed."""
    own_bytes = own_uptime_s = own_validity_s = 0
    return (
        new.grant_id,
        new.site_id,
        generation if handed.bytes is not None else 0,
        handed.bytes,
        handed.bytes,
        handed.uptime_s,
        own_bytes,
        own_uptime_s,
        own_validity_s,
    )
