"""Credit for outages: what a rule gives each subscription for time without service, once.

An outage counts when it is over, less the time that was given to maintenance (from when that was
planned), and for the billed period in which it began. A run is decided and kept in one transaction;
what it gives is then booked as credit notes of the periods' invoices, one by one, each by a cause
of its own: broken off at any point it is finished later, by the same command or by the job. The
database keeps one credit for each subscription and outage, so that two runs over the same days give
nothing twice.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.invoice import DocumentKind
from billing.money import Money
from billing.outage import CreditRule, credit_for
from billing.period import Period
from controller.alerts.windows import Window, outside_s
from controller.noc.text import span
from controller.store import alert_facts, documents, maintenance
from controller.store.alert_rows import OutageCreditRunRow
from controller.store.database import DatabaseBusy
from controller.usecases.areas import Area, line_of, sites_in
from controller.usecases.crediting import credit
from controller.usecases.maintenance import ends_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.alert_facts import SiteSigns
    from controller.store.alert_rows import MaintenanceRow, OutageCreditRow
    from controller.store.database import Tx
    from controller.store.maintenance import Billed
    from controller.store.scope import Branches
    from controller.store.site_rows import OutageRow

SPAN_MAX = timedelta(days=366)
BOOK_MAX = 200
"""Credit notes that one round of the job issues."""

ID_SHAPE = re.compile(r"[0-9a-f]{32}")


class CreditRunDiffers(Exception):  # noqa: N818 - a refusal, see style
    """A run of this id is there with another rule."""

    field = "id"


class CreditRunUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such run."""


@dataclass(frozen=True, slots=True)
class NewRun:
    """A rule, and the outages that it is applied to: those that ended in a time, in an area.

    ``id`` is made by who asks (32 hexadecimal digits): the same again is the same run.
    """

    id: str
    area: Area
    from_at: datetime
    until_at: datetime
    rule: CreditRule


@dataclass(frozen=True, slots=True)
class Lost:
    """One outage of a subscription, and how long it lasted outside of maintenance."""

    began_at: datetime
    ended_at: datetime
    lasted_s: int


