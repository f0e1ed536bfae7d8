"""What is for sale: plans, how the portal shows them, and what they cost whom from when to when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse  # noqa: TC002 - FastAPI reads the annotations

from billing.errors import InvalidField
from billing.ids import PlanId
from billing.period import day_of
from billing.plan import Audience, Limits, Plan, check_plan
from billing.price import Price
from billing.tax import TaxClass
from controller.api import pages as cursors
from controller.api.errors import NotFound
from controller.api.needs import Id, Needed, SiteKey  # noqa: TC001 - as above
from controller.limits import limits_of
from controller.noc import live, typed, views
from controller.noc.board import Mood
from controller.noc.pages import held
from controller.noc.pages.theirs import must_reach
from controller.noc.words import word
from controller.rights import Right
from controller.store import branches, plans, prices
from controller.storefront import offer_of
from controller.usecases import plans as plans_usecase
from controller.usecases import prices as prices_usecase
from controller.usecases.subscribers import Segment
from portal.captive import text as portal_text
from portal.captive import units

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from billing.money import Money
    from controller.store.billing_rows import BranchRow, PriceRow
    from controller.store.rows import PlanRow

LINES = 50
WITHDRAW_WORD = "WITHDRAW"
LANGUAGES = ("en", "sw")

ON_SALE = Mood(word("on sale"), "good")
WITHDRAWN = Mood(word("withdrawn"), "quiet")
HOLDS = Mood(word("holds"), "good")
TO_COME = Mood(word("to come"), "busy")
OVER = Mood(word("over"), "quiet")

EMPTY_FORM = {
    "price": "50", "down": "5", "up": "2", "validity": "1", "validity_unit": "hours",
    "uptime_unit": "hours", "devices": "1", "audience": "hotspot", "tax": "internet",
    "included": "1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Card:
    """A plan as a customer's phone shows it, in one language."""

    language: str
    currency: str
    amount: str
    allowance: str
    rate: str
    devices: str


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A plan as a row."""

    id: str
    name: str
    mood: Mood
    price_minor: int
    currency: str
    audience: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Plans:
    """One page of plans."""

    lines: tuple[PlanLine, ...]
    withdrawn: bool
    more: str
    is_first: bool


@dataclass(frozen=True, slots=True)
class PriceLine:
    """What a plan costs some, from a day on; "" is every segment, every branch."""

    id: str
    mood: Mood
    segment: str
    branch: str
    amount_minor: int
    currency: str
    from_day: date
    until_day: date | None
    can_end: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What a plan costs today at a branch, by segment in the order of `Segment`."""

    branch: str
    amounts: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class OnePlan:
    """The page of one plan."""

    line: PlanLine
    created_at: datetime
    withdrawn_at: datetime | None
    now: datetime
    today: date
    tax_class: str
    tax_included: bool
    more: tuple[str, ...]
    cards: tuple[Card, ...]
    prices: tuple[PriceLine, ...]
    held: tuple[Held, ...]
    segments: tuple[str, ...]
    branches: tuple[tuple[str, str], ...]
    for_all: bool
    word: str = WITHDRAW_WORD


@dataclass(frozen=True, slots=True)
class NewPlan:
    """The form of a plan to be, as it is filled in, and how the portal would show it."""

    typed: Mapping[str, str]
    cards: tuple[Card, ...]
    fault: str


async def look(asked: live.Asked) -> Plans:
    """Plans in order of their id; those withdrawn only when asked for."""
    after_id = cursors.read_id(asked.query.get("cursor", ""))
    withdrawn = asked.query.get("withdrawn") == "1"
    async with asked.deps.db.read() as tx:
        rows = await views.plan_rows(tx, withdrawn=withdrawn, after_id=after_id, limit=LINES)
    more = ""
    if len(rows) == LINES:
        kept = {"withdrawn": "1"} if withdrawn else {}
        more = "?" + urlencode({**kept, "cursor": cursors.written_id(rows[-1].id)})
    return Plans(tuple(map(_line, rows)), withdrawn, more, not after_id)


def _line(row: PlanRow) -> PlanLine:
    return PlanLine(
        id=row.id,
        name=row.name,
        mood=ON_SALE if row.withdrawn_at is None else WITHDRAWN,
        price_minor=row.price_minor,
        currency=row.currency,
        audience=row.audience,
        limits=limits_of(row),
    )


