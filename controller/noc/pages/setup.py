"""The set-up: its steps and how far they are; who sells, what is sold, how it is kept.

Each step is a page of its own and saves by itself; it can be left and taken up again at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads the annotations

from billing.errors import InvalidField
from controller.api.errors import REFUSALS
from controller.api.needs import Needed  # noqa: TC001 - as above
from controller.backup import keys
from controller.config import ConfigFaults
from controller.noc import live, setup_board, typed
from controller.noc.pages import held
from controller.noc.setup_board import Entry
from controller.noc.words import word
from controller.rights import Right
from controller.store import backups, chosen, operators
from controller.usecases import particulars, recovery_key, setup, starters
from controller.usecases.operators import OperatorChange, change_operator, set_logo
from controller.usecases.setup import Progress, Stand, StepName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from billing.money import Money
    from controller.store.backup_rows import BackupRow

BUSINESS_FIELDS = ("name", "kra_pin", "colour", "support_phone", "languages")
LOGO_PATH = "/noc/setup/business/logo"
TITLES = {
    StepName.OWNER: (word("You"), word("Owner, with a second factor")),
    StepName.BUSINESS: (word("Business"), word("Name, taxes and look, as customers see them")),
    StepName.ADDRESS: (word("Address"), word("Where providers reach this controller")),
    StepName.MPESA: (word("M-PESA"), word("Keys, and one real shilling to see every hop")),
    StepName.SMS: (word("SMS"), word("Keys, and one message that is reported delivered")),
    StepName.PLANS: (word("Plans"), word("What you sell, from a template")),
    StepName.SITE: (word("First site"), word("One command on the gateway, watched until online")),
    StepName.BACKUPS: (word("Backups"), word("The recovery key on paper, the first backup made")),
}
STANDS = {
    Stand.OPEN: (word("to do"), "quiet"),
    Stand.BEGUN: (word("to be tried"), "busy"),
    Stand.DONE: (word("done"), "good"),
    Stand.ASIDE: (word("later"), "quiet"),
}
TEMPLATE_TITLES = {
    "estate": (word("Estate hotspot"), word("Many small purchases by phone")),
    "home": (word("Home fibre"), word("Monthly contracts with invoices")),
    "cafe": (word("Café"), word("Guests who stay for an hour or a day")),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A step as a row."""

    name: str
    title: str
    about: str
    href: str
    stand: str
    tone: str
    is_over: bool
    can_wait: bool
    is_aside: bool


@dataclass(frozen=True, slots=True)
class Steps:
    """The whole set-up."""

    now: datetime
    lines: tuple[Line, ...]
    per_cent: int
    next_href: str


@dataclass(frozen=True, slots=True)
class Business:
    """Who sells."""

    now: datetime
    entries: Mapping[str, Entry]
    vat: bool
    excise: bool
    has_logo: bool
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selling:
    """The plans of a template, with prices to be changed."""

    now: datetime
    template: str
    templates: tuple[tuple[str, str, str], ...]
    starts: tuple[starters.Start, ...]
    entries: Mapping[str, Entry]
    has_plans: bool
    others: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Keeping:
    """The recovery key and the first backup."""

    now: datetime
    recipient: str
    fixed: bool
    must_confirm: bool
    made: BackupRow | None
    failed: BackupRow | None


async def look(asked: live.Asked) -> Steps:
    """How far each step is."""
    held.must_be_of_all(asked.who)
    async with asked.deps.db.read() as tx:
        found = await setup.progress(tx, asked.deps)
    return steps_of(found, asked.now)


def steps_of(found: Progress, now: datetime) -> Steps:
    """The set-up as it is shown."""
    lines = tuple(_line(step) for step in found.steps)
    return Steps(now, lines, found.per_cent, _href(found.next) if found.next else "/noc")


def _line(step: setup.Step) -> Line:
    title, about = TITLES[step.name]
    said, tone = STANDS[step.stand]
    return Line(
        step.name, title, about, _href(step.name), said, tone, step.is_over,
        step.name in setup.MAY_WAIT and step.stand is not Stand.DONE, step.stand is Stand.ASIDE,
    )  # fmt: skip


def _href(step: StepName) -> str:
    match step:
        case StepName.OWNER:
            return "/noc/me"
        case StepName.SITE:
            return "/noc/setup/site"
        case _:
            return f"/noc/setup/{step}"


async def look_at_business(asked: live.Asked) -> Business:
    """What is known of who sells."""
    held.must_be_of_all(asked.who)
    async with asked.deps.db.read() as tx:
        row = await operators.operator(tx)
    known = {
        "name": row.name,
        "kra_pin": row.kra_pin,
        "colour": row.colour,
        "support_phone": row.support_phone or "",
        "languages": row.languages,
    }
    return Business(
        asked.now, {name: Entry(name, value) for name, value in known.items()},
        row.vat_registered, row.excise_registered, row.logo is not None,
    )  # fmt: skip


