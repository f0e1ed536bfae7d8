"""Money that payers send from their own menu: told, asked before, and found again when missed.

Daraja tells each once, unsigned. What it did not tell is pulled; what it told and is much is looked
up by its receipt before anybody gets anything for it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog

from billing.money import Money
from billing.payment import Evidence
from controller.payments.gateway import CallbackUnreadable, GatewayError
from controller.payments.mpesa_c2b import C2bRefusal, read_confirmation
from controller.payments.mpesa_result import read_balances, read_result, read_status
from controller.payments.seen import Road
from controller.store import arrivals, notices, places
from controller.store.arrivals import DOUBTED
from controller.usecases import doors
from controller.usecases.arrivals import arrive
from controller.usecases.asking import new_token, token_hash
from controller.usecases.refunds import RESULT_PATH

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.payments.mpesa_account import MpesaAccount
    from controller.payments.mpesa_result import Result
    from controller.payments.seen import Seen
    from controller.store.payment_rows import ArrivalRow

RAIL = "mpesa"
PULL_EVERY = timedelta(minutes=10)
PULL_BACK = timedelta(hours=2)
"""Each pull looks so far back, over what the ones before saw: rows appear late."""

SWEEP_EVERY = timedelta(hours=12)
SWEEP_BACK = timedelta(hours=47)
"""Daraja keeps 48 hours."""

LIST_LAG = timedelta(minutes=30)
"""How long Daraja's list may take to show a payment."""

REGISTER_AGAIN = timedelta(hours=1)
ASK_AGAIN = timedelta(minutes=10)
ASKS_MAX = 12
BALANCE_EVERY = timedelta(hours=6)
BATCH_MAX = 50

log = structlog.get_logger(__name__)


class Told(StrEnum):
    """What became of a confirmation."""

    TAKEN = "taken"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"  # of another shortcode than ours


async def confirmed(deps: Deps, body: bytes, *, source: str) -> Told:
    """Take a confirmation. Raises `DatabaseBusy`, and then it must not be acknowledged."""
    try:
        seen = read_confirmation(body)
    except CallbackUnreadable as error:
        await _told_staff(deps, "confirmation_unreadable", f"from {source}: {error}", once=source)
        return Told.UNREADABLE
    if (ours := _ours(deps, seen)) is None:
        text = f"from {source}: receipt {seen.receipt} is of shortcode {seen.place}"
        await _told_staff(deps, "shortcode_differs", text, once=seen.receipt)
        return Told.FOREIGN
    await arrive(deps, ours)
    return Told.TAKEN


def validated(deps: Deps, body: bytes) -> C2bRefusal | None:
    """Whether M-PESA may take money; None: it may.

    Odd amounts and unknown accounts are taken: the money goes to a wallet or waits for staff, while
    a refusal would leave the payer with a message that says nothing.
    """
    try:
        seen = read_confirmation(body)
    except CallbackUnreadable:
        return C2bRefusal.OTHER
    return None if _ours(deps, seen) is not None else C2bRefusal.SHORTCODE


async def register_due(deps: Deps) -> int:
    """Register our addresses with Daraja, once for an address; how many were registered."""
    account = deps.mpesa
    if account is None or deps.settings.mpesa is None or not deps.settings.mpesa.c2b:
        return 0
    address = doors.address_of(deps, doors.PAYBILL)
    fingerprint = deps.vault.fingerprint("registered", address)
    now = deps.now()
    async with deps.db.begin() as tx:
        row = await places.locked(tx, RAIL, account.place)
        if row.registered_as == fingerprint or not _is_due(row.registered_at, REGISTER_AGAIN, now):
            return 0
        row.registered_at = now
    try:
        registered = await account.register_urls(address, doors.validate_address(deps), now)
    except GatewayError as error:
        log.warning("paybill_not_registered", error=str(error))
        return 0
    async with deps.db.begin() as tx:
        row = await places.locked(tx, RAIL, account.place)
        row.registered_as = fingerprint
    if registered.elsewhere:
        text = (
            "an aggregator's addresses stand with Safaricom: have them removed, then ours be taken"
        )
        await _told_staff(deps, "paybill_registered_elsewhere", text, once=account.place)
    elif not registered.is_new:
        text = "addresses were registered before: if they are not ours, have Safaricom remove them"
        await _told_staff(deps, "paybill_registered_before", text, once=account.place)
    return 1


async def pull_due(deps: Deps) -> int:
    """Pull what may have been missed; how many payments were news."""
    account = deps.mpesa
    if account is None or deps.settings.mpesa is None:
        return 0
    if deps.settings.mpesa.nominated_number is None:
        return 0
    now = deps.now()
    async with deps.db.begin() as tx:
        row = await places.locked(tx, RAIL, account.place)
        sweep = _is_due(row.swept_at, SWEEP_EVERY, now)
        if not sweep and not _is_due(row.pulled_until, PULL_EVERY, now):
            return 0
        first = row.swept_at is None
        before = row.pulled_until, row.swept_at
        row.pulled_until, row.swept_at = now, now if sweep else row.swept_at
    try:
        if first:
            await account.register_pull(doors.address_of(deps, doors.PAYBILL), now)
        since = now - (SWEEP_BACK if sweep else PULL_BACK)
        found = await account.pull(since, now, now)
    except GatewayError as error:
        log.warning("pull_failed", error=str(error))
        async with deps.db.begin() as tx:
            row = await places.locked(tx, RAIL, account.place)
            row.pulled_until, row.swept_at = before
            row.pulled_until = now - PULL_EVERY + timedelta(minutes=1)
        return 0
    news = [(await arrive(deps, _at_home(account, seen))).is_new for seen in found]
    await _compared(deps, account.place, since, {seen.receipt for seen in found})
    return sum(news)