async def look_at_one(asked: live.Asked) -> OnePlan:
    """One plan, with its prices."""
    plan_id, today = asked.path["plan_id"], day_of(asked.now)
    async with asked.deps.db.read() as tx:
        row = await views.plan_row(tx, plan_id)
        if row is None:
            raise NotFound("plan", plan_id[:64])
        dated = await prices.of_plan(tx, plan_id)
        holding = await prices_usecase.holding(tx, row, today)
        known = await branches.page(tx, after_id="", limit=prices_usecase.BRANCHES_MAX)
    plan, who = plans.as_plan(row), asked.who
    theirs = [branch for branch in known if who.reaches(branch.id)]
    amounts: dict[str, list[Money]] = {}
    for one in holding:
        amounts.setdefault(one.branch_id, []).append(one.amount)
    return OnePlan(
        line=_line(row),
        created_at=row.created_at,
        withdrawn_at=row.withdrawn_at,
        now=asked.now,
        today=today,
        tax_class=row.tax_class,
        tax_included=row.tax_included,
        more=_more(plan),
        cards=cards_of(plan) if plan.audience is Audience.HOTSPOT else (),
        prices=tuple(
            _price_line(one, today, theirs, of_all=who.branches is None)
            for one in dated
            if not one.branch_id or who.reaches(one.branch_id)
        ),
        held=tuple(Held(branch.name or branch.id, tuple(amounts[branch.id])) for branch in theirs),
        segments=tuple(Segment),
        branches=tuple((branch.id, branch.name or branch.id) for branch in theirs),
        for_all=who.branches is None,
    )


def _more(plan: Plan) -> tuple[str, ...]:
    """What a plan has beside a speed and limits, in words."""
    limits = plan.limits
    parts = (
        word("a burst of speed at first") if limits.burst else "",
        word("slower after much use") if limits.steps else "",
        word("other speeds at some hours") if limits.windows else "",
        word("volume costs extra") if plan.tariff else "",
    )
    return tuple(part for part in parts if part)


def _price_line(row: PriceRow, today: date, known: list[BranchRow], *, of_all: bool) -> PriceLine:
    over = row.until_day is not None and row.until_day <= today
    begun = OVER if over else HOLDS
    names = {branch.id: branch.name for branch in known}
    return PriceLine(
        id=row.id,
        mood=begun if row.from_day <= today else TO_COME,
        segment=row.segment,
        branch=names.get(row.branch_id) or row.branch_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        from_day=row.from_day,
        until_day=row.until_day,
        can_end=not over and (of_all or bool(row.branch_id)),
    )


def cards_of(plan: Plan) -> tuple[Card, ...]:
    """How the portal shows a plan, in each of its languages, by the portal's own words."""
    limits, offer = plan.limits, offer_of(plan)
    made = []
    for language in LANGUAGES:
        t = portal_text.tongue(asked=language, accepted="", default="en")
        currency, _, amount = units.price(plan.price).partition(" ")
        made.append(
            Card(
                language=language,
                currency=currency,
                amount=amount,
                allowance=units.allowance(offer, t),
                rate=units.rate(limits.down_bps),
                devices=t.counted("unit.device", limits.devices_max)
                if limits.devices_max > 1
                else "",
            )
        )
    return tuple(made)


async def look_at_new(asked: live.Asked) -> NewPlan:
    """The form as the address fills it in, and the card that it would make."""
    sent = {**EMPTY_FORM, **asked.query} if not asked.query else dict(asked.query)
    if not asked.query:
        return NewPlan(sent, (), "")
    try:
        plan = check_plan(plan_of(sent))
    except InvalidField as refusal:
        return NewPlan(sent, (), str(refusal))
    return NewPlan(sent, cards_of(plan) if plan.audience is Audience.HOTSPOT else (), "")


def plan_of(sent: Mapping[str, str]) -> Plan:
    """The plan that a form describes, unchecked. Raises `InvalidField`."""
    audience, tax = sent.get("audience", "hotspot"), sent.get("tax", "internet")
    if audience not in list(Audience):
        raise InvalidField("audience", f"want one of {', '.join(Audience)}")
    if tax not in list(TaxClass):
        raise InvalidField("tax", f"want one of {', '.join(TaxClass)}")
    return Plan(
        id=PlanId(sent.get("id", "")),
        name=sent.get("name", ""),
        price=typed.money(sent, "price"),
        limits=Limits(
            down_bps=typed.megabits(sent, "down"),
            up_bps=typed.megabits(sent, "up"),
            validity_s=typed.lasting(sent, "validity"),
            uptime_s=typed.lasting(sent, "uptime"),
            quota_bytes=typed.gigabytes(sent, "quota"),
            devices_max=typed.whole(sent, "devices", usual=1),
        ),
        audience=Audience(audience),
        tax_class=TaxClass(tax),
        tax_included=sent.get("included", "") == "1",
    )


