"""Slices of grants: what each site may spend unasked, and what it is told of a grant.

The rule is `billing.quota.handed_out`; here it is fed with what sites have reported, and its answer
is kept and told. A slice is looked at when its site reports readings, when the grant is brought to
a site, and when a site comes back; an item changes only when its slice does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.ids import SiteId
from billing.quota import (
    UNBOUND,
    UNUSED,
    Allowance,
    Share,
    exposure_bytes,
    handed_out,
    late_bytes,
)
from controller.edge import wire
from controller.limits import limits_of
from controller.store import grant_sites, grants, items, notices, sites
from controller.usecases import outages

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from billing.grant import Spent
    from billing.plan import Limits
    from controller.store.database import Tx
    from controller.store.rows import GrantRow, GrantSiteRow, PlanRow

METERING_INTERVAL_S = 5
"""A site counts, and may cut off, at least this often."""

SECOND = timedelta(seconds=1)

Shares = dict[str, list["GrantSiteRow"]]
"""Each grant's shares, by the grant's id."""

Wanted = dict[SiteId, dict[str, bytes | None]]
"""Items to put, by site."""


@dataclass(slots=True)
class Told:
    """What sites are to be told in this transaction: items, and the shares that stand in them.

    ``asked`` are items that a site must hear of in any case: when they do not stand, as removals.
    """

    wanted: Wanted = field(default_factory=dict)
    asked: dict[SiteId, set[str]] = field(default_factory=dict)
    shares: list[GrantSiteRow] = field(default_factory=list)
    generations: dict[SiteId, int] = field(default_factory=dict)
    """After `write`: the new generation of each site that moved on."""

    def add(self, share: GrantSiteRow, body: bytes | None) -> None:
        """Tell a share's site its grant as it now is."""
        self.put(share.site_id, share.grant_id, body)
        self.shares.append(share)

    def put(self, site_id: str, grant_id: str, body: bytes | None) -> None:
        """Tell a site a grant of which it holds no slice; None: no more."""
        self.wanted.setdefault(SiteId(site_id), {})[item_key(grant_id)] = body

    def answer(self, site_id: SiteId, grant_id: str) -> None:
        """Tell a site a grant that it made itself: as it stands here, or that it does not."""
        self.asked.setdefault(site_id, set()).add(item_key(grant_id))

    async def write(self, tx: Tx) -> list[SiteId]:
        """Put all of it, in one generation of each site; the sites that moved on.

        Locks the sites' rows, which come last in the order of locks: this comes once, at the end.
        """
        await tx.flush()
        self.generations = await items.put_many(tx, self.wanted, asked=self.asked)
        for share in self.shares:
            if share.handed_bytes is not None:
                share.generation = self.generations.get(SiteId(share.site_id), share.generation)
        return list(self.generations)


def item_key(grant_id: str) -> str:
    """The key of a grant's item."""
    return f"grant/{grant_id}"


async def resliced(
    tx: Tx,
    held: Mapping[str, GrantRow],
    of_plan: Mapping[str, PlanRow],
    shares: Shares,
    *,
    site_id: SiteId,
    now: datetime,
    told: Told,
) -> None:
    """Top up what a site holds of these grants; what changes is added to ``told``.

    The grants and their shares are locked.
    """
    limited = [grant for grant in held.values() if _is_sliced(grant, of_plan[grant.plan_id])]
    if not limited:
        return
    online = await _online(tx, {row.site_id for g in limited for row in shares[g.id]}, now)
    outage_s = await outages.outage_s(tx, site_id, now)
    for grant in limited:
        plan, rows = of_plan[grant.plan_id], shares[grant.id]
        here = [row.site_id for row in rows].index(site_id)
        parts = [grant_sites.as_share(row, online=row.site_id in online) for row in rows]
        after = handed_out(limits_of(plan), parts, mine=here, outage_s=outage_s)
        for row, part, allowance in zip(rows, parts, after, strict=True):
            if allowance != part.allowance:
                _hand(row, allowance)
                told.add(row, grant_body(grant, plan, row, rows, now))


