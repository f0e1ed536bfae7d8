"""How a line of a list is decided, without a page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from controller.noc import lines
from controller.noc.board import unread, waiting_sentence
from controller.noc.incoming import WaitingView
from controller.noc.networks import SiteNow
from controller.noc.rates import Counted, Rate, summed
from controller.noc.views import PaymentView, SessionView
from controller.store.payment_rows import ArrivalRow
from controller.store.site_rows import OutageRow
from tests.support.office import NOON, a_grant, a_notice, a_payment, a_plan, a_session, a_site


def a_view(**plan: Any) -> SessionView:
    return SessionView(a_session(), a_grant(), a_plan(**plan), "254712345678")


def a_session_line(view: SessionView, rates: dict[str, Rate] | None = None) -> lines.SessionLine:
    return lines.session_line(view, rates or {}, NOON)


def a_wait(**but: Any) -> WaitingView:
    """Somebody whose site is online and has not applied what was paid."""
    usual: dict[str, Any] = {
        "grant": a_grant(),
        "plan": a_plan(),
        "site": a_site(),
        "order": a_payment(),
        "subscription_id": None,
        "msisdn": "254712345678",
        "paid_at": NOON,
        "receipt": "SGH7K2Q0XD",
        "applied": False,
    }
    return WaitingView(**{**usual, **but})


@pytest.mark.parametrize(
    ("seen_s", "word"), [(60, "online"), (61, "offline"), (None, "never seen")]
)
def test_a_site_is_online_for_a_minute_after_it_was_heard(seen_s: int | None, word: str) -> None:
    seen = None if seen_s is None else NOON - timedelta(seconds=seen_s)

    assert lines.site_mood(a_site(last_seen_at=seen), NOON).word == word


@pytest.mark.parametrize(
    ("applied", "digest", "word"),
    [
        (12, bytes(32), "hash equal"),
        (12, b"\1" * 32, "hash differs"),
        (11, bytes(32), "behind"),
    ],
)
def test_a_site_says_whether_it_applied_what_is_wanted(
    applied: int, digest: bytes, word: str
) -> None:
    site = a_site(applied_generation=applied, applied_digest=digest)
    line = lines.site_line(SiteNow(site, 3, None, None, 5_000), NOON)

    assert (line.step.word, line.sessions, line.down_bps, line.place) == (word, 3, None, None)


def test_time_and_data_left_are_those_of_the_grant() -> None:
    line = a_session_line(a_view(quota_bytes=1_000_000_000))

    assert (line.time_left.amount, line.time_left.per_cent) == (3_600, 50)
    assert (line.data_left.amount, line.data_left.per_cent) == (750_000_000, 75)


def test_the_last_tenth_is_low() -> None:
    assert a_session_line(a_view(quota_bytes=260_000_000)).data_left.low


def test_a_session_whose_grant_is_not_known_yet_is_shown_without_limits() -> None:
    line = a_session_line(SessionView(a_session(), None, None, None))

    assert (line.plan, line.time_left.known, line.msisdn) == ("", False, "")


def test_rates_are_shown_and_summed() -> None:
    newest = Counted("7" * 32, NOON, 0, 0)
    rates = {"7" * 32: Rate(newest, down_bps=2_000_000, up_bps=500_000, points=(0, 2_000_000))}
    line = a_session_line(a_view(), rates)

    assert summed(rates, NOON) == (2_000_000, 500_000)
    assert (line.down_bps, line.up_bps) == (2_000_000, 500_000)
    assert line.spark == "0,15 72,6"


def test_the_rate_of_a_silent_session_is_not_shown() -> None:
    newest = Counted("7" * 32, NOON - timedelta(minutes=1), 0, 0)
    rates = {"7" * 32: Rate(newest, 5, 5, (5, 5))}

    assert a_session_line(a_view(), rates).down_bps is None
    assert summed(rates, NOON) == (0, 0)


@pytest.mark.parametrize(
    ("state", "word", "tone"),
    [
        ("created", "starting", "busy"),
        ("sent", "asking", "busy"),
        ("pending", "asking", "busy"),
        ("unknown", "checking", "busy"),
        ("refused", "cancelled", "bad"),
        ("expired", "not sent", "quiet"),
        ("settled", "paid", "good"),
    ],
)
def test_a_payment_says_where_it_stands(state: str, word: str, tone: str) -> None:
    payment = a_payment(state=state, reason="cancelled" if state == "refused" else None)
    mood = lines.payment_line(PaymentView(payment, "2 hours")).mood

    assert (mood.word, mood.tone) == (word, tone)


@pytest.mark.parametrize(
    ("purpose", "bought"),
    [("grant", ""), ("token", lines.FOR_TOKEN), ("account", lines.FOR_ACCOUNT)],
)
def test_a_payment_says_what_it_is_for(purpose: str, bought: str) -> None:
    line = lines.payment_line(PaymentView(a_payment(purpose=purpose), "2 hours"))

    assert (line.bought, line.plan) == (bought, "2 hours")


def test_a_notice_of_no_site_is_of_none() -> None:
    assert lines.notice_line(a_notice(site_id=None)).site == ""


@pytest.mark.parametrize(
    ("but", "word", "sentence"),
    [
        ({}, "not applied", "waiting for site, last seen 11:59"),
        (
            {"site": a_site(last_seen_at=NOON - timedelta(hours=13))},
            "site offline",
            "waiting for site, last seen 22 Nov 23:00",
        ),
        ({"site": a_site(last_seen_at=None)}, "site offline", "waiting for site, never seen"),
        (
            {"applied": True},
            "device not seen",
            "the site lets it in; the device has not been seen since",
        ),
    ],
)
def test_who_waits_is_told_why(but: dict[str, Any], word: str, sentence: str) -> None:
    view = a_wait(**but)

    assert lines.waiting_line(view, NOON).mood.word == word
    assert waiting_sentence(view, NOON) == sentence


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("house 4", "house 4"), ("", ""), ("0712345678", "0712••••678")],
)
def test_unmatched_money_says_what_was_typed_without_phone_numbers(typed: str, shown: str) -> None:
    row = ArrivalRow(
        id="f" * 32,
        rail="mpesa",
        receipt="SGH7K2Q0XD",
        at=NOON,
        amount_minor=50_000,
        currency="KES",
        reference=typed,
        payer_name="JOHN KAMAU",
        state="suspense",
    )
    line = lines.unmatched_line(row)

    assert (line.reference, line.payer, line.mood.word) == (shown, "JOHN KAMAU", "unmatched")
    assert unread(typed) == shown


def test_an_outage_lies_where_it_was_in_the_time_that_is_shown() -> None:
    since = NOON - timedelta(hours=1)
    over = OutageRow(
        site_id="a", began_at=NOON - timedelta(minutes=30), ended_at=NOON - timedelta(minutes=15)
    )
    lasting = OutageRow(site_id="a", began_at=NOON - timedelta(hours=2), ended_at=None)
    drawn = lines.outage_lines([over, lasting], since, NOON)

    assert [(one.left, one.width, one.lasted_s) for one in drawn] == [
        (500, 250, 900),
        (0, 1_000, 7_200),
    ]
