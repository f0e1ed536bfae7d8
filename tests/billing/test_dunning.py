"""What happens to an invoice that is not paid: day by day, in tables."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.dunning import (
    DEFAULT,
    LEAST_OVERDUE,
    STEPS_MAX,
    Debt,
    Policy,
    Step,
    StepKind,
    carried_over,
    check_policy,
    done_after,
    due_steps,
    next_step_at,
    policy_text,
    promise_until,
    read_policy,
)
from billing.errors import InvalidField
from billing.money import Money
from billing.period import midnight

DUE = midnight(date(2026, 12, 1))
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
FEE = Step(StepKind.FEE, 5, Money(20_000))
POLICY = check_policy(
    Policy(
        terms_days=7,
        steps=(
            Step(StepKind.REMIND, -3),
            Step(StepKind.REMIND, 0),
            Step(StepKind.REMIND, 3),
            FEE,
            Step(StepKind.SUSPEND, 7),
            Step(StepKind.REMIND, 14),
            Step(StepKind.RECOVERY, 30),
        ),
    )
)

# On which days somebody looked (counted from the due day), and what was done then.
LOOKS = """
  on each day      -4:- -3:remind-3 -2:- 0:remind+0 1:- 3:remind+3 5:fee+5 7:suspend+7 8:-
  from day 14 on   14:fee+5,suspend+7,remind+14 30:recovery+30 31:-
  twice a day      -3:remind-3 -3:- 0:remind+0 0:- 3:remind+3 3:-
  away for a week  -3:remind-3 4:remind+3 5:fee+5 7:suspend+7 14:remind+14 15:-
  away over all    -4:- 8:remind+3,fee+5,suspend+7 9:-
  found late       40:fee+5,suspend+7,remind+14,recovery+30 41:-
"""


def a_debt(
    now: datetime,
    *,
    minor: int = 150_000,
    done: int = 0,
    promised: date | None = None,
) -> Debt:
    """An invoice of KES 1,500 that was due on the first of December, as it is at ``now``."""
    return Debt(
        due_at=DUE,
        open_minor=minor,
        overdue_minor=minor if now >= DUE else 0,
        steps_done=done,
        promised_until=None if promised is None else promise_until(promised),
    )


def names(steps: tuple[Step, ...]) -> str:
    return ",".join(step.name for step in steps) or "-"


@pytest.mark.parametrize("row", LOOKS.strip().splitlines())
def test_who_looks_on_these_days_does_this(row: str) -> None:
    looks = [word for word in row.split() if ":" in word]
    done, did = 0, []
    for look in looks:
        days = int(look.partition(":")[0])
        now = DUE + days * DAY
        debt = a_debt(now, done=done)
        did.append(f"{days}:{names(due_steps(POLICY, debt, now))}")
        done = done_after(POLICY, debt, now)

    assert did == looks


# A promise to pay on the 8th of December; a colon's left is the instant in Nairobi.
PROMISED = """
  2026-12-03T10:00  -
  2026-12-08T00:00  -
  2026-12-08T23:59  -
  2026-12-09T00:00  remind+3,fee+5,suspend+7
"""


@pytest.mark.parametrize("row", PROMISED.strip().splitlines())
def test_a_promise_holds_everything_until_its_day_ends(row: str) -> None:
    at, expected = row.split()
    now = datetime.fromisoformat(f"{at}+03:00")
    debt = a_debt(now, done=2, promised=date(2026, 12, 8))

    assert names(due_steps(POLICY, debt, now)) == expected


def test_a_promise_that_is_over_holds_nothing() -> None:
    now = DUE + 5 * DAY
    debt = a_debt(now, done=3, promised=date(2026, 11, 20))

    assert names(due_steps(POLICY, debt, now)) == "fee+5"
    assert next_step_at(POLICY, debt) == now


def test_a_held_debt_is_looked_at_when_the_promise_ends() -> None:
    debt = a_debt(DUE, done=2, promised=date(2026, 12, 8))

    assert next_step_at(POLICY, debt) == midnight(date(2026, 12, 9))


# The steps of a policy that are done, and when the next one falls due, in days from the due day.
NEXT = """
  done   0   1  2  3  4  5   6   7
  next   -3  0  3  5  7  14  30  -
