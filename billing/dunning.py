"""What happens to an invoice that is not paid, and when. PURE.

A policy is a list of steps in the order of their days, counted from the moment from which the
invoice is overdue; -3 is three days before it. Progress is one number: how many steps of the policy
are done. Steps fall due by ``<= now``, so whoever was away for days catches up: fees, suspensions
and recoveries each once, and of several reminders only the latest, the others count as done.

A promise to pay holds every step until it ends. A debt below `LEAST_OVERDUE` has no steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from billing import written
from billing.errors import InvalidField
from billing.period import midnight

if TYPE_CHECKING:
    from billing.money import Money

LEAST_OVERDUE = 100
"""Minor units: nobody is reminded of, or suspended for, less than a shilling."""

TERMS_MAX_DAYS = 120
AFTER_MIN_DAYS = -60
AFTER_MAX_DAYS = 365
STEPS_MAX = 20
FEE_MAX_MINOR = 100_000 * 100


class StepKind(StrEnum):
    """What a step does."""

    REMIND = "remind"
    FEE = "fee"  # an invoice for paying late
    SUSPEND = "suspend"
    RECOVERY = "recovery"  # onto the list of debts that people go after


@dataclass(frozen=True, slots=True)
class Step:
    """What is done ``after_days`` days from the due moment. Only a fee has a ``fee``."""

    kind: StepKind
    after_days: int
    fee: Money | None = None

    @property
    def name(self) -> str:
        """How the step is written down: ``remind-3``, ``remind+0``, ``suspend+7``."""
        return f"{self.kind}{self.after_days:+d}"


@dataclass(frozen=True, slots=True)
class Policy:
    """Invoices are due ``terms_days`` after they are issued; then these steps follow."""

    terms_days: int
    steps: tuple[Step, ...]


DEFAULT = Policy(
    terms_days=7,
    steps=(
        Step(StepKind.REMIND, -7),  # as many days as the terms: the invoice itself is sent
        Step(StepKind.REMIND, -3),
        Step(StepKind.REMIND, 0),
        Step(StepKind.REMIND, 3),
        Step(StepKind.SUSPEND, 7),
        Step(StepKind.RECOVERY, 30),
    ),
)
"""What holds where an operator has said nothing else. It has no late fee: who wants one adds it."""


@dataclass(frozen=True, slots=True)
class Debt:
    """An invoice that is not paid, as dunning sees it.

    ``due_at`` is the moment from which it is overdue: the invoice's own, or that of the earliest
    unpaid instalment (`billing.instalment.next_due`; when it moves on, ``steps_done`` begins again
    at 0). ``overdue_minor`` is what should have been paid by now, ``open_minor`` that and what
    falls due later. ``promised_until`` is when a promise ends: `promise_until` its day.
    """

    due_at: datetime
    open_minor: int
    overdue_minor: int
    steps_done: int = 0
    promised_until: datetime | None = None


def promise_until(day: date) -> datetime:
    """When a promise to pay on a day is broken: the midnight at its end, in Nairobi."""
    return midnight(day + timedelta(days=1))


def due_steps(policy: Policy, debt: Debt, now: datetime) -> tuple[Step, ...]:
    """What is to be done now, in this order; `done_after` says how far that brings the debt."""
    reached = policy.steps[debt.steps_done : done_after(policy, debt, now)]
    owing = tuple(step for step in reached if _owes_enough(step, debt))
    reminders = [step for step in owing if step.kind is StepKind.REMIND]
    return tuple(s for s in owing if s.kind is not StepKind.REMIND or s is reminders[-1])


def done_after(policy: Policy, debt: Debt, now: datetime) -> int:
    """How many steps are done once `due_steps` have been taken."""
    if debt.open_minor < LEAST_OVERDUE or _promised(debt, now):
        return debt.steps_done
    return max(debt.steps_done, _passed(policy, debt.due_at, now))


def next_step_at(policy: Policy, debt: Debt) -> datetime | None:
    """When the next step falls due, in the past if it was missed; None when there is none."""
    if debt.open_minor < LEAST_OVERDUE or debt.steps_done >= len(policy.steps):
        return None
    at = _at(policy.steps[debt.steps_done], debt.due_at)
    return at if debt.promised_until is None else max(at, debt.promised_until)


def carried_over(old: Policy, new: Policy, debt: Debt, now: datetime) -> int:
    """How many steps of a new policy count as done for a debt that came so far with the old one.

    All whose days have passed, so that nothing is done again, and no step that was not in the
    policy on its day is taken late. Steps that the old policy still has to take (a promise holds
    them, or nobody was there) are left to be taken by the new.
    """
    missed = [at for step in old.steps[debt.steps_done :] if (at := _at(step, debt.due_at)) <= now]
    if not missed:
        return _passed(new, debt.due_at, now)
    return sum(1 for step in new.steps if _at(step, debt.due_at) < missed[0])


def _at(step: Step, due_at: datetime) -> datetime:
    return due_at + timedelta(days=step.after_days)


def _passed(policy: Policy, due_at: datetime, now: datetime) -> int:
    return sum(1 for step in policy.steps if _at(step, due_at) <= now)


def _promised(debt: Debt, now: datetime) -> bool:
    return debt.promised_until is not None and now < debt.promised_until


def _owes_enough(step: Step, debt: Debt) -> bool:
    """A friendly word may come before anything is overdue; everything else is for what is."""
    if step.kind is StepKind.REMIND and step.after_days <= 0:
        return True
    return debt.overdue_minor >= LEAST_OVERDUE


def check_policy(policy: Policy) -> Policy:
    """The policy itself when it can be followed. Raises `InvalidField` naming what is wrong."""
    _within("policy.terms_days", policy.terms_days, 0, TERMS_MAX_DAYS)
    _within("policy.steps", len(policy.steps), 0, STEPS_MAX)
    for n, step in enumerate(policy.steps):
        _check_step(f"policy.steps[{n}]", step)
    if any(a.after_days > b.after_days for a, b in pairwise(policy.steps)):
        raise InvalidField("policy.steps", "want them in the order of their days")
    names = [step.name for step in policy.steps]
    if len(set(names)) < len(names):
        raise InvalidField("policy.steps", "want no step twice on one day")
    return policy


def _check_step(where: str, step: Step) -> None:
    least = AFTER_MIN_DAYS if step.kind is StepKind.REMIND else 0
    _within(f"{where}.after_days", step.after_days, least, AFTER_MAX_DAYS)
    if (step.kind is StepKind.FEE) != (step.fee is not None):
        raise InvalidField(f"{where}.fee", "want an amount for a fee, and only for a fee")
    if step.fee is not None:
        _within(f"{where}.fee", step.fee.minor, 1, FEE_MAX_MINOR)


def _within(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidField(field, f"want {low:,} to {high:,}, got {value:,}")


def policy_text(policy: Policy) -> str:
    """A policy as JSON text."""
    return written.written(
        {
            "terms_days": policy.terms_days,
            "steps": [
                {
                    "kind": step.kind,
                    "after_days": step.after_days,
                    "fee": written.money_written(step.fee),
                }
                for step in policy.steps
            ],
        }
    )


def read_policy(text: str) -> Policy:
    """The policy that a JSON text holds. Raises `InvalidField` naming what is wrong with it."""
    found = written.read(text, "policy")
    written.only(found, ("terms_days", "steps"), "policy")
    steps = []
    for n, each in enumerate(written.a_list(found, "steps", "policy")):
        where = f"policy.steps[{n}]"
        step = written.an_object(each, where)
        written.only(step, ("kind", "after_days", "fee"), where)
        steps.append(
            Step(
                kind=written.one_of(StepKind, step, "kind", where),
                after_days=written.an_int(step, "after_days", where),
                fee=written.maybe_money(step, "fee", where),
            )
        )
    return check_policy(Policy(written.an_int(found, "terms_days", "policy"), tuple(steps)))
