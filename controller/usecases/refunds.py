"""Money goes back: by our own refund, or because the provider took it back.

What is to go back is first taken out of where it is — out of suspense, out of a wallet and what it
paid, out of the sale of an order, whose grant ends — and is then owed to the payer. When the
provider says that it went, it leaves our till; when it says no, it is the wallet's again.

A refund is written down before anything is sent, and sent once.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from billing.errors import InvalidField
from billing.money import Money
from billing.msisdn import Msisdn
from billing.payment import Evidence, PaymentState, moved
from controller.payments.gateway import (
    CallbackUnreadable,
    GatewayError,
    Refund,
    RefundOutcome,
)
from controller.store import arrivals, payments, refunds
from controller.store.arrivals import CREDITED, DOUBTED, RETURNED, SUSPENSE
from controller.store.payment_rows import RefundRow
from controller.usecases.arrivals import ArrivalUnknown
from controller.usecases.asking import NOBODY, token_hash
from controller.usecases.giving_back import (
    gone_in,
    kept_in,
    left_in,
    locked,
    take_out_in,
    told_staff_in,
)
from controller.usecases.money_in import check_reason
from controller.usecases.schedule import is_out_of_patience, next_query_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.payment_rows import ArrivalRow

RESULT_PATH = "/callbacks/results/"
"""Where a provider tells what became of what we asked it to do, followed by a token."""

SEND_AGAIN_S = 120
"""A refund that was written down and not sent, because its process died, is sent after this."""

BATCH_MAX = 50

TOKEN_CHARS = 48
TOLD_BY_STATEMENT = "statement"

_ID = re.compile(r"[0-9a-f]{32}")
_TOKEN = re.compile(r"[0-9a-f]{48}")

log = structlog.get_logger(__name__)


class NotToRefund(Exception):  # noqa: N818 - a refusal, see style
    """This money cannot be given back: it is not booked, has gone back, or is less than asked."""

    def __init__(self, text: str, *, field: str = "arrival_id") -> None:
        super().__init__(text)
        self.field = field


class RefundDiffers(Exception):  # noqa: N818 - a refusal, see style
    """This id was used before for another refund."""

    field = "idempotent"


async def refund(
    deps: Deps,
    arrival_id: str,
    *,
    amount: Money | None,
    reason: str,
    idempotent: str,
    who: str = "staff",
) -> RefundRow:
    """Give money back, all of it unless an ``amount`` is told; what is known of it right after.

    ``idempotent`` is an id that the initiator made (32 hexadecimal digits). Money for an order goes
    back as a whole, and its grant ends. Raises `InvalidField`, `ArrivalUnknown`, `NotToRefund`,
    `RefundDiffers`, `DatabaseBusy`.
    """
    check_reason(reason)
    if not _ID.fullmatch(idempotent):
        raise InvalidField("idempotent", "want 32 hexadecimal digits")
    async with deps.db.read() as tx:
        if await arrivals.load(tx, arrival_id) is None:
            raise ArrivalUnknown(f"there is no money {arrival_id[:40]}")
    async with deps.db.begin() as tx:
        known, changed = await _written_down(
            tx, deps, arrival_id, amount=amount, reason=reason, name=idempotent, who=who
        )
    _wake(deps, changed)
    if known.state == PaymentState.CREATED:
        await _send(deps, known.id)
    async with deps.db.read() as tx:
        return await refunds.must_load(tx, idempotent)


async def take_result(deps: Deps, *, token: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Take what a provider posted about a refund; whether the address is one of ours.

    It is believed by its unguessable address, and each refund ends once. Raises `DatabaseBusy`.
    """
    if not _TOKEN.fullmatch(token):
        return False
    async with deps.db.read() as tx:
        row = await refunds.by_token(tx, token_hash(deps, token))
    if row is None:
        return False
    try:
        outcome = deps.rails.get(row.rail, NOBODY).parse_refund(body, headers)
    except CallbackUnreadable as error:
        log.warning("refund_result_unreadable", rail=row.rail, field=error.field)
        return True
    if outcome.provider_id not in {None, row.provider_id} and row.provider_id is not None:
        # The answer to a question of ours that failed: it says nothing of the refund.
        log.warning("refund_result_of_another", rail=row.rail)
        return True
    await _learn(deps, row.id, outcome)
    return True


