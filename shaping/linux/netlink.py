"""Netlink sockets: send messages in one go, learn which failed, read dumps; hear what happens.

Layouts are those of linux/netlink.h. Calls of `NetlinkSocket` block for the microseconds that the
kernel needs; a plane makes them in a thread of its own. `Ears` wait in the event loop.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from sys import byteorder
from typing import TYPE_CHECKING

from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP = 0x300
NLM_F_REPLACE = 0x100
NLM_F_CREATE = 0x400

SEND_BYTES_MAX = 96 << 20
"""The largest transaction in one send: all elements of 65,000 addresses fit."""

RECEIVE_BYTES = 64 << 10
"""Room for what one receive gives: the kernel puts at most 32 KiB of a dump into it."""

HEARD_MAX = 256
"""Blocks of events taken in one go; the event loop has others to serve."""

ANSWER_WAIT_S = 10
DUMP_TRIES = 5
"""A dump that was interrupted by a change is read again this often."""

ROUTE_CHUNK = 1_000
"""Messages in one send to rtnetlink; what is told of each, should all fail, must fit the receive
buffer."""

ASK_CHUNK = 500
"""Questions in one send; the kernel keeps 4 KB for each answer until it is read."""

ANSWER_BYTES = 4 << 10
"""Room for one answer."""

_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_ERROR = 2
_DONE = 3
_ENDS = frozenset({_ERROR, _DONE})
_DUMP_INTERRUPTED = 0x10
_HEADER = struct.Struct("=IHHII")


class NetlinkError(Exception):
    """The kernel refused message number ``index`` of a batch, with ``errno``."""

    def __init__(self, index: int, number: int) -> None:
        super().__init__(f"message {index}: {os.strerror(number)}")
        self.index = index
        self.errno = number


class EventsLostError(PlaneError):
    """More was told than could be taken; only the tables themselves know how things stand."""


class _InterruptedDumpError(Exception):
    """A dump ran while the kernel's lists changed."""


