"""Changes of plan: quoted to the cent, then done now, or noted for the next renewal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.change import Change, changed, cut_of
from billing.charge import Mode
from billing.errors import InvalidField
from billing.money import Money
from billing.period import Period
from billing.price import AMOUNT_MAX_MINOR
from billing.subscription import Event, Hold, State, moved
from controller.store import billing_bulk, debts, subscriptions
from controller.store.subscriptions import as_contract
from controller.usecases.agreements import fitting_plan
from controller.usecases.documents import issue_in
from controller.usecases.period_grants import Changes, carry_out
from controller.usecases.settling import (
    DAY,
    bill_part_in,
    bill_volume_in,
    credit_in_full,
    creditable,
    priced,
)
from controller.usecases.subscriptions import (
    SubscriptionUnknown,
    locked,
    new_grant,
    try_again_in,
    use_wallet,
    wake,
)

if TYPE_CHECKING:
    from datetime import datetime

    from billing.charge import Account
    from controller.deps import Deps
    from controller.store.billing_rows import BilledPeriodRow, SubscriptionRow
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow


class WalletTooLow(Exception):  # noqa: N818 - a refusal, see style
    """The wallet does not hold what a prepaid change costs; ``missing`` does it."""

    def __init__(self, missing: Money) -> None:
        super().__init__(f"{missing} is missing in the wallet")
        self.missing = missing


class QuoteChanged(Exception):  # noqa: N818 - a refusal, see style
    """The change costs something else by now than what was quoted; ``to_pay`` is what."""

    def __init__(self, to_pay: Money) -> None:
        super().__init__(f"the change now comes to {to_pay}")
        self.to_pay = to_pay


@dataclass(frozen=True, slots=True)
class Quote:
    """What a change now comes to; ``missing`` is what a prepaid one wants in the wallet first."""

    change: Change
    missing: Money


@dataclass(frozen=True, slots=True)
class _Asked:
    """A change that is asked for, with everything that decides it."""

    subscriber: SubscriberRow
    quote: Quote
    billed: BilledPeriodRow | None
    terms_days: int


async def quote(
    deps: Deps, subscription_id: str, plan_id: str, *, price: Money | None = None
) -> Quote:
    """What changing the plan now would come to, to the cent; writes nothing.

    ``price`` is a bespoke one. Raises `InvalidField`, `SubscriptionUnknown`, a refusal of
    `billing.subscription`.
    """
    async with deps.db.read() as tx:
        row = await subscriptions.load(tx, subscription_id)
        if row is None:
            raise SubscriptionUnknown(f"there is no subscription {subscription_id[:40]}")
        subscriber = await subscriptions.subscriber(tx, row.subscriber_id)
        asked = await _asked(tx, row, subscriber, plan_id=plan_id, price=price, now=deps.now())
        return asked.quote


async def change_now(
    deps: Deps,
    subscription_id: str,
    plan_id: str,
    *,
    price: Money | None = None,
    quoted: Money | None = None,
) -> Change:
    """Change the plan now: credit the old one's rest, charge the new one's, serve by the new one.

    ``quoted`` is the `Change.to_pay` that was agreed to. Raises as `quote`, and `QuoteChanged`,
    `WalletTooLow`, `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        row, subscriber = await locked(tx, subscription_id)
        asked = await _asked(tx, row, subscriber, plan_id=plan_id, price=price, now=now)
        change = asked.quote.change
        if quoted is not None and quoted != change.to_pay:
            raise QuoteChanged(change.to_pay)
        if asked.quote.missing.minor:
            raise WalletTooLow(asked.quote.missing)
        before, old_grant = as_contract(row), row.grant_id
        subscriptions.note(row, change.contract, now)
        sites = set[str]()
        if row.state == State.ACTIVE:
            new = new_grant(row, start=now)
            row.grant_id = new.grant_id
            sites = await carry_out(tx, Changes(given=[new], replaced=[old_grant]), now)
        if change.served is not None:
            await bill_part_in(
                tx, deps, subscriber, before, part=change.served, grant_id=old_grant, now=now
            )
        await _booked(tx, deps, row, asked, now)
        await try_again_in(tx, subscriber.id, now)
    wake(deps, sites)
    await use_wallet(deps, subscriber.id)
    return change


async def change_at_renewal(deps: Deps, subscription_id: str, plan_id: str) -> None:
    """Let the next period be on another plan; the plan that it has already takes that back.

    Raises `InvalidField`, `SubscriptionUnknown`, `SubscriptionEnded`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        row, subscriber = await locked(tx, subscription_id)
        if row.state == State.ENDED:
            moved(State.ENDED, None, Event.PAUSE)  # raises the refusal
        _, _, terms_days = await priced(tx, subscriber, deps.now())
        cycle = as_contract(row).cycle
        await fitting_plan(tx, plan_id, cycle=cycle, terms_days=terms_days)
        row.next_plan_id = None if plan_id == row.plan_id else plan_id
    deps.signals.wake("live")


async def _asked(
    tx: Tx,
    row: SubscriptionRow,
    subscriber: SubscriberRow,
    *,
    plan_id: str,
    price: Money | None,
    now: datetime,
) -> _Asked:
    """Load what decides a change, and ask the pure rule."""
    _check_state(row)
    account, catalogue, terms_days = await priced(tx, subscriber, now)
    contract = as_contract(row)
    if price is not None and not 0 <= price.minor <= AMOUNT_MAX_MINOR:
        raise InvalidField("price", f"want 0 to {AMOUNT_MAX_MINOR // 100:,}")
    if plan_id == row.plan_id and price == contract.bespoke:
        raise InvalidField("plan_id", "it is on this plan already")
    await fitting_plan(tx, plan_id, cycle=contract.cycle, terms_days=terms_days)
    billed = None if row.mode == Mode.ARREARS else await subscriptions.billed_at(tx, row.id, now)
    part = None if billed is None else Period(billed.start_at, billed.end_at)
    cut = cut_of(contract, now, billed=part)
    change = changed(
        contract,
        account,
        catalogue,
        plan_id=plan_id,
        price=price,
        now=now,
        billed=part,
        credit=() if billed is None else await creditable(tx, billed, cut),
    )
    missing = await _missing(tx, account, contract.mode, change)
    return _Asked(subscriber, Quote(change, missing), billed, terms_days)


async def _missing(tx: Tx, account: Account, mode: Mode, change: Change) -> Money:
    """What a prepaid change wants in the wallet that is not there: open debts are paid first."""
    owed = await debts.owed_minor(tx, account.id)
    held = account.wallet.minor + change.credited.minor - owed
    short = max(0, change.charged.minor - held)
    return Money(short if mode is Mode.PREPAID else 0)


async def _booked(tx: Tx, deps: Deps, row: SubscriptionRow, asked: _Asked, now: datetime) -> None:
    """Credit and charge. Takes numbers."""
    change, billed = asked.quote.change, asked.billed
    if billed is None:
        return
    if billed.start_at == change.rest.start:
        await bill_volume_in(tx, deps, asked.subscriber, row, now)  # the new part takes its place
    await credit_in_full(tx, deps, billed, cut=change.rest.start, now=now)
    days = 0 if row.mode == Mode.PREPAID else asked.terms_days
    document = await issue_in(
        tx,
        deps,
        subscriber=asked.subscriber,
        lines=change.charge,
        cause=f"change:{row.id}:{now.isoformat()}",
        now=now,
        due_at=now + days * DAY,
        period=change.rest,
    )
    assert document is not None, "a change is charged once"
    await billing_bulk.lowered(tx, change.lowered)
    await subscriptions.put_billed(tx, row.id, change.rest, document.id, row.grant_id)


def _check_state(row: SubscriptionRow) -> None:
    """Refuse a change of what is not served; one that has not begun can be on another plan."""
    state = State(row.state)
    if state in {State.ACTIVE, State.PENDING}:
        return
    asked = Event.STAFF_SUSPEND if state is State.PAUSED else Event.PAUSE
    moved(state, None if row.hold is None else Hold(row.hold), asked)  # raises the refusal
