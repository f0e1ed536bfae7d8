"""Providers' doors as they are built, and at each the body that a provider means well with."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx2

from controller.payments.airtel import AirtelGateway
from controller.payments.airtel_settings import AirtelSettings
from controller.payments.bank_notice import Bank, BankSettings
from controller.payments.mpesa import MpesaGateway
from controller.payments.mpesa_settings import MpesaSettings
from controller.payments.paystack import PaystackGateway
from controller.payments.paystack_settings import PaystackSettings
from controller.payments.tokens import MemoryTokenStore
from controller.sandbox.bank.movements import Movement, What
from controller.sandbox.bank.notices import SigningBank, jenga_notice
from controller.store.payment_rows import ArrivalRow, MandateRow, PlaceRow, RefundRow
from controller.store.rows import PaymentRow
from controller.usecases import doors
from controller.usecases.asking import CALLBACK_PATH, token_hash
from controller.usecases.mandates import ORDER_PATH
from controller.usecases.refunds import RESULT_PATH
from tests.attacks.hostile import places, with_at
from tests.support.office import NOON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.payments.gateway import PaymentGateway
    from tests.support.office import Office

FAR = "http://127.0.0.1:9"
CARD_KEY = "sk_test_ours"
ORDERS = {"mpesa": "1" * 32, "airtel": "2" * 32, "card": "3" * 32}
ASKED = {name: f"b{n}" * 24 for n, name in enumerate(("refund", "look-up", "balance", "order"))}
"""The unguessable part of an address that one request of ours gave, by what it asked for."""

BACK = "b4" * 16
TOKENS = {"mpesa": "a1" * 24, "airtel": "a2" * 24, "card": "a3" * 24}
KCB = SigningBank()
PAID = Movement(NOON, What.PAID, 150_000, "UGE5L8M3RZ", "0712345678", "254700000001", "A B")
USER, PASSWORD = "lango", "a-word-of-ours"


@dataclass(frozen=True, slots=True)
class Door:
    """Where a provider posts, what it would post, and the headers that show that it is they."""

    name: str
    path: str
    good: Mapping[str, Any]
    headers: Callable[[bytes], Mapping[str, str]]
    office: Office


def with_providers(office: Office) -> Office:
    """The office with the gateways that ship; they reach nobody."""
    nobody = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(503)))
    tokens = MemoryTokenStore()
    mpesa = MpesaSettings(FAR, "600111", "key", "secret", "passkey", f"{FAR}/callbacks/stk/")
    airtel = AirtelSettings(FAR, "id", "secret", merchant="shop")
    cards = PaystackGateway(PaystackSettings(CARD_KEY, "shop", FAR), http=nobody)
    more: tuple[PaymentGateway, ...] = (AirtelGateway(airtel, http=nobody, tokens=tokens), cards)
    gateway = MpesaGateway(mpesa, http=nobody, tokens=tokens)
    return replace(office, deps=replace(office.deps, gateway=gateway, more_gateways=more))


async def with_orders(office: Office, *, site_id: str, subscriber_id: str) -> Office:
    """The same, with all for providers to speak of.

    An order at each rail, money that goes back, money that was looked up, an account whose balance
    was asked for, and a standing order that its payer was asked for.
    """
    office = with_providers(office)
    for rail, order_id in ORDERS.items():
        row = PaymentRow(
            order_id=order_id, purpose="grant", site_id=site_id, subscriber_id=subscriber_id,
            plan_id="hours-2", device_mac="02:00:00:00:00:99", msisdn="254712345678", rail=rail,
            shortcode="600111", amount_minor=1_000, currency="KES", reference="ABCDEFGHIJKL",
            state="pending", code="", provider_id=f"ws_CO_{rail}", created_at=NOON, pushed_at=NOON,
            callback_token_hash=token_hash(office.deps, TOKENS[rail]),
        )  # fmt: skip
        await office.keep(row)
    asked = {name: token_hash(office.deps, token) for name, token in ASKED.items()}
    back = came_before("b1" * 16, "UGE5L8M3B1")
    await office.keep(
        back,
        RefundRow(
            id=BACK, arrival_id=back.id, rail="mpesa", amount_minor=1_000, currency="KES",
            reason="paid twice", state="pending", provider_id="AG_back", receipt=None,
            callback_token_hash=asked["refund"], created_at=NOON, sent_at=NOON, settled_at=None,
            next_query_at=None,
        ),
        came_before("b2" * 16, "UGE5L8M3B2", ask_token_hash=asked["look-up"]),
        PlaceRow(
            rail="mpesa", place="600111", registered_at=None, pulled_until=None, swept_at=None,
            balance_minor=None, balance_at=None, asked_at=NOON, ask_token_hash=asked["balance"],
        ),
        MandateRow(
            id="b3" * 16, subscriber_id=subscriber_id, kind="order", rail="mpesa", state="asked",
            sealed=None, amount_minor=1_000, provider_id=None, consent="signed", due_at=None,
            callback_token_hash=asked["order"], consented_at=NOON, created_at=NOON, ended_at=None,
        ),
    )  # fmt: skip
    return office


def came_before(arrival_id: str, receipt: str, *, ask_token_hash: str | None = None) -> ArrivalRow:
    """Money that came, and waits for its place."""
    return ArrivalRow(
        id=arrival_id, rail="mpesa", receipt=receipt, place="600111", amount_minor=1_000,
        currency="KES", at=NOON, seen_at=NOON, roads="callback", state="suspense", order_id=None,
        received_id=None, due_at=None, ask_token_hash=ask_token_hash,
    )  # fmt: skip


def every(office: Office) -> list[Door]:
    """Every door whose address is told once, with its provider's own words."""
    return [
        Door("stk", f"{CALLBACK_PATH}{TOKENS['mpesa']}", stk(), _unsigned, office),
        Door("c2b", _of(office, doors.PAYBILL), confirmation(), _unsigned, office),
        Door("validate", _validate(office), confirmation(), _unsigned, office),
        Door("airtel", _of(office, doors.AIRTEL), AIRTEL, _unsigned, office),
        Door("card", _of(office, doors.CARD), CARD, card_signed, office),
        *_banks(office),
        Door("sms", _of(office, doors.SMS), REPORT, _unsigned, office),
    ]


