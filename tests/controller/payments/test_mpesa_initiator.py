"""What our API user asks, key by key, and what the first answer says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from billing.payment import Evidence
from controller.payments import mpesa_initiator as wire
from controller.payments.gateway import ProviderError, Refund
from tests.controller.payments.test_mpesa_settings import an_account, an_initiator
from tests.support.daraja import PAYER

if TYPE_CHECKING:
    from billing.msisdn import Msisdn
    from controller.payments.gateway import RefundOutcome

RESULT_URL = "https://pay.example.co.ke/callbacks/results/00ff"
ACK = {
    "OriginatorConversationID": "515-5258779-3",
    "ConversationID": "AG_20260714_20100e1d2c3b4a596877",
    "ResponseCode": "0",
    "ResponseDescription": "Accept the service request successfully.",
}


def a_refund(
    *,
    paid: int = 1_500,
    shillings: int = 1_500,
    cents: int = 0,
    msisdn: Msisdn | None = PAYER,
    reason: str = "Outage of 14 July, KES 1,500",
) -> Refund:
    return Refund(
        refund_id="0f" * 16,
        receipt="UGE5L8M3RZ",
        paid=Money(paid * 100),
        amount=Money(shillings * 100 + cents),
        msisdn=msisdn,
        callback_url=RESULT_URL,
        reason=reason,
    )


def answer(status: int, body: object) -> RefundOutcome:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.read_refund_answer(status, text)


def test_a_reversal_is_exactly_this() -> None:
    assert wire.reversal_body(an_account(), an_initiator(), "344 characters", a_refund()) == {
        "Initiator": "apiuser1",
        "SecurityCredential": "344 characters",
        "CommandID": "TransactionReversal",
        "TransactionID": "UGE5L8M3RZ",
        "Amount": "1500",
        "ReceiverParty": "600111",
        "RecieverIdentifierType": "11",
        "ResultURL": RESULT_URL,
        "QueueTimeOutURL": RESULT_URL,
        "Remarks": "Outage of 14 July KES 1 500",
    }


def test_a_payout_is_exactly_this() -> None:
    body = wire.payout_body(an_account(), an_initiator(), "344 characters", a_refund(shillings=500))

    assert body == {
        "OriginatorConversationID": "0f" * 16,
        "InitiatorName": "apiuser1",
        "SecurityCredential": "344 characters",
        "CommandID": "BusinessPayment",
        "Amount": "500",
        "PartyA": "600111",
        "PartyB": "254712345678",
        "Remarks": "Outage of 14 July KES 1 500",
        "QueueTimeOutURL": RESULT_URL,
        "ResultURL": RESULT_URL,
        "Occassion": "",
    }


@pytest.mark.parametrize(
    ("receipt", "conversation_id", "named"),
    [
        ("UGE5L8M3RZ", "", {"TransactionID": "UGE5L8M3RZ"}),
        ("", "7071-4170-a0e5", {"OriginalConversationID": "7071-4170-a0e5"}),
    ],
)
def test_a_question_after_a_transaction_is_exactly_this(
    receipt: str, conversation_id: str, named: dict[str, str]
) -> None:
    body = wire.status_body(
        an_account(),
        an_initiator(),
        "344 characters",
        receipt=receipt,
        conversation_id=conversation_id,
        result_url=RESULT_URL,
    )

    assert body == {
        "Initiator": "apiuser1",
        "SecurityCredential": "344 characters",
        "CommandID": "TransactionStatusQuery",
        **named,
        "PartyA": "600111",
        "IdentifierType": "4",
        "ResultURL": RESULT_URL,
        "QueueTimeOutURL": RESULT_URL,
        "Remarks": "Check",
        "Occasion": "",
    }


def test_a_question_after_the_balance_is_exactly_this() -> None:
    body = wire.balance_body(
        an_account(till="5123456"), an_initiator(), "344 characters", result_url=RESULT_URL
    )

    assert body == {
        "Initiator": "apiuser1",
        "SecurityCredential": "344 characters",
        "CommandID": "AccountBalance",
        "PartyA": "5123456",
        "IdentifierType": "2",
        "Remarks": "Balance",
        "QueueTimeOutURL": RESULT_URL,
        "ResultURL": RESULT_URL,
    }


@given(st.text())
def test_remarks_are_what_daraja_takes(text: str) -> None:
    cut = wire.remarks(text)

    assert 2 <= len(cut) <= 100
    assert cut.isascii()
    assert cut == cut.strip()


@pytest.mark.parametrize(
    ("minor", "fault"),
    [
        (999, "not-whole-shillings"),
        (900, "below-smallest"),
        (1_000, None),
        (25_000_000, None),
        (25_000_100, "above-largest"),
    ],
)
def test_a_payout_has_its_limits(minor: int, fault: str | None) -> None:
    assert wire.payout_fault(Money(minor)) == fault


@pytest.mark.parametrize("code", ["0", 0, "00"])
def test_a_request_that_was_taken_has_its_names(code: object) -> None:
    acked = wire.read_ack(200, json.dumps({**ACK, "ResponseCode": code}).encode())

    assert acked == wire.Acked("AG_20260714_20100e1d2c3b4a596877", "515-5258779-3")


@pytest.mark.parametrize(
    ("status", "body", "code", "again"),
    [
        (200, {**ACK, "ResponseCode": "21"}, "21", False),
        (200, {**ACK, "ConversationID": ""}, "unreadable", False),
        (200, {}, "unreadable", False),
        (400, {"errorCode": "400.002.02", "errorMessage": "Invalid PartyA"}, "400.002.02", False),
        (500, {"errorCode": "500.003.03", "errorMessage": "Quota Violation"}, "500.003.03", True),
        (502, {}, "http-502", True),
    ],
)
def test_a_question_that_was_not_taken_is_an_error(
    status: int, body: dict[str, str], code: str, *, again: bool
) -> None:
    with pytest.raises(ProviderError) as told:
        wire.read_ack(status, json.dumps(body).encode())

    assert (told.value.code, told.value.again) == (code, again)


def test_a_refund_that_was_taken_has_its_name() -> None:
    told = answer(200, ACK)

    assert (told.evidence, told.provider_id) == (
        Evidence.ACCEPTED,
        "AG_20260714_20100e1d2c3b4a596877",
    )


def test_a_refund_that_was_taken_before_is_taken() -> None:
    body = {"errorCode": "500.002.1001", "errorMessage": "Duplicate OriginatorConversationID."}
    told = answer(500, body)

    assert (told.evidence, told.provider_id) == (Evidence.ACCEPTED, None)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"errorCode": "400.002.02", "errorMessage": "Bad Request - Invalid Amount"}),
        (404, {"errorCode": "404.001.03", "errorMessage": "Invalid Access Token"}),
        (500, {"errorCode": "500.003.02", "errorMessage": "Spike Arrest Violation"}),
        (503, {"errorCode": "00.002.1001", "errorMessage": "Service is under maintenance."}),
        (429, {}),
    ],
)
def test_a_refund_that_was_turned_away_was_not_sent(status: int, body: dict[str, str]) -> None:
    assert answer(status, body).evidence is Evidence.NOT_SENT


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>"),
        (200, {**ACK, "ResponseCode": "21"}),
        (200, {**ACK, "ResponseCode": None}),
        (500, {"errorCode": "500.002.1001", "errorMessage": "Something else"}),
        (500, {"errorCode": "500.003.1001", "errorMessage": "Internal Server Error"}),
        (502, b"<h1>Bad Gateway</h1>"),
        (504, b""),
        (408, b""),
    ],
)
def test_a_refund_that_may_have_been_taken_is_doubt(status: int, body: object) -> None:
    assert answer(status, body).evidence is Evidence.NO_ANSWER
