"""What is taken off prices and given back: discounts, coupons, rewards; what each has cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import RedirectResponse  # noqa: TC002 - as above

from billing.errors import InvalidField
from billing.money import Money
from billing.period import midnight
from billing.promo import Coupon, Discount, Loyalty, Referral, normal_code, read_terms
from billing.scope import Scope
from controller.api.needs import Needed, SiteKey  # noqa: TC001 - as above
from controller.noc import live, typed, voucher_views
from controller.noc.board import Mood
from controller.noc.pages import held
from controller.noc.words import word
from controller.rights import Right
from controller.store import plans, promotions
from controller.usecases import promotions as usecase
from controller.usecases.subscribers import Segment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.promo import Terms
    from controller.store.billing_rows import PromotionRow

PROMOTIONS = "/noc/promotions"
ONE_DAY = timedelta(days=1)
KINDS = (
    ("discount", word("Discount")),
    ("coupon", word("Coupon")),
    ("referral", word("Referral")),
    ("loyalty", word("Loyalty")),
)

RUNS = Mood(word("runs"), "good")
TO_COME = Mood(word("to come"), "busy")
OVER = Mood(word("over"), "quiet")
WITHDRAWN = Mood(word("withdrawn"), "quiet")


@dataclass(frozen=True, slots=True)
class Line:
    """A promotion as a row: its terms as they were made, who had it, what it has cost."""

    id: str
    kind: str
    name: str
    mood: Mood
    terms: Terms
    off: Discount | None
    scope: Scope
    starts_at: datetime
    ends_at: datetime | None
    had: int
    cost_minor: int
    can_end: bool


@dataclass(frozen=True, slots=True)
class Promotions:
    """Every promotion, and the form of a new one of a kind, as it is typed."""

    now: datetime
    lines: tuple[Line, ...]
    kind: str
    typed: Mapping[str, str]
    is_adding: bool
    plans: tuple[tuple[str, str], ...]
    branches: tuple[tuple[str, str], ...]
    kinds: tuple[tuple[str, str], ...] = KINDS
    segments: tuple[str, ...] = tuple(Segment)


async def look(asked: live.Asked) -> Promotions:
    """Promotions, newest first, with what they cost the branches of whoever asks."""
    kind = asked.query.get("kind", "")
    if kind not in dict(KINDS) | {"": ""}:
        raise InvalidField("kind", f"want one of {', '.join(dict(KINDS))}")
    async with asked.deps.db.read() as tx:
        rows = await promotions.listed(tx)
        had = await promotions.had(tx)
        sold = await plans.on_sale(tx)
        shops = await voucher_views.branch_names(tx)
        theirs = [name for name, _ in shops if asked.who.reaches(name)]
        cost = await promotions.costs(tx, [row.id for row in rows], theirs)
    return Promotions(
        now=asked.now,
        lines=tuple(_line(row, had, cost, asked.now) for row in rows),
        kind=kind or "discount",
        typed=asked.query,
        is_adding=bool(kind) or not rows,
        plans=tuple((row.id, row.name) for row in sold),
        branches=tuple(shops),
    )


def _line(
    row: PromotionRow, had: Mapping[str, int], cost: Mapping[str, int], now: datetime
) -> Line:
    terms = read_terms(row.terms)
    off = terms.discount if isinstance(terms, Coupon) else terms
    mood = _mood(row, now)
    return Line(
        id=row.id,
        kind=dict(KINDS)[row.kind],
        name=row.name,
        mood=mood,
        terms=terms,
        off=off if isinstance(off, Discount) else None,
        scope=Scope() if isinstance(off, Referral) else off.scope,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        had=had.get(row.id, 0),
        cost_minor=cost.get(row.id, 0),
        can_end=mood in {RUNS, TO_COME},
    )


def _mood(row: PromotionRow, now: datetime) -> Mood:
    if row.withdrawn_at is not None:
        return WITHDRAWN
    if row.ends_at is not None and row.ends_at <= now:
        return OVER
    return RUNS if row.starts_at <= now else TO_COME


def terms_of(sent: Mapping[str, str]) -> Terms:
    """The terms that a form describes, unchecked. Raises `InvalidField`."""
    match sent.get("kind", ""):
        case "discount":
            return _discount(sent)
        case "coupon":
            uses = sent.get("uses") and typed.whole(sent, "uses")
            return Coupon(normal_code(sent.get("code", "")), _discount(sent), uses or None)
        case "referral":
            referrer, referred = _given(sent, "referrer"), _given(sent, "referred")
            return Referral(referrer or Money(0), referred or Money(0))
        case "loyalty":
            every = sent.get("every") and typed.whole(sent, "every")
            return Loyalty(every or None, _given(sent, "reward"), _share(sent), _scope(sent))
        case _:
            raise InvalidField("kind", f"want one of {', '.join(dict(KINDS))}")


def _discount(sent: Mapping[str, str]) -> Discount:
    periods = sent.get("periods") and typed.whole(sent, "periods")
    return Discount(_share(sent), _given(sent, "amount"), periods or None, _scope(sent))


def _given(sent: Mapping[str, str], field: str) -> Money | None:
    return typed.money(sent, field) if sent.get(field) else None


def _share(sent: Mapping[str, str]) -> int | None:
    return typed.hundredths_of_per_cent(sent, "share") if sent.get("share") else None


def _scope(sent: Mapping[str, str]) -> Scope:
    one = {field: (sent[field],) if sent.get(field) else () for field in ("plan", "segment")}
    branch = (sent["branch"],) if sent.get("branch") else ()
    return Scope(plans=one["plan"], segments=one["segment"], branches=branch)


VIEW = live.View(
    name="Promotions", path=PROMOTIONS, right=Right.SEE_PLANS, look=look,
    template="promotions/page.html", every_s=0,
)  # fmt: skip

router = live.pages(VIEW)


@router.post(PROMOTIONS, response_model=None)
async def make(request: Request, deps: Needed) -> RedirectResponse:
    """Make a promotion."""
    who = await live.acts(request, Right.EDIT_PLANS)
    held.must_be_of_all(who)
    sent = await live.fields(request)
    _ = live.words_of(request)

    async def deed() -> None:
        first, last = typed.day(sent, "from_day"), typed.day(sent, "last_day")
        await usecase.create(
            deps,
            name=sent.get("name", ""),
            terms=terms_of(sent),
            promotion_id=sent.get("id", ""),
            starts_at=None if first is None else midnight(first),
            ends_at=None if last is None else midnight(last + ONE_DAY),
        )

    kept = {name: value for name, value in sent.items() if value}
    return await held.kept_or_again(
        request,
        deed(),
        done=_("The promotion is made."),
        to=PROMOTIONS,
        again=f"{PROMOTIONS}?{urlencode(kept)}",
    )


@router.post(f"{PROMOTIONS}/{{promotion_id}}/withdraw", response_model=None)
async def withdraw(promotion_id: SiteKey, request: Request, deps: Needed) -> RedirectResponse:
    """Let nobody take it up any more; who has it keeps it."""
    who = await live.acts(request, Right.EDIT_PLANS)
    held.must_be_of_all(who)
    _ = live.words_of(request)
    said = _("Nobody can have it any more. Who has it keeps it.")
    return await live.tried(request, PROMOTIONS, usecase.withdraw(deps, promotion_id), said=said)
