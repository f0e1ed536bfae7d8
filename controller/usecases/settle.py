"""What a provider says becomes money: by callback, or by asking when no callback came.

A callback is unsigned, so it is only a hint: the unguessable token in its address finds our own
row, and what it says is compared with that row. What does not fit credits nothing, is shown to
staff, and is decided by asking the provider ourselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from billing.payment import Evidence, PaymentState
from controller.payments.absent import AbsentGateway
from controller.payments.gateway import CallbackUnreadable, GatewayError, Trust
from controller.payments.seen import Road
from controller.store import arrivals, inbox, payments
from controller.store.database import DatabaseBusy
from controller.usecases import evidence, refunds
from controller.usecases.arrivals import place
from controller.usecases.asking import token_hash
from controller.usecases.schedule import next_query_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.deps import Deps
    from controller.payments.gateway import Outcome
    from controller.store.database import Tx
    from controller.store.rows import PaymentRow

BODY_BYTES_MAX = 16_384
"""A larger callback is nobody's callback."""

QUERY_BATCH_MAX = 100
QUERIES_AT_ONCE = 5

UNKNOWN_TOKEN = "unknown_token"  # noqa: S105 - a verdict
UNREADABLE = "unreadable"
REFUSED = "refused"
PENDING = "pending"
REFUND = "refund"

log = structlog.get_logger(__name__)

NOBODY = AbsentGateway()
"""Who answers for a rail with which we have no account any more."""

