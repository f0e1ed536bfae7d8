"""Payments as they happen, and the whole story of one of them with what can be done about it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse  # noqa: TC002 - FastAPI reads the annotations

from billing.errors import InvalidField
from billing.matching import Told, suggest
from billing.money import Money, parse_money
from billing.msisdn import parse_msisdn
from billing.period import midnight
from controller.api import pages as cursors
from controller.api.errors import NotFound
from controller.api.needs import Id, Needed  # noqa: TC001 - as above
from controller.noc import live, money_board, money_views, typed
from controller.noc.board import is_online
from controller.noc.columns import columns
from controller.noc.pages import held
from controller.noc.pages.theirs import must_reach
from controller.noc.views import Mark
from controller.noc.words import word
from controller.rights import Right
from controller.store import suggestions
from controller.usecases import arrivals, refunds
from controller.usecases.subscribers import normal_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.matching import Suggestion
    from controller.noc.columns import Columns
    from controller.noc.money_board import Back, Booking, MoneyLine, Step
    from controller.noc.money_views import Given
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow
    from controller.store.rows import PaymentRow, PlanRow, SubscriberRow
    from controller.store.scope import Branches
    from controller.store.site_rows import SiteRow

LINES = 50
LOOKED_BACK = timedelta(days=31)
"""How far back is looked for a state, a rail or a site, unless a day is said."""

REFUND_WORD = "REFUND"

COLUMNS = {
    "state": word("State"),
    "amount": word("Amount"),
    "who": word("Who"),
    "what": word("What for"),
    "receipt": word("Receipt"),
    "online": word("Online after"),
}
WHYS = {
    "account": word("the account number"),
    "invoice": word("the number of an open invoice"),
    "reference": word("a reference that we gave"),
    "looks_alike": word("a letter for a digit"),
    "one_off": word("one slip of the finger"),
    "two_off": word("two slips of the finger"),
    "amount": word("the amount that is owed"),
    "names": word("the same names"),
    "name": word("one name"),
    "payer": word("the payer's own number"),
    "payer_masked": word("the end of the payer's number"),
}


@dataclass(frozen=True, slots=True)
class Stream:
    """One page of payments, and how to go on."""

    now: datetime
    lines: tuple[MoneyLine, ...]
    wanted: Mapping[str, str]
    states: tuple[str, ...]
    rails: tuple[str, ...]
    sites: tuple[tuple[str, str], ...]
    older: str
    is_first: bool
    looked_back: int
    columns: Columns


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose money it may be, and what speaks for it."""

    id: str
    phone: str
    name: str
    points: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OneMoney:
    """Money that came, what went back of it, and whose it may be."""

    row: money_board.Money
    back: tuple[Back, ...]
    owners: tuple[Owner, ...]
    once: str


@dataclass(frozen=True, slots=True)
class Payment:
    """The page of one payment."""

    now: datetime
    name: str
    line: MoneyLine
    order: PaymentRow | None
    plan: PlanRow | None
    site: SiteRow | None
    site_online: bool
    subscriber: SubscriberRow | None
    steps: tuple[Step, ...]
    bookings: tuple[Booking, ...]
    given: Given | None
    is_delivered: bool
    money: tuple[OneMoney, ...]
    word: str = REFUND_WORD


async def look(asked: live.Asked) -> Stream:
    """The stream, narrowed to what the address says."""
    wanted = wanted_of(asked)
    after = cursors.read(asked.query.get("cursor", ""))
    branches = asked.who.branches
    async with asked.deps.db.read() as tx:
        shown = await lines_of(tx, wanted, branches=branches, after=after, limit=LINES)
        sites = await money_views.site_names(tx, branches=branches)
    return Stream(
        now=asked.now,
        lines=shown,
        wanted=asked.query,
        states=money_views.STATES,
        rails=_rails(asked),
        sites=tuple(sites),
        older=_older(asked.query, shown),
        is_first=after is None,
        looked_back=LOOKED_BACK.days if wanted.since and not asked.query.get("day") else 0,
        columns=columns(asked.query, COLUMNS),
    )


