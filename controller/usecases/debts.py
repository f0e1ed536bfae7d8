"""Debts, by staff's word: agreed to be paid in parts, or by a day, or given up as lost.

Dunning itself is in ``dunning.py``; its job and its preview are named here as well.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.accounts import bad_debt, receivable
from billing.dunning import promise_until
from billing.errors import InvalidField
from billing.ids import TransactionId
from billing.instalment import instalments
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.period import day_of
from controller.store import debts, documents, dunning, ledger
from controller.store.payers import locked as payers_locked
from controller.usecases.allocation import settle
from controller.usecases.dunning import NextStep, dun_due, preview_dunning, set_policy
from controller.usecases.money_in import check_reason, wake
from controller.usecases.reckoning import reckoned_in, suspended_again
from controller.usecases.subscriptions import after_money_in

if TYPE_CHECKING:
    from datetime import date, datetime

    from billing.instalment import Part
    from billing.period import Cycle
    from controller.deps import Deps
    from controller.store.billing_rows import DebtRow
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow

__all__ = [
    "DebtSettled",
    "DebtUnknown",
    "NextStep",
    "agree_instalments",
    "dun_due",
    "preview_dunning",
    "promise",
    "set_policy",
    "write_off",
]

PROMISE_MAX_DAYS = 31
FIRST_PART_MAX_DAYS = 62

_ID = re.compile(r"[0-9a-f]{32}")


class DebtUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such invoice."""

    field = "document_id"


class DebtSettled(Exception):  # noqa: N818 - a refusal, see style
    """Nothing of the invoice is open."""

    field = "document_id"


async def agree_instalments(
    deps: Deps, document_id: str, *, count: int, first_due: datetime, cycle: Cycle
) -> tuple[Part, ...]:
    """Let what is open of an invoice be paid in equal parts; in place of what was agreed before.

    Raises `InvalidField`, `DebtUnknown`, `DebtSettled`, `DatabaseBusy`.
    """
    now = deps.now()
    if not now < first_due <= now + timedelta(days=FIRST_PART_MAX_DAYS):
        raise InvalidField("first_due", f"want within the next {FIRST_PART_MAX_DAYS} days")
    async with deps.db.begin() as tx:
        subscriber, debt = await _open(tx, document_id)
        parts = instalments(Money(debt.open_minor), count=count, first_due=first_due, cycle=cycle)
        if parts == await dunning.parts_of(tx, document_id):
            return parts
        await dunning.keep_parts(tx, document_id, parts)
        debt.promised_until = None
        await _reckoned(tx, subscriber, debt, now)
        sites = await after_money_in(tx, deps, subscriber, now)
    wake(deps, sites)
    return parts


async def promise(deps: Deps, document_id: str, *, day: date) -> datetime:
    """Take a subscriber's word that an invoice is paid by a day: until it ends no step is taken.

    A service that was suspended for it is resumed, and suspended again when the word is broken.
    Answers when that would be. Raises `InvalidField`, `DebtUnknown`, `DebtSettled`, `DatabaseBusy`.
    """
    now = deps.now()
    if not 0 <= (day - day_of(now)).days <= PROMISE_MAX_DAYS:
        raise InvalidField("day", f"want today or one of the next {PROMISE_MAX_DAYS} days")
    until = promise_until(day)
    async with deps.db.begin() as tx:
        subscriber, debt = await _open(tx, document_id)
        if debt.promised_until == until:
            return until
        debt.promised_until = until
        suspended_again(debt, await dunning.policy_for(tx, subscriber.segment))
        await _reckoned(tx, subscriber, debt, now)
        sites = await after_money_in(tx, deps, subscriber, now)
    wake(deps, sites)
    return until


async def write_off(deps: Deps, document_id: str, *, reason: str, idempotent: str) -> Money:
    """Give up what is open of an invoice as a loss; how much that was.

    ``idempotent`` is an id that the initiator made (32 hexadecimal digits): a repeat answers the
    same. Raises `InvalidField`, `DebtUnknown`, `DebtSettled`, `DatabaseBusy`.
    """
    check_reason(reason)
    if not _ID.fullmatch(idempotent):
        raise InvalidField("idempotent", "want 32 hexadecimal digits")
    now = deps.now()
    name = TransactionId(f"written-off:{document_id}:{idempotent}")
    async with deps.db.begin() as tx:
        subscriber, debt = await _locked(tx, document_id)
        done = await ledger.postings_of(tx, name)
        if done:
            return done[0].amount
        _must_be_open(debt)
        invoice = await documents.load(tx, document_id)
        assert invoice is not None
        lost = Money(debt.open_minor, invoice.currency)
        posting = Posting(receivable(subscriber.id), bad_debt(invoice.branch_id), lost)
        await ledger.post(tx, Transaction(name, now, f"written off: {reason}", (posting,)))
        settle(debt, lost.minor, now)
        sites = await after_money_in(tx, deps, subscriber, now)
    wake(deps, sites)
    return lost


async def _locked(tx: Tx, document_id: str) -> tuple[SubscriberRow, DebtRow]:
    """A debt and who owes it, both locked, the subscriber first. Raises `DebtUnknown`."""
    owner = await debts.owner(tx, document_id)
    if owner is None:
        raise DebtUnknown(f"there is no invoice {document_id[:40]}")
    subscriber = (await payers_locked(tx, owner))[owner]
    debt = await debts.locked(tx, document_id)
    assert debt is not None
    return subscriber, debt


async def _open(tx: Tx, document_id: str) -> tuple[SubscriberRow, DebtRow]:
    subscriber, debt = await _locked(tx, document_id)
    _must_be_open(debt)
    return subscriber, debt


def _must_be_open(debt: DebtRow) -> None:
    if debt.settled_at is not None:
        raise DebtSettled("nothing of this invoice is open")


async def _reckoned(tx: Tx, subscriber: SubscriberRow, debt: DebtRow, now: datetime) -> None:
    await reckoned_in(tx, debt, await dunning.policy_for(tx, subscriber.segment), now)