"""


@pytest.mark.parametrize(
    ("done", "days"),
    list(zip(*(row.split()[1:] for row in NEXT.strip().splitlines()), strict=True)),
)
def test_the_next_step_falls_due_on_its_day(done: str, days: str) -> None:
    at = next_step_at(POLICY, a_debt(DUE, done=int(done)))

    assert at == (None if days == "-" else DUE + int(days) * DAY)


# What is open and overdue, in cents, on the eighth day, and what is done about it.
AMOUNTS = """
  open    overdue  done
  0       0        -
  99      99       -
  100     100      remind+3,fee+5,suspend+7
  150000  150000   remind+3,fee+5,suspend+7
  150000  99       remind+0
  150000  100      remind+3,fee+5,suspend+7
"""


@pytest.mark.parametrize("row", AMOUNTS.strip().splitlines()[1:])
def test_nobody_is_suspended_for_cents(row: str) -> None:
    open_minor, overdue_minor, expected = row.split()
    debt = Debt(DUE, int(open_minor), int(overdue_minor))

    assert names(due_steps(POLICY, debt, DUE + 8 * DAY)) == expected


def test_reminders_of_an_overdue_amount_are_for_a_shilling_or_more() -> None:
    day = DUE + DAY
    policy = steps_of("remind+0,remind+1")

    assert names(due_steps(policy, Debt(DUE, 150_000, LEAST_OVERDUE), day)) == "remind+1"
    assert names(due_steps(policy, Debt(DUE, 150_000, LEAST_OVERDUE - 1), day)) == "remind+0"


def test_a_debt_of_a_shilling_has_a_first_step() -> None:
    assert next_step_at(POLICY, Debt(DUE, LEAST_OVERDUE, 0)) == DUE - 3 * DAY


def test_a_debt_of_cents_has_no_next_step() -> None:
    assert next_step_at(POLICY, a_debt(DUE, minor=LEAST_OVERDUE - 1)) is None


def test_a_settled_debt_does_not_move_on() -> None:
    now = DUE + 8 * DAY

    assert done_after(POLICY, a_debt(now, minor=0, done=2), now) == 2


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Policies that can be."""
    kinds = st.sampled_from([StepKind.REMIND, StepKind.FEE, StepKind.SUSPEND, StepKind.RECOVERY])
    wanted = draw(st.sets(st.tuples(st.integers(-60, 365), kinds), max_size=STEPS_MAX))
    steps = [
        Step(kind, days, Money(500) if kind is StepKind.FEE else None)
        for days, kind in sorted(wanted)
        if kind is StepKind.REMIND or days >= 0
    ]
    return check_policy(Policy(draw(st.integers(0, 120)), tuple(steps)))


looks = st.lists(st.integers(-70, 400), max_size=30).map(sorted)


@given(policies(), looks)
def test_each_step_is_taken_at_most_once_and_all_but_reminders_are(
    policy: Policy, days: list[int]
) -> None:
    done, taken = 0, list[Step]()
    for day in [*days, 400]:
        now = DUE + day * DAY
        debt = a_debt(now, done=done)
        found = due_steps(policy, debt, now)
        taken += found
        done = done_after(policy, debt, now)

        assert sum(step.kind is StepKind.REMIND for step in found) <= 1

    assert len(set(taken)) == len(taken)
    assert {s for s in policy.steps if s.kind is not StepKind.REMIND} <= set(taken)
    assert done == len(policy.steps)


@given(policies(), st.integers(-70, 400), st.integers(0, STEPS_MAX))
def test_nothing_is_done_before_the_next_step_is_due_and_something_when_it_is(
    policy: Policy, day: int, done: int
) -> None:
    debt = a_debt(DUE + 400 * DAY, done=min(done, len(policy.steps)))
    at = next_step_at(policy, debt)
    now = DUE + day * DAY

    assert bool(due_steps(policy, debt, now)) == (at is not None and at <= now)


# Step for step the old policy and the new one, how many steps of the old were done, the day on
# which it is changed, and what follows by the new one on the hundredth day.
CHANGES = """
  old                      done  day  new                               follows
  remind+0,suspend+7       1     3    remind+0,suspend+7                suspend+7
  remind+0,suspend+7       1     3    remind-5,remind+0,suspend+7       suspend+7
  remind+0,suspend+7       1     3    remind+0,remind+2,suspend+7       suspend+7
  remind+0,suspend+7       1     3    remind+0,suspend+2,recovery+30    recovery+30
  remind+0,suspend+7       1     3    remind+0,suspend+5                suspend+5
  remind+0,suspend+7       1     3    remind+0                          -
  remind+0,suspend+7       1     7    remind+0,suspend+7                suspend+7
  remind+0,suspend+7       2     9    suspend+14                        suspend+14
  remind+0,suspend+7       1     9    remind+0,suspend+7,recovery+30    suspend+7,recovery+30
  remind+0,suspend+7       1     9    remind-5,remind+0,suspend+8       suspend+8
  -                        0     9    suspend+7,recovery+30             recovery+30
"""