async def lines_of(
    tx: Tx,
    wanted: money_views.Wanted,
    *,
    branches: Branches,
    after: Mark | None,
    limit: int,
) -> tuple[MoneyLine, ...]:
    """What was asked for and what came by itself, together, newest first."""
    orders = await money_views.order_lines(tx, wanted, branches=branches, after=after, limit=limit)
    full = len(orders) == limit
    came = await money_views.came_lines(
        tx,
        wanted,
        branches=branches,
        after=after,
        limit=limit,
        not_before=orders[-1].row.created_at if full else None,
    )
    lines = [*map(money_board.order_line, orders), *map(money_board.came_line, came)]
    lines.sort(key=lambda one: (one.at, one.id), reverse=True)
    return tuple(lines[:limit])


def _rails(asked: live.Asked) -> tuple[str, ...]:
    usual = ("mpesa", "airtel", "card", "bank", "cash")
    return tuple(dict.fromkeys((*asked.deps.rails, *usual)))


def wanted_of(asked: live.Asked) -> money_views.Wanted:
    """Which payments the address asks for. Raises `InvalidField`."""
    query = asked.query
    state = query.get("state", "")
    if state and state not in money_views.STATES:
        raise InvalidField("state", f"want one of {', '.join(money_views.STATES)}")
    phone, receipt = _searched(query.get("q", ""))
    since = until = None
    if query.get("day"):
        day = typed.day(query, "day")
        assert day is not None
        since, until = midnight(day), midnight(day + timedelta(days=1))
    elif state or query.get("rail") or query.get("site"):
        since = asked.now - LOOKED_BACK
    return money_views.Wanted(
        state=state,
        rail=query.get("rail", ""),
        site_id=query.get("site", ""),
        phone=phone,
        receipt=receipt,
        since=since,
        until=until,
        rails=_rails(asked),
    )


def _searched(typed: str) -> tuple[str, str]:
    """A phone, or else a receipt."""
    if not typed:
        return "", ""
    try:
        return parse_msisdn(typed), ""
    except InvalidField:
        return "", typed.upper()


def _older(query: Mapping[str, str], shown: tuple[MoneyLine, ...]) -> str:
    if len(shown) < LINES:
        return ""
    kept = {name: value for name, value in query.items() if name != "cursor"}
    last = shown[-1]
    return "?" + urlencode({**kept, "cursor": cursors.written(Mark(last.at, last.id))})


async def look_at_one(asked: live.Asked) -> Payment:
    """The story of one payment."""
    name = asked.path["name"]
    async with asked.deps.db.read() as tx:
        story = await money_views.story(tx, name, branches=asked.who.branches)
        if story is None:
            raise NotFound("payment", name[:64])
        owners = {
            row.id: await owners_of(tx, row)
            for row in story.came
            if row.state in {"suspense", "doubted"} and asked.who.branches is None
        }
    backs = {
        row.id: tuple(r for r in story.refunds if r.arrival_id == row.id) for row in story.came
    }
    given = story.given
    return Payment(
        now=asked.now,
        name=name,
        line=_line(story),
        order=story.order,
        plan=story.plan,
        site=story.site,
        site_online=story.site is not None and is_online(story.site, asked.now),
        subscriber=story.subscriber,
        steps=money_board.steps(story),
        bookings=money_board.bookings(story.transactions),
        given=given,
        is_delivered=_delivered(given),
        money=tuple(
            OneMoney(
                row=money_board.money_of(row),
                back=tuple(map(money_board.back_of, backs[row.id])),
                owners=owners.get(row.id, ()),
                once=refund_name(row.id, len(backs[row.id])),
            )
            for row in story.came
        ),
    )


