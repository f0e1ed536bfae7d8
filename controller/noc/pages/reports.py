"""Reports to look at and to take along, each on one basis that it names; and the papers issued."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads the annotations

from billing.errors import InvalidField
from billing.invoice import DocumentKind, shown_number
from billing.period import midnight
from controller.api import pages as cursors
from controller.api.needs import Needed, who_asks
from controller.api.papers import CSV, XLSX, as_file, days
from controller.api.reach import must_have
from controller.noc import live, money_views, typed, voucher_views
from controller.noc.bars import chart
from controller.noc.board import Mood
from controller.noc.pages.theirs import must_reach
from controller.noc.pages.vouchers import theirs
from controller.noc.views import Mark
from controller.noc.words import word
from controller.reports.earned import By
from controller.reports.table import Basis, Column, Kind, Name, Report, summed
from controller.reports.written import as_csv, as_xlsx
from controller.rights import Right
from controller.usecases.money_reports import Asked, report

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.deps import Deps
    from controller.noc.bars import Chart
    from controller.noc.charges import DocumentView
    from controller.rights import Who

LINES_SHOWN = 400
"""Of a report on the page; a file has all of them."""

DOCUMENTS = 50
COLLECTED = "collected"
SITES_AND_RAILS = (
    Column("site", "Site", Kind.TEXT),
    Column("rail", "Paid by", Kind.TEXT),
    Column("payments", "Payments", Kind.COUNT),
    Column("collected", "Collected", Kind.MONEY),
)

TITLES = {
    "revenue": word("Revenue"),
    COLLECTED: word("Collected by site"),
    "outstanding": word("Outstanding"),
    "ageing": word("Ageing of debts"),
    "tax": word("Tax return"),
    "sellers": word("Vouchers by seller"),
}
BASES = {
    Basis.ACCRUAL: word("accrual: counted when it is invoiced or sold"),
    Basis.CASH: word("cash: counted when it is paid"),
}
HEADINGS = (
    word("Income"), word("Excise duty"), word("VAT"), word("With taxes"), word("Day"),
    word("Month"), word("Branch"), word("Plan or other"), word("Paid by"), word("Tax class"),
    word("Due for"), word("Subscriber"), word("Account"), word("Invoices"), word("Oldest due"),
    word("Not due"), word("1-30 days"), word("31-60 days"), word("61-90 days"),
    word("Over 90 days"), word("Open"), word("Segment"), word("Seller"), word("Plan"),
    word("Batches"), word("Made"), word("Sold"), word("Redeemed"), word("Value"),
    word("Commission"), word("Site"), word("Payments"), word("Collected"),
)  # fmt: skip
"""What the columns of reports are called."""

BY = {
    By.DAY: word("day"), By.MONTH: word("month"), By.BRANCH: word("branch"), By.PLAN: word("plan"),
    By.RAIL: word("rail"),
}  # fmt: skip
KINDS = {
    DocumentKind.INVOICE: word("invoice"),
    DocumentKind.CREDIT_NOTE: word("credit note"),
    DocumentKind.RECEIPT: word("receipt"),
}
PAID, OPEN, LATE = (
    Mood(word("paid"), "good"),
    Mood(word("open"), "busy"),
    Mood(word("overdue"), "bad"),
)
ISSUED = Mood(word("issued"), "quiet")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which report: "" for every branch; ``until`` is not within."""

    name: str
    since: date
    until: date
    basis: Basis
    branch: str
    by: By


@dataclass(frozen=True, slots=True)
class Shown:
    """A report on the page, with its picture and the address of its files."""

    report: Report
    wanted: Wanted
    to: date
    rows: tuple[tuple[object, ...], ...]
    hidden: int
    chart: Chart | None
    file: str
    branches: tuple[tuple[str, str], ...]
    of_all: bool
    titles: Mapping[str, str]
    by: Mapping[By, str]
    basis: str
    has_basis: bool
    has_span: bool
    today: date


@dataclass(frozen=True, slots=True)
class Document:
    """An issued paper as a row."""

    id: str
    number: str
    kind: str
    mood: Mood
    subscriber_id: str
    name: str
    phone: str
    branch: str
    at: datetime
    due_at: datetime | None
    total_minor: int
    open_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Documents:
    """One page of papers."""

    now: datetime
    lines: tuple[Document, ...]
    wanted: Mapping[str, str]
    kinds: Mapping[DocumentKind, str]
    more: str
    is_first: bool


async def look(asked: live.Asked) -> Shown:
    """The report that the address asks for."""
    async with asked.deps.db.read() as tx:
        known = await voucher_views.branch_names(tx)
    branches = theirs(asked.who, known)
    wanted = wanted_of(asked.deps, asked.who, asked.query, branches)
    found = await made(asked.deps, wanted)
    kept = {name: value for name, value in asked.query.items() if name != "format"}
    return Shown(
        report=found,
        wanted=wanted,
        to=wanted.until - timedelta(days=1),
        rows=found.rows[:LINES_SHOWN],
        hidden=max(0, len(found.rows) - LINES_SHOWN),
        chart=chart(found),
        file=f"/noc/reports/file?{urlencode({**kept, 'branch': wanted.branch})}",
        branches=branches,
        of_all=asked.who.branches is None,
        titles=TITLES,
        by=BY,
        basis=BASES[found.basis],
        has_basis=wanted.name in {Name.REVENUE, Name.TAX, Name.SELLERS},
        has_span=wanted.name not in {Name.OUTSTANDING, Name.AGEING},
        today=asked.now.date(),
    )


