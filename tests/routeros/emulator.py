"""A RouterOS box on loopback: ``async with routeros(major=7) as box``."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.routeros.box import Box, Setup
from tests.routeros.faults import Faults, Struck
from tests.routeros.radius import Client
from tests.routeros.schema import Trap
from tests.routeros.server import Door
from tests.routeros.texts import Version
from tests.routeros.traffic import Passed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

LATEST = {6: "6.49.18", 7: "7.18.2"}
USER, PASSWORD = "agent", "s3cret"
"""Who may sign in, unless told otherwise."""

STARTS_AT = datetime(2026, 2, 14, 10, 0, tzinfo=UTC)


@asynccontextmanager
async def routeros(
    *,
    major: int = 7,
    version: str = "",
    users: Mapping[str, str] | None = None,
    faults: Faults | None = None,
    hotspot: bool = True,
    clock: Callable[[], float] | None = None,
    starts_at: datetime = STARTS_AT,
    clock_1970: bool = False,
    sessions_max: int = 20,
    counter_bits: int = 64,
    seed: int = 1,
) -> AsyncIterator[Box]:
    """A box that listens on loopback, until the block ends.

    ``version`` is any of 6.33 to 7.24, or the usual one of its ``major``. ``users`` have every
    right; the one there is without them is `USER`. Time stands still until ``box.pass_time``, or
    follows ``clock`` (seconds, such as `time.monotonic`). api-ssl always shows a certificate: a
    real box without one talks anonymous key exchange, which is not to be had here. The API's
    counters have 64 bits; some interface drivers had 32 (``counter_bits``).
    """
    setup = Setup(
        version=Version.of(version or LATEST[major]),
        users=users or {USER: PASSWORD},
        hotspot=hotspot,
        clock=clock or (lambda: 0.0),
        starts_at=starts_at,
        clock_1970=clock_1970,
        sessions_max=sessions_max,
        counter_bits=counter_bits,
        seed=seed,
        follows=clock is not None,
    )
    box = Box(setup, Struck(faults or Faults()))
    box.radius = Client(box)
    door = Door(box)
    box.on_reboot.append(door.cut_all)
    context, box.certificate_pem = tls()
    plain = await asyncio.start_server(door.opens("api"), box.host, 0)
    secure = await asyncio.start_server(door.opens("api-ssl"), box.host, 0, ssl=context)
    box.port = plain.sockets[0].getsockname()[1]
    box.tls_port = secure.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        box.radius.close()
        for server in (plain, secure):
            server.close()
        door.cut_all()
        await door.empty()
        for server in (plain, secure):
            await server.wait_closed()


@cache
def key_and_certificate() -> tuple[bytes, bytes]:
    """A key and a certificate for 127.0.0.1, signed by itself (both PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "emulated box")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private, made.public_bytes(serialization.Encoding.PEM)


@cache
def tls() -> tuple[ssl.SSLContext, bytes]:
    """How api-ssl talks, and the certificate that it shows (PEM)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    private, certificate = key_and_certificate()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "box.pem"
        path.write_bytes(private + certificate)
        context.load_cert_chain(path)
    return context, certificate


__all__ = ["PASSWORD", "USER", "Box", "Faults", "Passed", "Trap", "Version", "routeros"]
