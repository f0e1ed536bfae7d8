"""Many callbacks that wait, judged in one transaction: the same rule, with its I/O in batches.

Of each that says of an open order for a device that it is paid, and that is believed, all is done
here: inbox, arrival, payment, ledger, grant, desired state, message. A repeat of what was judged is
a repeat. Whatever else it is (a forgery, a no, money for an account, a receipt that was seen) is
left for a transaction of its own, and nothing of it is kept here.

Locks are taken in the order that `controller.store.database` says: payments by id, the inbox,
arrivals by rail and receipt, and the sites last.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing import accounts
from billing.ids import GrantId
from billing.money import Money
from billing.period import day_of
from billing.proof import ProofKind, proof
from billing.tax import TaxClass, rates_for
from controller.payments.absent import AbsentGateway
from controller.payments.gateway import CallbackUnreadable
from controller.payments.seen import Road
from controller.store import arrivals, inbox, ledger, operators, payments, plans, sites
from controller.store.bulk_rows import new_names
from controller.usecases import belief
from controller.usecases.allowances import Told
from controller.usecases.belief import Step
from controller.usecases.giving import Given, give_many_in
from controller.usecases.paid_notices import is_order_told, order_paid_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from billing.ledger import Transaction
    from billing.tax import Rates
    from controller.deps import Deps
    from controller.payments.gateway import Outcome
    from controller.payments.seen import Seen
    from controller.store.database import Tx
    from controller.store.payments import Compared
    from controller.store.rows import PlanRow
    from controller.store.site_rows import SiteRow

SOURCE = "callback"
"""How the inbox calls what is judged here."""

NOBODY = AbsentGateway()
"""Who answers for a rail with which we have no account any more."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What was posted, and for which order: by its id, or by the hash of its address's token."""

    deps: Deps
    body: bytes
    source: str
    headers: Mapping[str, str]
    order_id: str = ""
    token_hash: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of it: ``verdict`` is "" for what is to be judged alone.

    ``order_id`` is None when its token is nobody's; ``site_id`` has news when it was settled.
    """

    order_id: str | None
    verdict: str = ""
    site_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Plain:
    """A callback that settles its payment, as soon as its money turns out to be new."""

    payment: Compared
    outcome: Outcome
    seen: Seen
    posted: Posted
    name: str


@dataclass(frozen=True, slots=True)
class _Shop:
    """What settling has to know of plans, sites and taxes, loaded once."""

    plans: Mapping[str, PlanRow]
    sites: Mapping[str, SiteRow]
    rates: Mapping[str, Rates]


def kept_as(order_id: str, body: bytes) -> str:
    """How the inbox calls a body that was posted for an order: the same one again is a repeat."""
    return f"{order_id}:{hashlib.sha256(body).hexdigest()}"


async def judge_together(tx: Tx, asked: Sequence[Posted]) -> list[Found]:
    """Judge callbacks in the caller's transaction, which acknowledges them when it commits."""
    now = asked[0].deps.now()
    of_token = await payments.ids_by_tokens(tx, {p.token_hash for p in asked if p.token_hash})
    orders = [posted.order_id or of_token.get(posted.token_hash) for posted in asked]
    names = [
        None if order_id is None else kept_as(order_id, posted.body)
        for order_id, posted in zip(orders, asked, strict=True)
    ]
    first: dict[str, tuple[str, Posted]] = {}
    for name, order_id, posted in zip(names, orders, asked, strict=True):
        if name is not None and order_id is not None:
            first.setdefault(name, (order_id, posted))
    settled, judged = await _settled_among(tx, first, now)
    return [
        _found(name, order_id, posted, settled=settled, judged=judged, first=first)
        for name, order_id, posted in zip(names, orders, asked, strict=True)
    ]


def _found(
    name: str | None,
    order_id: str | None,
    posted: Posted,
    *,
    settled: Mapping[str, str],
    judged: frozenset[str],
    first: Mapping[str, tuple[str, Posted]],
) -> Found:
    """What became of one of those that were asked about."""
    if name is None:
        return Found(None)
    if name in judged or (name in settled and first[name][1] is not posted):
        return Found(order_id, belief.REPEAT)
    if name in settled:
        return Found(order_id, belief.SETTLED, settled[name])
    return Found(order_id)


async def _settled_among(
    tx: Tx, first: Mapping[str, tuple[str, Posted]], now: datetime
) -> tuple[dict[str, str], frozenset[str]]:
    """The sites of those that settle their payments, and those that were judged before."""
    judged = await _judged(tx, first)
    fresh = {name: told for name, told in first.items() if name not in judged}
    rows = await payments.locked_many(tx, {order_id for order_id, _ in fresh.values()})
    # While this waited for the payments' locks, others may have judged the same.
    judged |= await _judged(tx, fresh)
    plain = _plain_among({n: told for n, told in fresh.items() if n not in judged}, rows)
    new = await arrivals.credited(tx, {one.payment.order_id: one.seen for one in plain}, now=now)
    settling = [one for one in plain if (one.seen.rail, one.seen.receipt.upper()) in new]
    if settling:
        await _settle(tx, settling, now)
    return {one.name: one.payment.site_id for one in settling}, judged


