"""Which screen a device sees, as a table."""

from __future__ import annotations

import pytest

from billing.payment import OrderStage, Reason
from portal.captive import screens
from portal.captive.gate import AccessView, DeviceView, OrderView
from tests.support.portal import LADDER, NOON, a_face, an_access, an_offer


def an_order(
    stage: OrderStage = OrderStage.PROMPTED, reason: Reason | None = None, age_s: int = 0
) -> OrderView:
    return OrderView("0" * 32, an_offer(), "2547••••678", stage, reason, NOON, age_s)


def a_device(*, access: AccessView | None = None, order: OrderView | None = None) -> DeviceView:
    return DeviceView("AAAAAA", device_known=True, access=access, order=order)


WAITING = """
    stage     age_s  shown     next_look_s
    queued        0  queued    2
    queued      100  queued    4
    queued      300  queued    20
    prompted      0  prompted  2
    prompted     29  prompted  2
    prompted     30  prompted  4
    prompted     89  prompted  4
    prompted     90  checking  4
    prompted    120  checking  20
    prompted    899  checking  20
    prompted    900  checking  -
    checking      5  checking  2
    paid          0  paid      2
    paid       5000  paid      2
"""


def rows(table: str) -> list[tuple[str, ...]]:
    return [tuple(line.split()) for line in table.strip().splitlines()[1:]]


@pytest.mark.parametrize(("stage", "age_s", "shown", "look"), rows(WAITING))
def test_an_order_under_way_is_shown_and_looked_at_by_age(
    stage: str, age_s: str, shown: str, look: str
) -> None:
    screen = screens.order_screen(a_face(), an_order(OrderStage(stage), age_s=int(age_s)))

    assert isinstance(screen, screens.Waiting)
    assert (screen.stage, str(screen.refresh_s or "-")) == (shown, look)


WAYS_OUT = """
    reason         age_s  action    wait_s
    no_balance         0  smaller   0
    cancelled          0  again     0
    no_reply           0  again     0
    wrong_pin          0  again     0
    line_busy          0  again     60
    line_busy         45  again     15
    line_busy         70  again     0
    provider_slow     10  again     20
    limit              0  smaller   0
    account            0  number    0
    too_often          0  number    0
    our_side           0  help      0
    plan_unknown       0  choose    0
    too_late           0  again     0
"""


@pytest.mark.parametrize(("reason", "age_s", "action", "wait_s"), rows(WAYS_OUT))
def test_every_reason_has_one_way_out(reason: str, age_s: str, action: str, wait_s: str) -> None:
    order = an_order(OrderStage.REFUSED, Reason(reason), int(age_s))
    screen = screens.order_screen(a_face(), order)

    assert isinstance(screen, screens.Failed)
    assert (screen.action, screen.wait_s) == (f"action.{action}", int(wait_s))


def test_the_table_of_ways_out_knows_every_reason() -> None:
    assert {row[0] for row in rows(WAYS_OUT)} == {str(r) for r in Reason}


def test_an_expired_order_may_be_sent_again() -> None:
    screen = screens.order_screen(a_face(), an_order(OrderStage.EXPIRED))

    assert isinstance(screen, screens.Failed)
    assert screen.action == "action.again"


@pytest.mark.parametrize(
    ("stage", "age_s", "first"),
    [
        (OrderStage.QUEUED, 9_999, True),
        (OrderStage.PROMPTED, 9_999, True),
        (OrderStage.CHECKING, 9_999, True),
        (OrderStage.REFUSED, 900, True),
        (OrderStage.REFUSED, 901, False),
        (OrderStage.EXPIRED, 901, False),
        (OrderStage.PAID, 120, True),
        (OrderStage.PAID, 121, False),
    ],
)
def test_an_old_outcome_gives_way_to_packages(stage: OrderStage, age_s: int, first: bool) -> None:  # noqa: FBT001 - a table's cell
    assert screens.first_look(an_order(stage, age_s=age_s)) is first


def test_the_prompt_counts_down_from_a_minute() -> None:
    screen = screens.order_screen(a_face(), an_order(age_s=17))

    assert isinstance(screen, screens.Waiting)
    assert screen.seconds_left == 43


def test_the_first_offer_is_chosen_for_a_new_device() -> None:
    screen = screens.shop(a_face(), LADDER, a_device())

    assert (screen.chosen, screen.known) == ("hour", "")


def test_the_last_package_and_number_are_kept() -> None:
    order = OrderView("0" * 32, LADDER[2], "2547••••678", OrderStage.PAID, None, NOON, 0)
    screen = screens.shop(a_face(), LADDER, a_device(order=order))

    assert (screen.chosen, screen.known) == ("day", "2547••••678")


def test_a_package_no_longer_sold_is_not_chosen() -> None:
    view = a_device(access=an_access())
    screen = screens.shop(a_face(), LADDER, view, chosen="gone")

    assert (screen.chosen, screen.online) == ("hour", True)
