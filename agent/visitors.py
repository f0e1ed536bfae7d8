"""The portal's connections: nobody keeps others out by holding on to many and saying nothing.

A hotspot's LAN is open to strangers. What a connection costs us is bounded in number for one
address, in time for all, and in bytes before a request is whole; and when it gets crowded, whoever
has waited longest without asking anything gives way to the newcomer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import small

with small.without_front_page("uvicorn"):
    from uvicorn.config import Config
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    from uvicorn.server import Server

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

__all__ = ["CONNECTIONS_MAX", "Config", "Server", "Visitor"]

CONNECTIONS_MAX = 1_000
"""Connections at once; requests on further ones are told to come again."""

CROWDED = CONNECTIONS_MAX - 100
"""From this many on, the connection that has been silent longest gives way to a new one."""

PER_ADDRESS_MAX = 32
"""Connections of one address; browsers open six."""

REQUESTS_MAX = 10
"""Requests on one connection, asked for at once or one by one; a browser opens another then. The
data plane bounds how fast one device opens them, so that nobody keeps the portal busy alone."""

REQUEST_WAIT_S = 10
"""How long a connection may last without a whole request head."""

ANSWER_MAX_S = 60
"""How long an answer may take, also to be read: a voucher asked of a slow link takes 30 s."""

HEAD_BYTES_MAX = 128 << 10
"""Bytes on the way to one request. The portal itself refuses much less, in words."""


class TooManyRequests(Exception):  # noqa: N818 - ends a connection
    """More was asked on one connection than `REQUESTS_MAX`."""


class Visitor(HttpToolsProtocol):
    """One connection to the portal. Its limits are those above."""

    crowded = CROWDED
    request_wait_s: float = REQUEST_WAIT_S
    silent_since: float
    _asked = 0
    _unasked_bytes = 0
    _look: asyncio.TimerHandle | None = None

    @property
    def silent(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or (self.cycle.response_complete and not self.pipeline)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the library
        """Let a newcomer in, and somebody else out if need be."""
        super().connection_made(transport)
        self.silent_since = self.loop.time()
        self._look_later()
        others = [one for one in self.connections if isinstance(one, Visitor) and one is not self]
        if len([one for one in others if one.address == self.address]) >= PER_ADDRESS_MAX:
            _let_out(one for one in (*others, self) if one.address == self.address)
        elif len(others) >= self.crowded:
            _let_out(others)

    @property
    def address(self) -> str:
        """Who it is."""
        return "" if self.client is None else self.client[0]

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what was sent, unless it never becomes a request."""
        self._unasked_bytes = self._unasked_bytes + len(data) if self.silent else 0
        if self._unasked_bytes > HEAD_BYTES_MAX:
            self.send_400_response("The request is too long.")
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Take the next request, unless there were too many: the library answers with a 400."""
        self._asked += 1
        if self._asked > REQUESTS_MAX:
            raise TooManyRequests
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request is whole."""
        self._unasked_bytes = 0
        self.silent_since = self.loop.time()
        super().on_headers_complete()
        if self._asked == REQUESTS_MAX and self.cycle is not None:
            self.cycle.keep_alive = False  # its answer says so, and the browser asks elsewhere

    def on_response_complete(self) -> None:
        """Silent again, unless more was asked already."""
        self.silent_since = self.loop.time()
        super().on_response_complete()

    def _look_later(self) -> None:
        self._look = self.loop.call_later(self.request_wait_s / 2, self._looked)

    def _looked(self) -> None:
        patience_s = self.request_wait_s if self.silent else ANSWER_MAX_S
        if self.loop.time() - self.silent_since >= patience_s:
            self.transport.abort()
        else:
            self._look_later()


def _let_out(visitors: Iterable[Visitor]) -> None:
    """End the connection that has been silent longest, if there is one."""
    silent = [one for one in visitors if one.silent and not one.transport.is_closing()]
    if silent:
        min(silent, key=lambda one: one.silent_since).transport.abort()
