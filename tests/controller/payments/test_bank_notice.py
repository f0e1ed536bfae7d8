"""A bank's instant notice: believed by its signature, read in all its shapes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidField
from billing.money import Money
from controller.payments.bank_notice import (
    NOTICE_BYTES_MAX,
    Bank,
    BankSettings,
    NotMoneyIn,
    notice_answer,
    read_notice,
)
from controller.payments.gateway import CallbackUnreadable
from controller.payments.seen import Road, Seen
from controller.sandbox.bank.movements import Movement, What
from controller.sandbox.bank.notices import Notice, SigningBank, jenga_notice

BANK = SigningBank()
KCB = BankSettings(Bank.KCB, "1100223344", public_key=BANK.public_key)
JENGA = BankSettings(Bank.JENGA, "0110000001", user="lango", password="s3cret:word")
PAID = Movement(
    datetime(2026, 7, 14, 10, 15, 2, tzinfo=timezone(timedelta(hours=3))),
    What.PAID,
    150_050,
    "UGE5L8M3RZ",
    "ISP10023",
    "254700000001",
    "A B",
)
SEEN = Seen(
    rail="bank",
    receipt="UGE5L8M3RZ",
    amount=Money(150_050),
    place="1100223344",
    road=Road.NOTICE,
    at=datetime(2026, 7, 14, 7, 15, 2, tzinfo=UTC),
    reference="ISP10023",
    payer="254700000001",
    payer_name="A B",
)


def lowered(notice: Notice) -> dict[str, str]:
    return {name.lower(): value for name, value in notice.headers.items()}


def read(notice: Notice, settings: BankSettings) -> Seen:
    return read_notice(notice.body, lowered(notice), settings)


def jenga(movement: Movement = PAID) -> Notice:
    return jenga_notice(movement, user="lango", password="s3cret:word")


def changed(where: str, value: object) -> Notice:
    """Jenga's notice with one value changed."""
    notice = jenga()
    told = json.loads(notice.body)
    outer, _, inner = where.partition(".")
    if inner:
        told[outer][inner] = value
    else:
        told[outer] = value
    return replace(notice, body=json.dumps(told).encode())


def test_each_shape_tells_the_same_money() -> None:
    account = read(BANK.account_notice(PAID, "1100223344"), KCB)
    till = read(BANK.till_notice(PAID), KCB)
    equity = read(jenga(), JENGA)

    assert replace(account, note="") == SEEN
    assert replace(till, note="") == SEEN
    assert replace(equity, note="") == replace(SEEN, place="0110000001")


def test_a_whole_amount_may_come_as_a_number() -> None:
    assert read(jenga(replace(PAID, cents=150_000)), JENGA).amount == Money(150_000)


def test_the_banks_own_number_is_the_receipt_where_there_is_no_other() -> None:
    by_bank = replace(PAID, receipt="FT26327-001")

    assert read(jenga(by_bank), JENGA).receipt == "FT26327-001"


def test_an_mpesa_receipt_in_the_narration_is_the_receipt() -> None:
    notice = BANK.signed(
        {
            "transactionReference": "FT26327001",
            "transactionAmount": "5",
            "narration": "UGE5L8M3RZ~0712345678~A B",
        }
    )
    found = read(replace(notice), KCB)

    assert (found.receipt, found.reference) == ("FT26327001", "0712345678")
    assert found.at is None


def test_a_certificate_carries_the_key_as_well() -> None:
    settings = replace(KCB, public_key=BANK.certificate(datetime(2020, 1, 1, tzinfo=UTC)))

    assert read(BANK.till_notice(PAID), settings).receipt == "UGE5L8M3RZ"


def test_one_changed_byte_and_the_signature_is_nobodys() -> None:
    notice = BANK.account_notice(PAID, "1100223344")
    for forged in (
        replace(notice, body=notice.body.replace(b"1,500.50", b"9,500.50")),
        replace(notice, body=notice.body + b" "),
        replace(notice, headers={}),
        replace(notice, headers={"Signature": "x"}),
        replace(notice, headers={"Signature": "AAAA"}),
        SigningBank().account_notice(PAID, "1100223344"),
    ):
        with pytest.raises(CallbackUnreadable) as refused:
            read(forged, KCB)

        assert refused.value.field == "signature"


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic ", "Basic bGFuZ286eA==", "Bearer bGFuZ286czNjcmV0OndvcmQ=", "Basic é"],
)
def test_jenga_shows_the_user_and_password_that_it_was_given(authorization: str) -> None:
    with pytest.raises(CallbackUnreadable) as refused:
        read(replace(jenga(), headers={"Authorization": authorization}), JENGA)

    assert refused.value.field == "signature"


