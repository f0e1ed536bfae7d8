"""What the pages of payments show, ready to be printed: the stream, the story of one. PURE.

Words are English and marked; templates say them in the language of whoever reads. Amounts, phones
and names go to templates as they are, which cover them where that is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.payment import PaymentState, Reason
from controller.noc.board import ARRIVAL_MOODS, PAYMENT_MOODS, Mood
from controller.noc.words import word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from controller.noc.money_views import CameLine, OrderLine, Story
    from controller.noc.views import TransactionView
    from controller.store.payment_rows import ArrivalRow, RefundRow
    from controller.store.rows import PaymentRow

SLOW_ONLINE_S = 10
"""Who is online later than this after paying has waited too long."""

PAYER_CHARS_MAX = 20
"""What is longer is no number, and no masked one."""

MOODS = (
    word("starting"), word("asking"), word("checking"), word("refused"), word("not sent"),
    word("paid"), word("unconfirmed"), word("unmatched"), word("credited"), word("gone back"),
)  # fmt: skip
"""What `PAYMENT_MOODS` and `ARRIVAL_MOODS` say."""

REASONS = {
    Reason.NO_BALANCE: word("not enough money on the phone"),
    Reason.CANCELLED: word("the payer said no"),
    Reason.NO_REPLY: word("the phone did not answer"),
    Reason.WRONG_PIN: word("wrong PIN"),
    Reason.LINE_BUSY: word("another request was open on the phone"),
    Reason.PROVIDER_SLOW: word("the provider was slow"),
    Reason.LIMIT: word("a limit of the payer or the provider"),
    Reason.ACCOUNT: word("the payer's account cannot pay this"),
    Reason.OUR_SIDE: word("our own settings are wrong"),
    Reason.PLAN_UNKNOWN: word("the plan is no longer sold"),
    Reason.TOO_OFTEN: word("asked too often and never paid"),
    Reason.TOO_LATE: word("the order came too late"),
}
ROADS = {
    "callback": word("callback"),
    "query": word("our question"),
    "confirmation": word("PayBill confirmation"),
    "pull": word("list of payments"),
    "status": word("look-up of the receipt"),
    "statement": word("statement"),
    "notice": word("bank notice"),
    "staff": word("staff"),
}
VERDICTS = {
    "settled": word("believed: the money is ours"),
    "refused": word("the provider said no"),
    "repeat": word("the same again"),
    "receipt_attached": word("brought the receipt"),
    "receipt_differs": word("not believed: another receipt"),
    "receipt_used": word("not believed: the receipt was used before"),
    "paid_twice": word("paid a second time"),
    "provider_id_differs": word("not believed: about another request"),
    "provider_id_used": word("not believed: about another request"),
    "shortcode_differs": word("not believed: paid to another account"),
    "amount_differs": word("not believed: another amount"),
}
KEPT = word("kept, not decided")
NO_PROMPT = word("Nothing has been sent to the payer yet")
NO_REFERENCE = word("no reference")
REFUND_MOODS = {
    "settled": Mood(word("given back"), "good"),
    "refused": Mood(word("not given back"), "bad"),
    "unknown": Mood(word("nobody says whether it went"), "bad"),
}
REFUND_UNDER_WAY = Mood(word("on its way back"), "busy")


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """A payment as a row. ``waited_s`` is from the provider's word to the first packet."""

    id: str
    at: datetime
    mood: Mood
    why: str
    code: str
    amount_minor: int
    currency: str
    phone: str
    name: str
    plan: str
    purpose: str
    site: str
    rail: str
    receipt: str
    waited_s: int | None
    is_slow: bool


