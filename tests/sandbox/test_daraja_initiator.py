"""Status, reversal, payout, balance: taken now, told later, as a client finds them."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.daraja import PAYER, sim_settings
from tests.support.merchant import Merchant, a_merchant, invariant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATHS = {
    "status": "/mpesa/transactionstatus/v1/query",
    "reversal": "/mpesa/reversal/v1/request",
    "b2c": "/mpesa/b2c/v3/paymentrequest",
    "b2c-v1": "/mpesa/b2c/v1/paymentrequest",
    "balance": "/mpesa/accountbalance/v1/query",
}
NOBODYS = "UKQ4K7T2QX"


@pytest.fixture
async def merchant() -> AsyncIterator[Merchant]:
    async with a_merchant() as made:
        yield made


async def certificate(merchant: Merchant) -> x509.Certificate:
    answer = await merchant.world.http.get(f"{merchant.world.url}/sim/certificate")
    return x509.load_pem_x509_certificate(answer.content)


async def a_credential(merchant: Merchant, *, password: str | None = None) -> str:
    key = (await certificate(merchant)).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    told = (password or merchant.world.settings.initiator_password).encode()
    return base64.b64encode(key.encrypt(told, padding.PKCS1v15())).decode()


async def a_body(merchant: Merchant, api: str, **changes: object) -> dict[str, object]:
    name = merchant.world.settings.initiator_name
    body: dict[str, object] = {
        "SecurityCredential": await a_credential(merchant),
        "Remarks": "a check",
        "ResultURL": merchant.door("result"),
        "QueueTimeOutURL": merchant.door("timeout"),
    }
    asked = {"PartyA": "600111", "IdentifierType": "4", "Initiator": name}
    paying = {"Amount": "10", "PartyA": "600111", "PartyB": PAYER, "InitiatorName": name}
    own: dict[str, dict[str, object]] = {
        "status": {**asked, "CommandID": "TransactionStatusQuery", "TransactionID": NOBODYS},
        "reversal": {
            "Initiator": name,
            "CommandID": "TransactionReversal",
            "TransactionID": NOBODYS,
            "Amount": "50",
            "ReceiverParty": "600111",
            "RecieverIdentifierType": "11",
        },
        "b2c": {**paying, "CommandID": "BusinessPayment", "OriginatorConversationID": "r-1"},
        "b2c-v1": {**paying, "CommandID": "BusinessPayment"},
        "balance": {**asked, "CommandID": "AccountBalance"},
    }
    told = {**body, **own[api], **changes}
    return {key: value for key, value in told.items() if value is not ...}


async def asked(merchant: Merchant, api: str, **changes: object) -> tuple[int, Any]:
    return await merchant.ask(PATHS[api], await a_body(merchant, api, **changes))


async def results(merchant: Merchant, count: int = 1) -> list[dict[str, Any]]:
    return [body["Result"] for body in await merchant.at("result", count)]


async def result_of(merchant: Merchant, api: str, **changes: object) -> dict[str, Any]:
    """The result that a request brings."""
    before = len([door for door, _ in merchant.came if door == "result"])
    status, answer = await asked(merchant, api, **changes)
    assert status == 200, answer
    return (await results(merchant, before + 1))[before]


def pairs(result: dict[str, Any]) -> list[tuple[str, Any]]:
    told = result["ResultParameters"]["ResultParameter"]
    return [(one["Key"], one.get("Value")) for one in told]


async def test_the_certificate_ran_out_long_ago(merchant: Merchant) -> None:
    assert (await certificate(merchant)).not_valid_after_utc < datetime(2019, 1, 1, tzinfo=UTC)


async def test_a_key_that_is_kept_outlives_a_restart(tmp_path: Path) -> None:
    settings = replace(sim_settings(), key_path=str(tmp_path / "key.pem"))
    keys = []
    for _ in range(2):
        async with a_merchant(settings) as merchant:
            keys.append((await certificate(merchant)).public_key())

    assert keys[0] == keys[1]
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("api", PATHS)
async def test_a_request_is_acknowledged_in_texts(merchant: Merchant, api: str) -> None:
    status, answer = await asked(merchant, api)

    assert status == 200
    assert set(answer) == {
        "OriginatorConversationID",
        "ConversationID",
        "ResponseCode",
        "ResponseDescription",
    }
    assert answer["ConversationID"].startswith("AG_")


DEAD = """
status    400  400.003.01  Invalid Access Token
reversal  404  404.001.03  Invalid Access Token
b2c       401  401.001     Invalid Access Token
balance   401  401.002.01  Error Occurred - Invalid Access Token - dead
"""


@pytest.mark.parametrize("line", DEAD.split("\n")[1:-1])
async def test_each_api_calls_a_dead_token_by_its_own_code(merchant: Merchant, line: str) -> None:
    api, status, code, words = line.split(maxsplit=3)
    told, answer = await merchant.ask(PATHS[api], {}, token="dead")

    assert (told, answer["errorCode"], answer["errorMessage"]) == (int(status), code, words)


INVALID = """
reversal  RecieverIdentifierType  ...       RecieverIdentifierType
reversal  RecieverIdentifierType  "4"       RecieverIdentifierType
reversal  Amount                  "1.50"    Amount
reversal  TransactionID           "x"       TransactionID
reversal  ReceiverParty           "600112"  ReceiverParty
reversal  Remarks                 "x"       Remarks
b2c       InitiatorName           ...       InitiatorName
b2c       OriginatorConversationID  ...     OriginatorConversationID
b2c       PartyB                  "0712345678"  PartyB
b2c       CommandID               "Gift"    CommandID
b2c       SecurityCredential      "x"       SecurityCredential
b2c       SecurityCredential      ...       SecurityCredential
b2c       ResultURL               "http://10.0.0.1/r"  ResultURL
status    Initiator               ...       Initiator
status    TransactionID           ""        OriginalConversationID
status    IdentifierType          "1"       IdentifierType
balance   PartyA                  "1"       PartyA
balance   QueueTimeOutURL         ...       QueueTimeOutURL
"""


@pytest.mark.parametrize("line", INVALID.split("\n")[1:-1])
async def test_a_field_that_cannot_be_is_named(merchant: Merchant, line: str) -> None:
    api, field, value, named = line.split()
    changes = {field: ... if value == "..." else value.strip('"')}
    status, answer = await asked(merchant, api, **changes)

    assert (status, answer["errorMessage"]) == (400, f"Bad Request - Invalid {named}")


@pytest.mark.parametrize(
    ("api", "key"), [("b2c", "Occasion"), ("b2c", "Initiator"), ("reversal", "Occassion")]
)
async def test_a_key_in_another_apis_spelling_is_refused(
    merchant: Merchant, api: str, key: str
) -> None:
    status, answer = await asked(merchant, api, **{key: "x"})

    assert (status, answer["errorCode"]) == (400, "400.002.05")


async def test_a_wrong_password_is_told_by_result(merchant: Merchant) -> None:
    wrong = await a_credential(merchant, password="wrong")
    result = await result_of(merchant, "balance", SecurityCredential=wrong)

    assert result["ResultCode"] == "2001"
    assert "ResultParameters" not in result


@pytest.mark.parametrize("spoilt", ["A" * 343 + "=", base64.b64encode(b"x" * 256).decode()])
async def test_what_cannot_be_decrypted_is_a_wrong_password(
    merchant: Merchant, spoilt: str
) -> None:
    result = await result_of(merchant, "reversal", SecurityCredential=spoilt)

    assert result["ResultCode"] == 2001


async def test_a_status_tells_amount_receipt_and_both_parties(merchant: Merchant) -> None:
    receipt = await merchant.paid()
    first = await result_of(merchant, "status", TransactionID=receipt)
    second = await result_of(merchant, "status", TransactionID=receipt)
    told = dict(pairs(first))

    assert (first["ResultCode"], first["TransactionID"]) == (0, receipt)
    assert (told["TransactionStatus"], told["Amount"], told["ReceiptNo"]) == (
        "Completed",
        "50",
        receipt,
    )
    assert [key for key, _ in pairs(first)].count("DebitPartyName") == 2
    assert dict(pairs(second))["CreditPartyName"] == "600111 - LANGO WIFI"
    assert ("TransactionReason", None) in pairs(first)
    assert isinstance(first["ReferenceData"]["ReferenceItem"], list)


async def test_a_status_of_nothing_fails(merchant: Merchant) -> None:
    result = await result_of(merchant, "status")

    assert result["ResultCode"] == 25
    assert result["TransactionID"].endswith("0000000")


@pytest.mark.parametrize("key", ["OriginalConversationID", "OriginatorConversationID"])
async def test_a_payout_is_found_by_its_conversation(merchant: Merchant, key: str) -> None:
    paid = await result_of(merchant, "b2c")
    result = await result_of(merchant, "status", TransactionID=..., **{key: "r-1"})
    told = dict(pairs(result))

    assert (told["ReceiptNo"], told["TransactionStatus"]) == (paid["TransactionID"], "Completed")
    assert pairs(result)[0] == ("DebitPartyName", "600111 - LANGO WIFI")


async def test_a_payout_that_was_not_done_is_declined(merchant: Merchant) -> None:
    await result_of(merchant, "b2c", Amount="9")
    result = await result_of(merchant, "status", TransactionID=..., OriginalConversationID="r-1")

    assert dict(pairs(result))["TransactionStatus"] == "Declined"


async def test_a_reversal_gives_the_money_back(merchant: Merchant) -> None:
    receipt = await merchant.paid()
    result = await result_of(merchant, "reversal", TransactionID=receipt)
    settled = (await merchant.world.look("settled"))["settled"]
    messages = await merchant.world.look(f"lines/{PAYER}/messages")

    assert (result["ResultCode"], dict(pairs(result))["OriginalTransactionID"]) == (0, receipt)
    assert [(s["kind"], s["shillings"], s["of"]) for s in settled] == [
        ("c2b", 50, ""),
        ("reversal", -50, receipt),
    ]
    assert settled[1]["receipt"] == result["TransactionID"] != receipt
    assert f"Reversal of {receipt}" in messages[0]["text"]
    await invariant(merchant.world)


async def test_a_payment_is_reversed_once(merchant: Merchant) -> None:
    receipt = await merchant.paid()
    await result_of(merchant, "reversal", TransactionID=receipt)
    again = await result_of(merchant, "reversal", TransactionID=receipt)

    assert again["ResultCode"] == "R000001"
    assert (await merchant.world.look("settled"))["shillings_total"] == 0


@pytest.mark.parametrize("amount", ["49", "51"])
async def test_a_part_cannot_be_reversed(merchant: Merchant, amount: str) -> None:
    receipt = await merchant.paid()
    result = await result_of(merchant, "reversal", TransactionID=receipt, Amount=amount)

    assert result["ResultCode"] == "R000002"


async def test_a_payout_cannot_be_reversed(merchant: Merchant) -> None:
    paid = await result_of(merchant, "b2c", Amount="50")
    result = await result_of(merchant, "reversal", TransactionID=paid["TransactionID"])

    assert result["ResultCode"] == "R000002"


async def test_who_has_too_little_reverses_nothing() -> None:
    async with a_merchant(replace(sim_settings(), merchant_shillings=0)) as merchant:
        receipt = await merchant.paid(shillings=1000)
        result = await result_of(merchant, "reversal", TransactionID=receipt, Amount="1000")

    assert result["ResultCode"] == 1


@pytest.mark.parametrize("api", ["b2c", "b2c-v1"])
async def test_a_payout_is_money_on_the_line(merchant: Merchant, api: str) -> None:
    result = await result_of(merchant, api, Amount="200")
    told, lines = dict(pairs(result)), await merchant.world.look("lines")

    assert (told["TransactionAmount"], told["TransactionReceipt"]) == (
        200,
        result["TransactionID"],
    )
    assert told["TransactionCompletedDateTime"][2] == "."
    assert lines[0]["shillings"] == 1_200
    await invariant(merchant.world)


@pytest.mark.parametrize(("amount", "code"), [("9", 2), ("250001", 3), ("10001", 1)])
async def test_a_payout_has_its_limits(merchant: Merchant, amount: str, code: int) -> None:
    assert (await result_of(merchant, "b2c", Amount=amount))["ResultCode"] == code


async def test_a_wallet_may_be_full() -> None:
    settings = replace(sim_settings(), opening_shillings=500_000)
    async with a_merchant(settings) as merchant:
        assert (await result_of(merchant, "b2c"))["ResultCode"] == 8


async def test_a_name_is_echoed_and_taken_once(merchant: Merchant) -> None:
    result = await result_of(merchant, "b2c")
    status, answer = await asked(merchant, "b2c")

    assert result["OriginatorConversationID"] == "r-1"
    assert (status, answer["errorCode"], answer["errorMessage"]) == (
        500,
        "500.002.1001",
        "Duplicate OriginatorConversationID.",
    )


async def test_a_balance_is_all_texts_and_names_its_accounts(merchant: Merchant) -> None:
    await merchant.paid()
    result = await result_of(merchant, "balance")

    assert (result["ResultType"], result["ResultCode"]) == ("0", "0")
    assert dict(pairs(result))["AccountBalance"] == (
        "Working Account|KES|0.00|0.00|0.00|0.00"
        "&Utility Account|KES|10050.00|10050.00|0.00|0.00"
        "&Charges Paid Account|KES|0.00|0.00|0.00|0.00"
    )


@pytest.mark.parametrize(("fault", "code"), [("initiator_role", 21), ("initiator_locked", 8006)])
async def test_an_initiator_may_be_turned_away_by_result(
    merchant: Merchant, fault: str, code: int
) -> None:
    receipt = await merchant.paid()
    await merchant.world.set_faults(**{fault: True})
    result = await result_of(merchant, "reversal", TransactionID=receipt)

    assert result["ResultCode"] == code
    assert (await merchant.world.look("settled"))["shillings_total"] == 50


async def test_a_payee_may_have_no_wallet(merchant: Merchant) -> None:
    await merchant.world.set_faults(payout_unregistered=True)

    assert (await result_of(merchant, "b2c"))["ResultCode"] == 2040


async def test_an_initiator_may_be_too_fast(merchant: Merchant) -> None:
    await merchant.world.set_faults(initiator_busy=True)
    status, answer = await asked(merchant, "b2c")

    assert (status, answer["errorCode"]) == (500, "500.003.02")


async def test_a_queue_timeout_is_told_elsewhere_and_nothing_is_done(merchant: Merchant) -> None:
    await merchant.world.set_faults(result_timeout=True)
    _, answer = await asked(merchant, "b2c")
    (body,) = await merchant.at("timeout")

    assert body["Result"]["ConversationID"] == answer["ConversationID"]
    assert (await merchant.world.look("settled"))["settled"] == []


async def test_a_lost_result_is_of_a_thing_done(merchant: Merchant) -> None:
    await merchant.world.set_faults(result_lost=True)
    await asked(merchant, "b2c")
    told = await merchant.world.seen("deliveries", len)

    assert [(d["road"], d["kind"]) for d in told] == [("result", "lost")]
    assert (await merchant.world.look("settled"))["shillings_total"] == -10


async def test_a_late_result_comes_after_the_money(merchant: Merchant) -> None:
    await merchant.world.set_faults(result_late_s=1)
    await asked(merchant, "b2c")
    await merchant.world.seen("settled", lambda told: told["settled"])
    early = list(merchant.came)
    await results(merchant)

    assert early == []


async def test_a_doubled_result_is_the_same_twice(merchant: Merchant) -> None:
    await merchant.world.set_faults(result_doubled=True)
    await asked(merchant, "b2c")
    first, second = await results(merchant, 2)

    assert first == second


async def test_a_result_code_may_be_a_text(merchant: Merchant) -> None:
    await merchant.world.set_faults(result_text_code=True)

    assert (await result_of(merchant, "b2c"))["ResultCode"] == "0"


async def test_a_success_may_come_bare(merchant: Merchant) -> None:
    await merchant.world.set_faults(result_no_parameters=True)
    result = await result_of(merchant, "b2c")

    assert (result["ResultCode"], "ResultParameters" in result) == (0, False)


async def test_an_object_may_stand_where_a_list_is_usual(merchant: Merchant) -> None:
    await merchant.world.set_faults(result_single_object=True)
    result = await result_of(merchant, "b2c")

    assert result["ResultParameters"]["ResultParameter"] == {
        "Key": "TransactionAmount",
        "Value": 10,
    }


async def test_a_request_may_be_taken_and_not_answered(merchant: Merchant) -> None:
    await merchant.world.set_faults(initiator_no_answer=True)
    body = await a_body(merchant, "b2c")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await merchant.ask(PATHS["b2c"], body)
    await merchant.world.set_faults(initiator_no_answer=False)
    status, answer = await asked(merchant, "b2c")
    await results(merchant)

    assert (status, answer["errorCode"]) == (500, "500.002.1001")
    assert (await merchant.world.look("settled"))["shillings_total"] == -10