async def look_at_plans(asked: live.Asked) -> Selling:
    """A template, as the query names it."""
    held.must_be_of_all(asked.who)
    template = asked.query.get("t", "estate")
    if template not in starters.TEMPLATES:
        raise InvalidField("t", f"want one of {', '.join(starters.TEMPLATES)}")
    async with asked.deps.db.read() as tx:
        found = await setup.progress(tx, asked.deps)
    has_plans = any(s.name is StepName.PLANS and s.is_over for s in found.steps)
    return _selling(asked.now, template, {}, has_plans=has_plans)


def _selling(
    now: datetime, template: str, sent: Mapping[str, str], *, has_plans: bool = False
) -> Selling:
    starts = starters.TEMPLATES[template]
    entries = {
        one.id: Entry(one.id, sent.get(one.id, "") if sent else str(one.shillings))
        for one in starts
    }
    listed = tuple((key, *said) for key, said in TEMPLATE_TITLES.items())
    return Selling(now, template, listed, starts, entries, has_plans)


async def look_at_backups(asked: live.Asked) -> Keeping:
    """The key, and what was made with it."""
    held.must_be_of_all(asked.who)
    settings = asked.deps.settings
    recipient = keys.recipient_of(settings.state_dir, settings.backup.recipient)
    async with asked.deps.db.read() as tx:
        notes = await chosen.notes(tx)
        made, other = await backups.last_success(tx), await backups.last_failure(tx)
    failed = other if other is not None and other.state == backups.FAILED else None
    return Keeping(
        asked.now, recipient, bool(settings.backup.recipient),
        setup.must_confirm(recipient, notes), made, failed if made is None else None,
    )  # fmt: skip


async def look_at_site(asked: live.Asked) -> Line:
    """Whether a site is online, and where one is added."""
    held.must_be_of_all(asked.who)
    async with asked.deps.db.read() as tx:
        found = await setup.progress(tx, asked.deps)
    return next(_line(step) for step in found.steps if step.name is StepName.SITE)


SETUP = live.View(
    name="Set-up", path="/noc/setup", right=Right.RUN_SYSTEM, look=look,
    template="setup/page.html", panels=("setup/steps.html",),
)  # fmt: skip
BUSINESS = live.View(
    name=word("Set-up: business"), path="/noc/setup/business", right=Right.RUN_SYSTEM,
    look=look_at_business, template="setup/business.html", every_s=0,
)  # fmt: skip
PLANS = live.View(
    name=word("Set-up: plans"), path="/noc/setup/plans", right=Right.RUN_SYSTEM,
    look=look_at_plans, template="setup/plans.html", every_s=0,
)  # fmt: skip
SITE = live.View(
    name=word("Set-up: first site"), path="/noc/setup/site", right=Right.RUN_SYSTEM,
    look=look_at_site, template="setup/site.html", panels=("setup/site_now.html",),
)  # fmt: skip
BACKUPS = live.View(
    name=word("Set-up: backups"), path="/noc/setup/backups", right=Right.RUN_SYSTEM,
    look=look_at_backups, template="setup/backups.html", panels=("setup/kept.html",),
)  # fmt: skip

router = live.pages(SETUP, BUSINESS, PLANS, SITE, BACKUPS)


@router.post("/noc/setup/business", response_model=None)
async def keep_business(request: Request, deps: Needed) -> Response:
    """Keep who sells."""
    sent = await _sent(request)
    vat, excise = sent.get("vat") == "1", sent.get("excise") == "1"
    faults = _faults(
        {
            "name": lambda: particulars.name(sent.get("name", "")),
            "kra_pin": lambda: _pin(sent.get("kra_pin", ""), wanted=vat or excise),
            "colour": lambda: particulars.colour(sent.get("colour", "")),
            "support_phone": lambda: particulars.support_phone(sent.get("support_phone", "")),
            "languages": lambda: particulars.languages(sent.get("languages", "")),
        }
    )
    if not faults:
        change = OperatorChange(
            name=sent.get("name", ""),
            kra_pin=sent.get("kra_pin", ""),
            vat_registered=vat,
            excise_registered=excise,
            colour=sent.get("colour", ""),
            support_phone=sent.get("support_phone", ""),
            languages=sent.get("languages", ""),
        )
        try:
            await change_operator(deps, change)
            said = live.words_of(request)("Kept.")
            return live.back(request, "/noc/setup/business", said=said)
        except InvalidField as fault:
            faults = [str(fault)]
    typed_again = [Entry(key, sent.get(key, "")) for key in BUSINESS_FIELDS]
    entries, others = setup_board.told_by(
        typed_again, faults, {e.name: e.name for e in typed_again}
    )
    board = Business(deps.now(), entries, vat, excise, has_logo=False, others=others)
    return _shown_again(request, "setup/business_again.html", board)