@dataclass(frozen=True, slots=True)
class Bit:
    """A piece of a step's note: ``kind`` is plain, word, money, phone, name or at."""

    kind: str
    value: object
    currency: str = "KES"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to a payment."""

    at: datetime
    tone: str
    text: str
    bits: tuple[Bit, ...] = ()


@dataclass(frozen=True, slots=True)
class Booking:
    """One move of money in the ledger."""

    at: datetime
    cause: str
    source: str
    target: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Back:
    """A refund as a row."""

    id: str
    mood: Mood
    amount_minor: int
    currency: str
    reason: str
    code: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Money:
    """Money that came, as the page of a payment offers something to do with it."""

    id: str
    mood: Mood
    state: str
    rail: str
    receipt: str
    amount_minor: int
    currency: str
    reference: str
    payer: str
    payer_name: str
    can_go_back: bool
    is_of_order: bool
    can_be_given: bool


def order_line(line: OrderLine) -> MoneyLine:
    """A row for what was asked for."""
    row = line.row
    waited = _waited_s(row.settled_at, line.online_at)
    return MoneyLine(
        id=row.order_id,
        at=row.created_at,
        mood=PAYMENT_MOODS[PaymentState(row.state)],
        why=_why(row),
        code="" if row.code in {"", "0"} else row.code,
        amount_minor=row.amount_minor,
        currency=row.currency,
        phone=row.msisdn,
        name="",
        plan=line.plan_name,
        purpose=row.purpose,
        site=line.site_name or row.site_id or "",
        rail=row.rail,
        receipt=row.receipt or "",
        waited_s=waited,
        is_slow=waited is not None and waited > SLOW_ONLINE_S,
    )


def came_line(line: CameLine) -> MoneyLine:
    """A row for what came without being asked for."""
    row, whose = line.row, line.subscriber
    return MoneyLine(
        id=row.id,
        at=row.at,
        mood=ARRIVAL_MOODS[row.state],
        why="",
        code="",
        amount_minor=row.amount_minor,
        currency=row.currency,
        phone=payer_shown(row.payer) if whose is None else whose.msisdn,
        name=row.payer_name if whose is None else whose.name,
        plan="",
        purpose="came",
        site="",
        rail=row.rail,
        receipt=row.receipt,
        waited_s=None,
        is_slow=False,
    )


def payer_shown(payer: str) -> str:
    """A payer's number as it is told: whole, or as much as was left of it; nothing for a hash."""
    if len(payer) > PAYER_CHARS_MAX:
        return ""
    if "*" not in payer:
        return payer
    first, last = payer.split("*", maxsplit=1)[0], payer.rsplit("*", maxsplit=1)[-1]
    return f"{first.strip().replace('254', '0', 1):•<4} ••• {last.strip()}"