async def _compared(deps: Deps, place: str, since: datetime, listed: set[str]) -> None:
    """Tell staff of money that only an unsigned word told, and that the list does not have.

    Whoever learns our address could make such words up. The list lags, so what is very new is left
    to the next look.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        rows = await arrivals.told_only_by(
            tx, Road.CONFIRMATION, RAIL, place, since=since, until=now - LIST_LAG
        )
        for row in rows:
            if row.receipt in listed:
                continue
            amount = Money(row.amount_minor, row.currency)
            await notices.add(
                tx,
                now=now,
                code="payment_not_listed",
                text=f"{amount} by {RAIL}, receipt {row.receipt}, was confirmed to us, and"
                " M-PESA's own list does not have it: it may be made up",
                once=f"payment_not_listed\n{row.id}",
            )


async def confirm_due(deps: Deps) -> int:
    """Look up, by its receipt, what an unsigned road told of much money; how many were asked."""
    now = deps.now()
    async with deps.db.begin() as tx:
        rows = await arrivals.due(tx, now, state=DOUBTED, limit=BATCH_MAX)
        asked: list[tuple[str, str]] = []
        for row in rows:
            row.tries += 1
            can_ask = deps.mpesa is not None and row.rail == RAIL and deps.mpesa.can_look_up
            row.due_at = now + ASK_AGAIN if can_ask and row.tries < ASKS_MAX else None
            if row.due_at is None:
                amount = Money(row.amount_minor, row.currency)
                await notices.add(
                    tx,
                    now=now,
                    code="payment_doubted",
                    text=f"{amount} by {row.rail}, receipt {row.receipt}, was told by an unsigned"
                    " road and nobody confirms it: look it up, then assign it",
                    once=f"payment_doubted\n{row.id}",
                )
            if can_ask:
                token = new_token()
                row.ask_token_hash = token_hash(deps, token)
                asked.append((row.receipt, token))
    for receipt, token in asked:
        await _look_up(deps, receipt, token)
    return len(asked)


async def balance_due(deps: Deps) -> int:
    """Ask what the shortcode holds, a few times a day; how many were asked."""
    account, now = deps.mpesa, deps.now()
    if account is None or not account.can_look_up:
        return 0
    token = new_token()
    async with deps.db.begin() as tx:
        row = await places.locked(tx, RAIL, account.place)
        if not _is_due(row.asked_at, BALANCE_EVERY, now):
            return 0
        row.asked_at, row.ask_token_hash = now, token_hash(deps, token)
    try:
        await account.ask_balance(deps.settings.public_url + RESULT_PATH + token, now)
    except GatewayError as error:
        log.warning("balance_not_asked", error=str(error))
        return 0
    return 1


async def take_result(deps: Deps, *, token: str, body: bytes) -> bool:
    """Take what Daraja found when we looked something up; whether the address is one of ours.

    Raises `DatabaseBusy`.
    """
    hashed = token_hash(deps, token)
    async with deps.db.read() as tx:
        arrival = await arrivals.by_ask_token(tx, hashed)
        place = await places.by_ask_token(tx, hashed)
    if arrival is None and place is None:
        return False
    try:
        result = read_result(body)
        if arrival is not None:
            await _looked_up(deps, arrival, result)
        elif place is not None:
            await _learn_balance(deps, place.place, result)
    except CallbackUnreadable as error:
        log.warning("result_unreadable", field=error.field)
    return True


async def _look_up(deps: Deps, receipt: str, token: str) -> None:
    assert deps.mpesa is not None
    address = deps.settings.public_url + RESULT_PATH + token
    try:
        await deps.mpesa.ask_status(receipt, address, deps.now())
    except GatewayError as error:
        log.warning("receipt_not_asked", error=str(error))


async def _looked_up(deps: Deps, arrival: ArrivalRow, result: Result) -> None:
    """What a look-up confirms. It tells no account: that is as it was told before."""
    seen = read_status(result)
    if seen is None or seen.receipt != arrival.receipt:
        return
    ours = _ours(deps, seen)
    if ours is not None:
        await arrive(deps, replace(ours, reference=arrival.reference))


async def _learn_balance(deps: Deps, place: str, result: Result) -> None:
    """What our accounts hold. A question that failed tells nothing, whatever else stands there."""
    if result.evidence is not Evidence.PAID:
        return
    balances = read_balances(result)
    async with deps.db.begin() as tx:
        row = await places.locked(tx, RAIL, place)
        row.balance_minor = sum(amount.minor for amount in balances.values())
        row.balance_at, row.ask_token_hash = deps.now(), None


def _ours(deps: Deps, seen: Seen) -> Seen | None:
    """Money with our shortcode as the ledger knows it; None when it is another's."""
    if deps.mpesa is None:
        gateway = deps.rails.get(RAIL)
        return seen if gateway is not None and gateway.place == seen.place else None
    return _at_home(deps.mpesa, seen) if seen.place in deps.mpesa.places else None


def _at_home(account: MpesaAccount, seen: Seen) -> Seen:
    """A Till is told by its own number or by its store's: in the books it is one place."""
    return replace(seen, place=account.place)


def _is_due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    return last is None or last + every <= now


async def _told_staff(deps: Deps, code: str, text: str, *, once: str) -> None:
    now = deps.now()
    async with deps.db.begin() as tx:
        await notices.add(
            tx, now=now, code=code, text=text[:400], once=f"{code}\n{once}\n{now:%Y-%m-%d}"
        )