def _pin(text: str, *, wanted: bool) -> None:
    if not particulars.kra_pin(text) and wanted:
        raise InvalidField("kra_pin", "who is registered for a tax has a PIN: say it")


def _faults(checks: Mapping[str, Callable[[], object]]) -> list[str]:
    """Every fault of a form, by field, and not only the first."""
    faults = []
    for field_name, check in checks.items():
        try:
            check()
        except InvalidField as fault:
            faults.append(f"{field_name}: {fault.problem}")
    return faults


@router.post(LOGO_PATH, response_model=None)
async def keep_logo(request: Request, deps: Needed) -> Response:
    """Keep the logo that stands on papers."""
    held.must_be_of_all(await live.acts(request, Right.RUN_SYSTEM))

    async def deed() -> None:
        await set_logo(deps, await live.file_of(request, "logo"))

    said = live.words_of(request)("The logo is kept.")
    return await live.tried(request, "/noc/setup/business", deed(), said=said)


@router.post("/noc/setup/plans", response_model=None)
async def keep_plans(request: Request, deps: Needed) -> Response:
    """Put the plans of a template on sale."""
    sent = await _sent(request)
    template = sent.get("template", "")
    if template not in starters.TEMPLATES:
        raise InvalidField("template", f"want one of {', '.join(starters.TEMPLATES)}")
    try:
        await starters.begin(deps, template, _prices(sent, template))
    except ConfigFaults as refused:
        board = _selling(deps.now(), template, sent)
        keys_ = {one.id: one.id for one in board.starts}
        entries, others = setup_board.told_by(board.entries.values(), refused.faults, keys_)
        again = Selling(
            board.now, template, board.templates, board.starts, entries, board.has_plans, others
        )
        return _shown_again(request, "setup/plans_again.html", again)
    except REFUSALS as refusal:
        return live.back(request, f"/noc/setup/plans?t={template}", said=str(refusal), tone="bad")
    return live.back(request, "/noc/setup", said=live.words_of(request)("They are on sale."))


def _prices(sent: Mapping[str, str], template: str) -> dict[str, Money]:
    """The price of each plan that is to be sold. Raises `ConfigFaults` with every fault."""
    prices: dict[str, Money] = {}
    faults = []
    for one in starters.TEMPLATES[template]:
        try:
            if sent.get(one.id):
                prices[one.id] = typed.money(sent, one.id)
        except InvalidField as fault:
            faults.append(f"{one.id}: {fault.problem}")
    if faults:
        raise ConfigFaults(faults)
    return prices


@router.post("/noc/setup/backups/key", response_model=None)
async def make_key(request: Request, deps: Needed) -> Response:
    """Make the recovery key, and show it this once."""
    who = await live.acts(request, Right.RUN_SYSTEM)
    held.must_be_of_all(who)
    try:
        secret = await recovery_key.make(deps)
    except InvalidField as refusal:
        return live.back(request, "/noc/setup/backups", said=str(refusal), tone="bad")
    return live.shown_once(
        request, who, word("Recovery key"), "setup/key.html", secret=secret,
        letters=recovery_key.ASKED_CHARS,
    )  # fmt: skip


@router.post("/noc/setup/backups/confirm", response_model=None)
async def confirm_key(request: Request, deps: Needed) -> Response:
    """Take its last letters as the sign that it is on paper."""
    sent = await _sent(request)
    said = live.words_of(request)("Well kept. The first backup is made by itself.")
    deed = recovery_key.confirm(deps, sent.get("ending", ""))
    return await live.tried(request, "/noc/setup/backups", deed, said=said)


@router.post("/noc/setup/aside", response_model=None)
async def aside(request: Request, deps: Needed) -> Response:
    """Let a step wait, or take it up again."""
    sent = await _sent(request)
    deed = setup.put_aside(deps, sent.get("step", ""), aside=sent.get("aside") == "1")
    return await live.tried(request, "/noc/setup", deed, said="")


async def _sent(request: Request) -> dict[str, str]:
    held.must_be_of_all(await live.acts(request, Right.RUN_SYSTEM))
    return await live.fields(request)


def _shown_again(request: Request, template: str, board: object) -> Response:
    page = live.shown_once(request, request.state.who, "Set-up", template, board=board)
    page.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    return page
