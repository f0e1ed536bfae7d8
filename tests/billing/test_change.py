"""What a change of plan comes to: the old rest back, the new rest charged, each day once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.change import changed, cut_of
from billing.charge import Mode, lines_for, rest_of
from billing.money import Money
from billing.period import Period
from tests.billing.contracts import CATALOGUE, a_contract, an_account, at

SEPTEMBER = Period(at("2027-09-01"), at("2027-10-01"))
NOON = at("2027-09-16", "12:00")


@pytest.mark.parametrize(("plan_id", "to_pay"), [("faster", 1_500_00), ("metered", -1_000_00)])
def test_rest_of_a_billed_period_is_exchanged(plan_id: str, to_pay: int) -> None:
    contract = replace(a_contract(), n=1, billed_until=SEPTEMBER.end)
    lines, _ = lines_for(
        replace(contract, n=0), an_account(), CATALOGUE, part=SEPTEMBER, plan_id="fibre"
    )
    cut = cut_of(contract, NOON, billed=SEPTEMBER)
    change = changed(
        contract,
        an_account(),
        CATALOGUE,
        plan_id=plan_id,
        price=None,
        now=NOON,
        billed=SEPTEMBER,
        credit=rest_of(lines, part=SEPTEMBER, rest=Period(cut, SEPTEMBER.end)),
    )

    assert change.rest == Period(at("2027-09-16"), at("2027-10-01"))
    assert (change.credited, change.to_pay) == (Money(1_500_00), Money(to_pay))
    assert (change.contract.plan_id, change.contract.n) == (plan_id, 1)
    assert change.served is None


def test_part_that_began_later_today_is_exchanged_from_its_beginning() -> None:
    part = Period(at("2027-09-16", "06:00"), SEPTEMBER.end)

    assert cut_of(a_contract(), NOON, billed=part) == part.start


def test_arrears_is_billed_up_to_the_change_and_goes_on_by_the_new_plan() -> None:
    change = changed(
        a_contract(Mode.ARREARS),
        an_account(),
        CATALOGUE,
        plan_id="faster",
        price=Money(5_000_00),
        now=NOON,
        billed=None,
        credit=(),
    )

    assert change.served == Period(SEPTEMBER.start, at("2027-09-16"))
    assert (change.to_pay, change.next_price) == (Money(0), Money(5_000_00))
    assert change.contract.billed_until == at("2027-09-16")


def test_arrears_that_began_today_has_served_nothing_to_bill() -> None:
    change = changed(
        a_contract(Mode.ARREARS),
        an_account(),
        CATALOGUE,
        plan_id="faster",
        price=None,
        now=at("2027-09-01", "12:00"),
        billed=None,
        credit=(),
    )

    assert change.served is None


def test_what_is_not_billed_yet_is_billed_on_the_new_plan_when_it_is_due() -> None:
    change = changed(
        a_contract(),
        an_account(),
        CATALOGUE,
        plan_id="faster",
        price=None,
        now=at("2027-08-01"),
        billed=None,
        credit=(),
    )

    assert (change.credit, change.charge, change.to_pay) == ((), (), Money(0))
    assert change.contract.bill_at == SEPTEMBER.start
