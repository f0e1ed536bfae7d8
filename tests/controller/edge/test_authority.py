"""The controller's own certificate authority."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from billing.errors import InvalidField
from billing.ids import SiteId
from controller.edge.authority import (
    AGENT_LIFE,
    CSR_MAX_BYTES,
    SERVER_NAME,
    Authority,
    open_authority,
    peer_of,
)
from tests.controller.edge.certificates import a_csr, a_key, an_rsa_key

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SITE = SiteId("estate-1")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return open_authority(tmp_path, NOW)


def signed(authority: Authority, csr: bytes | None = None) -> x509.Certificate:
    made = authority.sign(csr or a_csr(), site_id=SITE, now=NOW)
    return x509.load_pem_x509_certificate(made.certificate_pem)


def test_a_second_start_finds_the_same_authority(tmp_path: Path) -> None:
    first = open_authority(tmp_path, NOW)
    second = open_authority(tmp_path, NOW + timedelta(days=400))

    assert first.ca_pem == second.ca_pem


def test_a_start_cut_short_after_the_key_is_mended(tmp_path: Path) -> None:
    open_authority(tmp_path, NOW)
    (tmp_path / "ca.pem").unlink()

    assert signed(open_authority(tmp_path, NOW)).issuer is not None


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    open_authority(tmp_path, NOW)
    (tmp_path / "ca.key").unlink()

    with pytest.raises(ValueError, match="restore it from backup"):
        open_authority(tmp_path, NOW)


def test_a_root_of_another_key_is_refused(tmp_path: Path) -> None:
    open_authority(tmp_path / "one", NOW)
    open_authority(tmp_path / "two", NOW)
    (tmp_path / "one" / "ca.pem").write_bytes((tmp_path / "two" / "ca.pem").read_bytes())

    with pytest.raises(ValueError, match="does not belong"):
        open_authority(tmp_path / "one", NOW)


@pytest.mark.parametrize("name", ["ca.key", "ca.pem"])
def test_only_the_owner_can_read_what_is_kept(tmp_path: Path, name: str) -> None:
    open_authority(tmp_path, NOW)

    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_an_agent_certificate_names_its_site_and_lives_thirty_days(authority: Authority) -> None:
    made = authority.sign(a_csr(), site_id=SITE, now=NOW)
    peer = peer_of(made.certificate_pem)

    assert peer is not None
    assert (peer.site_id, peer.serial, peer.expires_at) == (SITE, made.serial, NOW + AGENT_LIFE)


def test_the_subject_of_a_request_is_not_believed(authority: Authority) -> None:
    assert signed(authority).subject.rfc4514_string() == "CN=estate-1"


def test_a_certificate_carries_the_key_of_the_request(authority: Authority) -> None:
    key = a_key()

    assert signed(authority, a_csr(key)).public_key() == key.public_key()


def test_a_certificate_is_signed_by_the_root(authority: Authority) -> None:
    root = x509.load_pem_x509_certificate(authority.ca_pem)

    signed(authority).verify_directly_issued_by(root)


def test_an_agent_cannot_pass_for_the_controller(authority: Authority) -> None:
    usage = signed(authority).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_an_agent_cannot_sign_for_others(authority: Authority) -> None:
    constraints = signed(authority).extensions.get_extension_for_class(x509.BasicConstraints)

    assert constraints.value.ca is False


def test_nothing_outlives_the_root(authority: Authority) -> None:
    late = authority.expires_at - timedelta(days=3)
    made = authority.sign(a_csr(), site_id=SITE, now=late)

    assert made.expires_at == authority.expires_at


def test_the_server_shows_the_name_that_agents_expect(authority: Authority) -> None:
    pair = authority.server_pair(NOW)
    names = x509.load_pem_x509_certificate(pair.certificate_pem).extensions
    found = names.get_extension_for_class(x509.SubjectAlternativeName).value

    assert found.get_values_for_type(x509.DNSName) == [SERVER_NAME]


def test_a_gateway_whose_clock_says_1970_can_believe_the_server(authority: Authority) -> None:
    pair = authority.server_pair(NOW)
    starts = [
        x509.load_pem_x509_certificate(pem).not_valid_before_utc
        for pem in (authority.ca_pem, pair.certificate_pem)
    ]

    assert starts == [datetime(1970, 1, 1, tzinfo=UTC)] * 2


def test_an_rsa_key_of_2048_bits_is_taken(authority: Authority) -> None:
    assert signed(authority, a_csr(an_rsa_key(2048))).public_key() is not None


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def tampered() -> bytes:
    """A request with another key put in after it was signed."""
    mine, other = a_key(), a_key()
    request = x509.load_pem_x509_csr(a_csr(mine)).public_bytes(serialization.Encoding.DER)
    forged = base64.encodebytes(request.replace(point_of(mine), point_of(other)))
    label = b"CERTIFICATE REQUEST-----\n"
    return b"-----BEGIN " + label + forged + b"-----END " + label


@pytest.mark.parametrize(
    "csr",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello", id="not PEM"),
        pytest.param(b"\x00\xff" * 50, id="noise"),
        pytest.param(b"x" * (CSR_MAX_BYTES + 1), id="too long"),
        pytest.param(a_csr(an_rsa_key(1024)), id="short RSA"),
        pytest.param(a_csr(ec.generate_private_key(ec.SECP384R1())), id="another curve"),
        pytest.param(tampered(), id="key not proven"),
    ],
)
def test_a_bad_request_is_refused_by_name(authority: Authority, csr: bytes) -> None:
    with pytest.raises(InvalidField) as refused:
        authority.sign(csr, site_id=SITE, now=NOW)

    assert refused.value.field == "csr_pem"


def test_a_certificate_that_names_no_site_is_nobody(authority: Authority) -> None:
    assert peer_of(authority.server_pair(NOW).certificate_pem) is None


def test_a_join_token_says_where_whom_to_trust_and_the_secret(authority: Authority) -> None:
    token = authority.join_token(join_address="10.0.0.1:8444", secret="s3cret")
    prefix, packed = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    root = x509.load_der_x509_certificate(base64.b64decode(content["c"]))

    assert (prefix, content["a"], content["s"]) == ("lango1", "10.0.0.1:8444", "s3cret")
    assert root.public_bytes(serialization.Encoding.PEM) == authority.ca_pem


@pytest.mark.parametrize("what", ["authority", "pair"])
def test_no_key_is_shown_in_a_log(authority: Authority, what: str) -> None:
    shown = {"authority": authority, "pair": authority.server_pair(NOW)}[what]

    assert "PRIVATE" not in repr(shown)
