"""Webhooks leave here: written down with their cause, sent after the commit, at least once.

As text messages do (``messages.py``). The times between attempts are those that Standard Webhooks
recommend; a receiver that says when (``Retry-After``) is believed, one that says 410 is sent
nothing more. What is given up is told to staff, as a notice.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.notify.webhook import WebhookError, WebhookGone, WebhookOut, WebhookRefused
from controller.store import alerts, notices, webhooks

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.alert_rows import WebhookRow
    from controller.store.database import Tx

AGAIN_AFTER_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds from one attempt to the next; after the last one it is given up."""

CLAIMED_S = 60
"""Longer than an attempt may take: whoever is killed in between leaves it due again then."""

JITTER = 10
"""Up to a tenth is added to each, so that what failed together is not tried together."""

AT_ONCE_MAX = 10
PROBLEM_MAX = 80


@dataclass(frozen=True, slots=True)
class Claim:
    """A webhook that this process sends now."""

    out: WebhookOut
    route_id: str


async def send_due(deps: Deps) -> int:
    """Send every webhook whose time has come; how many were tried. Raises `DatabaseBusy`."""
    tried = 0
    while claimed := await _claimed(deps):
        async with asyncio.TaskGroup() as group:
            for claim in claimed:
                group.create_task(_send(deps, claim))
        tried += len(claimed)
    return tried


async def _claimed(deps: Deps) -> list[Claim]:
    async with deps.db.begin() as tx:
        rows = await webhooks.due(tx, deps.now(), limit=AT_ONCE_MAX)
        return [claim for row in rows if (claim := await _claim(tx, deps, row)) is not None]


async def _claim(tx: Tx, deps: Deps, row: WebhookRow) -> Claim | None:
    """Move its time on; what to send, or None when it is not sent any more."""
    now = deps.now()
    route = await alerts.route(tx, row.route_id)
    if route is None or route.stopped or route.secret is None:
        await _give_up(tx, row, "route_gone", now, is_told=False)
        return None
    if row.tries > len(AGAIN_AFTER_S):
        # It died in the very act each time: nobody noted an answer.
        await _give_up(tx, row, row.problem or "no_answer", now)
        return None
    assert row.sealed is not None
    row.due_at = now + timedelta(seconds=CLAIMED_S)
    row.tries += 1
    unseal = deps.vault.unseal
    out = WebhookOut(
        id=row.id,
        url=unseal(route.target).decode(),
        secret=unseal(route.secret).decode(),
        body=unseal(row.sealed).decode(),
    )
    return Claim(out, row.route_id)


async def _send(deps: Deps, claim: Claim) -> None:
    try:
        await deps.webhooks.send(claim.out, deps.now())
    except WebhookError as trouble:
        async with deps.db.begin() as tx:
            await _failed(tx, deps, claim, trouble)
        return
    async with deps.db.begin() as tx:
        row = await webhooks.locked(tx, claim.out.id)
        # Also when another process gave it up meanwhile: what is out is out.
        row.state, row.due_at, row.sealed, row.problem = webhooks.SENT, None, None, ""
        row.sent_at = deps.now()


async def _failed(tx: Tx, deps: Deps, claim: Claim, trouble: WebhookError) -> None:
    now = deps.now()
    row = await webhooks.locked(tx, claim.out.id)
    if row.state != webhooks.WAITING:
        return
    row.problem = trouble.code[:PROBLEM_MAX]
    if isinstance(trouble, WebhookGone):
        route = await alerts.route(tx, claim.route_id)
        if route is not None:
            route.stopped = "gone"
        await _give_up(tx, row, "gone", now)
    elif isinstance(trouble, WebhookRefused) or row.tries > len(AGAIN_AFTER_S):
        await _give_up(tx, row, row.problem, now)
    else:
        row.due_at = now + timedelta(seconds=wait_s(row.id, row.tries, trouble.retry_s))


def wait_s(webhook_id: str, tries: int, retry_s: int | None) -> int:
    """How long until it is tried again after so many tries."""
    wait = AGAIN_AFTER_S[tries - 1]
    told = hashlib.sha256(f"{webhook_id}:{tries}".encode()).digest()
    jitter = int.from_bytes(told[:4], "big") % (wait // JITTER + 1)
    return max(wait, retry_s or 0) + jitter


async def _give_up(
    tx: Tx, row: WebhookRow, problem: str, now: datetime, *, is_told: bool = True
) -> None:
    row.state, row.due_at, row.sealed, row.problem = webhooks.GIVEN_UP, None, None, problem
    if is_told:
        await notices.add(
            tx,
            now=now,
            code="webhook_given_up",
            text=f"a webhook about {row.about} was not taken: {problem}",
            once=f"webhook_given_up\n{row.id}",
        )