def _waited_s(paid_at: datetime | None, online_at: datetime | None) -> int | None:
    if paid_at is None or online_at is None:
        return None
    return max(0, (online_at - paid_at) // timedelta(seconds=1))


def _why(row: PaymentRow) -> str:
    if row.state != PaymentState.REFUSED or not row.reason:
        return ""
    known = {reason.value: text for reason, text in REASONS.items()}
    return known.get(row.reason, row.reason.replace("_", " "))


def steps(story: Story) -> tuple[Step, ...]:
    """Everything that happened, in its order."""
    told = [
        *_asked(story),
        *(step for one in story.came for step in _came(one)),
        *_callbacks(story),
        *_paid(story),
        *_statement(story),
        *_deeds(story),
        *(step for one in story.refunds for step in _refund(one)),
        *_given(story),
    ]
    return tuple(sorted(told, key=lambda step: step.at))


def _asked(story: Story) -> Iterator[Step]:
    row = story.order
    if row is None:
        return
    amount = Bit("money", row.amount_minor, row.currency)
    yield Step(row.created_at, "quiet", word("Ordered"), (amount, Bit("phone", row.msisdn)))
    if row.pushed_at is not None:
        bits = (Bit("plain", row.rail), Bit("plain", row.provider_id or ""))
        yield Step(row.pushed_at, "busy", word("The payer was asked"), bits)
    if row.state in {PaymentState.REFUSED, PaymentState.EXPIRED}:
        bits = (Bit("word", _why(row)), Bit("plain", row.code))
        mood = PAYMENT_MOODS[PaymentState(row.state)]
        at = row.pushed_at or row.created_at
        yield Step(at + timedelta(microseconds=1), mood.tone, word("Not paid"), bits)


def _paid(story: Story) -> Iterator[Step]:
    row = story.order
    if row is not None and row.settled_at is not None:
        yield Step(row.settled_at, "good", word("Paid"), (Bit("plain", row.receipt or ""),))


def _came(row: ArrivalRow) -> Iterator[Step]:
    bits = (
        Bit("money", row.amount_minor, row.currency),
        Bit("plain", row.receipt),
        Bit("name", row.payer_name),
    )
    yield Step(row.at, "quiet", word("The provider took the money"), bits)
    roads = tuple(Bit("word", ROADS.get(road, road)) for road in row.roads.split())
    yield Step(row.seen_at, "good", word("First heard of; known by"), roads)


def _callbacks(story: Story) -> Iterator[Step]:
    for at, verdict in story.callbacks:
        bad = VERDICTS.get(verdict, KEPT).startswith("not believed")
        said = (Bit("word", VERDICTS.get(verdict, KEPT)),)
        yield Step(at, "bad" if bad else "good", word("The provider called back"), said)


def _statement(story: Story) -> Iterator[Step]:
    for line in story.told:
        bits = (Bit("money", line.amount_minor, line.currency), Bit("plain", line.receipt))
        yield Step(line.at, "quiet", word("Stands on the statement"), bits)


def _deeds(story: Story) -> Iterator[Step]:
    for deed in story.deeds:
        text = word("Given to a subscriber") if deed.what == "assigned" else word("Staff acted")
        yield Step(deed.at, "quiet", text, (Bit("plain", deed.who), Bit("name", deed.detail)))


def _refund(row: RefundRow) -> Iterator[Step]:
    bits = (Bit("money", row.amount_minor, row.currency), Bit("name", row.reason))
    yield Step(row.created_at, "busy", word("A refund was asked for"), bits)
    if row.settled_at is not None:
        yield Step(row.settled_at, "good", word("Given back"), (Bit("plain", row.receipt or ""),))


def _given(story: Story) -> Iterator[Step]:
    given = story.given
    if given is None:
        return
    plan = "" if story.plan is None else story.plan.name
    yield Step(given.grant.created_at, "good", word("Access was granted"), (Bit("plain", plan),))
    online_at = given.first_session_at or given.grant.started_at
    if online_at is not None:
        yield Step(online_at, "good", word("Online"), (Bit("plain", given.grant.site_id),))
    if given.grant.ended_at is not None:
        bits = (Bit("plain", (given.grant.ended_reason or "").replace("_", " ")),)
        yield Step(given.grant.ended_at, "quiet", word("Access ended"), bits)


def bookings(transactions: Sequence[TransactionView]) -> tuple[Booking, ...]:
    """What the ledger says of it."""
    return tuple(
        Booking(
            at=view.row.at,
            cause=view.row.cause,
            source=move.source,
            target=move.target,
            amount_minor=move.amount_minor,
            currency=move.currency,
        )
        for view in transactions
        for move in view.postings
    )


def back_of(row: RefundRow) -> Back:
    """A refund as a row."""
    return Back(
        id=row.id,
        mood=REFUND_MOODS.get(row.state, REFUND_UNDER_WAY),
        amount_minor=row.amount_minor,
        currency=row.currency,
        reason=row.reason,
        code=row.code,
        at=row.created_at,
    )


def money_of(row: ArrivalRow) -> Money:
    """Money that came, with what can be done with it."""
    return Money(
        id=row.id,
        mood=ARRIVAL_MOODS[row.state],
        state=row.state,
        rail=row.rail,
        receipt=row.receipt,
        amount_minor=row.amount_minor,
        currency=row.currency,
        reference=row.reference,
        payer=payer_shown(row.payer),
        payer_name=row.payer_name,
        can_go_back=row.state in {"suspense", "credited"},
        is_of_order=row.order_id is not None,
        can_be_given=row.state in {"suspense", "doubted"},
    )
