"""What promotions take off and give away, and to whom."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import CurrencyMismatch, InvalidField
from billing.money import Money
from billing.promo import (
    AMOUNT_MAX_MINOR,
    EVERY_MAX,
    PERIODS_MAX,
    USES_MAX,
    Coupon,
    Discount,
    Loyalty,
    Referral,
    Terms,
    applies,
    check_terms,
    discount_of,
    normal_code,
    read_terms,
    reward_of,
    terms_text,
)
from billing.scope import LISTED_MAX, Scope
from billing.tax import WHOLE

NOON = datetime(2026, 11, 26, 9, tzinfo=UTC)
HALF = Discount(basis_points=5_000)

amounts = st.integers(1, AMOUNT_MAX_MINOR).map(Money)
names = st.lists(st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True), max_size=4, unique=True)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone
scopes = st.builds(
    Scope,
    names.map(tuple),
    names.map(tuple),
    names.map(tuple),
    from_at=st.none() | instants.map(lambda at: at - timedelta(days=9_000)),
    until_at=st.none() | instants,
)
shares = st.integers(1, WHOLE)
periods = st.none() | st.integers(1, PERIODS_MAX)
discounts = st.one_of(
    st.builds(Discount, basis_points=shares, periods=periods, scope=scopes),
    st.builds(Discount, amount=amounts, periods=periods, scope=scopes),
)
codes = st.from_regex(r"[A-Z0-9]{3,20}", fullmatch=True)
terms = st.one_of(
    discounts,
    st.builds(Coupon, codes, discounts, st.none() | st.integers(1, USES_MAX)),
    st.builds(Referral, amounts, amounts),
    st.builds(Loyalty, st.integers(1, EVERY_MAX), amounts, scope=scopes),
    st.builds(Loyalty, basis_points=shares, scope=scopes),
)


@given(terms)
def test_terms_are_read_as_they_were_written(kept: Terms) -> None:
    assert read_terms(terms_text(check_terms(kept))) == kept


@pytest.mark.parametrize(
    ("kept", "written"),
    [
        (
            Coupon("KARIBU", Discount(amount=Money(20_000), periods=3), uses_max=50),
            (
                '{"code":"KARIBU","discount":{"amount":{"currency":"KES","minor":20000},'
                '"basis_points":null,"periods":3,"scope":{"branches":[],"from_at":null,'
                '"plans":[],"segments":[],"until_at":null}},"kind":"coupon","uses_max":50}'
            ),
        ),
        (
            Discount(basis_points=500, scope=Scope(plans=("home",), from_at=NOON)),
            (
                '{"amount":null,"basis_points":500,"kind":"discount","periods":null,"scope":'
                '{"branches":[],"from_at":"2026-11-26T09:00:00+00:00","plans":["home"],'
                '"segments":[],"until_at":null}}'
            ),
        ),
        (
            Referral(Money(10_000), Money(5_000)),
            (
                '{"kind":"referral","referred":{"currency":"KES","minor":5000},'
                '"referrer":{"currency":"KES","minor":10000}}'
            ),
        ),
        (
            Loyalty(every_invoices=5, reward=Money(10_000)),
            (
                '{"basis_points":null,"every_invoices":5,"kind":"loyalty",'
                '"reward":{"currency":"KES","minor":10000},"scope":{"branches":[],'
                '"from_at":null,"plans":[],"segments":[],"until_at":null}}'
            ),
        ),
    ],
)
def test_terms_are_kept_like_this(kept: Terms, written: str) -> None:
    assert terms_text(kept) == written
    assert read_terms(written) == kept


@given(discounts, st.integers(0, 10**12).map(Money))
def test_a_discount_is_never_more_than_the_amount(discount: Discount, amount: Money) -> None:
    assert Money(0) <= discount_of(discount, amount) <= amount


@pytest.mark.parametrize(
    ("discount", "minor", "off"),
    [
        (HALF, 150_000, 75_000),
        (HALF, 1, 1),
        (HALF, 3, 2),
        (HALF, 0, 0),
        (Discount(basis_points=3_333), 100, 33),
        (Discount(basis_points=WHOLE), 150_000, 150_000),
        (Discount(amount=Money(20_000)), 150_000, 20_000),
        (Discount(amount=Money(20_000)), 20_000, 20_000),
        (Discount(amount=Money(20_000)), 19_999, 19_999),
    ],
)
def test_a_discount_takes_off(discount: Discount, minor: int, off: int) -> None:
    coupon = Coupon("KARIBU", discount)

    assert discount_of(discount, Money(minor)) == discount_of(coupon, Money(minor)) == Money(off)


def test_nothing_is_taken_off_a_negative_amount() -> None:
    with pytest.raises(InvalidField, match="amount"):
        discount_of(HALF, Money(-1))


def test_a_discount_in_shillings_is_for_shillings() -> None:
    with pytest.raises(CurrencyMismatch):
        discount_of(Discount(amount=Money(100)), Money(100, "USD"))


SCOPE = Scope(
    plans=("home",),
    segments=("business", "enterprise"),
    branches=("ruiru",),
    from_at=NOON,
    until_at=NOON + timedelta(days=30),
)

# Whether that scope is for this plan, segment and branch so many seconds after noon.
SCOPED = """
  plan    segment      branch  seconds
  home    business     ruiru   0        yes
  home    enterprise   ruiru   2591999  yes
  office  business     ruiru   0        no
  home    residential  ruiru   0        no
  home    business     main    0        no
  home    business     ruiru   -1       no
  home    business     ruiru   2592000  no
