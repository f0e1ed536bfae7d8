"""What an M-PESA account needs, and what is wrong with one."""

from __future__ import annotations

import pytest

from billing.errors import InvalidField
from billing.msisdn import Msisdn
from controller.payments.mpesa_settings import Initiator, MpesaSettings, callback_word_faults
from tests.support.certificates import rsa_keys

SECRETS = ("the-consumer-key", "the-consumer-secret", "the-passkey", "the-password")


def an_account(
    *,
    base_url: str = "https://api.safaricom.co.ke",
    callback_url: str = "https://pay.example.co.ke/callbacks/stk/",
    shortcode: str = "600111",
    till: str | None = None,
    initiator: Initiator | None = None,
    c2b_version: str = "v2",
    nominated_number: Msisdn | None = None,
) -> MpesaSettings:
    return MpesaSettings(
        base_url=base_url,
        shortcode=shortcode,
        till=till,
        consumer_key=SECRETS[0],
        consumer_secret=SECRETS[1],
        passkey=SECRETS[2],
        callback_url=callback_url,
        initiator=initiator,
        c2b_version=c2b_version,
        nominated_number=nominated_number,
    )


def an_initiator() -> Initiator:
    return Initiator("apiuser1", SECRETS[3], rsa_keys().certificate)


@pytest.mark.parametrize("word", ["mpesa", "Safaricom", "EXE", "exec", "cmd", "SQL", "query"])
def test_a_word_that_daraja_refuses_is_found(word: str) -> None:
    faults = callback_word_faults(f"https://pay.example.co.ke/my{word}s/")

    assert [fault.field for fault in faults] == ["callback_url"] * len(faults)
    assert faults


def test_an_address_without_such_words_is_good() -> None:
    assert callback_word_faults(an_account().callback_url) == ()


def test_the_repr_shows_no_secret() -> None:
    told = repr(an_account(initiator=an_initiator(), nominated_number=Msisdn("254700000009")))

    assert not any(secret in told for secret in (*SECRETS, "CERTIFICATE", "254700000009"))


def test_a_credential_is_named_without_telling_the_key() -> None:
    name = an_account().credential()

    assert len(name) == 64
    assert SECRETS[0] not in name


def test_a_till_collects_by_buy_goods() -> None:
    settings = an_account(till="5123456")

    assert (settings.transaction_type, settings.party_b) == ("CustomerBuyGoodsOnline", "5123456")


def test_a_till_is_known_by_both_its_numbers() -> None:
    assert an_account(till="5123456").places == ("5123456", "600111")
    assert an_account().places == ("600111",)


def test_a_version_that_daraja_does_not_have_is_named() -> None:
    with pytest.raises(InvalidField) as told:
        an_account(c2b_version="v3")

    assert told.value.field == "c2b_version"
