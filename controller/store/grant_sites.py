"""Shares of grants at sites, as they are kept. Whoever hands one out holds the grant's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from billing.grant import Spent
from billing.ids import GrantId, SiteId
from billing.quota import Allowance, Share
from controller.store.bulk_rows import among
from controller.store.database import inserted
from controller.store.rows import GrantRow, GrantSiteRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from controller.store.database import Tx


def as_share(row: GrantSiteRow, *, online: bool) -> Share:
    """The share that a row holds, as it was last handed out."""
    return Share(Allowance(row.handed_bytes, row.handed_uptime_s), own_of(row), online=online)


def as_risk(row: GrantSiteRow, *, online: bool) -> Share:
    """The same as the site may still see it: what was taken back counts until it has applied it."""
    return Share(Allowance(row.risked_bytes, row.handed_uptime_s), own_of(row), online=online)


def own_of(row: GrantSiteRow) -> Spent:
    """What the site has reported as used there."""
    return Spent(validity_s=row.own_validity_s, uptime_s=row.own_uptime_s, used_bytes=row.own_bytes)


async def bring(tx: Tx, grant_id: str, site_id: str) -> bool:
    """Let a grant be used at one more site; False when it may be already."""
    return await inserted(
        tx,
        GrantSiteRow,
        grant_id=grant_id,
        site_id=site_id,
        generation=0,
        own_bytes=0,
        own_uptime_s=0,
        own_validity_s=0,
    )


async def locked(tx: Tx, grant_ids: Collection[str]) -> dict[str, list[GrantSiteRow]]:
    """The shares of each grant as they now are, in the order of their sites' ids, locked."""
    query = (
        select(GrantSiteRow)
        .where(GrantSiteRow.grant_id.in_(grant_ids))
        .order_by(GrantSiteRow.grant_id, GrantSiteRow.site_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    shares: dict[str, list[GrantSiteRow]] = {grant_id: [] for grant_id in grant_ids}
    for row in await tx.scalars(query):
        shares[row.grant_id].append(row)
    return shares


async def unbound_among(tx: Tx, grant_ids: Collection[str]) -> dict[str, list[str]]:
    """Those of these (locked) grants of which no site holds a slice, with their sites."""
    if not grant_ids:
        return {}
    query = select(
        GrantSiteRow.grant_id,
        GrantSiteRow.site_id,
        GrantSiteRow.handed_bytes.is_(None) & GrantSiteRow.handed_uptime_s.is_(None),
    ).where(among(tx, GrantSiteRow.grant_id, grant_ids))
    found: dict[str, list[str]] = {grant_id: [] for grant_id in grant_ids}
    for grant_id, site_id, is_unbound in await tx.execute(query):
        if is_unbound and grant_id in found:
            found[grant_id].append(site_id)
        else:
            found.pop(grant_id, None)
    return found


async def sites_of(tx: Tx, grant_id: str) -> list[SiteId]:
    """Where a grant may be used."""
    query = select(GrantSiteRow.site_id).where(GrantSiteRow.grant_id == grant_id)
    return [SiteId(one) for one in await tx.scalars(query.order_by(GrantSiteRow.site_id))]


async def limited_at(tx: Tx, site_id: str, *, limit: int) -> list[GrantId]:
    """Grants that are still on and of which this site was handed a slice."""
    query = (
        select(GrantSiteRow.grant_id)
        .join(GrantRow, GrantRow.id == GrantSiteRow.grant_id)
        .where(
            GrantSiteRow.site_id == site_id,
            GrantRow.ended_at.is_(None),
            GrantSiteRow.handed_bytes.is_not(None) | GrantSiteRow.handed_uptime_s.is_not(None),
        )
        .order_by(GrantSiteRow.grant_id)
        .limit(limit)
    )
    return [GrantId(one) for one in await tx.scalars(query)]


async def applied(tx: Tx, site_id: str, generation: int) -> None:
    """The site acts on no older slice any more: what was taken back is no longer at risk."""
    row = GrantSiteRow
    query = select(row.grant_id).where(
        row.site_id == site_id, row.generation <= generation, row.risked_bytes > row.handed_bytes
    )
    # An UPDATE would lock them as it finds them; `locked` takes those of several grants in order.
    found = list(await tx.scalars(query.order_by(row.grant_id).with_for_update(key_share=True)))
    if found:
        await tx.execute(
            update(row)
            .where(row.site_id == site_id, among(tx, row.grant_id, found))
            .values(risked_bytes=row.handed_bytes)
            .execution_options(synchronize_session=False)
        )
