"""Whose money it is: what is certain, what is only likely, and why."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.ids import SubscriberId
from billing.matching import (
    POINTS_MAX,
    SUGGESTION_POINTS_MIN,
    SUGGESTIONS_MAX,
    Candidate,
    Owed,
    Told,
    Why,
    certain,
    distance,
    folded,
    is_number_of,
    normal_reference,
    phone_in,
    score,
    suggest,
)
from billing.money import Money
from billing.msisdn import Msisdn

ANNE_PHONE = Msisdn("254712345678")
BEN_PHONE = Msisdn("254722000999")


def a_candidate(
    name: str = "anne", msisdn: Msisdn = ANNE_PHONE, *, called: str = "", **more: object
) -> Candidate:
    return Candidate(SubscriberId(name), msisdn, called, **more)  # type: ignore[arg-type]


def told(reference: str = "", *, shillings: int = 1_500, payer: str = "", name: str = "") -> Told:
    return Told(Money(shillings * 100), reference, payer, name)


def why(money: Told, candidate: Candidate) -> tuple[Why, ...]:
    return score(money, candidate).reasons


ANNE = a_candidate(
    called="Anne Wanjiku Mwangi",
    owed=(Owed("INV-main-000123", Money(150_000)), Owed("INV-main-000130", Money(20_000))),
    references=("K7PQ2M9XWT4H",),
)
BEN = a_candidate("ben", BEN_PHONE, called="Ben Otieno")


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        (" inv-main-000123 ", "INVMAIN000123"),
        ("0712 345.678", "0712345678"),
        ("ＩＮＶ１", "INV1"),  # noqa: RUF001 - full-width letters, as some phones write them
        ("§ ½ é", "12"),
        ("", ""),
        ("a" * 80, "A" * 64),
    ],
)
def test_a_reference_is_compared_without_case_spaces_and_signs(typed: str, normal: str) -> None:
    assert normal_reference(typed) == normal


def test_letters_that_look_like_digits_are_folded() -> None:
    assert folded("INVO") == "1NV0"


# What was typed, and the phone in it ("-" for none).
PHONES = """
  0712345678                  254712345678
  712345678                   254712345678
  +254 712-345-678            254712345678
  O7I2345678                  254712345678
  acc O712 345 678            254712345678
  Anne 0712 345 678           254712345678
  A 1 0712345678              254712345678
  tel 254.712.345.678 thanks  254712345678
  0712345678/0712 345 678     254712345678
  0712345678 or 0722000999    -
  07123456789                 -
  120712345678                -
  INV-main-000123             -
  0212345678                  -
