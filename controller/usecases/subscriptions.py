"""Subscriptions: agreed on, served, held back, served again, ended.

What falls due by itself is `billing_run`'s; pauses and changes of plan have their own files. Each
verb locks the subscriber first, asks the pure rules, and bills at once what is due then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from billing.charge import Mode, renewed, resumed, served_before
from billing.dunning import LEAST_OVERDUE
from billing.period import anchored
from billing.subscription import Event, Hold, State, moved
from controller.store import subscriptions
from controller.store.billing_rows import SubscriptionRow
from controller.store.subscriptions import as_contract
from controller.usecases import login_items, payers
from controller.usecases.agreements import check_new, check_same
from controller.usecases.billing_batch import bill_in
from controller.usecases.period_grants import Changes, New, carry_out
from controller.usecases.settling import bill_part_in, bill_volume_in, stop_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from billing.charge import Contract
    from billing.period import Period
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow
    from controller.usecases.agreements import NewSubscription


class SubscriptionUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such subscription."""


async def start(deps: Deps, new: NewSubscription) -> SubscriptionRow:
    """Agree on a subscription, and serve and bill it if it begins now.

    Raises `InvalidField`, `CurrencyMismatch`, `SubscriberUnknown`, `SubscriptionDiffers`,
    `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, new.subscriber)
        known = await subscriptions.load(tx, new.id)
        if known is not None:
            check_same(known, new, subscriber)
            return known
        await check_new(tx, new, subscriber, now)
        begins = anchored(new.cycle, new.begins_at or now)
        row = SubscriptionRow(
            id=new.id,
            subscriber_id=subscriber.id,
            plan_id=new.plan_id,
            next_plan_id=None,
            site_id=new.site_id,
            devices=" ".join(new.devices),
            mode=new.mode.value,
            cycle_unit=new.cycle.unit.value,
            cycle_count=new.cycle.count,
            anchor_day=new.cycle.anchor_day,
            anchor_at=begins,
            period_n=0,
            bill_at=begins,
            paid_until=None,
            price_minor=None if new.price is None else new.price.minor,
            state=State.PENDING.value,
            hold=None,
            state_at=now,
            resume_at=None,
            grant_id=None,
            created_at=now,
        )
        tx.add(row)
        batch = await bill_in(tx, deps, [subscriber.id], now)
        for refusal in batch.refused.values():
            raise refusal
        await tx.refresh(row)
    wake(deps, batch.sites)
    return row


async def end(deps: Deps, subscription_id: str, *, credit_rest: bool = True) -> None:
    """End a subscription now, for good. Repeating changes nothing.

    What was served in arrears is billed, and volume that was not charged; with ``credit_rest`` the
    days that are billed and left are credited. Raises `SubscriptionUnknown`, `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        row, subscriber = await locked(tx, subscription_id)
        was, since = as_contract(row), row.state_at
        if not move(row, Event.END, now):
            return
        row.bill_at = row.resume_at = None
        changed = await carry_out(tx, Changes(revoked=[row.grant_id]), now)
        changed |= await login_items.follow_in(tx, deps, row)
        if was.state == State.ACTIVE or was.hold in {Hold.DEBT, Hold.STAFF}:
            stopped_at = now if was.state == State.ACTIVE else since
            await stop_in(tx, deps, subscriber, row, stopped_at=stopped_at, credit=credit_rest)
        await bill_volume_in(tx, deps, subscriber, row, now)
        await try_again_in(tx, subscriber.id, now)
    wake(deps, changed)
    await use_wallet(deps, subscriber.id)


async def try_again_in(tx: Tx, subscriber_id: str, now: datetime) -> None:
    """Let what waits for money fall due: money is coming back into the wallet.

    In the caller's transaction, who holds the subscriber's lock and calls `use_wallet` after it.
    When the process dies in between, the next run of billing does it.
    """
    await tx.flush()
    for row in await subscriptions.locked_of(tx, subscriber_id):
        if row.hold == Hold.UNPAID:
            subscriptions.note(row, renewed(as_contract(row), now), now)


async def use_wallet(deps: Deps, subscriber_id: str) -> None:
    """Let money that came back into a wallet renew what waits for it.

    In a transaction of its own, for what gave the money back has taken numbers.
    """
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, subscriber_id)
        changed = await after_money_in(tx, deps, subscriber, deps.now())
    wake(deps, changed)


async def suspend(deps: Deps, subscription_id: str) -> None:
    """Stop serving a subscription, by staff's word; nothing new is billed. Repeating: nothing.

    Raises `SubscriptionUnknown`, a refusal of `billing.subscription`, `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        row, _ = await locked(tx, subscription_id)
        if not move(row, Event.STAFF_SUSPEND, now):
            return
        row.bill_at = None
        changed = await carry_out(tx, Changes(suspended=[row.grant_id]), now)
    wake(deps, changed)


