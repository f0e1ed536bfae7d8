"""Subscriptions: agreed on, served, held back, served again, ended.

What falls due by itself is `billing_run`'s; pauses and changes of plan have their own files. Each
verb locks the subscriber first, asks the pure rules, and bills at once what is due then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.charge import (
    Mode,
    ceiled,
    floored,
    lines_for,
    renewed,
    rest_of,
    resumed,
    served_before,
)
from billing.dunning import LEAST_OVERDUE
from billing.errors import InvalidField
from billing.invoice import LineKind, total
from billing.money import Money
from billing.period import Period, Unit, anchored, number_at
from billing.price import AMOUNT_MAX_MINOR
from billing.run import cause_of
from billing.subscription import Event, Hold, State, moved
from controller.store import documents, plans, sites, subscriptions
from controller.store.billing_rows import SubscriptionRow
from controller.usecases import payers
from controller.usecases.billing_batch import bill_in, load
from controller.usecases.documents import credit_in, issue_in
from controller.usecases.grants import check_mac
from controller.usecases.period_grants import Changes, New, carry_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from billing.charge import Account, Catalogue, Contract
    from billing.invoice import Line
    from billing.period import Cycle
    from controller.deps import Deps
    from controller.store.billing_rows import BilledPeriodRow
    from controller.store.database import Tx
    from controller.store.rows import PlanRow, SubscriberRow

LONGEST_S = {
    Unit.MINUTE: 60,
    Unit.HOUR: 3_600,
    Unit.DAY: 86_400,
    Unit.WEEK: 7 * 86_400,
    Unit.MONTH: 31 * 86_400,
}
"""The longest that a unit of a cycle lasts."""

DAY = timedelta(days=1)


class SubscriptionUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such subscription."""


class SubscriptionDiffers(Exception):  # noqa: N818 - a refusal, see style
    """There is a subscription of this id, with other terms."""


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """What is agreed on. ``id`` is made by who asks: the same again changes nothing.

    ``begins_at`` is None for now. ``price`` is a bespoke one, for as long as the plan stays.
    """

    id: str
    subscriber: str
    plan_id: str
    site_id: str
    mode: Mode
    cycle: Cycle
    devices: tuple[str, ...] = ()
    begins_at: datetime | None = None
    price: Money | None = None


