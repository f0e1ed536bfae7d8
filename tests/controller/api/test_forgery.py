"""What anybody may post at our doors, right in shape and wrong in fact: it brings nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from sqlalchemy import select

from billing.ids import OrderId, PlanId, SiteId
from billing.msisdn import parse_msisdn
from controller.api.source import HOPS_MAX, source_of
from controller.config_sections import HttpSettings
from controller.payments.airtel import AirtelGateway
from controller.payments.airtel_settings import AirtelSettings
from controller.payments.bank_notice import Bank, BankSettings
from controller.payments.memory import MemoryGateway
from controller.payments.paystack import PaystackGateway
from controller.payments.paystack_settings import PaystackSettings
from controller.payments.tokens import MemoryTokenStore
from controller.sandbox.bank.movements import Movement, What
from controller.sandbox.bank.notices import SigningBank
from controller.store.payment_rows import ArrivalRow, RefundRow
from controller.store.rows import GrantRow, InboxRow, LedgerTransactionRow, PaymentRow
from controller.store.site_rows import NoticeRow
from controller.usecases import doors
from controller.usecases.purchase import NewOrder, purchase
from controller.usecases.refunds import refund
from tests.support.office import NOON, Office, a_plan, a_site, a_subscriber, caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.payments.memory import Asked

FIRST, SECOND = OrderId("1" * 32), OrderId("2" * 32)
SHORTCODE = "600111"
KEY = "sk_test_ours"
BANK = SigningBank()
TRUE_SOURCE = "196.201.214.200"


async def a_shop(office: Office) -> None:
    await office.keep(a_site(), a_plan(), a_subscriber(msisdn="254700000001"))


async def ordered(office: Office, order_id: OrderId = FIRST, phone: str = "0712345678") -> Asked:
    """A live order of KES 10, as M-PESA knows it."""
    mac = f"02:00:00:00:00:0{order_id[0]}"
    plan, site = PlanId("hours-2"), SiteId("estate-1")
    await purchase(office.deps, site, NewOrder(order_id, plan, parse_msisdn(phone), mac, 0))
    return list(memory(office).asked.values())[-1]


def memory(office: Office) -> MemoryGateway:
    gateway = office.deps.gateway
    assert isinstance(gateway, MemoryGateway)
    return gateway


def path_of(office: Office, asked: Asked) -> str:
    return asked.push.callback_url.removeprefix(office.deps.settings.public_url)


def door(office: Office, name: str) -> str:
    return doors.address_of(office.deps, name).removeprefix(office.deps.settings.public_url)


async def post(office: Office, path: str, body: bytes, **headers: str) -> httpx2.Response:
    async with caller(office, None) as client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.post(path, content=body, headers=named)


def callback(asked: Asked, *, code: object = 0, **changes: object) -> bytes:
    """A success for this order, right in every part that is not changed."""
    items: dict[str, object] = {
        "Amount": 10,
        "MpesaReceiptNumber": "UGEF0RGED1",
        "PhoneNumber": 254712345678,
        **{name: value for name, value in changes.items() if name[0].isupper()},
    }
    told = {
        "MerchantRequestID": "29115-1",
        "CheckoutRequestID": changes.get("name", asked.provider_id),
        "ResultCode": code,
        "ResultDesc": "as it went",
        "CallbackMetadata": {"Item": [{"Name": n, "Value": v} for n, v in items.items()]},
    }
    return json.dumps({"Body": {"stkCallback": told}}).encode()


def confirmation(**changes: object) -> bytes:
    told: dict[str, object] = {
        "TransactionType": "Pay Bill",
        "TransID": "UGEF0RGED2",
        "TransTime": "20260714093041",
        "TransAmount": "10.00",
        "BusinessShortCode": SHORTCODE,
        "BillRefNumber": "0700000001",
        "MSISDN": "2547 ***** 678",
        **changes,
    }
    return json.dumps(told).encode()


async def rows(office: Office, kind: type[Any]) -> list[Any]:
    async with office.deps.db.read() as tx:
        return list(await tx.scalars(select(kind)))


async def nothing_came(office: Office) -> bool:
    """Neither goods nor money: the ledger is empty."""
    found = [await rows(office, kind) for kind in (GrantRow, LedgerTransactionRow)]
    return found == [[], []]


async def state_of(office: Office, order_id: OrderId = FIRST) -> str:
    async with office.deps.db.read() as tx:
        return (await tx.get_one(PaymentRow, order_id)).state


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"Amount": 1}, "amount_differs"),
        ({"Amount": 11}, "amount_differs"),
        ({"Amount": "10.01"}, "amount_differs"),
        ({"BusinessShortCode": "999999"}, "shortcode_differs"),
        ({"name": "ws_CO_of_somebody_else"}, "provider_id_differs"),
        ({"code": None}, "unreadable"),
        ({"code": ""}, "unreadable"),
        ({"code": False}, "unreadable"),
        ({"Amount": None}, "unreadable"),
        ({"MpesaReceiptNumber": ""}, "unreadable"),
    ],
    ids=str,
)
async def test_a_callback_that_is_right_but_for_one_thing_brings_nothing(
    office: Office, changes: dict[str, object], verdict: str
) -> None:
    await a_shop(office)
    asked = await ordered(office)
    told = dict(changes)
    body = callback(asked, code=told.pop("code", 0), **told)
    answer = await post(office, path_of(office, asked), body)

    assert answer.status_code == 200
    (kept,) = await rows(office, InboxRow)
    assert (kept.verdict, await state_of(office)) == (verdict, "pending")
    assert await nothing_came(office)


async def test_a_callback_at_the_address_of_another_order_brings_nothing(office: Office) -> None:
    await a_shop(office)
    mine = await ordered(office)
    other = await ordered(office, SECOND, "0712000002")
    memory(office).pay(mine.provider_id, office.clock())
    await post(office, path_of(office, other), memory(office).callback(mine.provider_id))

    assert [await state_of(office, one) for one in (FIRST, SECOND)] == ["pending", "pending"]
    assert await nothing_came(office)


async def test_a_receipt_that_paid_for_one_order_pays_for_no_other(office: Office) -> None:
    await a_shop(office)
    mine = await ordered(office)
    other = await ordered(office, SECOND, "0712000002")
    receipt = memory(office).pay(mine.provider_id, office.clock())
    await post(office, path_of(office, mine), memory(office).callback(mine.provider_id))
    for spelt in (receipt, receipt.lower(), f" {receipt} "):
        body = callback(other, MpesaReceiptNumber=spelt)
        await post(office, path_of(office, other), body)

    assert [await state_of(office, one) for one in (FIRST, SECOND)] == ["settled", "pending"]
    assert len(await rows(office, GrantRow)) == 1
    assert "receipt_used" in {one.code for one in await rows(office, NoticeRow)}


async def test_a_failure_that_somebody_sends_does_not_keep_true_money_out(office: Office) -> None:
    await a_shop(office)
    asked = await ordered(office)
    await post(office, path_of(office, asked), callback(asked, code=1032))
    refused = await state_of(office)
    memory(office).pay(asked.provider_id, office.clock())
    await post(office, path_of(office, asked), memory(office).callback(asked.provider_id))

    assert (refused, await state_of(office)) == ("refused", "settled")
    assert len(await rows(office, GrantRow)) == 1


@pytest.mark.parametrize("path", ["/callbacks/stk/", "/callbacks/results/", "/callbacks/orders/"])
async def test_an_address_that_is_nearly_right_is_none(office: Office, path: str) -> None:
    await a_shop(office)
    asked = await ordered(office)
    token = path_of(office, asked).rpartition("/")[2]
    async with caller(office, None) as client:
        for guess in (token[:-1], token + "0", token.upper() + "x", "0" * 48, f"{token}/", "..%2f"):
            answer = await client.post(path + guess, content=callback(asked))
            assert 300 <= answer.status_code < 500

    assert await nothing_came(office)
    assert await rows(office, InboxRow) == []


@pytest.mark.parametrize(
    "path",
    [
        "/callbacks/c2b/{}/confirm",
        "/callbacks/c2b/{}/validate",
        "/callbacks/airtel/{}",
        "/callbacks/card/{}",
        "/callbacks/bank/{}",
        "/callbacks/sms/{}",
    ],
)
async def test_a_door_opens_to_its_own_secret_only(office: Office, path: str) -> None:
    await a_shop(office)
    every = {name: doors.secret_of(office.deps.vault, name) for name in doors.DOORS}
    kind = path.split("/")[2]
    own = {"c2b": "paybill"}.get(kind, kind)
    wrong = [value for name, value in every.items() if name != own]
    async with caller(office, None) as client:
        for guess in (*wrong, every[own][:-1], f"{every[own]}0", "0" * 48, "ü" * 48):
            answer = await client.post(path.format(guess), content=confirmation())
            assert answer.status_code == 404

    assert await rows(office, ArrivalRow) == []


async def test_money_of_another_shortcode_is_none_of_ours(office: Office) -> None:
    await a_shop(office)
    path = door(office, doors.PAYBILL)
    answer = await post(office, path, confirmation(BusinessShortCode="999999"))
    asked = await post(
        office, path.replace("confirm", "validate"), confirmation(BusinessShortCode="999999")
    )

    assert answer.json()["ResultCode"] == 0
    assert asked.json()["ResultCode"] == "C2B00015"
    assert await rows(office, ArrivalRow) == []
    assert "shortcode_differs" in {one.code for one in await rows(office, NoticeRow)}


async def test_a_dear_confirmation_from_who_knows_the_address_books_nothing(office: Office) -> None:
    await a_shop(office)
    for _ in range(3):
        await post(office, door(office, doors.PAYBILL), confirmation(TransAmount="200000.00"))

    (row,) = await rows(office, ArrivalRow)
    assert row.state == "doubted"
    assert await nothing_came(office)


async def test_a_known_receipt_with_another_amount_books_no_more(office: Office) -> None:
    await a_shop(office)
    for amount in ("10.00", "4999.00", "1.00"):
        await post(office, door(office, doors.PAYBILL), confirmation(TransAmount=amount))

    (row,) = await rows(office, ArrivalRow)
    assert row.amount_minor == 1_000
    assert "arrival_differs" in {one.code for one in await rows(office, NoticeRow)}


# --- cards and Airtel


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield client


def with_rails(office: Office, http: httpx2.AsyncClient) -> Office:
    """The office with the gateways that ship, which reach nobody here."""
    told = AirtelSettings("http://127.0.0.1:9", "id", "secret", merchant="shop")
    cards = PaystackGateway(PaystackSettings(KEY, "shop", "http://127.0.0.1:9"), http=http)
    airtel = AirtelGateway(told, http=http, tokens=MemoryTokenStore())
    return replace(office, deps=replace(office.deps, more_gateways=(airtel, cards)))


async def a_payment(office: Office, rail: str) -> None:
    """A live order of KES 10 by a rail whose provider is far away."""
    await a_shop(office)
    await office.keep(
        PaymentRow(
            order_id=FIRST,
            purpose="grant",
            site_id="estate-1",
            subscriber_id="5" * 32,
            plan_id="hours-2",
            device_mac="02:00:00:00:00:01",
            msisdn="254712345678",
            rail=rail,
            shortcode="shop",
            amount_minor=1_000,
            currency="KES",
            reference="ABCDEFGHIJKL",
            state="pending",
            code="",
            provider_id=FIRST,
            callback_token_hash="0" * 64,
            created_at=NOON,
            pushed_at=NOON,
        )
    )


def charged(**changes: object) -> bytes:
    told = {
        "id": 4099260516,
        "reference": FIRST,
        "status": "success",
        "amount": 1_000,
        "currency": "KES",
        **changes,
    }
    return json.dumps({"event": "charge.success", "data": told}).encode()


def signed(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


@pytest.mark.parametrize("sign", ["", "0" * 128, "other key", "of another body", "short"])
async def test_a_card_event_without_the_right_signature_brings_nothing(
    office: Office, http: httpx2.AsyncClient, sign: str
) -> None:
    shop = with_rails(office, http)
    await a_payment(shop, "card")
    body = charged()
    shown = {
        "other key": signed(body, "sk_test_guess"),
        "of another body": signed(charged(amount=999)),
        "short": signed(body)[:-1],
    }.get(sign, sign)
    answer = await post(shop, door(shop, doors.CARD), body, x_paystack_signature=shown)

    assert answer.status_code == 200
    assert await state_of(shop) == "pending"
    assert await nothing_came(shop)


@pytest.mark.parametrize(
    "changes", [{"amount": 999}, {"currency": "USD"}, {"status": "failed"}, {"reference": SECOND}]
)
async def test_a_signed_event_that_does_not_fit_brings_nothing(
    office: Office, http: httpx2.AsyncClient, changes: dict[str, object]
) -> None:
    shop = with_rails(office, http)
    await a_payment(shop, "card")
    body = charged(**changes)
    await post(shop, door(shop, doors.CARD), body, x_paystack_signature=signed(body))

    assert await state_of(shop) == "pending"
    assert await nothing_came(shop)


async def test_the_same_event_rightly_signed_settles_once(
    office: Office, http: httpx2.AsyncClient
) -> None:
    shop = with_rails(office, http)
    await a_payment(shop, "card")
    body = charged()
    for _ in range(3):
        await post(shop, door(shop, doors.CARD), body, x_paystack_signature=signed(body))

    assert await state_of(shop) == "settled"
    assert len(await rows(shop, GrantRow)) == 1


async def test_what_airtel_is_said_to_say_only_makes_us_ask(
    office: Office, http: httpx2.AsyncClient
) -> None:
    shop = with_rails(office, http)
    await a_payment(shop, "airtel")
    told = {"id": FIRST, "status_code": "TS", "airtel_money_id": "MP260714.1015.L00123"}
    await post(shop, door(shop, doors.AIRTEL), json.dumps({"transaction": told}).encode())

    (row,) = await rows(shop, PaymentRow)
    assert (row.state, row.next_query_at) == ("pending", office.clock())
    assert await nothing_came(shop)


# --- banks


def with_bank(office: Office, bank: Bank) -> Office:
    told = (
        BankSettings(bank, "1100223344", public_key=BANK.public_key)
        if bank is Bank.KCB
        else BankSettings(bank, "1100223344", user="lango", password="a-word-of-ours")
    )
    return replace(office, deps=replace(office.deps, bank=told))


def a_movement(cents: int = 150_000) -> Movement:
    at = datetime(2026, 7, 14, 10, 15, 2, tzinfo=UTC)
    return Movement(at, What.PAID, cents, "UGE5L8M3RZ", "0700000001", "254700000001", "A B")


@pytest.mark.parametrize("forged", ["no signature", "another key", "another amount", "not base64"])
async def test_a_notice_that_the_bank_did_not_sign_brings_nothing(
    office: Office, forged: str
) -> None:
    shop = with_bank(office, Bank.KCB)
    await a_shop(shop)
    true = BANK.account_notice(a_movement(), "1100223344")
    other = SigningBank().account_notice(a_movement(), "1100223344")
    more = BANK.account_notice(a_movement(900_000), "1100223344")
    (name,) = (one for one in true.headers if one.lower() == "signature")
    signature = {
        "no signature": "",
        "another key": other.headers[name],
        "another amount": more.headers[name],
        "not base64": "?" + true.headers[name][1:],
    }[forged]
    answer = await post(shop, door(shop, doors.BANK), true.body, Signature=signature)

    assert answer.status_code == 400
    assert await rows(shop, ArrivalRow) == []


async def test_the_notice_that_the_bank_signed_is_money_once(office: Office) -> None:
    shop = with_bank(office, Bank.KCB)
    await a_shop(shop)
    true = BANK.account_notice(a_movement(), "1100223344")
    for _ in range(2):
        answer = await post(shop, door(shop, doors.BANK), true.body, **true.headers)
        assert answer.status_code == 200

    (row,) = await rows(shop, ArrivalRow)
    assert (row.state, row.amount_minor) == ("credited", 150_000)


@pytest.mark.parametrize("shown", ["", "lango:guess", "Lango:a-word-of-ours", "lango:"])
async def test_a_notice_without_the_user_and_password_of_ours_brings_nothing(
    office: Office, shown: str
) -> None:
    shop = with_bank(office, Bank.JENGA)
    await a_shop(shop)
    coded = base64.b64encode(shown.encode()).decode()
    body = json.dumps(
        {
            "transaction": {"reference": "UGE5L8M3RZ", "amount": 1500, "status": "SUCCESS"},
            "bank": {"transactionType": "C"},
        }
    ).encode()
    answer = await post(shop, door(shop, doors.BANK), body, Authorization=f"Basic {coded}")

    assert answer.status_code == 400
    assert await rows(shop, ArrivalRow) == []


# --- results of what we asked for


async def test_a_result_of_another_refund_says_nothing_of_ours(office: Office) -> None:
    await a_shop(office)
    await post(office, door(office, doors.PAYBILL), confirmation())
    await post(office, door(office, doors.PAYBILL), confirmation(TransID="UGEF0RGED3"))
    names = []
    for row in sorted(await rows(office, ArrivalRow), key=lambda one: one.receipt):
        names.append(row.id)
        await refund(office.deps, row.id, amount=None, reason="asked", idempotent=row.id)
    first, second = names
    sent = memory(office).refunds
    path = sent[first].callback_url.removeprefix(office.deps.settings.public_url)
    for code in ("0", "1"):
        await post(office, path, memory(office).refund_result(second, code=code))

    states = {one.id: one.state for one in await rows(office, RefundRow)}
    assert states == {first: "pending", second: "pending"}
    await post(office, path, memory(office).refund_result(first))
    states = {one.id: one.state for one in await rows(office, RefundRow)}
    assert states == {first: "settled", second: "pending"}


# --- who asks

PROXY, INNER = "10.0.0.1", "10.0.0.2"


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", TRUE_SOURCE, "203.0.113.9"),
        (PROXY, "", PROXY),
        (PROXY, TRUE_SOURCE, TRUE_SOURCE),
        (PROXY, f"{TRUE_SOURCE}, 203.0.113.9", "203.0.113.9"),
        (PROXY, f"{TRUE_SOURCE},203.0.113.9,{INNER}", "203.0.113.9"),
        (PROXY, f"{INNER}, {PROXY}", PROXY),
        (PROXY, f"{TRUE_SOURCE}, , ", TRUE_SOURCE),
        (PROXY, f"{TRUE_SOURCE}, unknown", "unknown"),
        (PROXY, "1" * 500, "1" * 45),
        (PROXY, ", ".join([TRUE_SOURCE, *[PROXY] * HOPS_MAX]), PROXY),
        (PROXY, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_only_what_our_own_proxies_wrote_says_who_asks(
    peer: str, forwarded: str, source: str
) -> None:
    assert source_of(peer, forwarded, proxies=(PROXY, INNER)) == source


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        ((), TRUE_SOURCE, "127.0.0.1"),
        (("127.0.0.1",), f"{TRUE_SOURCE}, 203.0.113.9", "203.0.113.9"),
        (("127.0.0.1",), TRUE_SOURCE, TRUE_SOURCE),
    ],
)
async def test_a_written_address_is_believed_of_our_proxy_only(
    office: Office, proxies: tuple[str, ...], forwarded: str, seen: str
) -> None:
    http = HttpSettings(public_url=office.deps.settings.public_url, proxies=proxies)
    told = office.deps.settings.model_copy(update={"http": http})
    shop = replace(office, deps=replace(office.deps, settings=told))
    await a_shop(shop)
    asked = await ordered(shop)
    body = callback(asked, Amount=1)
    await post(shop, path_of(shop, asked), body, X_Forwarded_For=forwarded)

    (said,) = [one for one in await rows(shop, NoticeRow) if one.code == "amount_differs"]
    assert f"callback from {seen}" in said.text
