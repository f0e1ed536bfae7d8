"""What providers post, byte for byte: own code, which shares nothing with the product's readers.

Shapes: Safaricom Daraja 3.0 documentation (STK push, C2B, transaction status), Paystack and Airtel
as the pages on their webhooks show them, Jenga's instant payment notification.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tests.simulation.roads.truth import GivenBack, Paid, Prompt

COLUMNS = (
    "Receipt No.",
    "Completion Time",
    "Details",
    "Transaction Status",
    "Paid In",
    "Withdrawn",
    "Balance",
    "Reason Type",
    "Other Party Info",
    "Linked Transaction ID",
    "A/C No.",
)
EAT = timezone(timedelta(hours=3))
CARD_KEY = "sk_test_roads"
BANK_USER, BANK_PASSWORD = "lango", "a-word-of-ours"


def stk(
    prompt: Prompt,
    *,
    code: int | str | None,
    paid: Paid | None = None,
    minor: int | None = None,
    receipt: str | None = None,
    name: str | None = None,
    shortcode: str | None = None,
) -> bytes:
    """A callback after a push; what is named instead of the truth makes it a lie."""
    told: dict[str, object] = {
        "MerchantRequestID": f"29115-{len(prompt.name)}-1",
        "CheckoutRequestID": name or prompt.name,
        "ResultDesc": "as it went",
    }
    if code is not None:
        told["ResultCode"] = code
    if paid is not None or receipt is not None:
        amount = minor if minor is not None else prompt.push.amount.minor
        items: list[dict[str, object]] = [
            {"Name": "Amount", "Value": amount // 100},
            {"Name": "MpesaReceiptNumber", "Value": receipt or (paid.receipt if paid else "")},
            {"Name": "Balance"},
            {"Name": "PhoneNumber", "Value": int(prompt.push.msisdn)},
        ]
        if paid is not None:
            items.append({"Name": "TransactionDate", "Value": int(_stamp(paid.at))})
        if shortcode is not None:
            items.append({"Name": "BusinessShortCode", "Value": shortcode})
        told["CallbackMetadata"] = {"Item": items}
    return json.dumps({"Body": {"stkCallback": told}}).encode()


def confirmation(
    paid: Paid, *, place: str | None = None, reference: str | None = None, minor: int | None = None
) -> bytes:
    """A C2B confirmation."""
    shillings, cents = divmod(paid.minor if minor is None else minor, 100)
    return json.dumps(
        {
            "TransactionType": "Pay Bill",
            "TransID": paid.receipt,
            "TransTime": _stamp(paid.at),
            "TransAmount": f"{shillings}.{cents:02d}",
            "BusinessShortCode": place or paid.place,
            "BillRefNumber": paid.reference if reference is None else reference,
            "InvoiceNumber": "",
            "OrgAccountBalance": "49197.00",
            "ThirdPartyTransID": "",
            "MSISDN": f"2547 ***** {paid.msisdn[-3:]}",
            "FirstName": "WANJIKU",
        }
    ).encode()


def status(receipt: str, paid: Paid | None) -> bytes:
    """The result of a transaction status; ``paid`` None: there is no such transaction."""
    told: dict[str, object] = {
        "ResultType": 0,
        "ResultCode": 0 if paid else 2032,
        "ResultDesc": "as it went",
        "OriginatorConversationID": "o-1",
        "ConversationID": f"AG_{receipt}",
        "TransactionID": "UGE0000000",
    }
    if paid is not None:
        pairs = {
            "ReceiptNo": paid.receipt,
            "TransactionStatus": "Completed",
            "Amount": f"{paid.minor // 100}.0",
            "CreditPartyName": f"{paid.place} - LANGO",
            "DebitPartyName": f"{paid.msisdn} - WANJIKU",
            "FinalisedTime": _stamp(paid.at),
        }
        listed = [{"Key": key, "Value": value} for key, value in pairs.items()]
        told["ResultParameters"] = {"ResultParameter": listed}
    return json.dumps({"Result": told}).encode()


def refund_result(given: GivenBack) -> bytes:
    """The result of a reversal or a payout."""
    told: dict[str, object] = {
        "ResultType": 0,
        "ResultCode": 0 if given.went else 1,
        "ResultDesc": "as it went",
        "OriginatorConversationID": given.refund.refund_id,
        "ConversationID": given.name,
        "TransactionID": f"UGR{given.name[-7:].upper()}" if given.went else "UGE0000000",
    }
    return json.dumps({"Result": told}).encode()


def refund_status(given: GivenBack) -> bytes:
    """The result of a transaction status that was asked after a refund."""
    words = {None: "Pending", True: "Completed", False: "Declined"}
    listed = [
        {"Key": "TransactionStatus", "Value": words[given.went]},
        {"Key": "ReceiptNo", "Value": f"UGR{given.name[-7:].upper()}"},
    ]
    told = {
        "ResultType": 0,
        "ResultCode": 0,
        "ConversationID": "AG_question",
        "ResultParameters": {"ResultParameter": listed},
    }
    return json.dumps({"Result": told}).encode()


def airtel(order_id: str, receipt: str, *, letters: str = "TS") -> bytes:
    """Airtel's callback."""
    told = {"id": order_id, "message": "Paid", "status_code": letters, "airtel_money_id": receipt}
    return json.dumps({"transaction": told}).encode()


