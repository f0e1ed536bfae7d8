"""The clock of the business: what falls due by itself is billed, renewed, lapses, resumes.

Due work is what is due by now, found again and again, so a controller that was down for days
catches up with each thing once. Each batch is one transaction: what crashes in between is due
still, and of two controllers each subscriber is billed by one.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from billing.run import Outcome
from controller.store import billing_bulk as bulk
from controller.usecases.billing_batch import bill_in
from controller.usecases.billing_preview import Preview, preview
from controller.usecases.pauses import resume_due
from controller.usecases.subscriptions import wake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from controller.deps import Deps
    from controller.usecases.billing_batch import Batch

__all__ = ["Preview", "bill_due", "preview"]

BATCH_MAX = 2_000
BATCHES_MAX = 10_000
LANES = 2
"""Batches that are under way at once: one is reckoned here while another is written over there."""


async def bill_due(deps: Deps, *, batch_max: int = BATCH_MAX) -> int:
    """Do all that is due by now; how much that was. Raises `DatabaseBusy`.

    Where the database takes several writers, a batch is reckoned while another is written. When one
    fails, no other is begun, and those that are under way come to their end.
    """
    began_at = deps.now()
    done = Counter[str]()
    done["resumed"] = await resume_due(deps)
    failed = asyncio.Event()
    lanes = [
        _lane(deps, began_at, batch_max, done, failed)
        for _ in range(1 if deps.db.is_sqlite else LANES)
    ]
    with _uncollected():
        ended = await asyncio.gather(*lanes, return_exceptions=True)
    for error in filter(None, ended):
        raise error
    if done.total():
        await _note(deps, began_at, done)
    return done.total() - done["invoices"]


async def _lane(
    deps: Deps, now: datetime, batch_max: int, done: Counter[str], failed: asyncio.Event
) -> None:
    """Bill one batch after the other, for as long as there are any, and count what was done."""
    for _ in range(BATCHES_MAX):
        batch = None if failed.is_set() else await _next_batch(deps, now, batch_max, failed)
        if batch is None:
            return
        done["invoices"] += batch.invoices
        for outcome in Outcome:
            done[outcome.value] += batch.count(outcome)


async def _next_batch(
    deps: Deps, now: datetime, batch_max: int, failed: asyncio.Event
) -> Batch | None:
    """Bill the next batch; None when nothing is due that is not in other hands.

    One that came to nothing found only what others billed while it looked.
    """
    async with deps.db.begin() as tx:
        try:
            ids = await bulk.due_subscribers(tx, now, limit=batch_max)
            batch = await bill_in(tx, deps, ids, now, lock=True) if ids else None
        except BaseException:
            failed.set()  # before it is undone: nobody is to take it up again
            raise
    if batch is None or (batch.refused and not batch.turned):
        return None
    wake(deps, batch.sites)
    return batch


@contextmanager
def _uncollected() -> Iterator[None]:
    """A batch holds many objects and drops none in circles: no use in looking for those."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


async def _note(deps: Deps, began_at: datetime, done: Counter[str]) -> None:
    found = {name: count for name, count in sorted(done.items()) if count}
    async with deps.db.begin() as tx:
        await bulk.note_run(tx, began_at=began_at, ended_at=deps.now(), done=json.dumps(found))
