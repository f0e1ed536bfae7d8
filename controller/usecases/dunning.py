"""Dunning: what unpaid invoices come to, step by step, by their segment's policy.

Each subscriber's turn is one transaction under that subscriber's lock, and how far a debt has come
stands in its row: two schedulers at once, or one that was away for days, do each step once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from billing.accounts import other_income
from billing.dunning import StepKind, carried_over, check_policy, done_after, due_steps
from billing.errors import InvalidField
from billing.invoice import Line, LineKind, shown_number
from billing.money import Money
from billing.period import NAIROBI, day_of, midnight
from billing.tax import TaxClass, taxed
from controller.store import debts, documents, dunning, notices, operators, payers
from controller.usecases.allocation import allocate_in
from controller.usecases.documents import issue_in
from controller.usecases.messages import queue_in
from controller.usecases.money_in import wake
from controller.usecases.papers import address_of
from controller.usecases.reckoning import as_debt, reckoned_in
from controller.usecases.subscriptions import after_money_in, hold_for_debt_in
from portal.account.messages import bill_message

if TYPE_CHECKING:
    from datetime import datetime

    from billing.dunning import Debt, Policy, Step
    from controller.deps import Deps
    from controller.store.billing_rows import DebtRow, DocumentRow
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow

BATCH_MAX = 200
"""Subscribers who are looked up at once; each has a turn in every round."""

REMINDER_GOOD_FOR = timedelta(days=1)
"""A reminder that could not be sent for so long is not sent at all."""

FROM_HOUR, UNTIL_HOUR = 8, 20
"""Reminders leave from eight in the morning until eight in the evening, in Nairobi."""

FEE = "late-fee:"
"""How the causes of invoices for paying late begin."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """A step that would be taken, for those who look ahead."""

    subscriber_id: str
    document_id: str
    number: str
    step: str
    kind: StepKind
    open: Money
    fee: Money | None


@dataclass(slots=True)
class _Turn:
    """What a subscriber's turn leaves to do, in the order of the locks."""

    suspend: bool = False
    fees: list[tuple[DocumentRow, Step]] = field(default_factory=list)
    taken: int = 0


async def dun_due(deps: Deps) -> int:
    """Take every step of dunning that is due; how many. Trouble with one holds up no other."""
    taken, seen, troubles = 0, set[str](), list[Exception]()
    while True:
        async with deps.db.read() as tx:
            due = await dunning.subscribers_due(tx, deps.now(), limit=BATCH_MAX + len(seen))
        fresh = [subscriber_id for subscriber_id in due if subscriber_id not in seen]
        if not fresh:
            break
        seen.update(fresh)
        for subscriber_id in fresh:
            try:
                taken += await _dun(deps, subscriber_id)
            except Exception as trouble:  # noqa: BLE001 - raised below, after the others' turns
                troubles.append(trouble)
    if troubles:
        raise ExceptionGroup("dunning", troubles)
    return taken


async def preview_dunning(tx: Tx, deps: Deps, upto: datetime) -> tuple[NextStep, ...]:
    """The steps that would be taken at ``upto`` if nothing happened before; nothing is written."""
    del deps
    found: list[NextStep] = []
    policies, parts_of = await dunning.policy_of_each(tx), await dunning.all_parts(tx)
    for row, invoice, who in await dunning.debts_upto(tx, upto):
        policy, parts = policies[who.segment], parts_of.get(row.document_id, ())
        found += [
            NextStep(
                subscriber_id=who.id,
                document_id=invoice.id,
                number=shown_number(invoice.series, invoice.number),
                step=step.name,
                kind=step.kind,
                open=Money(row.open_minor, invoice.currency),
                fee=step.fee,
            )
            for step in _due(policy, as_debt(row, parts, upto), invoice, upto)
        ]
    return tuple(found)


async def set_policy(deps: Deps, segment: str, policy: Policy) -> Policy:
    """Let a segment's ("": all others') unpaid invoices follow a policy from now on.

    Open debts go on with it where they are: no step is done again, none that was not there on its
    day is taken late. Raises `InvalidField`.
    """
    check_policy(policy)
    if segment not in dunning.SEGMENTS:
        raise InvalidField("segment", "want residential, business, enterprise, or none")
    now = deps.now()
    async with deps.db.begin() as tx:
        rows = await dunning.open_debts(tx)
        old, parts_of = await dunning.policy_of_each(tx), await dunning.all_parts(tx)
        await dunning.keep_policy(tx, segment, policy)
        new = await dunning.policy_of_each(tx)
        for row, of in rows:
            if old[of] != new[of]:
                debt = as_debt(row, parts_of.get(row.document_id, ()), now)
                row.steps_done = carried_over(old[of], new[of], debt, now)
                await reckoned_in(tx, row, new[of], now)
    deps.signals.wake("live")
    return policy


async def _dun(deps: Deps, subscriber_id: str) -> int:
    """One subscriber's turn; how many steps were taken."""
    now, turn, sites = deps.now(), _Turn(), set[str]()
    async with deps.db.begin() as tx:
        subscriber = (await payers.locked(tx, subscriber_id))[subscriber_id]
        if await allocate_in(tx, deps, subscriber, now):
            # Nobody is pressed for what the wallet holds: a reward, say.
            sites |= await after_money_in(tx, deps, subscriber, now)
        policy = await dunning.policy_for(tx, subscriber.segment)
        for row in await debts.open_of(tx, subscriber_id):
            if row.step_at is not None and row.step_at <= now:
                await _step(tx, deps, turn, subscriber=subscriber, row=row, policy=policy, now=now)
        if turn.suspend:
            sites |= await hold_for_debt_in(tx, deps, subscriber, now)
        for invoice, step in turn.fees:
            due_at = now + timedelta(days=policy.terms_days)
            await _charge(tx, deps, subscriber, invoice, step=step, now=now, due_at=due_at)
    if turn.taken or sites:
        wake(deps, sites)
    return turn.taken


