"""New grants, many at once: kept, handed out in slices where a limit is counted at sites, and told.

For one alone there is `grants.give_in`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from billing.grant import Grant, Spent
from billing.ids import GrantId, PlanId, SiteId
from controller.edge import wire
from controller.limits import limits_of
from controller.store import bulk_rows, grants
from controller.store.rows import GrantRow, GrantSiteRow
from controller.usecases.allowances import Shares, Told, grant_body, is_bound, resliced_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.store.database import Tx
    from controller.store.rows import PlanRow, Row


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
    """Shares of new grants that are still to be written, after their sites' items."""

    sliced: Sequence[GrantSiteRow]
    whole: Sequence[bulk_rows.Values]

    async def write(self, tx: Tx) -> None:
        """Write them: those that are sliced know by now in which generation they stand."""
        rows = [bulk_rows.values_of(row) for row in self.sliced]
        await bulk_rows.write(tx, GrantSiteRow, [*rows, *self.whole])


async def give_many_in(
    tx: Tx, given: Sequence[Given], of_plan: Mapping[str, PlanRow], *, now: datetime, told: Told
) -> Kept:
    """Keep new grants; ``told`` gets their items. The caller writes that, then the shares."""
    await bulk_rows.write(tx, GrantRow, [_row(new, now) for new in given])
    bound = [new for new in given if is_bound(of_plan[new.plan_id])]
    sliced = await _sliced(tx, bound, of_plan, now, told)
    whole = [new for new in given if not is_bound(of_plan[new.plan_id])]
    _tell(whole, of_plan, told)
    return Kept(sliced, [_share(new) for new in whole])


async def _sliced(
    tx: Tx, bound: Sequence[Given], of_plan: Mapping[str, PlanRow], now: datetime, told: Told
) -> list[GrantSiteRow]:
    """The shares of new grants that are handed out in slices, sliced and told, not written yet."""
    held: dict[str, GrantRow] = {
        new.grant_id: GrantRow(**_by_column(GrantRow, _row(new, now))) for new in bound
    }
    shares: Shares = {
        new.grant_id: [GrantSiteRow(**_by_column(GrantSiteRow, _share(new)))] for new in bound
    }
    places: dict[str, SiteId] = {
        grant_id: SiteId(grant.site_id) for grant_id, grant in held.items()
    }
    slices = Told()  # what is told of it, is told below
    await resliced_at(tx, held, of_plan, shares, places=places, now=now, told=slices)
    for grant_id, grant in held.items():
        (row,) = shares[grant_id]
        told.add(row, grant_body(grant, of_plan[grant.plan_id], row, [row], now))
    return [row for rows in shares.values() for row in rows]


def _tell(given: Sequence[Given], of_plan: Mapping[str, PlanRow], told: Told) -> None:
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
        body = wire.grant_body(
            grant,
            Spent(),
            cause_id=new.cause_id,
            pool_id=plan.pool_id or "",
            proofs=new.proofs or b"",
        )
        told.put(new.site_id, new.grant_id, body)


def _by_column(row: type[Row], values: bulk_rows.Values) -> dict[str, Any]:
    return dict(zip(bulk_rows.columns_of(row), values, strict=True))


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


def _share(new: Given) -> bulk_rows.Values:
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
