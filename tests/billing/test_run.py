"""What is due of a subscriber comes to the same in one go and day by day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.charge import Mode, Use
from billing.money import Money
from billing.period import Cycle, Period, Unit
from billing.run import (
    TURNS_MAX,
    Bill,
    Outcome,
    Turned,
    caught_up,
    cause_of,
    first_due,
    to_pay_until,
)
from tests.billing.contracts import CATALOGUE, GB, MONTH, a_contract, a_discount, an_account, at

if TYPE_CHECKING:
    from billing.charge import Contract

NEVER = at("2040-01-01")
SEPTEMBER = Period(at("2027-09-01"), at("2027-10-01"))


def shown(found: Turned) -> list[str]:
    """Bills as a reader wants them: first day, shillings, and what of them is paid."""
    return [
        f"{bill.period.start + timedelta(hours=3):%m-%d} {bill.total.minor // 100}"
        f" paid {bill.paid.minor // 100}"
        for bill in found.bills
    ]


def test_prepaid_is_paid_at_once_as_long_as_the_wallet_holds_the_price() -> None:
    found = caught_up(
        an_account(7_000), [a_contract(Mode.PREPAID)], [], CATALOGUE, upto=at("2027-12-31")
    )

    assert shown(found) == ["09-01 3000 paid 3000", "10-01 3000 paid 3000"]
    assert [turn.outcome for turn in found.turns] == [
        Outcome.BILLED,
        Outcome.BILLED,
        Outcome.LAPSED,
    ]
    last = found.last["c"].contract
    assert (last.state, last.hold, last.bill_at) == ("suspended", "unpaid", None)
    assert found.wallet == Money(1_000_00)


def test_advance_takes_what_the_wallet_holds_and_goes_on() -> None:
    found = caught_up(an_account(4_000), [a_contract()], [], CATALOGUE, upto=at("2027-10-31"))

    assert shown(found) == ["09-01 3000 paid 3000", "10-01 3000 paid 1000"]
    assert found.last["c"].contract.bill_at == at("2027-11-01")
    assert found.last["c"].served == Period(at("2027-10-01"), at("2027-11-01"))


def test_arrears_begins_without_a_bill_and_is_billed_at_the_end() -> None:
    contract = a_contract(Mode.ARREARS, plan_id="metered", state="pending")
    use = Use("c", "g", "metered", 2 * GB, 0)
    other = Use("other", "h", "metered", 9 * GB, 0)
    begun = caught_up(an_account(), [contract], [], CATALOGUE, upto=at("2027-09-01"))
    found = caught_up(
        an_account(), [begun.last["c"].contract], [use, other], CATALOGUE, upto=at("2027-11-01")
    )

    assert (begun.bills, begun.turns[0].outcome) == ((), Outcome.BEGUN)
    assert begun.turns[0].served == SEPTEMBER
    assert shown(found) == ["09-01 1020 paid 0", "10-01 1000 paid 0"]
    assert found.turns[0].charged == (use,)
    assert found.turns[0].served == Period(at("2027-10-01"), at("2027-11-01"))


def test_plan_that_is_noted_for_the_renewal_is_billed_from_then_on() -> None:
    before = a_contract(next_plan_id="faster", bespoke=Money(100_00))
    behind = replace(
        a_contract(Mode.ARREARS, name="d"), bill_at=at("2027-10-01"), next_plan_id="faster"
    )
    found = caught_up(an_account(), [before, behind], [], CATALOGUE, upto=at("2027-11-01"))

    assert [bill.total.minor // 100 for bill in found.bills] == [6_000, 6_000, 3_000, 6_000, 6_000]
    assert found.last["c"].contract.plan_id == found.last["d"].contract.plan_id == "faster"


def test_contracts_of_one_period_stand_on_one_bill_prepaid_first() -> None:
    due = [
        a_contract(Mode.ADVANCE, name="a"),
        a_contract(Mode.PREPAID, name="b", plan_id="metered"),
        a_contract(Mode.PREPAID, name="c"),
    ]
    found = caught_up(an_account(2_000), due, [], CATALOGUE, upto=at("2027-09-01"))

    assert shown(found) == ["09-01 4000 paid 2000"]
    assert [turn.contract.id for turn in found.turns] == ["b", "c", "a"]
    assert [turn.outcome for turn in found.turns] == [
        Outcome.BILLED,
        Outcome.LAPSED,
        Outcome.BILLED,
    ]


def test_discount_for_two_invoices_lowers_two() -> None:
    account = an_account(taken=(a_discount(basis_points=5_000, left=2),))
    found = caught_up(account, [a_contract()], [], CATALOGUE, upto=at("2027-11-30"))

    assert [bill.total.minor // 100 for bill in found.bills] == [1_500, 1_500, 3_000]
    assert found.lowered == ("use", "use")


def test_discount_for_one_invoice_lowers_one_of_two_that_are_due_together() -> None:
    account = an_account(taken=(a_discount(basis_points=5_000, left=1),))
    due = [a_contract(name="a"), a_contract(name="b", cycle=Cycle(Unit.MONTH, 2))]
    found = caught_up(account, due, [], CATALOGUE, upto=at("2027-09-01"))

    assert [bill.total.minor // 100 for bill in found.bills] == [1_500, 3_000]
    assert found.lowered == ("use",)


def test_discount_without_an_end_goes_on() -> None:
    account = an_account(taken=(a_discount(basis_points=5_000),))
    due = [a_contract(name="a"), a_contract(name="b")]
    found = caught_up(account, due, [], CATALOGUE, upto=at("2027-10-30"))

    assert [bill.total.minor // 100 for bill in found.bills] == [3_000, 3_000]
    assert found.lowered == ("use", "use"), "once for each invoice, whatever is on it"


def test_nothing_due_is_nothing_to_do() -> None:
    found = caught_up(an_account(), [a_contract(bill_at=NEVER)], [], CATALOGUE, upto=SEPTEMBER.end)

    assert (found.bills, found.turns) == ((), ())
    assert first_due([replace(a_contract(), bill_at=None)]) == []


def test_very_short_periods_are_caught_up_with_in_portions() -> None:
    contract = a_contract(cycle=Cycle(Unit.MINUTE))
    found = caught_up(an_account(), [contract], [], CATALOGUE, upto=NEVER)

    assert len(found.bills) == TURNS_MAX


cycles = st.sampled_from(
    [MONTH, Cycle(Unit.MONTH, anchor_day=31), Cycle(Unit.WEEK, 2), Cycle(Unit.DAY, 9)]
)
contracts = st.builds(
    a_contract,
    st.sampled_from(Mode),
    name=st.sampled_from("abcd"),
    plan_id=st.sampled_from(["fibre", "metered"]),
    cycle=cycles,
    anchor=st.sampled_from(["2027-09-01", "2027-09-17", "2027-10-31"]),
    state=st.just("pending"),
)
towns = st.lists(contracts, min_size=1, max_size=4, unique_by=lambda one: one.id)
looks = st.lists(st.integers(0, 150), max_size=6).map(sorted)


@given(towns, looks, st.integers(0, 20_000))
def test_whenever_somebody_looks_it_comes_to_the_same(
    town: list[Contract], days: list[int], shillings: int
) -> None:
    end = at("2027-09-01") + timedelta(days=150)
    account = an_account(shillings, taken=(a_discount(basis_points=777, left=3),))
    at_once = caught_up(account, town, [], CATALOGUE, upto=end, turns_max=999)
    bills = list[Bill]()
    held = {one.id: one for one in town}
    for day in (*days, 150):
        upto = at("2027-09-01") + timedelta(days=day)
        step = caught_up(account, list(held.values()), [], CATALOGUE, upto=upto, turns_max=999)
        bills += step.bills
        held |= {name: turn.contract for name, turn in step.last.items()}
        (taken,) = account.taken
        left = max(0, (taken.left or 0) - len(step.lowered))
        account = replace(account, wallet=step.wallet, taken=(replace(taken, left=left),))

    assert [(b.period, b.total, b.paid) for b in bills] == [
        (b.period, b.total, b.paid) for b in at_once.bills
    ]
    assert account.wallet == at_once.wallet
    assert all(held[name] == turn.contract for name, turn in at_once.last.items())


@pytest.mark.parametrize(
    ("paid", "now", "due"),
    [
        (3_000, "2027-09-01 00:00", "2027-09-01 00:00"),
        (0, "2027-09-01 00:00", "2027-09-08 00:00"),
        (0, "2027-09-01 17:00", "2027-09-08 00:00"),
        (0, "2027-09-20 17:00", "2027-09-27 00:00"),
    ],
)
def test_bill_is_to_be_paid_so_many_days_after_it_is_issued(paid: int, now: str, due: str) -> None:
    bill = Bill(SEPTEMBER.start, SEPTEMBER, (), Money(3_000_00), Money(paid * 100), ())

    assert to_pay_until(bill, terms_days=7, now=at(*now.split())) == at(*due.split())


def test_cause_names_the_period() -> None:
    assert cause_of(SEPTEMBER) == "period:2027-08-31T21:00:00+00:00/2027-09-30T21:00:00+00:00"
