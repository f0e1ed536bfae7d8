"""One router, one connection, one lane: sentences out, answers in, in a thread of their own.

The library's codec is used and nothing above it: it casts texts that look like numbers, and knows
no tags. Every sentence has a tag, so that many may be under way. Whatever is not understood, or not
answered in time, ends the connection: what came after would be taken for answers to other orders.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
import ssl
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from librouteros.connections import SocketTransport
from librouteros.exceptions import ConnectionClosed, LibRouterosError
from librouteros.protocol import ApiProtocol

from shaping.plane import PlaneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

SILENCE_S = 15
"""How long a router may say nothing while it owes an answer: big tables take small boxes 10 s."""

CONNECT_S = 5
PATIENCE_S = 4.0
"""How long whoever asked waits. Work that takes longer goes on, and is waited for no more."""

BACKOFF_S = (1, 2, 5, 10)
"""Waits before a router that could not be reached is tried again; the last one repeats."""

WINDOW = 32
"""Sentences under way at once: over a tunnel of 50 ms, 2,000 orders take 3 s and not 100 s."""

READ_BYTES = 65_536
WORDS_MAX = 512
"""Words in one sentence of a router; real rows have fewer than 60."""

WORD_BYTES_MAX = 1 << 20
ANSWER_S = 60
"""How long one answer may take from the last one on, however busily it arrives."""

Words: TypeAlias = tuple[str, ...]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Router:
    """Where a router's API is, and as whom to sign in.

    ``fingerprint`` is the SHA-256 of its certificate in hexadecimal; None speaks without TLS, as is
    right only on a link that nobody else is on.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    fingerprint: str | None


@dataclass(slots=True)
class Answer:
    """What one sentence brought: rows, the id of what it made, or why it was refused."""

    rows: list[Mapping[str, str]] = field(default_factory=list)
    ret: str = ""
    trap: str | None = None


class Wire(SocketTransport):  # type: ignore[misc]  # the library has no types
    """A socket read in large pieces, whose silence has an end, and whose chatter too."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._read = b""
        self._at = 0
        self.until = 0.0

    def read(self, length: int) -> bytes:
        """Exactly so many bytes. Raises OSError, ConnectionClosed and ValueError."""
        end = self._at + length
        if end > len(self._read):
            end = self._fill(length)
        taken = self._read[self._at : end]
        self._at = end
        return taken

    def _fill(self, length: int) -> int:
        """Have so many bytes from here on; where they end."""
        if length > WORD_BYTES_MAX:
            raise ValueError(f"a word of {length} bytes")
        pieces = [self._read[self._at :]]
        have = len(pieces[0])
        while have < length:
            if time.monotonic() > self.until:
                raise TimeoutError(f"no whole answer in {ANSWER_S} s")
            got = self.sock.recv(READ_BYTES)
            if not got:
                raise ConnectionClosed("the router closed the connection")
            pieces.append(got)
            have += len(got)
        self._read, self._at = b"".join(pieces), 0
        return length


class Talk:
    """One signed-in connection. ``sentences_total`` is how many orders it took."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._protocol = ApiProtocol(wire, "utf-8")
        self._tags = 0
        self.sentences_total = 0
        self.version = ""

    @property
    def major(self) -> int:
        """Which RouterOS: 6 or 7."""
        first = self.version.partition(".")[0]
        return int(first) if first.isdecimal() else 7

    def ask(self, sentences: Sequence[Words]) -> list[Answer]:
        """Give all these orders, which do not depend on one another, and take every answer.

        Raises OSError, LibRouterosError and ValueError; the connection is of no use then.
        """
        answers = [Answer() for _ in sentences]
        waiting: dict[str, int] = {}
        given = 0
        self._wire.until = time.monotonic() + ANSWER_S
        while given < len(sentences) or waiting:
            while given < len(sentences) and len(waiting) < WINDOW:
                self._tags += 1
                waiting[str(self._tags)] = given
                self._protocol.writeSentence(*sentences[given], f".tag={self._tags}")
                given += 1
            self._take(answers, waiting)
        self.sentences_total += len(sentences)
        return answers

    def _take(self, answers: list[Answer], waiting: dict[str, int]) -> None:
        kind, words = self._heard()
        tag = words.pop(".tag", "")
        number = waiting.get(tag)
        if number is None:
            raise ValueError(f"{kind} answers nothing that was asked")
        answer = answers[number]
        if kind == "!re":
            answer.rows.append(words)
        elif kind == "!trap":
            answer.trap = words.get("message", "refused without a reason")
        elif kind == "!done":
            answer.ret = words.get("ret", "")
            del waiting[tag]
            self._wire.until = time.monotonic() + ANSWER_S
        elif kind != "!empty":
            raise ValueError(f"{kind} is no answer")

    def _heard(self) -> tuple[str, dict[str, str]]:
        try:
            kind, words = self._protocol.readSentence()
        except IndexError as error:
            # An empty sentence, or a farewell without a reason.
            raise ConnectionClosed("the router said nothing") from error
        if len(words) > WORDS_MAX:
            raise ValueError(f"{len(words)} words in one sentence")
        heard: dict[str, str] = {}
        for word in words:
            key, _, value = word[1:].partition("=")
            heard[f".{key}" if word.startswith(".") else key] = value
        return kind, heard

    def close(self) -> None:
        """Hang up."""
        self._protocol.close()


