"""Customers: the list, one of them with why they are not online, and what staff do for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads the annotations

from billing.errors import InvalidField
from billing.ids import PlanId, SiteId
from billing.msisdn import Msisdn, parse_msisdn
from controller.api.errors import REFUSALS
from controller.api.needs import deps_of
from controller.noc import accounts, views
from controller.noc import live as page
from controller.noc.audit_log import AuditAsked, about_customer, audit_rows
from controller.noc.columns import columns
from controller.noc.lines import gauges
from controller.noc.pages import theirs
from controller.noc.pages.audit import deed_of
from controller.noc.pages.dialling import dialling
from controller.noc.people_board import (
    BARS,
    MARKS,
    STEPS,
    Bar,
    Pace,
    SessionLine,
    bars,
    dialled,
    session_line,
    verdict,
)
from controller.noc.words import word
from controller.rights import Right
from controller.store import branches, customers, live, people
from controller.store.series import HOUR_S
from controller.usecases import grants as giving
from controller.usecases import live_sessions as deeds
from controller.usecases import meant
from controller.usecases import subscribers as usecase
from controller.usecases.notes import add_note
from controller.usecases.subscribers import Segment, SubscriberChange
from controller.usecases.why_facts import why

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.deps import Deps
    from controller.noc.board import Mood
    from controller.noc.columns import Columns
    from controller.noc.lines import Gauge
    from controller.noc.live import Asked
    from controller.noc.pages.audit import Deed
    from controller.noc.pages.dialling import Dialling
    from controller.rights import Who
    from controller.store.billing_rows import DebtRow, DocumentRow, ReceivedRow, SubscriptionRow
    from controller.store.database import Tx
    from controller.store.people_rows import SubscriberNoteRow
    from controller.store.rows import GrantRow, PaymentRow, PlanRow, SmsRow, SubscriberRow
    from controller.usecases.why import Answer, Mark

SHOWN = 10
"""Of each kind on one customer's page."""

DEEDS = 20
DAY = timedelta(days=1)
HOUR = timedelta(seconds=HOUR_S)

COLUMNS = {
    "phone": word("Phone"),
    "segment": word("Segment"),
    "branch": word("Branch"),
    "wallet": word("Wallet"),
    "owes": word("Owes"),
    "since": word("Since"),
}
STANDINGS = {"owing": word("owes money"), "suspended": word("suspended")}
SEGMENTS = {
    Segment.RESIDENTIAL: word("residential"),
    Segment.BUSINESS: word("business"),
    Segment.ENTERPRISE: word("enterprise"),
}


@dataclass(frozen=True, slots=True)
class Customers:
    """A page of customers with their money, and the address of the next page."""

    lines: tuple[accounts.SubscriberView, ...]
    typed: Mapping[str, str]
    branches: tuple[tuple[str, str], ...]
    next: str
    columns: Columns
    now: datetime


async def look(asked: Asked) -> Customers:
    """A page of customers, newest first; or those that were searched for."""
    query, who = asked.query, asked.who
    wanted = wanted_of(query)
    typed = meant.meant(query.get("q", ""))
    async with asked.deps.db.read() as tx:
        if typed.text:
            rows = await customers.found(
                tx, typed, wanted, branches=who.branches, limit=theirs.PAGE_LINES
            )
        else:
            rows = await customers.page(
                tx,
                wanted,
                branches=who.branches,
                after=theirs.mark_of(query.get("cursor", "")),
                limit=theirs.PAGE_LINES,
            )
        lines = await accounts.with_money(tx, rows)
        known = await _branches(tx, who)
    more = ""
    if len(rows) == theirs.PAGE_LINES and not typed.text:
        cursor = theirs.cursor_of(rows[-1].created_at, rows[-1].id)
        more = "?" + urlencode({**query, "cursor": cursor})
    return Customers(
        lines=tuple(lines),
        typed={name: query.get(name, "") for name in ("q", "branch", "segment", "standing")},
        branches=known,
        next=more,
        columns=columns(query, COLUMNS),
        now=asked.now,
    )


def wanted_of(query: Mapping[str, str]) -> customers.Filter:
    """Which customers the address asks for. Raises `InvalidField`."""
    if query.get("standing", "") not in {"", *STANDINGS}:
        raise InvalidField("standing", f"want one of {', '.join(STANDINGS)}")
    return customers.Filter(
        branch_id=query.get("branch", ""),
        segment=query.get("segment", ""),
        standing=query.get("standing", ""),
    )


