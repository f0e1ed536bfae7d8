"""An agent's records become sessions, usage and spending; acknowledged after the commit.

Records are deduplicated by (site, journal, seq), and the ack is cumulative: only what follows the
last ack without a gap is taken. Loads and saves are in bulk around one pure rule, which is in
``controller/records.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from billing.grant import Spent, most
from billing.ids import GrantId, SiteId
from controller.records import (
    DeviceJoined,
    Notice,
    ProbeResult,
    Reading,
    Redeemed,
    SessionClosed,
    SessionFact,
    SessionOpened,
    SiteRecord,
    Unreadable,
    Vitals,
    contiguous,
    folded,
    growths,
    happened_at,
)
from controller.store import (
    grant_sites,
    grants,
    inbox,
    items,
    notices,
    plans,
    probe_results,
    sessions,
    sites,
    usage,
    vitals,
)
from controller.usecases import outages, probes, redemptions
from controller.usecases.allowances import Told, exceeded, resliced
from controller.usecases.grants import rename

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from billing.ids import SessionId
    from controller.deps import Deps
    from controller.records import Folded
    from controller.store.database import Tx
    from controller.store.rows import GrantRow, GrantSiteRow, PlanRow
    from controller.store.site_rows import SiteRow

__all__ = [
    "Batch",
    "Notice",
    "Reading",
    "SessionClosed",
    "SessionOpened",
    "SiteRecord",
    "ingest",
]

F = TypeVar("F")

OUTBOX_FILLING_PER_CENT = 80
SLICES_AT_ONCE_MAX = 1_000
"""Slices looked at when a site comes back; those beyond are looked at when they report."""

UNREADABLE_SOURCE = "record"
"""Where in the inbox records are kept that could not be read."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One report of an agent: records of one journal, and what it last applied.

    ``newest`` runs ahead of the records on a thin link: openings and readings that come again in
    their turn. How full the agent's outbox is stands in the last two; 0 of 0 when it does not say.
    ``vitals`` are how its box is just now, where it was looked at.
    """

    journal: str
    records: tuple[SiteRecord, ...]
    applied_generation: int
    applied_digest: bytes
    agent_version: str
    newest: tuple[SiteRecord, ...] = ()
    outbox_records: int = 0
    outbox_records_max: int = 0
    vitals: Vitals | None = None


async def ingest(deps: Deps, site_id: SiteId, batch: Batch) -> int:
    """Take a report; the seq up to which this journal is committed. Raises `DatabaseBusy`."""
    now = deps.now()
    told = Told()
    async with deps.db.begin() as tx:
        journal = await sites.journal(tx, site_id, batch.journal)
        site = await sites.load(tx, site_id)
        assert site is not None, "a report is of a site that was let in"
        is_back = await outages.heard(tx, site, now)
        await _watch_outbox(tx, site, batch, now)
        fresh = contiguous(batch.records, journal.acked_seq)
        if fresh or batch.newest or is_back:
            report = Report(site_id, batch.journal, fresh, batch.newest, now)
            await _take(tx, report, told, is_back=is_back)
        if fresh:
            # Invariant: an ack never goes back.
            assert fresh[-1].seq > journal.acked_seq
            journal.acked_seq = fresh[-1].seq
        if batch.applied_generation <= site.generation:
            # An agent that is ahead of us (we came back from a backup) applied something else.
            await grant_sites.applied(tx, site_id, batch.applied_generation)
        is_told_all = await _heard_all(tx, site, batch, now)
        if told.wanted or told.asked:
            # The site's own row is locked with the others, in the order of their ids.
            told.wanted.setdefault(site_id, {})
        changed = await told.write(tx)
        await sites.seen(
            tx,
            site_id,
            now=now,
            agent_version=batch.agent_version,
            applied_generation=batch.applied_generation,
            applied_digest=batch.applied_digest,
            outbox=(batch.outbox_records, batch.outbox_records_max)
            if batch.outbox_records_max
            else None,
        )
        if batch.vitals is not None and not batch.vitals.is_late(now):
            await vitals.keep(tx, site_id, batch.vitals, now=now)
        acked_seq = journal.acked_seq
    for one in {*changed, site_id} if is_told_all else changed:
        deps.signals.wake(f"site:{one}")
    deps.signals.wake("live")
    return acked_seq


@dataclass(frozen=True, slots=True)
class Report:
    """What of a report is new: ``fresh`` in its turn, ``newest`` ahead of it."""

    site_id: SiteId
    journal: str
    fresh: Sequence[SiteRecord]
    newest: Sequence[SiteRecord]
    now: datetime

    def of(self, kind: type[F]) -> list[F]:
        """The fresh facts of one kind, in order."""
        return [one.fact for one in self.fresh if isinstance(one.fact, kind)]


async def _take(tx: Tx, report: Report, told: Told, *, is_back: bool) -> None:
    site_id, now = report.site_id, report.now
    await redemptions.take(tx, site_id, report.of(Redeemed), now=now, told=told)
    records = [one for one in report.fresh if isinstance(one.fact, SessionFact)]
    ahead = [one for one in report.newest if isinstance(one.fact, SessionFact)]
    devices = report.of(DeviceJoined)
    named = {_grant_of(one) for one in (*records, *ahead)} | {one.grant_id for one in devices}
    if is_back:
        named.update(await grant_sites.limited_at(tx, site_id, limit=SLICES_AT_ONCE_MAX))
    held = await grants.locked_of_site(tx, site_id, named)
    # What runs ahead is believed of grants that are known here; of others it comes in its turn.
    records += [one for one in ahead if _grant_of(one) in held]
    known = await sessions.load_many(tx, {_session_of(one) for one in records})
    result = folded(known, records, site_id=site_id, now=now)
    await sessions.save_many(tx, result.sessions, result.epochs)
    await usage.count(
        tx,
        site_id,
        growths(known, result.sessions),
        closed=[one.id for one in result.sessions.values() if one.closed_at is not None],
        now=now,
    )
    of_plan = await plans.load_many(tx, {grant.plan_id for grant in held.values()})
    shares = await grant_sites.locked(tx, held)
    used = await sessions.used_bytes_by_grant(tx, held, site_id=site_id)
    for grant_id, grant in held.items():
        plan, rows = of_plan[grant.plan_id], shares[grant_id]
        mine = next(row for row in rows if row.site_id == site_id)
        _spend(grant, mine, rows, result, used.get(grant_id, 0))
        await exceeded(tx, grant, plan, mine, now)
        first = result.opened.get(GrantId(grant_id))
        if first is not None:
            _start(grant, plan, first, now)
    await tx.flush()
    await resliced(tx, held, of_plan, shares, site_id=site_id, now=now, told=told)
    rename(devices, held, of_plan, shares, now=now, told=told)
    await _keep_others(tx, report, told)
    strange = {s.grant_id for s in result.sessions.values()} | {one.grant_id for one in devices}
    await _object(tx, report, result.foreign, strange - held.keys())


async def _keep_others(tx: Tx, report: Report, told: Told) -> None:
    """Notices, what probes saw, and records that could not be read."""
    seen = {one.probe_id for one in report.of(ProbeResult)}
    if gone := await probes.answered(tx, report.site_id, seen, report.now):
        told.wanted.setdefault(report.site_id, {}).update(gone)
    for record in report.fresh:
        at, once = happened_at(record.at, report.now), f"{report.journal}\n{record.seq}"
        match record.fact:
            case Notice(code=code, text=text):
                await _notice(tx, report, at, code=code, text=text, once=once)
            case ProbeResult(probe_id=probe_id, body=body):
                await probe_results.keep(
                    tx, site_id=report.site_id, probe_id=probe_id, at=at, body=body
                )
            case Unreadable(problem=problem, whole=whole):
                # Kept whole, acknowledged, and not believed: asked for again it would be the same.
                await inbox.take(
                    tx,
                    source=UNREADABLE_SOURCE,
                    external_id=f"{report.site_id}:{report.journal}:{record.seq}",
                    body=whole,
                    now=report.now,
                )
                text = f"record {record.seq} was set aside: {problem}"
                await _notice(
                    tx, report, report.now, code="record_unreadable", text=text, once=once
                )
            case _:
                pass


async def _notice(tx: Tx, report: Report, at: datetime, *, code: str, text: str, once: str) -> None:
    await notices.add(
        tx,
        now=at,
        code=code,
        text=text,
        site_id=report.site_id,
        once=f"{report.site_id}\n{once}",
    )


async def _heard_all(tx: Tx, site: SiteRow, batch: Batch, now: datetime) -> bool:
    """Whether a site that is beyond us has now told what it knows; staff learn that it was.

    The first report after we came back from a backup is answered with an ack that is older than
    what the site remembers: with the next ones it tells again what we lost.
    """
    ours = site.generation
    beyond = await items.is_beyond(
        tx,
        SiteId(site.id),
        generation=batch.applied_generation,
        digest=batch.applied_digest,
    )
    if not beyond:
        return False
    text = f"{site.name} is at {batch.applied_generation}, we were at {ours}: a backup was restored"
    once = f"{site.id}\nbeyond {batch.applied_generation}"
    await notices.add(tx, now=now, code="site_is_beyond", text=text, site_id=site.id, once=once)
    knew = (site.applied_generation, site.applied_digest)
    is_first = knew != (batch.applied_generation, batch.applied_digest)
    if is_first or 0 < len(batch.records) < batch.outbox_records:
        return False
    return await items.told_all(tx, site, batch.applied_generation)


async def _watch_outbox(tx: Tx, site: SiteRow, batch: Batch, now: datetime) -> None:
    """Tell staff when a site's journal has become nearly full: soon it takes no more."""
    before = _is_filling(site.outbox_records or 0, site.outbox_records_max or 0)
    if before or not _is_filling(batch.outbox_records, batch.outbox_records_max):
        return
    room = f"{batch.outbox_records:,} of {batch.outbox_records_max:,} records wait"
    await notices.add(
        tx, now=now, code="outbox_filling", text=f"{site.name}: {room}", site_id=site.id
    )


