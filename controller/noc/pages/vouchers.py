"""Batches of prepaid codes: make, print, sell, and what became of each."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from io import StringIO
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse, Response  # noqa: TC002 - FastAPI reads the annotations
from pydantic import ValidationError

from billing.errors import InvalidField
from billing.ids import PlanId
from billing.period import midnight
from billing.voucher import parse_code, shown
from controller.api import pages as cursors
from controller.api import replay
from controller.api.errors import NotFound
from controller.api.needs import Id, Needed, who_asks
from controller.api.papers import CSV, PDF, as_file
from controller.api.reach import must_have
from controller.api.shapes import VouchersIn, VouchersOut
from controller.noc import live, typed, voucher_views
from controller.noc.board import Mood
from controller.noc.pages import held
from controller.noc.pages.theirs import must_reach
from controller.noc.views import Mark
from controller.noc.words import word
from controller.rights import Right
from controller.store import plans
from controller.usecases.voucher_sales import RAILS
from controller.usecases.voucher_sales import sell as sell_usecase
from controller.usecases.voucher_sheets import voucher_sheet
from controller.usecases.vouchers import create_vouchers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.deps import Deps
    from controller.noc.voucher_views import BatchLine
    from controller.rights import Who
    from controller.store.billing_rows import VoucherSaleRow

LINES = 50
MAKE = "/noc/vouchers/make"
SHOWN_FOR = timedelta(hours=1)
"""How long the codes of a new batch can be shown and printed by whoever may make vouchers."""

ON_SALE = Mood(word("to sell"), "good")
SOLD_OUT = Mood(word("sold out"), "quiet")
EXPIRED = Mood(word("expired"), "bad")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as a row."""

    name: str
    mood: Mood
    plan_id: str
    plan: str
    price_minor: int
    currency: str
    made: int
    sold: int
    redeemed: int
    left: int
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Batches:
    """One page of batches, and the form of a new one; ``is_adding``: it stands open."""

    now: datetime
    lines: tuple[Batch, ...]
    plans: tuple[tuple[str, str], ...]
    once: str
    more: str
    is_first: bool
    is_adding: bool
    today: date


@dataclass(frozen=True, slots=True)
class OneBatch:
    """One batch, who took how many of it, and the form of the next sale."""

    now: datetime
    batch: Batch
    sales: tuple[VoucherSaleRow, ...]
    branches: tuple[tuple[str, str], ...]
    once: str
    rails: tuple[str, ...] = RAILS


@dataclass(frozen=True, slots=True)
class Made:
    """The codes of a new batch, while they can be shown."""

    now: datetime
    batch: Batch
    codes: tuple[str, ...]
    key: str
    until: datetime
    branches: tuple[tuple[str, str], ...]


def batch_of(line: BatchLine, now: datetime) -> Batch:
    """A batch with its state; what has expired is for sale no more."""
    view, plan = line.batch, line.plan
    left = view.count - line.sold
    expired = view.expires_at is not None and view.expires_at <= now
    return Batch(
        name=view.batch,
        mood=EXPIRED if expired else ON_SALE if left else SOLD_OUT,
        plan_id=plan.id,
        plan=plan.name,
        price_minor=plan.price_minor,
        currency=plan.currency,
        made=view.count,
        sold=line.sold,
        redeemed=view.redeemed,
        left=0 if expired else left,
        created_at=view.created_at,
        expires_at=view.expires_at,
    )


async def look(asked: live.Asked) -> Batches:
    """Batches, newest first."""
    after, now = cursors.read(asked.query.get("cursor", "")), asked.now
    async with asked.deps.db.read() as tx:
        found = await voucher_views.batch_lines(tx, after=after, limit=LINES)
        sold = await plans.on_sale(tx)
    more = ""
    if len(found) == LINES:
        last = found[-1].batch
        more = "?" + urlencode({"cursor": cursors.written(Mark(last.created_at, last.batch))})
    return Batches(
        now=now,
        lines=tuple(batch_of(line, now) for line in found),
        plans=tuple((row.id, row.name) for row in sold),
        once=held.new_once(),
        more=more,
        is_first=after is None,
        is_adding=not found or bool(asked.query.get("add")),
        today=now.date(),
    )


async def look_at_one(asked: live.Asked) -> OneBatch:
    """One batch."""
    name = asked.path["batch"]
    async with asked.deps.db.read() as tx:
        line = await voucher_views.batch_line(tx, name)
        if line is None:
            raise NotFound("batch", name[:64])
        known = await voucher_views.branch_names(tx)
        sales = await voucher_views.sale_rows(tx, name)
    who = asked.who
    return OneBatch(
        now=asked.now,
        batch=batch_of(line, asked.now),
        sales=tuple(row for row in sales if who.reaches(row.branch_id)),
        branches=theirs(who, known),
        once=held.new_once(),
    )