async def _branches(tx: Tx, who: Who) -> tuple[tuple[str, str], ...]:
    rows = await branches.page(tx, after_id="", limit=views.PAGE_LINES_MAX)
    return tuple((row.id, row.name) for row in rows if who.reaches(row.id))


@dataclass(frozen=True, slots=True)
class Package:
    """Something that a customer has or had, with what is left of it."""

    grant: GrantRow
    plan: PlanRow
    time_left: Gauge
    data_left: Gauge


@dataclass(frozen=True, slots=True)
class Customer:
    """All that one page shows of a customer.

    ``deeds`` is what staff did about them; None for who may not see the audit log.
    """

    row: SubscriberRow
    dialled: str
    is_money_shown: bool
    wallet_minor: int
    owed_minor: int
    verdict: Mood
    answers: tuple[Answer, ...]
    marks: Mapping[Mark, Mood]
    steps: Mapping[str, str]
    contracts: tuple[SubscriptionRow, ...]
    dialling: tuple[Dialling, ...]
    packages: tuple[Package, ...]
    sessions: tuple[SessionLine, ...]
    devices: tuple[str, ...]
    down_bps: int
    up_bps: int
    pace: Pace
    line: str
    bars: tuple[Bar, ...]
    payments: tuple[tuple[PaymentRow, str | None], ...]
    received: tuple[ReceivedRow, ...]
    documents: tuple[tuple[DocumentRow, DebtRow | None], ...]
    messages: tuple[SmsRow, ...]
    notes: tuple[SubscriberNoteRow, ...]
    deeds: tuple[Deed, ...] | None
    now: datetime


async def look_at_one(asked: Asked) -> Customer:
    """One customer. Raises `NotFound`."""
    now, may_money = asked.now, asked.who.may(Right.SEE_MONEY)
    before = asked.before.pace if isinstance(asked.before, Customer) else Pace()
    async with asked.deps.db.read() as tx:
        row = await theirs.subscriber(tx, asked.who, asked.path["phone"])
        answers = await why(tx, row, now)
        contracts = await accounts.subscription_rows(tx, row.id)
        named = [one.grant_id for one in contracts if one.grant_id]
        packages = await customers.grants(tx, row.id, named, limit=SHOWN)
        sessions = await live.of_grants(tx, [one.id for one, _ in packages], limit=SHOWN)
        open_ids = [one.row.id for one in sessions if one.row.closed_at is None]
        down, up = await customers.pace(tx, open_ids)
        view = await accounts.subscriber_view(tx, row)
        money = await _money(tx, row) if may_money else ((), (), ())
        told = await customers.messages(tx, row.id, row.msisdn, limit=SHOWN)
        notes = await people.notes(tx, row.id, limit=SHOWN)
        hours = await _hours(tx, sessions, now)
        deeds = await _deeds(tx, asked.who, row)
        logins = await dialling(tx, contracts[:SHOWN])
    pace = before.then(now, down)
    top = max((plan.down_bps for grant, plan in packages if grant.ended_at is None), default=0)
    lines = tuple(session_line(one) for one in sessions)
    return Customer(
        row=row,
        dialled=dialled(row.msisdn),
        is_money_shown=may_money,
        wallet_minor=view.wallet_minor,
        owed_minor=view.owed_minor,
        verdict=verdict(answers),
        answers=tuple(answers),
        marks=MARKS,
        steps=STEPS,
        contracts=tuple(contracts[:SHOWN]),
        dialling=logins,
        packages=tuple(Package(grant, plan, *gauges(grant, plan)) for grant, plan in packages),
        sessions=lines,
        devices=_devices(packages, lines),
        down_bps=down,
        up_bps=up,
        pace=pace,
        line=pace.polyline(top_bps=top),
        bars=hours,
        payments=money[0],
        received=money[1],
        documents=money[2],
        messages=tuple(told),
        notes=tuple(notes),
        deeds=deeds,
        now=now,
    )


async def _deeds(tx: Tx, who: Who, row: SubscriberRow) -> tuple[Deed, ...] | None:
    if not who.may(Right.SEE_AUDIT) or who.branches is not None:
        return None
    asked = AuditAsked(names=await about_customer(tx, row))
    return tuple(map(deed_of, await audit_rows(tx, asked, limit=DEEDS)))


async def _money(
    tx: Tx, row: SubscriberRow
) -> tuple[
    tuple[tuple[PaymentRow, str | None], ...],
    tuple[ReceivedRow, ...],
    tuple[tuple[DocumentRow, DebtRow | None], ...],
]:
    return (
        tuple(await customers.payments(tx, row.msisdn, limit=SHOWN)),
        tuple(await customers.received(tx, row.id, limit=SHOWN)),
        tuple(await accounts.last_documents(tx, row.id)),
    )