async def _step(
    tx: Tx,
    deps: Deps,
    turn: _Turn,
    *,
    subscriber: SubscriberRow,
    row: DebtRow,
    policy: Policy,
    now: datetime,
) -> None:
    """Take the steps of one debt that are due, except what locks more than the debt."""
    parts = await dunning.parts_of(tx, row.document_id)
    debt = as_debt(row, parts, now)
    invoice = await documents.load(tx, row.document_id)
    assert invoice is not None
    for step in _due(policy, debt, invoice, now):
        again = f"{step.name}@{day_of(now)}"
        await dunning.note_step(tx, row.document_id, step=step.name, again=again, now=now)
        turn.taken += 1
        match step.kind:
            case StepKind.REMIND:
                owed = Money(debt.overdue_minor or row.open_minor, invoice.currency)
                # The first message brings the invoice, those after it say how to pay.
                link = address_of(deps, invoice.id) if row.steps_done == 0 else ""
                await _remind(
                    tx, deps, subscriber, invoice, owed, due_at=row.due_at, now=now, link=link
                )
            case StepKind.FEE:
                turn.fees.append((invoice, step))
            case StepKind.SUSPEND:
                turn.suspend = True
            case StepKind.RECOVERY:
                await _given_to_people(tx, subscriber, invoice, row, now)
            case _:
                assert_never(step.kind)
    row.steps_done = done_after(policy, debt, now)
    await reckoned_in(tx, row, policy, now)


def _due(policy: Policy, debt: Debt, invoice: DocumentRow, now: datetime) -> list[Step]:
    """The steps that are due; a fee that is not paid costs no further fee."""
    is_fee = invoice.cause.startswith(FEE)
    found = due_steps(policy, debt, now)
    return [step for step in found if not (is_fee and step.kind is StepKind.FEE)]


async def _remind(
    tx: Tx,
    deps: Deps,
    subscriber: SubscriberRow,
    invoice: DocumentRow,
    owed: Money,
    *,
    due_at: datetime,
    now: datetime,
    link: str,
) -> None:
    number = shown_number(invoice.series, invoice.number)
    site_id = await dunning.site_of(tx, subscriber)
    if site_id is None:
        text = f"no site to send {subscriber.msisdn} a reminder of {number} from"
        await notices.add(tx, now=now, code="reminder_not_sent", text=text)
        return
    operator = await operators.operator(tx)
    leaves_at = _by_day(now)
    text = bill_message(
        language=subscriber.language,
        operator=operator.name,
        number=number,
        amount=str(owed),
        due=day_of(due_at),
        today=day_of(leaves_at),
        pay_to=operator.pay_to,
        link=link,
    )
    await queue_in(
        tx,
        deps,
        site_id=site_id,
        msisdn=subscriber.msisdn,
        text=text,
        about=invoice.id,
        now=now,
        good_for=REMINDER_GOOD_FOR,
        leaves_at=leaves_at,
    )


def _by_day(now: datetime) -> datetime:
    """The next moment at which nobody is woken by a message."""
    there = now.astimezone(NAIROBI)
    if FROM_HOUR <= there.hour < UNTIL_HOUR:
        return now
    later = timedelta(days=1) if there.hour >= UNTIL_HOUR else timedelta(0)
    return midnight(day_of(now) + later) + timedelta(hours=FROM_HOUR)


async def _charge(
    tx: Tx,
    deps: Deps,
    subscriber: SubscriberRow,
    invoice: DocumentRow,
    *,
    step: Step,
    now: datetime,
    due_at: datetime,
) -> None:
    """Issue the invoice of a late fee, taxes included; once for each invoice and step."""
    assert step.fee is not None
    number = shown_number(invoice.series, invoice.number)
    rates = await operators.rates_on(tx, TaxClass.STANDARD, day_of(now))
    line = Line(
        kind=LineKind.FEE,
        text=f"Late payment of {number}",
        account=other_income(subscriber.branch_id, "late-fee"),
        taxed=taxed(step.fee, rates, included=True),
        tax_class=TaxClass.STANDARD,
        rates=rates,
    )
    cause = f"{FEE}{invoice.id}:{step.name}"
    await issue_in(
        tx, deps, subscriber=subscriber, lines=(line,), cause=cause, now=now, due_at=due_at
    )


async def _given_to_people(
    tx: Tx, subscriber: SubscriberRow, invoice: DocumentRow, row: DebtRow, now: datetime
) -> None:
    """Tell staff that a debt is on the recovery list now."""
    number = shown_number(invoice.series, invoice.number)
    owed = Money(row.open_minor, invoice.currency)
    await notices.add(
        tx,
        now=now,
        code="debt_to_recover",
        text=f"{number} of {subscriber.msisdn}: {owed} is open since {day_of(row.due_at)}",
        once=f"debt_to_recover\n{invoice.id}\n{day_of(now)}",
    )
