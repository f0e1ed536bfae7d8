"""The initiator's password as Daraja wants it: encrypted for a certificate of Safaricom's.

Source: Daraja 3.0 documentation, "security credentials": RSA with PKCS#1 v1.5 padding over the
bytes of the password alone, in base64. The certificates that are handed out have expired; they only
carry the key.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate

from billing.errors import InvalidField


def security_credential(password: str, certificate_pem: str) -> str:
    """``password`` encrypted; another text each time. Raises `InvalidField`, naming the field."""
    key = _key_in(certificate_pem)
    plain = password.encode()
    if not plain:
        raise InvalidField("password", "want the API user's password")
    if len(plain) > key.key_size // 8 - 11:  # what the padding leaves
        raise InvalidField("password", "is too long for the certificate's key")
    return base64.b64encode(key.encrypt(plain, padding.PKCS1v15())).decode()


def _key_in(certificate_pem: str) -> rsa.RSAPublicKey:
    try:
        key = load_pem_x509_certificate(certificate_pem.encode()).public_key()
    except ValueError:
        raise InvalidField("certificate", "want an X.509 certificate as PEM text") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise InvalidField("certificate", "want one with an RSA key")
    return key
