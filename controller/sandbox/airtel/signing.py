"""Version 2's signing from Airtel's side: the key that is handed out, and what it opens."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_BITS = 2_048


class Seal:
    """One RSA key pair, replaced by `turn`."""

    def __init__(self) -> None:
        self.turn()

    def turn(self) -> None:
        """Replace the pair: what was signed with the old one is not taken any more."""
        self.key_id = secrets.token_hex(8)
        self._private = rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)

    def public(self) -> str:
        """The public key as Airtel writes it: base64 of its DER form, no armour."""
        encoded = self._private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(encoded).decode()

    def is_signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Whether the headers sign exactly these bytes."""
        try:
            pair = self._private.decrypt(
                base64.b64decode(headers.get("x-key", ""), validate=True), padding.PKCS1v15()
            )
            secret, _, vector = pair.partition(b":")
            cipher = Cipher(
                algorithms.AES256(base64.b64decode(secret, validate=True)),
                modes.CBC(base64.b64decode(vector, validate=True)),
            ).decryptor()
            sealed = base64.b64decode(headers.get("x-signature", ""), validate=True)
            padded = cipher.update(sealed) + cipher.finalize()
            opener = block_padding.PKCS7(128).unpadder()
            return opener.update(padded) + opener.finalize() == body
        except ValueError:
            return False
