"""Who this agent is: its key, its certificate, and how it gets and renews one.

The key is made here and never leaves the machine. A join token is spent once for the first
certificate; later ones are asked for over the edge itself, each for a fresh key. Files stand in the
state directory, readable by their owner alone; a new certificate replaces key, certificate and CA
in one file, so that they can never belong to different renewals.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agent.uplink.grpc import Credentials, GrpcUplink, enrol

if TYPE_CHECKING:
    from pathlib import Path

    from agent.uplink.grpc import Issued

TOKEN_PREFIX = "lango1."  # noqa: S105 - not a secret: how every join token begins
TOKEN_LENGTH_MAX = 8_192
FILE = "identity.json"
RENEW_BEFORE = timedelta(days=29)
"""A certificate lives 30 days and is renewed once it is a day old."""

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253}):(?P<port>[0-9]{1,5})")


class IdentityError(Exception):
    """The agent cannot prove who it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class JoinToken:
    """What a join token carries: where to join, which CA to trust, and the one-use secret."""

    address: str
    ca_pem: bytes
    secret: str


@dataclass(frozen=True, slots=True)
class Identity:
    """An enrolled agent."""

    site_id: str
    edge_address: str
    key_pem: bytes
    certificate_pem: bytes
    ca_pem: bytes
    valid_until: datetime

    @property
    def credentials(self) -> Credentials:
        """What the uplink needs of it."""
        return Credentials(
            edge_address=self.edge_address,
            key_pem=self.key_pem,
            certificate_pem=self.certificate_pem,
            ca_pem=self.ca_pem,
        )


def parse_token(text: str) -> JoinToken:
    """Read a join token. Raises `IdentityError` naming what is wrong with it."""
    text = text.strip()
    if not text.startswith(TOKEN_PREFIX) or len(text) > TOKEN_LENGTH_MAX:
        raise IdentityError(f"token: want one that begins with {TOKEN_PREFIX}")
    try:
        body = text.removeprefix(TOKEN_PREFIX)
        raw = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        address, authority, secret = str(raw["a"]), str(raw["c"]), str(raw["s"])
        der = base64.b64decode(authority, validate=True)
    except (ValueError, KeyError, TypeError) as broken:
        raise IdentityError("token: it is damaged; copy it again, whole") from broken
    checked_address("token: the join address", address)
    if not secret:
        raise IdentityError("token: it carries no secret; make a new one")
    return JoinToken(address=address, ca_pem=_ca_pem(der), secret=secret)


def checked_address(what: str, address: str) -> str:
    """``host:port`` itself. Raises `IdentityError` when it cannot be one."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 65_536:  # noqa: PLR2004 - ports end there
        raise IdentityError(f"{what} {address!r} is not host:port")
    return address


def new_key() -> bytes:
    """A fresh EC P-256 private key, PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def request_for(key_pem: bytes) -> bytes:
    """A certificate signing request for the key, PEM. The controller chooses the subject."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = serialization.load_pem_private_key(key_pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), "keys are made by new_key"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lango-agent")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


async def join(token: JoinToken, state_dir: Path) -> Identity:
    """Spend a join token and keep what it gives.

    Raises `IdentityError`, `UplinkError` (not reached; the token is not spent) or `UplinkRefused`.
    """
    key_pem = new_key()
    issued = await enrol(
        token.address, ca_pem=token.ca_pem, secret=token.secret, csr_pem=request_for(key_pem)
    )
    identity = _adopted(issued, key_pem)
    save(identity, state_dir)
    return identity


def due(identity: Identity, now: datetime) -> bool:
    """Whether it is time for a fresh certificate."""
    return identity.valid_until - now <= RENEW_BEFORE


async def renew(identity: Identity, state_dir: Path) -> Identity:
    """A fresh certificate for a fresh key, kept in place of the old ones.

    Raises `IdentityError`, `UplinkError`, `UplinkRefused`; then the old ones stay.
    """
    key_pem = new_key()
    uplink = GrpcUplink(identity.credentials)
    try:
        renewed = _adopted(await uplink.renew(request_for(key_pem)), key_pem)
    finally:
        await uplink.close()
    save(renewed, state_dir)
    return renewed


def save(identity: Identity, state_dir: Path) -> None:
    """Write the identity in one step that survives a power cut. Raises `IdentityError`."""
    raw = {
        "site_id": identity.site_id,
        "edge_address": identity.edge_address,
        "key": identity.key_pem.decode(),
        "certificate": identity.certificate_pem.decode(),
        "ca": identity.ca_pem.decode(),
        "valid_until": identity.valid_until.isoformat(),
    }
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = state_dir / f"{FILE}.new"
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            _give(file.fileno(), state_dir)
            json.dump(raw, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(state_dir / FILE)
        folder = os.open(state_dir, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as broken:
        raise IdentityError(f"{state_dir}: {broken.strerror}") from broken


def _give(descriptor: int, state_dir: Path) -> None:
    """Root joins for whoever owns the state directory: the agent itself runs as that user."""
    if os.geteuid() == 0:
        owner = state_dir.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def load(state_dir: Path) -> Identity:
    """The identity as it was saved. Raises `IdentityError` when there is none that can be used."""
    path = state_dir / FILE
    try:
        raw = json.loads(path.read_text())
        return Identity(
            site_id=raw["site_id"],
            edge_address=raw["edge_address"],
            key_pem=raw["key"].encode(),
            certificate_pem=raw["certificate"].encode(),
            ca_pem=raw["ca"].encode(),
            valid_until=datetime.fromisoformat(raw["valid_until"]),
        )
    except FileNotFoundError as missing:
        raise IdentityError("not joined yet: run lango-agent join TOKEN") from missing
    except OSError as broken:
        raise IdentityError(f"{path}: {broken.strerror}") from broken
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise IdentityError(f"{path} is damaged; join again with a new token") from broken


def _adopted(issued: Issued, key_pem: bytes) -> Identity:
    """What the controller issued, once it is sure that it is for our key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    checked_address("the controller's edge address", issued.edge_address)
    key = serialization.load_pem_private_key(key_pem, password=None).public_key()
    try:
        certificate = x509.load_pem_x509_certificate(issued.certificate_pem)
        x509.load_pem_x509_certificate(issued.ca_pem)
    except ValueError as broken:
        raise IdentityError("the controller sent no readable certificate") from broken
    if certificate.public_key() != key:
        raise IdentityError("the controller sent a certificate for another key")
    return Identity(
        site_id=issued.site_id,
        edge_address=issued.edge_address,
        key_pem=key_pem,
        certificate_pem=issued.certificate_pem,
        ca_pem=issued.ca_pem,
        valid_until=certificate.not_valid_after_utc,
    )


def _ca_pem(der: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
    except ValueError as broken:
        raise IdentityError("token: its CA certificate cannot be read") from broken
