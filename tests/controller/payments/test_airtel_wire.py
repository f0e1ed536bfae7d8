"""Airtel Money's bytes: what we send, and what may be concluded from what comes back."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from billing.ids import OrderId
from billing.payment import Evidence, Reason
from controller.payments import airtel_wire as wire
from controller.payments.airtel_settings import AirtelSettings
from controller.payments.airtel_signing import SigningKey, read_key, signed_headers
from controller.payments.gateway import CallbackUnreadable, CredentialsError, ProviderError
from tests.support.daraja import NOON, a_push

ORDER = "0f" * 16
RECEIPT = "MP260714.1015.L00123"
SECRETS = ("the-client-id", "the-client-secret")


def an_application(*, signed: bool = False) -> AirtelSettings:
    return AirtelSettings(
        base_url="https://openapi.airtel.africa",
        client_id=SECRETS[0],
        client_secret=SECRETS[1],
        merchant="LANGO",
        signed=signed,
    )


def an_answer(transaction: object = None, **status: object) -> bytes:
    data = {} if transaction is None else {"transaction": transaction}
    return json.dumps({"data": data, "status": status}).encode()


def enquired(letters: str, **more: object) -> bytes:
    return an_answer({"id": ORDER, "status": letters, **more}, success=True)


def test_a_push_names_the_payer_with_nine_digits_and_itself_by_our_order() -> None:
    push = replace(a_push(shillings=1_500, account="ISP-10023"), order_id=OrderId(ORDER))
    body = json.loads(wire.push_body(an_application(), push))

    assert body == {
        "reference": "ISP10023",
        "subscriber": {"country": "KE", "currency": "KES", "msisdn": "712345678"},
        "transaction": {"amount": 1_500, "country": "KE", "currency": "KES", "id": ORDER},
    }


@pytest.mark.parametrize(
    ("text", "sent"),
    [("ABC123", "ABC123"), ("a" * 30, "a" * 20), ("Ünï-code 1", "ncode1"), ("--", "INTERNET")],
)
def test_a_reference_is_cut_to_what_every_country_takes(text: str, sent: str) -> None:
    assert wire.reference(text) == sent


@pytest.mark.parametrize("life", ["180", 180, "7200", 7_200])
def test_a_tokens_life_may_be_a_text_or_a_number(life: object) -> None:
    body = json.dumps({"token_type": "bearer", "access_token": "abc", "expires_in": life})
    token = wire.read_token(200, body.encode())

    assert (token.text, token.life_s) == ("abc", int(str(life)))


@pytest.mark.parametrize("status", [400, 401, 403])
def test_credentials_that_are_not_taken_are_for_staff(status: int) -> None:
    with pytest.raises(CredentialsError):
        wire.read_token(status, b'{"error":"invalid_client"}')


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b""),
        (500, b""),
        (200, b""),
        (200, b'{"access_token":"","expires_in":"180"}'),
        (200, b'{"access_token":"a b","expires_in":"180"}'),
        (200, b'{"access_token":"abc"}'),
        (200, b'{"access_token":"abc","expires_in":true}'),
        (200, b'{"access_token":"abc","expires_in":"soon"}'),
    ],
)
def test_an_answer_without_a_token_may_do_better_next_time(status: int, body: bytes) -> None:
    with pytest.raises(ProviderError) as told:
        wire.read_token(status, body)

    assert told.value.again


@pytest.mark.parametrize(
    ("status", "body", "evidence", "reason"),
    [
        (200, an_answer({"id": ORDER, "status": "SUCCESS"}, code="200", success=True,
                        result_code="ESB000010", response_code="DP00800001006"),
         Evidence.ACCEPTED, None),
        (200, an_answer({"id": False, "status": "SUCCESS"}, success=True,
                        result_code="ESB000010"), Evidence.ACCEPTED, None),
        (200, an_answer(success="true", response_code="DP00800001000"), Evidence.ACCEPTED, None),
        (200, an_answer(success=False, response_code="DP00800001004"),
         Evidence.NOT_SENT, Reason.LIMIT),
        (400, an_answer(success=False, response_code="DP00800001004", result_code="ESB000008"),
         Evidence.NOT_SENT, Reason.LIMIT),
        (200, an_answer(success=False, result_code="ESB000008"),
         Evidence.NOT_SENT, Reason.OUR_SIDE),
        (200, an_answer(success=False, result_code="esb000033 "),
         Evidence.NOT_SENT, Reason.ACCOUNT),
        (403, an_answer(success=False, response_code="ROUTER114"),
         Evidence.NOT_SENT, Reason.OUR_SIDE),
        (200, an_answer(success=False, response_code="DP00800001026"),
         Evidence.NOT_SENT, Reason.OUR_SIDE),
        (404, b"", Evidence.NOT_SENT, Reason.OUR_SIDE),
        (429, b"slow down", Evidence.NOT_SENT, Reason.PROVIDER_SLOW),
        (200, an_answer(success=False, result_code="ESB000041"), Evidence.NO_ANSWER, None),
        (200, an_answer(success=True, result_code="ESB000041"), Evidence.NO_ANSWER, None),
        (400, an_answer(success=False, result_code="ESB000001"), Evidence.NO_ANSWER, None),
        (400, an_answer(success=False, response_code="DP00800009999"), Evidence.NO_ANSWER, None),
        (200, an_answer(success=True, response_code="DP00800001010"), Evidence.NO_ANSWER, None),
        (200, an_answer(success=None), Evidence.NO_ANSWER, None),
        (200, b"", Evidence.NO_ANSWER, None),
        (200, b"[]", Evidence.NO_ANSWER, None),
        (408, b"", Evidence.NO_ANSWER, None),
        (502, b"<html>502</html>", Evidence.NO_ANSWER, None),
    ],
)  # fmt: skip
def test_an_answer_to_a_push_is_a_refusal_only_when_it_is_certain(
    status: int, body: bytes, evidence: Evidence, reason: Reason | None
) -> None:
    answer = wire.read_push_answer(status, body, ORDER)

    assert (answer.evidence, answer.reason) == (evidence, reason)
    assert answer.provider_id == (None if evidence is Evidence.NOT_SENT else ORDER)


@pytest.mark.parametrize(
    ("body", "evidence", "reason"),
    [
        (enquired("TS", airtel_money_id=RECEIPT), Evidence.PAID, None),
        (enquired(" ts ", airtel_money_id=RECEIPT), Evidence.PAID, None),
        (enquired("TS"), Evidence.STILL_OPEN, None),
        (enquired("TS", airtel_money_id=""), Evidence.STILL_OPEN, None),
        (enquired("TS", airtel_money_id=7), Evidence.STILL_OPEN, None),
        (enquired("TIP"), Evidence.STILL_OPEN, None),
        (enquired("TA"), Evidence.STILL_OPEN, None),
        (enquired("XX"), Evidence.STILL_OPEN, None),
        (enquired("TF"), Evidence.REFUSED, Reason.ACCOUNT),
        (enquired("TE"), Evidence.REFUSED, Reason.NO_REPLY),
        (an_answer({"id": ORDER, "status": "TF"}, response_code="DP00800001007"),
         Evidence.REFUSED, Reason.NO_BALANCE),
        (an_answer({"id": ORDER, "status": "TIP"}, response_code="DP00800001007"),
         Evidence.STILL_OPEN, None),
        (an_answer(success=False, response_code="DP00800001025"), Evidence.STILL_OPEN, None),
        (an_answer(success=False, response_code="DP00800001007"), Evidence.STILL_OPEN, None),
    ],
)  # fmt: skip
def test_an_enquirys_status_decides_and_its_code_only_explains(
    body: bytes, evidence: Evidence, reason: Reason | None
) -> None:
    outcome = wire.read_enquiry(200, body, ORDER)

    assert (outcome.evidence, outcome.reason, outcome.provider_id) == (evidence, reason, ORDER)
    assert outcome.receipt == (RECEIPT if evidence is Evidence.PAID else None)


@pytest.mark.parametrize(
    ("status", "body", "again"),
    [
        (500, b"", True),
        (502, b"<html>", True),
        (401, b'{"error":"invalid_token"}', False),
        (200, b"", True),
        (200, an_answer({"id": "another", "status": "TS", "airtel_money_id": RECEIPT}), True),
    ],
)
def test_an_enquiry_without_an_answer_decides_nothing(
    status: int, body: bytes, *, again: bool
) -> None:
    with pytest.raises(ProviderError) as told:
        wire.read_enquiry(status, body, ORDER)

    assert told.value.again is again


@pytest.mark.parametrize("extra", [{}, {"hash": "zITVAAGYSlzl1WkUQJn81kbpT5drH3koffT8jCkcJJA="}])
def test_a_callback_tells_its_number_with_or_without_a_hash(extra: dict[str, str]) -> None:
    transaction = {
        "id": ORDER,
        "message": "Paid KES 1500 to LANGO",
        "status_code": "TS",
        "airtel_money_id": RECEIPT,
    }
    outcome = wire.read_callback(json.dumps({"transaction": transaction, **extra}).encode())

    assert (outcome.evidence, outcome.provider_id, outcome.receipt) == (
        Evidence.PAID,
        ORDER,
        RECEIPT,
    )
    assert outcome.amount is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"x" * 70_000, "body"),
        (b"[" * 5_000, "body"),
        (b"[]", "transaction"),
        (b'{"transaction":"TS"}', "transaction"),
        (b'{"transaction":{"status_code":"TS"}}', "transaction.id"),
        (b'{"transaction":{"id":"a b","status_code":"TS"}}', "transaction.id"),
        (b'{"transaction":{"id":"ab","status":"TS"}}', "transaction.status_code"),
        (b'{"transaction":{"id":"ab","status_code":null}}', "transaction.status_code"),
        (b'{"transaction":{"id":"ab","status_code":true}}', "transaction.status_code"),
    ],
)
def test_a_callback_that_cannot_be_read_names_its_field(body: bytes, field: str) -> None:
    with pytest.raises(CallbackUnreadable) as told:
        wire.read_callback(body)

    assert told.value.field == field


@pytest.mark.parametrize(
    ("status", "body", "evidence"),
    [
        (200, an_answer({"airtel_money_id": "CI260714.29", "status": "SUCCESS"},
                        result_code="ESB000010", success=False), Evidence.PAID),
        (200, an_answer({"status": "SUCCESS"}, result_code="ESB000010"), Evidence.NO_ANSWER),
        (200, an_answer({"status": "FAILED"}), Evidence.REFUSED),
        (200, an_answer(success=False, response_code="DP00800001007"), Evidence.REFUSED),
        (400, b"", Evidence.NOT_SENT),
        (200, an_answer(success=False, result_code="ESB000011"), Evidence.NO_ANSWER),
        (500, b"", Evidence.NO_ANSWER),
    ],
)  # fmt: skip
def test_a_refund_went_well_only_when_the_transaction_says_so(
    status: int, body: bytes, evidence: Evidence
) -> None:
    outcome = wire.read_refund_answer(status, body)

    assert outcome.evidence is evidence
    assert outcome.receipt == ("CI260714.29" if evidence is Evidence.PAID else None)


def a_key(valid_upto: object) -> tuple[rsa.RSAPrivateKey, SigningKey]:
    """A key pair: what Airtel keeps, and what it hands out."""
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    der = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    told = {"data": {"key": base64.b64encode(der).decode(), "valid_upto": valid_upto}}
    return private, read_key(200, json.dumps(told).encode(), NOON)


def test_a_signature_opens_to_the_very_bytes() -> None:
    private, key = a_key("12-08-2026 21:29:26")
    body = b'{"reference": "ABC"}'
    headers = signed_headers(body, key, lambda count: bytes(range(count)))

    pair = private.decrypt(base64.b64decode(headers["x-key"]), padding.PKCS1v15())
    secret, vector = (base64.b64decode(part) for part in pair.split(b":"))
    cipher = Cipher(algorithms.AES256(secret), modes.CBC(vector)).decryptor()
    padded = cipher.update(base64.b64decode(headers["x-signature"])) + cipher.finalize()
    opener = block_padding.PKCS7(128).unpadder()

    assert opener.update(padded) + opener.finalize() == body
    assert secret == bytes(range(32))


@pytest.mark.parametrize(
    ("valid_upto", "life"),
    [
        ("12-08-2026 21:29:26", timedelta(hours=1)),
        ("14-07-2026 13:00:15", timedelta(minutes=30)),
        ("14-07-2026 09:00:00", timedelta(0)),
        ("soon", timedelta(hours=1)),
        (None, timedelta(hours=1)),
    ],
)
def test_a_signing_key_is_used_for_an_hour_at_most(valid_upto: object, life: timedelta) -> None:
    _, key = a_key(valid_upto)

    assert key.until - NOON == life


@pytest.mark.parametrize("key", ["", "no base64!", base64.b64encode(b"no key").decode(), 7, None])
def test_what_is_no_key_is_refused(key: object) -> None:
    with pytest.raises(ProviderError):
        read_key(200, json.dumps({"data": {"key": key}}).encode(), NOON)


def test_the_repr_of_the_settings_shows_no_secret() -> None:
    assert not any(secret in repr(an_application()) for secret in SECRETS)
    assert SECRETS[0] not in an_application().credential()
