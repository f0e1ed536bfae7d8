"""What the page shows, decided without a page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from controller.noc.board import WAITING_SHOWN, Board, Snapshot, drawn
from controller.noc.incoming import Unmatched, WaitingView
from controller.noc.rates import Counted, Rate
from controller.noc.views import PaymentView, SessionView, SiteView, Takings
from controller.store.payment_rows import ArrivalRow
from tests.support.office import NOON, a_grant, a_notice, a_payment, a_plan, a_session, a_site

if TYPE_CHECKING:
    from controller.store.rows import NoticeRow, SiteRow


def a_board(
    *sites: SiteRow,
    sessions: tuple[SessionView, ...] = (),
    payments: tuple[PaymentView, ...] = (),
    notices: tuple[NoticeRow, ...] = (),
    rates: dict[str, Rate] | None = None,
    sessions_open: int = 0,
    waiting: tuple[WaitingView, ...] = (),
    unmatched: Unmatched | None = None,
) -> Board:
    snapshot = Snapshot(
        at=NOON,
        sites=[SiteView(site, 0) for site in sites],
        sessions=sessions,
        sessions_open=sessions_open or len(sessions),
        payments=payments,
        takings=Takings(settled=2, minor=150_000),
        notices=notices,
        waiting=waiting,
        unmatched=unmatched or Unmatched(0, 0, ()),
    )
    return drawn(snapshot, rates or {})


def a_view(**plan: Any) -> SessionView:
    return SessionView(a_session(), a_grant(), a_plan(**plan), "254712345678")


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


def an_arrival(**but: Any) -> ArrivalRow:
    """KES 500 that fits nobody."""
    usual: dict[str, Any] = {
        "id": "e" * 32,
        "rail": "mpesa",
        "receipt": "SGH7K2Q0XD",
        "amount_minor": 50_000,
        "currency": "KES",
        "at": NOON,
        "reference": "house 4",
        "payer_name": "JOHN KAMAU",
        "state": "suspense",
    }
    return ArrivalRow(**{**usual, **but})


def test_headings_say_the_figure() -> None:
    silent = a_site("b", last_seen_at=NOON - timedelta(seconds=61))
    board = a_board(a_site(), silent, a_site("c", last_seen_at=None))

    assert board.sites_heading == "1 online · 1 offline · 1 never seen"
    assert board.payments_heading == "KES 1,500 today · 2 paid"
    assert board.notices_heading == "0 notices"


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
    board = a_board(a_site(applied_generation=applied, applied_digest=digest))

    assert board.sites[0].step.word == word


def test_time_and_data_left_are_those_of_the_grant() -> None:
    line = a_board(sessions=(a_view(quota_bytes=1_000_000_000),)).sessions[0]

    assert (line.time_left.words, line.time_left.per_cent) == ("1 h 00 m", 50)
    assert (line.data_left.words, line.data_left.per_cent) == ("750 MB", 75)


def test_the_last_tenth_is_low() -> None:
    line = a_board(sessions=(a_view(quota_bytes=260_000_000),)).sessions[0]

    assert line.data_left.low


def test_a_session_whose_grant_is_not_known_yet_is_shown_without_limits() -> None:
    line = a_board(sessions=(SessionView(a_session(), None, None, None),)).sessions[0]

    assert (line.plan, line.time_left.words, line.phone) == ("-", "-", "-")


def test_rates_are_shown_and_summed() -> None:
    newest = Counted("7" * 32, NOON, 0, 0)
    rates = {"7" * 32: Rate(newest, down_bps=2_000_000, up_bps=500_000, points=(0, 2_000_000))}
    board = a_board(sessions=(a_view(),), rates=rates)

    assert board.sessions_heading == "1 session · ↓ 2 Mb/s · ↑ 500 kb/s"
    assert board.sessions[0].down == "2 Mb/s"
    assert board.sessions[0].spark == "0,15 72,6"


def test_the_rate_of_a_silent_session_is_not_shown() -> None:
    newest = Counted("7" * 32, NOON - timedelta(minutes=1), 0, 0)
    board = a_board(sessions=(a_view(),), rates={"7" * 32: Rate(newest, 5, 5, (5, 5))})

    assert board.sessions[0].down == "-"


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
    mood = a_board(payments=(PaymentView(payment, "2 hours"),)).payments[0].mood

    assert (mood.word, mood.tone) == (word, tone)


def test_a_payment_for_a_token_says_so() -> None:
    view = PaymentView(a_payment(purpose="token", device_mac=""), "2 hours")

    assert a_board(payments=(view,)).payments[0].plan == "2 hours, as a token"


def test_phone_numbers_are_masked() -> None:
    board = a_board(sessions=(a_view(),), payments=(PaymentView(a_payment(), "2 hours"),))

    assert (board.sessions[0].phone, board.payments[0].phone) == ("2547••••678", "2547••••678")


def test_sessions_beyond_those_shown_are_counted() -> None:
    assert a_board(sessions=(a_view(),), sessions_open=501).sessions_hidden == 500


def test_a_notice_of_no_site_is_the_controllers() -> None:
    assert a_board(notices=(a_notice(site_id=None),)).notices[0].site == "controller"


def test_who_waits_is_counted_apart_from_devices_that_were_not_seen() -> None:
    board = a_board(waiting=(a_wait(), a_wait(), a_wait(applied=True)))

    assert board.waiting_heading == "2 wait for their site · 1 not seen since"
    assert a_board(waiting=(a_wait(),)).waiting_heading == "1 waits for its site"
    assert a_board().waiting_heading == "Nobody"


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
    line = a_board(waiting=(a_wait(**but),)).waiting[0]

    assert (line.mood.word, line.sentence) == (word, sentence)
    assert (line.phone, line.receipt, line.paid) == ("2547••••678", "SGH7K2Q0XD", "12:00:00")


def test_those_beyond_the_shown_are_counted() -> None:
    board = a_board(waiting=(a_wait(),) * (WAITING_SHOWN + 3))

    assert (len(board.waiting), board.waiting_hidden) == (WAITING_SHOWN, 3)


def test_unmatched_money_is_counted_and_summed() -> None:
    board = a_board(unmatched=Unmatched(3, 130_000, (an_arrival(),)))

    assert (board.unmatched_heading, board.unmatched_hidden) == ("3 · KES 1,300", 2)
    assert a_board().unmatched_heading == "None"


@pytest.mark.parametrize(
    ("but", "told", "word"),
    [
        ({}, "“house 4” JOHN KAMAU", "unmatched"),
        ({"reference": ""}, "no reference JOHN KAMAU", "unmatched"),
        ({"reference": "0712345678"}, "“0712••••678” JOHN KAMAU", "unmatched"),
        ({"state": "doubted", "payer_name": ""}, "“house 4”", "unconfirmed"),
    ],
)
def test_unmatched_money_says_what_was_typed_without_phone_numbers(
    but: dict[str, Any], told: str, word: str
) -> None:
    line = a_board(unmatched=Unmatched(1, 1, (an_arrival(**but),))).unmatched[0]

    assert (line.told, line.mood.word) == (told, word)
