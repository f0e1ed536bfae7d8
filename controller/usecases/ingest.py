"""An agent's records become sessions, usage and spending; acknowledged after the commit.

Records are deduplicated by (site, journal, seq), and the ack is cumulative: only what follows the
last ack without a gap is taken. Loads and saves are in bulk around one pure rule, which is in
``controller/records.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.grant import Spent, most
from billing.ids import GrantId
from controller.records import (
    Notice,
    Reading,
    SessionClosed,
    SessionOpened,
    SiteRecord,
    contiguous,
    folded,
    happened_at,
)
from controller.store import grants, notices, plans, sessions, sites

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.ids import SiteId
    from controller.deps import Deps
    from controller.records import Folded
    from controller.store.database import Tx
    from controller.store.rows import GrantRow

__all__ = [
    "Batch",
    "Notice",
    "Reading",
    "SessionClosed",
    "SessionOpened",
    "SiteRecord",
    "ingest",
]


@dataclass(frozen=True, slots=True)
class Batch:
    """One report of an agent: records of one journal, and what it last applied."""

    journal: str
    records: tuple[SiteRecord, ...]
    applied_generation: int
    applied_digest: bytes
    agent_version: str


async def ingest(deps: Deps, site_id: SiteId, batch: Batch) -> int:
    """Take a report; the seq up to which this journal is committed. Raises `DatabaseBusy`."""
    now = deps.now()
    async with deps.db.begin() as tx:
        journal = await sites.journal(tx, site_id, batch.journal)
        fresh = contiguous(batch.records, journal.acked_seq)
        if fresh:
            await _take(tx, site_id, batch.journal, records=fresh, now=now)
            # Invariant: an ack never goes back.
            assert fresh[-1].seq > journal.acked_seq
            journal.acked_seq = fresh[-1].seq
            await tx.flush()
        await sites.seen(
            tx,
            site_id,
            now=now,
            agent_version=batch.agent_version,
            applied_generation=batch.applied_generation,
            applied_digest=batch.applied_digest,
        )
        acked_seq = journal.acked_seq
    deps.signals.wake("live")
    return acked_seq


async def _take(
    tx: Tx, site_id: SiteId, journal: str, *, records: Sequence[SiteRecord], now: datetime
) -> None:
    facts = [r.fact for r in records if not isinstance(r.fact, Notice)]
    held = await grants.locked_of_site(tx, site_id, {fact.grant_id for fact in facts})
    known = await sessions.load_many(tx, {fact.session_id for fact in facts})
    result = folded(known, records, site_id=site_id, now=now)
    await sessions.save_many(tx, result.sessions, result.epochs)
    await _spend(tx, held, result, now)
    for record in records:
        if isinstance(record.fact, Notice):
            await notices.add(
                tx,
                now=happened_at(record.at, now),
                code=record.fact.code,
                text=record.fact.text,
                site_id=site_id,
                once=f"{site_id}\n{journal}\n{record.seq}",
            )
    await _object(tx, site_id, held, result, now)


async def _spend(tx: Tx, held: dict[str, GrantRow], result: Folded, now: datetime) -> None:
    """Book what was used and spent on this site's grants. Nothing of it ever falls."""
    used = await sessions.used_bytes_by_grant(tx, held)
    for grant_id, grant in held.items():
        name = GrantId(grant_id)
        before = grants.spent_of(grant)
        told = result.spent.get(name, Spent())
        after = most(
            before,
            Spent(
                validity_s=told.validity_s,
                uptime_s=told.uptime_s,
                used_bytes=used.get(grant_id, 0),
            ),
        )
        grant.spent_validity_s = after.validity_s
        grant.spent_uptime_s = after.uptime_s
        grant.used_bytes = after.used_bytes
        first = result.opened.get(name)
        if first is not None:
            await _start(tx, grant, first, now)
    await tx.flush()


async def _start(tx: Tx, grant: GrantRow, first: datetime, now: datetime) -> None:
    """The first access starts the validity clock.

    The end is reckoned from our own clock at the report, which is never before the access: a
    site's wrong clock must not take paid time away.
    """
    if grant.started_at is not None:
        grant.started_at = min(grant.started_at, first)
        return
    grant.started_at = first
    plan = await plans.load(tx, grant.plan_id)
    assert plan is not None
    if plan.validity_s is not None:
        grant.valid_until = now + timedelta(seconds=plan.validity_s)


async def _object(
    tx: Tx, site_id: SiteId, held: dict[str, GrantRow], result: Folded, now: datetime
) -> None:
    """A site that speaks of what is not its own changes nothing there, and staff learn of it."""
    strange = {s.grant_id for s in result.sessions.values()} - held.keys()
    for code, names in (("foreign_session", result.foreign), ("foreign_grant", strange)):
        for name in sorted(names):
            await notices.add(
                tx,
                now=now,
                code=code,
                text=f"the site reports {name}, which is not its own",
                site_id=site_id,
                once=f"{site_id}\n{code}\n{name}",
            )
