"""What can be sold, and what cannot: the first bad field is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from billing.errors import InvalidField
from billing.ids import PlanId
from billing.money import Money
from billing.plan import Audience, Burst, Limits, Plan, Step, Window, check_plan
from billing.rating import Formula, Tariff, Tier


def limits(**but: Any) -> Limits:
    fields = {
        "down_bps": 5_000_000,
        "up_bps": 2_000_000,
        "validity_s": 3600,
        "uptime_s": None,
        "quota_bytes": None,
        "devices_max": 1,
    }
    return Limits(**{**fields, **but})


def a_plan(**but: Any) -> Plan:
    plan = Plan(PlanId("hour"), "One hour", Money(10_00), limits())
    return replace(plan, **but)


def a_contract(**but: Any) -> Plan:
    return a_plan(audience=Audience.CONTRACT, **but)


def a_tariff(*, currency: str = "KES", unit_bytes: int = 10**9) -> Tariff:
    return Tariff(Formula.GRADUATED, unit_bytes, (Tier(None, Money(20_00, currency)),))


@pytest.mark.parametrize(
    "plan",
    [
        a_plan(),
        a_contract(),
        a_contract(price=Money(10_000_000_00)),
        a_contract(price=Money(2_999_50), tax_included=False, tariff=a_tariff()),
        a_plan(price=Money(0)),
        a_plan(price=Money(250_000_00)),
        a_plan(id="a"),
        a_plan(id="a" * 32),
        a_plan(id="gb-5-week"),
        a_plan(name="n" * 40),
        a_plan(limits=limits(validity_s=None, uptime_s=1)),
        a_plan(limits=limits(validity_s=None, quota_bytes=100_000)),
        a_plan(limits=limits(uptime_s=366 * 86_400, quota_bytes=10**15, devices_max=50)),
        a_plan(limits=limits(down_bps=8_000, up_bps=10_000_000_000)),
        a_plan(limits=limits(burst=Burst(10**9, 10**9, 10**9))),
        a_plan(limits=limits(steps=(Step(1, 8_000, 8_000), Step(2, 8_000, 8_000)))),
        a_plan(limits=limits(windows=(Window(1_439, 1_440, 8_000, 8_000),))),
    ],
)
def test_a_plan_within_its_limits_can_be_sold(plan: Plan) -> None:
    assert check_plan(plan) is plan


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        (a_plan(tax_included=False), "tax_included"),
        (a_plan(tariff=a_tariff()), "tariff"),
        (a_contract(price=Money(-1)), "price"),
        (a_contract(price=Money(10_000_000_01)), "price"),
        (a_contract(price=Money(100, "USD")), "currency"),
        (a_contract(tariff=a_tariff(unit_bytes=0)), "tariff.unit_bytes"),
        (a_contract(tariff=a_tariff(currency="USD")), "tariff.tiers[0].price"),
        (a_contract(limits=limits(validity_s=0)), "validity_s"),
        (a_plan(id=""), "id"),
        (a_plan(id="a" * 33), "id"),
        (a_plan(id="Hour"), "id"),
        (a_plan(id="-hour"), "id"),
        (a_plan(id="hour-"), "id"),
        (a_plan(id="hour\n"), "id"),
        (a_plan(name=""), "name"),
        (a_plan(name="   "), "name"),
        (a_plan(name="n" * 41), "name"),
        (a_plan(price=Money(-1_00)), "price"),
        (a_plan(price=Money(250_001_00)), "price"),
        (a_plan(price=Money(10_50)), "price"),
        (a_plan(limits=limits(down_bps=7_999)), "down_bps"),
        (a_plan(limits=limits(up_bps=10_000_000_001)), "up_bps"),
        (a_plan(limits=limits(devices_max=0)), "devices_max"),
        (a_plan(limits=limits(devices_max=51)), "devices_max"),
        (a_plan(limits=limits(validity_s=0)), "validity_s"),
        (a_plan(limits=limits(validity_s=366 * 86_400 + 1)), "validity_s"),
        (a_plan(limits=limits(uptime_s=0)), "uptime_s"),
        (a_plan(limits=limits(quota_bytes=99_999)), "quota_bytes"),
        (a_plan(limits=limits(quota_bytes=10**15 + 1)), "quota_bytes"),
        (a_plan(limits=limits(validity_s=None)), "validity_s"),
        (a_plan(limits=limits(burst=Burst(1, 10**9, 1))), "burst.down_bps"),
        (a_plan(limits=limits(burst=Burst(10**9, 1, 1))), "burst.up_bps"),
        (a_plan(limits=limits(burst=Burst(10**9, 10**9, 0))), "burst.burst_bytes"),
        (a_plan(limits=limits(steps=(Step(1, 8_000, 8_000),) * 9)), "steps"),
        (a_plan(limits=limits(steps=(Step(2, 8_000, 8_000),) * 2)), "steps"),
        (a_plan(limits=limits(steps=(Step(0, 8_000, 8_000),))), "steps[0].after_bytes"),
        (a_plan(limits=limits(steps=(Step(1, 7_999, 8_000),))), "steps[0].down_bps"),
        (a_plan(limits=limits(windows=(Window(0, 60, 8_000, 8_000),) * 9)), "windows"),
        (a_plan(limits=limits(windows=(Window(0, 60, 8_000, 7_999),))), "windows[0].up_bps"),
        (
            a_plan(limits=limits(windows=(Window(1_440, 60, 8_000, 8_000),))),
            "windows[0].from_minute",
        ),
        (
            a_plan(limits=limits(windows=(Window(0, 1_441, 8_000, 8_000),))),
            "windows[0].until_minute",
        ),
        (
            a_plan(limits=limits(windows=(Window(0, 1_440, 8_000, 8_000),))),
            "windows[0].until_minute",
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_field(plan: Plan, field: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        check_plan(plan)

    assert refusal.value.field == field


@pytest.mark.parametrize("pool_id", ["", "fast-lane"])
def test_a_plan_names_a_pool_or_none(pool_id: str) -> None:
    assert check_plan(a_plan(pool_id=pool_id)).pool_id == pool_id


def test_what_is_no_pools_name_is_refused() -> None:
    with pytest.raises(InvalidField, match="pool_id"):
        check_plan(a_plan(pool_id="Fast lane"))


def test_a_refusal_says_what_would_be_right() -> None:
    with pytest.raises(InvalidField, match=r"^devices_max: want 1 to 50, got 0$"):
        check_plan(a_plan(limits=limits(devices_max=0)))
