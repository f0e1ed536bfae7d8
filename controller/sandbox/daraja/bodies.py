"""Answers and callbacks as Daraja writes them, with the variants that it is known for. PURE."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from controller.sandbox.daraja.network import Prompt

TEXTS = {
    "0": "The service request is processed successfully.",
    "1": "The balance is insufficient for the transaction.",
    "17": "Rule limited.",
    "1001": "Unable to lock subscriber, a transaction is already in process.",
    "1025": "An error occurred while sending a push request.",
    "1032": "Request cancelled by user",
    "1037": "DS timeout user cannot be reached",
    "2001": "The initiator information is invalid.",
    "SFC_IC0003": "The operator does not exist.",
}

PENDING = (
    (500, {"errorCode": "500.001.1001", "errorMessage": "The transaction is being processed"}),
    (200, {"ResultCode": "4999", "ResultDesc": "The transaction is still under processing"}),
    (500, {"errorCode": "500.001.1001", "errorMessage": ""}),
)
"""The three shapes of "still open" that integrators have seen."""


def accepted(prompt: Prompt) -> dict[str, str]:
    """The answer to a push that was taken."""
    words = "Success. Request accepted for processing"
    return {
        "MerchantRequestID": prompt.merchant_id,
        "CheckoutRequestID": prompt.checkout_id,
        "ResponseCode": "0",
        "ResponseDescription": words,
        "CustomerMessage": words,
    }


def query_answer(prompt: Prompt, code: str) -> dict[str, str]:
    """The answer to a query: the code is a text here, and there is no receipt."""
    return {
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successfully",
        "MerchantRequestID": prompt.merchant_id,
        "CheckoutRequestID": prompt.checkout_id,
        "ResultCode": code,
        "ResultDesc": TEXTS.get(code, "Declined"),
    }


def callback(prompt: Prompt, *, as_text: bool = False) -> dict[str, Any]:
    """The callback of a decided prompt: an integer code, and metadata only for a success."""
    assert prompt.code is not None, "only a decided prompt has something to tell"
    numeric = prompt.code.isdigit() and not as_text
    body: dict[str, Any] = {
        "MerchantRequestID": prompt.merchant_id,
        "CheckoutRequestID": prompt.checkout_id,
        "ResultCode": int(prompt.code) if numeric else prompt.code,
        "ResultDesc": TEXTS.get(prompt.code, "Declined"),
    }
    if prompt.code == "0":
        body["CallbackMetadata"] = {"Item": metadata(prompt)}
    return {"Body": {"stkCallback": body}}


def metadata(prompt: Prompt) -> list[dict[str, Any]]:
    """The items of a success. Balance comes in four variants and the order turns, by number."""
    balances: tuple[dict[str, Any] | None, ...] = (
        {"Name": "Balance"},
        None,
        {"Name": "Balance", "Value": "{Amount={CurrencyCode=KES, BasicAmount=48210.00}}"},
        {"Name": "Balance", "Value": 48_210},
    )
    items: list[dict[str, Any]] = [
        {"Name": "Amount", "Value": prompt.shillings},
        {"Name": "MpesaReceiptNumber", "Value": prompt.receipt},
        {"Name": "TransactionDate", "Value": int(prompt.paid_stamp)},
        {"Name": "PhoneNumber", "Value": int(prompt.msisdn)},
    ]
    balance = balances[prompt.number % len(balances)]
    if balance is not None:
        items.insert(2, balance)
    turn = prompt.number // len(balances) % len(items)
    return items[turn:] + items[:turn]


def encoded(body: dict[str, Any], *, cents: bool = False) -> bytes:
    """JSON; with ``cents`` the amount is written ``50.00``, as Daraja does most of the time."""
    text = json.dumps(body)
    if cents:
        whole = _amount_in(body)
        text = text.replace(f'"Amount", "Value": {whole}', f'"Amount", "Value": {whole}.00')
    return text.encode()


def _amount_in(body: dict[str, Any]) -> object:
    items = body["Body"]["stkCallback"].get("CallbackMetadata", {}).get("Item", ())
    return next((item["Value"] for item in items if item["Name"] == "Amount"), None)
