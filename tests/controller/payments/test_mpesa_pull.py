"""The list of what came, as Daraja and its sandbox write it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from controller.payments import mpesa_pull
from controller.payments.gateway import ProviderError
from controller.payments.seen import Road, Seen
from tests.controller.payments.test_mpesa_settings import an_account
from tests.support.daraja import NOON

ROW: dict[str, Any] = {
    "transactionId": "UGE5L8M3RZ",
    "trxDate": "2026-07-14T10:15:02Z",
    "msisdn": 254700000126,
    "sender": "MPESA",
    "transactiontype": "c2b-pay-bill-debit",
    "billreference": "ISP10023",
    "amount": "1500.00",
    "organizationname": "Example ISP",
}
ABSENT = object()


def answered(response: object, **told: object) -> bytes:
    body = {"ResponseRefID": "9c71", "ResponseCode": "1000", "ResponseMessage": "Success"}
    kept = {**body, "Response": response, **told}
    return json.dumps({k: v for k, v in kept.items() if v is not ABSENT}).encode()


def page(body: bytes, status: int = 200) -> mpesa_pull.Page:
    return mpesa_pull.read_page(status, body, place="600111")


def refused(body: bytes, status: int = 200) -> ProviderError:
    with pytest.raises(ProviderError) as told:
        page(body, status)
    return told.value


def test_a_question_is_exactly_this_and_in_nairobis_time() -> None:
    body = mpesa_pull.pull_body(an_account(), NOON - timedelta(hours=14), NOON, offset=100)

    assert body == {
        "ShortCode": "600111",
        "StartDate": "2026-07-13 22:30:15",
        "EndDate": "2026-07-14 12:30:15",
        "OffSetValue": "100",
    }


def test_a_row_is_read_whole() -> None:
    assert page(answered([[ROW]])).seen == (
        Seen(
            rail="mpesa",
            receipt="UGE5L8M3RZ",
            amount=Money(150_000),
            place="600111",
            road=Road.PULL,
            at=datetime(2026, 7, 14, 7, 15, 2, tzinfo=UTC),
            reference="ISP10023",
            payer="254700000126",
            note="c2b-pay-bill-debit",
        ),
    )


@pytest.mark.parametrize(
    "response", [[[ROW]], [ROW], json.dumps([[ROW]]), [[ROW], []], [[], [ROW]]]
)
def test_rows_are_found_however_they_are_nested(response: object) -> None:
    assert [seen.receipt for seen in page(answered(response)).seen] == ["UGE5L8M3RZ"]


@pytest.mark.parametrize("response", ["[[]]", [[]], [], "[]", ABSENT, None, ""])
def test_nothing_came(response: object) -> None:
    assert page(answered(response, ResponseCode="1001")) == mpesa_pull.NO_PAGE


@pytest.mark.parametrize("response", ["[[]]", [[]], []])
def test_nothing_came_although_the_code_says_success(response: object) -> None:
    assert page(answered(response)) == mpesa_pull.NO_PAGE


def test_the_sandbox_names_it_otherwise() -> None:
    body = json.dumps({"RequestID": "feb0", "Response": [[ROW]]}).encode()

    assert len(page(body).seen) == 1


def test_none_found_may_be_told_as_an_error() -> None:
    body = {"requestId": "5f2a", "errorCode": "500.001.01", "errorMessage": "None found"}

    assert page(json.dumps(body).encode(), 500) == mpesa_pull.NO_PAGE


@pytest.mark.parametrize("amount", ["1500.00", "1500", 1500, 1500.0, "1,500.00"])
def test_an_amount_is_the_same_however_it_is_written(amount: object) -> None:
    assert page(answered([[{**ROW, "amount": amount}]])).seen[0].amount == Money(150_000)


@pytest.mark.parametrize(
    "written", ["2026-07-14T10:15:02Z", "2026-07-14 10:15:02", "2026-07-14T10:15:02+03:00"]
)
def test_its_time_is_nairobis_whatever_stands_behind_it(written: str) -> None:
    seen = page(answered([[{**ROW, "trxDate": written}]])).seen[0]

    assert seen.at == datetime(2026, 7, 14, 7, 15, 2, tzinfo=UTC)


@pytest.mark.parametrize("written", ["", None, "soon", 5, "0001-01-01T00:00:00"])
def test_an_odd_time_costs_nothing(written: object) -> None:
    seen = page(answered([[{**ROW, "trxDate": written}]])).seen

    assert [s.at for s in seen] == [None]


@pytest.mark.parametrize(
    "odd",
    [
        {**ROW, "amount": "-5"},
        {**ROW, "amount": None},
        {**ROW, "transactionId": ""},
        {**ROW, "transactiontype": "b2c-payment-debit"},
        {**ROW, "transactiontype": "Organization Settlement"},
        "x",
        None,
    ],
)
def test_what_is_no_payment_to_us_counts_as_a_row_only(odd: object) -> None:
    got = page(answered([[odd, ROW]]))

    assert (got.rows, [seen.receipt for seen in got.seen]) == (2, ["UGE5L8M3RZ"])


def test_a_payment_to_a_till_has_no_reference() -> None:
    row = {**ROW, "transactiontype": "c2b-buy-goods-debit", "billreference": None}

    assert page(answered([[row]])).seen[0].reference == ""


def test_a_large_page_is_read() -> None:
    rows = [{**ROW, "transactionId": f"UGE{i:07d}"} for i in range(2_000)]

    assert page(answered([rows])).rows == 2_000


@pytest.mark.parametrize(
    ("status", "body", "code", "again"),
    [
        (400, {"errorCode": "400.001", "errorMessage": "Invalid ShortCode"}, "400.001", False),
        (405, {"errorCode": "405.001", "errorMessage": "Method Not Allowed"}, "405.001", False),
        (500, {"errorCode": "500.003.02", "errorMessage": "System is busy."}, "500.003.02", True),
        (502, {}, "http-502", True),
        (200, {}, "unreadable", False),
        (200, {"ResponseCode": "1000"}, "unreadable", False),
        (200, {"ResponseCode": "1000", "Response": "[[", "x": 1}, "unreadable", False),
        (200, {"ResponseCode": "1000", "Response": {"a": 1}}, "unreadable", False),
        (200, {"ResponseCode": "1003", "Response": [[ROW]]}, "1003", False),
    ],
)
def test_an_answer_without_rows_is_an_error_and_not_nothing(
    status: int, body: dict[str, str], code: str, *, again: bool
) -> None:
    told = refused(json.dumps(body).encode(), status)

    assert (told.code, told.again) == (code, again)


@pytest.mark.parametrize(
    ("code", "wants"), [("405.001", True), ("404.001.04", True), ("http-405", True), ("400", False)]
)
def test_a_refused_method_is_told_from_other_refusals(code: str, *, wants: bool) -> None:
    assert mpesa_pull.wants_get(ProviderError(code, again=False)) is wants


def test_leave_to_pull_is_asked_like_this() -> None:
    body = mpesa_pull.register_pull_body(
        an_account(), nominated="254700000009", callback_url="https://pay.example.co.ke/x"
    )

    assert body == {
        "ShortCode": "600111",
        "RequestType": "Pull",
        "NominatedNumber": "254700000009",
        "CallBackURL": "https://pay.example.co.ke/x",
    }


@pytest.mark.parametrize(("status", "is_new"), [("1000", True), ("1001", False), (1000, True)])
def test_leave_to_pull_is_given_once(status: object, *, is_new: bool) -> None:
    body = json.dumps({"ResponseRefID": "feb0", "ResponseStatus": status}).encode()

    assert mpesa_pull.read_pull_registered(200, body) is is_new


@pytest.mark.parametrize("body", [{}, {"ResponseStatus": "1002"}, {"ResponseStatus": None}])
def test_leave_that_was_not_given_is_an_error(body: dict[str, object]) -> None:
    with pytest.raises(ProviderError):
        mpesa_pull.read_pull_registered(200, json.dumps(body).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
ROWS = st.lists(
    st.fixed_dictionaries({}, optional={name: st.just(v) | JSON for name, v in ROW.items()}) | JSON
)


@given(ROWS | st.lists(ROWS, max_size=3) | JSON)
def test_no_answer_breaks_the_reader(response: object) -> None:
    try:
        got = page(answered(response))
    except ProviderError:
        return

    assert got.rows >= len(got.seen)
