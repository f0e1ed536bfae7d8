"""Rewards: money that promotions give into wallets, and take back when it was not earned."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from billing.accounts import reward as reward_account
from billing.accounts import wallet
from billing.ids import TransactionId
from billing.ledger import Posting, Transaction
from billing.money import Money
from billing.promo import applies, reward_of
from controller.store import debts, documents, ledger, payers, promotions
from controller.store.billing_rows import PromotionUseRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.promo import Loyalty
    from controller.store.billing_rows import AllocationRow, PromotionRow, ReceivedRow
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow


def cause_of(invoice_id: str) -> str:
    """How the causes of rewards for a paid invoice begin; after it stands what settled it."""
    return f"paid:{invoice_id}"


async def earned_in(
    tx: Tx, subscriber: SubscriberRow, settled: Sequence[AllocationRow], now: datetime
) -> bool:
    """Give what loyalty earns for invoices that have just been settled; whether it was anything."""
    running = await _loyalties(tx, now)
    if not running:
        return False
    before = await promotions.invoices_paid(tx, subscriber.id) - len(settled)
    given = False
    for n, last in enumerate(settled, start=1):
        paid = Money(await debts.paid_minor(tx, last.document_id))
        earning = [
            (promotion, terms, earned)
            for promotion, terms in running
            if (earned := reward_of(terms, paid_invoices=before + n, paid=paid)).minor
        ]
        plans = await _plans_of(tx, last.document_id) if earning else set[str]()
        for promotion, terms, earned in earning:
            if _applies(terms, subscriber, plans, now):
                cause = f"{cause_of(last.document_id)}:{last.id}"
                await _give(tx, promotion.id, subscriber, cause=cause, reward=earned, now=now)
                given = True
    return given


async def _loyalties(tx: Tx, now: datetime) -> list[tuple[PromotionRow, Loyalty]]:
    """The loyalty rewards of now, read once in a transaction: many invoices may be paid in it."""
    name = ("rewards.loyalties", now)
    if name not in tx.info:
        tx.info[name] = await promotions.loyalties(tx, now)
    found: list[tuple[PromotionRow, Loyalty]] = tx.info[name]
    return found


async def _plans_of(tx: Tx, invoice_id: str) -> set[str]:
    lines = await documents.lines_of(tx, invoice_id)
    return {line.plan_id for line in lines if line.plan_id is not None} or {""}


async def referral_in(
    tx: Tx, subscriber: SubscriberRow, money: ReceivedRow, now: datetime
) -> str | None:
    """Reward both when one who was referred first pays; who brought them, if they got anything.

    The wallet of that one only grows, so their lock is not needed.
    """
    brought_by = subscriber.referred_by
    if brought_by is None or await promotions.paid_before(tx, subscriber.id, money.id):
        return None
    referrer = await payers.loaded(tx, brought_by)
    rewarded = None
    for promotion, terms in await promotions.referrals(tx, now):
        for who, amount in ((subscriber, terms.referred), (referrer, terms.referrer)):
            if amount.minor:
                await _give(tx, promotion.id, who, cause=money.id, reward=amount, now=now)
        rewarded = referrer.id if terms.referrer.minor else rewarded
    return rewarded


async def take_back_in(tx: Tx, cause: str, now: datetime) -> set[str]:
    """Take back what a cause earned; whose wallets lost it, and may be below zero for now.

    The caller holds their locks, and makes the wallets good.
    """
    lost = set[str]()
    for use in await promotions.rewards_of(tx, cause):
        who = await payers.loaded(tx, use.subscriber_id)
        use.reversed_at = now
        given = await ledger.postings_of(tx, TransactionId(f"reward:{use.id}"))
        account = given[0].target
        await _book(
            tx,
            f"reward:{use.id}:reversed",
            Posting(account, wallet(who.id), Money(use.reward_minor)),
            cause=f"reward of promotion {use.promotion_id} was not earned",
            now=now,
        )
        lost.add(who.id)
    return lost


def _applies(terms: Loyalty, subscriber: SubscriberRow, plans: set[str], now: datetime) -> bool:
    return any(
        applies(
            terms,
            plan_id=plan_id,
            segment=subscriber.segment,
            branch_id=subscriber.branch_id,
            at=now,
        )
        for plan_id in plans
    )


async def _give(
    tx: Tx,
    promotion_id: str,
    who: SubscriberRow,
    *,
    cause: str,
    reward: Money,
    now: datetime,
) -> None:
    use = PromotionUseRow(
        id=secrets.token_hex(16),
        promotion_id=promotion_id,
        subscriber_id=who.id,
        cause=cause,
        at=now,
        reward_minor=reward.minor,
    )
    await promotions.add_use(tx, use)
    await _book(
        tx,
        f"reward:{use.id}",
        Posting(wallet(who.id), reward_account(who.branch_id, promotion_id), reward),
        cause=f"reward of promotion {promotion_id} for {cause}",
        now=now,
    )


async def _book(tx: Tx, name: str, posting: Posting, *, cause: str, now: datetime) -> None:
    transaction = Transaction(TransactionId(name), now, cause, (posting,))
    posted = await ledger.post(tx, transaction)
    assert posted is ledger.Posted.CREATED, f"{name} was booked before"
