"""The keys that live outside the database: sealing, keyed hashes, the staff key.

Kept in the state directory, one file, mode 0600, made on first start.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from controller.keep import write_private

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "keys.json"


class Vault:
    """Seals small secrets for the database, and hashes what must be found but not read."""

    def __init__(self, *, seal_key: bytes, hash_key: bytes, staff_key: str) -> None:
        self._fernet = Fernet(seal_key)
        self._hash_key = hash_key
        self._staff_key = staff_key

    def __repr__(self) -> str:
        """Say nothing: this object must never leak through a log."""
        return "Vault(…)"

    def seal(self, plain: bytes) -> bytes:
        """Encrypt for storage."""
        return self._fernet.encrypt(plain)

    def unseal(self, sealed: bytes) -> bytes:
        """Decrypt what `seal` made. Raises ``cryptography.fernet.InvalidToken`` otherwise."""
        return self._fernet.decrypt(sealed)

    def fingerprint(self, purpose: str, secret: str) -> str:
        """A keyed hash (64 hexadecimal digits): a secret can be found by it and is not kept."""
        message = f"{purpose}\0{secret}".encode()
        return hmac.new(self._hash_key, message, hashlib.sha256).hexdigest()

    def is_staff_key(self, offered: str) -> bool:
        """Whether ``offered`` is the staff key, compared in constant time."""
        return hmac.compare_digest(offered.encode(), self._staff_key.encode())

    def staff_key(self) -> str:
        """The staff key, for the local command line and the start-up message only."""
        return self._staff_key


def open_vault(state_dir: Path) -> Vault:
    """The vault of this state directory; made on first use. Raises ``OSError``, ``ValueError``."""
    path = state_dir / FILE_NAME
    if not path.exists():
        _create(path)
    keys = json.loads(path.read_text())
    try:
        return Vault(
            seal_key=keys["seal"].encode(),
            hash_key=base64.b64decode(keys["hash"], validate=True),
            staff_key=keys["staff"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not a key file of this program") from error


def _create(path: Path) -> None:
    keys = {
        "seal": Fernet.generate_key().decode(),
        "hash": base64.b64encode(secrets.token_bytes(32)).decode(),
        "staff": secrets.token_urlsafe(24),
    }
    write_private(path, json.dumps(keys).encode())
