"""The initiator's password, encrypted for a certificate whose private key only the test has."""

from __future__ import annotations

import pytest

from billing.errors import InvalidField
from controller.payments.credential import security_credential
from tests.support.certificates import elliptic_certificate, rsa_keys


def test_the_password_alone_is_read_at_the_other_end() -> None:
    assert rsa_keys().read(security_credential("S3cret#pass", rsa_keys().certificate)) == (
        "S3cret#pass"
    )


def test_it_is_as_long_as_daraja_says_and_another_each_time() -> None:
    two = [security_credential("S3cret#pass", rsa_keys().certificate) for _ in range(2)]

    assert [len(text) for text in two] == [344, 344]
    assert two[0] != two[1]


@pytest.mark.parametrize("junk", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAA==\n"])
def test_what_is_no_certificate_is_named(junk: str) -> None:
    with pytest.raises(InvalidField) as told:
        security_credential("S3cret#pass", junk)

    assert told.value.field == "certificate"


def test_a_certificate_that_encrypts_nothing_is_named() -> None:
    with pytest.raises(InvalidField) as told:
        security_credential("S3cret#pass", elliptic_certificate())

    assert told.value.field == "certificate"


@pytest.mark.parametrize("password", ["", "x" * 246])
def test_a_password_that_cannot_be_is_named_and_not_shown(password: str) -> None:
    with pytest.raises(InvalidField) as told:
        security_credential(password, rsa_keys().certificate)

    assert told.value.field == "password"
    assert "xxx" not in str(told.value)


def test_a_password_of_the_greatest_length_fits() -> None:
    longest = "x" * 245

    assert rsa_keys().read(security_credential(longest, rsa_keys().certificate)) == longest
