"""Keys, requests and certificates that tests ask for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes


def a_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def an_rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def a_csr(key: CertificateIssuerPrivateKeyTypes | None = None) -> bytes:
    """A request as an agent makes it; its subject is a lie that nobody should believe."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody-else")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    request = builder.sign(key or a_key(), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