def split(block: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The (type, flags, sequence, body) messages in what one receive gave."""
    position = 0
    while position < len(block):
        size, kind, flags, sequence, _ = _HEADER.unpack_from(block, position)
        yield kind, flags, sequence, block[position + _HEADER.size : position + size]
        position += (size + 3) & ~3


def _errno(body: bytes) -> int:
    return -int.from_bytes(body[:4], byteorder, signed=True)


class NetlinkSocket:
    """One socket to one netlink family, in the network namespace of the thread that makes it."""

    def __init__(self, family: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, SEND_BYTES_MAX)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.settimeout(ANSWER_WAIT_S)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()

    def request(self, messages: Sequence[tuple[int, int, bytes]]) -> list[int]:
        """Send (type, flags, body) messages; the errno of each (0: done), in order.

        For families where each message stands alone (rtnetlink). Raises `PlaneError`.
        """
        results = [0] * len(messages)
        for start in range(0, len(messages), ROUTE_CHUNK):
            *before, last = messages[start : start + ROUTE_CHUNK]
            # Only what failed is told; the last is always answered, and comes after the others.
            first = self._send([*before, (last[0], last[1] | NLM_F_ACK, last[2])], flags=0)
            for index, number in self._errors(first):
                results[start + index] = number
                if index == len(before):
                    break
        return results

    def batch(self, messages: Sequence[tuple[int, int, bytes]]) -> None:
        """Send messages that stand or fall together (nfnetlink's batch, begin and end included).

        Raises `NetlinkError` for the first that failed, `PlaneError` when the kernel is mute.
        """
        last = len(messages) - 2
        flagged = [
            (kind, flags | (NLM_F_ACK if index == last else 0), body)
            for index, (kind, flags, body) in enumerate(messages)
        ]
        first = self._send(flagged, flags=0)
        for index, number in self._errors(first):
            if number:
                self._drain()
                raise NetlinkError(index, number)
            if index == last:
                return

    def dump(self, kind: int, body: bytes) -> list[tuple[int, bytes]]:
        """All (type, body) messages that answer a dump request. Raises `PlaneError`."""
        for _ in range(DUMP_TRIES):
            first = self._send([(kind, NLM_F_DUMP, body)], flags=0)
            try:
                return self._dumped(first)
            except _InterruptedDumpError:
                continue
        raise PlaneError("the kernel's tables changed faster than they could be read")

    def ask(self, kind: int, body: bytes) -> bytes:
        """The body of the one message that answers a request. Raises `PlaneError`."""
        first = self._send([(kind, 0, body)], flags=0)
        for answered, _, sequence, found in self._messages():
            if sequence == first and answered != _ERROR:
                return found
            if sequence == first:
                raise NetlinkError(0, _errno(found))
        raise AssertionError("the kernel's messages have no end")

    def answers(self, requests: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """The bodies of what is asked for by (type, body), one each; what is not there is left out.

        Raises `NetlinkError` and `PlaneError`.
        """
        found: list[bytes] = []
        for start in range(0, len(requests), ASK_CHUNK):
            chunk = requests[start : start + ASK_CHUNK]
            first = self._send([(kind, 0, body) for kind, body in chunk], flags=0)
            for answered, _, sequence, body in self._messages(ANSWER_BYTES):
                number = _errno(body) if answered == _ERROR else 0
                if number not in {0, errno.ENOENT}:
                    raise NetlinkError(sequence - first, number)
                if answered != _ERROR and sequence >= first:
                    found.append(body)
                if sequence == self._sequence:
                    break
        return found

    def _dumped(self, first: int) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        interrupted = False
        unpack, head = _HEADER.unpack_from, _HEADER.size
        while True:
            # Written out, not by way of `split`: dumps of tens of thousands of messages pass here.
            block, position = self._received(RECEIVE_BYTES), 0
            while position < len(block):
                size, kind, flags, sequence, _ = unpack(block, position)
                body = block[position + head : position + size]
                position += (size + 3) & ~3
                if sequence != first:
                    continue
                interrupted = interrupted or bool(flags & _DUMP_INTERRUPTED)
                if kind not in _ENDS:
                    found.append((kind, body))
                    continue
                number = _errno(body)
                if number and number != errno.EINTR:
                    raise NetlinkError(0, number)
                if interrupted or number:
                    raise _InterruptedDumpError
                return found

    def _send(self, messages: Sequence[tuple[int, int, bytes]], *, flags: int) -> int:
        first = self._sequence + 1
        parts: list[bytes] = []
        for kind, own, body in messages:
            self._sequence += 1
            size = _HEADER.size + len(body)
            parts.append(_HEADER.pack(size, kind, NLM_F_REQUEST | flags | own, self._sequence, 0))
            parts.append(body)
            if size & 3:
                parts.append(b"\0" * (-size % 4))
        try:
            self._socket.sendto(b"".join(parts), (0, 0))
        except OSError as error:
            raise PlaneError(f"netlink: {error}") from error
        return first

    def _errors(self, first: int) -> Iterator[tuple[int, int]]:
        """(index, errno) of what is told about messages since ``first``; it has no end."""
        for kind, _, sequence, body in self._messages():
            if kind == _ERROR and sequence >= first:
                yield sequence - first, _errno(body)

    def _messages(self, room: int = RECEIVE_BYTES) -> Iterator[tuple[int, int, int, bytes]]:
        while True:
            yield from split(self._received(room))

    def _received(self, room: int) -> bytes:
        try:
            return self._socket.recv(room)
        except OSError as error:
            raise PlaneError(f"netlink gave no answer: {error}") from error

    def _drain(self) -> None:
        """Throw away answers to a batch that failed; they are queued already."""
        self._socket.settimeout(0)
        try:
            while self._socket.recv(RECEIVE_BYTES):
                pass
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(ANSWER_WAIT_S)


class Ears:
    """A socket that hears what happens to some groups, in the namespace of the calling thread.

    What waits to be taken is bounded by ``queue_bytes``. Used inside a running event loop.
    """

    def __init__(self, family: int, groups: int, *, queue_bytes: int) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, family)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, queue_bytes)
        self._socket.bind((0, groups))

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()

    async def heard(self) -> list[tuple[int, bytes]]:
        """The next (type, body) messages; waits for the first.

        Raises `EventsLostError` when some were lost, and `PlaneError`.
        """
        try:
            found = await asyncio.get_running_loop().sock_recv(self._socket, RECEIVE_BYTES)
            blocks = [found, *self._waiting()]
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise EventsLostError("more happened than could be read") from error
            raise PlaneError(f"netlink tells nothing: {error}") from error
        return [(kind, body) for block in blocks for kind, _, _, body in split(block)]

    def _waiting(self) -> Iterator[bytes]:
        for _ in range(HEARD_MAX):
            try:
                yield self._socket.recv(RECEIVE_BYTES)
            except BlockingIOError:
                return
