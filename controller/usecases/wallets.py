"""Wallets, by staff's word: put right with a reason, and moved to another subscriber's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from billing.accounts import adjustment, wallet
from billing.errors import InvalidField
from billing.ids import TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from controller.store import ledger, received
from controller.usecases import payers
from controller.usecases.allocation import allocate_in
from controller.usecases.money_in import check_reason, wake
from controller.usecases.subscriptions import after_money_in

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow

AMOUNT_MAX_MINOR = 1_000_000 * 100

_ID = re.compile(r"[0-9a-f]{32}")


class WalletTooLow(Exception):  # noqa: N818 - a refusal, see style
    """The wallet does not hold so much."""

    field = "amount"


class IdUsed(Exception):  # noqa: N818 - a refusal, see style
    """This id stands for something else that was done."""

    field = "idempotent"


async def adjust(
    deps: Deps, *, msisdn_or_id: str, amount: Money, reason: str, idempotent: str
) -> Money:
    """Put money into a wallet, or take it out (a negative amount); what it held right after that.

    ``idempotent`` is an id that the initiator made (32 hexadecimal digits). What is put in pays
    what is open. Raises `InvalidField`, `payers.SubscriberUnknown`, `WalletTooLow`, `IdUsed`,
    `DatabaseBusy`.
    """
    check_reason(reason)
    _check(amount if amount.minor > 0 else Money(-amount.minor, amount.currency), idempotent)
    now = deps.now()
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, msisdn_or_id)
        gift, held = adjustment(subscriber.branch_id), wallet(subscriber.id)
        if amount.minor > 0:
            posting = Posting(held, gift, amount)
        else:
            posting = Posting(gift, held, Money(-amount.minor))
        name = f"adjusted:{idempotent}"
        changed = await _moved(tx, posting, name=name, cause=f"adjusted: {reason}", now=now)
        if changed:
            await _must_hold(tx, subscriber, taken=-amount.minor)
        left = Money(await received.wallet_minor(tx, subscriber.id))
        sites = await _spent(tx, deps, subscriber, now) if changed and amount.minor > 0 else set()
    wake(deps, sites)
    return left


async def transfer(
    deps: Deps, *, source: str, target: str, amount: Money, idempotent: str, note: str = ""
) -> Money:
    """Move money from one wallet to another's (a friend's); what the first holds then.

    Subscribers are named by phone or id. ``idempotent`` is an id that the initiator made. What
    arrives pays what is open there. Raises `InvalidField`, `payers.SubscriberUnknown`,
    `WalletTooLow`, `IdUsed`, `DatabaseBusy`.
    """
    _check(amount, idempotent)
    if note:
        check_reason(note)
    now = deps.now()
    async with deps.db.begin() as tx:
        giver, taker = await payers.both_locked(tx, source, target)
        if giver.id == taker.id:
            raise InvalidField("target", "want another subscriber")
        posting = Posting(wallet(taker.id), wallet(giver.id), amount)
        cause = f"transfer: {note}" if note else "transfer"
        changed = await _moved(tx, posting, name=f"transfer:{idempotent}", cause=cause, now=now)
        sites = set[str]()
        if changed:
            await _must_hold(tx, giver, taken=amount.minor)
            sites = await _spent(tx, deps, taker, now)
        left = Money(await received.wallet_minor(tx, giver.id))
    wake(deps, sites)
    return left


async def _moved(tx: Tx, posting: Posting, *, name: str, cause: str, now: datetime) -> bool:
    """Book a movement once; False when that was done before. Raises `IdUsed`."""
    posted = await ledger.post(tx, Transaction(TransactionId(name), now, cause, (posting,)))
    if posted is ledger.Posted.EXISTS_WITH_OTHER_POSTINGS:
        raise IdUsed("this id stands for another movement of money")
    return posted is ledger.Posted.CREATED


async def _must_hold(tx: Tx, subscriber: SubscriberRow, *, taken: int) -> None:
    """Refuse what has taken more from a wallet than there was; nothing of it is kept."""
    left = await received.wallet_minor(tx, subscriber.id)
    if taken > 0 and left < 0:
        raise WalletTooLow(f"the wallet holds {Money(left + taken)}")


async def _spent(tx: Tx, deps: Deps, subscriber: SubscriberRow, now: datetime) -> set[str]:
    await allocate_in(tx, deps, subscriber, now)
    return await after_money_in(tx, deps, subscriber, now)


def _check(amount: Money, idempotent: str) -> None:
    if not _ID.fullmatch(idempotent):
        raise InvalidField("idempotent", "want 32 hexadecimal digits")
    if not 0 < amount.minor <= AMOUNT_MAX_MINOR or amount.currency != "KES":
        raise InvalidField("amount", f"want up to {Money(AMOUNT_MAX_MINOR)}, and not nothing")
