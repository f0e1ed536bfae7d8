"""Whether somebody knows a secret, and what is answered to that. PURE.

All comparisons take as long for a wrong secret as for a right one. pyrad's own `PwDecrypt` and
`VerifyChapPasswd` drop what is no UTF-8 and strip blanks, so that more than one password would do:
here the right one is put into the packet's form instead.
"""

from __future__ import annotations

import hmac
from hashlib import md5
from typing import TYPE_CHECKING, assert_never

from agent.radius import mschap
from agent.radius.packets import Chap, MsChap, Pap

if TYPE_CHECKING:
    from agent.radius.packets import Access

Words = tuple[tuple[str, int | str | bytes], ...]
"""Attributes by name, in order."""

MPPE_ALLOWED = 1
MPPE_128 = 4
"""Encryption of PPP by RC4: allowed, with the longest keys there are (RFC 2548, 2.4)."""


def proven(access: Access, secret: str) -> Words | None:
    """What is answered to somebody who knows the secret; None to somebody who does not."""
    match access.proof:
        case None:
            return None
        case Pap(hidden=hidden):
            plain = secret.encode().ljust(len(hidden), b"\0")
            return () if hmac.compare_digest(access.packet.PwCrypt(plain), hidden) else None
        case Chap() as chap:
            right = md5(chap.ident + secret.encode() + chap.challenge).digest()  # noqa: S324 - RFC 1994
            return () if hmac.compare_digest(right, chap.digest) else None
        case MsChap() as response:
            return _mschap(access, secret, response)
        case _:
            assert_never(access.proof)


def refused(access: Access) -> Words:
    """What is answered to a wrong secret."""
    if not isinstance(access.proof, MsChap):
        return ()
    error = mschap.refused(access.proof.response.ident, access.proof.challenge)
    return (("MS-CHAP-Error", error),)


def _mschap(access: Access, secret: str, told: MsChap) -> Words | None:
    found = mschap.proven(secret, access.spelt, told.challenge, told.response)
    if found is None:
        return None
    return (
        ("MS-CHAP2-Success", found.success),
        ("MS-MPPE-Encryption-Policy", MPPE_ALLOWED),
        ("MS-MPPE-Encryption-Types", MPPE_128),
        ("MS-MPPE-Send-Key", found.send_key),
        ("MS-MPPE-Recv-Key", found.receive_key),
    )