def steps_of(words: str) -> Policy:
    found = [] if words == "-" else words.split(",")
    marks = [word.replace("-", "+-").split("+") for word in found]
    return Policy(7, tuple(Step(StepKind(kind), int(days)) for kind, days in marks))


@pytest.mark.parametrize("row", CHANGES.strip().splitlines()[1:])
def test_when_a_policy_changes_nothing_is_done_again_and_nothing_late(row: str) -> None:
    old, done, day, new, follows = row.split()
    now = DUE + int(day) * DAY
    debt = a_debt(now, done=int(done))
    carried = carried_over(steps_of(old), steps_of(new), debt, now)
    later = DUE + 100 * DAY

    assert names(due_steps(steps_of(new), a_debt(later, done=carried), later)) == follows


def test_a_shorter_policy_leaves_a_debt_that_came_further_alone() -> None:
    debt = a_debt(DUE + 9 * DAY, done=5)

    assert due_steps(steps_of("remind+0"), debt, DUE + 9 * DAY) == ()
    assert next_step_at(steps_of("remind+0"), debt) is None
    assert done_after(steps_of("remind+0"), debt, DUE + 9 * DAY) == 5


def test_the_default_reminds_suspends_and_recovers_without_a_fee() -> None:
    assert check_policy(DEFAULT).terms_days == 7
    assert names(DEFAULT.steps) == "remind-7,remind-3,remind+0,remind+3,suspend+7,recovery+30"


@given(policies())
def test_a_policy_is_read_as_it_was_written(policy: Policy) -> None:
    assert read_policy(policy_text(policy)) == policy


REMIND = Step(StepKind.REMIND, 3)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (replace(POLICY, terms_days=-1), "policy.terms_days"),
        (replace(POLICY, terms_days=121), "policy.terms_days"),
        (Policy(7, tuple(Step(StepKind.REMIND, n) for n in range(21))), "policy.steps"),
        (Policy(7, (Step(StepKind.SUSPEND, 7), REMIND)), "policy.steps"),
        (Policy(7, (REMIND, REMIND)), "policy.steps"),
        (Policy(7, (FEE, replace(FEE, fee=Money(1)))), "policy.steps"),
        (Policy(7, (Step(StepKind.REMIND, -61),)), "policy.steps[0].after_days"),
        (Policy(7, (REMIND, Step(StepKind.SUSPEND, 366))), "policy.steps[1].after_days"),
        (Policy(7, (Step(StepKind.SUSPEND, -1),)), "policy.steps[0].after_days"),
        (Policy(7, (Step(StepKind.RECOVERY, -1),)), "policy.steps[0].after_days"),
        (Policy(7, (Step(StepKind.FEE, 5),)), "policy.steps[0].fee"),
        (Policy(7, (replace(REMIND, fee=Money(1)),)), "policy.steps[0].fee"),
        (Policy(7, (replace(FEE, fee=Money(0)),)), "policy.steps[0].fee"),
        (Policy(7, (replace(FEE, fee=Money(-1)),)), "policy.steps[0].fee"),
        (Policy(7, (replace(FEE, fee=Money(10_000_001)),)), "policy.steps[0].fee"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(policy: Policy, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        check_policy(policy)

    assert refused.value.field == field


def test_a_fee_may_be_a_hundred_thousand_shillings() -> None:
    policy = Policy(0, (replace(FEE, fee=Money(10_000_000)),))

    assert check_policy(policy) is policy


def written(**changes: Any) -> str:
    return json.dumps({"terms_days": 7, "steps": [{"kind": "remind", "after_days": 3}]} | changes)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (written(terms_days=None), "policy.terms_days"),
        (written(grace=3), "policy.grace"),
        (written(steps=["remind+3"]), "policy.steps[0]"),
        (written(steps=[{"kind": "shame", "after_days": 3}]), "policy.steps[0].kind"),
        (written(steps=[{"kind": "remind"}]), "policy.steps[0].after_days"),
        (written(steps=[{"kind": "remind", "after": 3}]), "policy.steps[0].after"),
    ],
)
def test_a_text_that_is_no_policy_is_refused(text: str, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        read_policy(text)

    assert refused.value.field == field
