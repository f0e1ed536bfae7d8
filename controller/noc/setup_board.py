"""What the pages of the set-up show: forms of settings, and the hops of a payment. PURE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.payment import PaymentState, Reason
from controller.noc.words import word
from controller.payments.seen import Road

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from controller.noc.money_views import Story

PROMPT_LASTS_S = 60
PATIENCE_S = 90
"""After so long without a callback staff are told to look at the address."""

_S = PaymentState
_WALLET = "liability:wallet:"


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a form of settings. What is ``fixed_by`` something is shown and not asked.

    A secret's ``value`` is never here: ``is_kept`` says that there is one.
    """

    name: str
    value: str = ""
    fixed_by: str = ""
    fault: str = ""
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class Hop:
    """A stage of a payment: ``waiting``, ``now``, ``good``, ``warn`` or ``bad``.

    ``after_ms`` is counted from when the provider was asked; ``todo`` is what to do about it.
    """

    text: str
    stand: str
    at: datetime | None = None
    after_ms: int | None = None
    about: str = ""
    todo: str = ""

    @property
    def tone(self) -> str:
        """Its mark."""
        return {"good": "good", "now": "busy", "warn": "busy", "bad": "bad"}.get(
            self.stand, "quiet"
        )


TODO_BY_REASON = {
    Reason.NO_BALANCE: word("Put a shilling into the phone's M-PESA, then try again."),
    Reason.CANCELLED: word("The prompt was cancelled on the phone: try again and type the PIN."),
    Reason.NO_REPLY: word("The phone did not answer: is it on, near, and of Safaricom?"),
    Reason.WRONG_PIN: word("Try again with the right PIN; after three wrong ones M-PESA locks it."),
    Reason.LINE_BUSY: word("Another prompt is open on this phone: wait one minute."),
    Reason.PROVIDER_SLOW: word("Safaricom did not take it just now: wait a minute, try again."),
    Reason.LIMIT: word("A limit of this phone or of the shortcode forbids it: use another phone."),
    Reason.ACCOUNT: word("This phone's M-PESA cannot pay: use another phone."),
    Reason.OUR_SIDE: word(
        "Safaricom refuses our keys or shortcode: compare each with the Daraja portal."
    ),
    Reason.TOO_OFTEN: word("This phone was asked too often: wait an hour, or use another."),
    Reason.TOO_LATE: word("It waited too long to be sent: try again."),
}
TODO_BY_CODE = {
    "http-400": word("Safaricom does not know this consumer key with this consumer secret."),
    "500.001.1001": word("Shortcode and passkey do not belong together, or the app is another's."),
}
"""Of a push that was refused: Daraja answers wrong credentials of the app with 400 and no body
(integrators), a wrong password, which is made of shortcode and passkey, with this code (portal)."""

LOST = word("No answer came from Safaricom. The prompt may be on the phone all the same.")
LOOK_AT_ADDRESS = word(
    "No callback so far. If none comes, Safaricom cannot reach our address: see step Address."
)


def hops(story: Story, *, answered_at: datetime | None, now: datetime) -> tuple[Hop, ...]:
    """How far a test payment has come, hop by hop."""
    row = story.order
    assert row is not None
    asked_at = row.pushed_at
    made = (
        _asked(story),
        _accepted(story, answered_at),
        _prompt(story, now),
        _told(story, now),
        _settled(story),
        _booked(story),
    )
    return tuple(_timed(hop, asked_at) for hop in _until_broken(made))