async def take_told(deps: Deps, *, rail: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Take what a rail tells of a refund at its one address; whether it was about one.

    Raises `DatabaseBusy`.
    """
    try:
        outcome = deps.rails.get(rail, NOBODY).parse_refund(body, headers)
    except CallbackUnreadable:
        return False
    async with deps.db.read() as tx:
        named = outcome.provider_id and await refunds.by_provider_id(tx, rail, outcome.provider_id)
        open_ = [] if outcome.order_id is None else await refunds.open_of(tx, outcome.order_id)
    if named:
        await _learn(deps, named.id, outcome)
    else:
        for refund_id in open_:  # the event names only the payment: ask which of them it was
            await _query(deps, refund_id)
    return True


async def refunds_due(deps: Deps) -> int:
    """Send what was written down and not sent, ask about what is open; how many were due."""
    now = deps.now()
    async with deps.db.begin() as tx:
        rows = await refunds.due(tx, now, limit=BATCH_MAX)
        found = [(row.id, row.state) for row in rows]
        for row in rows:
            await _moved_on(tx, row, now)
    for refund_id, state in found:
        if state == PaymentState.CREATED:
            await _send(deps, refund_id)
        else:
            await _query(deps, refund_id)
    return len(found)


async def returned(deps: Deps, rail: str, receipt: str, *, reason: str, at: datetime) -> bool:
    """Book that the provider took money back; whether that was news.

    It did so by itself, or for a refund of ours whose result was lost. It is no news when we never
    had that receipt, or it has gone back already. Raises `InvalidField`, `DatabaseBusy`.
    """
    check_reason(reason)
    async with deps.db.read() as tx:
        row = await arrivals.seen(tx, rail, receipt)
        ours = None if row is None else await refunds.open_whole(tx, row)
    if row is None:
        return False
    if ours is not None:
        # It is our own refund that went, and nobody had told us.
        await _learn(deps, ours, RefundOutcome(Evidence.PAID, TOLD_BY_STATEMENT))
        return True
    async with deps.db.begin() as tx:
        holders, arrival = await locked(tx, row.id)
        if arrival.state not in {SUSPENSE, CREDITED} or await refunds.gone_minor(tx, arrival.id):
            return False
        now = deps.now()
        whole = Money(arrival.amount_minor, arrival.currency)
        name = f"arrival:{arrival.id}:returned"
        changed = await take_out_in(tx, deps, arrival, holders, whole, name=name, now=now)
        await left_in(tx, arrival, whole, name=name, at=min(at, now), cause=f"returned: {reason}")
        arrival.state, arrival.due_at = RETURNED, None
        await told_staff_in(tx, arrival, "payment_reversed", f"was taken back: {reason}", now)
    _wake(deps, changed)
    return True


async def _written_down(
    tx: Tx,
    deps: Deps,
    arrival_id: str,
    *,
    amount: Money | None,
    reason: str,
    name: str,
    who: str,
) -> tuple[RefundRow, set[str]]:
    now = deps.now()
    holders, arrival = await locked(tx, arrival_id)
    known = await refunds.load(tx, name)
    whole = Money(arrival.amount_minor, arrival.currency)
    asked = amount or whole
    if known is not None:
        if (known.arrival_id, known.amount_minor) != (arrival_id, asked.minor):
            raise RefundDiffers(f"refund {name} was another one")
        return known, set()
    await _check(tx, arrival, asked)
    row = RefundRow(
        id=name,
        arrival_id=arrival.id,
        rail=arrival.rail,
        amount_minor=asked.minor,
        currency=asked.currency,
        msisdn=await _phone_of(tx, arrival),
        reason=reason,
        state=PaymentState.CREATED,
        code="",
        callback_token_hash=token_hash(deps, _token_of(deps, name)),
        created_at=now,
        queries=0,
        next_query_at=now + timedelta(seconds=SEND_AGAIN_S),
    )
    tx.add(row)
    await tx.flush()
    arrivals.add_deed(tx, arrival, who=who, what="refund", detail=f"{asked}: {reason}", now=now)
    changed = await take_out_in(
        tx, deps, arrival, holders, asked, name=f"refund:{name}:taken", now=now
    )
    arrival.due_at = None
    if asked == whole:
        arrival.state = RETURNED
    return row, changed


async def _check(tx: Tx, arrival: ArrivalRow, asked: Money) -> None:
    gone = await refunds.gone_minor(tx, arrival.id)
    if arrival.state == DOUBTED:
        raise NotToRefund("this money is not confirmed: nothing is booked that could go back")
    if arrival.state == RETURNED:
        raise NotToRefund("this money has gone back")
    if asked.currency != arrival.currency or not 0 < asked.minor <= arrival.amount_minor - gone:
        left = Money(arrival.amount_minor - gone, arrival.currency)
        raise NotToRefund(f"of this money {left} can go back", field="amount")
    if asked.minor != arrival.amount_minor and arrival.received_id is None:
        raise NotToRefund("money of an order, or of nobody, goes back as a whole", field="amount")


async def _send(deps: Deps, refund_id: str) -> None:
    """Send it once, then note the answer."""
    now = deps.now()
    token = _token_of(deps, refund_id)
    async with deps.db.begin() as tx:
        row = await refunds.locked(tx, refund_id)
        if row.state != PaymentState.CREATED:
            return
        row.state = moved(PaymentState.CREATED, Evidence.PUSHING).state
        row.sent_at, row.next_query_at = now, next_query_at(now, now)
        arrival = await arrivals.load(tx, row.arrival_id)
        assert arrival is not None
        asked = _asked(deps, row, arrival, token)
    outcome = await deps.rails.get(row.rail, NOBODY).refund(asked, now)
    await _learn(deps, refund_id, outcome)


def _token_of(deps: Deps, refund_id: str) -> str:
    """The unguessable part of the address where a refund's outcome is told; the same each time."""
    return deps.vault.fingerprint("refund", refund_id)[:TOKEN_CHARS]


def _asked(deps: Deps, row: RefundRow, arrival: ArrivalRow, token: str) -> Refund:
    return Refund(
        refund_id=row.id,
        receipt=arrival.receipt,
        paid=Money(arrival.amount_minor, arrival.currency),
        amount=Money(row.amount_minor, row.currency),
        msisdn=Msisdn(row.msisdn) if row.msisdn else None,
        callback_url=f"{deps.settings.public_url}{RESULT_PATH}{token}",
        reason=row.reason,
    )


async def _query(deps: Deps, refund_id: str) -> None:
    async with deps.db.read() as tx:
        row = await refunds.must_load(tx, refund_id)
        arrival = await arrivals.load(tx, row.arrival_id)
    assert arrival is not None
    gateway = deps.rails.get(row.rail, NOBODY)
    try:
        outcome = await gateway.query_refund(
            _asked(deps, row, arrival, _token_of(deps, refund_id)),
            row.provider_id or "",  # no answer named it: a rail that can finds it by our own id
            deps.now(),
        )
    except GatewayError:
        await _have_told(deps, row)
        return  # not an answer; the schedule goes on
    await _learn(deps, refund_id, outcome)


async def _have_told(deps: Deps, row: RefundRow) -> None:
    """Where a rail answers by callback only: have it tell at the refund's address."""
    if row.provider_id is None or deps.mpesa is None or row.rail != deps.mpesa.rail:
        return
    if not deps.mpesa.can_look_up:
        return
    address = f"{deps.settings.public_url}{RESULT_PATH}{_token_of(deps, row.id)}"
    with suppress(GatewayError):
        await deps.mpesa.ask_status("", address, deps.now(), conversation_id=row.provider_id)


async def _learn(deps: Deps, refund_id: str, outcome: RefundOutcome) -> None:
    """Note what is known of a refund, and book what follows from it, once."""
    now = deps.now()
    async with deps.db.begin() as tx:
        found = await refunds.must_load(tx, refund_id)
        holders, arrival = await locked(tx, found.arrival_id)
        row = await refunds.locked(tx, refund_id)
        row.provider_id = row.provider_id or outcome.provider_id
        move = moved(PaymentState(row.state), outcome.evidence)
        if not move.changed:
            return
        row.state, row.code = move.state, outcome.code
        if move.state is PaymentState.SETTLED:
            row.settled_at, row.receipt, row.next_query_at = now, outcome.receipt, None
            await gone_in(tx, deps, arrival, row, holders)
        elif move.state is PaymentState.REFUSED:
            row.next_query_at = None
            await kept_in(tx, arrival, row, holders, now)
    deps.signals.wake("live")


async def _moved_on(tx: Tx, row: RefundRow, now: datetime) -> None:
    """Move a due refund's next time on, so that no other process asks as well."""
    row.queries += 1
    if row.sent_at is None:
        row.next_query_at = now + timedelta(seconds=SEND_AGAIN_S)
        return
    row.next_query_at = next_query_at(row.sent_at, now)
    if is_out_of_patience(row.sent_at, now):
        row.state = moved(PaymentState(row.state), Evidence.GAVE_UP).state
    if row.next_query_at is None:
        arrival = await arrivals.load(tx, row.arrival_id)
        assert arrival is not None
        text = "is being given back, and nobody says whether it went: see the statement"
        await told_staff_in(tx, arrival, "refund_unknown", text, now)


async def _phone_of(tx: Tx, arrival: ArrivalRow) -> str:
    """Whom to pay where a rail pays phones: who was asked, for money that we asked for."""
    if arrival.order_id is None:
        return ""
    payment = await payments.load(tx, arrival.order_id)
    assert payment is not None
    return payment.msisdn


def _wake(deps: Deps, site_ids: set[str]) -> None:
    for site_id in site_ids:
        deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")