async def _judged(tx: Tx, names: Mapping[str, object]) -> frozenset[str]:
    found = await inbox.verdicts(tx, source=SOURCE, external_ids=names.keys())
    return frozenset(name for name, verdict in found.items() if verdict is not None)


def _plain_among(
    fresh: Mapping[str, tuple[str, Posted]], rows: Mapping[str, Compared]
) -> list[_Plain]:
    """Those that are believed and all alike: one for a payment, and one for a receipt."""
    found: dict[str, _Plain] = {}
    receipts = set[tuple[str, str]]()
    for name, (order_id, posted) in fresh.items():
        one = _plain(name, rows[order_id], posted)
        if one is None or order_id in found:
            continue
        key = one.seen.rail, one.seen.receipt.upper()
        if key not in receipts:
            receipts.add(key)
            found[order_id] = one
    return list(found.values())


def _plain(name: str, payment: Compared, posted: Posted) -> _Plain | None:
    """What a callback says, if that is believed and settles an open order for a device."""
    gateway = posted.deps.rails.get(payment.rail, NOBODY)
    try:
        outcome = gateway.parse_callback(posted.body, posted.headers)
    except CallbackUnreadable:
        return None
    limit = posted.deps.settings.confirm_above_minor
    decision = belief.decided(payment, outcome, trust=gateway.trust, confirm_above_minor=limit)
    if decision.step is not Step.BELIEVE or not belief.is_plain(payment, outcome):
        return None
    seen = belief.seen_of(payment, outcome, Road.CALLBACK)
    return _Plain(payment, outcome, seen, posted, name)


async def _settle(tx: Tx, settling: Sequence[_Plain], now: datetime) -> None:
    """Do for all of them what `evidence.settle_in` does for one."""
    settled = [(p.payment.order_id, p.seen.receipt.upper(), p.outcome.code) for p in settling]
    await payments.settle_many(tx, settled, belief.settled_as(now))
    shop = await _shop(tx, settling, now)
    posted = await ledger.post_many(tx, [_settlement(one, shop, now) for one in settling])
    # Invariant: a payment that was not settled has no transaction; both live and die together.
    assert set(posted) == {ledger.Posted.CREATED}, "a payment was in the ledger already"
    told = Told()
    given = [
        _given(one, GrantId(grant_id))
        for one, grant_id in zip(settling, new_names(len(settling), now), strict=True)
    ]
    kept = await give_many_in(tx, given, shop.plans, now=now, told=told)
    messages = [(one.name, one.posted.body, belief.SETTLED) for one in settling]
    await inbox.judged(tx, messages, source=SOURCE, now=now)
    for one in settling:
        if is_order_told(one.posted.deps, shop.sites[one.payment.site_id], now):
            payment = await payments.load(tx, one.payment.order_id)
            assert payment is not None
            await order_paid_in(tx, one.posted.deps, payment)
    await told.write(tx)
    await kept.write(tx)


async def _shop(tx: Tx, settling: Sequence[_Plain], now: datetime) -> _Shop:
    of_plan = await plans.load_many(tx, {one.payment.plan_id for one in settling})
    of_site = await sites.load_many(tx, {one.payment.site_id for one in settling})
    who, rates, day = await operators.operator(tx), await operators.rates(tx), day_of(now)
    by_class = {
        plan.tax_class: rates_for(
            rates,
            TaxClass(plan.tax_class),
            day,
            vat=who.vat_registered,
            excise=who.excise_registered,
        )
        for plan in of_plan.values()
    }
    return _Shop(of_plan, of_site, {one.id: by_class[one.tax_class] for one in of_plan.values()})


def _settlement(one: _Plain, shop: _Shop, now: datetime) -> Transaction:
    payment = one.payment
    amount = Money(payment.amount_minor, payment.currency)
    # Invariant: what settles a payment is exactly what it asked for.
    assert one.seen.amount == amount
    branch_id = shop.sites[payment.site_id].branch_id
    paid_for = belief.sale(payment, amount, branch_id=branch_id, rates=shop.rates[payment.plan_id])
    landed = accounts.till(payment.rail, payment.shortcode)
    return belief.settlement(payment, landed, paid_for, now)


def _given(one: _Plain, grant_id: GrantId) -> Given:
    payment = one.payment
    return Given(
        cause_id=payment.order_id,
        subscriber_id=payment.subscriber_id,
        site_id=payment.site_id,
        plan_id=payment.plan_id,
        devices=payment.device_mac,
        proofs=proof(grant_id, ProofKind.RECEIPT, one.seen.receipt.upper()),
        grant_id=grant_id,
    )
