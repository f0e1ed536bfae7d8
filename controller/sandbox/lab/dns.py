"""Asks a resolver for an address, from inside a namespace, as a phone would."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.sandbox.lab.namespace import Namespace

ANSWER_WAIT_S = 2.0
TRIES_MAX = 2
_TYPE_A = 1
_POINTER = 0xC0
_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")


class ResolveError(Exception):
    """The resolver did not answer in time, or knows no IPv4 address of that name."""


async def resolve(
    ns: Namespace, name: str, *, server: str, wait_s: float = ANSWER_WAIT_S
) -> IPv4Address:
    """The first IPv4 address of ``name``. Raises `ResolveError`."""
    for _ in range(TRIES_MAX):
        try:
            async with asyncio.timeout(wait_s):
                return await _asked(ns, name, server)
        except TimeoutError:
            continue
        except OSError as fault:
            raise ResolveError(f"{name}: {fault}") from fault
    raise ResolveError(f"{name}: no answer from {server}")


async def _asked(ns: Namespace, name: str, server: str) -> IPv4Address:
    loop = asyncio.get_running_loop()
    number = secrets.randbelow(1 << 16)
    with ns.socket(kind=socket.SOCK_DGRAM) as made:
        await loop.sock_connect(made, (server, 53))
        await loop.sock_sendall(made, question(number, name))
        while True:
            found = address_in(await loop.sock_recv(made, 4096), number=number, name=name)
            if found is not None:
                return found


def question(number: int, name: str) -> bytes:
    """A recursive query for the A records of ``name`` (RFC 1035)."""
    labels = name.rstrip(".").encode("idna").split(b".")
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(number, 0x0100, 1, 0, 0, 0) + encoded + struct.pack("!HH", _TYPE_A, 1)


def address_in(answer: bytes, *, number: int, name: str) -> IPv4Address | None:
    """The first A record; None when this is an answer to something else. Raises `ResolveError`."""
    if len(answer) < _HEADER.size:
        return None
    got, flags, _, answers, _, _ = _HEADER.unpack_from(answer)
    if got != number:
        return None
    at = _past_name(answer, _HEADER.size) + 4
    for _ in range(answers):
        at = _past_name(answer, at)
        kind, _, _, length = _RECORD.unpack_from(answer, at)
        at += _RECORD.size
        if kind == _TYPE_A:
            return IPv4Address(answer[at : at + 4])
        at += length
    raise ResolveError(f"{name}: no address (code {flags & 0xF})")


def _past_name(answer: bytes, at: int) -> int:
    while True:
        length = answer[at]
        if length >= _POINTER:  # a pointer ends a name
            return at + 2
        at += 1 + length
        if length == 0:
            return at