def answers(office: Office) -> list[Door]:
    """Where M-PESA tells what became of what we asked it for."""
    return [
        Door("refund", RESULT_PATH + ASKED["refund"], REFUNDED, _unsigned, office),
        Door("look-up", RESULT_PATH + ASKED["look-up"], looked_up(), _unsigned, office),
        Door("balance", RESULT_PATH + ASKED["balance"], balances(), _unsigned, office),
        Door("order", ORDER_PATH + ASKED["order"], AGREED, _unsigned, office),
    ]


def told_of(office: Office, name: str) -> list[tuple[Door, bytes]]:
    """Money by each door where a payer has a name: every one of these payers has this one."""
    told = []
    for n, door in enumerate(every(office)):
        body = door.good
        for at in [at for at, _ in places(door.good) if str(at[-1]) in NAMES_OF_PAYERS]:
            body = with_at(body, at, name)
        if body is not door.good and door.name != "validate":
            words = json.dumps(body).replace("UGE5L8M3RZ", f"UGE5L8M3{n}").encode()
            told.append((door, words))
    return told


NAMES_OF_PAYERS = frozenset({"FirstName", "customerName", "firstName", "name"})


def _banks(office: Office) -> list[Door]:
    signed = BankSettings(Bank.KCB, "1100223344", public_key=KCB.public_key)
    basic = BankSettings(Bank.JENGA, "1100223344", user=USER, password=PASSWORD)
    at_kcb, at_equity = (
        replace(office, deps=replace(office.deps, bank=told)) for told in (signed, basic)
    )
    path = _of(office, doors.BANK)
    jenga = jenga_notice(PAID, user=USER, password=PASSWORD)
    return [
        Door(
            "kcb account", path, json.loads(KCB.account_notice(PAID, "1100223344").body),
            _signed_by_kcb, at_kcb,
        ),
        Door("kcb till", path, json.loads(KCB.till_notice(PAID).body), _signed_by_kcb, at_kcb),
        Door("equity", path, json.loads(jenga.body), lambda _: jenga.headers, at_equity),
    ]  # fmt: skip


def stk() -> dict[str, Any]:
    """M-PESA's word about an order of ours."""
    items = {
        "Amount": 10,
        "MpesaReceiptNumber": "UGEF0RGED1",
        "TransactionDate": 20261123120000,
        "PhoneNumber": 254712345678,
    }
    told = {
        "MerchantRequestID": "29115-1",
        "CheckoutRequestID": "ws_CO_mpesa",
        "ResultCode": 0,
        "ResultDesc": "as it went",
        "CallbackMetadata": {"Item": [{"Name": n, "Value": v} for n, v in items.items()]},
    }
    return {"Body": {"stkCallback": told}}


