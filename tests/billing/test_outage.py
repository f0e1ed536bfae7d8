"""What time without service gives back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.errors import InvalidField
from billing.money import Money
from billing.outage import CreditRule, Gives, credit_for
from billing.period import Period

START = datetime(2027, 9, 1, tzinfo=UTC)
MONTH = Period(START, START + timedelta(days=30))
PRICE = Money(3_000_00)
HOUR = 3_600


def given(rule: CreditRule, lost_s: int, *, price: Money = PRICE) -> int:
    return credit_for(rule, price=price, period=MONTH, lost_s=lost_s).minor


def test_as_much_as_the_rule_suffers_gives_nothing_and_a_second_more_gives() -> None:
    rule = CreditRule(4 * HOUR, Gives.DAYS, days=1)

    assert given(rule, 4 * HOUR) == 0
    assert given(rule, 4 * HOUR + 1) == 100_00


def test_a_share_is_that_of_the_time() -> None:
    rule = CreditRule(0, Gives.SHARE)

    assert given(rule, 24 * HOUR) == 100_00
    assert given(rule, 1) == 0
    assert given(rule, 30 * 24 * HOUR) == 3_000_00


def test_never_more_than_the_period_cost() -> None:
    assert given(CreditRule(0, Gives.AMOUNT, amount=Money(9_000_00)), HOUR) == 3_000_00
    assert given(CreditRule(0, Gives.DAYS, days=60), HOUR) == 3_000_00
    assert given(CreditRule(0, Gives.SHARE), 90 * 24 * HOUR) == 3_000_00


def test_what_cost_nothing_gives_nothing() -> None:
    assert given(CreditRule(0, Gives.DAYS, days=1), HOUR, price=Money(0)) == 0


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("days", (0, Gives.DAYS)),
        ("amount", (0, Gives.AMOUNT)),
        ("more_than_s", (-1, Gives.SHARE)),
    ],
)
def test_a_rule_that_gives_nothing_is_refused(field: str, rule: tuple[int, Gives]) -> None:
    with pytest.raises(InvalidField, match=field):
        CreditRule(*rule)
