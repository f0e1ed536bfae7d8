"""Secrets that only the controller of this site can read: for files that pass through hands.

Each is encrypted by AES-256-GCM under a key that a fresh P-256 key of ours and the public key of
the controller's authority agree on (HKDF-SHA256, bound to the site). Nothing here can open it.
"""

from __future__ import annotations

import base64
import os

PURPOSE = b"lango sealed for the controller\0"
NONCE_BYTES = 12
KEY_BYTES = 32


def seal(ca_pem: bytes, site_id: str, secret: str) -> str:
    """The secret as text for the controller that has this authority, and for this site alone."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    theirs = x509.load_pem_x509_certificate(ca_pem).public_key()
    assert isinstance(theirs, ec.EllipticCurvePublicKey), "an authority's key is on P-256"
    ours = ec.generate_private_key(ec.SECP256R1())
    point = ours.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    info = PURPOSE + point + site_id.encode()
    agreed = ours.exchange(ec.ECDH(), theirs)
    key = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=info).derive(agreed)
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, secret.encode(), None)
    return base64.b64encode(point + nonce + sealed).decode()
