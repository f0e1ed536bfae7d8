"""Callbacks: by name, never by position, and nothing is paid for want of a code."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from billing.payment import Evidence, Reason
from controller.payments.gateway import CallbackUnreadable
from controller.payments.mpesa_callback import CALLBACK_BYTES_MAX, read_callback

ITEMS: list[dict[str, Any]] = [
    {"Name": "Amount", "Value": 1500},
    {"Name": "MpesaReceiptNumber", "Value": "UGE4K7T2QX"},
    {"Name": "Balance"},
    {"Name": "TransactionDate", "Value": 20260714093041},
    {"Name": "PhoneNumber", "Value": 254700000001},
]
ABSENT = object()


def items(**values: object) -> list[dict[str, Any]]:
    changed = [{**i, "Value": values[i["Name"]]} if i["Name"] in values else i for i in ITEMS]
    return [i for i in changed if i.get("Value") is not ABSENT]


def a_callback(
    *, code: object = 0, metadata: object = None, checkout_id: object = "ws_CO_1"
) -> bytes:
    body = {
        "MerchantRequestID": "6e1b-4f0a",
        "CheckoutRequestID": checkout_id,
        "ResultCode": code,
        "ResultDesc": "…",
        "CallbackMetadata": {"Item": ITEMS} if metadata is None else metadata,
    }
    kept = {name: value for name, value in body.items() if value is not ABSENT}
    return json.dumps({"Body": {"stkCallback": kept}}).encode()


def field_refused(body: bytes) -> str:
    with pytest.raises(CallbackUnreadable) as told:
        read_callback(body)
    return told.value.field


def test_a_success_is_read_whole() -> None:
    outcome = read_callback(a_callback())

    assert (outcome.evidence, outcome.provider_id, outcome.receipt, outcome.amount) == (
        Evidence.PAID,
        "ws_CO_1",
        "UGE4K7T2QX",
        Money(150_000),
    )


def test_its_time_is_nairobis() -> None:
    assert read_callback(a_callback()).paid_at == datetime(2026, 7, 14, 6, 30, 41, tzinfo=UTC)


@pytest.mark.parametrize("raw", ["1500", "1500.0", "1500.00", '"1500"', '"1,500.00"', '"1500.0"'])
def test_an_amount_is_the_same_however_it_is_written(raw: str) -> None:
    body = a_callback().replace(b'"Amount", "Value": 1500', f'"Amount", "Value": {raw}'.encode())

    assert read_callback(body).amount == Money(150_000)


def test_cents_are_kept() -> None:
    body = a_callback().replace(b'"Amount", "Value": 1500', b'"Amount", "Value": 0.29')

    assert read_callback(body).amount == Money(29)


@pytest.mark.parametrize("seed", range(12))
def test_items_may_come_in_any_order(seed: int) -> None:
    shuffled = random.Random(seed).sample(ITEMS, len(ITEMS))

    assert read_callback(a_callback(metadata={"Item": shuffled})) == read_callback(a_callback())


@pytest.mark.parametrize(
    "balance",
    [ABSENT, None, 48210, 48210.5, "{Amount={CurrencyCode=KES, BasicAmount=48210.00}}", {"a": 1}],
)
def test_the_balance_is_nobodys_business(balance: object) -> None:
    body = a_callback(metadata={"Item": items(Balance=balance)})

    assert read_callback(body).receipt == "UGE4K7T2QX"


@pytest.mark.parametrize("code", [0, "0", " 0 ", "00"])
def test_zero_is_paid_as_number_and_as_text(code: object) -> None:
    assert read_callback(a_callback(code=code)).evidence is Evidence.PAID


@pytest.mark.parametrize("code", [ABSENT, None, "", " ", False, True, [], {}, [0]])
def test_no_code_is_not_paid(code: object) -> None:
    assert field_refused(a_callback(code=code)) == "ResultCode"


@pytest.mark.parametrize("code", [1032, "1032"])
def test_a_refusal_needs_no_metadata(code: object) -> None:
    outcome = read_callback(a_callback(code=code, metadata=ABSENT))

    assert (outcome.evidence, outcome.reason) == (Evidence.REFUSED, Reason.CANCELLED)


def test_a_code_may_be_a_word() -> None:
    assert read_callback(a_callback(code="SFC_IC0003", metadata=ABSENT)).reason is Reason.OUR_SIDE


@pytest.mark.parametrize("code", [4999, 31337, "WHAT"])
def test_an_unknown_code_is_not_failed(code: object) -> None:
    assert read_callback(a_callback(code=code, metadata=ABSENT)).evidence is Evidence.STILL_OPEN


@pytest.mark.parametrize(
    "checkout_id", [ABSENT, None, "", True, "x" * 65, "a b", "ä", "\ud800", ["x"]]
)
def test_a_callback_without_its_name_is_unreadable(checkout_id: object) -> None:
    assert field_refused(a_callback(checkout_id=checkout_id)) == "CheckoutRequestID"


@pytest.mark.parametrize(
    "amount",
    [ABSENT, None, 0, -5, "0", "x", "", True, [], "1.234", "1e3", 10**30, "9" * 5000, float("nan")],
)
def test_a_success_without_a_true_amount_is_unreadable(amount: object) -> None:
    assert field_refused(a_callback(metadata={"Item": items(Amount=amount)})) == "Amount"


@pytest.mark.parametrize("receipt", [ABSENT, None, "", 12, "a b", "A" * 33, "UGE4-K7T2", "ÄÖÜÄÖÜ"])
def test_a_success_without_a_receipt_is_unreadable(receipt: object) -> None:
    body = a_callback(metadata={"Item": items(MpesaReceiptNumber=receipt)})

    assert field_refused(body) == "MpesaReceiptNumber"


def test_a_receipt_is_one_receipt_in_either_case() -> None:
    body = a_callback(metadata={"Item": items(MpesaReceiptNumber=" uge4k7t2qx ")})

    assert read_callback(body).receipt == "UGE4K7T2QX"


@pytest.mark.parametrize(
    "moment", [ABSENT, None, "", "soon", 20261399999999, 1, {}, "00000000000000"]
)
def test_an_odd_time_costs_nothing(moment: object) -> None:
    outcome = read_callback(a_callback(metadata={"Item": items(TransactionDate=moment)}))

    assert (outcome.evidence, outcome.paid_at) == (Evidence.PAID, None)


def test_a_foreign_shortcode_is_told_to_whoever_compares() -> None:
    told = [*ITEMS, {"Name": "BusinessShortCode", "Value": 999999}]

    assert read_callback(a_callback(metadata={"Item": told})).shortcode == "999999"


def test_one_name_with_two_values_is_unreadable() -> None:
    twice = [*ITEMS, {"Name": "Amount", "Value": 1}]

    assert field_refused(a_callback(metadata={"Item": twice})) == "CallbackMetadata.Item"


@pytest.mark.parametrize(
    "metadata",
    [ABSENT, [], "x", {}, {"Item": {}}, {"Item": ["x"]}, {"Item": [{}]}, {"Item": ITEMS * 11}],
)
def test_odd_metadata_is_named(metadata: object) -> None:
    assert field_refused(a_callback(metadata=metadata)).startswith("CallbackMetadata")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"\xff\xfe", "body"),
        (b"[" * 50_000, "body"),
        (b'{"a":' * 12_000, "body"),
        (b" " * (CALLBACK_BYTES_MAX + 1), "body"),
        (b"{}", "Body"),
        (b'{"Body": []}', "Body"),
        (b'{"Body": {"stkCallback": null}}', "Body.stkCallback"),
    ],
)
def test_what_is_no_callback_is_named(body: bytes, field: str) -> None:
    assert field_refused(body) == field


@pytest.mark.parametrize("cut", range(0, len(a_callback()) - 1, 7))
def test_a_callback_cut_anywhere_is_unreadable(cut: int) -> None:
    with pytest.raises(CallbackUnreadable):
        read_callback(a_callback()[:cut])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ITEM = st.fixed_dictionaries(
    {}, optional={"Name": st.sampled_from([i["Name"] for i in ITEMS]) | JSON, "Value": JSON}
)
CALLBACKS = st.fixed_dictionaries(
    {},
    optional={
        "CheckoutRequestID": st.just("ws_CO_1") | JSON,
        "ResultCode": st.sampled_from([0, "0", 1032]) | JSON,
        "CallbackMetadata": st.fixed_dictionaries({}, optional={"Item": st.lists(ITEM) | JSON})
        | JSON,
    },
).map(lambda inner: json.dumps({"Body": {"stkCallback": inner}}).encode())


@given(CALLBACKS | JSON.map(lambda v: json.dumps(v).encode()) | st.binary())
def test_nothing_that_can_be_posted_breaks_the_reader(body: bytes) -> None:
    try:
        outcome = read_callback(body)
    except CallbackUnreadable:
        return

    assert outcome.evidence is not Evidence.PAID or (outcome.receipt and outcome.amount)