@pytest.mark.parametrize(
    "notice",
    [
        BANK.till_notice(replace(PAID, what=What.WITHDRAWN)),
        jenga(replace(PAID, what=What.WITHDRAWN)),
        changed("transaction.status", "FAILED"),
    ],
    ids=["kcb debit", "jenga debit", "jenga failure"],
)
def test_a_notice_of_no_money_is_told_apart(notice: Notice) -> None:
    with pytest.raises(NotMoneyIn):
        read(notice, JENGA if "Authorization" in notice.headers else KCB)


@pytest.mark.parametrize(
    ("where", "value", "field"),
    [
        ("transaction", [], "transaction"),
        ("customer", "x", "customer"),
        ("transaction.amount", "1.5.0", "amount"),
        ("transaction.amount", None, "amount"),
        ("transaction.amount", -5, "amount"),
        ("transaction.amount", 0, "amount"),
        ("transaction.amount", 1e300, "amount"),
        ("transaction.currency", "XYZ", "currency"),
    ],
)
def test_a_notice_that_lacks_something_is_refused_by_its_field(
    where: str, value: object, field: str
) -> None:
    with pytest.raises(CallbackUnreadable) as refused:
        read(changed(where, value), JENGA)

    assert refused.value.field == field


@pytest.mark.parametrize("number", ["", "x" * 65])
def test_money_without_any_number_or_with_one_that_is_too_long_is_refused(number: str) -> None:
    told = json.loads(jenga().body)
    told["transaction"]["reference"] = told["bank"]["reference"] = number
    with pytest.raises(CallbackUnreadable) as refused:
        read(replace(jenga(), body=json.dumps(told).encode()), JENGA)

    assert refused.value.field == "transaction.reference"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b"[" * 50_000, b"x" * (NOTICE_BYTES_MAX + 1)]
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(CallbackUnreadable) as refused:
        read(replace(jenga(), body=body), JENGA)

    assert refused.value.field == "body"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["transaction", "bank", "customer", "amount", "status", "reference"]
                ),
                inner,
            )
        ),
    )
)
def test_any_json_is_read_or_refused_and_nothing_else(told: object) -> None:
    for signed in (BANK.signed({"requestPayload": told}), BANK.signed({"narration": told})):
        with pytest.raises(CallbackUnreadable):
            read(signed, KCB)


def test_each_bank_hears_what_it_wants_to_hear() -> None:
    account, till = BANK.account_notice(PAID, "x"), BANK.till_notice(PAID)

    assert notice_answer(account.body, KCB, "a1") == {
        "transactionID": "a1",
        "statusCode": "0",
        "statusMessage": "Notification received",
    }
    assert notice_answer(till.body, KCB, "a1") == {
        "header": {
            "messageID": "msg-UGE5L8M3RZ",
            "originatorConversationID": "conv-UGE5L8M3RZ",
            "statusCode": "0",
            "statusMessage": "Notification received",
        },
        "responsePayload": {"transactionInfo": {"transactionId": "a1"}},
    }
    assert notice_answer(jenga().body, JENGA, "a1")["status"] is True


def test_settings_that_cannot_check_anything_are_refused() -> None:
    curve = generate_private_key(SECP256R1()).public_key()
    other = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    good = {"bank": Bank.JENGA, "place": "1", "user": "a", "password": "x"}
    for field, wrong in (
        ("bank.public_key", {"bank": Bank.KCB}),
        ("bank.public_key", {"bank": Bank.KCB, "public_key": other}),
        ("bank.password", {"password": ""}),
        ("bank.password", {"user": "a:b"}),
        ("bank.place", {"place": "a b"}),
    ):
        with pytest.raises(InvalidField) as refused:
            BankSettings(**{**good, **wrong})  # type: ignore[arg-type]

        assert refused.value.field == field


def test_no_secret_and_no_payer_is_shown_in_a_repr() -> None:
    shown = repr(KCB) + repr(JENGA) + repr(read(jenga(), JENGA))

    assert not any(word in shown for word in ("s3cret", "BEGIN", "254700000001", "ISP10023"))