PLANS = live.View(
    name="Plans", path="/noc/plans", right=Right.SEE_PLANS, look=look,
    template="plans/page.html", every_s=0,
)  # fmt: skip
NEW_PLAN = live.View(
    name="New plan", path="/noc/plans/new", right=Right.EDIT_PLANS, look=look_at_new,
    template="plans/new.html", every_s=0,
)  # fmt: skip
PLAN = live.View(
    name="Plan", path="/noc/plans/{plan_id}", right=Right.SEE_PLANS, look=look_at_one,
    template="plans/one.html", every_s=0,
)  # fmt: skip

router = live.pages(PLANS, NEW_PLAN, PLAN)


@router.post("/noc/plans", response_model=None)
async def add(request: Request, deps: Needed) -> RedirectResponse:
    """Put a plan on sale."""
    who = await live.acts(request, Right.EDIT_PLANS)
    held.must_be_of_all(who)
    sent = await live.fields(request)
    _ = live.words_of(request)

    async def deed() -> None:
        plan = plan_of(sent)
        await plans_usecase.add_plan(deps, plan, rank=typed.whole(sent, "rank", usual=0))

    kept = {name: value for name, value in sent.items() if value}
    return await held.kept_or_again(
        request,
        deed(),
        done=_("It is on sale."),
        to=f"/noc/plans/{sent.get('id', '')}",
        again=f"/noc/plans/new?{urlencode(kept)}",
    )


@router.post("/noc/plans/{plan_id}/withdraw", response_model=None)
async def withdraw(plan_id: SiteKey, request: Request, deps: Needed) -> RedirectResponse:
    """Sell it no more; the word has to be typed."""
    who = await live.acts(request, Right.EDIT_PLANS)
    held.must_be_of_all(who)
    sent = await live.fields(request)
    _ = live.words_of(request)

    async def deed() -> None:
        held.must_be_sure(sent, WITHDRAW_WORD)
        await plans_usecase.withdraw_plan(deps, PlanId(plan_id))

    said = _("It is sold no more. What was bought stays good.")
    return await live.tried(request, f"/noc/plans/{plan_id}", deed(), said=said)


@router.post("/noc/plans/{plan_id}/prices", response_model=None)
async def add_price(plan_id: SiteKey, request: Request, deps: Needed) -> RedirectResponse:
    """Let it cost another amount for some, from a day on."""
    who = await live.acts(request, Right.EDIT_PLANS)
    sent = await live.fields(request)
    branch_id = sent.get("branch", "")
    if branch_id:
        await must_reach(deps, who, "branch", branch_id)
    else:
        held.must_be_of_all(who)
    _ = live.words_of(request)

    async def deed() -> None:
        price = Price(
            plan_id=PlanId(plan_id),
            segment=sent.get("segment", ""),
            branch_id=branch_id,
            amount=typed.money(sent, "amount"),
            from_day=typed.day(sent, "from_day") or day_of(deps.now()),
            until_day=typed.day(sent, "until_day"),
        )
        await prices_usecase.add_price(deps, price)

    return await live.tried(request, f"/noc/plans/{plan_id}", deed(), said=_("The price is kept."))


@router.post("/noc/plans/{plan_id}/prices/{price_id}/end", response_model=None)
async def end_price(
    plan_id: SiteKey, price_id: Id, request: Request, deps: Needed
) -> RedirectResponse:
    """Let a price end today, or on the day that is said."""
    who = await live.acts(request, Right.EDIT_PLANS)
    await must_reach(deps, who, "price", price_id)
    sent = await live.fields(request)
    _ = live.words_of(request)

    async def deed() -> None:
        until = typed.day(sent, "until_day") or day_of(deps.now())
        await prices_usecase.end_price(deps, plan_id, price_id, until)

    return await live.tried(request, f"/noc/plans/{plan_id}", deed(), said=_("The price ends."))