def refund_name(arrival_id: str, n: int) -> str:
    """The id of the refund of this money that comes after so many: asked for twice, it is one."""
    return hashlib.sha256(f"refund {n} of {arrival_id}".encode()).hexdigest()[:32]


def _line(story: money_views.Story) -> MoneyLine:
    if story.order is None:
        return money_board.came_line(money_views.CameLine(story.came[0], story.subscriber))
    given = story.given
    online_at = None if given is None else given.first_session_at or given.grant.started_at
    plan = "" if story.plan is None else story.plan.name
    site = "" if story.site is None else story.site.name
    return money_board.order_line(money_views.OrderLine(story.order, plan, site, online_at))


def _delivered(given: Given | None) -> bool:
    if given is None or given.site is None or given.generation is None:
        return False
    return given.site.applied_generation >= given.generation


async def owners_of(tx: Tx, row: ArrivalRow) -> tuple[Owner, ...]:
    """Whose money it may be, the likeliest first."""
    found = await suggestions.candidates(tx, row)
    told = Told(
        amount=Money(row.amount_minor, row.currency),
        reference=row.reference,
        payer=row.payer,
        payer_name=row.payer_name,
    )
    return tuple(map(owner_of, suggest(told, found)))


def owner_of(found: Suggestion) -> Owner:
    """A suggestion as it is shown."""
    return Owner(
        id=found.candidate.subscriber_id,
        phone=found.candidate.msisdn,
        name=found.candidate.name,
        points=found.score.points,
        reasons=tuple(WHYS[why.value] for why in found.score.reasons),
    )


PAYMENTS = live.View(
    name="Payments",
    path="/noc/payments",
    right=Right.SEE_MONEY,
    look=look,
    template="payments/page.html",
    panels=("payments/lines.html",),
    is_kept=True,
)

PAYMENT = live.View(
    name="Payment",
    path="/noc/payments/{name}",
    right=Right.SEE_MONEY,
    look=look_at_one,
    template="payments/one.html",
    panels=("payments/state.html", "payments/story.html"),
)

router = live.pages(PAYMENTS, PAYMENT)


@router.post("/noc/money/{arrival_id}/refund", response_model=None)
async def refund(arrival_id: Id, request: Request, deps: Needed) -> RedirectResponse:
    """Give money back, all of it or a part; the word has to be typed."""
    who = await live.acts(request, Right.BOOK_MONEY)
    await must_reach(deps, who, "arrival", arrival_id)
    sent = await live.fields(request)

    async def deed() -> None:
        held.must_be_sure(sent, REFUND_WORD)
        await refunds.refund(
            deps,
            arrival_id,
            amount=parse_money(sent["amount"]) if sent.get("amount") else None,
            reason=sent.get("reason", ""),
            idempotent=held.once_of(sent),
            who=who.name[:40],
        )

    _ = live.words_of(request)
    to = f"/noc/payments/{arrival_id}"
    return await live.tried(request, to, deed(), said=_("The refund is on its way."))


@router.post("/noc/money/{arrival_id}/assign", response_model=None)
async def assign(arrival_id: Id, request: Request, deps: Needed) -> RedirectResponse:
    """Give money to a subscriber: it pays what is open."""
    who = await live.acts(request, Right.BOOK_MONEY)
    await must_reach(deps, who, "arrival", arrival_id)
    sent = await live.fields(request)
    _ = live.words_of(request)

    async def deed() -> None:
        subscriber = sent.get("subscriber", "")
        await must_reach(deps, who, "subscriber", subscriber)
        await arrivals.assign(
            deps,
            arrival_id,
            subscriber=normal_name(subscriber),
            reason=sent.get("reason", ""),
            who=who.name[:40],
        )

    to = sent.get("back", "") or f"/noc/payments/{arrival_id}"
    return await live.tried(
        request, to, deed(), said=_("The money is theirs, and pays what they owe.")
    )
