"""The hops of a test payment: each with its time, and the one that broke with what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.payment import Reason
from controller.noc.money_views import Story
from controller.noc.setup_board import (
    LOOK_AT_ADDRESS,
    LOST,
    TODO_BY_CODE,
    TODO_BY_REASON,
    Entry,
    hops,
    told_by,
)
from controller.noc.views import TransactionView
from controller.store.payment_rows import ArrivalRow
from controller.store.rows import LedgerTransactionRow, PostingRow
from tests.support.office import NOON, a_payment

LATER = NOON + timedelta(seconds=4)
TOLD = ((NOON + timedelta(seconds=3), "settled"),)


def a_story(*, callbacks: Any = (), roads: str = "", wallet: bool = False, **row: Any) -> Story:
    usual = {"purpose": "account", "state": "pending", "settled_at": None, "receipt": None}
    order = a_payment(**{**usual, **row})
    came = (ArrivalRow(id="a", roads=roads),) if roads else ()
    source = "liability:wallet:x" if wallet else "liability:suspense:mpesa"
    posting = PostingRow(source=source, target="asset:mpesa:600111", amount_minor=100)
    booked = LedgerTransactionRow(id="arrival:a:suspense", at=LATER, cause="")
    return Story(
        order=order, plan=None, site=None, subscriber=None, came=came, callbacks=callbacks,
        told=(), refunds=(), deeds=(), given=None,
        transactions=(TransactionView(booked, (posting,)),) if roads else (),
    )  # fmt: skip


PAID: dict[str, Any] = {"state": "settled", "settled_at": LATER, "receipt": "UKQ6RETILO"}


@pytest.mark.parametrize(
    ("story", "answered", "stands"),
    [
        (a_story(state="created", pushed_at=None, provider_id=None), False, "now w w w w w"),
        (a_story(state="sent", provider_id=None), False, "good now w w w w"),
        (a_story(), True, "good good now w w w"),
        (a_story(**PAID, callbacks=TOLD, roads="callback"), True, "good good good good good now"),
        (a_story(**PAID, callbacks=TOLD, roads="callback", wallet=True), True, "good " * 6),
        (a_story(**PAID, roads="query", wallet=True), True, "good good good warn good good"),
        (
            a_story(state="refused", reason="our_side", code="400.002.02", provider_id=None),
            True,
            "good bad w w w w",
        ),
        (
            a_story(state="refused", reason="no_balance", code="1", callbacks=TOLD),
            True,
            "good good bad good w w",
        ),
        (
            a_story(state="refused", reason="line_busy", pushed_at=None, provider_id=None),
            False,
            "bad w w w w w",
        ),
    ],
)
def test_each_hop_stands_where_the_payment_is(
    story: Story,
    answered: bool,  # noqa: FBT001 - a column of the table above
    stands: str,
) -> None:
    found = hops(story, answered_at=LATER if answered else None, now=LATER)

    assert [hop.stand for hop in found] == [
        "waiting" if one == "w" else one for one in stands.split()
    ]


def test_each_has_its_time_from_the_asking_on() -> None:
    story = a_story(**PAID, callbacks=TOLD, roads="callback", wallet=True)
    found = hops(story, answered_at=NOON + timedelta(milliseconds=338), now=LATER)

    assert [hop.after_ms for hop in found] == [0, 338, None, 3_000, 4_000, 4_000]


def test_money_that_was_found_by_asking_points_to_the_address() -> None:
    found = hops(a_story(**PAID, roads="query", wallet=True), answered_at=LATER, now=LATER)

    assert found[3].todo == LOOK_AT_ADDRESS


def test_a_lost_answer_is_not_called_broken() -> None:
    story = a_story(state="sent", provider_id=None, code="no-answer")
    found = hops(story, answered_at=LATER, now=LATER)

    assert (found[1].stand, found[1].todo) == ("now", LOST)


def test_every_reason_says_what_to_do() -> None:
    for reason, todo in TODO_BY_REASON.items():
        story = a_story(state="refused", reason=reason, callbacks=TOLD)
        assert hops(story, answered_at=LATER, now=LATER)[2].todo == todo


@pytest.mark.parametrize("code", sorted(TODO_BY_CODE))
def test_keys_that_are_refused_are_told_apart(code: str) -> None:
    told: dict[str, Any] = {"state": "refused", "code": code, "provider_id": None}
    ours = hops(a_story(**told, reason="our_side"), answered_at=LATER, now=LATER)
    busy = hops(a_story(**told, reason="line_busy"), answered_at=LATER, now=LATER)

    assert ours[1].todo == TODO_BY_CODE[code]
    assert busy[1].todo == TODO_BY_REASON[Reason.LINE_BUSY]


def test_faults_find_their_fields() -> None:
    entries = [Entry("shortcode", "12x"), Entry("passkey", is_kept=True)]
    faults = ["mpesa.shortcode: want 5 to 7 digits", "http.public_url: want https://…"]
    found, others = told_by(entries, faults, {"shortcode": "mpesa.shortcode"})

    assert found["shortcode"] == replace(entries[0], fault="want 5 to 7 digits")
    assert found["passkey"] == entries[1]
    assert others == ("http.public_url: want https://…",)
