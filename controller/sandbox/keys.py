"""RSA keys of simulated providers, which outlive a restart where a file is named for them."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from controller.keep import write_private

KEY_BITS = 2_048


def kept_key(path: str) -> rsa.RSAPrivateKey:
    """The key in a file, made there when there is none; a new one that is nowhere kept for ""."""
    kept = Path(path) if path else None
    if kept is not None and kept.exists():
        key = serialization.load_pem_private_key(kept.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey), "we wrote it"
        return key
    made = rsa.generate_private_key(public_exponent=65_537, key_size=KEY_BITS)
    if kept is not None:
        write_private(
            kept,
            made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
    return made