async def first_slices(
    tx: Tx, places: Collection[tuple[str, str]], of_plan: Mapping[str, PlanRow], now: datetime
) -> dict[tuple[str, str], Allowance]:
    """What a site is handed of a new grant that is used nowhere else, by plan and site."""
    sliced = {place for place in places if is_bound(of_plan[place[0]])}
    slices = dict.fromkeys(places, UNBOUND)
    if not sliced:
        return slices
    site_ids = {site_id for _, site_id in sliced}
    online = await _online(tx, site_ids, now)
    outages_s = await outages.outages_s(tx, site_ids, now)
    for plan_id, site_id in sliced:
        new = Share(UNBOUND, UNUSED, online=site_id in online)
        (slices[plan_id, site_id],) = handed_out(
            limits_of(of_plan[plan_id]), (new,), mine=0, outage_s=outages_s[site_id]
        )
    return slices


def grant_body(
    grant: GrantRow,
    plan: PlanRow,
    share: GrantSiteRow,
    shares: Sequence[GrantSiteRow],
    now: datetime,
) -> bytes:
    """What a site is told of a grant."""
    return wire.grant_body(
        grants.as_grant(grant, plan),
        _spent(grant, plan, shares, now),
        cause_id="" if grant.cause_id.startswith(grants.STAFF) else grant.cause_id,
        allowance=Allowance(share.handed_bytes, share.handed_uptime_s),
        suspended=grant.suspended_at is not None,
        proofs=grant.proofs or b"",
        pool_id=plan.pool_id or "",
    )


async def exceeded(
    tx: Tx, grant: GrantRow, plan: PlanRow, share: GrantSiteRow, now: datetime
) -> None:
    """Tell staff, once, of a site that let more pass than it was handed: its agent is at fault."""
    if share.risked_bytes is None:
        return
    late = late_bytes(limits_of(plan), interval_s=METERING_INTERVAL_S)
    if share.own_bytes <= share.risked_bytes + late:
        return
    await notices.add(
        tx,
        now=now,
        code="allowance_exceeded",
        text=f"grant {grant.id}: {share.own_bytes:,} bytes used, {share.risked_bytes:,} handed out",
        site_id=share.site_id,
        once=f"{share.site_id}\nallowance_exceeded\n{grant.id}",
    )


def exposure(limits: Limits, shares: Sequence[GrantSiteRow], online: Mapping[str, bool]) -> int:
    """How far the use of a grant can exceed its quota at most, as things stand."""
    parts = [grant_sites.as_risk(row, online=online[row.site_id]) for row in shares]
    return exposure_bytes(limits, parts, interval_s=METERING_INTERVAL_S)


def _is_sliced(grant: GrantRow, plan: PlanRow) -> bool:
    return is_bound(plan) and grant.ended_at is None


def is_bound(plan: PlanRow) -> bool:
    """Whether grants of a plan are handed out in slices: some limit is counted at sites."""
    return plan.quota_bytes is not None or plan.uptime_s is not None


async def _online(tx: Tx, site_ids: Collection[str], now: datetime) -> set[str]:
    seen = await sites.last_seen(tx, site_ids)
    return {site_id for site_id, at in seen.items() if not outages.is_down(at, now)}


def _hand(row: GrantSiteRow, allowance: Allowance) -> None:
    row.handed_bytes, row.handed_uptime_s = allowance.bytes, allowance.uptime_s
    if allowance.bytes is not None:
        # Invariant: what a site may still act on is never less than what it was handed.
        row.risked_bytes = max(row.risked_bytes or 0, allowance.bytes)


def _spent(grant: GrantRow, plan: PlanRow, shares: Sequence[GrantSiteRow], now: datetime) -> Spent:
    """What is spent, as far as a site needs to hear it.

    Where several sites run one calendar clock, they are told how far it has come by our own.
    """
    spent = grants.spent_of(grant)
    if len(shares) < 2 or grant.valid_until is None or plan.validity_s is None:  # noqa: PLR2004
        return spent
    left_s = max(0, (grant.valid_until - now) // SECOND)
    return replace(spent, validity_s=max(spent.validity_s, plan.validity_s - left_s))
