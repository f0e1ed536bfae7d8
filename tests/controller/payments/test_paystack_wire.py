"""Paystack's bytes: what we send, and what may be concluded from what comes back."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.money import Money
from billing.payment import Evidence, Reason
from controller.payments import paystack_dispute as disputes
from controller.payments import paystack_refund as refunds
from controller.payments import paystack_wire as wire
from controller.payments.gateway import (
    CallbackUnreadable,
    Dispute,
    ProviderError,
    Resolution,
    StoredCard,
)
from controller.payments.paystack_settings import PaystackSettings
from tests.support.paystack import EMAIL, a_card_push, a_refund

ORDER = "0" * 32
A_DAY = datetime(2026, 12, 2, tzinfo=UTC)
SECRET = "sk_live_the-secret"
AUTHORISATION = {
    "authorization_code": "AUTH_8dfhjjdt",
    "last4": "4081",
    "exp_month": "12",
    "exp_year": "2030",
    "channel": "card",
    "brand": "visa",
    "reusable": True,
}


def a_business(*, return_url: str = "") -> PaystackSettings:
    return PaystackSettings(secret_key=SECRET, merchant="LANGO", return_url=return_url)


def a_transaction(**changes: object) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": 4_099_260_516,
        "status": "success",
        "reference": ORDER,
        "amount": 150_000,
        "currency": "KES",
        "gateway_response": "Successful",
        "paid_at": "2026-07-14T09:30:15.000Z",
        "customer": {"email": EMAIL},
        "authorization": AUTHORISATION,
    }
    return {**told, **changes}


def an_answer(data: object) -> bytes:
    return json.dumps({"status": True, "message": "", "data": data}).encode()


def an_error(message: str, code: str | None = None) -> bytes:
    return json.dumps({"status": False, "message": message, "code": code}).encode()


def an_event(event: object, data: object) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"event": event, "data": data}).encode()
    return body, {wire.SIGNATURE: signature(body)}


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()


def test_a_page_is_opened_for_cents_and_for_cards_only() -> None:
    body = json.loads(wire.push_body(a_business(), a_card_push(shillings=1_500)))

    assert {**body, "metadata": json.loads(body["metadata"])} == {
        "email": EMAIL,
        "amount": 150_000,
        "currency": "KES",
        "reference": ORDER,
        "channels": ["card"],
        "metadata": {"account": "ABC123", "description": "Day pass"},
    }


def test_the_payer_comes_back_to_our_page_and_never_to_the_callback() -> None:
    push = a_card_push()
    body = json.loads(wire.push_body(a_business(return_url="https://isp.example/paid"), push))

    assert body["callback_url"] == "https://isp.example/paid"
    assert push.callback_url not in json.dumps(body)


def test_a_stored_card_is_charged_with_the_address_it_was_given_for() -> None:
    card = StoredCard("AUTH_8dfhjjdt", "other@example.test", "visa …4081, 12/2030")
    body = json.loads(wire.charge_body(a_business(), a_card_push(), card))

    assert (body["email"], body["authorization_code"]) == ("other@example.test", "AUTH_8dfhjjdt")


OPENED = {"authorization_url": "https://checkout.example/0x", "reference": ORDER}


@pytest.mark.parametrize(
    ("status", "body", "evidence", "reason"),
    [
        (200, an_answer(OPENED), Evidence.ACCEPTED, None),
        (200, an_answer({**OPENED, "reference": "other"}), Evidence.NO_ANSWER, None),
        (200, an_answer({**OPENED, "authorization_url": "javascript:0"}), Evidence.NO_ANSWER, None),
        (200, an_answer({"reference": ORDER}), Evidence.NO_ANSWER, None),
        (200, an_answer("opened"), Evidence.NO_ANSWER, None),
        (200, b"", Evidence.NO_ANSWER, None),
        (400, an_error("Duplicate Transaction Reference", "duplicate_reference"),
         Evidence.NO_ANSWER, None),
        (400, an_error("Duplicate Transaction Reference"), Evidence.NO_ANSWER, None),
        (400, an_error("Invalid Email"), Evidence.NOT_SENT, Reason.OUR_SIDE),
        (401, an_error("Invalid key"), Evidence.NOT_SENT, Reason.OUR_SIDE),
        (429, b"", Evidence.NOT_SENT, Reason.PROVIDER_SLOW),
        (500, b"", Evidence.NO_ANSWER, None),
        (502, b"<html>", Evidence.NO_ANSWER, None),
        (408, b"", Evidence.NO_ANSWER, None),
    ],
)  # fmt: skip
def test_an_opened_page_is_refused_only_when_it_is_certain(
    status: int, body: bytes, evidence: Evidence, reason: Reason | None
) -> None:
    answer = wire.read_push_answer(status, body, ORDER)

    assert (answer.evidence, answer.reason) == (evidence, reason)
    assert answer.provider_id == (None if evidence is Evidence.NOT_SENT else ORDER)
    assert answer.pay_at == (OPENED["authorization_url"] if evidence is Evidence.ACCEPTED else None)


CONFIRM = "https://checkout.example/confirm"


@pytest.mark.parametrize(
    ("status", "body", "evidence", "reason", "pay_at"),
    [
        (200, an_answer(a_transaction()), Evidence.ACCEPTED, None, None),
        (200, an_answer(a_transaction(status="processing")), Evidence.ACCEPTED, None, None),
        (200, an_answer({"paused": True, "reference": ORDER, "authorization_url": CONFIRM}),
         Evidence.ACCEPTED, None, CONFIRM),
        (200, an_answer({"status": "paused", "reference": ORDER, "authorization_url": CONFIRM}),
         Evidence.ACCEPTED, None, CONFIRM),
        (200, an_answer(a_transaction(status="failed", gateway_response="Insufficient Funds")),
         Evidence.NOT_SENT, Reason.NO_BALANCE, None),
        (200, an_answer(a_transaction(status="failed", gateway_response="Declined")),
         Evidence.NOT_SENT, Reason.ACCOUNT, None),
        (400, an_error("Authorization code is invalid"), Evidence.NOT_SENT, Reason.ACCOUNT, None),
        (401, an_error("Invalid key"), Evidence.NOT_SENT, Reason.OUR_SIDE, None),
        (429, b"", Evidence.NOT_SENT, Reason.PROVIDER_SLOW, None),
        (400, an_error("Duplicate Transaction Reference"), Evidence.NO_ANSWER, None, None),
        (200, an_answer(a_transaction(reference="other")), Evidence.NO_ANSWER, None, None),
        (200, an_answer(a_transaction(status="odd")), Evidence.NO_ANSWER, None, None),
        (200, an_answer(a_transaction(status={"odd": 1})), Evidence.NO_ANSWER, None, None),
        (500, b"", Evidence.NO_ANSWER, None, None),
    ],
)  # fmt: skip
def test_a_charge_that_failed_is_certain_and_one_that_paused_has_a_page(
    status: int, body: bytes, evidence: Evidence, reason: Reason | None, pay_at: str | None
) -> None:
    answer = wire.read_charge_answer(status, body, ORDER)

    assert (answer.evidence, answer.reason, answer.pay_at) == (evidence, reason, pay_at)


def test_a_success_tells_number_amount_time_and_card() -> None:
    outcome = wire.read_query_answer(a_business(), 200, an_answer(a_transaction()), ORDER)

    assert (outcome.evidence, outcome.receipt, outcome.amount, outcome.paid_at) == (
        Evidence.PAID,
        "4099260516",
        Money(150_000),
        datetime(2026, 7, 14, 9, 30, 15, tzinfo=UTC),
    )
    assert outcome.card == StoredCard("AUTH_8dfhjjdt", EMAIL, "visa …4081, 12/2030")


@pytest.mark.parametrize(
    "changes",
    [
        {"authorization": {**AUTHORISATION, "reusable": False}},
        {"authorization": {**AUTHORISATION, "reusable": "true"}},
        {"authorization": {**AUTHORISATION, "authorization_code": ""}},
        {"authorization": None},
        {"customer": {}},
        {"customer": {"email": "a b"}},
    ],
)
def test_a_card_is_kept_only_when_it_may_be_charged_again(changes: dict[str, object]) -> None:
    body = an_answer(a_transaction(**changes))

    assert wire.read_query_answer(a_business(), 200, body, ORDER).card is None


@pytest.mark.parametrize("told", ["yesterday", "2026-07-14T09:30:15", "", None, 7])
def test_a_time_that_is_none_stops_no_money(told: object) -> None:
    body = an_answer(a_transaction(paid_at=told))
    outcome = wire.read_query_answer(a_business(), 200, body, ORDER)

    assert (outcome.evidence, outcome.paid_at) == (Evidence.PAID, None)


def test_the_repr_of_a_card_shows_no_token() -> None:
    outcome = wire.read_query_answer(a_business(), 200, an_answer(a_transaction()), ORDER)

    assert "AUTH_" not in repr(outcome)
    assert EMAIL not in repr(outcome)


@pytest.mark.parametrize(
    ("told", "evidence"),
    [
        ("failed", Evidence.REFUSED),
        ("reversed", Evidence.REFUSED),
        ("abandoned", Evidence.STILL_OPEN),
        ("ongoing", Evidence.STILL_OPEN),
        ("pending", Evidence.STILL_OPEN),
        ("processing", Evidence.STILL_OPEN),
        ("queued", Evidence.STILL_OPEN),
        ("SUCCESS", Evidence.STILL_OPEN),
        ("", Evidence.STILL_OPEN),
        (None, Evidence.STILL_OPEN),
        (["success"], Evidence.STILL_OPEN),
    ],
)
def test_only_the_word_success_is_paid(told: object, evidence: Evidence) -> None:
    outcome = wire.read_query_answer(
        a_business(), 200, an_answer(a_transaction(status=told)), ORDER
    )

    assert (outcome.evidence, outcome.receipt) == (evidence, None)


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, an_error("Transaction reference not found.")), (400, an_error("... not found"))],
)
def test_a_reference_that_is_not_known_is_still_open(status: int, body: bytes) -> None:
    outcome = wire.read_query_answer(a_business(), status, body, ORDER)

    assert outcome.evidence is Evidence.STILL_OPEN


@pytest.mark.parametrize(
    ("status", "body", "again"),
    [
        (500, b"", True),
        (429, b"", True),
        (401, an_error("Invalid key"), False),
        (200, b"", True),
        (200, an_answer(a_transaction(reference="other")), True),
        (200, an_answer(a_transaction(currency="NGN")), False),
        (200, an_answer(a_transaction(currency=None)), False),
        (200, an_answer(a_transaction(amount=0)), False),
        (200, an_answer(a_transaction(amount=1500.5)), False),
        (200, an_answer(a_transaction(amount=-5)), False),
        (200, an_answer(a_transaction(amount=10**16)), False),
        (200, an_answer(a_transaction(id=None)), False),
        (200, an_answer(a_transaction(id="T-1")), False),
    ],
)
def test_a_query_without_a_usable_answer_decides_nothing(
    status: int, body: bytes, *, again: bool
) -> None:
    with pytest.raises(ProviderError) as told:
        wire.read_query_answer(a_business(), status, body, ORDER)

    assert told.value.again is again


def test_a_signed_event_is_believed() -> None:
    body, headers = an_event("charge.success", a_transaction())
    outcome = wire.read_callback(a_business(), body, headers)

    assert (outcome.evidence, outcome.provider_id, outcome.amount) == (
        Evidence.PAID,
        ORDER,
        Money(150_000),
    )


def test_a_signed_failure_is_a_refusal() -> None:
    body, headers = an_event("charge.failed", a_transaction(gateway_response="Insufficient funds"))
    outcome = wire.read_callback(a_business(), body, headers)

    assert (outcome.evidence, outcome.reason) == (Evidence.REFUSED, Reason.NO_BALANCE)


BODY = an_event("charge.success", a_transaction())[0]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {wire.SIGNATURE: ""},
        {wire.SIGNATURE: signature(BODY, "sk_live_another")},
        {wire.SIGNATURE: signature(BODY)[:-1]},
        {wire.SIGNATURE: signature(BODY + b" ")},
        {wire.SIGNATURE: hashlib.sha512(BODY).hexdigest()},
        {wire.SIGNATURE: "\udcff"},
        {wire.SIGNATURE: "ü" * 128},
        {wire.SIGNATURE.title(): signature(BODY)},
    ],
)
def test_an_event_without_the_right_signature_is_nobodys(headers: dict[str, str]) -> None:
    with pytest.raises(CallbackUnreadable) as told:
        wire.read_callback(a_business(), BODY, headers)

    assert told.value.field == "signature"


@pytest.mark.parametrize(
    ("event", "data", "field"),
    [
        ("refund.processed", {}, "event"),
        ("charge.dispute.create", {}, "event"),
        (None, {}, "event"),
        ("charge.success", "all", "data"),
        ("charge.success", {}, "data.reference"),
        ("charge.success", a_transaction(status="failed"), "data.status"),
        ("charge.success", a_transaction(currency="NGN"), "currency"),
        ("charge.success", a_transaction(amount=None), "amount"),
        ("charge.success", a_transaction(id=None), "id"),
    ],
)
def test_a_signed_event_that_is_no_payment_names_its_field(
    event: object, data: object, field: str
) -> None:
    body, headers = an_event(event, data)
    with pytest.raises(CallbackUnreadable) as told:
        wire.read_callback(a_business(), body, headers)

    assert told.value.field == field


def test_an_event_that_is_too_large_is_not_even_checked() -> None:
    body = b" " * (wire.CALLBACK_BYTES_MAX + 1)
    with pytest.raises(CallbackUnreadable) as told:
        wire.read_callback(a_business(), body, {wire.SIGNATURE: signature(body)})

    assert told.value.field == "body"


def test_a_refund_carries_our_own_id() -> None:
    body = json.loads(refunds.refund_body(a_refund("4099260516", back=20)))

    assert (body["transaction"], body["amount"], body["merchant_note"]) == (
        "4099260516",
        2_000,
        "f" * 32,
    )


@pytest.mark.parametrize(
    ("status", "body", "evidence"),
    [
        (200, an_answer({"id": 7, "status": "pending"}), Evidence.ACCEPTED),
        (200, an_answer({"id": 7, "status": "processing"}), Evidence.ACCEPTED),
        (200, an_answer({"id": 7, "status": "processed"}), Evidence.PAID),
        (200, an_answer({"id": 7, "status": "failed"}), Evidence.REFUSED),
        (200, an_answer({"status": "pending"}), Evidence.NO_ANSWER),
        (200, b"", Evidence.NO_ANSWER),
        (400, an_error("Transaction has been fully reversed"), Evidence.NOT_SENT),
        (500, b"", Evidence.NO_ANSWER),
    ],
)
def test_a_new_refund_is_accepted_refused_or_in_doubt(
    status: int, body: bytes, evidence: Evidence
) -> None:
    assert refunds.read_refund_answer(status, body).evidence is evidence


@pytest.mark.parametrize(
    ("told", "evidence", "receipt"),
    [
        ("pending", Evidence.STILL_OPEN, None),
        ("needs-attention", Evidence.STILL_OPEN, None),
        ("odd", Evidence.STILL_OPEN, None),
        (None, Evidence.STILL_OPEN, None),
        ("processed", Evidence.PAID, "7"),
        ("failed", Evidence.REFUSED, None),
    ],
)
def test_a_refund_is_done_only_when_it_is_processed(
    told: object, evidence: Evidence, receipt: str | None
) -> None:
    outcome = refunds.read_one(200, an_answer({"id": 7, "status": told}))

    assert (outcome.evidence, outcome.provider_id, outcome.receipt) == (evidence, "7", receipt)


def test_our_refund_is_found_among_others_by_its_note() -> None:
    listed = [
        {"id": 8, "status": "processed", "merchant_note": "by hand"},
        "odd",
        {"id": 7, "status": "pending", "merchant_note": "f" * 32},
    ]
    found = refunds.find_ours(200, an_answer(listed), "f" * 32)

    assert found is not None
    assert (found.evidence, found.provider_id) == (Evidence.STILL_OPEN, "7")
    assert refunds.find_ours(200, an_answer(listed), "e" * 32) is None


@pytest.mark.parametrize(("status", "body"), [(500, b""), (200, b""), (200, an_answer({}))])
def test_a_list_that_cannot_be_read_is_not_an_empty_list(status: int, body: bytes) -> None:
    with pytest.raises(ProviderError):
        refunds.find_ours(status, body, "f" * 32)


@pytest.mark.parametrize(
    ("event", "status", "evidence"),
    [
        ("refund.pending", "pending", Evidence.STILL_OPEN),
        ("refund.processed", "processed", Evidence.PAID),
        ("refund.processed", None, Evidence.PAID),
        ("refund.failed", "failed", Evidence.REFUSED),
    ],
)
def test_an_event_of_a_refund_names_the_payment(
    event: str, status: str | None, evidence: Evidence
) -> None:
    data = {"status": status, "transaction_reference": ORDER, "amount": "10000"}
    body, headers = an_event(event, data)
    outcome = refunds.read_event_of_refund(a_business(), body, headers)

    assert (outcome.evidence, outcome.order_id, outcome.provider_id) == (evidence, ORDER, None)


@pytest.mark.parametrize(
    ("event", "data", "field"),
    [
        ("charge.success", a_transaction(), "event"),
        ("refund.processed", {"status": "processed"}, "data.transaction_reference"),
    ],
)
def test_an_event_that_is_no_refund_names_its_field(
    event: str, data: dict[str, Any], field: str
) -> None:
    body, headers = an_event(event, data)
    with pytest.raises(CallbackUnreadable) as told:
        refunds.read_event_of_refund(a_business(), body, headers)

    assert told.value.field == field


def test_an_event_of_a_refund_is_signed_as_well() -> None:
    body, _ = an_event("refund.processed", {"transaction_reference": ORDER})
    with pytest.raises(CallbackUnreadable) as told:
        refunds.read_event_of_refund(a_business(), body, {})

    assert told.value.field == "signature"


def test_the_repr_of_the_settings_shows_no_secret() -> None:
    assert SECRET not in repr(a_business())


@pytest.mark.parametrize(
    ("event", "changes", "expected"),
    [
        ("charge.dispute.create", {}, Dispute("41", None, answer_until=A_DAY)),
        ("charge.dispute.remind", {}, Dispute("41", None, answer_until=A_DAY)),
        ("charge.dispute.resolve", {"resolution": "declined"}, Dispute("41", Resolution.WON)),
        (
            "charge.dispute.resolve",
            {"resolution": "merchant-accepted"},
            Dispute("41", Resolution.LOST, Money(5_000)),
        ),
        (
            "charge.dispute.resolve",
            {"resolution": "a-new-word", "refund_amount": None},
            Dispute("41", Resolution.LOST),
        ),
    ],
)
def test_an_event_of_a_dispute_names_the_receipt(
    event: str, changes: dict[str, object], expected: Dispute
) -> None:
    told = {"dueAt": A_DAY.isoformat(), "refund_amount": 5_000, "transaction": {"id": 41}}

    assert (
        disputes.read_event_of_dispute(a_business(), *an_event(event, told | changes)) == expected
    )


@pytest.mark.parametrize(
    ("event", "told", "field"),
    [
        ("charge.success", {"transaction": {"id": 41}}, "event"),
        ("charge.dispute.create", {"transaction": 41}, "data.transaction.id"),
        ("charge.dispute.create", {"transaction": {"id": "x"}}, "data.transaction.id"),
    ],
)
def test_an_event_that_is_no_dispute_names_its_field(
    event: str, told: dict[str, object], field: str
) -> None:
    with pytest.raises(CallbackUnreadable) as caught:
        disputes.read_event_of_dispute(a_business(), *an_event(event, told))

    assert caught.value.field == field
