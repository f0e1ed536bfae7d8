"""A crowd of phones that sign in at a booth's portal, many at the same moment."""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING

from tests.bench.booth import GATEWAY, HOST, PORT, address_of

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 256
"""Phones that are asking at the same moment."""

STALLED_S = 20.0
IP_FREEBIND = 15
"""From linux/in.h."""

REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: Mozilla/5.0 (Linux)\r\n\r\n".encode()
OPENED = (b"HTTP/1.1 302", b"location: /ok")


class _Phone:
    """One device's one request. ``step`` goes on with it whenever its socket is ready."""

    def __init__(self, number: int) -> None:
        self.began = time.perf_counter()
        self.asked = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        self.socket.bind((str(address_of(number)), 0))
        self.socket.connect_ex((GATEWAY, PORT))

    def send(self) -> None:
        """The connection stands: ask."""
        self.socket.send(REQUEST)
        self.asked = True

    def answered(self) -> None:
        """The answer is here: it must say that the gate was opened just now."""
        answer = self.socket.recv(4096)
        assert all(part in answer for part in OPENED), answer
        self.socket.close()


def sign_in(numbers: range) -> tuple[float, list[float]]:
    """Let all devices sign in, some at a time; seconds in all, and the wait of each.

    Belongs into the crowd's namespace. Raises AssertionError when a gate is not opened.
    """
    waits: list[float] = []
    phones: dict[int, _Phone] = {}
    coming = iter(numbers)
    began = time.perf_counter()
    with select.epoll() as epoll:
        _come(epoll, phones, coming)
        while phones:
            events = epoll.poll(STALLED_S)
            assert events, f"{len(phones)} phones get no answer"
            for fd, _ in events:
                if (phone := phones[fd]).asked:
                    phone.answered()
                    waits.append(time.perf_counter() - phone.began)
                    del phones[fd]
                    continue
                phone.send()
                epoll.modify(fd, select.EPOLLIN)
            _come(epoll, phones, coming)
    return time.perf_counter() - began, waits


def _come(epoll: select.epoll, phones: dict[int, _Phone], coming: Iterator[int]) -> None:
    while len(phones) < AT_ONCE and (number := next(coming, 0)):
        phone = _Phone(number)
        phones[phone.socket.fileno()] = phone
        epoll.register(phone.socket, select.EPOLLOUT)
