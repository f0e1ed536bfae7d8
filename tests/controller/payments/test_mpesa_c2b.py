"""Money from the payer's own menu: what is told of it, and what is answered."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from controller.payments.gateway import CallbackUnreadable, ProviderError
from controller.payments.mpesa_c2b import (
    C2bRefusal,
    Registered,
    read_confirmation,
    read_registered,
    register_body,
    register_path,
    validation_answer,
)
from controller.payments.seen import Road, Seen
from tests.controller.payments.test_mpesa_settings import an_account

TOLD = {
    "TransactionType": "Pay Bill",
    "TransID": "UGE5L8M3RZ",
    "TransTime": "20260714101502",
    "TransAmount": "1500.00",
    "BusinessShortCode": "600111",
    "BillRefNumber": "ISP10023",
    "InvoiceNumber": "",
    "OrgAccountBalance": "48210.00",
    "ThirdPartyTransID": "",
    "MSISDN": "2547 ***** 126",
    "FirstName": "WANJIKU",
    "MiddleName": "",
    "LastName": "",
}


def a_confirmation(**changed: object) -> bytes:
    return json.dumps({**TOLD, **changed}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in TOLD.items() if key != name}).encode()


def field_refused(body: bytes) -> str:
    with pytest.raises(CallbackUnreadable) as told:
        read_confirmation(body)
    return told.value.field


def test_a_confirmation_is_read_whole() -> None:
    assert read_confirmation(a_confirmation()) == Seen(
        rail="mpesa",
        receipt="UGE5L8M3RZ",
        amount=Money(150_000),
        place="600111",
        road=Road.CONFIRMATION,
        at=datetime(2026, 7, 14, 7, 15, 2, tzinfo=UTC),
        reference="ISP10023",
        payer="2547 ***** 126",
        payer_name="WANJIKU",
        note="Pay Bill",
    )


@pytest.mark.parametrize(
    ("text", "minor"), [("10", 1_000), ("5.00", 500), ("1,250.00", 125_000), (7, 700), (7.5, 750)]
)
def test_an_amount_is_the_same_however_it_is_written(text: object, minor: int) -> None:
    assert read_confirmation(a_confirmation(TransAmount=text)).amount == Money(minor)


HASHED = hashlib.sha256(b"254700000126").hexdigest()
PAYERS = ["2547 ***** 126", "25470****149", "254700000126", "0722XXXXXX", "a" * 62, HASHED]


@pytest.mark.parametrize("number", [*PAYERS, 254700000126])
def test_a_payer_is_kept_as_told(number: object) -> None:
    assert read_confirmation(a_confirmation(MSISDN=number)).payer == str(number)


@pytest.mark.parametrize("nothing", ["", None])
def test_a_payer_without_number_and_names_has_paid_all_the_same(nothing: object) -> None:
    seen = read_confirmation(
        a_confirmation(MSISDN=nothing, FirstName=nothing, MiddleName=nothing, LastName=nothing)
    )

    assert (seen.payer, seen.payer_name, seen.amount) == ("", "", Money(150_000))


def test_names_stand_in_their_order() -> None:
    seen = read_confirmation(a_confirmation(MiddleName=" N. ", LastName="KAMAU"))

    assert seen.payer_name == "WANJIKU N. KAMAU"


@pytest.mark.parametrize("typed", ["isp 100-23", " Isp10O23 ", "ISP10023", "Ünde fined €"])
def test_a_reference_is_kept_as_typed(typed: str) -> None:
    assert read_confirmation(a_confirmation(BillRefNumber=typed)).reference == typed


@pytest.mark.parametrize("typed", [None, "", {}, ["ISP10023"], True])
def test_a_till_has_no_reference(typed: object) -> None:
    seen = read_confirmation(a_confirmation(TransactionType="Buy Goods", BillRefNumber=typed))

    assert (seen.reference, seen.note) == ("", "Buy Goods")


def test_a_reference_loses_what_no_database_keeps() -> None:
    seen = read_confirmation(a_confirmation(BillRefNumber="IS\x00P\ud80010\n023" + "9" * 80))

    assert seen.reference == ("ISP10023" + "9" * 80)[:64]


def test_a_payment_shows_neither_payer_nor_reference_in_a_log() -> None:
    shown = repr(read_confirmation(a_confirmation(MSISDN="254700000126")))

    assert not [s for s in ("254700000126", "WANJIKU", "ISP10023") if s in shown]


@pytest.mark.parametrize("name", ["TransID", "TransAmount", "BusinessShortCode"])
def test_what_money_cannot_be_without_is_named(name: str) -> None:
    assert field_refused(without(name)) == name
    assert field_refused(a_confirmation(**{name: ""})) == name
    assert field_refused(a_confirmation(**{name: None})) == name
    assert field_refused(a_confirmation(**{name: ["x"]})) == name


@pytest.mark.parametrize("amount", ["0", "0.00", "-5", "1.234", "1e3", "x", "12,5", "9" * 40])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    assert field_refused(a_confirmation(TransAmount=amount)) == "TransAmount"


@pytest.mark.parametrize("place", ["60011", "6001112"])
def test_a_place_is_five_to_seven_digits(place: str) -> None:
    assert read_confirmation(a_confirmation(BusinessShortCode=place)).place == place


@pytest.mark.parametrize("moment", ["", None, "soon", "20261399000000", 1])
def test_an_odd_time_costs_nothing(moment: object) -> None:
    assert read_confirmation(a_confirmation(TransTime=moment)).at is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b" " * 70_000, b"[" * 9_000])
def test_what_is_no_object_is_named(body: bytes) -> None:
    assert field_refused(body) == "body"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional={n: st.just(v) | JSON for n, v in TOLD.items()}))
def test_nothing_that_can_be_posted_breaks_the_reader(told: dict[str, object]) -> None:
    try:
        seen = read_confirmation(json.dumps(told).encode())
    except CallbackUnreadable:
        return

    assert seen.amount.minor > 0
    assert len(seen.reference) <= 64
    assert f"{seen.reference}{seen.payer}{seen.payer_name}{seen.note}".isprintable()


def test_a_validation_is_answered_in_texts() -> None:
    assert validation_answer(None) == {"ResultCode": "0", "ResultDesc": "Accepted"}
    assert validation_answer(C2bRefusal.ACCOUNT) == {
        "ResultCode": "C2B00012",
        "ResultDesc": "Rejected",
    }


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_addresses_are_registered_in_the_version_of_the_app(version: str) -> None:
    assert register_path(an_account(c2b_version=version)) == f"/mpesa/c2b/{version}/registerurl"


def test_a_registration_is_exactly_this() -> None:
    body = register_body(
        an_account(),
        confirm_url="https://pay.example.co.ke/callbacks/c2b/9aZ/confirm",
        validate_url="https://pay.example.co.ke/callbacks/c2b/9aZ/validate",
    )

    assert body == {
        "ShortCode": "600111",
        "ResponseType": "Completed",
        "ConfirmationURL": "https://pay.example.co.ke/callbacks/c2b/9aZ/confirm",
        "ValidationURL": "https://pay.example.co.ke/callbacks/c2b/9aZ/validate",
    }


@pytest.mark.parametrize("words", ["Success", "success"])
def test_a_registration_that_was_taken_is_new(words: str) -> None:
    answer = {"OriginatorCoversationID": "6e86", "ResponseCode": "0", "ResponseDescription": words}

    assert read_registered(200, json.dumps(answer).encode()) == Registered(is_new=True)


@pytest.mark.parametrize(
    ("text", "registered"),
    [
        ("Urls are already registered.", Registered(is_new=False)),
        (
            "Duplicate notification info, SP ID is 1, correlator is 2",
            Registered(is_new=False, elsewhere=True),
        ),
    ],
)
def test_what_is_registered_already_is_a_success(text: str, registered: Registered) -> None:
    body = {"requestId": "5f2a", "errorCode": "500.003.1001", "errorMessage": text}

    assert read_registered(500, json.dumps(body).encode()) == registered


@pytest.mark.parametrize(
    ("status", "body", "again"),
    [
        (500, {"errorCode": "500.003.1001", "errorMessage": "Internal Server Error"}, True),
        (500, {"errorCode": "500.003.02", "errorMessage": "System is busy."}, True),
        (400, {"errorCode": "400.002.02", "errorMessage": "Invalid ValidationURL"}, False),
        (401, {"errorCode": "401.003.01", "errorMessage": "no apiproduct match found"}, False),
        (200, {"ResponseCode": "1", "ResponseDescription": "no"}, False),
        (200, {}, False),
    ],
)
def test_a_registration_that_was_not_taken_is_an_error(
    status: int, body: dict[str, str], *, again: bool
) -> None:
    with pytest.raises(ProviderError) as told:
        read_registered(status, json.dumps(body).encode())

    assert told.value.again is again