def sign_in(router: Router, *, silence_s: float = SILENCE_S) -> Talk:
    """Connect, check who it is, and sign in. Raises `PlaneError`, OSError, LibRouterosError."""
    sock = socket.create_connection((router.host, router.port), timeout=CONNECT_S)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if router.fingerprint is not None:
            sock = _secured(sock, router)
        sock.settimeout(silence_s)
        talk = Talk(Wire(sock))
        _introduce(talk, router)
    except BaseException:
        sock.close()
        raise
    return talk


def _introduce(talk: Talk, router: Router) -> None:
    words = ("/login", f"=name={router.user}", f"=password={router.password}")
    (answer,) = talk.ask([words])
    if answer.trap is not None:
        raise PlaneError(f"{router.host}: sign-in as {router.user} refused: {answer.trap}")
    if answer.ret:
        raise PlaneError(f"{router.host}: RouterOS before 6.43 is too old", retry=False)
    (told,) = talk.ask([("/system/resource/print", "=.proplist=version")])
    talk.version = told.rows[0].get("version", "") if told.rows else ""


def _secured(sock: socket.socket, router: Router) -> socket.socket:
    """The same connection in TLS. A router has a certificate of its own making: it is pinned."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    secured = context.wrap_socket(sock)
    shown = sha256(secured.getpeercert(binary_form=True) or b"").hexdigest()
    if not hmac.compare_digest(shown, router.fingerprint or ""):
        secured.close()
        told = "another certificate than routeros.fingerprint says"
        raise PlaneError(f"{router.host} shows {told}: sha256 {shown}")
    return secured


class Lane:
    """The one way to a router. Each piece of work has the connection to itself.

    ``greeting`` is what is done first on every new connection.
    """

    def __init__(
        self,
        router: Router,
        *,
        patience_s: float = PATIENCE_S,
        silence_s: float = SILENCE_S,
        greeting: Callable[[Talk], object] | None = None,
    ) -> None:
        self.router = router
        self._greeting = greeting
        self._patience_s = patience_s
        self._silence_s = silence_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="router")
        self._talk: Talk | None = None
        self._turn = asyncio.Lock()
        self._late: Future[object] | None = None
        self._failures = 0
        self._again_at = 0.0
        self._trouble = ""

    async def run(self, work: Callable[[Talk], R]) -> R:
        """Do a piece of work with the router and answer what it brings.

        Raises `PlaneError`: at once while the router is given a rest, or still busy with what took
        too long.
        """
        async with self._turn:
            if self._late is not None and not self._late.done():
                raise PlaneError(f"{self.router.host} is still busy with what it was told before")
            if time.monotonic() < self._again_at:
                raise PlaneError(self._trouble)
            future = self._thread.submit(self._inside, work)
            self._late = future  # type: ignore[assignment]  # what it brings is dropped
            asked = asyncio.wrap_future(future)
            asked.add_done_callback(_noticed)
            done, _ = await asyncio.wait({asked}, timeout=self._patience_s)
            if not done:
                raise PlaneError(f"{self.router.host} takes longer than {self._patience_s:g} s")
            return asked.result()

    def rested(self) -> None:
        """Try again at once: somebody knows that the router is back."""
        self._again_at = 0.0

    def close(self) -> None:
        """Hang up and end the thread. The router keeps doing what it was told."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._hang_up()

    def _inside(self, work: Callable[[Talk], R]) -> R:
        try:
            answer = self._done(work)
        except PlaneError as error:
            if self._talk is None:
                self._rest(str(error))
            raise
        except (OSError, LibRouterosError, ValueError) as error:
            self._hang_up()
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            self._rest(f"{self.router.host}: {why}")
            raise PlaneError(self._trouble) from error
        except BaseException:
            self._hang_up()
            raise
        self._failures = 0
        return answer

    def _done(self, work: Callable[[Talk], R]) -> R:
        """The work done, if need be on a new connection: an old one may have been cut meanwhile."""
        if self._talk is not None:
            try:
                return work(self._talk)
            except (ConnectionClosed, ConnectionError, ssl.SSLEOFError):
                self._hang_up()
        self._talk = sign_in(self.router, silence_s=self._silence_s)
        if self._greeting is not None:
            self._greeting(self._talk)
        return work(self._talk)

    def _rest(self, why: str) -> None:
        self._trouble = why
        self._again_at = time.monotonic() + BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1

    def _hang_up(self) -> None:
        talk, self._talk = self._talk, None
        if talk is not None:
            talk.close()


def _noticed(late: asyncio.Future[R]) -> None:
    """Whoever waited may have left; that it failed is known from the next piece of work then."""
    if not late.cancelled():
        late.exception()


def printed(menu: str, properties: Iterable[str], *queries: str) -> Words:
    """The order to tell the rows of a menu, with these properties and no others."""
    return (f"{menu}/print", f"=.proplist={','.join(properties)}", *queries)
