"""The simulated M-PESA's key pair: what a SecurityCredential is encrypted for.

Its certificate ran out years ago, as those that M-PESA hands out did: they only carry a key.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import NameOID

from controller.sandbox.keys import kept_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

    from controller.sandbox.daraja.settings import SimSettings

CREDENTIAL_CHARS = 344
"""Base64 of one RSA block of 2,048 bits."""
_SINCE = datetime(2016, 3, 21, tzinfo=UTC)
_UNTIL = datetime(2018, 3, 21, tzinfo=UTC)


class Credentials:
    """One key pair, made when first needed; kept in ``key_path`` if there is one."""

    def __init__(self, settings: SimSettings) -> None:
        self._settings = settings

    @cached_property
    def certificate(self) -> bytes:
        """The certificate as PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated apicrypt")])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(_SINCE)
            .not_valid_after(_UNTIL)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    def is_right(self, credential: str) -> bool:
        """Whether this is the initiator's password, encrypted for us with PKCS#1 v1.5."""
        try:
            told = self._key.decrypt(
                base64.b64decode(credential, validate=True), padding.PKCS1v15()
            )
        except ValueError:
            return False
        return told == self._settings.initiator_password.encode()

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return kept_key(self._settings.key_path)


def looks_right(credential: object) -> bool:
    """Whether this has the shape of one: the base64 of one block."""
    if not isinstance(credential, str) or len(credential) != CREDENTIAL_CHARS:
        return False
    try:
        base64.b64decode(credential, validate=True)
    except ValueError:
        return False
    return True
