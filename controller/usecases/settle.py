"""What a provider says becomes money: by callback, or by asking when no callback came.

A callback is unsigned, so it is only a hint: the unguessable token in its address finds our own
row, and what it says is compared with that row. What does not fit credits nothing, is shown to
staff, and is decided by asking the provider ourselves.

Callbacks that wait at the same time are judged in one transaction (`together`); what is not plain
is judged alone (`take_one`). Either way a body is kept and believed in the same transaction, and
answered after it: a callback that was answered is on disk, whatever dies next. To keep it first, in
a transaction of its own, would only serve bodies that cannot be judged; those are kept when that
has turned out (`_keep`), and answered too, for whoever posted can do nothing about it and the
provider's own answer decides. Who dies before the commit has answered nothing, and is as if nothing
had been posted.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import structlog

from billing.payment import Evidence, PaymentState
from controller.payments.gateway import CallbackUnreadable, GatewayError, Trust
from controller.payments.seen import Road
from controller.store import arrivals, inbox, payments
from controller.store.database import DatabaseBusy
from controller.store.group import group_of
from controller.usecases import belief, disputes, evidence, refunds
from controller.usecases.arrivals import place
from controller.usecases.asking import token_hash
from controller.usecases.belief import Step
from controller.usecases.schedule import next_query_at
from controller.usecases.together import NOBODY, SOURCE, Found, Posted, judge_together, kept_as

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
DISPUTE = "dispute"
KEPT = "kept"

log = structlog.get_logger(__name__)

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
    if len(body) > BODY_BYTES_MAX:
        return Verdict(UNREADABLE, settled=False)
    hashed = token_hash(deps, token)
    return await _take(Posted(deps, body, source, headers or {}, token_hash=hashed))


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
        if await disputes.take_told(deps, rail=rail, body=body, headers=headers):
            return Verdict(DISPUTE, settled=False)
        log.warning("callback_unreadable", rail=rail, source=source, field=error.field)
        return Verdict(UNREADABLE, settled=False)
    async with deps.db.read() as tx:
        order_id = await payments.named(tx, rail, named)
    if order_id is None:
        return Verdict(UNKNOWN_TOKEN, settled=False)
    return await _take(Posted(deps, body, source, headers, order_id=order_id))


async def _take(posted: Posted) -> Verdict:
    """Judge what was posted together with whatever else waits; alone what is not plain."""
    deps = posted.deps
    try:
        found = await group_of(deps.db, judge_together).do(posted)
    except DatabaseBusy:
        raise
    except Exception:
        log.exception("callbacks_not_judged_together")
        found = None
    if found is None:
        found = Found(await _order_of(posted))
    if found.order_id is None:
        return Verdict(UNKNOWN_TOKEN, settled=False)
    if not found.verdict:
        return await _take_alone(found.order_id, posted)
    if found.site_id is not None:
        _wake(deps, found.site_id)
    return Verdict(found.verdict, settled=found.verdict == belief.SETTLED)


async def _order_of(posted: Posted) -> str | None:
    if posted.order_id:
        return posted.order_id
    async with posted.deps.db.read() as tx:
        return (await payments.ids_by_tokens(tx, [posted.token_hash])).get(posted.token_hash)


async def _take_alone(order_id: str, posted: Posted) -> Verdict:
    """Judge it in a transaction of its own; when even that raises, it is kept all the same."""
    try:
        return await take_one(order_id, posted)
    except DatabaseBusy:
        raise
    except Exception:
        log.exception("callback_not_judged", order=order_id)
        await _keep(order_id, posted)
        return Verdict(KEPT, settled=False)


async def take_one(order_id: str, posted: Posted) -> Verdict:
    """Keep and judge one callback in a transaction of its own. Raises `DatabaseBusy`."""
    deps, name = posted.deps, kept_as(order_id, posted.body)
    async with deps.db.begin() as tx:
        payment = await payments.locked(tx, order_id)
        assert payment is not None
        await inbox.take(tx, source=SOURCE, external_id=name, body=posted.body, now=deps.now())
        kept = await inbox.load(tx, source=SOURCE, external_id=name)
        if kept.verdict is not None:
            return Verdict(belief.REPEAT, settled=False)
        kept.verdict = await _judge(tx, deps, payment, posted)
        verdict = Verdict(kept.verdict, settled=kept.verdict == belief.SETTLED)
        site_id, waits = payment.site_id, await _in_suspense(tx, payment, verdict)
    _wake(deps, site_id if verdict.settled else None)
    await _place(deps, waits)
    return verdict


async def _keep(order_id: str, posted: Posted) -> None:
    """Keep what could not be judged, tell staff, and ask the provider itself."""
    now = posted.deps.now()
    async with posted.deps.db.begin() as tx:
        payment = await payments.locked(tx, order_id)
        assert payment is not None
        name = kept_as(order_id, posted.body)
        await inbox.take(tx, source=SOURCE, external_id=name, body=posted.body, now=now)
        text = "a callback could not be judged: it was kept, and the provider is asked"
        await _doubted(tx, payment, KEPT, now, text)


async def _in_suspense(tx: Tx, payment: PaymentRow, verdict: Verdict) -> list[str]:
    """Money of this payment that is to be placed, by its arrival's id."""
    if verdict.text == belief.SETTLED and payment.purpose != belief.ACCOUNT:
        return []
    if verdict.text not in {belief.SETTLED, belief.PAID_TWICE}:
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


