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
from contextlib import suppress
from sys import byteorder
from typing import TYPE_CHECKING, TypeVar

from shaping.linux.messages import ENDS, ERROR, HEADER, runs, split
from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

NETLINK_ROUTE = 0
NETLINK_NETFILTER = 12

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_ECHO = 0x8
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

Read = TypeVar("Read")

_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_SO_RCVTIMEO_NEW = 66
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_DUMP_INTERRUPTED = 0x10
_TIMEVAL = struct.Struct("=qq")


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


def bodies(run: bytes) -> Iterator[tuple[int, bytes]]:
    """The (type, body) messages in a run of them."""
    return ((kind, body) for kind, _, _, body in split(run))


def _errno(body: bytes) -> int:
    return -int.from_bytes(body[:4], byteorder, signed=True)


class NetlinkSocket:
    """One socket to one netlink family, in the network namespace of the thread that makes it."""

    def __init__(self, family: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, SEND_BYTES_MAX)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        # Not a timeout of Python's own: for that it asks before each receive whether it may.
        wait = _TIMEVAL.pack(ANSWER_WAIT_S, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVTIMEO_NEW, wait)
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
        return self.collect(kind, body, bodies)

    def collect(
        self, kind: int, body: bytes, read: Callable[[bytes], Iterable[Read]]
    ) -> list[Read]:
        """What ``read`` makes of each of the `runs` that answer a dump request, as they come.

        Large tables are so never here as messages, all at once. Raises `PlaneError`.
        """
        for _ in range(DUMP_TRIES):
            first = self._send([(kind, NLM_F_DUMP, body)], flags=0)
            try:
                return [one for run in self._dumped(first) for one in read(run)]
            except _InterruptedDumpError:
                continue
        raise PlaneError("the kernel's tables changed faster than they could be read")

    def ask(self, kind: int, body: bytes) -> bytes:
        """The body of the one message that answers a request.

        Raises `NetlinkError` when the kernel refuses, or tells nothing, and `PlaneError`.
        """
        # Some kernels tell the group of those who listen, and who asks only with the flag for it;
        # and what nobody is to see they neither tell nor refuse.
        first = self._send([(kind, NLM_F_ECHO | NLM_F_ACK, body)], flags=0)
        answer: bytes | None = None
        for answered, _, sequence, found in self._messages():
            if sequence == first and answered != ERROR:
                answer = found
            elif sequence == first and answer is not None:
                return answer
            elif sequence == first:
                raise NetlinkError(0, _errno(found) or errno.ENOENT)
        raise AssertionError("the kernel's messages have no end")

    def beginning(self, kind: int, body: bytes) -> Iterator[bytes]:
        """The runs that answer a dump request, as they come; what changes meanwhile may be missing.

        Who takes no more of them must close the socket. Raises `NetlinkError` and `PlaneError`.
        """
        with suppress(_InterruptedDumpError):
            yield from self._dumped(self._send([(kind, NLM_F_DUMP, body)], flags=0))

    def answers(self, question: tuple[int, bytes, bytes], asked: Sequence[bytes]) -> list[bytes]:
        """The runs that answer a question about each of ``asked``; what is not there is left out.

        A question is a type, and what of the body stands before and after what is asked, which is
        always equally long. For `ASK_CHUNK` at most. Raises `NetlinkError` and `PlaneError`.
        """
        assert len(asked) <= ASK_CHUNK, "the answers might not find room"
        assert len(set(map(len, asked))) <= 1, "the messages would not be equally long"
        self._ask_each(question, asked)
        found: list[bytes] = []
        waiting = len(asked)
        while waiting:
            block = self._received(ANSWER_BYTES, times=waiting)
            for kind, _, sequence, run in runs(block):
                if sequence != self._sequence:
                    continue
                waiting -= len(run) // int.from_bytes(run[:4], byteorder)
                if kind != ERROR:
                    found.append(run)
                elif (number := _errno(run[HEADER.size :])) != errno.ENOENT:
                    raise NetlinkError(len(asked) - waiting - 1, number)
        return found

    def _ask_each(self, question: tuple[int, bytes, bytes], asked: Sequence[bytes]) -> None:
        kind, before, after = question
        # One sequence number for all: the kernel answers each message once, in its turn.
        self._sequence += 1
        size = HEADER.size + len(before) + len(asked[0]) + len(after)
        begin = HEADER.pack(size, kind, NLM_F_REQUEST, self._sequence, 0) + before
        self._put(begin + (after + begin).join(asked) + after)

    def _dumped(self, first: int) -> Iterator[bytes]:
        interrupted = False
        while True:
            for kind, flags, sequence, run in runs(self._received(RECEIVE_BYTES)):
                if sequence != first:
                    continue
                interrupted = interrupted or bool(flags & _DUMP_INTERRUPTED)
                if kind not in ENDS:
                    yield run
                    continue
                number = _errno(run[HEADER.size :])
                if number and number != errno.EINTR:
                    raise NetlinkError(0, number)
                if interrupted or number:
                    raise _InterruptedDumpError
                return

    def _send(self, messages: Sequence[tuple[int, int, bytes]], *, flags: int) -> int:
        first = self._sequence + 1
        parts: list[bytes] = []
        for kind, own, body in messages:
            self._sequence += 1
            size = HEADER.size + len(body)
            parts.append(HEADER.pack(size, kind, NLM_F_REQUEST | flags | own, self._sequence, 0))
            parts.append(body)
            if size & 3:
                parts.append(b"\0" * (-size % 4))
        self._put(b"".join(parts))
        return first

    def _put(self, block: bytes) -> None:
        try:
            self._socket.sendto(block, (0, 0))
        except OSError as error:
            raise PlaneError(f"netlink: {error}") from error

    def _errors(self, first: int) -> Iterator[tuple[int, int]]:
        """(index, errno) of what is told about messages since ``first``; it has no end."""
        for kind, _, sequence, body in self._messages():
            if kind == ERROR and sequence >= first:
                yield sequence - first, _errno(body)

    def _messages(self) -> Iterator[tuple[int, int, int, bytes]]:
        while True:
            yield from split(self._received(RECEIVE_BYTES))

    def _received(self, room: int, *, times: int = 1) -> bytes:
        receive = self._socket.recv
        try:
            return b"".join([receive(room) for _ in range(times)])
        except OSError as error:
            raise PlaneError(f"netlink gave no answer: {error}") from error

    def _drain(self) -> None:
        """Throw away answers to a batch that failed; they are queued already."""
        with suppress(BlockingIOError):
            while self._socket.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT):
                pass


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
