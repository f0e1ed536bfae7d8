"""Posts a notice, to this machine only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from controller.tls import trusted

if TYPE_CHECKING:
    from controller.sandbox.bank.notices import Notice

TIMEOUT_S = 10.0
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


async def post_notice(url: str, notice: Notice) -> tuple[int, str]:
    """Post a notice once; the status and the body of the answer.

    Raises `ValueError` for an address that is not of this machine, `httpx2.HTTPError` for one that
    does not answer.
    """
    if httpx2.URL(url).host not in LOOPBACK:
        raise ValueError("a simulated bank posts to this machine only")
    async with httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False, verify=trusted()) as client:
        answer = await client.post(url, content=notice.body, headers=notice.headers)
    return answer.status_code, answer.text