async def _judge(tx: Tx, deps: Deps, payment: PaymentRow, posted: Posted) -> str:
    now = deps.now()
    gateway = deps.rails.get(payment.rail, NOBODY)
    told_by = f"callback from {posted.source}"
    try:
        outcome = gateway.parse_callback(posted.body, posted.headers)
    except CallbackUnreadable as error:
        return await _doubted(tx, payment, UNREADABLE, now, f"{told_by}: {error}")
    doubt = None
    if payment.provider_id is None:
        # The callback overtook the answer to the push. Only who got our push knows the token.
        known = await evidence.learn_provider_id(tx, payment, outcome.provider_id, now)
        doubt = None if known else belief.PROVIDER_ID_USED
    decision = belief.decided(
        payment,
        outcome,
        trust=gateway.trust,
        confirm_above_minor=deps.settings.confirm_above_minor,
        doubt=doubt,
    )
    if decision.step is Step.DOUBT:
        return await _doubted(tx, payment, decision.doubt, now, told_by)
    return await _done(tx, deps, payment, outcome, decision.step)


async def _done(tx: Tx, deps: Deps, payment: PaymentRow, outcome: Outcome, step: Step) -> str:
    """Do what was decided about a callback that may be this payment's."""
    now = deps.now()
    match step:
        case Step.ASK:
            _ask_soon(payment, now)
            return PENDING
        case Step.CONFIRM:
            return await _kept_to_confirm(tx, payment, outcome, now)
        case Step.BELIEVE:
            return await _believed(tx, deps, payment, outcome)
        case Step.REFUSE:
            return _told_no(deps, payment, outcome, now)
        case Step.WAIT | Step.DOUBT:
            return PENDING
        case _ as never:
            assert_never(never)


def _told_no(deps: Deps, payment: PaymentRow, outcome: Outcome, now: datetime) -> str:
    """Note a no; one that nobody signed is checked once more by asking: it may be made up."""
    if not evidence.refused(payment, outcome):
        return belief.REPEAT
    is_signed = deps.rails.get(payment.rail, NOBODY).trust is not Trust.ADDRESS
    if not is_signed and payment.pushed_at is not None:
        payment.next_query_at = payment.next_query_at or next_query_at(payment.pushed_at, now)
    return REFUSED


async def _kept_to_confirm(tx: Tx, payment: PaymentRow, outcome: Outcome, now: datetime) -> str:
    """Of much money an unsigned word is kept, and the provider asked."""
    told = await evidence.doubted(tx, payment, outcome, now)
    _ask_soon(payment, now)
    return PENDING if told else belief.RECEIPT_USED


async def _believed(tx: Tx, deps: Deps, payment: PaymentRow, outcome: Outcome) -> str:
    verdict = await evidence.paid(tx, deps, payment, outcome, deps.now(), road=Road.CALLBACK)
    if verdict == belief.RECEIPT_USED:
        _ask_soon(payment, deps.now())
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
            waits = await _in_suspense(tx, payment, Verdict(belief.SETTLED, settled=True))
        evidence.gave_up(payment, deps.now())
        site_id = payment.site_id
    if settled:
        _wake(deps, site_id)
        await _place(deps, waits)


async def _answered(tx: Tx, deps: Deps, payment: PaymentRow, outcome: Outcome) -> bool:
    """Apply the provider's own answer; whether money came in."""
    now = deps.now()
    differs = belief.objection(payment, outcome)
    if payment.provider_id is None:
        await evidence.learn_provider_id(tx, payment, outcome.provider_id, now)
    if differs is not None:
        await evidence.notice(tx, payment, differs, now, "the provider's answer does not fit")
        return False
    if outcome.evidence is Evidence.PAID:
        verdict = await evidence.paid(tx, deps, payment, outcome, now, road=Road.QUERY)
        return verdict == belief.SETTLED
    if outcome.evidence is Evidence.REFUSED:
        evidence.refused(payment, outcome)
    return False


def _wake(deps: Deps, site_id: str | None) -> None:
    if site_id is not None:
        deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
