"""The cashier's page, made for a phone: take money for an account, ask a phone, sell vouchers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse  # noqa: TC002 - FastAPI reads the annotations

from billing.errors import InvalidField
from billing.ids import OrderId
from billing.msisdn import parse_msisdn
from billing.payment import PaymentState
from controller.api.errors import NotFound
from controller.api.needs import Needed  # noqa: TC001 - as above
from controller.api.reach import must_have
from controller.noc import live, money_board, money_views, typed, voucher_views
from controller.noc.accounts import SubscriberView, subscriber_view, subscriber_views
from controller.noc.board import PAYMENT_MOODS, Mood
from controller.noc.pages import held
from controller.noc.pages.theirs import must_reach
from controller.noc.pages.vouchers import Batch, batch_of, theirs
from controller.rights import Right, right_to_take
from controller.store.scope import belongs
from controller.usecases import subscribers
from controller.usecases.account_payments import AccountPayment, pay_account
from controller.usecases.money_in import Taken, receive
from controller.usecases.payers import SubscriberUnknown
from controller.usecases.subscribers import normal_name

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx
    from controller.store.rows import PaymentRow

FOUND_MAX = 8
BATCHES_MAX = 30
TAKEN_BY = ("cash", "bank", "cheque")


@dataclass(frozen=True, slots=True)
class Customer:
    """Whose account is paid into."""

    id: str
    name: str
    phone: str
    wallet_minor: int
    owed_minor: int


@dataclass(frozen=True, slots=True)
class Counter:
    """What a cashier can do now."""

    now: datetime
    q: str
    customer: Customer | None
    found: tuple[Customer, ...]
    nobody: bool
    batches: tuple[Batch, ...]
    branches: tuple[tuple[str, str], ...]
    wallets: tuple[str, ...]
    take_once: str
    ask_once: str
    sell_once: str
    back: str
    taken_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What became of a prompt."""

    now: datetime
    mood: Mood
    why: str
    over: bool
    paid: bool
    amount_minor: int
    currency: str
    phone: str
    at: datetime
    receipt: str
    q: str


async def look(asked: live.Asked) -> Counter:
    """The customer that is looked for, and the vouchers there are to sell."""
    q, who = asked.query.get("q", ""), asked.who
    async with asked.deps.db.read() as tx:
        customer, found = await _looked_for(tx, asked, q) if q else (None, ())
        lines = await voucher_views.batch_lines(tx, after=None, limit=BATCHES_MAX)
        known = await voucher_views.branch_names(tx)
    batches = (batch_of(line, asked.now) for line in lines)
    return Counter(
        now=asked.now,
        q=q,
        customer=customer,
        found=found,
        nobody=bool(q) and customer is None and not found,
        batches=tuple(one for one in batches if one.left),
        branches=theirs(who, known),
        wallets=asked.deps.wallets,
        take_once=held.new_once(),
        ask_once=held.new_once(),
        sell_once=held.new_once(),
        back="/noc/counter" + (f"?{urlencode({'q': q})}" if q else ""),
        taken_by=tuple(rail for rail in TAKEN_BY if who.may(right_to_take(rail))),
    )


async def _looked_for(
    tx: Tx, asked: live.Asked, q: str
) -> tuple[Customer | None, tuple[Customer, ...]]:
    """Whom a phone or an account names; else those whose name or phone holds what was typed."""
    branches = asked.who.branches
    try:
        row = await subscribers.must_find(tx, q)
    except SubscriberUnknown:
        views = await subscriber_views(tx, after=None, limit=FOUND_MAX, search=q)
        mine = [view for view in views if asked.who.reaches(view.row.branch_id)]
        return None, tuple(map(_customer, mine))
    if not await belongs(tx, "subscriber", row.id, branches):
        return None, ()
    return _customer(await subscriber_view(tx, row)), ()


def _customer(view: SubscriberView) -> Customer:
    row = view.row
    return Customer(row.id, row.name, row.msisdn, view.wallet_minor, view.owed_minor)


