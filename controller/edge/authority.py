"""The controller's own certificate authority: who may speak as which site.

One key (EC P-256) and one root certificate (10 years) in the state directory. It signs two kinds:
the controller's server certificate (30 days, in memory only, made anew at each start and when it
ages) and agents' certificates (30 days), which name their site in a URI (``lango:site:<id>``). The
two kinds have different extended key usages, so that an agent never passes for the controller.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from billing.errors import InvalidField
from billing.ids import SiteId
from controller.keep import write_private

if TYPE_CHECKING:
    from pathlib import Path

SERVER_NAME = "controller.lango.internal"
"""The name that agents expect in the server's certificate, whatever address they dial."""

KEY_FILE = "ca.key"
CERTIFICATE_FILE = "ca.pem"
ROOT_LIFE = timedelta(days=3653)
SERVER_LIFE = timedelta(days=30)
AGENT_LIFE = timedelta(days=30)
CLOCK_SLACK = timedelta(hours=1)
CSR_MAX_BYTES = 16_384
RSA_MIN_BITS = 2048
RSA_MAX_BITS = 8192
SITE_URI = "lango:site:"
TOKEN_PREFIX = "lango1."  # noqa: S105 - a format's name, no secret

# A gateway without a clock boots in 1970 and must still be able to reach us to learn the time.
DAWN = datetime(1970, 1, 1, tzinfo=UTC)

SEALED_FOR = b"lango sealed for the controller\0"
POINT_BYTES, SEALED_AT = 65, 77
"""An agent's key stands first, and then a nonce of 12 bytes (``agent/sealing.py``)."""

AgentKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Signed:
    """An agent's certificate as it was signed; ``serial`` is lower-case hexadecimal."""

    serial: str
    certificate_pem: bytes
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ServerPair:
    """The controller's private key and certificate, both PEM. Never printed, never stored."""

    key_pem: bytes
    certificate_pem: bytes
    expires_at: datetime

    def __repr__(self) -> str:
        """Say nothing of the key."""
        return f"ServerPair(expires_at={self.expires_at.isoformat()})"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who a certificate says its holder is."""

    site_id: SiteId
    serial: str
    expires_at: datetime


class Authority:
    """Signs certificates with the key of one state directory."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, root: x509.Certificate) -> None:
        self._key = key
        self._root = root
        self.ca_pem = root.public_bytes(serialization.Encoding.PEM)
        """The root certificate, PEM: what agents trust, and all that they trust."""
        self.expires_at = root.not_valid_after_utc
        """When the root itself ends; nothing that it signs outlives it."""

    def __repr__(self) -> str:
        """Say nothing of the key."""
        return f"Authority(expires_at={self.expires_at.isoformat()})"

    def sign(self, csr_pem: bytes, *, site_id: SiteId, now: datetime) -> Signed:
        """A certificate for the key in ``csr_pem``; its subject and wishes are ignored.

        Raises `InvalidField` (field ``csr_pem``).
        """
        builder = (
            self._builder(_name(site_id), _key_of(csr_pem))
            .not_valid_before(now - CLOCK_SLACK)
            .not_valid_after(min(now + AGENT_LIFE, self.expires_at))
            .add_extension(_uri(site_id), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=True)
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        return Signed(
            serial=serial_text(certificate),
            certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
            issued_at=now,
            expires_at=certificate.not_valid_after_utc,
        )

    def unseal(self, text: str, *, site_id: SiteId) -> str:
        """The secret that the agent of this site sealed. Raises `InvalidField` (``sealed``).

        What is agreed on is bound to the site and to this use, and signs nothing.
        """
        try:
            told = base64.b64decode(text, validate=True)
            point, nonce, sealed = told[:POINT_BYTES], told[POINT_BYTES:SEALED_AT], told[SEALED_AT:]
            theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            info = SEALED_FOR + point + site_id.encode()
            key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(
                self._key.exchange(ec.ECDH(), theirs)
            )
            return AESGCM(key).decrypt(nonce, sealed, None).decode()
        except (ValueError, InvalidTag) as strange:
            raise InvalidField("sealed", "it was not sealed for this controller and site") from (
                strange
            )

    def server_pair(self, now: datetime) -> ServerPair:
        """A new key and certificate for this controller's gRPC servers."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(_name(SERVER_NAME), key.public_key())
            .not_valid_before(DAWN)
            .not_valid_after(min(now + SERVER_LIFE, self.expires_at))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=True)
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        return ServerPair(
            key_pem=_private_pem(key),
            certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
            expires_at=certificate.not_valid_after_utc,
        )

    def join_token(self, *, join_address: str, secret: str) -> str:
        """The text that staff carry to a site: where to join, whom to trust, and the secret."""
        root = self._root.public_bytes(serialization.Encoding.DER)
        content = {"a": join_address, "c": base64.b64encode(root).decode(), "s": secret}
        packed = json.dumps(content, separators=(",", ":")).encode()
        return TOKEN_PREFIX + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    def _builder(self, subject: x509.Name, key: AgentKey) -> x509.CertificateBuilder:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._root.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(identifier, critical=False)
        )


def open_authority(state_dir: Path, now: datetime) -> Authority:
    """The authority of this state directory; made on first use. Raises ``OSError``, ``ValueError``.

    The certificate is written last: a key without one is a start that was cut short, and is used.
    """
    key_path, root_path = state_dir / KEY_FILE, state_dir / CERTIFICATE_FILE
    if not key_path.exists():
        if root_path.exists():
            raise ValueError(f"{root_path} is there but {key_path} is not: restore it from backup")
        write_private(key_path, _private_pem(ec.generate_private_key(ec.SECP256R1())))
    key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{key_path}: want an EC key")  # noqa: TRY004 - a file's content
    if not root_path.exists():
        write_private(root_path, _root(key, now).public_bytes(serialization.Encoding.PEM))
    root = x509.load_pem_x509_certificate(root_path.read_bytes())
    if root.public_key() != key.public_key():
        raise ValueError(f"{root_path} does not belong to {key_path}")
    return Authority(key, root)


def peer_of(certificate_pem: bytes) -> Peer | None:
    """Who the holder of a certificate is; None when it names no site.

    Believes the certificate: the handshake has checked who signed it.
    """
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    sites = [uri.removeprefix(SITE_URI) for uri in uris if uri.startswith(SITE_URI)]
    if len(sites) != 1:
        return None
    return Peer(SiteId(sites[0]), serial_text(certificate), certificate.not_valid_after_utc)


def serial_text(certificate: x509.Certificate) -> str:
    """A certificate's serial number as the database keeps it: lower-case hexadecimal."""
    return f"{certificate.serial_number:x}"


def _key_of(csr_pem: bytes) -> AgentKey:
    if len(csr_pem) > CSR_MAX_BYTES:
        raise InvalidField("csr_pem", f"want at most {CSR_MAX_BYTES:,} bytes")
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        proven = request.is_signature_valid
        key = request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise InvalidField("csr_pem", "want a PKCS#10 request in PEM") from error
    if not proven:
        raise InvalidField("csr_pem", "its signature does not prove possession of the key")
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    if isinstance(key, rsa.RSAPublicKey) and RSA_MIN_BITS <= key.key_size <= RSA_MAX_BITS:
        return key
    raise InvalidField("csr_pem", f"want a P-256 key, or RSA of {RSA_MIN_BITS} bits or more")


def _root(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _name("Lango controller authority")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(DAWN)
        .not_valid_after(now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(_signs_only(), critical=True)
        .sign(key, hashes.SHA256())
    )


def _signs_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _uri(site_id: SiteId) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(SITE_URI + site_id)])


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
