"""Results: keys that repeat, values that miss, codes in two types, receipts that are none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from billing.payment import Evidence
from controller.payments.gateway import CallbackUnreadable, RefundOutcome
from controller.payments.mpesa_result import (
    RatibaOutcome,
    Result,
    read_balances,
    read_ratiba,
    read_refund,
    read_result,
    read_status,
    status_evidence,
)
from controller.payments.seen import Road, Seen

AG = "AG_20260714_20100e1d2c3b4a596877"
ABSENT = object()
REVERSED = [
    ("DebitAccountBalance", "Utility Account|KES|7722.62|7722.62|0.00|0.00"),
    ("Amount", 100.00),
    ("TransCompletedTime", 20260714132711),
    ("OriginalTransactionID", "UGE5L8M3RZ"),
    ("Charge", 0.00),
    ("CreditPartyPublicName", "254700000126 - WANJIKU"),
    ("DebitPartyPublicName", "600111 - EXAMPLE ISP"),
]
STATUS = [
    ("DebitPartyName", "254700000126 - WANJIKU KAMAU"),
    ("CreditPartyName", "600111 - EXAMPLE ISP"),
    ("OriginatorConversationID", "7071-4170-a0e5"),
    ("InitiatedTime", 20260714101500),
    ("DebitAccountType", "MMF Account For Customer"),
    ("DebitPartyCharges", "Fee For Pay Bill|KES|22.40"),
    ("TransactionReason", ABSENT),
    ("ReasonType", "Pay Bill Online"),
    ("TransactionStatus", "Completed"),
    ("FinalisedTime", 20260714101502),
    ("Amount", "300"),
    ("ConversationID", "AG_20260714_00000000000000000001"),
    ("ReceiptNo", "UGE5L8M3RZ"),
]
BALANCE = (
    "Working Account|KES|700.00|700.00|0.00|0.00&Utility Account|KES|228.00|228.00|0.00|0.00"
    "&Charges Paid Account|KES|-15.00|-15.00|0.00|0.00"
)


def parameters(pairs: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [{"Key": k} if v is ABSENT else {"Key": k, "Value": v} for k, v in pairs]


def a_result(pairs: list[tuple[str, Any]] | None = None, **changed: object) -> bytes:
    body: dict[str, object] = {
        "ResultType": 0,
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "OriginatorConversationID": "515-5258779-3",
        "ConversationID": AG,
        "TransactionID": "UGE9P2Q4RT",
        "ReferenceData": {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": "https://…"}},
    }
    if pairs is not None:
        body["ResultParameters"] = {"ResultParameter": parameters(pairs)}
    kept = {k: v for k, v in {**body, **changed}.items() if v is not ABSENT}
    return json.dumps({"Result": kept}).encode()


def result(pairs: list[tuple[str, Any]] | None = None, **changed: object) -> Result:
    return read_result(a_result(pairs, **changed))


def with_(pairs: list[tuple[str, Any]], **changed: object) -> list[tuple[str, Any]]:
    return [(key, changed.get(key, value)) for key, value in pairs]


def field_refused(body: bytes) -> str:
    with pytest.raises(CallbackUnreadable) as told:
        read_result(body)
    return told.value.field


def test_a_result_is_read_whole() -> None:
    told = result(REVERSED[:2])

    assert told == Result(
        AG,
        "515-5258779-3",
        "0",
        Evidence.PAID,
        "UGE9P2Q4RT",
        (("DebitAccountBalance", str(REVERSED[0][1])), ("Amount", "100.0")),
    )


@pytest.mark.parametrize("code", [0, "0", " 0", "00"])
def test_done_is_done_as_number_and_as_text(code: object) -> None:
    assert result(ResultCode=code, ResultType="0").evidence is Evidence.PAID


@pytest.mark.parametrize("kind", [1, "1", None, "", True])
def test_a_result_of_another_type_is_not_done(kind: object) -> None:
    told = result(ResultType=kind)

    assert (told.evidence, told.receipt) == (Evidence.STILL_OPEN, None)


def test_what_waited_too_long_in_the_queue_was_not_done() -> None:
    told = result(ResultType=1, ResultCode=26, TransactionID="")

    assert read_refund(told) == RefundOutcome(Evidence.REFUSED, "26", AG)


@pytest.mark.parametrize("code", [ABSENT, None, "", True, [], {}])
def test_no_code_is_not_done(code: object) -> None:
    assert field_refused(a_result(ResultCode=code)) == "ResultCode"


@pytest.mark.parametrize("name", [ABSENT, None, "", "a b", "x" * 65, ["x"]])
def test_a_result_without_its_name_is_unreadable(name: object) -> None:
    assert field_refused(a_result(ConversationID=name)) == "ConversationID"


def test_a_result_may_lack_our_name_for_it() -> None:
    assert result(OriginatorConversationID=ABSENT).originator_id == ""


@pytest.mark.parametrize("parameters", [ABSENT, None, "", {}, {"ResultParameter": None}])
def test_a_failed_one_has_no_parameters(parameters: object) -> None:
    told = result(ResultCode=21, TransactionID="UGE0000000", ResultParameters=parameters)

    assert (told.evidence, told.receipt, told.pairs) == (Evidence.REFUSED, None, ())


@pytest.mark.parametrize("receipt", ["UGE0000000", "0000000000", "", None, "a b", ABSENT])
def test_a_receipt_that_is_none_is_never_kept(receipt: object) -> None:
    assert result(TransactionID=receipt).receipt is None


def test_a_failed_ones_number_is_no_receipt() -> None:
    assert result(ResultCode=1).receipt is None


def test_one_parameter_may_stand_alone() -> None:
    alone = {"ResultParameter": {"Key": "BOCompletedTime", "Value": 20260714132711}}

    assert result(ResultParameters=alone).pairs == (("BOCompletedTime", "20260714132711"),)


def test_a_key_may_repeat_and_a_value_may_miss() -> None:
    told = result([("DebitPartyName", "a"), ("TransactionReason", ABSENT), ("DebitPartyName", "b")])

    assert told.pairs == (("DebitPartyName", "a"), ("DebitPartyName", "b"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"{}", "Result"),
        (b'{"Result": []}', "Result"),
        (a_result(ResultParameters=[]), "ResultParameters"),
        (a_result(ResultParameters={"ResultParameter": ["x"]}), "ResultParameter"),
        (a_result(ResultParameters={"ResultParameter": [{}]}), "ResultParameter.Key"),
        (a_result([("x", "y")] * 101), "ResultParameter"),
    ],
)
def test_what_is_no_result_is_named(body: bytes, field: str) -> None:
    assert field_refused(body) == field


CODES = """
0        paid
R000001  paid
R000002  refused
1        refused
8        refused
11       refused
21       refused
2001     refused
2040     refused
8006     refused
SFC_IC0003  refused
15       still_open
17       still_open
31337    still_open
"""


@pytest.mark.parametrize("line", CODES.split("\n")[1:-1])
def test_a_refund_is_over_only_where_the_code_says_so(line: str) -> None:
    code, evidence = line.split()

    assert read_refund(result(ResultCode=code)).evidence is Evidence(evidence)


def test_money_that_was_reversed_has_a_number_of_its_own() -> None:
    assert read_refund(result(REVERSED)) == RefundOutcome(Evidence.PAID, "0", AG, "UGE9P2Q4RT")


def test_a_payout_may_tell_its_number_among_the_parameters_only() -> None:
    pairs = [("TransactionAmount", 10), ("TransactionReceipt", "UGE7T7T7T7")]

    assert read_refund(result(pairs, TransactionID="UGE0000000")).receipt == "UGE7T7T7T7"


def test_what_was_reversed_already_is_done_and_has_no_number_here() -> None:
    told = read_refund(result(ResultCode="R000001", TransactionID="UGE0000000"))

    assert (told.evidence, told.receipt) == (Evidence.PAID, None)


@pytest.mark.parametrize(
    ("word", "evidence", "receipt"),
    [
        ("Completed", Evidence.PAID, "UGE5L8M3RZ"),
        ("Cancelled", Evidence.REFUSED, None),
        ("Declined", Evidence.REFUSED, None),
        ("Expired", Evidence.REFUSED, None),
        ("Initiated", Evidence.STILL_OPEN, None),
        ("Pending Authorized", Evidence.STILL_OPEN, None),
        ("Whatever", Evidence.STILL_OPEN, None),
    ],
)
def test_a_refund_that_was_asked_after_is_what_its_status_says(
    word: str, evidence: Evidence, receipt: str | None
) -> None:
    told = read_refund(result(with_(STATUS, TransactionStatus=word)))

    assert told == RefundOutcome(evidence, "0", None, receipt)


def test_a_status_that_is_complete_is_money_seen() -> None:
    assert read_status(result(STATUS)) == Seen(
        rail="mpesa",
        receipt="UGE5L8M3RZ",
        amount=Money(30_000),
        place="600111",
        road=Road.STATUS,
        at=datetime(2026, 7, 14, 7, 15, 2, tzinfo=UTC),
        payer="254700000126",
        payer_name="WANJIKU KAMAU",
    )


def test_the_second_debit_party_is_really_who_was_paid() -> None:
    pairs = [(("DebitPartyName" if k == "CreditPartyName" else k), v) for k, v in STATUS]
    seen = read_status(result(pairs))

    assert seen is not None
    assert (seen.place, seen.payer) == ("600111", "254700000126")


@pytest.mark.parametrize(
    "changed",
    [
        {"CreditPartyName": "254700000126 - WANJIKU", "DebitPartyName": "600111 - EXAMPLE ISP"},
        {"CreditPartyName": "2547****126 - WANJIKU"},
        {"CreditPartyName": "EXAMPLE ISP"},
        {"CreditPartyName": ABSENT},
        {"TransactionStatus": "Pending Authorized"},
        {"TransactionStatus": "Declined"},
        {"TransactionStatus": ABSENT},
    ],
)
def test_a_payout_or_an_unfinished_one_is_never_money_that_came(changed: dict[str, Any]) -> None:
    assert read_status(result(with_(STATUS, **changed))) is None


def test_a_question_that_failed_says_nothing_of_the_payment() -> None:
    told = result(ResultCode=2001)

    assert read_status(told) is None
    assert status_evidence(told) is Evidence.STILL_OPEN


@pytest.mark.parametrize(
    ("name", "value"), [("ReceiptNo", ""), ("ReceiptNo", ABSENT), ("Amount", "0"), ("Amount", "x")]
)
def test_money_that_is_half_told_is_unreadable(name: str, value: object) -> None:
    told = result(with_(STATUS, **{name: value}))
    with pytest.raises(CallbackUnreadable) as error:
        read_status(told)

    assert error.value.field == name


def test_a_masked_payer_is_kept_as_told() -> None:
    seen = read_status(result(with_(STATUS, DebitPartyName="2547****126 - WANJIKU")))

    assert seen is not None
    assert (seen.payer, seen.payer_name) == ("2547****126", "WANJIKU")


def test_balances_are_read_by_account() -> None:
    told = result([("AccountBalance", BALANCE), ("BOCompletedTime", 20260714132711)])

    assert dict(read_balances(told)) == {
        "Working Account": Money(70_000),
        "Utility Account": Money(22_800),
        "Charges Paid Account": Money(-1_500),
    }


@pytest.mark.parametrize(
    "text", [ABSENT, "", "Working Account", "Working Account|KES|x|", "a|USD|5"]
)
def test_a_balance_that_is_none_is_named(text: object) -> None:
    told = result([("AccountBalance", text)])
    with pytest.raises(CallbackUnreadable) as error:
        read_balances(told)

    assert error.value.field == "AccountBalance"


AGREED = {
    "responseHeader": {
        "responseRefID": "4dd9b5d9",
        "requestRefID": "4dd9b5d9",
        "responseCode": "0",
        "responseDescription": "The service request is processed successfully",
    },
    "responseBody": {
        "responseData": [
            {"name": "TransactionID", "value": "UGE5L8M3RZ"},
            {"name": "responseCode", "value": "0"},
            {"name": "Status", "value": "OKAY"},
            {"name": "Msisdn", "value": "254******126"},
        ]
    },
}
REFUSED = {
    "ResponseHeader": {
        "responseRefID": "0acc0239",
        "responseCode": "1037",
        "responseDescription": "[STK_CB - ]DS timeout",
    },
    "ResponseBody": {
        "ResponseData": [
            {"Name": "TransactionID", "Value": "0000000000"},
            {"Name": "responseCode", "Value": "1037"},
            {"Name": "Status", "Value": "ERROR"},
            {"Name": "Msisdn", "Value": "254******126"},
        ]
    },
}


def ratiba(told: object) -> RatibaOutcome:
    return read_ratiba(json.dumps(told).encode())


def test_a_standing_order_is_agreed_to() -> None:
    assert ratiba(AGREED) == RatibaOutcome("4dd9b5d9", accepted=True, code="0")


def test_a_standing_order_is_refused_in_other_letters() -> None:
    assert ratiba(REFUSED) == RatibaOutcome("0acc0239", accepted=False, code="1037")


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title])
def test_keys_are_the_same_in_any_case(change: Any) -> None:
    def changed(told: Any) -> Any:
        if isinstance(told, dict):
            return {change(k): changed(v) for k, v in told.items()}
        return [changed(v) for v in told] if isinstance(told, list) else told

    assert ratiba(changed(AGREED)) == ratiba(AGREED)


def test_an_error_with_a_good_code_is_no_agreement() -> None:
    body = {"responseData": [{"name": "Status", "value": "ERROR"}]}

    assert ratiba({**AGREED, "responseBody": body}).accepted is False


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({}, "responseHeader"),
        ({"responseHeader": {}, "responseBody": {}}, "responseRefID"),
        ({"responseHeader": {"responseRefID": "x"}}, "responseBody"),
        ({"responseHeader": {"responseRefID": "x"}, "responseBody": {}}, "responseCode"),
        ({**AGREED, "responseBody": {"responseData": ["x"]}}, "responseData"),
        ({**AGREED, "responseBody": {}}, "responseData"),
        (
            {**AGREED, "responseBody": {"responseData": [{"name": "Status", "value": "OK"}]}},
            "responseData",
        ),
    ],
)
def test_what_is_no_agreement_is_named(told: object, field: str) -> None:
    with pytest.raises(CallbackUnreadable) as error:
        ratiba(told)

    assert error.value.field == field


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
PAIR = st.fixed_dictionaries(
    {},
    optional={
        "Key": st.sampled_from([k for k, _ in STATUS] + ["AccountBalance"]) | JSON,
        "Value": st.sampled_from(["Completed", "600111 - A", "UGE5L8M3RZ", "5"]) | JSON,
    },
)
RESULTS = st.fixed_dictionaries(
    {},
    optional={
        "ConversationID": st.just(AG) | JSON,
        "ResultCode": st.sampled_from([0, "0", "R000001", 21]) | JSON,
        "TransactionID": st.just("UGE5L8M3RZ") | JSON,
        "ResultParameters": st.fixed_dictionaries(
            {}, optional={"ResultParameter": st.lists(PAIR) | PAIR | JSON}
        )
        | JSON,
    },
).map(lambda inner: json.dumps({"Result": inner}).encode())


@given(RESULTS | JSON.map(lambda v: json.dumps(v).encode()) | st.binary())
def test_nothing_that_can_be_posted_breaks_the_readers(body: bytes) -> None:
    for read in (
        lambda: read_refund(read_result(body)),
        lambda: read_status(read_result(body)),
        lambda: read_balances(read_result(body)),
        lambda: read_ratiba(body),
    ):
        try:
            read()
        except CallbackUnreadable:
            continue
