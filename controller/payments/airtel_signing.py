"""How version 2 of Airtel's interface wants a request signed. PURE.

The exact bytes of the body are encrypted with a fresh AES-256 key (CBC, PKCS 7) and sent as
``x-signature``; the key and its vector, each in base64 and joined by a colon, are encrypted with
Airtel's RSA key (PKCS 1 v1.5) and sent as ``x-key``. Source: Airtel's portal text as integrators of
two countries quote it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import load_der_public_key

from controller.payments.answers import inner, is_fine, object_in, turned_away
from controller.payments.gateway import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BYTES = 32
VECTOR_BYTES = 16
KEY_LIFE_MAX_S = 3_600
"""A key is fetched anew after an hour: when it ends is told without a time zone."""
_ZONES_HOURS = 3


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Airtel's public key, and until when we use it."""

    key: RSAPublicKey
    until: datetime


def signed_headers(
    body: bytes, key: SigningKey, random_bytes: Callable[[int], bytes]
) -> dict[str, str]:
    """The headers that sign exactly these bytes."""
    secret, vector = random_bytes(KEY_BYTES), random_bytes(VECTOR_BYTES)
    padder = PKCS7(AES.block_size).padder()
    padded = padder.update(body) + padder.finalize()
    cipher = Cipher(AES(secret), CBC(vector)).encryptor()
    pair = base64.b64encode(secret) + b":" + base64.b64encode(vector)
    return {
        "x-signature": base64.b64encode(cipher.update(padded) + cipher.finalize()).decode(),
        "x-key": base64.b64encode(key.key.encrypt(pair, PKCS1v15())).decode(),
    }


def read_key(status: int, body: bytes, now: datetime) -> SigningKey:
    """The key in an answer. Raises `ProviderError`."""
    told = inner(object_in(body), "data")
    text = told.get("key")
    if not is_fine(status) or not isinstance(text, str):
        raise ProviderError(f"http-{status}", again=not turned_away(status))
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ProviderError("unreadable", again=False) from error
    if not isinstance(key, RSAPublicKey):
        raise ProviderError("unreadable", again=False)
    return SigningKey(key, _until(told.get("valid_upto"), now))


def _until(told: object, now: datetime) -> datetime:
    """An hour from now, or sooner when the key ends sooner wherever its clock may hang."""
    longest = now + timedelta(seconds=KEY_LIFE_MAX_S)
    if not isinstance(told, str):
        return longest
    try:
        ends = datetime.strptime(told.strip(), "%d-%m-%Y %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return longest
    return max(now, min(longest, ends - timedelta(hours=_ZONES_HOURS)))
