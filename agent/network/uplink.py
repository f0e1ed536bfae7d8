"""Whether the name servers upstream still answer, asked every few seconds.

Asked is what phones ask, with the same road and the same cache before it: what matters is whether
*their* question would be answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.clock import Clock

ASKED = "connectivitycheck.gstatic.com"
ASK_EVERY_S = 5
ASK_AGAIN_S = 1
ANSWER_WAIT_S = 2
MISSES_MAX = 2
"""The link is called cut after so many questions in a row that nobody answered."""

RESOLV = Path("/etc/resolv.conf")
RESOLV_BYTES_MAX = 16_384
_HEADER = struct.Struct("!6H")
_ANSWERED = {0, 3}
"""NOERROR and NXDOMAIN; a server that itself reaches nobody says SERVFAIL or REFUSED."""


async def watch(
    upstreams: Callable[[], Sequence[str]], tell: Callable[[bool], None], clock: Clock
) -> None:
    """Tell whether any upstream answers, again and again, until cancelled."""
    misses = 0
    while True:
        if await answered(upstreams()):
            misses = 0
        else:
            misses += 1
        tell(misses < MISSES_MAX)
        await clock.sleep(ASK_AGAIN_S if misses else ASK_EVERY_S)


async def answered(upstreams: Sequence[str]) -> bool:
    """Whether any of them answers in time."""
    asked = [asyncio.ensure_future(_answers(one)) for one in upstreams]
    try:
        for first in asyncio.as_completed(asked):
            if await first:
                return True
        return False
    finally:
        for one in asked:
            one.cancel()


def of_the_machine() -> list[str]:
    """The name servers that the machine itself asks."""
    found = []
    with contextlib.suppress(OSError):
        for line in RESOLV.read_text(errors="replace")[:RESOLV_BYTES_MAX].splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                found.append(words[1])
    return found


async def _answers(upstream: str) -> bool:
    number = secrets.randbelow(1 << 16)
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in upstream else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        made.setblocking(False)  # noqa: FBT003 - the library's signature
        try:
            async with asyncio.timeout(ANSWER_WAIT_S):
                await loop.sock_connect(made, (upstream, 53))
                await loop.sock_sendall(made, question(number))
                while True:
                    if (said := _said(await loop.sock_recv(made, 4096), number)) is not None:
                        return said
        except (OSError, TimeoutError):
            return False


def question(number: int) -> bytes:
    """A recursive query for the IPv4 address of `ASKED` (RFC 1035)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in ASKED.split("."))
    return _HEADER.pack(number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)


def _said(answer: bytes, number: int) -> bool | None:
    """Whether this answer is a good one; None when it answers something else."""
    if len(answer) < _HEADER.size:
        return None
    got, flags, *_ = _HEADER.unpack_from(answer)
    return None if got != number else flags & 0xF in _ANSWERED