"""


@pytest.mark.parametrize("row", PHONES.strip().splitlines())
def test_a_phone_is_found_in_what_was_typed(row: str) -> None:
    typed, wanted = row.strip().rsplit(maxsplit=1)

    assert (phone_in(typed) or "-") == wanted


@pytest.mark.parametrize(
    "typed", ["0712345678", "+254 712 345 678", "inv main 000123", "INV-MAIN-000130"]
)
def test_an_account_or_invoice_number_names_one_subscriber_for_certain(typed: str) -> None:
    assert certain(told(typed), [BEN, ANNE]) == ANNE


@pytest.mark.parametrize(
    "typed",
    ["", "0712345679", "INV-main-000124", "INV-main-OOO123", "Anne Wanjiku", "K7PQ2M9XWT4H"],
)
def test_what_names_nobody_exactly_is_not_certain(typed: str) -> None:
    assert certain(told(typed), [ANNE, BEN]) is None


def test_what_names_two_subscribers_is_not_certain() -> None:
    twin = a_candidate("ben", BEN_PHONE, owed=(Owed("INV-MAIN-000-123", Money(1)),))

    assert certain(told("INV-main-000123"), [ANNE, twin]) is None
    assert certain(told("INV-main-000123"), [ANNE, ANNE]) == ANNE


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("0712345678", Why.ACCOUNT),
        ("inv main 000123", Why.INVOICE),
        ("k7pq-2m9x-wt4h", Why.REFERENCE),
        ("INV-main-OOO123", Why.LOOKS_ALIKE),
        ("0712345679", Why.ONE_OFF),
        ("071234567", Why.ONE_OFF),
        ("0712354678", Why.ONE_OFF),
        ("INV main 123", None),
        ("INV main 00123", Why.ONE_OFF),
        ("K7PQ2M9XWT4HXX", Why.TWO_OFF),
        ("0722345679", Why.TWO_OFF),
        ("0799999999", None),
        ("0712", None),
        ("", None),
        ("-", None),
    ],
)
def test_a_reference_speaks_for_whom_it_names_or_nearly_names(
    typed: str, reason: Why | None
) -> None:
    assert why(told(typed, shillings=1), ANNE) == (() if reason is None else (reason,))


@pytest.mark.parametrize(
    ("shillings", "reasons"), [(1_500, (Why.AMOUNT,)), (1_700, (Why.AMOUNT,)), (1_600, ())]
)
def test_an_amount_speaks_for_an_open_invoice_or_all_of_them(
    shillings: int, reasons: tuple[Why, ...]
) -> None:
    assert why(told(shillings=shillings), ANNE) == reasons


def test_an_amount_in_another_currency_speaks_for_nothing() -> None:
    owing = a_candidate(owed=(Owed("INV-main-000001", Money(100, "USD")),))

    assert why(told(shillings=1), owing) == ()


@pytest.mark.parametrize(
    ("payer_name", "typed", "reasons"),
    [
        ("WANJIKU MWANGI", "", (Why.NAMES,)),
        ("mwangi", "", (Why.NAME,)),
        ("", "anne wanjiku", (Why.NAMES,)),
        ("Ann Wanjikú", "", (Why.NAME,)),
        ("JO AN", "", ()),
        ("Peter Kamau", "", ()),
    ],
)
def test_words_of_the_name_speak_for_their_bearer(
    payer_name: str, typed: str, reasons: tuple[Why, ...]
) -> None:
    assert why(told(typed, shillings=1, name=payer_name), ANNE) == reasons


HASHED = sha256(ANNE_PHONE.encode()).hexdigest()


@pytest.mark.parametrize(
    ("payer", "reason"),
    [
        ("254712345678", Why.PAYER),
        ("0712 345 678", Why.PAYER),
        (HASHED, Why.PAYER),
        (HASHED.upper(), Why.PAYER),
        (sha256(b"254700000000").hexdigest(), None),
        ("2547 ***** 678", Why.PAYER_MASKED),
        ("25471****678", Why.PAYER_MASKED),
        ("071XXXX678", Why.PAYER_MASKED),
        ("2547 ***** 679", None),
        ("0712XXXXXX", None),
        ("25471234****2345678", None),
        ("254700000000", None),
        ("", None),
        ("  ", None),
    ],
)
def test_the_payers_number_speaks_for_the_subscriber_as_far_as_it_is_told(
    payer: str, reason: Why | None
) -> None:
    assert why(told(shillings=1, payer=payer), ANNE) == (() if reason is None else (reason,))


def test_who_paid_for_a_subscriber_before_may_do_so_again() -> None:
    known = a_candidate(payers=("254700000007", "2547 ***** 126", HASHED))

    assert why(told(payer="254700000007"), known) == (Why.PAYER,)
    assert why(told(payer="2547 ***** 126"), known) == (Why.PAYER_MASKED,)


def test_the_likeliest_comes_first_and_chance_is_not_shown() -> None:
    money = told("0712345679", name="OTIENO WANJIKU")
    nobody = a_candidate("carl", Msisdn("254733111222"), called="Carl Njoroge")
    found = suggest(money, [nobody, BEN, ANNE])

    assert [(s.candidate, s.score.reasons) for s in found] == [
        (ANNE, (Why.ONE_OFF, Why.AMOUNT, Why.NAME))
    ]
    assert found[0].score.points == 85


def test_no_more_than_a_handful_is_suggested() -> None:
    phones = [Msisdn(f"2547000000{n:02d}") for n in range(20)]
    many = [a_candidate(f"s{n:02d}", phone, called="Anne Ann") for n, phone in enumerate(phones)]
    found = suggest(told(name="ANN ANNE"), reversed(many))

    assert [s.candidate.subscriber_id for s in found] == ["s00", "s01", "s02", "s03", "s04"]
    assert len(found) == SUGGESTIONS_MAX


def test_nothing_shows_who_paid_in_a_repr() -> None:
    shown = repr(told("0712345678", payer="254712345678", name="ANNE")) + repr(ANNE)

    assert "345678" not in shown
    assert "nne" not in shown.replace("anne", "")


texts = st.text(alphabet="01IO 27-AB", max_size=14)
candidates = st.builds(
    a_candidate,
    st.uuids().map(str),
    st.from_regex(r"254[17][0-9]{8}", fullmatch=True).map(Msisdn),
    called=st.sampled_from(["", "Anne Wanjiku", "Ben Otieno"]),
    owed=st.lists(st.builds(Owed, texts, st.integers(1, 999).map(Money)), max_size=2).map(tuple),
    references=st.lists(texts, max_size=2).map(tuple),
    payers=st.lists(texts, max_size=2).map(tuple),
)
moneys = st.builds(
    Told, st.integers(1, 999).map(Money), texts, texts, st.sampled_from(["", "WANJIKU ANNE"])
)


@given(moneys, st.lists(candidates, max_size=8), st.randoms())
def test_suggestions_are_ordered_bounded_and_do_not_depend_on_who_came_first(
    money: Told, found: list[Candidate], chance: object
) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    suggested = suggest(money, found)
    points = [s.score.points for s in suggested]

    assert suggested == suggest(money, shuffled)
    assert points == sorted(points, reverse=True)
    assert all(SUGGESTION_POINTS_MIN <= p <= POINTS_MAX for p in points)
    assert len(suggested) <= SUGGESTIONS_MAX


@given(moneys, st.lists(candidates, max_size=8), st.randoms())
def test_what_is_certain_does_not_depend_on_who_came_first(
    money: Told, found: list[Candidate], chance: object
) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    assert certain(money, found) == certain(money, shuffled)


@given(candidates, st.sampled_from(["254{}", "+254 {}", "0{}", "{}"]))
def test_an_account_number_is_recognised_in_every_way_that_people_write_it(
    one: Candidate, form: str
) -> None:
    money = told(form.format(one.msisdn[3:]))

    assert certain(money, [one]) == one
    assert Why.ACCOUNT in why(money, one)


@given(st.text("01IO", max_size=7), st.text("01IO", max_size=7))
def test_slips_are_counted_the_same_from_both_sides(one: str, other: str) -> None:
    assert distance(one, other) == distance(other, one)
    assert (distance(one, other) == 0) == (one == other)


@given(st.text("01AB", min_size=1, max_size=9), st.data())
def test_one_slip_of_the_finger_counts_one(one: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(one) - 1))
    slips = {
        one[:at] + one[at + 1 :],
        one[:at] + "Z" + one[at:],
        one[:at] + "Z" + one[at + 1 :],
        one[:at] + one[at + 1 : at + 2] + one[at] + one[at + 2 :],
    } - {one}

    assert {distance(one, slip) for slip in slips} <= {1}


@pytest.mark.parametrize(
    ("told", "fits"),
    [
        ("254712345126", True),
        ("0712 345 126", True),
        ("254712345127", False),
        ("2547 ***** 126", True),
        ("25471****126", True),
        ("0712XXX126", True),
        ("2547 ***** 127", False),
        ("2541 ***** 126", False),
        (sha256(b"254712345126").hexdigest(), True),
        (sha256(b"254712345126").hexdigest().upper(), True),
        (sha256(b"254712345127").hexdigest(), False),
        (sha256(b"254712345126").hexdigest()[:62], None),
        ("0712XXXXXX", None),
        ("**********26", None),
        ("", None),
        ("WANJIKU", None),
    ],
)
def test_whether_a_payer_s_number_is_this_one_as_far_as_it_is_told(
    told: str, *, fits: bool | None
) -> None:
    assert is_number_of(told, Msisdn("254712345126")) is fits