def wanted_of(
    deps: Deps, who: Who, query: Mapping[str, str], branches: tuple[tuple[str, str], ...]
) -> Wanted:
    """What the address asks for. Whoever is held to branches is shown one of theirs."""
    name = query.get("name", Name.REVENUE)
    if name not in TITLES:
        raise InvalidField("name", f"want one of {', '.join(TITLES)}")
    basis = query.get("basis", Basis.CASH if name == COLLECTED else Basis.ACCRUAL)
    if basis not in list(Basis):
        raise InvalidField("basis", f"want one of {', '.join(Basis)}")
    by = query.get("by", By.DAY)
    if by not in list(By):
        raise InvalidField("by", f"want one of {', '.join(By)}")
    to = typed.day(query, "to")
    since, until = days(
        deps, typed.day(query, "since"), None if to is None else to + timedelta(days=1)
    )
    branch = query.get("branch", "")
    if who.branches is not None and branch not in who.branches:
        branch = branches[0][0] if branches else "-"
    owed = name in {Name.OUTSTANDING, Name.AGEING}
    return Wanted(
        name=name,
        since=since,
        until=until,
        basis=Basis.ACCRUAL if owed else Basis.CASH if name == COLLECTED else Basis(basis),
        branch=branch,
        by=By(by),
    )


async def made(deps: Deps, wanted: Wanted) -> Report:
    """The report."""
    if wanted.name == COLLECTED:
        return await _collected(deps, wanted)
    asked = Asked(
        name=Name(wanted.name),
        since=wanted.since,
        until=wanted.until,
        basis=wanted.basis,
        branch=wanted.branch,
        by=(wanted.by,),
    )
    return await report(deps, asked)


async def _collected(deps: Deps, wanted: Wanted) -> Report:
    """What orders brought in, taxes within, by site and rail. Refunds are not taken off."""
    since, until = midnight(wanted.since), midnight(wanted.until)
    async with deps.db.read() as tx:
        found = await money_views.collected(tx, since, until, branch=wanted.branch)
    rows = tuple((site or "(accounts)", rail, n, minor) for site, rail, n, minor in found)
    return Report(
        name=COLLECTED,
        title=TITLES[COLLECTED],
        basis=Basis.CASH,
        since=wanted.since,
        until=wanted.until,
        columns=SITES_AND_RAILS,
        rows=rows,
        totals=summed(SITES_AND_RAILS, rows),
    )


async def look_at_documents(asked: live.Asked) -> Documents:
    """Papers, newest first."""
    query = asked.query
    after, kind = cursors.read(query.get("cursor", "")), query.get("kind", "")
    if kind and kind not in list(DocumentKind):
        raise InvalidField("kind", f"want one of {', '.join(DocumentKind)}")
    async with asked.deps.db.read() as tx:
        found = await money_views.document_lines(
            tx,
            kind=kind,
            number=query.get("q", ""),
            owing=query.get("owing") == "1",
            branches=asked.who.branches,
            after=after,
            limit=DOCUMENTS,
        )
    more = ""
    if len(found) == DOCUMENTS:
        last = found[-1].row
        kept = {name: value for name, value in query.items() if name != "cursor"}
        cursor = cursors.written(Mark(last.issued_at, last.id))
        more = "?" + urlencode({**kept, "cursor": cursor})
    return Documents(
        now=asked.now,
        lines=tuple(_document(view, asked.now) for view in found),
        wanted=query,
        kinds=KINDS,
        more=more,
        is_first=after is None,
    )


def _document(view: DocumentView, now: datetime) -> Document:
    row, debt = view.row, view.debt
    return Document(
        id=row.id,
        number=shown_number(row.series, row.number),
        kind=KINDS[DocumentKind(row.kind)],
        mood=_mood(view, now),
        subscriber_id=row.subscriber_id,
        name=view.subscriber.name,
        phone=view.subscriber.msisdn,
        branch=row.branch_id,
        at=row.issued_at,
        due_at=None if debt is None else debt.due_at,
        total_minor=row.total_minor,
        open_minor=0 if debt is None else debt.open_minor,
        currency=row.currency,
    )


def _mood(view: DocumentView, now: datetime) -> Mood:
    if view.debt is None:
        return ISSUED
    if view.debt.settled_at is not None:
        return PAID
    return LATE if view.debt.due_at <= now else OPEN


REPORTS = live.View(
    name="Reports", path="/noc/reports", right=Right.SEE_MONEY, look=look,
    template="reports/page.html", every_s=0,
)  # fmt: skip
INVOICES = live.View(
    name="Invoices", path="/noc/invoices", right=Right.SEE_MONEY, look=look_at_documents,
    template="invoices/page.html", every_s=0,
)  # fmt: skip

router = live.pages(REPORTS, INVOICES)


@router.get("/noc/reports/file", response_model=None)
async def report_file(request: Request, deps: Needed) -> Response:
    """The whole report as CSV or XLSX: just what the page was narrowed to."""
    who = await who_asks(request)
    must_have(who, Right.SEE_MONEY)
    query = {name: value for name, value in request.query_params.items() if value}
    if who.branches is not None:
        await must_reach(deps, who, "branch", query.get("branch", "-"))
    wanted = wanted_of(deps, who, query, ())
    found = await made(deps, wanted)
    name = f"{wanted.name}-{found.basis.value}-{wanted.since}-{wanted.until}"
    if query.get("format") == "xlsx":
        book = await asyncio.to_thread(as_xlsx, found, made_at=deps.now())
        return as_file(book, XLSX, f"{name}.xlsx")
    return as_file(await asyncio.to_thread(as_csv, found), CSV, f"{name}.csv")
