"""The facts behind "why is this customer not online?", read in one look at the database.

What to make of them is the rule's affair: ``why.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.money import Money
from controller.noc.accounts import subscription_rows
from controller.store import logins
from controller.store import why as store
from controller.store.grants import STAFF, SUBSCRIPTION
from controller.usecases import standing
from controller.usecases.why import (
    ENDED_SHOWN,
    Answer,
    Case,
    ContractFact,
    GrantFact,
    LinkFact,
    PaymentFact,
    SessionFact,
    ToldFact,
    answered,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from controller.store.billing_rows import SubscriptionRow
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow
    from controller.store.rows import GrantRow, PaymentRow, PlanRow, SessionRow, SubscriberRow
    from controller.store.site_rows import SiteRow

CASES_MAX = 8
"""Things looked at of one customer: more say nothing to somebody on the phone."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Money that gave no grant: an order, or what came in and nobody could place."""

    fact: PaymentFact
    plan_id: str | None = None
    site_id: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows that several cases share, by id."""

    plans: dict[str, PlanRow]
    sites: dict[str, SiteRow]
    payments: dict[str, PaymentRow]
    codes: set[str]
    sessions: dict[str, SessionRow]
    logins: dict[str, str]


async def why(tx: Tx, subscriber: SubscriberRow, now: datetime) -> list[Answer]:
    """An answer for each thing that a customer has; what is wrong first, what is online last.

    There is always one: who has nothing was never paid for.
    """
    cases = await _cases(tx, subscriber, await subscription_rows(tx, subscriber.id), now)
    answers = [answered(case, now) for case in cases]
    return sorted(answers, key=lambda one: (one.is_online, one.wrong is None))


async def _cases(
    tx: Tx, subscriber: SubscriberRow, contracts: Sequence[SubscriptionRow], now: datetime
) -> list[Case]:
    held = [row for row in contracts if row.state != "ended"][:CASES_MAX]
    of_contracts = await store.grants_named(tx, {row.grant_id for row in held if row.grant_id})
    others = await store.open_grants(tx, subscriber.id, limit=CASES_MAX)
    failed = await _without_grant(tx, subscriber, newest=others[0] if others else None)
    if not held and not others and failed is None:
        held = [row for row in contracts if now - row.state_at <= ENDED_SHOWN][:1]
        last = await store.last_grant(tx, subscriber.id)
        others = [] if held or last is None or _is_long_over(last, now) else [last]
    loaded = await _loaded(tx, held, [*of_contracts.values(), *others], failed)
    to_pay = await standing.to_go_on(tx, subscriber.id, held, now)
    found = [] if failed is None else [_of_payment(failed, loaded)]
    for row in held:
        grant = of_contracts.get(row.grant_id or "")
        found.append(await _of_contract(tx, row, grant, to_pay, loaded))
    found += [await _of_grant(tx, grant, loaded) for grant in others]
    return found[:CASES_MAX] or [Case("")]


def _is_long_over(grant: GrantRow, now: datetime) -> bool:
    return grant.ended_at is not None and now - grant.ended_at > ENDED_SHOWN


async def _without_grant(
    tx: Tx, subscriber: SubscriberRow, *, newest: GrantRow | None
) -> Tried | None:
    """The newest try to pay, if it gave no grant and is newer than every grant that is on."""
    paid = await store.last_payment(tx, subscriber.msisdn)
    names = _spellings(subscriber.msisdn)
    money = await store.unplaced(tx, names, order_ids=[] if paid is None else [paid.order_id])
    if money is not None:
        return Tried(_unplaced(money))
    if paid is None or (newest is not None and newest.created_at >= paid.created_at):
        return None
    given = await store.last_grant(tx, subscriber.id)
    if given is not None and given.created_at >= paid.created_at:
        return None
    return Tried(_payment(paid), paid.plan_id, paid.site_id)


def _spellings(msisdn: str) -> tuple[str, ...]:
    """How payers type a phone as their account: ``0712…``, ``254712…``, ``712…``."""
    national = msisdn.removeprefix("254")
    return (f"0{national}", f"254{national}", f"+254{national}", national)


async def _loaded(
    tx: Tx,
    held: Sequence[SubscriptionRow],
    grants: Sequence[GrantRow],
    failed: Tried | None,
) -> Loaded:
    causes = {row.cause_id for row in grants}
    sessions = {row.id: await store.last_session(tx, row.id) for row in grants}
    places = {None, *(row.site_id for row in grants), *(row.site_id for row in held)}
    places |= {row.site_id for row in sessions.values() if row is not None}
    plan_ids = {None, *(row.plan_id for row in grants), *(row.plan_id for row in held)}
    if failed is not None:
        plan_ids.add(failed.plan_id)
        places.add(failed.site_id)
    return Loaded(
        plans=await store.plans_named(tx, {one for one in plan_ids if one}),
        sites=await store.sites_named(tx, {one for one in places if one}),
        payments=await store.payments_named(tx, causes),
        codes=await store.codes_among(tx, causes),
        sessions={name: row for name, row in sessions.items() if row is not None},
        logins={
            line: row.name
            for line, row in (await logins.of_subscriptions(tx, [row.id for row in held])).items()
        },
    )


def _of_payment(tried: Tried, loaded: Loaded) -> Case:
    plan, site = loaded.plans.get(tried.plan_id or ""), loaded.sites.get(tried.site_id or "")
    return Case(
        name="" if plan is None else plan.name,
        payment=tried.fact,
        link=None if site is None else _link(site),
    )


async def _of_contract(
    tx: Tx,
    row: SubscriptionRow,
    grant: GrantRow | None,
    to_pay: Money | None,
    loaded: Loaded,
) -> Case:
    contract = ContractFact(
        id=row.id,
        state=row.state,
        hold=row.hold,
        begins_at=row.anchor_at,
        paid_until=row.paid_until,
        resume_at=row.resume_at,
        to_pay=to_pay,
    )
    if grant is not None:
        return await _of_grant(tx, grant, loaded, contract)
    return Case(
        loaded.plans[row.plan_id].name,
        contract=contract,
        link=_link(loaded.sites[row.site_id]),
        login=loaded.logins.get(row.id, ""),
    )


async def _of_grant(
    tx: Tx, row: GrantRow, loaded: Loaded, contract: ContractFact | None = None
) -> Case:
    session, plan = loaded.sessions.get(row.id), loaded.plans[row.plan_id]
    site = loaded.sites[row.site_id if session is None else session.site_id]
    paid = loaded.payments.get(row.cause_id)
    generation = await store.told(tx, site.id, row.id)
    return Case(
        name=plan.name,
        payment=None if paid is None else _payment(paid),
        contract=contract,
        grant=GrantFact(
            id=row.id,
            cause=_cause(row, paid, loaded.codes),
            created_at=row.created_at,
            devices=tuple(row.devices.split()),
            started_at=row.started_at,
            valid_until=row.valid_until,
            ended_at=row.ended_at,
            ended_reason=row.ended_reason,
            suspended_at=row.suspended_at,
            used_bytes=row.used_bytes,
            quota_bytes=plan.quota_bytes,
        ),
        told=ToldFact(generation, site.applied_generation),
        session=None if session is None else _session(session),
        link=_link(site),
        login="" if contract is None else loaded.logins.get(contract.id, ""),
    )


def _cause(row: GrantRow, paid: PaymentRow | None, codes: set[str]) -> str:
    if paid is not None:
        return "order"
    if row.cause_id.startswith(STAFF):
        return "staff"
    if row.cause_id.startswith(SUBSCRIPTION):
        return "subscription"
    return "code" if row.cause_id in codes else "free"


def _unplaced(row: ArrivalRow) -> PaymentFact:
    amount = Money(row.amount_minor, row.currency)
    return PaymentFact(row.id, row.rail, "unplaced", amount, row.at, receipt=row.receipt)


def _payment(row: PaymentRow) -> PaymentFact:
    return PaymentFact(
        id=row.order_id,
        rail=row.rail,
        state=row.state,
        amount=Money(row.amount_minor, row.currency),
        at=row.created_at,
        settled_at=row.settled_at,
        receipt=row.receipt,
        reason=row.reason,
    )


def _session(row: SessionRow) -> SessionFact:
    return SessionFact(
        id=row.id,
        mac=row.mac,
        opened_at=row.opened_at,
        seen_at=row.seen_at,
        down_bytes=row.down_bytes,
        up_bytes=row.up_bytes,
        closed_at=row.closed_at,
        closed_reason=row.closed_reason,
    )


def _link(row: SiteRow) -> LinkFact:
    return LinkFact(row.id, row.name, row.last_seen_at)