def theirs(who: Who, known: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The branches that somebody may act for, by name."""
    return tuple((one, name) for one, name in known if who.reaches(one))


async def look_at_made(asked: live.Asked) -> Made:
    """The codes of a new batch."""
    key = asked.path["key"]
    made = await _made(asked.deps, key)
    async with asked.deps.db.read() as tx:
        line = await voucher_views.batch_line(tx, made.batch)
        known = await voucher_views.branch_names(tx)
    assert line is not None
    return Made(
        now=asked.now,
        batch=batch_of(line, asked.now),
        codes=tuple(shown(parse_code(code)) for code in made.codes),
        key=key,
        until=line.batch.created_at + SHOWN_FOR,
        branches=theirs(asked.who, known),
    )


async def _made(deps: Deps, key: str) -> VouchersOut:
    """What was made under a name. Raises `NotFound` once it is shown no more."""
    answer = await replay.answer_to(deps, MAKE, key, within=SHOWN_FOR)
    if answer is None:
        raise NotFound("new batch any more", key[:64])
    return VouchersOut.model_validate_json(answer)


VOUCHERS = live.View(
    name="Vouchers", path="/noc/vouchers", right=Right.SEE_VOUCHERS, look=look,
    template="vouchers/page.html", every_s=0,
)  # fmt: skip
MADE = live.View(
    name="New vouchers", path="/noc/vouchers/made/{key}", right=Right.MAKE_VOUCHERS,
    look=look_at_made, template="vouchers/made.html", every_s=0,
)  # fmt: skip
BATCH = live.View(
    name="Batch", path="/noc/vouchers/{batch}", right=Right.SEE_VOUCHERS, look=look_at_one,
    template="vouchers/one.html", every_s=0,
)  # fmt: skip

router = live.pages(VOUCHERS, MADE, BATCH)


@router.post(MAKE, response_model=None)
async def make(request: Request, deps: Needed) -> RedirectResponse:
    """Make a batch; its codes are shown next. The same form sent twice makes one batch."""
    who = await live.acts(request, Right.MAKE_VOUCHERS)
    held.must_be_of_all(who)
    sent = await live.fields(request)
    _ = live.words_of(request)

    async def deed() -> None:
        key, asked = held.once_of(sent), _batch_asked(sent)

        async def work() -> VouchersOut:
            batch, codes = await create_vouchers(
                deps,
                PlanId(asked.plan_id),
                asked.count,
                asked.expires_at,
                offline=not asked.online_only,
            )
            return VouchersOut(batch=batch, codes=list(codes))

        await replay.once(deps, request, asked, work, key=key)

    return await held.kept_or_again(
        request,
        deed(),
        done=_("The codes are made. Print or save them now."),
        to=f"/noc/vouchers/made/{sent.get(held.ONCE, '')}",
        again="/noc/vouchers",
    )


def _batch_asked(sent: Mapping[str, str]) -> VouchersIn:
    until = typed.day(sent, "until")
    try:
        return VouchersIn(
            plan_id=sent.get("plan", ""),
            count=typed.whole(sent, "count"),
            expires_at=None if until is None else midnight(until + timedelta(days=1)),
            online_only=sent.get("where") == "online",
        )
    except ValidationError as strange:
        first = strange.errors()[0]
        field = str(first["loc"][0])
        raise InvalidField(_ON_THE_FORM.get(field, field), first["msg"]) from strange


_ON_THE_FORM = {"plan_id": "plan", "expires_at": "until"}
"""What the fields of the API are called on the form."""


@router.get("/noc/vouchers/made/{key}/sheet.pdf", response_model=None)
async def sheet(key: Id, request: Request, deps: Needed, branch: str = "main") -> Response:
    """The codes of a new batch as slips to cut, on A4."""
    who = await who_asks(request)
    must_have(who, Right.MAKE_VOUCHERS)
    await must_reach(deps, who, "branch", branch)
    made = await _made(deps, key)
    content = await voucher_sheet(deps, made.batch, made.codes, branch_id=branch)
    return as_file(content, PDF, f"vouchers-{made.batch}.pdf")


@router.get("/noc/vouchers/made/{key}/codes.csv", response_model=None)
async def codes(key: Id, request: Request, deps: Needed) -> Response:
    """The same as CSV, a code on each line."""
    must_have(await who_asks(request), Right.MAKE_VOUCHERS)
    made = await _made(deps, key)
    async with deps.db.read() as tx:
        line = await voucher_views.batch_line(tx, made.batch)
    assert line is not None
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("code", "plan", "batch"))
    for code in made.codes:
        writer.writerow((shown(parse_code(code)), line.plan.id, made.batch))
    return as_file(out.getvalue().encode("utf-8-sig"), CSV, f"vouchers-{made.batch}.csv")


@router.post("/noc/vouchers/sell", response_model=None)
async def sell(request: Request, deps: Needed) -> RedirectResponse:
    """Note that somebody took vouchers of a batch and paid for them."""
    who = await live.acts(request, Right.SELL_VOUCHERS)
    sent = await live.fields(request)
    branch_id, batch = sent.get("branch", "main"), sent.get("batch", "")
    await must_reach(deps, who, "branch", branch_id)
    _ = live.words_of(request)

    async def deed() -> None:
        commission_bp = typed.hundredths_of_per_cent(sent, "commission")
        if commission_bp:
            must_have(who, Right.BOOK_MONEY)
        await sell_usecase(
            deps,
            batch,
            count=typed.whole(sent, "count"),
            seller=sent.get("seller", ""),
            idempotent=held.once_of(sent),
            branch_id=branch_id,
            commission_bp=commission_bp,
            rail=sent.get("rail", "cash"),
        )

    to = sent.get("back", "") or f"/noc/vouchers/{batch}"
    return await live.tried(request, to, deed(), said=_("Sold, and in the books."))