_TOKEN = re.compile(r"[0-9a-f]{48}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a callback; ``settled`` is True for the one that brought the money in.

    ``text`` is one of ``settled``, ``repeat``, ``refused``, ``pending``, ``receipt_attached`` (the
    money had been found by asking), or a reason why nothing was believed: ``unknown_token``,
    ``unreadable``, ``amount_differs``, ``shortcode_differs``, ``provider_id_differs``,
    ``provider_id_used``, ``receipt_used``, ``receipt_differs``, or ``paid_twice``
    (other money of theirs, which goes to their wallet).
    """

    text: str
    settled: bool


async def take_callback(
    deps: Deps, *, token: str, body: bytes, source: str, headers: Mapping[str, str] | None = None
) -> Verdict:
    """Take what a provider posted at one payment's address.

    Never raises for what was posted; raises `DatabaseBusy`. ``source`` is where it came from, for
    staff.
    """
    if not _TOKEN.fullmatch(token):
        return Verdict(UNKNOWN_TOKEN, settled=False)
    async with deps.db.read() as tx:
        order_id = await payments.id_by_token(tx, token_hash(deps, token))
    if order_id is None:
        return Verdict(UNKNOWN_TOKEN, settled=False)
    return await _take(deps, order_id, _Posted(body, source, headers or {}))


async def take_told(
    deps: Deps, *, rail: str, body: bytes, source: str, headers: Mapping[str, str]
) -> Verdict:
    """Take what a provider posted at the one address of its rail; it names the payment itself.

    Raises `DatabaseBusy`.
    """
    gateway = deps.rails.get(rail)
    if gateway is None or len(body) > BODY_BYTES_MAX:
        return Verdict(UNREADABLE, settled=False)
    try:
        named = gateway.parse_callback(body, headers).provider_id
    except CallbackUnreadable as error:
        if await refunds.take_told(deps, rail=rail, body=body, headers=headers):
            return Verdict(REFUND, settled=False)
        log.warning("callback_unreadable", rail=rail, source=source, field=error.field)
        return Verdict(UNREADABLE, settled=False)
    async with deps.db.read() as tx:
        order_id = await payments.named(tx, rail, named)
    if order_id is None:
        return Verdict(UNKNOWN_TOKEN, settled=False)
    return await _take(deps, order_id, _Posted(body, source, headers))


@dataclass(frozen=True, slots=True)
class _Posted:
    body: bytes
    source: str
    headers: Mapping[str, str]


async def _take(deps: Deps, order_id: str, posted: _Posted) -> Verdict:
    """Keep what was posted, then judge it.

    Kept first, believed afterwards: when this process dies in between, a repeat is judged as if it
    were the first.
    """
    if len(posted.body) > BODY_BYTES_MAX:
        return Verdict(UNREADABLE, settled=False)
    kept_as = {
        "source": "callback",
        "external_id": f"{order_id}:{hashlib.sha256(posted.body).hexdigest()}",
    }
    async with deps.db.begin() as tx:
        await inbox.take(tx, **kept_as, body=posted.body, now=deps.now())
    async with deps.db.begin() as tx:
        payment = await payments.locked(tx, order_id)
        assert payment is not None
        kept = await inbox.load(tx, **kept_as)
        if kept.verdict is not None:
            return Verdict(evidence.REPEAT, settled=False)
        kept.verdict = await _judge(tx, deps, payment, posted)
        verdict = Verdict(kept.verdict, settled=kept.verdict == evidence.SETTLED)
        site_id, waits = payment.site_id, await _in_suspense(tx, payment, verdict)
    _wake(deps, site_id if verdict.settled else None)
    await _place(deps, waits)
    return verdict


async def _in_suspense(tx: Tx, payment: PaymentRow, verdict: Verdict) -> list[str]:
    """Money of this payment that is to be placed, by its arrival's id."""
    if verdict.text == evidence.SETTLED and payment.purpose != evidence.ACCOUNT:
        return []
    if verdict.text not in {evidence.SETTLED, evidence.PAID_TWICE}:
        return []
    return await arrivals.waiting_for(tx, payment)


async def _place(deps: Deps, arrival_ids: Sequence[str]) -> None:
    """Place money right after the commit; what fails is the job's."""
    for arrival_id in arrival_ids:
        with contextlib.suppress(DatabaseBusy):
            await place(deps, arrival_id)


async def query_due(deps: Deps) -> int:
    """Ask the provider about every payment whose time has come; how many were asked.

    Safe to run in several processes: each payment is claimed by moving its next time on.
    """
    async with deps.db.begin() as tx:
        due = await payments.due(tx, deps.now(), limit=QUERY_BATCH_MAX)
        asked = [(row.order_id, row.rail, _name_of(deps, row)) for row in due]
        for payment in due:
            await _claim(tx, payment, deps.now())
    if not asked:
        return 0
    at_once = asyncio.Semaphore(QUERIES_AT_ONCE)

    async def ask(order_id: str, rail: str, provider_id: str) -> None:
        async with at_once:
            await _ask(deps, order_id, rail, provider_id)

    async with asyncio.TaskGroup() as group:
        for order_id, rail, provider_id in asked:
            if provider_id is not None:
                group.create_task(ask(order_id, rail, provider_id))
    _wake(deps, None)
    return sum(provider_id is not None for *_, provider_id in asked)


async def _judge(tx: Tx, deps: Deps, payment: PaymentRow, posted: _Posted) -> str:
    now = deps.now()
    gateway = deps.rails.get(payment.rail, NOBODY)
    told_by = f"callback from {posted.source}"
    try:
        outcome = gateway.parse_callback(posted.body, posted.headers)
    except CallbackUnreadable as error:
        return await _doubted(tx, payment, UNREADABLE, now, f"{told_by}: {error}")
    differs = await _objection(tx, payment, outcome, now)
    if gateway.trust is Trust.HINT:
        _ask_soon(payment, now)
        return PENDING
    if differs is not None:
        return await _doubted(tx, payment, differs, now, told_by)
    if outcome.evidence is Evidence.PAID:
        return await _told_paid(tx, deps, payment, outcome, trust=gateway.trust)
    if outcome.evidence is Evidence.REFUSED:
        return _told_no(payment, outcome, now, trust=gateway.trust)
    return PENDING


def _told_no(payment: PaymentRow, outcome: Outcome, now: datetime, *, trust: Trust) -> str:
    """Note a no; one that nobody signed is checked once more by asking: it may be made up."""
    if not evidence.refused(payment, outcome):
        return evidence.REPEAT
    if trust is Trust.ADDRESS and payment.pushed_at is not None:
        payment.next_query_at = payment.next_query_at or next_query_at(payment.pushed_at, now)
    return REFUSED


async def _objection(tx: Tx, payment: PaymentRow, outcome: Outcome, now: datetime) -> str | None:
    """Why a callback cannot be of this payment, or None."""
    differs = evidence.objection(payment, outcome)
    if payment.provider_id is None:
        # The callback overtook the answer to the push. Only who got our push knows the token.
        known = await evidence.learn_provider_id(tx, payment, outcome.provider_id, now)
        differs = differs if known else evidence.PROVIDER_ID_USED
    if outcome.evidence is Evidence.PAID and outcome.amount is None:
        differs = differs or evidence.AMOUNT_DIFFERS
    return differs


async def _told_paid(
    tx: Tx, deps: Deps, payment: PaymentRow, outcome: Outcome, *, trust: Trust
) -> str:
    """Believe a callback that says paid, or, for much money, ask for a second source."""
    now = deps.now()
    much = payment.amount_minor > deps.settings.confirm_above_minor
    if trust is Trust.ADDRESS and much and payment.state != PaymentState.SETTLED:
        told = await evidence.doubted(tx, payment, outcome, now)
        _ask_soon(payment, now)
        return PENDING if told else evidence.RECEIPT_USED
    verdict = await evidence.paid(tx, deps, payment, outcome, now, road=Road.CALLBACK)
    if verdict == evidence.RECEIPT_USED:
        _ask_soon(payment, now)
    return verdict


async def _doubted(tx: Tx, payment: PaymentRow, verdict: str, now: datetime, text: str) -> str:
    """Believe nothing, tell staff, and let the provider itself decide."""
    await evidence.notice(tx, payment, verdict, now, text)
    _ask_soon(payment, now)
    return verdict


def _ask_soon(payment: PaymentRow, now: datetime) -> None:
    if payment.state != PaymentState.SETTLED:
        payment.next_query_at = now


def _name_of(deps: Deps, payment: PaymentRow) -> str | None:
    """How its provider knows a payment, even when this process died before it noted the answer."""
    if payment.provider_id is None and payment.pushed_at is not None:
        gateway = deps.rails.get(payment.rail, NOBODY)
        return payment.order_id if gateway.takes_our_name else None
    return payment.provider_id


async def _claim(tx: Tx, payment: PaymentRow, now: datetime) -> None:
    """Move a due payment's next time on, so that no other process asks as well."""
    payment.queries += 1
    if payment.pushed_at is None or payment.provider_id is None:
        # There is nothing to ask about; time itself is the evidence.
        evidence.gave_up(payment, now)
    pushed_at = payment.pushed_at
    payment.next_query_at = None if pushed_at is None else next_query_at(pushed_at, now)
    if payment.next_query_at is None and payment.state == PaymentState.UNKNOWN:
        await evidence.notice(
            tx, payment, "outcome_unknown", now, "no outcome after a day: see the statement"
        )


async def _ask(deps: Deps, order_id: str, rail: str, provider_id: str) -> None:
    try:
        outcome = await deps.rails.get(rail, NOBODY).query(provider_id, deps.now())
    except GatewayError:
        outcome = None  # not an answer; the schedule goes on
    waits: list[str] = []
    async with deps.db.begin() as tx:
        payment = await payments.locked(tx, order_id)
        assert payment is not None
        settled = outcome is not None and await _answered(tx, deps, payment, outcome)
        if settled:
            waits = await _in_suspense(tx, payment, Verdict(evidence.SETTLED, settled=True))
        evidence.gave_up(payment, deps.now())
        site_id = payment.site_id
    if settled:
        _wake(deps, site_id)
        await _place(deps, waits)


async def _answered(tx: Tx, deps: Deps, payment: PaymentRow, outcome: Outcome) -> bool:
    """Apply the provider's own answer; whether money came in."""
    now = deps.now()
    differs = evidence.objection(payment, outcome)
    if payment.provider_id is None:
        await evidence.learn_provider_id(tx, payment, outcome.provider_id, now)
    if differs is not None:
        await evidence.notice(tx, payment, differs, now, "the provider's answer does not fit")
        return False
    if outcome.evidence is Evidence.PAID:
        verdict = await evidence.paid(tx, deps, payment, outcome, now, road=Road.QUERY)
        return verdict == evidence.SETTLED
    if outcome.evidence is Evidence.REFUSED:
        evidence.refused(payment, outcome)
    return False


def _wake(deps: Deps, site_id: str | None) -> None:
    if site_id is not None:
        deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
