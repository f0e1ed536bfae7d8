"""Badges: what a browser keeps so that its device is known again under another MAC. PURE.

A badge names a grant and a device by a mark that says no MAC, and carries the site's own signature:
nobody else can make one, and one of a grant is worth nothing for another.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from billing.ids import GrantId

if TYPE_CHECKING:
    from shaping.plane import MacAddress

MARK_BYTES = 8
SIGNATURE_BYTES = 16
SHAPE = re.compile(r"([a-z0-9-]{1,48})\.([0-9a-f]{16})\.([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Badge:
    """What a badge says: which grant, and the mark of the device that it was given to."""

    grant_id: GrantId
    mark: str


def mark(key: bytes, grant_id: GrantId, mac: MacAddress) -> str:
    """What stands for the device in badges of this grant."""
    return _keyed(key, f"mark|{grant_id}|{mac}", MARK_BYTES)


def written(key: bytes, grant_id: GrantId, mac: MacAddress) -> str:
    """The badge of a device that uses a grant."""
    name = mark(key, grant_id, mac)
    return f"{grant_id}.{name}.{_signature(key, grant_id, name)}"


def read(key: bytes, text: str) -> Badge | None:
    """What a badge says; None for one that this site never gave out."""
    parts = SHAPE.fullmatch(text)
    if parts is None:
        return None
    grant_id, name = GrantId(parts[1]), parts[2]
    if not hmac.compare_digest(parts[3], _signature(key, grant_id, name)):
        return None
    return Badge(grant_id, name)


def _signature(key: bytes, grant_id: GrantId, name: str) -> str:
    return _keyed(key, f"badge|{grant_id}|{name}", SIGNATURE_BYTES)


def _keyed(key: bytes, text: str, size: int) -> str:
    return blake2b(text.encode(), key=key, digest_size=size).hexdigest()