async def _hours(tx: Tx, sessions: list[live.Live], now: datetime) -> tuple[Bar, ...]:
    first = now.replace(minute=0, second=0, microsecond=0) - (BARS - 1) * HOUR
    recent = {
        (one.row.site_id, one.row.id)
        for one in sessions
        if one.row.closed_at is None or one.row.closed_at >= first
    }
    if not recent:
        return ()
    found = await customers.hours(tx, recent, since_s=int(first.timestamp()))
    return bars([(datetime.fromtimestamp(at, UTC), down, up) for at, down, up in found], first)


def _devices(
    packages: list[tuple[GrantRow, PlanRow]], sessions: tuple[SessionLine, ...]
) -> tuple[str, ...]:
    """Every device that may use something or did, each once."""
    running = [mac for grant, _ in packages if not grant.ended_at for mac in grant.devices.split()]
    return tuple(dict.fromkeys([*running, *(one.mac for one in sessions)]))


@dataclass(frozen=True, slots=True)
class Form:
    """A form about one customer, or about a new one (``row`` is None)."""

    row: SubscriberRow | None
    dialled: str
    branches: tuple[tuple[str, str], ...]
    segments: tuple[tuple[str, str], ...]
    sites: tuple[tuple[str, str], ...]
    plans: tuple[tuple[str, str], ...]
    devices: tuple[str, ...]
    dialling: tuple[Dialling, ...]
    now: datetime


async def look_at_new(asked: Asked) -> Form:
    """The form for a new customer."""
    async with asked.deps.db.read() as tx:
        return await _form(tx, asked, None)


async def look_at_form(asked: Asked) -> Form:
    """The forms for a customer. Raises `NotFound`."""
    async with asked.deps.db.read() as tx:
        row = await theirs.subscriber(tx, asked.who, asked.path["phone"])
        return await _form(tx, asked, row)


async def _form(tx: Tx, asked: Asked, row: SubscriberRow | None) -> Form:
    devices: tuple[str, ...] = ()
    logins: tuple[Dialling, ...] = ()
    if row is not None:
        packages = await customers.grants(tx, row.id, (), limit=SHOWN)
        found = await live.of_grants(tx, [one.id for one, _ in packages], limit=SHOWN)
        devices = _devices(packages, tuple(session_line(one) for one in found))
        contracts = await accounts.subscription_rows(tx, row.id)
        logins = await dialling(tx, contracts[:SHOWN])
    plans = await views.plan_rows(tx, withdrawn=False)
    return Form(
        row=row,
        dialled="" if row is None else dialled(row.msisdn),
        branches=await _branches(tx, asked.who),
        segments=tuple((key.value, said) for key, said in SEGMENTS.items()),
        sites=await live.sites(tx, asked.who.branches, limit=views.PAGE_LINES_MAX),
        plans=tuple((plan.id, plan.name) for plan in plans),
        devices=devices,
        dialling=logins,
        now=asked.now,
    )


CUSTOMERS = page.View(
    name="Customers",
    path="/noc/customers",
    right=Right.SEE_CUSTOMERS,
    look=look,
    template="customers/page.html",
    every_s=0,
    is_kept=True,
)
ADD = page.View(
    name=word("New customer"),
    path="/noc/customers/add",
    right=Right.EDIT_CUSTOMERS,
    look=look_at_new,
    template="customers/add.html",
    every_s=0,
)
CUSTOMER = page.View(
    name=word("Customer"),
    path="/noc/customers/{phone}",
    right=Right.SEE_CUSTOMERS,
    look=look_at_one,
    template="customers/one.html",
    panels=("customers/why.html", "customers/now.html", "customers/facts.html"),
    every_s=2,
)
FORMS = page.View(
    name=word("Customer"),
    path="/noc/customers/{phone}/edit",
    right=Right.SEE_CUSTOMERS,
    look=look_at_form,
    template="customers/edit.html",
    every_s=0,
)

router = page.pages(CUSTOMERS, ADD, CUSTOMER, FORMS)


def _address(phone: str) -> str:
    return f"/noc/customers/{quote(phone)}"


