"""Standing orders and QR codes on the wire."""

from __future__ import annotations

import base64
import json
from datetime import date

import pytest

from billing.money import Money
from controller.payments.gateway import ProviderError
from controller.payments.mpesa_initiator import Acked
from controller.payments.mpesa_qr import qr_body, read_qr
from controller.payments.mpesa_ratiba import (
    Frequency,
    StandingOrder,
    ratiba_body,
    read_ratiba_ack,
)
from tests.controller.payments.test_mpesa_settings import an_account
from tests.support.daraja import PAYER

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
ACK = {
    "ResponseHeader": {
        "responseRefID": "4dd9b5d9",
        "responseCode": "200",
        "responseDescription": "Request accepted for processing",
        "ResultDesc": "The service request is processed successfully.",
    },
    "ResponseBody": {
        "responseDescription": "Request accepted for processing",
        "responseCode": "200",
    },
}


def an_order() -> StandingOrder:
    return StandingOrder(
        name="ISP10023 monthly",
        amount=Money(150_000),
        msisdn=PAYER,
        account="ISP10023",
        description="Home 10Mbps",
        starts_on=date(2026, 8, 1),
        ends_on=date(2027, 7, 31),
        frequency=Frequency.MONTHLY,
        callback_url="https://pay.example.co.ke/callbacks/orders/00ff",
    )


def test_a_standing_order_is_exactly_this() -> None:
    assert ratiba_body(an_account(), an_order()) == {
        "StandingOrderName": "ISP10023 monthly",
        "StartDate": "20260801",
        "EndDate": "20270731",
        "BusinessShortCode": "600111",
        "TransactionType": "Standing Order Customer Pay Bill",
        "ReceiverPartyIdentifierType": "4",
        "Amount": "1500",
        "PartyA": "254712345678",
        "CallBackURL": "https://pay.example.co.ke/callbacks/orders/00ff",
        "AccountReference": "ISP10023",
        "TransactionDesc": "Home 10Mbps",
        "Frequency": "4",
    }


def test_a_till_is_spelt_as_configured() -> None:
    body = ratiba_body(an_account(till="5123456"), an_order())

    assert (
        body["BusinessShortCode"],
        body["TransactionType"],
        body["ReceiverPartyIdentifierType"],
    ) == ("5123456", "Standing Order Customer Pay Marchant", "2")


def test_a_standing_order_shows_no_phone() -> None:
    assert PAYER not in repr(an_order())


def test_a_standing_order_that_was_taken_has_its_reference() -> None:
    assert read_ratiba_ack(200, json.dumps(ACK).encode()) == Acked("4dd9b5d9", "")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, {}, "unreadable"),
        (200, {"ResponseHeader": []}, "unreadable"),
        (200, {"ResponseHeader": {"responseCode": "200"}}, "unreadable"),
        (200, {"ResponseHeader": {"responseRefID": "x", "responseCode": "401"}}, "401"),
        (400, {"errorCode": "400.002.02", "errorMessage": "Invalid Frequency"}, "400.002.02"),
    ],
)
def test_a_standing_order_that_was_not_taken_is_an_error(
    status: int, body: dict[str, object], code: str
) -> None:
    with pytest.raises(ProviderError) as told:
        read_ratiba_ack(status, json.dumps(body).encode())

    assert told.value.code == code


def test_a_code_for_an_amount_is_asked_like_this() -> None:
    assert qr_body(an_account(), reference="ISP10023", amount=Money(150_000)) == {
        "MerchantName": "INTERNET",
        "RefNo": "ISP10023",
        "Amount": 1500,
        "TrxCode": "PB",
        "CPI": "600111",
        "Size": "300",
    }


def test_a_code_for_a_till_names_the_till() -> None:
    body = qr_body(an_account(till="5123456"), reference="ISP10023", amount=Money(100))

    assert (body["TrxCode"], body["CPI"]) == ("BG", "5123456")


@pytest.mark.parametrize("code", ["00", "AG_20260714_2010", "0", None])
def test_a_code_is_an_image_whatever_its_answer_is_called(code: str | None) -> None:
    body = {"ResponseCode": code, "QRCode": base64.b64encode(PNG).decode()}

    assert read_qr(200, json.dumps(body).encode()) == PNG


@pytest.mark.parametrize(
    "image", ["", None, "%%%", "ä", base64.b64encode(b"<svg/>").decode(), 5, ["x"]]
)
def test_what_is_no_image_is_an_error(image: object) -> None:
    with pytest.raises(ProviderError):
        read_qr(200, json.dumps({"ResponseCode": "00", "QRCode": image}).encode())
