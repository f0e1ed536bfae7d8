"""Letters leave here: written down with their cause, sent after the commit, at least once.

As text messages do (``messages.py``): claimed before it is sent, repeated with growing patience,
given up with a notice to staff. A letter that is sent again has the same Message-ID.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.notify.email import EmailError, EmailOut, EmailRefused
from controller.store import emails, notices
from controller.usecases.messages import PROBLEM_MAX

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.payment_rows import EmailRow

AGAIN_AFTER_S = (120, 300, 600, 1_800, 3_600, 10_800, 21_600, 43_200)
"""Seconds from one attempt to the next; after the last one the letter is given up. The first is
longer than a talk with a slow server takes, so that no letter overtakes itself."""

AT_ONCE_MAX = 4
"""A letter takes a thread, and a small mail server few connections."""

PROVIDER_ID_MAX = 64


async def email_in(
    tx: Tx,
    deps: Deps,
    out: EmailOut,
    *,
    subscriber_id: str | None,
    about: str,
    now: datetime,
    event: str | None = None,
    good_for: timedelta | None = None,
) -> bool:
    """Write a letter down, within the caller's transaction; it leaves after the commit.

    An ``event`` (at most 120 characters) is told once. False when it was, or when there is no
    account to send letters by.
    """
    if not deps.email.is_set_up:
        return False
    return await emails.add(
        tx,
        email_id=secrets.token_hex(16),
        subscriber_id=subscriber_id,
        about=about,
        event=event,
        sealed=deps.vault.seal(json.dumps(asdict(out)).encode()),
        now=now,
        good_until=None if good_for is None else now + good_for,
    )


async def send_due(deps: Deps) -> int:
    """Send every letter whose time has come; how many were tried. Raises `DatabaseBusy`."""
    tried = 0
    while claimed := await _claimed(deps):
        async with asyncio.TaskGroup() as group:
            for email_id, out in claimed:
                group.create_task(_send(deps, email_id, out))
        tried += len(claimed)
    return tried


async def _claimed(deps: Deps) -> list[tuple[str, EmailOut]]:
    """As many letters as go at once: none waits for others after its time was moved on."""
    async with deps.db.begin() as tx:
        rows = await emails.due(tx, deps.now(), limit=AT_ONCE_MAX)
        claimed = [claim for row in rows if (claim := await _claim(tx, deps, row)) is not None]
    if rows:
        deps.signals.wake("live")
    return claimed


async def _claim(tx: Tx, deps: Deps, row: EmailRow) -> tuple[str, EmailOut] | None:
    """Move the letter's time on; what to send, or None when it is not sent any more."""
    now = deps.now()
    assert row.sealed is not None
    if row.good_until is not None and row.good_until <= now:
        await _give_up(tx, row, "too_late", now)
        return None
    if row.tries > len(AGAIN_AFTER_S):
        # It died in the very act each time: nobody noted an answer.
        await _give_up(tx, row, row.problem or "no_answer", now)
        return None
    out = EmailOut(**json.loads(deps.vault.unseal(row.sealed)))
    wait_s = AGAIN_AFTER_S[min(row.tries, len(AGAIN_AFTER_S) - 1)]
    row.due_at = now + timedelta(seconds=wait_s)
    row.tries += 1
    return row.id, out


async def _send(deps: Deps, email_id: str, out: EmailOut) -> None:
    try:
        name = await deps.email.send(out, email_id)
    except EmailError as trouble:
        async with deps.db.begin() as tx:
            await _failed(tx, await emails.locked(tx, email_id), trouble, deps.now())
        return
    async with deps.db.begin() as tx:
        row = await emails.locked(tx, email_id)
        # Also when another process gave it up meanwhile: what is out is out.
        row.state, row.due_at, row.sealed = emails.SENT, None, None
        row.provider_id, row.sent_at, row.problem = name[:PROVIDER_ID_MAX], deps.now(), ""


async def _failed(tx: Tx, row: EmailRow, trouble: EmailError, now: datetime) -> None:
    if row.state != emails.WAITING:
        return
    row.problem = trouble.code[:PROBLEM_MAX]
    if isinstance(trouble, EmailRefused) or row.tries > len(AGAIN_AFTER_S):
        await _give_up(tx, row, row.problem, now)


async def _give_up(tx: Tx, row: EmailRow, problem: str, now: datetime) -> None:
    row.state, row.due_at, row.sealed, row.problem = emails.GIVEN_UP, None, None, problem
    await notices.add(
        tx,
        now=now,
        code="email_given_up",
        text=f"an e-mail to {row.subscriber_id} about {row.about} was not sent: {problem}",
        once=f"email_given_up\n{row.id}",
    )