async def start(deps: Deps, new: NewSubscription) -> SubscriptionRow:
    """Agree on a subscription, and serve and bill it if it begins now.

    Raises `InvalidField`, `SubscriberUnknown`, `SubscriptionDiffers`, `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        subscriber = await payers.locked(tx, new.subscriber)
        known = await subscriptions.load(tx, new.id)
        if known is not None:
            _check_same(known, new, subscriber)
            return known
        await _check(tx, deps, new, subscriber, now)
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
        changed = (await bill_in(tx, deps, [subscriber.id], now)).sites
        await tx.refresh(row)
    wake(deps, changed)
    return row


async def end(deps: Deps, subscription_id: str, *, credit_rest: bool = True) -> None:
    """End a subscription now, for good. Repeating changes nothing.

    What was served in arrears is billed; with ``credit_rest`` the days that are billed and left are
    credited. Raises `SubscriptionUnknown`, `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        row, subscriber = await locked(tx, subscription_id)
        was, since = as_of(row), row.state_at
        if not move(row, Event.END, now):
            return
        row.bill_at = row.resume_at = None
        changed = await carry_out(tx, Changes(revoked=[row.grant_id]), now)
        if was.state == State.ACTIVE or was.hold in {Hold.DEBT, Hold.STAFF}:
            stopped_at = now if was.state == State.ACTIVE else since
            await stop_in(tx, deps, subscriber, row, stopped_at=stopped_at, credit=credit_rest)
    wake(deps, changed)
    await use_wallet(deps, subscriber.id)


async def stop_in(
    tx: Tx,
    deps: Deps,
    subscriber: SubscriberRow,
    row: SubscriptionRow,
    *,
    stopped_at: datetime,
    credit: bool = True,
) -> None:
    """Settle a subscription that is not served since then: bill what was, credit what will not be.

    The day on which it stopped is served. Takes numbers.
    """
    now, contract = deps.now(), as_of(row)
    cut = ceiled(contract.cycle, stopped_at)
    if contract.mode is Mode.ARREARS:
        part = served_before(contract, stopped_at)
        if part is None:
            return
        await bill_part_in(
            tx, deps, subscriber, contract, part=part, grant_id=row.grant_id, now=now
        )
    elif credit:
        await credit_rest_in(tx, deps, row, cut, now)
    n = number_at(contract.cycle, contract.anchor_at, cut)
    if contract.mode is Mode.ARREARS or (contract.billed_until or cut) > cut:
        subscriptions.note(row, replace(contract, n=n, billed_until=cut), now)
        row.bill_at = None


async def credit_rest_in(
    tx: Tx, deps: Deps, row: SubscriptionRow, cut: datetime, now: datetime
) -> Money:
    """Credit what is billed of a subscription behind a moment; how much. Takes a number.

    Of an invoice that was credited by hand already no more is taken back than it has left.
    """
    nothing = Money(0)
    billed = await subscriptions.billed_at(tx, row.id, cut)
    if billed is None or billed.credited_from is not None:
        return nothing
    lines = await rest_lines(tx, billed, cut)
    amount = total(lines).total if lines else nothing
    invoice = await documents.load(tx, billed.document_id)
    assert invoice is not None
    left = invoice.total_minor - await documents.credited_minor(tx, invoice.id)
    if not 0 < amount.minor <= left:
        return nothing
    cause = f"change:{row.id}:{now.isoformat()}"
    await credit_in(tx, deps, invoice=invoice, lines=lines, cause=cause, now=now)
    billed.credited_from = cut
    await tx.flush()
    return amount


async def rest_lines(tx: Tx, billed: BilledPeriodRow, cut: datetime) -> tuple[Line, ...]:
    """The lines of a credit note for a billed part behind a moment; volume stays charged."""
    lines = [
        line
        for line in await documents.lines_of(tx, billed.document_id)
        if line.subscription_id == billed.subscription_id and line.kind is not LineKind.USAGE
    ]
    part = Period(billed.start_at, billed.end_at)
    return rest_of(lines, part=part, rest=Period(cut, part.end))


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
        was_staff, stopped_at = row.hold == Hold.STAFF, row.state_at
        if not move(row, Event.STAFF_RESUME, now):
            return
        if was_staff and row.mode != Mode.PREPAID and await _owes(tx, subscriber, now):
            move(row, Event.OVERDUE, now)
            row.state_at = stopped_at
            return
        changed = await serve_again_in(tx, deps, subscriber, {row.id: stopped_at}, now)
    wake(deps, changed)


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
            subscriptions.note(row, renewed(as_of(row), now), now)
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
        was = as_of(row)
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


async def bill_part_in(
    tx: Tx,
    deps: Deps,
    subscriber: SubscriberRow,
    contract: Contract,
    *,
    part: Period,
    grant_id: str | None,
    now: datetime,
) -> None:
    """Invoice a part of a running period that was served in arrears. Takes a number."""
    account, catalogue, terms_days = await priced(tx, subscriber, now)
    lines, _ = lines_for(contract, account, catalogue, part=part, plan_id=contract.plan_id)
    document = await issue_in(
        tx,
        deps,
        subscriber=subscriber,
        lines=lines,
        cause=f"{cause_of(part)}:{contract.id}",
        now=now,
        due_at=floored(contract.cycle, now) + terms_days * DAY,
        period=part,
    )
    assert document is not None, "a part of a period is billed once"
    await subscriptions.put_billed(tx, contract.id, part, document.id, grant_id)


async def priced(
    tx: Tx, subscriber: SubscriberRow, now: datetime
) -> tuple[Account, Catalogue, int]:
    """A subscriber as invoices see one, what things cost, and the days to pay."""
    loaded = await load(tx, [subscriber.id], now, lock=False)
    policy = loaded.payers[subscriber.id].policy
    return loaded.accounts[subscriber.id], loaded.shop.catalogue, policy.terms_days


async def locked(tx: Tx, subscription_id: str) -> tuple[SubscriptionRow, SubscriberRow]:
    """A subscription and its subscriber, locked. Raises `SubscriptionUnknown`."""
    found = await subscriptions.locked(tx, subscription_id)
    if found is None:
        raise SubscriptionUnknown(f"there is no subscription {subscription_id[:40]}")
    return found


def as_of(row: SubscriptionRow) -> Contract:
    """The subscription as it is billed."""
    return subscriptions.as_contract(row)


def move(row: SubscriptionRow, event: Event, now: datetime) -> bool:
    """Let an event happen to a locked subscription; whether it was news. Raises refusals."""
    hold = None if row.hold is None else Hold(row.hold)
    to = moved(State(row.state), hold, event)
    if to.changed:
        contract = replace(as_of(row), state=to.state, hold=to.hold)
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


def _check_same(known: SubscriptionRow, new: NewSubscription, subscriber: SubscriberRow) -> None:
    mine = (
        subscriber.id,
        new.site_id,
        new.mode,
        new.cycle,
        " ".join(new.devices),
    )
    cycle = as_of(known).cycle
    if mine != (known.subscriber_id, known.site_id, known.mode, cycle, known.devices):
        raise SubscriptionDiffers(f"subscription {new.id} was agreed on with other terms")


async def _check(
    tx: Tx, deps: Deps, new: NewSubscription, subscriber: SubscriberRow, now: datetime
) -> None:
    del deps
    if len(new.id) != 32:  # noqa: PLR2004 - hexadecimal digits
        raise InvalidField("id", "want 32 hexadecimal digits")
    if await sites.load(tx, new.site_id) is None:
        raise InvalidField("site_id", f"there is no site {new.site_id[:40]}")
    for device in new.devices:
        check_mac(device)
    if new.begins_at is not None and new.begins_at < floored(new.cycle, now):
        raise InvalidField("begins_at", "want today or later")
    if new.price is not None and not 0 <= new.price.minor <= AMOUNT_MAX_MINOR:
        raise InvalidField("price", f"want 0 to {AMOUNT_MAX_MINOR // 100:,}")
    _, catalogue, terms_days = await priced(tx, subscriber, now)
    assert catalogue is not None
    await fitting_plan(tx, new.plan_id, cycle=new.cycle, terms_days=terms_days)


async def fitting_plan(tx: Tx, plan_id: str, *, cycle: Cycle, terms_days: int) -> PlanRow:
    """A plan that a subscription with this cycle can be on. Raises `InvalidField` (``plan_id``)."""
    plan = await plans.load(tx, plan_id)
    if plan is None:
        raise InvalidField("plan_id", f"there is no plan {plan_id[:40]}")
    if plan.withdrawn_at is not None:
        raise InvalidField("plan_id", f"plan {plan_id} is withdrawn")
    longest_s = LONGEST_S[cycle.unit] * cycle.count + terms_days * 86_400
    if plan.validity_s is not None and plan.validity_s < longest_s:
        raise InvalidField(
            "plan_id", f"its validity ends before the period and {terms_days} days to pay do"
        )
    return plan