@dataclass(frozen=True, slots=True)
class Credit:
    """What one subscription is given for the outages of one billed period."""

    of: Billed
    lost: tuple[Lost, ...]
    amount: Money

    @property
    def lost_s(self) -> int:
        """How long it was without service in all."""
        return sum(one.lasted_s for one in self.lost)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gives; ``outages`` is how many were looked at."""

    outages: int
    credits: tuple[Credit, ...]

    @property
    def total_minor(self) -> int:
        """All of it together."""
        return sum(one.amount.minor for one in self.credits)


async def preview(deps: Deps, new: NewRun, *, branches: Branches = None) -> Outcome:
    """What a run would give now, at the sites of ``branches``; nothing is kept.

    Raises `InvalidField`, `SiteUnknown`.
    """
    _check(new, deps.now())
    async with deps.db.read() as tx:
        return await _decided(tx, new, branches)


async def run(deps: Deps, new: NewRun, *, who: str = "") -> OutageCreditRunRow:
    """Give what the rule gives. The same id again gives nothing more, and finishes what is left.

    Raises `InvalidField`, `SiteUnknown`, `CreditRunDiffers`, `DatabaseBusy`.
    """
    now = deps.now()
    _check(new, now)
    row = _row(new, now, who)
    async with deps.db.begin() as tx:
        if await maintenance.run(tx, new.id) is None:
            outcome = await _decided(tx, new)
            if await maintenance.add(tx, row):
                await _kept(tx, row.id, outcome)
        kept = await maintenance.run(tx, new.id)
        assert kept is not None, "runs stay"
        if _described(kept) != _described(row):
            raise CreditRunDiffers(f"run {new.id} is there with another rule")
    while await book_due(deps):
        pass
    return kept


async def book_due(deps: Deps) -> int:
    """Issue the credit notes that are due; how many. Raises `DatabaseBusy`."""
    async with deps.db.read() as tx:
        rows = await maintenance.credits_due(tx, limit=BOOK_MAX)
    causes = dict.fromkeys((row.run_id, row.cause) for row in rows)
    for run_id, cause in causes:
        await _book(deps, run_id, cause)
    return len(causes)


def _check(new: NewRun, now: datetime) -> None:
    if not ID_SHAPE.fullmatch(new.id):
        raise InvalidField("id", "want 32 hexadecimal digits")
    if new.until_at <= new.from_at or new.until_at > now:
        raise InvalidField("until_at", "want a moment after it began, not to come")
    if new.until_at - new.from_at > SPAN_MAX:
        raise InvalidField("from_at", f"want at most {SPAN_MAX.days} days")


async def _decided(tx: Tx, new: NewRun, branches: Branches = None) -> Outcome:
    area = await sites_in(tx, new.area, branches)
    outages = await maintenance.outages_ended(tx, area, since=new.from_at, until=new.until_at)
    lost = await _lost(tx, outages)
    groups: dict[tuple[str, str], tuple[Billed, list[Lost]]] = {}
    for outage, one in lost:
        found = await maintenance.billed(tx, outage.site_id, outage.began_at)
        given = await maintenance.credited(
            tx, outage.site_id, outage.began_at, [billed.subscription_id for billed in found]
        )
        for billed in found:
            if billed.subscription_id not in given:
                key = billed.document_id, billed.subscription_id
                groups.setdefault(key, (billed, []))[1].append(one)
    prices = await maintenance.prices(tx, [billed for billed, _ in groups.values()])
    decided = [
        _credit(new.rule, billed, tuple(some), prices.get(key, 0))
        for key, (billed, some) in sorted(groups.items())
    ]
    return Outcome(len(outages), tuple(one for one in decided if one.amount.minor))


def _credit(rule: CreditRule, billed: Billed, lost: tuple[Lost, ...], price_minor: int) -> Credit:
    period = Period(billed.start_at, billed.end_at)
    price = Money(max(0, price_minor), billed.currency)
    found = Credit(billed, lost, price)
    given = credit_for(rule, price=price, period=period, lost_s=found.lost_s)
    return replace(found, amount=given)


async def _lost(tx: Tx, outages: Sequence[OutageRow]) -> list[tuple[OutageRow, Lost]]:
    """Each outage, less the maintenance of its site and of those through which it is reached."""
    if not outages:
        return []
    known = {one.id: one for one in await alert_facts.site_signs(tx)}
    windows = await maintenance.windows(
        tx,
        since=min(one.began_at for one in outages),
        until=max(one.ended_at for one in outages if one.ended_at is not None),
        branches=None,
    )
    found = []
    for outage in outages:
        assert outage.ended_at is not None, "it is over"
        lasted_s = outside_s(
            Window(outage.began_at, outage.ended_at), _of_site(known, outage.site_id, windows)
        )
        if lasted_s:
            found.append((outage, Lost(outage.began_at, outage.ended_at, lasted_s)))
    return found


def _of_site(
    known: Mapping[str, SiteSigns], site_id: str, windows: Iterable[MaintenanceRow]
) -> list[Window]:
    line = line_of(known, site_id)
    return [
        Window(_counts_from(row), ends_at(row))
        for row in windows
        if ends_at(row) > _counts_from(row) and Area(row.site_id, row.branch_id).covers(line)
    ]


def _counts_from(row: MaintenanceRow) -> datetime:
    """From when a window takes credit: not before somebody planned it."""
    return max(row.from_at, row.created_at)


def _row(new: NewRun, now: datetime, who: str) -> OutageCreditRunRow:
    return OutageCreditRunRow(
        id=new.id,
        site_id=new.area.site_id,
        branch_id=new.area.branch_id,
        from_at=new.from_at,
        until_at=new.until_at,
        more_than_s=new.rule.more_than_s,
        gives=new.rule.gives.value,
        amount_minor=None if new.rule.amount is None else new.rule.amount.minor,
        days=new.rule.days or None,
        made_at=now,
        made_by=who[:80],
    )


def _described(row: OutageCreditRunRow) -> tuple[object, ...]:
    return (
        row.site_id,
        row.branch_id,
        row.from_at,
        row.until_at,
        row.more_than_s,
        row.gives,
        row.amount_minor,
        row.days,
    )


async def _kept(tx: Tx, run_id: str, outcome: Outcome) -> None:
    """Keep what a run gives. Raises `DatabaseBusy` where another run is giving it just now."""
    for one in outcome.credits:
        told = f"{run_id}\n{one.of.subscription_id}\n{one.of.document_id}"
        cause = hashlib.sha256(told.encode()).hexdigest()[:32]
        for n, lost in enumerate(one.lost):
            new = await maintenance.add_credit(
                tx,
                {
                    "subscription_id": one.of.subscription_id,
                    "site_id": one.of.site_id,
                    "began_at": lost.began_at,
                    "run_id": run_id,
                    "document_id": one.of.document_id,
                    "lasted_s": lost.lasted_s,
                    "amount_minor": 0 if n else one.amount.minor,
                    "currency": one.amount.currency,
                    "cause": cause,
                    "done_at": None,
                },
            )
            if not new:
                raise DatabaseBusy("another run is giving credit for the same outage")


async def _book(deps: Deps, run_id: str, cause: str) -> None:
    """Issue one credit note, unless it is there, and note that it is."""
    async with deps.db.read() as tx:
        rows = await maintenance.credits_by_cause(tx, run_id, cause)
        amount = await _left_to_give(tx, rows, cause)
    if amount is not None:
        lost = span(sum(row.lasted_s for row in rows))
        first = rows[0]
        reason = f"outage at {first.site_id} from {first.began_at:%Y-%m-%d %H:%M} UTC, {lost}"
        await credit(
            deps, first.document_id, amount=amount, reason=reason, idempotent=f"outage-{cause}"
        )
    async with deps.db.begin() as tx:
        for row in await maintenance.credits_by_cause(tx, run_id, cause):
            if amount is None and row.done_at is None and row.amount_minor:
                row.amount_minor = await _given_minor(tx, row, cause)
            elif amount is not None and row.amount_minor:
                row.amount_minor = amount.minor
            row.done_at = row.done_at or deps.now()


async def _left_to_give(tx: Tx, rows: Sequence[OutageCreditRow], cause: str) -> Money | None:
    """What the credit note is of: no more than its invoice has left; None: nothing (any more)."""
    invoice = await documents.load(tx, rows[0].document_id)
    assert invoice is not None, "documents stay"
    kind, named = DocumentKind.CREDIT_NOTE, f"credit:outage-{cause}"
    if await documents.by_cause(tx, invoice.subscriber_id, kind, named) is not None:
        return None
    left = invoice.total_minor - await documents.credited_minor(tx, invoice.id)
    minor = min(left, sum(row.amount_minor for row in rows))
    return Money(minor, invoice.currency) if minor > 0 else None


async def _given_minor(tx: Tx, row: OutageCreditRow, cause: str) -> int:
    """What a credit note that is there gave; 0 where there was nothing left to give."""
    invoice = await documents.load(tx, row.document_id)
    assert invoice is not None, "documents stay"
    kind, named = DocumentKind.CREDIT_NOTE, f"credit:outage-{cause}"
    note = await documents.by_cause(tx, invoice.subscriber_id, kind, named)
    return 0 if note is None else note.total_minor


async def shown(tx: Tx, run_id: str) -> tuple[OutageCreditRunRow, list[OutageCreditRow]]:
    """A run and what it gave. Raises `CreditRunUnknown`."""
    found = await maintenance.run(tx, run_id)
    if found is None:
        raise CreditRunUnknown(f"there is no run {run_id[:40]}")
    return found, await maintenance.credits_of(tx, run_id)
