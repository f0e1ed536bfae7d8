"""Whom our HTTP clients believe."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    import ssl


@cache
def trusted() -> ssl.SSLContext:
    """What a client of httpx2 trusts unless told; to read it takes 25 ms, so it is read once."""
    return httpx2.create_ssl_context(trust_env=False)