def _timed(hop: Hop, asked_at: datetime | None) -> Hop:
    if hop.at is None or asked_at is None:
        return hop
    after = max(0, (hop.at - asked_at) // timedelta(milliseconds=1))
    return replace(hop, after_ms=after)


def _until_broken(made: Iterable[Hop]) -> list[Hop]:
    """Behind the first that is broken or under way nothing has begun."""
    found: list[Hop] = []
    for hop in made:
        stopped = any(one.stand in {"bad", "now"} for one in found)
        found.append(Hop(hop.text, "waiting") if stopped and hop.stand != "good" else hop)
    return found


def _asked(story: Story) -> Hop:
    row, text = story.order, word("Safaricom is asked")
    assert row is not None
    if row.pushed_at is not None:
        return Hop(text, "good", row.pushed_at)
    if row.state in {_S.REFUSED, _S.EXPIRED}:
        return Hop(text, "bad", todo=_todo(row.reason))
    return Hop(text, "now")


def _accepted(story: Story, answered_at: datetime | None) -> Hop:
    row, text = story.order, word("Safaricom has taken it")
    assert row is not None
    if row.provider_id is not None:
        return Hop(text, "good", answered_at, about=row.provider_id)
    if row.state == _S.REFUSED:
        todo = TODO_BY_CODE.get(row.code, "") if row.reason == Reason.OUR_SIDE else ""
        return Hop(text, "bad", answered_at, about=row.code, todo=todo or _todo(row.reason))
    if row.state == _S.SETTLED:
        return Hop(text, "warn", answered_at, todo=LOST)
    if answered_at is not None:
        return Hop(text, "now", answered_at, about=row.code, todo=LOST)
    return Hop(text, "now")


def _prompt(story: Story, now: datetime) -> Hop:
    row, text = story.order, word("The prompt is on the phone, and its PIN is typed")
    assert row is not None
    if row.state == _S.SETTLED:
        return Hop(text, "good")
    if row.state == _S.REFUSED:
        return Hop(text, "bad", about=row.code, todo=_todo(row.reason))
    if row.pushed_at is None or (now - row.pushed_at).total_seconds() < PROMPT_LASTS_S:
        return Hop(text, "now", todo=word("Type the M-PESA PIN on the phone."))
    return Hop(text, "now", todo=word("The prompt is over by now; Safaricom is asked what became."))


def _told(story: Story, now: datetime) -> Hop:
    row, text = story.order, word("Safaricom calls back")
    assert row is not None
    if story.callbacks:
        # It was written down with what it brought, a moment after that was believed.
        came_at = min(story.callbacks[0][0], row.settled_at or now)
        return Hop(text, "good", came_at)
    by_query = any(Road.QUERY.value in one.roads.split() for one in story.came)
    if by_query or row.state == _S.SETTLED:
        asked = word("Safaricom was asked instead, and answered")
        return Hop(asked, "warn", row.settled_at, todo=LOOK_AT_ADDRESS)
    late = row.pushed_at is not None and (now - row.pushed_at).total_seconds() > PATIENCE_S
    return Hop(text, "now", todo=LOOK_AT_ADDRESS if late else "")


def _settled(story: Story) -> Hop:
    row, text = story.order, word("The payment is settled")
    assert row is not None
    if row.settled_at is None:
        return Hop(text, "waiting")
    return Hop(text, "good", row.settled_at, about=row.receipt or "")


def _booked(story: Story) -> Hop:
    """In the wallet of whoever paid; in suspense for the moment before, and never nowhere."""
    text = word("KES 1 is in the ledger")
    for view in story.transactions:
        if any(move.source.startswith(_WALLET) for move in view.postings):
            return Hop(word("KES 1 is in the payer's wallet"), "good", view.row.at)
    if story.transactions:
        first = story.transactions[0]
        return Hop(
            text, "now", first.row.at, todo=word("It is in suspense, and placed in a moment.")
        )
    return Hop(text, "waiting")


def _todo(reason: str | None) -> str:
    return "" if reason is None else TODO_BY_REASON.get(Reason(reason), "")


def told_by(
    entries: Iterable[Entry], faults: Iterable[str], keys: Mapping[str, str]
) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """A form with each fault at its field, and the faults that belong to none.

    ``keys`` are the names under which faults speak of the fields.
    """
    found = {entry.name: entry for entry in entries}
    by_key = {key: name for name, key in keys.items()}
    others = []
    for fault in faults:
        key, _, problem = fault.partition(": ")
        name = by_key.get(key)
        if name is None:
            others.append(fault)
            continue
        found[name] = replace(found[name], fault=problem)
    return found, tuple(others)
