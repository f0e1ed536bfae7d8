"""Asking for money: a payment that is written down becomes a prompt, once.

Whatever is cut off, nobody is asked twice for the same payment:

1. it is written down (CREATED) by the caller; a crash after this may push, later, for the first
   time;
2. it is marked SENT, before anything leaves; a crash after this never pushes again;
3. the provider's answer is noted; when it is lost, callback or query bring it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from billing.money import Money
from billing.msisdn import Msisdn
from billing.payment import Evidence, PaymentState, Reason, moved
from controller.payments.absent import AbsentGateway
from controller.payments.gateway import Push
from controller.store import payers, payments, plans
from controller.store.database import DatabaseBusy
from controller.usecases import evidence
from controller.usecases.schedule import next_query_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from billing.ids import OrderId
    from controller.deps import Deps
    from controller.payments.gateway import PaymentGateway, PushAnswer
    from controller.store.database import Tx
    from controller.store.rows import PaymentRow

AGE_MAX_S = 120
"""An order that has waited longer is not pushed: its customer may have walked away."""

LINE_BUSY_S = 60
"""A prompt holds the payer's line for about this long; a second one would be refused."""

UNPAID_PROMPTS_MAX = 8
UNPAID_WITHIN_S = 3_600
"""A phone that was asked this often within the hour and never paid is not asked again: devices and
their addresses cost nothing, and whoever has them could ring a stranger's phone all day."""

CALLBACK_PATH = "/callbacks/stk/"
"""Where the provider posts, followed by the payment's token. Providers refuse addresses that hold
words such as "mpesa", "query", "cmd" or "sql": hence a plain path and a hexadecimal token."""

REFERENCE_CHARS = 12
DESCRIPTION_CHARS_MAX = 13
NOTE_ANSWER_TRIES = 6
NOBODY = AbsentGateway()


def gateway_of(deps: Deps, rail: str) -> PaymentGateway:
    """Who collects by a rail, "" for the first; a rail without an account asks nobody."""
    return deps.gateway if not rail else deps.rails.get(rail, NOBODY)


def reference_of(order_id: OrderId) -> str:
    """The account that a payer is shown, made of the order's id: 12 of A to Z and 2 to 7.

    No 0 and no 1, which people take for O and I; 60 bits, so that no two orders share one.
    """
    digest = hashlib.sha256(order_id.encode()).digest()
    return base64.b32encode(digest).decode()[:REFERENCE_CHARS]


def new_token() -> str:
    """The unguessable part of a callback's address: 48 hexadecimal digits."""
    return secrets.token_hex(24)


def token_hash(deps: Deps, token: str) -> str:
    """How a callback token is kept."""
    return deps.vault.fingerprint("callback", token)


async def ask(
    deps: Deps,
    order_id: OrderId,
    *,
    age_s: int = 0,
    send: Callable[[Push, datetime], Awaitable[PushAnswer]] | None = None,
) -> None:
    """Ask for a payment that is written down, unless that has been done. Raises `DatabaseBusy`.

    ``age_s`` is how long its customer has waited already; ``send`` is how it leaves, if not by a
    push of its rail.
    """
    async with deps.db.begin() as tx:
        push = await _about_to_push(tx, deps, order_id, age_s=age_s, prompts=send is None)
        rail = "" if push is None else (await payments.rail_of(tx, order_id))
    if push is None:
        return
    # Whoever waits for this may hang up; the provider's answer must be noted all the same.
    sending = send or gateway_of(deps, rail).push
    await asyncio.shield(asyncio.create_task(_push(deps, push, sending)))


async def _about_to_push(
    tx: Tx, deps: Deps, order_id: OrderId, *, age_s: int, prompts: bool
) -> Push | None:
    """Decide whether to push, and say so before anything leaves."""
    now = deps.now()
    found = await payments.load(tx, order_id)
    assert found is not None
    # The payer's line too: two prompts at once would be refused, or paid twice.
    payer_id = await payers.id_of(tx, found.msisdn) or found.subscriber_id
    holder = (await payers.locked(tx, found.subscriber_id, payer_id))[found.subscriber_id]
    payment = await payments.locked(tx, order_id)
    assert payment is not None
    if payment.state != PaymentState.CREATED:
        return None
    if max(age_s, (now - payment.created_at).total_seconds()) > AGE_MAX_S:
        _decline(payment, Evidence.GAVE_UP, Reason.TOO_LATE)
        return None
    payment.state = moved(PaymentState.CREATED, Evidence.PUSHING).state
    rings = prompts and (deps.cards is None or payment.rail != deps.cards.rail)
    reason = await _unwelcome(tx, payment, now) if rings else None
    if reason is not None:
        _decline(payment, Evidence.NOT_SENT, reason)
        return None
    token = new_token()
    payment.callback_token_hash = token_hash(deps, token)
    payment.pushed_at = now
    payment.next_query_at = next_query_at(now, now)
    return Push(
        order_id=order_id,
        amount=Money(payment.amount_minor, payment.currency),
        msisdn=Msisdn(payment.msisdn),
        account=payment.reference,
        description=await _description(tx, payment),
        callback_url=f"{deps.settings.public_url}{CALLBACK_PATH}{token}",
        email=holder.email,
    )


async def _unwelcome(tx: Tx, payment: PaymentRow, now: datetime) -> Reason | None:
    """Why this phone is not to be asked just now, or None."""
    since = now - timedelta(seconds=LINE_BUSY_S)
    if await payments.open_for_phone(tx, payment.msisdn, since=since, but=payment.order_id):
        return Reason.LINE_BUSY
    lately = now - timedelta(seconds=UNPAID_WITHIN_S)
    if await payments.unpaid_prompts(tx, payment.msisdn, since=lately) >= UNPAID_PROMPTS_MAX:
        return Reason.TOO_OFTEN
    return None


async def _description(tx: Tx, payment: PaymentRow) -> str:
    plan = None if payment.plan_id is None else await plans.load(tx, payment.plan_id)
    return "Account" if plan is None else plan.name[:DESCRIPTION_CHARS_MAX]


def _decline(payment: PaymentRow, why: Evidence, reason: Reason) -> None:
    payment.state = moved(PaymentState(payment.state), why).state
    payment.reason = reason
    payment.next_query_at = None


async def _push(
    deps: Deps, push: Push, send: Callable[[Push, datetime], Awaitable[PushAnswer]]
) -> None:
    """Send it once, then note what was answered, however busy the database is."""
    answer = await send(push, deps.now())
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(DatabaseBusy),
        stop=stop_after_attempt(NOTE_ANSWER_TRIES),
        wait=wait_exponential(multiplier=0.2, max=5),
        reraise=True,
    ):
        with attempt:
            async with deps.db.begin() as tx:
                payment = await payments.locked(tx, push.order_id)
                assert payment is not None
                payment.pay_at = answer.pay_at or ""
                await evidence.pushed(tx, payment, answer, deps.now())
    deps.signals.wake("live")