async def look_at_prompt(asked: live.Asked) -> Prompt:
    """What became of a prompt that the counter sent."""
    name = asked.path["order_id"]
    async with asked.deps.db.read() as tx:
        story = await money_views.story(tx, name, branches=asked.who.branches)
    if story is None or story.order is None or story.order.purpose != "account":
        raise NotFound("prompt", name[:64])
    return _prompt(story.order, asked.now)


def _prompt(row: PaymentRow, now: datetime) -> Prompt:
    state = PaymentState(row.state)
    line = money_board.order_line(money_views.OrderLine(row, "", "", None))
    return Prompt(
        now=now,
        mood=PAYMENT_MOODS[state],
        why=line.why,
        over=state in {PaymentState.SETTLED, PaymentState.REFUSED, PaymentState.EXPIRED},
        paid=state is PaymentState.SETTLED,
        amount_minor=row.amount_minor,
        currency=row.currency,
        phone=row.msisdn,
        at=row.created_at,
        receipt=row.receipt or "",
        q=row.subscriber_id,
    )


COUNTER = live.View(
    name="Counter", path="/noc/counter", right=Right.TAKE_MONEY, look=look,
    template="counter/page.html", every_s=0,
)  # fmt: skip
PROMPT = live.View(
    name="Prompt", path="/noc/counter/asked/{order_id}", right=Right.TAKE_MONEY,
    look=look_at_prompt, template="counter/asked.html", panels=("counter/prompt.html",),
)  # fmt: skip

router = live.pages(COUNTER, PROMPT)


@router.post("/noc/counter/take", response_model=None)
async def take(request: Request, deps: Needed) -> RedirectResponse:
    """Take money over the counter for an account: it pays what is open."""
    who = await live.acts(request, Right.TAKE_MONEY)
    sent = await live.fields(request)
    subscriber = sent.get("subscriber", "")
    await must_reach(deps, who, "subscriber", subscriber)
    rail = sent.get("rail", "cash")
    must_have(who, right_to_take(rail))
    _ = live.words_of(request)

    async def deed() -> Taken:
        if rail not in TAKEN_BY:
            raise InvalidField("rail", f"want one of {', '.join(TAKEN_BY)}")
        return await receive(
            deps,
            msisdn_or_id=normal_name(subscriber),
            amount=typed.money(sent, "amount"),
            rail=rail,
            receipt=sent.get("receipt", ""),
            note=sent.get("note", ""),
            idempotent=held.once_of(sent),
            may_place=who.may(Right.BOOK_MONEY),
        )

    def said(taken: Taken) -> str:
        amount = sent.get("amount", "")
        if taken.before:
            return _("Taken before: {amount} KES. Nothing is booked again.", amount=amount)
        return _("Taken: {amount} KES. It pays what is open.", amount=amount)

    to = sent.get("back", "") or "/noc/counter"
    return await live.tried(request, to, deed(), said=said)


@router.post("/noc/counter/ask", response_model=None)
async def ask(request: Request, deps: Needed) -> RedirectResponse:
    """Ask a phone to pay into an account."""
    who = await live.acts(request, Right.TAKE_MONEY)
    sent = await live.fields(request)
    subscriber, payer = sent.get("subscriber", ""), sent.get("payer", "")
    await must_reach(deps, who, "subscriber", subscriber)
    _ = live.words_of(request)

    async def deed() -> None:
        wish = AccountPayment(
            order_id=OrderId(held.once_of(sent)),
            subscriber=normal_name(subscriber),
            amount=typed.money(sent, "amount"),
            payer=parse_msisdn(payer) if payer else None,
            rail=sent.get("rail", ""),
        )
        await pay_account(deps, wish)

    return await held.kept_or_again(
        request,
        deed(),
        done=_("The phone is asked."),
        to=f"/noc/counter/asked/{sent.get(held.ONCE, '')}",
        again=sent.get("back", "") or "/noc/counter",
    )
