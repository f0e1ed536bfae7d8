"""What an M-PESA account needs, and what is wrong with one."""

from __future__ import annotations

import pytest

from controller.payments.mpesa_settings import MpesaSettings, callback_word_faults

SECRETS = ("the-consumer-key", "the-consumer-secret", "the-passkey")


def an_account(
    *,
    base_url: str = "https://api.safaricom.co.ke",
    callback_url: str = "https://pay.example.co.ke/callbacks/stk/",
    shortcode: str = "600111",
    till: str | None = None,
) -> MpesaSettings:
    return MpesaSettings(
        base_url=base_url,
        shortcode=shortcode,
        till=till,
        consumer_key=SECRETS[0],
        consumer_secret=SECRETS[1],
        passkey=SECRETS[2],
        callback_url=callback_url,
    )


@pytest.mark.parametrize("word", ["mpesa", "Safaricom", "EXE", "exec", "cmd", "SQL", "query"])
def test_a_word_that_daraja_refuses_is_found(word: str) -> None:
    faults = callback_word_faults(f"https://pay.example.co.ke/my{word}s/")

    assert [fault.field for fault in faults] == ["callback_url"] * len(faults)
    assert faults


def test_an_address_without_such_words_is_good() -> None:
    assert callback_word_faults(an_account().callback_url) == ()


def test_the_repr_shows_no_secret() -> None:
    assert not any(secret in repr(an_account()) for secret in SECRETS)


def test_a_credential_is_named_without_telling_the_key() -> None:
    name = an_account().credential()

    assert len(name) == 64
    assert SECRETS[0] not in name


def test_a_till_collects_by_buy_goods() -> None:
    settings = an_account(till="5123456")

    assert (settings.transaction_type, settings.party_b) == ("CustomerBuyGoodsOnline", "5123456")
