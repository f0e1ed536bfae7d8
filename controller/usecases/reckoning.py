"""How far a debt has come, and when its next step of dunning is due: asked after every change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.dunning import Debt, StepKind, next_step_at
from billing.instalment import next_due, overdue
from billing.money import Money
from controller.store import documents, dunning

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.dunning import Policy
    from billing.instalment import Part
    from controller.store.billing_rows import DebtRow
    from controller.store.database import Tx


def as_debt(row: DebtRow, parts: Sequence[Part], now: datetime) -> Debt:
    """The debt that a row holds, as dunning sees it now."""
    if parts:
        overdue_minor = overdue(parts, _paid(row, parts), now).minor
    else:
        overdue_minor = row.open_minor if row.due_at <= now else 0
    return Debt(
        due_at=row.due_at,
        open_minor=row.open_minor,
        overdue_minor=overdue_minor,
        steps_done=row.steps_done,
        promised_until=row.promised_until,
    )


async def reckoned_in(tx: Tx, row: DebtRow, policy: Policy, now: datetime) -> None:
    """Note from when a debt is overdue, and when its next step is due.

    With instalments it is overdue from the first one that is not paid. An agreement ends when more
    is open than it was about: money that came before it was taken back.
    """
    if row.settled_at is not None:
        row.step_at = None
        return
    parts = await dunning.parts_of(tx, row.document_id)
    if parts and _agreed(parts) < row.open_minor:
        await dunning.keep_parts(tx, row.document_id, ())
        invoice = await documents.load(tx, row.document_id)
        assert invoice is not None
        assert invoice.due_at is not None, "an invoice is due some day"
        _due_from(row, invoice.due_at)
        parts = ()
    if parts:
        _due_from(row, next_due(parts, _paid(row, parts)) or parts[-1].due_at)
    row.step_at = next_step_at(policy, as_debt(row, parts, now))


def suspended_again(row: DebtRow, policy: Policy) -> None:
    """Let a debt that was, or may be, resumed for a while come to its suspension once more."""
    kinds = [step.kind for step in policy.steps]
    if StepKind.SUSPEND in kinds:
        row.steps_done = min(row.steps_done, kinds.index(StepKind.SUSPEND))


def _due_from(row: DebtRow, due_at: datetime) -> None:
    if row.due_at != due_at:
        row.due_at, row.steps_done = due_at, 0


def _agreed(parts: Sequence[Part]) -> int:
    return sum(part.amount.minor for part in parts)


def _paid(row: DebtRow, parts: Sequence[Part]) -> Money:
    return Money(_agreed(parts) - row.open_minor)