def confirmation() -> dict[str, Any]:
    """M-PESA's word about money that nobody asked for."""
    return {
        "TransactionType": "Pay Bill",
        "TransID": "UGEF0RGED2",
        "TransTime": "20261123120000",
        "TransAmount": "10.00",
        "BusinessShortCode": "600111",
        "BillRefNumber": "0712000001",
        "InvoiceNumber": "",
        "OrgAccountBalance": "100.00",
        "ThirdPartyTransID": "",
        "MSISDN": "2547 ***** 678",
        "FirstName": "Wanjiku",
        "MiddleName": "",
        "LastName": "Kamau",
    }


AIRTEL: dict[str, Any] = {
    "transaction": {
        "id": "ws_CO_airtel",
        "message": "Paid KES 10",
        "status_code": "TS",
        "airtel_money_id": "MP261123.1200.L00123",
    }
}
CARD: dict[str, Any] = {
    "event": "charge.success",
    "data": {
        "id": 4099260516,
        "reference": "ws_CO_card",
        "status": "success",
        "amount": 1_000,
        "currency": "KES",
        "gateway_response": "Approved",
        "paid_at": "2026-11-23T09:00:00.000Z",
        "customer": {"email": "w@example.com", "first_name": "Wanjiku", "phone": "0712345678"},
        "authorization": {"authorization_code": "AUTH_1", "last4": "4081", "reusable": True},
    },
}
REPORT: dict[str, Any] = {
    "id": "ATXid_1",
    "status": "Success",
    "phoneNumber": "+254712345678",
    "networkCode": "63902",
    "failureReason": "",
}


REFUNDED: dict[str, Any] = {
    "Result": {
        "ResultType": 0,
        "ResultCode": 0,
        "ResultDesc": "as it went",
        "OriginatorConversationID": "29115-2",
        "ConversationID": "AG_back",
        "TransactionID": "UGE5L8M3R1",
        "ResultParameters": {"ResultParameter": [{"Key": "Amount", "Value": "10.00"}]},
        "ReferenceData": {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": FAR}},
    }
}


def looked_up() -> dict[str, Any]:
    """What M-PESA found of money that had come."""
    told = {
        "ReceiptNo": "UGE5L8M3B2",
        "TransactionStatus": "Completed",
        "Amount": "10.00",
        "FinalisedTime": "20261123120000",
        "DebitPartyName": "254712345678 - Wanjiku Kamau",
        "CreditPartyName": "600111 - LANGO",
    }
    return _answered(told)


def balances() -> dict[str, Any]:
    """What our accounts hold, as M-PESA says."""
    return _answered({"AccountBalance": "Working Account|KES|700.00|700.00|0.00|0.00"})


def _answered(told: Mapping[str, str]) -> dict[str, Any]:
    pairs = [{"Key": key, "Value": value} for key, value in told.items()]
    result = {**REFUNDED["Result"], "ConversationID": "AG_asked"}
    return {"Result": {**result, "ResultParameters": {"ResultParameter": pairs}}}


AGREED: dict[str, Any] = {
    "responseHeader": {"responseRefID": "29115-3", "responseCode": "0", "responseDescription": ""},
    "responseBody": {
        "responseData": [
            {"name": "TransactionID", "value": "SC8F2IQMH5"},
            {"name": "responseCode", "value": "0"},
            {"name": "Status", "value": "OKAY"},
        ]
    },
}


def card_signed(body: bytes) -> dict[str, str]:
    """What shows that it is Paystack."""
    told = hmac.new(CARD_KEY.encode(), body, hashlib.sha512).hexdigest()
    return {"x-paystack-signature": told}


def _unsigned(_body: bytes) -> dict[str, str]:
    return {}


def _signed_by_kcb(body: bytes) -> dict[str, str]:
    return KCB.signed_bytes(body).headers


def _of(office: Office, name: str) -> str:
    return doors.address_of(office.deps, name).removeprefix(office.deps.settings.public_url)


def _validate(office: Office) -> str:
    return doors.validate_address(office.deps).removeprefix(office.deps.settings.public_url)