"""


@pytest.mark.parametrize("row", SCOPED.strip().splitlines()[1:])
@pytest.mark.parametrize(
    "kept",
    [
        replace(HALF, scope=SCOPE),
        Coupon("KARIBU", replace(HALF, scope=SCOPE)),
        Loyalty(basis_points=100, scope=SCOPE),
    ],
)
def test_a_promotion_is_for_whom_it_says(row: str, kept: Terms) -> None:
    plan, segment, branch, seconds, expected = row.split()
    at = NOON + timedelta(seconds=int(seconds))
    found = applies(kept, plan_id=plan, segment=segment, branch_id=branch, at=at)

    assert found == (expected == "yes")


@pytest.mark.parametrize("kept", [HALF, Referral(Money(1), Money(1))])
def test_a_promotion_that_names_nobody_is_for_everybody(kept: Terms) -> None:
    assert applies(kept, plan_id="home", segment="", branch_id="main", at=NOON)


@pytest.mark.parametrize(
    ("paid_invoices", "minor"), [(0, 0), (1, 0), (4, 0), (5, 10_000), (6, 0), (10, 10_000)]
)
def test_every_fifth_paid_invoice_is_rewarded(paid_invoices: int, minor: int) -> None:
    fifth = Loyalty(every_invoices=5, reward=Money(10_000))

    assert reward_of(fifth, paid_invoices=paid_invoices, paid=Money(150_000)) == Money(minor)


@pytest.mark.parametrize(("paid", "minor"), [(150_000, 3_000), (25, 1), (24, 0), (0, 0)])
def test_a_share_of_what_is_paid_comes_back(paid: int, minor: int) -> None:
    assert reward_of(Loyalty(basis_points=200), paid_invoices=3, paid=Money(paid)) == Money(minor)


def test_nothing_comes_back_for_less_than_nothing() -> None:
    with pytest.raises(InvalidField, match="paid"):
        reward_of(Loyalty(basis_points=200), paid_invoices=3, paid=Money(-1))


@pytest.mark.parametrize("typed", ["KARIBU20", "karibu20", " Karibu-20 ", "KAR IBU 20"])
def test_a_coupon_code_is_read_as_people_type_it(typed: str) -> None:
    assert normal_code(typed) == "KARIBU20"


@pytest.mark.parametrize("typed", ["", "AB", "A" * 21, "KARIBU_20", "KARIBU20!", "KARIBÜ", "- -"])
def test_what_is_no_coupon_code_is_refused(typed: str) -> None:
    with pytest.raises(InvalidField, match="code"):
        normal_code(typed)


SHILLING = Money(100)


@pytest.mark.parametrize(
    ("kept", "field"),
    [
        (Discount(), "amount"),
        (Discount(basis_points=1, amount=SHILLING), "amount"),
        (Discount(basis_points=0), "basis_points"),
        (Discount(basis_points=-1), "basis_points"),
        (Discount(basis_points=WHOLE + 1), "basis_points"),
        (Discount(amount=Money(0)), "amount"),
        (Discount(amount=Money(-1)), "amount"),
        (Discount(amount=Money(25_000_001)), "amount"),
        (replace(HALF, periods=0), "periods"),
        (replace(HALF, periods=PERIODS_MAX + 1), "periods"),
        (replace(HALF, scope=Scope(plans=("Home",))), "scope.plans"),
        (replace(HALF, scope=Scope(plans=("home", "home"))), "scope.plans"),
        (
            replace(HALF, scope=Scope(plans=tuple(f"p{n}" for n in range(LISTED_MAX + 1)))),
            "scope.plans",
        ),
        (replace(HALF, scope=Scope(segments=("",))), "scope.segments"),
        (replace(HALF, scope=Scope(branches=("b" * 33,))), "scope.branches"),
        (replace(HALF, scope=Scope(from_at=NOON, until_at=NOON)), "scope.until_at"),
        (replace(HALF, scope=Scope(from_at=NOON.replace(tzinfo=None))), "scope.from_at"),
        (replace(HALF, scope=Scope(until_at=NOON.replace(tzinfo=None))), "scope.until_at"),
        (Coupon("karibu", HALF), "code"),
        (Coupon("KARIBU", HALF, uses_max=0), "uses_max"),
        (Coupon("KARIBU", HALF, uses_max=USES_MAX + 1), "uses_max"),
        (Coupon("KARIBU", Discount()), "amount"),
        (Referral(Money(0), Money(0)), "referrer"),
        (Referral(Money(-1), SHILLING), "referrer"),
        (Referral(SHILLING, Money(25_000_001)), "referred"),
        (Referral(SHILLING, Money(100, "USD")), "referred"),
        (Loyalty(), "reward"),
        (Loyalty(every_invoices=5, reward=SHILLING, basis_points=1), "reward"),
        (Loyalty(reward=SHILLING), "every_invoices"),
        (Loyalty(basis_points=1, every_invoices=5), "every_invoices"),
        (Loyalty(every_invoices=0, reward=SHILLING), "every_invoices"),
        (Loyalty(every_invoices=EVERY_MAX + 1, reward=SHILLING), "every_invoices"),
        (Loyalty(every_invoices=5, reward=Money(0)), "reward"),
        (Loyalty(basis_points=WHOLE + 1), "basis_points"),
        (Loyalty(basis_points=1, scope=Scope(plans=("Home",))), "scope.plans"),
    ],
)
def test_terms_that_cannot_be_are_refused(kept: Terms, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        check_terms(kept)

    assert refused.value.field == field


@pytest.mark.parametrize("kept", [Referral(SHILLING, Money(0)), Referral(Money(0), SHILLING)])
def test_a_referral_may_reward_one_of_the_two(kept: Referral) -> None:
    assert check_terms(kept) is kept


def test_a_discount_may_be_a_quarter_of_a_million_shillings() -> None:
    kept = Discount(amount=Money(25_000_000))

    assert check_terms(kept) is kept


def text(**fields: Any) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("written", "field"),
    [
        (text(), "terms.kind"),
        (text(kind="gift"), "terms.kind"),
        (text(kind=["discount"]), "terms.kind"),
        (text(kind="discount", percent=5), "terms.percent"),
        (text(kind="discount", basis_points="5"), "terms.basis_points"),
        (text(kind="discount", basis_points=0), "basis_points"),
        (text(kind="discount", amount=5), "terms.amount"),
        (text(kind="discount", basis_points=1, scope=[]), "terms.scope"),
        (text(kind="discount", basis_points=1, scope={"sites": []}), "terms.scope.sites"),
        (text(kind="coupon", code="KARIBU"), "terms.discount"),
        (text(kind="coupon", discount={}), "terms.code"),
        (text(kind="coupon", code="KARIBU", discount={"off": 1}), "terms.discount.off"),
        (text(kind="coupon", code="KARIBU", discount={}, uses=1), "terms.uses"),
        (text(kind="referral", referrer=None), "terms.referrer"),
        (text(kind="referral", both=1), "terms.both"),
        (text(kind="loyalty", points=1), "terms.points"),
        (text(kind="loyalty"), "reward"),
    ],
)
def test_a_text_that_is_no_promotion_is_refused(written: str, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        read_terms(written)

    assert refused.value.field == field
