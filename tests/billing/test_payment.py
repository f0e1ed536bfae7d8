"""The life of a payment: every state, every piece of evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.payment import Evidence, OrderStage, PaymentState, moved, stage

# A dot: the evidence says nothing new in that state.
TABLE = """
              created  sent     pending  unknown  refused  expired  settled
  pushing     sent     .        .        .        .        .        .
  accepted    .        pending  .        pending  .        .        .
  not_sent    .        refused  .        .        .        .        .
  no_answer   .        .        .        .        .        .        .
  still_open  .        .        .        .        .        .        .
  refused     .        refused  refused  refused  .        .        .
  paid        settled  settled  settled  settled  settled  settled  .
  gave_up     expired  unknown  unknown  .        .        .        .
"""
STAGES = """
  created   prompted
  sent      prompted
  pending   prompted
  unknown   checking
  refused   refused
  expired   expired
  settled   paid
"""


def cells() -> list[tuple[PaymentState, Evidence, str]]:
    heads, *rows = (line.split() for line in TABLE.strip().splitlines())
    return [
        (PaymentState(state), Evidence(evidence), target)
        for evidence, *targets in rows
        for state, target in zip(heads, targets, strict=True)
    ]


@pytest.mark.parametrize(("state", "evidence", "target"), cells())
def test_evidence_leads_where_the_table_says(
    state: PaymentState, evidence: Evidence, target: str
) -> None:
    move = moved(state, evidence)

    assert (move.state, move.changed) == (state if target == "." else target, target != ".")


def test_the_table_knows_every_state_and_every_piece_of_evidence() -> None:
    known = {(state, evidence) for state, evidence, _ in cells()}

    assert known == {(s, e) for s in PaymentState for e in Evidence}


@given(st.lists(st.sampled_from(Evidence)))
def test_settled_is_final(evidence: list[Evidence]) -> None:
    state = PaymentState.SETTLED
    for piece in evidence:
        state = moved(state, piece).state

    assert state is PaymentState.SETTLED


@given(st.lists(st.sampled_from(Evidence)), st.lists(st.sampled_from(Evidence)))
def test_money_that_came_is_honoured_whatever_was_heard_before_or_after(
    before: list[Evidence], after: list[Evidence]
) -> None:
    state, news = PaymentState.CREATED, 0
    for piece in [*before, Evidence.PAID, *after]:
        move = moved(state, piece)
        news += move.changed and move.state is PaymentState.SETTLED
        state = move.state

    assert (state, news) == (PaymentState.SETTLED, 1)


@given(st.lists(st.sampled_from([e for e in Evidence if e is not Evidence.REFUSED])))
def test_silence_never_becomes_a_no(evidence: list[Evidence]) -> None:
    state = PaymentState.CREATED
    refusable = False
    for piece in evidence:
        refusable = refusable or (state is PaymentState.SENT and piece is Evidence.NOT_SENT)
        state = moved(state, piece).state

    assert refusable or state is not PaymentState.REFUSED


@pytest.mark.parametrize("row", STAGES.strip().splitlines())
def test_a_customer_is_told_no_more_than_is_known(row: str) -> None:
    state, told = row.split()

    assert stage(PaymentState(state)) is OrderStage(told)


def test_every_state_has_a_stage() -> None:
    assert {stage(s) for s in PaymentState} == set(OrderStage) - {OrderStage.QUEUED}
