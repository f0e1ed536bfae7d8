"""The simulated Paystack as a stranger's client finds it: shapes, signatures, retries, faults."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest

from controller.sandbox.paystack.cards import CARDS, BadCard, read_card
from controller.sandbox.paystack.faults import Faults
from controller.sandbox.paystack.settings import PaystackSimSettings, sim_faults
from tests.support.paystack import (
    ASKS,
    DECLINES,
    EMAIL,
    SECRET,
    PaystackWorld,
    a_paystack,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = {"Authorization": f"Bearer {SECRET}"}
PAYS = "4084084084084081"


@pytest.fixture
async def paystack() -> AsyncIterator[PaystackWorld]:
    async with a_paystack() as made:
        yield made


async def posted(paystack: PaystackWorld, path: str, **body: object) -> tuple[int, Any]:
    answer = await paystack.http.post(paystack.url + path, json=body, headers=KEY)
    return answer.status_code, answer.json()


async def got(paystack: PaystackWorld, path: str) -> tuple[int, Any]:
    answer = await paystack.http.get(paystack.url + path, headers=KEY)
    return answer.status_code, answer.json()


async def opened(paystack: PaystackWorld, reference: object = "INT7", **changes: object) -> Any:
    body = {"email": EMAIL, "amount": 150_000, "currency": "KES", "reference": reference}
    return await posted(paystack, "/transaction/initialize", **{**body, **changes})


async def paid(paystack: PaystackWorld, reference: str = "INT7", **changes: object) -> Any:
    await opened(paystack, reference, **changes)
    await paystack.type_card()
    return (await got(paystack, f"/transaction/verify/{reference}"))[1]["data"]


def is_signed(body: bytes, told: str) -> bool:
    return hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest() == told


async def test_a_page_is_opened_on_the_simulators_own_address(paystack: PaystackWorld) -> None:
    status, answer = await opened(paystack)

    assert (status, answer["status"], answer["data"]["reference"]) == (200, True, "INT7")
    assert answer["data"]["authorization_url"].startswith(f"{paystack.url}/pay/")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"email": "nobody"}, 400),
        ({"amount": 0}, 400),
        ({"amount": 1.5}, 400),
        ({"amount": "150000"}, 400),
        ({"reference": "a b"}, 400),
        ({"reference": "a_b"}, 400),
        ({"currency": "NGN"}, 403),
    ],
)
async def test_what_cannot_be_is_refused(
    paystack: PaystackWorld, changes: dict[str, object], status: int
) -> None:
    told, answer = await opened(paystack, **changes)

    assert (told, answer["status"]) == (status, False)


async def test_another_key_opens_nothing(paystack: PaystackWorld) -> None:
    answer = await paystack.http.get(
        f"{paystack.url}/transaction/verify/INT7", headers={"Authorization": "Bearer sk_other"}
    )

    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid key")


async def test_a_reference_is_good_once(paystack: PaystackWorld) -> None:
    await opened(paystack)
    status, answer = await opened(paystack)

    assert (status, answer["code"]) == (400, "duplicate_reference")


async def test_verify_walks_from_abandoned_to_success(paystack: PaystackWorld) -> None:
    await opened(paystack)
    _, before = await got(paystack, "/transaction/verify/INT7")
    await paystack.type_card()
    _, after = await got(paystack, "/transaction/verify/INT7")

    assert (before["data"]["status"], before["data"]["authorization"]) == ("abandoned", {})
    assert (after["data"]["status"], after["data"]["authorization"]["last4"]) == ("success", "4081")


async def test_an_event_is_signed_over_its_very_bytes(paystack: PaystackWorld) -> None:
    await paid(paystack)
    body = (await paystack.shop.received())[0]

    assert json.loads(body)["event"] == "charge.success"
    assert is_signed(body, paystack.shop.headers[0]["x-paystack-signature"])


async def test_an_event_is_tried_again_until_it_is_taken(paystack: PaystackWorld) -> None:
    paystack.shop.status = 500
    await paid(paystack)
    first, second = await paystack.shop.received(2)
    paystack.shop.status = 200
    await paystack.seen("callbacks", lambda told: told[-1]["status"] == 200)

    assert first == second


async def test_an_event_is_given_up_after_four_tries(paystack: PaystackWorld) -> None:
    paystack.shop.status = 500
    await paid(paystack)
    await paystack.shop.received(4)
    await opened(paystack, "INT8")
    await paystack.type_card(DECLINES)
    last = (await paystack.shop.received(5))[-1]

    assert json.loads(last)["event"] == "charge.failed"


async def test_events_may_come_twice(paystack: PaystackWorld) -> None:
    await paystack.set_faults(event_doubled=True)
    await paid(paystack)
    first, second = await paystack.shop.received(2)

    assert first == second


async def test_events_may_overtake_each_other(paystack: PaystackWorld) -> None:
    await paystack.set_faults(event_out_of_order=True)
    await paid(paystack, "INT7")
    await paid(paystack, "INT8")
    told = [json.loads(body)["data"]["reference"] for body in await paystack.shop.received(2)]

    assert told == ["INT8", "INT7"]


async def test_an_old_event_may_be_replayed_with_its_signature(paystack: PaystackWorld) -> None:
    await paystack.set_faults(event_replayed=True)
    await paid(paystack, "INT7")
    await paystack.shop.received(1)
    await paid(paystack, "INT8")
    first, _, third = await paystack.shop.received(3)

    assert first == third
    assert is_signed(third, paystack.shop.headers[2]["x-paystack-signature"])


async def test_a_tampered_event_no_longer_fits_its_signature(paystack: PaystackWorld) -> None:
    await paystack.set_faults(event_tampered=True)
    await paid(paystack)
    body = (await paystack.shop.received())[0]

    assert json.loads(body)["data"]["amount"] == 9_150_000
    assert not is_signed(body, paystack.shop.headers[0]["x-paystack-signature"])


async def test_a_card_is_charged_again_only_with_the_same_address(paystack: PaystackWorld) -> None:
    card = (await paid(paystack))["authorization"]["authorization_code"]
    body = {"amount": 5_000, "currency": "KES", "authorization_code": card}
    path = "/transaction/charge_authorization"
    other, _ = await posted(paystack, path, email="b@example.test", reference="INT8", **body)
    same, answer = await posted(paystack, path, email=EMAIL, reference="INT9", **body)

    assert (other, same, answer["data"]["status"]) == (400, 200, "success")


async def test_a_bank_that_wants_the_holder_pauses_the_charge(paystack: PaystackWorld) -> None:
    card = (await paid(paystack))["authorization"]["authorization_code"]
    await paystack.set_faults(charge_wants_holder=True)
    _, answer = await posted(
        paystack,
        "/transaction/charge_authorization",
        email=EMAIL,
        reference="INT8",
        amount=5_000,
        currency="KES",
        authorization_code=card,
    )

    assert answer["data"]["paused"] is True
    assert answer["data"]["authorization_url"].startswith(f"{paystack.url}/confirm/")


async def test_a_holder_who_says_no_pays_nothing(paystack: PaystackWorld) -> None:
    await opened(paystack)
    await paystack.type_card(ASKS)
    await paystack.answer_bank(agreed=False)
    _, answer = await got(paystack, "/transaction/verify/INT7")

    assert answer["data"]["status"] == "failed"
    assert (await paystack.look("settled"))["cents_total"] == 0


async def test_a_refund_is_queued_and_then_told_without_its_number(paystack: PaystackWorld) -> None:
    transaction = await paid(paystack)
    _, taken = await posted(
        paystack, "/refund", transaction=str(transaction["id"]), amount=50_000, merchant_note="n"
    )
    events = [json.loads(body) for body in await paystack.shop.received(3)]
    _, listed = await got(paystack, f"/refund?transaction={transaction['id']}")
    _, others = await got(paystack, "/refund?transaction=1")

    assert taken["data"]["transaction"]["reference"] == "INT7"
    assert [event["event"] for event in events[1:]] == ["refund.pending", "refund.processed"]
    assert events[2]["data"]["transaction_reference"] == "INT7"
    assert "id" not in events[2]["data"]
    assert [row["merchant_note"] for row in listed["data"]] == ["n"]
    assert others["data"] == []


@pytest.mark.parametrize(("amount", "status"), [(150_001, 400), (150_000, 200)])
async def test_no_more_goes_back_than_was_paid(
    paystack: PaystackWorld, amount: int, status: int
) -> None:
    await paid(paystack)
    told, _ = await posted(paystack, "/refund", transaction="INT7", amount=amount)

    assert told == status


async def test_a_pending_refund_ends_when_somebody_ends_it(paystack: PaystackWorld) -> None:
    await paid(paystack)
    await paystack.set_faults(refund_stays_open=True)
    _, taken = await posted(paystack, "/refund", transaction="INT7")
    await paystack.shop.received(2)
    open_total = (await paystack.look("settled"))["cents_total"]
    await paystack.told(f"refunds/{taken['data']['id']}/finish", {"status": "processed"})

    assert open_total == 150_000
    assert (await paystack.look("settled"))["cents_total"] == 0


async def test_every_switch_is_explained(paystack: PaystackWorld) -> None:
    told = await paystack.look("switches")

    assert {switch["name"] for switch in told} == set(Faults.__dataclass_fields__)


async def test_the_page_takes_a_card_and_brings_the_payer_back(paystack: PaystackWorld) -> None:
    _, answer = await opened(paystack, callback_url="http://127.0.0.1:9/paid?order=7")
    page = answer["data"]["authorization_url"]
    form = {"number": "4084 0840 8408 4081", "expiry": "12/30", "cvv": "408"}
    first = await paystack.http.post(page, data=form)
    back = await paystack.http.get(paystack.url + first.headers["location"])

    assert (first.status_code, back.status_code) == (303, 303)
    assert back.headers["location"] == (
        "http://127.0.0.1:9/paid?order=7&trxref=INT7&reference=INT7"
    )


@pytest.mark.parametrize("url", ["https://isp.example/paid", "javascript:alert(1)"])
async def test_the_page_sends_nobody_to_another_machine(paystack: PaystackWorld, url: str) -> None:
    _, answer = await opened(paystack, callback_url=url)
    await paystack.type_card()
    after = await paystack.http.get(answer["data"]["authorization_url"])

    assert (after.status_code, "You paid KES 1,500.00" in after.text) == (200, True)


@pytest.mark.parametrize(
    ("number", "expiry", "cvv"),
    [("4084", "12/30", "408"), (PAYS, "13/30", "408"), (PAYS, "12/30", "4"), ("", "", "")],
)
def test_what_is_no_card_is_told_to_the_payer(number: str, expiry: str, cvv: str) -> None:
    with pytest.raises(BadCard):
        read_card(number, expiry, cvv)


@pytest.mark.parametrize("expiry", ["12/30", "12/2030", "12 / 30"])
def test_an_expiry_is_read_as_people_type_it(expiry: str) -> None:
    typed = read_card(PAYS, expiry, "408")

    assert (typed.card, typed.exp_month, typed.exp_year) == (CARDS[PAYS], "12", "2030")


def test_settings_that_cannot_be_are_named() -> None:
    bad = PaystackSimSettings(secret_key="", working_ms=-1, retry_ms=0, opening_cents=-1)

    assert [fault.partition(":")[0] for fault in sim_faults(bad)] == [
        "secret_key",
        "working_ms",
        "retry_ms",
        "opening_cents",
    ]


@pytest.mark.parametrize(("resolution", "left"), [("merchant-accepted", 0), ("declined", 150_000)])
async def test_a_dispute_is_told_and_moves_money_when_it_is_lost(
    paystack: PaystackWorld, resolution: str, left: int
) -> None:
    await paid(paystack)
    await paystack.told("payments/INT7/dispute", {})
    number = json.loads((await paystack.shop.received(2))[1])["data"]["id"]
    await paystack.told(f"disputes/{number}/resolve", {"resolution": resolution})
    events = [json.loads(body) for body in await paystack.shop.received(3)]

    assert [event["event"] for event in events[1:]] == [
        "charge.dispute.create",
        "charge.dispute.resolve",
    ]
    assert events[2]["data"]["resolution"] == resolution
    assert (await paystack.look("settled"))["cents_total"] == left
