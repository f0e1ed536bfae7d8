"""The keys that live outside the database: sealing, keyed hashes, the staff key.

Kept in the state directory, one file, mode 0600, made on first start.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

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
        """Decrypt what `seal` made. Raises ``cryptography.fernet.InvalidToken`` for anything else."""
        return self._fernet.decrypt(sealed)

    def fingerprint(self, purpose: str, secret: str) -> str:
        """A keyed hash (64 hexadecimal digits) by which a secret can be found without keeping it."""
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
    return Vault(
        seal_key=keys["seal"].encode(),
        hash_key=base64.b64decode(keys["hash"]),
        staff_key=keys["staff"],
    )


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = {
        "seal": Fernet.generate_key().decode(),
        "hash": base64.b64encode(secrets.token_bytes(32)).decode(),
        "staff": secrets.token_urlsafe(24),
    }
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as out:
        json.dump(keys, out)
        out.flush()
        os.fsync(out.fileno())
    draft.rename(path)
