"""Money that is not where it should be, each with what mends it. The aim is an empty page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse  # noqa: TC002 - FastAPI reads the annotations

from controller.api.errors import NotFound
from controller.api.needs import Id, Needed  # noqa: TC001 - as above
from controller.noc import incoming, live, money_board, money_views
from controller.noc.board import WHY_MOODS, Mood, Why, why_waiting
from controller.noc.pages import held
from controller.noc.pages.payments import Owner, owners_of
from controller.noc.words import word
from controller.rights import Right
from controller.usecases import reconcile

if TYPE_CHECKING:
    from datetime import date, datetime

    from controller.store.code_rows import DoubleRedemptionRow
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow, DifferenceRow

LATELY = timedelta(days=7)
"""What cannot be mended, only known, is shown for so long."""

LATELY_EVERY = timedelta(minutes=1)

MONEY_LINES = 30
SUGGESTED_FOR = 10
"""For so many of the oldest the likeliest owner is looked up."""

WHY_TEXTS = {
    Why.SITE_OFFLINE: word("The site is not heard. It gets the access when it is back."),
    Why.NOT_APPLIED: word("The site is heard and has not taken the access yet."),
    Why.DEVICE_UNSEEN: word("The site lets the device in; it was not seen since."),
}
WHY_WORDS = (word("site offline"), word("not applied"), word("device not seen"))

DIFFERENCE_TEXTS = {
    "missing_here": word("the statement has it, our books do not"),
    "missing_there": word("our books have it, the statement does not"),
    "amount_differs": word("the amounts differ"),
    "twice_there": word("the statement has it more often"),
    "charge_unbooked": word("a charge that is not booked"),
    "reversal_unbooked": word("a reversal that is not booked"),
}


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """Somebody who paid and is not online."""

    id: str
    subscriber_id: str | None
    mood: Mood
    why: str
    phone: str
    plan: str
    site_id: str
    site: str
    paid_at: datetime
    waited_s: int


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """Money that is nobody's, or not confirmed, and the likeliest owner."""

    row: money_board.Money
    at: datetime
    owner: Owner | None


@dataclass(frozen=True, slots=True)
class Lately:
    """What cannot be mended, only known; looked up once in `LATELY_EVERY`."""

    at: datetime
    twice: tuple[money_views.Twice, ...]
    taken_back: tuple[ArrivalRow, ...]
    doubles: tuple[DoubleLine, ...]

    def __len__(self) -> int:
        return len(self.twice) + len(self.taken_back) + len(self.doubles)


@dataclass(frozen=True, slots=True)
class AstrayLine:
    """A refund of which nobody says whether it went."""

    arrival_id: str
    receipt: str
    amount_minor: int
    currency: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class DifferenceLine:
    """What a statement and our books do not agree in."""

    id: str
    day: date
    rail: str
    place: str
    text: str
    receipt: str
    told_minor: int | None
    booked_minor: int | None


@dataclass(frozen=True, slots=True)
class DoubleLine:
    """A code that was used once more."""

    id: str
    kind: str
    plan: str
    site: str
    found_at: datetime
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Exceptions:
    """Everything that waits for somebody, and what only has to be known."""

    now: datetime
    waiting: tuple[WaitingLine, ...]
    money: tuple[MoneyLine, ...]
    astray: tuple[AstrayLine, ...]
    differences: tuple[DifferenceLine, ...]
    lately: Lately
    of_all: bool

    @property
    def open(self) -> int:
        """How much waits for somebody."""
        parts = (self.waiting, self.money, self.astray, self.differences)
        return sum(len(part) for part in parts)


async def look(asked: live.Asked) -> Exceptions:
    """All that is not as it should be, of the branches of who asks."""
    now, branches = asked.now, asked.who.branches
    async with asked.deps.db.read() as tx:
        waiting = await incoming.waiting_views(tx, now, waited=incoming.TOO_LONG, branches=branches)
        # Money of nobody, and days of a till, belong to no branch.
        money = () if branches is not None else await _money(tx, asked)
        differences = [] if branches is not None else await money_views.differences_open(tx)
        astray = await money_views.refunds_astray(tx, branches=branches)
        lately = await _lately(tx, asked)
    return Exceptions(
        now=now,
        waiting=tuple(_waiting(view, now) for view in waiting),
        money=money,
        astray=tuple(
            AstrayLine(arrival.id, arrival.receipt, row.amount_minor, row.currency, row.created_at)
            for row, arrival in astray
        ),
        differences=tuple(map(_difference, differences)),
        lately=lately,
        of_all=branches is None,
    )


