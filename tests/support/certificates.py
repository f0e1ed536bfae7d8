"""Certificates as Safaricom hands them out, and the keys that they never hand out."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

ISSUED = datetime(2016, 1, 1, tzinfo=UTC)
EXPIRED = datetime(2018, 3, 21, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Keys:
    """A certificate (PEM), and who can read what is encrypted for it."""

    certificate: str
    private: rsa.RSAPrivateKey

    def read(self, credential: str) -> str:
        """The password in a security credential."""
        return self.private.decrypt(base64.b64decode(credential), padding.PKCS1v15()).decode()


@cache
def rsa_keys() -> Keys:
    """Those of the environment; its certificate expired years ago, as the real ones have."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Keys(_certificate(private), private)


@cache
def elliptic_certificate() -> str:
    """One that encrypts nothing."""
    return _certificate(ec.generate_private_key(ec.SECP256R1()))


def _certificate(private: CertificateIssuerPrivateKeyTypes) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(ISSUED)
        .not_valid_after(EXPIRED)
        .sign(private, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()
