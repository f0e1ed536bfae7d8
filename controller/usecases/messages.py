"""Text messages leave here: written down with their cause, sent after the commit, at least once.

Each message is claimed before it is sent, by moving on the moment at which it is due: whoever is
killed in between leaves it due again later. What cannot be sent is repeated with growing patience,
and given up with a notice to staff; it is never dropped in silence.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.msisdn import Msisdn, masked
from controller.notify.gsm7 import parts
from controller.notify.reports import Delivery
from controller.notify.sms import SmsError, SmsRefused
from controller.store import notices, sms

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.rows import SmsRow

AGAIN_AFTER_S = (30, 60, 120, 600, 1_800, 3_600, 10_800, 43_200)
"""Seconds from one attempt to the next; after the last one the message is given up. The first is
longer than a carrier may take to answer, so that no message overtakes itself."""

PROBLEM_MAX = 80
BATCH_MAX = 100
AT_ONCE_MAX = 5


async def queue_in(
    tx: Tx,
    deps: Deps,
    *,
    site_id: str | None,
    msisdn: str,
    text: str,
    about: str,
    now: datetime,
    good_for: timedelta | None = None,
    leaves_at: datetime | None = None,
    event: str | None = None,
) -> bool:
    """Write a message down, within the caller's transaction; it leaves after the commit.

    Or at ``leaves_at``. ``good_for`` is counted from when it leaves. An ``event`` (at most 120
    characters) is told once: False when it has its message already.
    """
    return await sms.add(
        tx,
        sms_id=secrets.token_hex(16),
        site_id=site_id,
        about=about,
        msisdn=msisdn,
        sealed=deps.vault.seal(text.encode()),
        now=now,
        good_until=None if good_for is None else (leaves_at or now) + good_for,
        leaves_at=leaves_at,
        event=event,
        parts=parts(text),
    )


async def send_due(deps: Deps) -> int:
    """Send every message whose time has come; how many were tried. Raises `DatabaseBusy`."""
    async with deps.db.begin() as tx:
        rows = await sms.due(tx, deps.now(), limit=BATCH_MAX)
        claimed = [claim for row in rows if (claim := await _claim(tx, deps, row)) is not None]
    at_once = asyncio.Semaphore(AT_ONCE_MAX)

    async def send(sms_id: str, msisdn: Msisdn, text: str) -> None:
        async with at_once:
            await _send(deps, sms_id, msisdn, text)

    async with asyncio.TaskGroup() as group:
        for claim in claimed:
            group.create_task(send(*claim))
    if rows:
        deps.signals.wake("live")
    return len(claimed)


async def _claim(tx: Tx, deps: Deps, row: SmsRow) -> tuple[str, Msisdn, str] | None:
    """Move the message's time on; what to send, or None when it is not sent any more."""
    now = deps.now()
    assert row.sealed is not None
    if row.good_until is not None and row.good_until <= now:
        await _give_up(tx, row, "too_late", now)
        return None
    if row.tries > len(AGAIN_AFTER_S):
        # It died in the very act each time: nobody noted an answer.
        await _give_up(tx, row, row.problem or "no_answer", now)
        return None
    text = deps.vault.unseal(row.sealed).decode()
    wait_s = AGAIN_AFTER_S[min(row.tries, len(AGAIN_AFTER_S) - 1)]
    row.due_at = now + timedelta(seconds=wait_s)
    row.tries += 1
    return row.id, Msisdn(row.msisdn), text


async def _send(deps: Deps, sms_id: str, msisdn: Msisdn, text: str) -> None:
    try:
        sent = await deps.sms.send(msisdn, text, sms_id)
    except SmsError as trouble:
        async with deps.db.begin() as tx:
            await _failed(tx, await sms.locked(tx, sms_id), trouble, deps.now())
        return
    async with deps.db.begin() as tx:
        row = await sms.locked(tx, sms_id)
        # Also when another process gave it up meanwhile: what is out is out.
        row.state, row.due_at, row.sealed = sms.SENT, None, None
        row.provider_id, row.sent_at, row.problem = sent.name, deps.now(), ""
        row.cost_e4 = sent.cost_e4
        if row.delivery == Delivery.UNDER_WAY and sent.name:
            # The carrier may report before we have written down how it calls the message.
            ends = (Delivery.DELIVERED, Delivery.FAILED)
            told = await sms.early_report(tx, sent.name, ends)
            if told is not None:
                row.delivery, row.told_at = told


async def _failed(tx: Tx, row: SmsRow, trouble: SmsError, now: datetime) -> None:
    if row.state != sms.WAITING:
        return
    row.problem = trouble.code[:PROBLEM_MAX]
    if isinstance(trouble, SmsRefused) or row.tries > len(AGAIN_AFTER_S):
        await _give_up(tx, row, row.problem, now)


async def _give_up(tx: Tx, row: SmsRow, problem: str, now: datetime) -> None:
    row.state, row.due_at, row.sealed, row.problem = sms.GIVEN_UP, None, None, problem
    await notices.add(
        tx,
        now=now,
        code="sms_given_up",
        text=f"an SMS to {masked(row.msisdn)} about {row.about} was not sent: {problem}",
        site_id=row.site_id,
        once=f"sms_given_up\n{row.id}",
    )