async def resume(deps: Deps, subscription_id: str) -> None:
    """Serve again what staff suspended, or what a debt did: staff trust the subscriber.

    Who is in debt when staff lift their own hold stays suspended for that. What is left of the
    running period is billed, if it was not. Raises as `suspend`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        row, subscriber = await locked(tx, subscription_id)
        changed = await lift_in(tx, deps, row, subscriber, event=Event.STAFF_RESUME, now=now)
    wake(deps, changed)


async def lift_in(
    tx: Tx,
    deps: Deps,
    row: SubscriptionRow,
    subscriber: SubscriberRow,
    *,
    event: Event,
    now: datetime,
) -> set[str]:
    """Serve a subscription again that staff or a pause held; the sites with news.

    Who owes meanwhile what suspends them is suspended for that, unless staff lift just this.
    """
    since, was_debt = row.state_at, row.hold == Hold.DEBT
    if not move(row, event, now):
        return set()
    row.resume_at = None
    if row.mode != Mode.PREPAID and not was_debt and await _owes(tx, subscriber, now):
        move(row, Event.OVERDUE, now)
        row.state_at = since
        return set()
    return await serve_again_in(tx, deps, subscriber, {row.id: since}, now)


async def after_money_in(tx: Tx, deps: Deps, subscriber: SubscriberRow, now: datetime) -> set[str]:
    """Serve again what money that came in, or a settled debt, allows; the sites with news.

    In the caller's transaction, who holds the subscriber's lock and has paid what was open. Comes
    before anything that takes a number: it locks grants and sites, and may issue invoices.
    """
    await tx.flush()
    held = [
        row
        for row in await subscriptions.locked_of(tx, subscriber.id)
        if row.hold in {Hold.DEBT, Hold.UNPAID}
    ]
    if not held:
        return set()
    owes = await _owes(tx, subscriber, now)
    stopped: dict[str, datetime] = {}
    for row in held:
        if row.hold == Hold.UNPAID:
            subscriptions.note(row, renewed(as_contract(row), now), now)
        elif not owes:
            stopped[row.id] = row.state_at
            move(row, Event.PAID, now)
    return await serve_again_in(tx, deps, subscriber, stopped, now)


async def hold_for_debt_in(
    tx: Tx, deps: Deps, subscriber: SubscriberRow, now: datetime
) -> set[str]:
    """Suspend what a subscriber pays later, for an overdue invoice; the sites with news.

    Prepaid service is paid for, and goes on. Nothing new is billed meanwhile. In the caller's
    transaction, who holds the subscriber's lock.
    """
    del deps
    await tx.flush()
    stopped = [
        row
        for row in await subscriptions.locked_of(tx, subscriber.id)
        if row.mode != Mode.PREPAID and move(row, Event.OVERDUE, now)
    ]
    for row in stopped:
        row.bill_at = None
    if not stopped:
        return set()
    return await carry_out(tx, Changes(suspended=[row.grant_id for row in stopped]), now)


async def serve_again_in(
    tx: Tx,
    deps: Deps,
    subscriber: SubscriberRow,
    stopped: Mapping[str, datetime],
    now: datetime,
) -> set[str]:
    """Let subscriptions that are active again pass, and bill what is due; the sites with news.

    ``stopped`` says since when each was not served. Whatever else is due of the subscriber is
    billed with it.
    """
    await tx.flush()
    passing, given, replaced = list[str | None](), list[New](), list[str | None]()
    served: list[tuple[Contract, Period, str | None]] = []
    for row in await subscriptions.locked_of(tx, subscriber.id):
        if row.id not in stopped:
            continue
        was = as_contract(row)
        part = served_before(was, stopped[row.id])
        if part is not None:
            served.append((was, part, row.grant_id))
        is_now = resumed(was if part is None else replace(was, billed_until=part.end), now)
        subscriptions.note(row, is_now, now)
        if is_now.mode is Mode.ARREARS and is_now.n != was.n:
            replaced.append(row.grant_id)
            given.append(new_grant(row, start=is_now.billed_until or now))
            row.grant_id = given[-1].grant_id
        else:
            passing.append(row.grant_id)
    changed = await carry_out(tx, Changes(given=given, replaced=replaced, resumed=passing), now)
    changed |= (await bill_in(tx, deps, [subscriber.id], now)).sites
    for contract, part, grant_id in served:
        await bill_part_in(tx, deps, subscriber, contract, part=part, grant_id=grant_id, now=now)
    return changed


async def locked(tx: Tx, subscription_id: str) -> tuple[SubscriptionRow, SubscriberRow]:
    """A subscription and its subscriber, locked. Raises `SubscriptionUnknown`."""
    found = await subscriptions.locked(tx, subscription_id)
    if found is None:
        raise SubscriptionUnknown(f"there is no subscription {subscription_id[:40]}")
    return found


def move(row: SubscriptionRow, event: Event, now: datetime) -> bool:
    """Let an event happen to a locked subscription; whether it was news. Raises refusals."""
    hold = None if row.hold is None else Hold(row.hold)
    to = moved(State(row.state), hold, event)
    if to.changed:
        contract = replace(as_contract(row), state=to.state, hold=to.hold)
        subscriptions.note(row, contract, now)
    return to.changed


def new_grant(row: SubscriptionRow, *, start: datetime) -> New:
    """The grant of a time that begins then, on the plan of the subscription."""
    return New(
        subscription_id=row.id,
        subscriber_id=row.subscriber_id,
        site_id=row.site_id,
        plan_id=row.plan_id,
        devices=row.devices,
        start=start,
    )


def wake(deps: Deps, changed: Iterable[str]) -> None:
    """Tell those who wait, after the commit."""
    for site_id in changed:
        deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")


async def _owes(tx: Tx, subscriber: SubscriberRow, now: datetime) -> bool:
    return await subscriptions.is_in_debt(tx, subscriber.id, least_minor=LEAST_OVERDUE, now=now)