async def _change(deps: Deps, sent: Mapping[str, str], who: Who) -> SubscriberChange:
    segment, branch_id = sent.get("segment"), sent.get("branch_id")
    if sent.get("referred_by"):
        await theirs.must_reach(deps, who, "subscriber", sent["referred_by"])
    if segment is not None and segment not in list(Segment):
        raise InvalidField("segment", f"want one of {', '.join(Segment)}")
    if branch_id is not None and not who.reaches(branch_id):
        raise InvalidField("branch_id", f"there is no branch {branch_id}")
    return SubscriberChange(
        name=sent.get("name"),
        email=sent.get("email"),
        address=sent.get("address"),
        kra_pin=sent.get("kra_pin"),
        segment=None if segment is None else Segment(segment),
        branch_id=branch_id,
        language=sent.get("language"),
        referred_by=sent.get("referred_by") or None,
    )


@router.post("/noc/customers/add", response_model=None)
async def add(request: Request) -> Response:
    """Make a customer."""
    who = await page.acts(request, Right.EDIT_CUSTOMERS)
    deps, sent = deps_of(request), await page.fields(request)
    try:
        phone = parse_msisdn(sent.get("phone", ""))
        if who.branches is not None and not sent.get("branch_id"):
            raise InvalidField("branch_id", "say which of your branches they belong to")
        await usecase.add_subscriber(deps, phone, await _change(deps, sent, who))
    except REFUSALS as refusal:
        return page.back(request, "/noc/customers/add", said=str(refusal), tone="bad")
    said = page.words_of(request)("The customer is there")
    return page.back(request, _address(phone), said=said)


@router.post("/noc/customers/{subscriber}/edit", response_model=None)
async def edit(request: Request, subscriber: str) -> Response:
    """Change what is known of a customer."""
    who = await page.acts(request, Right.EDIT_CUSTOMERS)
    deps, sent = deps_of(request), await page.fields(request)
    await theirs.must_reach(deps, who, "subscriber", subscriber)
    try:
        await usecase.change_subscriber(deps, subscriber, await _change(deps, sent, who))
    except REFUSALS as refusal:
        return page.back(request, f"{_address(subscriber)}/edit", said=str(refusal), tone="bad")
    return page.back(request, _address(subscriber), said=page.words_of(request)("Saved"))


@router.post("/noc/customers/{subscriber}/note", response_model=None)
async def note(request: Request, subscriber: str) -> Response:
    """Write something down about a customer."""
    who = await page.acts(request, Right.EDIT_CUSTOMERS)
    deps, sent = deps_of(request), await page.fields(request)
    await theirs.must_reach(deps, who, "subscriber", subscriber)
    try:
        await add_note(deps, who, subscriber, sent.get("text", ""))
    except REFUSALS as refusal:
        return page.back(request, f"{_address(subscriber)}/edit", said=str(refusal), tone="bad")
    deps.signals.wake("live")
    return page.back(request, _address(subscriber), said=page.words_of(request)("Noted"))


@router.post("/noc/customers/{subscriber}/message", response_model=None)
async def message(request: Request, subscriber: str) -> Response:
    """Send a customer a text message."""
    who = await page.acts(request, Right.MESSAGE)
    deps, sent = deps_of(request), await page.fields(request)
    await theirs.must_reach(deps, who, "subscriber", subscriber)
    try:
        await deeds.write_to(deps, Msisdn(usecase.normal_name(subscriber)), sent.get("text", ""))
    except REFUSALS as refusal:
        return page.back(request, f"{_address(subscriber)}/edit", said=str(refusal), tone="bad")
    said = page.words_of(request)("The message is on its way")
    return page.back(request, _address(subscriber), said=said)


@router.post("/noc/customers/{subscriber}/give", response_model=None)
async def give(request: Request, subscriber: str) -> Response:
    """Give a customer a plan for nothing, with a reason."""
    who = await page.acts(request, Right.GIVE_ACCESS)
    deps, sent = deps_of(request), await page.fields(request)
    await theirs.must_reach(deps, who, "subscriber", subscriber)
    await theirs.must_reach(deps, who, "site", sent.get("site_id", ""))
    typed = sent.get("device_mac", "")
    try:
        await giving.give(
            deps,
            SiteId(sent.get("site_id", "")),
            plan_id=PlanId(sent.get("plan_id", "")),
            device_mac=meant.meant(typed).mac or typed,
            msisdn=Msisdn(usecase.normal_name(subscriber)),
            reason=sent.get("reason", ""),
        )
    except REFUSALS as refusal:
        return page.back(request, f"{_address(subscriber)}/edit", said=str(refusal), tone="bad")
    return page.back(request, _address(subscriber), said=page.words_of(request)("Access is given"))