async def _lately(tx: Tx, asked: live.Asked) -> Lately:
    before, now, branches = asked.before, asked.now, asked.who.branches
    if isinstance(before, Exceptions) and _is_fresh(before, now):
        return before.lately
    since = now - LATELY
    doubles = await money_views.used_twice(tx, since, branches=branches)
    return Lately(
        at=now,
        twice=tuple(await money_views.paid_twice(tx, since, branches=branches)),
        taken_back=tuple(await money_views.taken_back(tx, since, branches=branches)),
        doubles=tuple(_double(*one) for one in doubles),
    )


def _double(row: DoubleRedemptionRow, plan: str, site: str) -> DoubleLine:
    return DoubleLine(
        id=row.redemption_id,
        kind=row.kind,
        plan=plan,
        site=site,
        found_at=row.found_at,
        amount_minor=row.amount_minor,
        currency=row.currency,
    )


def _waiting(view: incoming.WaitingView, now: datetime) -> WaitingLine:
    why = why_waiting(view, now)
    return WaitingLine(
        id="" if view.order is None else view.order.order_id,
        subscriber_id=view.grant.subscriber_id,
        mood=WHY_MOODS[why],
        why=WHY_TEXTS[why],
        phone=view.msisdn,
        plan=view.plan.name,
        site_id=view.site.id,
        site=view.site.name,
        paid_at=view.paid_at,
        waited_s=max(0, (now - view.paid_at) // timedelta(seconds=1)),
    )


async def _money(tx: Tx, asked: live.Asked) -> tuple[MoneyLine, ...]:
    """What is nobody's, the oldest first. Who it may be is looked up once in `LATELY_EVERY`."""
    known: dict[str, Owner | None] = {}
    if isinstance(asked.before, Exceptions) and _is_fresh(asked.before, asked.now):
        known = {line.row.id: line.owner for line in asked.before.money}
    lines = []
    views = await incoming.unmatched_views(tx, after=None, limit=MONEY_LINES)
    for n, view in enumerate(views):
        owner = known.get(view.row.id)
        if view.row.id not in known and n < SUGGESTED_FOR:
            owner = next(iter(await owners_of(tx, view.row)), None)
        lines.append(MoneyLine(money_board.money_of(view.row), view.row.at, owner))
    return tuple(lines)


def _is_fresh(before: Exceptions, now: datetime) -> bool:
    return now - before.lately.at < LATELY_EVERY


def _difference(row: DifferenceRow) -> DifferenceLine:
    return DifferenceLine(
        id=row.id,
        day=row.day,
        rail=row.rail,
        place=row.place,
        text=DIFFERENCE_TEXTS.get(row.kind.partition(":")[0], row.kind),
        receipt=row.receipt,
        told_minor=row.told_minor,
        booked_minor=row.booked_minor,
    )


EXCEPTIONS = live.View(
    name="Exceptions",
    path="/noc/exceptions",
    right=Right.SEE_MONEY,
    look=look,
    template="exceptions/page.html",
    panels=("exceptions/count.html", "exceptions/offline.html", "exceptions/nobodys.html"),
    every_s=3.0,
)

router = live.pages(EXCEPTIONS)


@router.post("/noc/differences/{difference_id}/explain", response_model=None)
async def explain(difference_id: Id, request: Request, deps: Needed) -> RedirectResponse:
    """Keep why a difference is none to worry about."""
    who = await live.acts(request, Right.BOOK_MONEY)
    held.must_be_of_all(who)
    sent = await live.fields(request)
    _ = live.words_of(request)
    deed = reconcile.explain(deps, difference_id, sent.get("text", ""))
    return await live.tried(request, "/noc/exceptions", deed, said=_("The explanation is kept."))


@router.post("/noc/differences/{difference_id}/compare", response_model=None)
async def compare(difference_id: Id, request: Request, deps: Needed) -> RedirectResponse:
    """Compare that day again: what was booked since may have mended it."""
    who = await live.acts(request, Right.BOOK_MONEY)
    held.must_be_of_all(who)
    _ = live.words_of(request)

    async def deed() -> None:
        async with deps.db.read() as tx:
            row = await money_views.difference(tx, difference_id)
        if row is None:
            raise NotFound("difference", difference_id)
        await reconcile.reconcile(deps, row.rail, row.place, row.day)

    return await live.tried(
        request, "/noc/exceptions", deed(), said=_("The day was compared again.")
    )