def _is_filling(records: int, records_max: int) -> bool:
    return records_max > 0 and records * 100 >= records_max * OUTBOX_FILLING_PER_CENT


def _spend(
    grant: GrantRow,
    mine: GrantSiteRow,
    shares: Sequence[GrantSiteRow],
    result: Folded,
    used_bytes: int,
) -> None:
    """Book what this site used, and what that makes of the whole. Nothing of it ever falls."""
    name = GrantId(grant.id)
    told = result.spent.get(name, Spent())
    own_uptime_s = result.own_uptime_s.get(name, 0)
    if not own_uptime_s and len(shares) == 1:
        own_uptime_s = told.uptime_s  # an agent that does not say: here it is the same
    own = most(
        grant_sites.own_of(mine),
        Spent(validity_s=told.validity_s, uptime_s=own_uptime_s, used_bytes=used_bytes),
    )
    mine.own_validity_s, mine.own_uptime_s = own.validity_s, own.uptime_s
    mine.own_bytes = own.used_bytes
    summed = Spent(
        validity_s=own.validity_s,
        uptime_s=max(told.uptime_s, sum(row.own_uptime_s for row in shares)),
        used_bytes=sum(row.own_bytes for row in shares),
    )
    after = most(grants.spent_of(grant), summed)
    # Invariant: the use of a grant is what was used at its sites, each byte once.
    assert after.used_bytes == summed.used_bytes
    grant.spent_validity_s = after.validity_s
    grant.spent_uptime_s = after.uptime_s
    grant.used_bytes = after.used_bytes


def _start(grant: GrantRow, plan: PlanRow, first: datetime, now: datetime) -> None:
    """The first access starts the validity clock.

    The end is reckoned from our own clock at the report, which is never before the access: a
    site's wrong clock must not take paid time away.
    """
    if grant.started_at is not None:
        grant.started_at = min(grant.started_at, first)
        return
    grant.started_at = first
    if plan.validity_s is not None:
        grant.valid_until = now + timedelta(seconds=plan.validity_s)


async def _object(tx: Tx, report: Report, foreign: Iterable[str], strange: Iterable[str]) -> None:
    """A site that speaks of what is not its own changes nothing there, and staff learn of it."""
    for code, names in (("foreign_session", foreign), ("foreign_grant", strange)):
        for name in sorted(names):
            text = f"the site reports {name}, which is not its own"
            await _notice(tx, report, report.now, code=code, text=text, once=f"{code}\n{name}")


def _session_of(record: SiteRecord) -> SessionId:
    assert isinstance(record.fact, SessionFact)
    return record.fact.session_id


def _grant_of(record: SiteRecord) -> GrantId:
    assert isinstance(record.fact, SessionFact)
    return record.fact.grant_id
