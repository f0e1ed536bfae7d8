"""The arithmetic of MS-CHAPv2 (RFC 2759) and of the keys that follow from it (RFC 3079). PURE.

MD4 and single DES are broken, and all that this protocol has; a NAS beside its server is no place
for it to cross strange networks.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from hashlib import sha1

CHALLENGE_BYTES = 16
RESPONSE_BYTES = 50
KEY_BYTES = 16

_SIGNING = b"Magic server to client signing constant"
_AGAIN = b"Pad to make it do more than one iteration"
_MASTER = b"This is the MPPE Master Key"
_SENDING = b"On the client side, this is the receive key; on the server side, it is the send key."
_RECEIVING = b"On the client side, this is the send key; on the server side, it is the receive key."
_PAD_1, _PAD_2 = bytes(40), b"\xf2" * 40


@dataclass(frozen=True, slots=True)
class Response:
    """What a peer answered to a challenge: its own one, and what proves the secret."""

    ident: int
    peer_challenge: bytes
    nt_response: bytes


@dataclass(frozen=True, slots=True)
class Proven:
    """What is answered to a right response: the proof that we know the secret too, and the keys."""

    success: bytes
    send_key: bytes
    receive_key: bytes


def read_response(raw: bytes) -> Response | None:
    """A response of the wire; None when it cannot be one."""
    if len(raw) != RESPONSE_BYTES:
        return None
    return Response(raw[0], raw[2:18], raw[26:50])


def proven(secret: str, name: bytes, challenge: bytes, response: Response) -> Proven | None:
    """What is answered to a peer who knows the secret; None to one who does not."""
    name = name.rpartition(b"\\")[2]
    mixed = sha1(response.peer_challenge + challenge + name).digest()[:8]  # noqa: S324 - the protocol's
    secret_hash = nt_hash(secret)
    if not hmac.compare_digest(_encrypted(secret_hash, mixed), response.nt_response):
        return None
    twice = md4(secret_hash)
    digest = sha1(twice + response.nt_response + _SIGNING).digest()  # noqa: S324 - the protocol's
    digest = sha1(digest + mixed + _AGAIN).digest()  # noqa: S324 - the protocol's
    master = sha1(twice + response.nt_response + _MASTER).digest()[:KEY_BYTES]  # noqa: S324 - the protocol's
    return Proven(
        success=bytes((response.ident,)) + b"S=" + digest.hex().upper().encode(),
        send_key=_start_key(master, _SENDING),
        receive_key=_start_key(master, _RECEIVING),
    )


def refused(ident: int, challenge: bytes) -> bytes:
    """What is answered to a wrong response (RFC 2759, 6): error 691, and no second try."""
    return bytes((ident,)) + b"E=691 R=0 C=" + challenge.hex().upper().encode() + b" V=3 M=No"


def nt_hash(secret: str) -> bytes:
    """The hash of a secret from which everything here is made."""
    return md4(secret.encode("utf-16-le"))


def md4(message: bytes) -> bytes:
    """MD4 (RFC 1320), which OpenSSL 3 no longer gives away."""
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    padded = message + b"\x80" + bytes((55 - len(message)) % 64)
    padded += struct.pack("<Q", len(message) * 8)
    for start in range(0, len(padded), 64):
        words = struct.unpack("<16I", padded[start : start + 64])
        state = [a + b & _ALL for a, b in zip(state, _mixed(state, words), strict=True)]
    return struct.pack("<4I", *state)


_ALL = 0xFFFFFFFF
_ROUNDS = (
    (0, (3, 7, 11, 19), tuple(range(16))),
    (0x5A827999, (3, 5, 9, 13), (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)),
    (0x6ED9EBA1, (3, 9, 11, 15), (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)),
)


def _mixed(state: list[int], words: tuple[int, ...]) -> list[int]:
    a, b, c, d = state
    for number, (constant, shifts, order) in enumerate(_ROUNDS):
        for step, word in enumerate(order):
            if number == 0:
                chosen = b & c | ~b & d
            elif number == 1:
                chosen = b & c | b & d | c & d
            else:
                chosen = b ^ c ^ d
            total = a + chosen + words[word] + constant & _ALL
            shift = shifts[step % 4]
            a, b, c, d = d, (total << shift | total >> 32 - shift) & _ALL, b, c
    return [a, b, c, d]


def _encrypted(secret_hash: bytes, mixed: bytes) -> bytes:
    """Eight bytes under three keys of seven bytes each (RFC 2759, 8.5)."""
    # Deferred: only a peer that speaks MS-CHAPv2 is worth the memory.
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    padded = secret_hash.ljust(21, b"\0")
    blocks = []
    for start in (0, 7, 14):
        key = _with_parity(padded[start : start + 7])
        # One key three times over is single DES.
        one = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305 - the protocol's
        blocks.append(one.update(mixed) + one.finalize())
    return b"".join(blocks)


def _with_parity(key: bytes) -> bytes:
    """56 bits as DES wants them: seven in each byte, and one that nobody reads."""
    bits = int.from_bytes(key)
    return bytes((bits >> 49 - 7 * place & 0x7F) << 1 for place in range(8))


def _start_key(master: bytes, side: bytes) -> bytes:
    return sha1(master + _PAD_1 + side + _PAD_2).digest()[:KEY_BYTES]  # noqa: S324 - the protocol's
