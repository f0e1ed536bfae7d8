"""Proofs: by which code a device may join a grant, known without knowing the code. PURE."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from billing.ids import GrantId

PROOF_BYTES = 16


class ProofKind(StrEnum):
    """What kind of code proves the right to a grant."""

    RECEIPT = "receipt"
    VOUCHER = "voucher"
    TOKEN = "token"  # noqa: S105 - a kind of code


def proof(grant_id: GrantId, kind: ProofKind, code: str) -> bytes:
    """What stands in a grant's item for a code in its normal form; 16 bytes."""
    text = f"lango-proof\0{grant_id}\0{kind}\0{code}"
    return sha256(text.encode()).digest()[:PROOF_BYTES]
