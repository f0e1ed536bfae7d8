"""What an M-PESA account needs, and what is wrong with one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.payments.mpesa_settings import (
    PRODUCTION_URL,
    SANDBOX_URL,
    MpesaSettings,
    mpesa_faults,
)

SECRETS = ("the-consumer-key", "the-consumer-secret", "the-passkey")


def an_account(
    *,
    base_url: str = PRODUCTION_URL,
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


def fields_at_fault(settings: MpesaSettings) -> list[str]:
    return [fault.field for fault in mpesa_faults(settings)]


def test_a_good_account_has_no_faults() -> None:
    assert mpesa_faults(an_account()) == ()


@pytest.mark.parametrize("word", ["mpesa", "Safaricom", "EXE", "exec", "cmd", "SQL", "query"])
def test_a_word_that_daraja_refuses_is_found(word: str) -> None:
    settings = an_account(callback_url=f"https://pay.example.co.ke/my{word}s/")

    assert "callback_url" in fields_at_fault(settings)


def test_production_wants_https() -> None:
    assert fields_at_fault(an_account(callback_url="http://pay.example.co.ke/c/")) == [
        "callback_url"
    ]


@pytest.mark.parametrize(
    ("base_url", "callback_url"),
    [
        (SANDBOX_URL, "http://pay.example.co.ke/c/"),
        (PRODUCTION_URL, "http://127.0.0.1:8080/c/"),
        ("http://127.0.0.1:8090", "http://127.0.0.1:8080/c/"),
    ],
)
def test_the_sandbox_and_loopback_may_be_called_without(base_url: str, callback_url: str) -> None:
    assert fields_at_fault(an_account(base_url=base_url, callback_url=callback_url)) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pay.example.co.ke",
        "ftp://x/",
        "https://",
        "https://a/?q=1",
        "https://[::1/",
        "https://u@x/",
    ],
)
def test_what_is_no_address_is_named(url: str) -> None:
    assert "base_url" in fields_at_fault(an_account(base_url=url))


def test_all_faults_are_told_at_once() -> None:
    settings = replace(
        an_account(shortcode="12", till="abc", base_url="x", callback_url="y"), consumer_key=" "
    )

    assert fields_at_fault(settings) == [
        "shortcode",
        "till",
        "consumer_key",
        "base_url",
        "callback_url",
    ]


def test_the_repr_shows_no_secret() -> None:
    assert not any(secret in repr(an_account()) for secret in SECRETS)


def test_a_credential_is_named_without_telling_the_key() -> None:
    name = an_account().credential()

    assert len(name) == 64
    assert SECRETS[0] not in name


def test_a_till_collects_by_buy_goods() -> None:
    settings = an_account(till="5123456")

    assert (settings.transaction_type, settings.party_b) == ("CustomerBuyGoodsOnline", "5123456")
