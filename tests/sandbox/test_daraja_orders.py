"""Standing orders and pictures to pay with, as a merchant's client finds them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daraja import PAYER, a_world, sim_settings
from tests.support.merchant import Merchant, a_merchant, invariant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CREATE = "/standingorder/v1/createStandingOrderExternal"
QR = "/mpesa/qrcode/v1/generate"
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
async def merchant() -> AsyncIterator[Merchant]:
    async with a_merchant() as made:
        yield made


def a_body(merchant: Merchant, **changes: object) -> dict[str, object]:
    body = {
        "StandingOrderName": "ISP10023 monthly",
        "StartDate": TOMORROW.strftime("%Y%m%d"),
        "EndDate": (TOMORROW + timedelta(days=300)).strftime("%Y%m%d"),
        "BusinessShortCode": "600111",
        "TransactionType": "Standing Order Customer Pay Bill",
        "ReceiverPartyIdentifierType": "4",
        "Amount": "400",
        "PartyA": PAYER,
        "CallBackURL": merchant.door("order"),
        "AccountReference": "ISP10023",
        "TransactionDesc": "Home 10Mbps",
        "Frequency": "4",
    }
    return {**body, **changes}


async def agreed(merchant: Merchant) -> str:
    """The id of an order that the payer agreed to."""
    _, answer = await merchant.ask(CREATE, a_body(merchant))
    await merchant.world.type_pin()
    await merchant.at("order")
    return str(answer["ResponseHeader"]["responseRefID"])


async def run(merchant: Merchant, order: str) -> tuple[int, Any]:
    answer = await merchant.world.http.post(f"{merchant.world.url}/sim/orders/{order}/run")
    return answer.status_code, answer.json()


async def test_the_payer_is_asked_to_agree(merchant: Merchant) -> None:
    status, answer = await merchant.ask(CREATE, a_body(merchant))
    shown = await merchant.world.http.get(merchant.world.url)
    (prompt,) = await merchant.world.look("prompts")

    assert (status, answer["ResponseBody"]["responseCode"]) == (200, "200")
    assert "Do you want to pay KES 400 monthly to LANGO WIFI" in shown.text
    assert prompt["kind"] == "order"


async def test_an_agreement_is_told_with_small_keys_and_moves_nothing(merchant: Merchant) -> None:
    order = await agreed(merchant)
    (body,) = await merchant.at("order")
    told = {one["name"]: one["value"] for one in body["responseBody"]["responseData"]}

    assert body["responseHeader"]["responseRefID"] == order
    assert (told["responseCode"], told["Status"], told["Msisdn"]) == ("0", "OKAY", "254******678")
    assert (await merchant.world.look("settled"))["settled"] == []


@pytest.mark.parametrize("way", ["cancel", "0000"])
async def test_a_refusal_is_told_with_capital_keys(merchant: Merchant, way: str) -> None:
    _, answer = await merchant.ask(CREATE, a_body(merchant))
    if way == "cancel":
        await merchant.world.cancel()
    else:
        await merchant.world.type_pin(way)
    (body,) = await merchant.at("order")
    told = {one["Name"]: one["Value"] for one in body["ResponseBody"]["ResponseData"]}
    refused = await run(merchant, answer["ResponseHeader"]["responseRefID"])

    assert (told["TransactionID"], told["Status"]) == ("0000000000", "ERROR")
    assert told["responseCode"] == {"cancel": "1032", "0000": "2001"}[way]
    assert refused[0] == 404


async def test_nobodys_answer_is_a_refusal() -> None:
    async with a_merchant(sim_settings(prompt_life_s=1)) as merchant:
        await merchant.ask(CREATE, a_body(merchant))
        (body,) = await merchant.at("order")

    assert body["ResponseHeader"]["ResponseCode"] == "1037"


async def test_an_order_that_comes_due_is_confirmed_like_any_payment(merchant: Merchant) -> None:
    await merchant.register()
    order = await agreed(merchant)
    status, answer = await run(merchant, order)
    (body,) = await merchant.at("confirm")
    settled = (await merchant.world.look("settled"))["settled"]

    assert (status, body["TransID"], body["BillRefNumber"]) == (
        200,
        answer["receipt"],
        "ISP10023",
    )
    assert settled[0]["kind"] == "order"
    await invariant(merchant.world)


async def test_an_empty_wallet_is_told_to_the_payer_alone(merchant: Merchant) -> None:
    await merchant.register()
    order = await agreed(merchant)
    outcomes = [await run(merchant, order) for _ in range(3)]
    await merchant.at("confirm", 2)

    assert [status for status, _ in outcomes] == [200, 200, 409]
    assert outcomes[2][1] == {"receipt": None, "code": "1"}


async def test_a_wallet_may_be_said_to_be_empty(merchant: Merchant) -> None:
    order = await agreed(merchant)
    await merchant.world.set_faults(order_no_funds=True)
    status, _ = await run(merchant, order)
    messages = await merchant.world.look(f"lines/{PAYER}/messages")

    assert status == 409
    assert messages[0]["text"] == "Standing order ISP10023 monthly failed: not enough money."


async def test_a_payer_may_end_it(merchant: Merchant) -> None:
    order = await agreed(merchant)
    await merchant.world.http.post(f"{merchant.world.url}/sim/orders/{order}/cancel")
    status, _ = await run(merchant, order)

    assert status == 404
    assert (await merchant.world.look("orders"))[0]["state"] == "cancelled"


async def test_a_name_is_the_payers_only_one(merchant: Merchant) -> None:
    await agreed(merchant)
    status, answer = await merchant.ask(CREATE, a_body(merchant))

    assert (status, answer["errorMessage"]) == (400, "Bad Request - Invalid StandingOrderName")


async def test_an_agreement_may_never_be_told(merchant: Merchant) -> None:
    await merchant.world.set_faults(order_lost=True)
    await merchant.ask(CREATE, a_body(merchant))
    await merchant.world.type_pin()
    told = await merchant.world.seen("deliveries", len)

    assert (told[0]["road"], told[0]["kind"]) == ("standing order", "lost")
    assert (await merchant.world.look("orders"))[0]["state"] == "agreed"


async def test_keys_may_be_in_the_other_case(merchant: Merchant) -> None:
    await merchant.world.set_faults(order_other_case=True)
    await agreed(merchant)
    (body,) = await merchant.at("order")

    assert body["ResponseHeader"]["ResponseCode"] == "0"


INVALID = [
    ("StandingOrderName", ""),
    ("StartDate", "20200101"),
    ("StartDate", "2026-01-01"),
    ("EndDate", "20200101"),
    ("BusinessShortCode", "600112"),
    ("TransactionType", "Standing Order Customer Pay Merchant"),
    ("ReceiverPartyIdentifierType", "2"),
    ("Amount", "1.00"),
    ("PartyA", "0712345678"),
    ("CallBackURL", "https://pay.example.co.ke/cb"),
    ("AccountReference", "x" * 13),
    ("Frequency", "9"),
]


@pytest.mark.parametrize(("field", "value"), INVALID)
async def test_a_field_that_cannot_be_is_named(merchant: Merchant, field: str, value: str) -> None:
    status, answer = await merchant.ask(CREATE, a_body(merchant, **{field: value}))

    assert (status, answer["errorMessage"]) == (400, f"Bad Request - Invalid {field}")


async def test_a_till_has_a_type_of_its_own() -> None:
    async with a_merchant(sim_settings(till="5100200")) as merchant:
        status, _ = await merchant.ask(
            CREATE,
            a_body(
                merchant,
                BusinessShortCode="5100200",
                TransactionType="Standing Order Customer Pay Marchant",
                ReceiverPartyIdentifierType="2",
            ),
        )

    assert status == 200


def a_picture(**changes: object) -> dict[str, object]:
    body = {
        "MerchantName": "LANGO WIFI",
        "RefNo": "ISP10023",
        "Amount": 1500,
        "TrxCode": "PB",
        "CPI": "600111",
        "Size": "300",
    }
    return {**body, **changes}


async def test_a_picture_is_a_png_and_its_code_is_one_of_two(merchant: Merchant) -> None:
    answers = [(await merchant.ask(QR, a_picture()))[1] for _ in range(2)]

    assert base64.b64decode(answers[0]["QRCode"]).startswith(b"\x89PNG")
    assert answers[0]["ResponseCode"] == "00"
    assert answers[1]["ResponseCode"].startswith("AG_")


@pytest.mark.parametrize(
    ("field", "value"),
    [("TrxCode", "XX"), ("CPI", "1"), ("Size", "0"), ("Amount", 0), ("RefNo", "")],
)
async def test_a_picture_that_cannot_be_is_named(
    merchant: Merchant, field: str, value: object
) -> None:
    status, answer = await merchant.ask(QR, a_picture(**{field: value}))

    assert (status, answer["errorMessage"]) == (400, f"Bad Request - Invalid {field}")


@pytest.mark.parametrize(("fault", "sign"), [("clock_ahead_s", 1), ("clock_behind_s", -1)])
async def test_the_networks_clock_may_be_wrong(fault: str, sign: int) -> None:
    async with a_world() as world:
        await world.set_faults(**{fault: 300})
        await world.http.post(
            f"{world.url}/sim/pay", json={"msisdn": PAYER, "shillings": 1, "account": "A"}
        )
        at = datetime.fromisoformat((await world.look("settled"))["settled"][0]["at"])

    assert abs(at - datetime.now(UTC) - sign * timedelta(minutes=5)) < timedelta(minutes=1)