def card(
    order_id: str, receipt: str, minor: int, *, key: str = CARD_KEY
) -> tuple[bytes, dict[str, str]]:
    """Paystack's event of a charge that went well, and its headers."""
    told = {
        "id": int(receipt),
        "reference": order_id,
        "status": "success",
        "amount": minor,
        "currency": "KES",
        "paid_at": "2026-11-23T06:00:00.000Z",
        "authorization": {"reusable": False},
        "customer": {"email": "a@example.co.ke"},
    }
    return _signed({"event": "charge.success", "data": told}, key)


def card_refund(given: GivenBack, order_id: str) -> tuple[bytes, dict[str, str]]:
    """Paystack's event of a refund, and its headers."""
    word = "processed" if given.went else "failed"
    told = {"status": word, "transaction_reference": order_id, "amount": given.refund.amount.minor}
    return _signed({"event": f"refund.{word}", "data": told}, CARD_KEY)


def bank(paid: Paid, *, password: str = BANK_PASSWORD) -> tuple[bytes, dict[str, str]]:
    """Jenga's notice, and its headers."""
    told = {
        "callbackType": "IPN",
        "customer": {"name": "A B", "mobileNumber": paid.msisdn, "reference": ""},
        "transaction": {
            "date": paid.at.astimezone(EAT).strftime("%Y-%m-%d %H:%M:%S"),
            "reference": paid.receipt,
            "paymentMode": "EAZZYBIZ",
            "amount": f"{paid.minor // 100}.{paid.minor % 100:02d}",
            "billNumber": paid.reference,
            "additionalInfo": "",
            "status": "SUCCESS",
        },
        "bank": {"reference": paid.receipt, "transactionType": "C", "account": None},
    }
    shown = base64.b64encode(f"{BANK_USER}:{password}".encode()).decode()
    return json.dumps(told).encode(), {"authorization": f"Basic {shown}"}


def portal_csv(rows: Iterable[Paid], *, place: str, until: datetime) -> bytes:
    """The organisation portal's statement of all M-PESA money, newest first, without balances."""
    lines: list[tuple[datetime, str]] = []
    for one in rows:
        account = one.reference.replace('"', "").replace(",", " ")
        lines.append((one.at, _row(one.receipt, one.at, one.minor, "Pay Bill", account=account)))
        if one.gone_minor:
            assert one.gone_at is not None
            whole = one.gone_minor == one.minor
            of = one.receipt if whole else ""
            what = f"Transaction Reversal of {of}" if whole else "Business Payment to Customer"
            text = _row(f"UGR{one.receipt[3:]}", one.gone_at, -one.gone_minor, what, of=of)
            lines.append((one.gone_at, text))
    lines.sort(reverse=True)
    head = [
        "Account Holder:,LANGO",
        f"Short Code:,{place}",
        f"Time Period:,01-01-2020 00:00:00,to,{until.astimezone(EAT):%d-%m-%Y %H:%M:%S}",
        "",
        ",".join(COLUMNS),
    ]
    return "\r\n".join([*head, *(text for _, text in lines), ""]).encode()


def _row(
    receipt: str, at: datetime, minor: int, what: str, *, account: str = "", of: str = ""
) -> str:
    amount = f"{abs(minor) // 100}.{abs(minor) % 100:02d}"
    came, went = (amount, "") if minor > 0 else ("", f"-{amount}")
    when = at.astimezone(EAT).strftime("%d-%m-%Y %H:%M:%S")
    party = "2547 ***** 678 - WANJIKU"
    return f"{receipt},{when},{what},Completed,{came},{went},,{what},{party},{of},{account}"


def _signed(told: dict[str, object], key: str) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(told).encode()
    made = hmac.new(key.encode(), body, hashlib.sha512).hexdigest()
    return body, {"x-paystack-signature": made}


def _stamp(at: datetime) -> str:
    return at.astimezone(EAT).strftime("%Y%m%d%H%M%S")
