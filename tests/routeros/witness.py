"""A second client, written from the protocol's description alone: it shares no code with the box.

It blocks, on a plain socket, and shows every word as it came.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from hashlib import md5
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ssl import SSLContext

TIMEOUT_S = 5.0


def announce(length: int) -> bytes:
    """The bytes in front of a word."""
    if length <= 0x7F:
        return struct.pack(">B", length)
    if length <= 0x3FFF:
        return struct.pack(">H", length | 0x8000)
    if length <= 0x1F_FFFF:
        return struct.pack(">I", length | 0xC0_0000)[1:]
    if length <= 0xFFF_FFFF:
        return struct.pack(">I", length | 0xE000_0000)
    return b"\xf0" + struct.pack(">I", length)


@dataclass(slots=True)
class Witness:
    """One connection, signed in or not."""

    line: socket.socket
    unread: bytes = b""

    @classmethod
    def meets(cls, host: str, port: int, tls: SSLContext | None = None) -> Witness:
        """A fresh connection."""
        line = socket.create_connection((host, port), TIMEOUT_S)
        return cls(line if tls is None else tls.wrap_socket(line, server_hostname=host))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()

    def say(self, *words: str) -> None:
        """Send one sentence."""
        self.say_at_once(words)

    def say_at_once(self, *sentences: Sequence[str]) -> None:
        """Send several sentences in one piece."""
        told = [[word.encode() for word in words] for words in sentences]
        pieces = (b"".join(announce(len(w)) + w for w in words) + b"\x00" for words in told)
        self.line.sendall(b"".join(pieces))

    def take(self, size: int) -> bytes:
        """Exactly so many bytes. Raises EOFError when the box hangs up before."""
        while len(self.unread) < size:
            more = self.line.recv(4096)
            if not more:
                raise EOFError(self.unread)
            self.unread += more
        taken, self.unread = self.unread[:size], self.unread[size:]
        return taken

    def length(self) -> int:
        """How long the next word is."""
        first = self.take(1)[0]
        if first & 0x80 == 0:
            return first
        if first & 0xC0 == 0x80:
            return (first & 0x3F) << 8 | self.take(1)[0]
        if first & 0xE0 == 0xC0:
            high, low = self.take(2)
            return (first & 0x1F) << 16 | high << 8 | low
        if first & 0xF0 == 0xE0:
            return (first & 0x0F) << 24 | int.from_bytes(self.take(3), "big")
        return int(struct.unpack(">I", self.take(4))[0])

    def hear(self) -> list[str]:
        """The next sentence."""
        words = []
        while size := self.length():
            words.append(self.take(size).decode("utf-8", "backslashreplace"))
        return words

    def ask(self, *words: str) -> list[list[str]]:
        """Send one sentence and hear everything up to its end."""
        self.say(*words)
        heard = [self.hear()]
        while heard[-1][0] not in ("!done", "!fatal"):
            heard.append(self.hear())
        return heard

    def rows(self, *words: str) -> list[dict[str, str]]:
        """The rows that a command answers."""
        return [attributes(s) for s in self.ask(*words) if s[0] == "!re"]

    def sign_in(self, name: str, password: str) -> list[list[str]]:
        """The way of 6.43 and later."""
        return self.ask("/login", f"=name={name}", f"=password={password}")

    def sign_in_old(self, name: str, password: str) -> list[list[str]]:
        """The way before 6.43: answer a challenge."""
        challenge = bytes.fromhex(attributes(self.ask("/login")[-1])["ret"])
        proof = md5(b"\0" + password.encode() + challenge, usedforsecurity=False).hexdigest()
        return self.ask("/login", f"=name={name}", f"=response=00{proof}")


def attributes(sentence: list[str]) -> dict[str, str]:
    """The attribute words of a sentence."""
    pairs = (word[1:].partition("=") for word in sentence[1:] if word[0] == "=")
    return {name: value for name, _, value in pairs}


def signed_in(host: str, port: int, name: str = "agent") -> Witness:
    """A connection that may give commands."""
    witness = Witness.meets(host, port)
    witness.sign_in(name, "s3cret")
    return witness
