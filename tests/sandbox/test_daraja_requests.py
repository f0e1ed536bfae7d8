"""What the simulated Daraja checks in a push, field by field."""

from __future__ import annotations

import base64
import json

import pytest

from controller.sandbox.daraja.requests import Refused, read_push
from tests.support.daraja import sim_settings

STAMP = "20260714123015"
INVALID = """
BusinessShortCode  12            BusinessShortCode
BusinessShortCode  "abc"         BusinessShortCode
BusinessShortCode  null          BusinessShortCode
Timestamp          "2026"        Timestamp
Timestamp          20260714123015  Timestamp
Timestamp          "20261314123015"  Timestamp
TransactionType    "Gift"        TransactionType
Amount             0             Amount
Amount             -1            Amount
Amount             1.5           Amount
Amount             "1.00"        Amount
Amount             250001        Amount
Amount             true          Amount
PartyA             "0712345678"  PartyA
PhoneNumber        "254812345678"  PhoneNumber
PhoneNumber        "+254712345678"  PhoneNumber
PartyB             "12"          PartyB
CallBackURL        "x"           CallBackURL
CallBackURL        "https://pay.example.co.ke/cb"  CallBackURL
CallBackURL        "http://10.0.0.1/cb"  CallBackURL
CallBackURL        "http://127.0.0.1/mpesa"  CallBackURL
CallBackURL        "http://127.0.0.1/MyQuery"  CallBackURL
CallBackURL        "ftp://127.0.0.1/cb"  CallBackURL
CallBackURL        "http://127.0.0.1.example.com/cb"  CallBackURL
AccountReference   ""            AccountReference
AccountReference   "a_b"         AccountReference
TransactionDesc    7             TransactionDesc
"""


def a_body(**changes: object) -> dict[str, object]:
    signed = f"600111{sim_settings().passkey}{STAMP}".encode()
    body = {
        "BusinessShortCode": 600111,
        "Password": base64.b64encode(signed).decode(),
        "Timestamp": STAMP,
        "TransactionType": "CustomerPayBillOnline",
        "Amount": "50",
        "PartyA": 254712345678,
        "PartyB": "600111",
        "PhoneNumber": "254712345678",
        "CallBackURL": "http://127.0.0.1:8080/callbacks/stk/00ff",
        "AccountReference": "ABC123",
    }
    return {**body, **changes}


def test_numbers_and_texts_are_both_taken() -> None:
    asked = read_push(a_body(), sim_settings())

    assert (asked.shillings, asked.msisdn, asked.wrong_receiver) == (50, "254712345678", False)


@pytest.mark.parametrize("line", INVALID.split("\n")[1:-1])
def test_a_field_that_cannot_be_is_named(line: str) -> None:
    field, raw, named = line.split()

    with pytest.raises(Refused) as told:
        read_push(a_body(**{field: json.loads(raw)}), sim_settings())

    assert (told.value.status, told.value.code, told.value.message) == (
        400,
        "400.002.02",
        f"Bad Request - Invalid {named}",
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9:81", "[::1]:8080"])
def test_every_loopback_may_be_called_back(host: str) -> None:
    url = f"http://{host}/callbacks/stk/00ff"

    assert read_push(a_body(CallBackURL=url), sim_settings()).callback_url == url
