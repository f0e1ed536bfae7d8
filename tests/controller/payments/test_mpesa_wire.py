"""Daraja's requests and answers, against exact text."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.payment import Evidence, Reason
from controller.payments import mpesa_wire as wire
from controller.payments.gateway import CredentialsError, ProviderError
from tests.controller.payments.test_mpesa_settings import an_account
from tests.support.daraja import NOON, a_push

MIDNIGHTS = """
2026-07-14T20:59:59  20260714235959
2026-07-14T21:00:00  20260715000000
2026-07-14T23:59:59  20260715025959
2026-07-15T00:00:00  20260715030000
2026-12-31T20:59:59  20261231235959
2026-12-31T21:00:00  20270101000000
2028-02-28T21:00:00  20280229000000
"""


def trouble(status: int, body: object) -> wire.Trouble:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = wire.read_trouble(status, text)
    assert found is not None
    return found


def envelope(code: str, message: str) -> dict[str, str]:
    return {"requestId": "5f2a-41b7", "errorCode": code, "errorMessage": message}


@pytest.mark.parametrize("line", MIDNIGHTS.split("\n")[1:-1])
def test_time_is_nairobis_on_both_sides_of_both_midnights(line: str) -> None:
    utc, stamp = line.split()

    assert wire.stamp(datetime.fromisoformat(utc).replace(tzinfo=UTC)) == stamp


def test_time_does_not_depend_on_the_zone_it_comes_in() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-8)))

    assert wire.stamp(elsewhere) == wire.stamp(NOON) == "20260714123015"


def test_a_paybill_push_is_exactly_this() -> None:
    push = a_push(shillings=1500, callback_url="https://pay.example.co.ke/callbacks/stk/00ff")

    assert wire.push_body(an_account(), push, NOON) == {
        "BusinessShortCode": 600111,
        "Password": base64.b64encode(b"600111the-passkey20260714123015").decode(),
        "Timestamp": "20260714123015",
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 1500,
        "PartyA": "254712345678",
        "PartyB": 600111,
        "PhoneNumber": "254712345678",
        "CallBackURL": "https://pay.example.co.ke/callbacks/stk/00ff",
        "AccountReference": "ABC123",
        "TransactionDesc": "Day pass",
    }


def test_a_till_push_is_signed_by_the_store_and_paid_to_the_till() -> None:
    body = wire.push_body(an_account(till="5123456"), a_push(), NOON)

    assert (body["BusinessShortCode"], body["PartyB"], body["TransactionType"]) == (
        600111,
        5123456,
        "CustomerBuyGoodsOnline",
    )


def test_a_query_is_exactly_this() -> None:
    assert wire.query_body(an_account(), "ws_CO_1", NOON) == {
        "BusinessShortCode": 600111,
        "Password": base64.b64encode(b"600111the-passkey20260714123015").decode(),
        "Timestamp": "20260714123015",
        "CheckoutRequestID": "ws_CO_1",
    }


@given(st.integers(0, 7_000_000_000))
def test_password_and_timestamp_never_disagree(second: int) -> None:
    body = wire.push_body(an_account(), a_push(), datetime.fromtimestamp(second, UTC))
    signed = base64.b64decode(str(body["Password"])).decode()

    assert signed == f"600111the-passkey{body['Timestamp']}"


@given(st.text())
def test_the_account_is_cut_to_what_the_prompt_carries(text: str) -> None:
    cut = wire.account_reference(text)

    assert 1 <= len(cut) <= 12
    assert cut.isascii()
    assert cut.isalnum()


@given(st.text())
def test_the_description_is_cut_by_us(text: str) -> None:
    cut = wire.description(text)

    assert 1 <= len(cut) <= 13
    assert cut == cut.strip()


def test_a_long_plan_name_is_cut_to_thirteen() -> None:
    body = wire.push_body(
        an_account(),
        a_push(account="ORDER-0123-4567-89AB", description="Siku 7 / 10 Mbps zote"),
        NOON,
    )

    assert (body["AccountReference"], body["TransactionDesc"]) == ("ORDER0123456", "Siku 7 10 Mbp")


ACCEPTED = {
    "MerchantRequestID": "6e1b-4f0a",
    "CheckoutRequestID": "ws_CO_14072026123016700712345678",
    "ResponseCode": "0",
    "ResponseDescription": "Success. Request accepted for processing",
    "CustomerMessage": "Success. Request accepted for processing",
}


@pytest.mark.parametrize("code", ["0", 0, "00", " 0"])
def test_an_accepted_push_has_its_name(code: object) -> None:
    answer = wire.read_push_answer(200, json.dumps({**ACCEPTED, "ResponseCode": code}).encode())

    assert (answer.evidence, answer.provider_id) == (
        Evidence.ACCEPTED,
        "ws_CO_14072026123016700712345678",
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>ok</html>"),
        (200, b"[]"),
        (200, b"null"),
        (200, json.dumps({**ACCEPTED, "ResponseCode": None}).encode()),
        (200, json.dumps({**ACCEPTED, "ResponseCode": "77"}).encode()),
        (200, json.dumps({**ACCEPTED, "CheckoutRequestID": ""}).encode()),
        (200, json.dumps({**ACCEPTED, "CheckoutRequestID": ["x"]}).encode()),
        (502, b"<html><h1>502 Bad Gateway</h1></html>"),
        (500, b""),
        (
            504,
            b'{"fault":{"faultstring":"Timeout","detail":{"errorcode":"x.GatewayTimeout"}}}',
        ),
        (408, b""),
        (500, json.dumps(envelope("500.001.1001", "")).encode()),
        (500, json.dumps(envelope("500.001.1001", "The transaction is being processed")).encode()),
        (500, json.dumps(envelope("500.003.1001", "Internal Server Error")).encode()),
    ],
)
def test_a_push_whose_answer_leaves_doubt_is_never_called_failed(status: int, body: bytes) -> None:
    answer = wire.read_push_answer(status, body)

    assert (answer.evidence, answer.reason) == (Evidence.NO_ANSWER, None)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, envelope("400.002.02", "Bad Request - Invalid PhoneNumber"), Reason.ACCOUNT),
        (400, envelope("400.002.02", "Bad Request - Invalid Amount"), Reason.LIMIT),
        (400, envelope("400.002.02", "Bad Request - Invalid CallBackURL"), Reason.OUR_SIDE),
        (400, envelope("400.002.05", "Invalid Request Payload"), Reason.OUR_SIDE),
        (404, envelope("404.001.03", "Invalid Access Token"), Reason.OUR_SIDE),
        (
            401,
            envelope("401.003.01", "Invalid Access Token - no apiproduct match"),
            Reason.OUR_SIDE,
        ),
        (500, envelope("500.001.1001", "Merchant does not exist"), Reason.OUR_SIDE),
        (500, envelope("500.001.1001", "Wrong credentials"), Reason.OUR_SIDE),
        (
            500,
            envelope("500.001.1001", "Unable to lock subscriber, a transaction"),
            Reason.LINE_BUSY,
        ),
        (
            200,
            envelope("500.001.1001", "Unable to lock subscriber, a transaction"),
            Reason.LINE_BUSY,
        ),
        (
            500,
            envelope("500.003.02", "Error Occurred: Spike Arrest Violation"),
            Reason.PROVIDER_SLOW,
        ),
        (500, envelope("500.003.03", "Error Occurred: Quota Violation"), Reason.PROVIDER_SLOW),
        (429, {}, Reason.PROVIDER_SLOW),
        (
            500,
            {"fault": {"faultstring": "Spike arrest violation. Allowed rate : 5ps"}},
            Reason.PROVIDER_SLOW,
        ),
        (400, {"fault": "odd"}, Reason.OUR_SIDE),
        (403, {}, Reason.OUR_SIDE),
    ],
)
def test_a_push_that_was_turned_away_says_why(
    status: int, body: dict[str, str], reason: Reason
) -> None:
    answer = wire.read_push_answer(status, json.dumps(body).encode())

    assert (answer.evidence, answer.reason) == (Evidence.NOT_SENT, reason)


@pytest.mark.parametrize(
    ("status", "body", "dead"),
    [
        (404, envelope("404.001.03", "Invalid Access Token"), True),
        (400, envelope("400.003.01", "Invalid Access Token"), True),
        (401, envelope("401.002.01", "Error Occurred - Invalid Access Token - abc"), True),
        (401, {}, True),
        (
            401,
            {
                "fault": {
                    "faultstring": "Invalid access token",
                    "detail": {"errorcode": "keymanagement.service.invalid_access_token"},
                }
            },
            True,
        ),
        (
            401,
            envelope(
                "401.003.01", "Invalid Access Token - Invalid API call as no apiproduct match found"
            ),
            False,
        ),
        (404, envelope("404.001.01", "Resource not found"), False),
        (400, envelope("400.002.02", "Bad Request - Invalid Timestamp"), False),
    ],
)
def test_a_dead_token_is_told_from_other_troubles(
    status: int, body: dict[str, str], *, dead: bool
) -> None:
    assert trouble(status, body).dead_token is dead


def a_query_answer(**fields: object) -> bytes:
    answer = {"ResponseCode": "0", "CheckoutRequestID": "ws_CO_1", "ResultCode": "0"}
    return json.dumps({**answer, **fields}).encode()


def test_a_query_that_says_zero_is_paid_without_receipt() -> None:
    outcome = wire.read_query_answer(200, a_query_answer(), "ws_CO_1")

    assert (outcome.evidence, outcome.receipt, outcome.amount) == (Evidence.PAID, None, None)


def test_a_query_that_says_cancelled_is_refused() -> None:
    outcome = wire.read_query_answer(200, a_query_answer(ResultCode="1032"), "ws_CO_1")

    assert (outcome.evidence, outcome.reason) == (Evidence.REFUSED, Reason.CANCELLED)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, json.dumps(envelope("500.001.1001", "The transaction is being processed")).encode()),
        (500, json.dumps(envelope("500.001.1001", "")).encode()),
        (200, json.dumps(envelope("500.001.1001", "")).encode()),
        (500, json.dumps(envelope("500.001.1001", "The transaction does not Exist")).encode()),
        (200, a_query_answer(ResultCode="4999")),
        (200, a_query_answer(ResultCode=4999)),
        (200, a_query_answer(ResultCode=None)),
        (200, a_query_answer(ResultCode="")),
        (200, a_query_answer(ResultCode="8888")),
    ],
)
def test_every_shape_of_still_open_is_still_open(status: int, body: bytes) -> None:
    assert wire.read_query_answer(status, body, "ws_CO_1").evidence is Evidence.STILL_OPEN


@pytest.mark.parametrize(
    ("status", "body", "again"),
    [
        (502, b"<html>", True),
        (500, b"", True),
        (200, b"", True),
        (200, b"{", True),
        (200, a_query_answer(CheckoutRequestID="ws_CO_2"), True),
        (500, json.dumps(envelope("500.003.02", "System is busy")).encode(), True),
        (429, b"", True),
        (400, json.dumps(envelope("400.002.02", "Bad Request - Invalid X")).encode(), False),
    ],
)
def test_a_query_that_answers_nothing_is_an_error(status: int, body: bytes, *, again: bool) -> None:
    with pytest.raises(ProviderError) as told:
        wire.read_query_answer(status, body, "ws_CO_1")

    assert told.value.again is again


def test_an_error_repeats_no_text_of_the_provider() -> None:
    body = json.dumps(envelope("401.002.01", "Invalid Access Token - Zz0Yy1Xx2Ww3")).encode()

    with pytest.raises(ProviderError) as told:
        wire.read_query_answer(401, body, "ws_CO_1")

    assert "Zz0Yy1Xx2Ww3" not in str(told.value)


@pytest.mark.parametrize("life", ["3599", 3599])
def test_a_token_lives_as_long_as_text_or_number_say(life: object) -> None:
    body = json.dumps({"access_token": "Zz0Yy1Xx2Ww3Vv4Uu5Tt6Ss7Rr8Q", "expires_in": life})

    assert wire.read_token(200, body.encode()).life_s == 3599


def test_a_token_is_not_shown() -> None:
    assert "Zz0Yy1" not in repr(wire.FreshToken("Zz0Yy1Xx2Ww3Vv4Uu5Tt6Ss7Rr8Q", 3599))


def test_an_empty_400_means_wrong_key_or_secret() -> None:
    with pytest.raises(CredentialsError):
        wire.read_token(400, b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"access_token": "", "expires_in": "9"}',
        b'{"access_token": "a"}',
        b'{"access_token": "a\\nb", "expires_in": "9"}',
    ],
)
def test_an_unreadable_token_may_be_asked_for_again(body: bytes) -> None:
    with pytest.raises(ProviderError) as told:
        wire.read_token(200, body)

    assert told.value.again


@given(st.integers(100, 599), st.binary() | st.text().map(str.encode))
def test_no_answer_to_a_push_is_beyond_reading(status: int, body: bytes) -> None:
    answer = wire.read_push_answer(status, body)

    assert answer.evidence in {Evidence.NOT_SENT, Evidence.NO_ANSWER}
