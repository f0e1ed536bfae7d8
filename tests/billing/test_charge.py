"""What a subscription costs: lines for parts of periods, discounts on them, and volume."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.charge import (
    Mode,
    Taken,
    Use,
    ceiled,
    days_text,
    due_at,
    floored,
    lines_for,
    part_of_period,
    renewed,
    rest_of,
    resumed,
    served_before,
    tax_day,
    volume_lines,
    whole_price,
)
from billing.ids import PlanId
from billing.invoice import LineKind, total
from billing.money import Money
from billing.period import Cycle, Period, Unit
from billing.price import Price
from billing.promo import Discount
from billing.proration import prorated
from billing.scope import Scope
from tests.billing.contracts import (
    CATALOGUE,
    GB,
    MONTH,
    a_contract,
    a_discount,
    an_account,
    at,
)

SEPTEMBER = Period(at("2027-09-01"), at("2027-10-01"))
HOURS = Cycle(Unit.HOUR, 6)


@pytest.mark.parametrize(
    ("cycle", "clock", "floor", "ceiling"),
    [
        (MONTH, "00:00", "2027-09-10 00:00", "2027-09-10 00:00"),
        (MONTH, "15:30", "2027-09-10 00:00", "2027-09-11 00:00"),
        (HOURS, "15:30", "2027-09-10 15:30", "2027-09-10 15:30"),
    ],
)
def test_day_that_began_is_served_where_days_count(
    cycle: Cycle, clock: str, floor: str, ceiling: str
) -> None:
    moment = at("2027-09-10", clock)

    assert floored(cycle, moment) == at(*floor.split())
    assert ceiled(cycle, moment) == at(*ceiling.split())


def test_arrears_fall_due_at_the_end_and_others_at_the_start() -> None:
    assert due_at(a_contract(Mode.ARREARS)) == at("2027-10-01")
    assert due_at(a_contract(Mode.ADVANCE)) == due_at(a_contract(Mode.PREPAID)) == SEPTEMBER.start


def test_tax_is_of_the_first_day_before_and_of_the_last_in_arrears() -> None:
    assert tax_day(a_contract(Mode.ADVANCE), SEPTEMBER) == date(2027, 9, 1)
    assert tax_day(a_contract(Mode.ARREARS), SEPTEMBER) == date(2027, 9, 30)


def test_days_are_named_by_first_and_last_and_hours_by_their_times() -> None:
    assert days_text(SEPTEMBER) == "2027-09-01 to 2027-09-30"
    hours = Period(at("2027-09-01", "06:00"), at("2027-09-01", "12:00"))
    assert days_text(hours) == "2027-09-01 06:00 to 2027-09-01 12:00"


@pytest.mark.parametrize(
    ("part", "shillings"),
    [
        (SEPTEMBER, 3_000),
        (Period(at("2027-09-01"), at("2027-09-11")), 1_000),
        (Period(at("2027-09-16"), at("2027-10-01")), 1_500),
    ],
)
def test_part_of_a_period_costs_its_share_with_taxes_in_it(part: Period, shillings: int) -> None:
    lines, lowered = lines_for(a_contract(), an_account(), CATALOGUE, part=part, plan_id="fibre")

    assert [line.kind for line in lines] == [LineKind.PLAN]
    assert total(lines).total == Money(shillings * 100)
    assert total(lines).vat.minor > total(lines).excise.minor > 0
    assert lowered == ()


def test_bespoke_price_is_for_the_plan_that_it_was_agreed_for() -> None:
    contract = a_contract(bespoke=Money(2_000_00))
    price = {
        plan_id: whole_price(
            contract, an_account(), CATALOGUE, day=date(2027, 9, 1), plan_id=plan_id
        )
        for plan_id in ("fibre", "faster")
    }

    assert price == {"fibre": Money(2_000_00), "faster": Money(6_000_00)}


def test_price_of_a_segment_goes_before_that_of_the_plan() -> None:
    price = Price(PlanId("fibre"), "residential", "", Money(2_900_00), date(2027, 9, 1))
    catalogue = replace(CATALOGUE, prices={"fibre": [price]})
    lines, _ = lines_for(a_contract(), an_account(), catalogue, part=SEPTEMBER, plan_id="fibre")

    assert total(lines).total == Money(2_900_00)


@pytest.mark.parametrize(
    ("taken", "left", "lowered"),
    [
        (a_discount(basis_points=1_000), 2_700_00, ("use",)),
        (a_discount(amount=Money(500_00)), 2_500_00, ("use",)),
        (a_discount(amount=Money(9_000_00)), 0, ("use",)),
        (a_discount(basis_points=1_000, left=0), 3_000_00, ()),
        (
            replace(
                a_discount(basis_points=1_000),
                terms=Discount(basis_points=1_000, scope=Scope(plans=("faster",))),
            ),
            3_000_00,
            (),
        ),
    ],
)
def test_discount_is_a_line_of_its_own(taken: Taken, left: int, lowered: tuple[str, ...]) -> None:
    account = replace(an_account(), taken=(taken,))
    lines, used = lines_for(a_contract(), account, CATALOGUE, part=SEPTEMBER, plan_id="fibre")

    assert total(lines).total.minor == left
    assert used == lowered
    assert [line.kind for line in lines[1:]] == [LineKind.DISCOUNT] * len(lowered)


def test_second_discount_is_of_what_the_first_left() -> None:
    both = (a_discount(basis_points=5_000), replace(a_discount(basis_points=5_000), use_id="b"))
    lines, used = lines_for(
        a_contract(), an_account(taken=both), CATALOGUE, part=SEPTEMBER, plan_id="fibre"
    )

    assert total(lines).total == Money(750_00)
    assert used == ("use", "b")


def a_use(plan_id: str, used_bytes: int, billed_bytes: int = 0) -> Use:
    return Use("c", "g", plan_id, used_bytes, billed_bytes)


@pytest.mark.parametrize(
    ("use", "cents", "is_charged"),
    [
        (a_use("fibre", 9 * GB), [], False),
        (a_use("metered", 3 * GB), [30_00], True),
        (a_use("metered", 5 * GB, 3 * GB), [20_00], True),
        (a_use("metered", 3 * GB, 3 * GB), [], True),
        (a_use("bulk", 12 * GB, 10 * GB), [], False),
        (a_use("bulk", 112 * GB, 10 * GB), [12_00], True),
    ],
)
def test_volume_is_charged_beyond_what_was_charged(
    use: Use, cents: list[int], *, is_charged: bool
) -> None:
    lines, charged = volume_lines(
        a_contract(), an_account(), CATALOGUE, [use], day=date(2027, 9, 1)
    )

    assert [line.taxed.total.minor for line in lines] == cents
    assert charged == ((use,) if is_charged else ())


@given(st.lists(st.integers(0, 200 * GB), min_size=1, max_size=6))
def test_volume_reported_late_costs_what_it_would_have_cost_at_once(reports: list[int]) -> None:
    billed, cents = 0, 0
    for used in sorted(reports):
        lines, charged = volume_lines(
            a_contract(),
            an_account(),
            CATALOGUE,
            [a_use("metered", used, billed)],
            day=date(2027, 9, 1),
        )
        cents += sum(line.taxed.total.minor for line in lines)
        billed = charged[0].used_bytes
    (at_once,) = volume_lines(
        a_contract(),
        an_account(),
        CATALOGUE,
        [a_use("metered", max(reports))],
        day=date(2027, 9, 1),
    )[0] or (None,)

    assert cents == (0 if at_once is None else at_once.taxed.total.minor)


discounts = st.lists(st.integers(0, 10_000), max_size=3).map(
    lambda shares: tuple(a_discount(basis_points=share) for share in shares)
)


@given(st.integers(0, 10**7), st.integers(0, 29), discounts)
def test_credit_is_never_below_zero_nor_above_the_charge_in_any_of_its_parts(
    price: int, days: int, taken: tuple[Taken, ...]
) -> None:
    contract = a_contract(bespoke=Money(price))
    lines, _ = lines_for(
        contract, an_account(taken=taken), CATALOGUE, part=SEPTEMBER, plan_id="fibre"
    )
    cut = SEPTEMBER.start + timedelta(days=days)
    back = rest_of(lines, part=SEPTEMBER, rest=Period(cut, SEPTEMBER.end))

    whole, rest = total(lines), total(back)
    for part in ("net", "excise", "vat"):
        assert 0 <= getattr(rest, part).minor <= getattr(whole, part).minor
    assert rest.total == prorated(whole.total, whole=SEPTEMBER, part=Period(cut, SEPTEMBER.end))
    if days == 0:
        assert [line.taxed for line in back] == [line.taxed for line in lines]


def test_lapsed_contract_is_counted_from_the_day_of_its_money() -> None:
    again = renewed(a_contract(Mode.PREPAID), at("2027-11-05", "15:00"))

    assert (again.anchor_at, again.n, again.bill_at) == (at("2027-11-05"), 0, at("2027-11-05"))


@pytest.mark.parametrize(
    ("mode", "billed_until", "now", "part", "bill_at"),
    [
        # within a billed period nothing is billed anew
        ("advance", "2027-10-01", "2027-09-20", "2027-10-01/2027-11-01", "2027-10-01"),
        # a later period runs: its rest
        ("advance", "2027-10-01", "2027-12-11", "2027-12-11/2028-01-01", "2027-12-11"),
        # a pause that began and ends on one day: from the next on
        ("advance", "2027-09-11", "2027-09-20", "2027-09-20/2027-10-01", "2027-09-20"),
        ("arrears", "2027-09-11", "2027-09-20", "2027-09-20/2027-10-01", "2027-10-01"),
        ("arrears", None, "2027-09-01", "2027-09-01/2027-10-01", "2027-10-01"),
    ],
)
def test_resumed_contract_is_billed_for_what_is_left(
    mode: str, billed_until: str | None, now: str, part: str, bill_at: str
) -> None:
    until = None if billed_until is None else at(billed_until)
    n = 1 if billed_until == "2027-10-01" else 0
    contract = replace(a_contract(Mode(mode)), n=n, billed_until=until)
    again = resumed(contract, at(now, "10:00"))
    found = part_of_period(again)

    start, end = part.split("/")
    assert (found.start, found.end) == (at(start), at(end))
    assert again.bill_at == at(bill_at)


@pytest.mark.parametrize(
    ("mode", "stopped", "until"),
    [
        ("arrears", "2027-09-10", "2027-09-11"),
        ("arrears", "2027-10-10", "2027-10-01"),
        ("advance", "2027-09-10", None),
    ],
)
def test_served_in_arrears_is_up_to_the_end_of_the_last_day(
    mode: str, stopped: str, until: str | None
) -> None:
    part = served_before(a_contract(Mode(mode)), at(stopped, "10:00"))

    assert part == (None if until is None else Period(SEPTEMBER.start, at(until)))


def test_nothing_was_served_behind_what_is_billed() -> None:
    contract = replace(a_contract(Mode.ARREARS), billed_until=at("2027-09-11"))

    assert served_before(contract, at("2027-09-10", "10:00")) is None
