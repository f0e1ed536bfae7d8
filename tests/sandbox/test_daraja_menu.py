"""Payments from the payer's own menu, as a merchant with registered addresses finds them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daraja import PAYER, sim_settings
from tests.support.merchant import Merchant, a_merchant, invariant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime.now(UTC)
SIMULATE = "/mpesa/c2b/v2/simulate"
FIELDS = {
    "TransactionType",
    "TransID",
    "TransTime",
    "TransAmount",
    "BusinessShortCode",
    "BillRefNumber",
    "InvoiceNumber",
    "OrgAccountBalance",
    "ThirdPartyTransID",
    "MSISDN",
    "FirstName",
    "MiddleName",
    "LastName",
}


@pytest.fixture
async def merchant() -> AsyncIterator[Merchant]:
    async with a_merchant() as made:
        yield made


async def confirmed(merchant: Merchant, **faults: object) -> dict[str, Any]:
    """The confirmation of a payment under ``faults``."""
    await merchant.register()
    await merchant.world.set_faults(**faults)
    await merchant.paid()
    (body,) = await merchant.at("confirm")
    return body


async def test_registering_is_answered_with_darajas_own_misspelling(merchant: Merchant) -> None:
    status, answer = await merchant.register()

    assert status == 200
    assert set(answer) == {"OriginatorCoversationID", "ResponseCode", "ResponseDescription"}
    assert answer["ResponseCode"] == "0"


async def test_a_sandbox_takes_addresses_again(merchant: Merchant) -> None:
    statuses = [(await merchant.register())[0] for _ in range(2)]

    assert statuses == [200, 200]


async def test_production_takes_addresses_once_until_operators_delete_them() -> None:
    async with a_merchant(replace(sim_settings(), production=True)) as merchant:
        first, again = await merchant.register(), await merchant.register()
        await merchant.world.http.delete(f"{merchant.world.url}/sim/urls")
        after, _ = await merchant.register()

    assert (first[0], again[0], after) == (200, 500, 200)
    assert (again[1]["errorCode"], again[1]["errorMessage"]) == (
        "500.003.1001",
        "Urls are already registered.",
    )


async def test_production_simulates_nothing() -> None:
    async with a_merchant(replace(sim_settings(), production=True)) as merchant:
        status, answer = await merchant.ask(SIMULATE, {})

    assert (status, answer["errorCode"]) == (404, "404.001.01")


async def test_the_wrong_version_is_a_matter_of_products(merchant: Merchant) -> None:
    status, answer = await merchant.register(version="v1")

    assert (status, answer["errorCode"]) == (401, "401.003.01")
    assert answer["errorMessage"].endswith("no apiproduct match found")


async def test_a_dead_token_is_a_400_here(merchant: Merchant) -> None:
    status, answer = await merchant.ask("/mpesa/c2b/v2/registerurl", {}, token="dead")

    assert (status, answer["errorCode"], answer["errorMessage"]) == (
        400,
        "400.003.01",
        "Invalid Access Token",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ShortCode", "600112"),
        ("ResponseType", "completed"),
        ("ConfirmationURL", "https://pay.example.co.ke/c2b"),
        ("ValidationURL", "http://127.0.0.1/mpesa/validate"),
    ],
)
async def test_a_field_that_cannot_be_registered_is_named(
    merchant: Merchant, field: str, value: str
) -> None:
    status, answer = await merchant.register(**{field: value})

    assert (status, answer["errorMessage"]) == (400, f"Bad Request - Invalid {field}")


async def test_a_confirmation_is_all_texts_and_names_account_and_receipt(
    merchant: Merchant,
) -> None:
    await merchant.register()
    receipt = await merchant.paid()
    (body,) = await merchant.at("confirm")

    assert set(body) == FIELDS
    assert all(isinstance(v, str) or v is None for v in body.values())
    assert (body["TransID"], body["BillRefNumber"], body["BusinessShortCode"]) == (
        receipt,
        "ISP10023",
        "600111",
    )
    assert re.fullmatch(r"[A-Z]{2}[0-9A-V][0-9][A-Z0-9]{6}", receipt)
    assert (body["TransactionType"], body["OrgAccountBalance"]) == ("Pay Bill", "10050.00")


async def test_amounts_are_written_with_and_without_cents(merchant: Merchant) -> None:
    await merchant.register()
    for _ in range(4):
        await merchant.paid()
    bodies = await merchant.at("confirm", 4) + await merchant.at("validate", 4)

    assert {b["TransAmount"] for b in bodies} == {"50", "50.00"}


async def test_a_number_is_masked_hashed_or_whole(merchant: Merchant) -> None:
    masked = await confirmed(merchant)
    await merchant.world.set_faults(payer_hashed=True)
    await merchant.paid()
    await merchant.world.set_faults(payer_plain=True)
    await merchant.paid()
    bodies = await merchant.at("confirm", 3)

    assert masked["MSISDN"] == "2547 ***** 678"
    assert [b["MSISDN"] for b in bodies[1:]] == [
        hashlib.sha256(PAYER.encode()).hexdigest(),
        PAYER,
    ]


async def test_version_1_hashes_the_number() -> None:
    async with a_merchant(replace(sim_settings(), c2b_version="v1")) as merchant:
        await merchant.register(version="v1")
        await merchant.paid()
        (body,) = await merchant.at("confirm")

    assert body["MSISDN"] == hashlib.sha256(PAYER.encode()).hexdigest()


async def test_a_validation_comes_first_without_balance(merchant: Merchant) -> None:
    await confirmed(merchant)
    (validation,) = await merchant.at("validate")
    (confirmation,) = await merchant.at("confirm")

    assert [door for door, _ in merchant.came] == ["validate", "confirm"]
    assert validation["OrgAccountBalance"] == ""
    assert validation["TransID"] == confirmation["TransID"]


async def test_a_merchants_own_id_is_echoed(merchant: Merchant) -> None:
    merchant.verdict = {"ResultCode": "0", "ResultDesc": "Accepted", "ThirdPartyTransID": "77"}
    body = await confirmed(merchant)

    assert body["ThirdPartyTransID"] == "77"


async def test_a_rejected_payment_moves_nothing(merchant: Merchant) -> None:
    await merchant.register()
    merchant.verdict = {"ResultCode": "C2B00012", "ResultDesc": "Rejected"}
    answer = await merchant.pays()
    messages = await merchant.world.look(f"lines/{PAYER}/messages")

    assert (answer.status_code, answer.json()["code"]) == (409, "C2B00012")
    assert (await merchant.world.look("settled"))["settled"] == []
    assert messages[0]["text"].startswith("Failed.")


@pytest.mark.parametrize(
    "verdict", [{"ResultCode": 0}, {}, [], "x", {"ResultCode": "C2B00099"}, {"ResultCode": None}]
)
@pytest.mark.parametrize(("kind", "status"), [("Completed", 200), ("Cancelled", 409)])
async def test_an_answer_that_is_none_leaves_it_to_what_was_registered(
    merchant: Merchant, verdict: object, kind: str, status: int
) -> None:
    await merchant.register(ResponseType=kind)
    merchant.verdict = verdict

    assert (await merchant.pays()).status_code == status


@pytest.mark.parametrize(("kind", "status"), [("Completed", 200), ("Cancelled", 409)])
async def test_silence_leaves_it_to_what_was_registered(kind: str, status: int) -> None:
    async with a_merchant(replace(sim_settings(), validation_ms=50)) as merchant:
        merchant.silent = True
        await merchant.register(ResponseType=kind)

        assert (await merchant.pays()).status_code == status


async def test_without_external_validation_nobody_is_asked() -> None:
    async with a_merchant(replace(sim_settings(), validated=False)) as merchant:
        await confirmed(merchant)

    assert [door for door, _ in merchant.came] == ["confirm"]


async def test_money_comes_without_addresses_too_and_nobody_is_told(merchant: Merchant) -> None:
    await merchant.paid()

    assert (await merchant.world.look("settled"))["shillings_total"] == 50
    assert await merchant.world.look("deliveries") == []


async def test_a_push_is_confirmed_with_its_receipt_and_account(merchant: Merchant) -> None:
    await merchant.register()
    await merchant.world.gateway().push(merchant.world.push(), NOW)
    await merchant.world.type_pin()
    (body,) = await merchant.at("confirm")
    settled = await merchant.world.look("settled")

    assert (body["TransID"], body["BillRefNumber"]) == (settled["settled"][0]["receipt"], "ABC123")
    assert settled["settled"][0]["kind"] == "stk"
    assert await merchant.world.shop.received()


async def test_a_confirmation_may_overtake_the_callback_of_a_push(merchant: Merchant) -> None:
    await merchant.register()
    await merchant.world.set_faults(confirm_before_callback=True)
    await merchant.world.gateway().push(merchant.world.push(), NOW)
    await merchant.world.type_pin()
    await merchant.world.shop.received()
    told = await merchant.world.seen("deliveries", lambda told: len(told) == 2)

    assert [d["road"] for d in told] == ["confirmation", "callback"]


async def test_simulating_is_paying(merchant: Merchant) -> None:
    await merchant.register()
    status, answer = await merchant.ask(
        SIMULATE,
        {
            "ShortCode": 600111,
            "CommandID": "CustomerPayBillOnline",
            "Amount": 1,
            "Msisdn": 254708374149,
            "BillRefNumber": "ISP10023",
        },
    )
    (body,) = await merchant.at("confirm")

    assert (status, answer["ResponseDescription"]) == (
        200,
        "Accept the service request successfully.",
    )
    assert body["BillRefNumber"] == "ISP10023"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ShortCode", 1),
        ("CommandID", "Gift"),
        ("Amount", 0),
        ("Amount", "1.00"),
        ("Msisdn", "0712345678"),
        ("BillRefNumber", None),
        ("BillRefNumber", "x" * 21),
    ],
)
async def test_a_field_that_cannot_be_simulated_is_named(
    merchant: Merchant, field: str, value: object
) -> None:
    body = {
        "ShortCode": 600111,
        "CommandID": "CustomerPayBillOnline",
        "Amount": 1,
        "Msisdn": 254708374149,
        "BillRefNumber": "ISP10023",
    }
    status, answer = await merchant.ask(SIMULATE, {**body, field: value})

    assert (status, answer["errorMessage"]) == (400, f"Bad Request - Invalid {field}")


async def test_a_till_takes_no_account() -> None:
    async with a_merchant(sim_settings(till="5100200")) as merchant:
        await merchant.register(ShortCode="5100200")
        await merchant.paid(till=True, account="")
        (body,) = await merchant.at("confirm")

    assert (body["TransactionType"], body["BusinessShortCode"], body["BillRefNumber"]) == (
        "Buy Goods",
        "5100200",
        "",
    )


async def test_who_has_too_little_pays_nothing(merchant: Merchant) -> None:
    await merchant.register()
    answer = await merchant.pays(shillings=1001)

    assert (answer.status_code, answer.json()["code"]) == (409, "1")
    assert merchant.came == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"msisdn": "0712345678"}, "msisdn"),
        ({"shillings": 0}, "shillings"),
        ({"shillings": True}, "shillings"),
        ({"shillings": 250_001}, "shillings"),
        ({"account": ""}, "account"),
        ({"account": "x" * 21}, "account"),
        ({"till": True}, "till"),
    ],
)
async def test_a_payment_that_cannot_be_is_named(
    merchant: Merchant, changes: dict[str, object], named: str
) -> None:
    answer = await merchant.pays(**changes)

    assert (answer.status_code, list(answer.json()["faults"])) == (422, [named])


async def test_a_charge_is_a_row_of_its_own_with_the_same_receipt(merchant: Merchant) -> None:
    receipt = await merchant.paid(shillings=1000)
    settled = (await merchant.world.look("settled"))["settled"]

    assert [(s["kind"], s["receipt"], s["shillings"]) for s in settled] == [
        ("c2b", receipt, 1000),
        ("charge", receipt, -6),
    ]


async def test_a_lost_confirmation_is_recorded_and_never_sent(merchant: Merchant) -> None:
    await merchant.register()
    await merchant.world.set_faults(confirm_lost=True)
    await merchant.paid()
    told = await merchant.world.seen("deliveries", lambda told: len(told) == 2)

    assert [(d["road"], d["kind"]) for d in told] == [
        ("validation", "true"),
        ("confirmation", "lost"),
    ]


async def test_a_doubled_confirmation_is_the_same_twice(merchant: Merchant) -> None:
    await confirmed(merchant, confirm_doubled=True)
    first, second = await merchant.at("confirm", 2)

    assert first == second


async def test_ten_confirmations_come_at_once(merchant: Merchant) -> None:
    await confirmed(merchant, confirm_ten_at_once=True)
    bodies = await merchant.at("confirm", 10)

    assert len({body["TransID"] for body in bodies}) == 1


async def test_a_forgery_confirms_what_never_came(merchant: Merchant) -> None:
    body = await confirmed(merchant, confirm_forged=True)
    _, true = await merchant.at("confirm", 2)
    settled = await merchant.world.look("settled")

    assert body["TransAmount"].removesuffix(".00") == "500"
    assert body["TransID"] != true["TransID"]
    assert [s["receipt"] for s in settled["settled"]] == [true["TransID"]]


async def test_a_push_to_a_till_is_confirmed_without_account() -> None:
    async with a_merchant(sim_settings(till="5100200")) as merchant:
        await merchant.register()
        await merchant.world.gateway().push(merchant.world.push(), NOW)
        await merchant.world.type_pin()
        (body,) = await merchant.at("confirm")

    assert (body["BusinessShortCode"], body["BillRefNumber"]) == ("5100200", "")


async def test_a_late_confirmation_comes_after_the_money(merchant: Merchant) -> None:
    await merchant.register()
    await merchant.world.set_faults(confirm_late_s=1)
    await merchant.paid()
    early = [door for door, _ in merchant.came]
    await merchant.at("confirm")

    assert early == ["validate"]


async def test_addresses_may_be_taken_already(merchant: Merchant) -> None:
    await merchant.world.set_faults(urls_taken=True)
    status, answer = await merchant.register()

    assert (status, answer["errorCode"]) == (500, "500.003.1001")


@pytest.mark.parametrize(
    ("fault", "typed"),
    [
        ("account_mistyped", "ISP1023"),
        ("account_lower", "isp10023"),
        ("account_spaced", " ISP 100-23 "),
        ("account_letters", "ISPIOO23"),
    ],
)
async def test_what_fingers_do_stands_in_all_that_follows(
    merchant: Merchant, fault: str, typed: str
) -> None:
    body = await confirmed(merchant, **{fault: True})
    settled = await merchant.world.look("settled")

    assert (body["BillRefNumber"], settled["settled"][0]["account"]) == (typed, typed)


async def test_money_adds_up_over_menu_and_push(merchant: Merchant) -> None:
    await merchant.register()
    await merchant.paid(shillings=600)
    await merchant.world.http.post(
        f"{merchant.world.url}/sim/lines/{PAYER}/top-up", json={"shillings": 700}
    )
    await merchant.pays(shillings=5_000)
    await merchant.world.gateway().push(merchant.world.push(), NOW)
    await merchant.world.type_pin()
    await merchant.world.shop.received()

    await invariant(merchant.world)
