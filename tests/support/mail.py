"""The simulated mail server on real loopback ports, with a certificate of its own."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controller.notify.smtp import Security, SmtpEmail, SmtpSettings
from controller.sandbox.mail.app import build_app
from controller.sandbox.mail.settings import MailSettings
from controller.tls import trusted
from tests.support.daraja import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SENDER = "bills@mtaa.example"
PASSWORD = "hush-hush-password"


@dataclass(frozen=True, slots=True)
class Post:
    """A mail server, and what it was told."""

    url: str
    http: httpx2.AsyncClient
    smtp_port: int
    security: Security
    trust: ssl.SSLContext

    def client(
        self, *, password: str = PASSWORD, security: Security | None = None, port: int = 0
    ) -> SmtpEmail:
        """The real client, pointed here."""
        settings = SmtpSettings(
            host="127.0.0.1",
            port=port or self.smtp_port,
            security=security or self.security,
            sender=SENDER,
            sender_name="Mtaa Net",
            username="mtaanet",
            password=password,
        )
        return SmtpEmail(
            settings, now=lambda: datetime.now(UTC), trust=self.trust, answer_timeout_s=5
        )

    async def letters(self) -> list[dict[str, Any]]:
        """The letters that came, newest first."""
        told: list[dict[str, Any]] = (await self.http.get(f"{self.url}/sim/mail")).json()
        return told

    async def set_faults(self, **faults: bool) -> None:
        """Turn faults on or off."""
        answer = await self.http.post(f"{self.url}/sim/mail/faults", json=faults)
        assert answer.status_code == 200, answer.text


@asynccontextmanager
async def a_post(folder: Path, security: Security = Security.NONE) -> AsyncIterator[Post]:
    """A mail server that wants a log-in, and privacy of this kind."""
    ours, trust = certificate(folder)
    settings = MailSettings(
        username="mtaanet",
        password=PASSWORD,
        private=security is Security.STARTTLS,
        wrapped=security is Security.TLS,
    )
    tls = None if security is Security.NONE else ours
    app = build_app(settings, now=lambda: datetime.now(UTC), tls=tls)
    async with served(app) as url, httpx2.AsyncClient(trust_env=False, verify=trusted()) as http:
        door = (await http.get(f"{url}/sim/mail/door")).json()
        yield Post(url, http, door["smtp_port"], security, trust)


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's certificate for this machine, and those who believe it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    path = folder / "mail.pem"
    path.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(path)
    return ours, ssl.create_default_context(cadata=pem.decode())
