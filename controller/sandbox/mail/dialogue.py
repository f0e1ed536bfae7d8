"""One conversation of SMTP (RFC 5321, AUTH of RFC 4954): a line in, an answer out. PURE."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.sandbox.mail.faults import MailFaults
    from controller.sandbox.mail.settings import MailSettings

LETTER_BYTES_MAX = 1_048_576
RECEIVERS_MAX = 10
_PATH = re.compile(rb"(?:FROM|TO):\s*<([^<>\s]{1,254})>.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say, and what to do next: read a letter, turn private, or hang up."""

    lines: tuple[str, ...]
    letter_follows: bool = False
    turns_private: bool = False
    over: bool = False


class Dialogue:
    """The server's side of one connection. ``is_private`` once the bytes are encrypted."""

    def __init__(
        self,
        settings: MailSettings,
        *,
        faults: Callable[[], MailFaults],
        has_certificate: bool,
        is_private: bool,
    ) -> None:
        self._settings = settings
        self._faults = faults
        self._has_certificate = has_certificate
        self._is_private = is_private
        self._is_known = not settings.username
        self._asked_for = ""  # "name" or "password", while a log-in is under way
        self._name = b""
        self.sender = ""
        self.receivers: tuple[str, ...] = ()

    def greeting(self) -> Answer:
        """The first word."""
        if self._faults().mail_down:
            return Answer(("421 too busy, come back later",), over=True)
        return _said(f"220 {self._settings.name} ESMTP")

    def heard(self, line: bytes) -> Answer:
        """What one line of the other side brings."""
        if self._asked_for:
            return self._logged_in(line)
        verb, _, rest = line.strip().partition(b" ")
        answers: dict[bytes, Callable[[bytes], Answer]] = {
            b"EHLO": self._hello,
            b"HELO": self._hello,
            b"STARTTLS": self._private,
            b"AUTH": self._log_in,
            b"MAIL": self._from,
            b"RCPT": self._to,
            b"DATA": self._letter,
            b"RSET": self._reset,
            b"NOOP": lambda _rest: _said("250 still here"),
            b"QUIT": lambda _rest: Answer(("221 bye",), over=True),
        }
        answer = answers.get(verb.upper())
        return _said("500 no such word") if answer is None else answer(rest)

    def took(self) -> Answer:
        """A letter came whole."""
        self._forget()
        return _said("250 2.0.0 taken")

    def turned_private(self) -> None:
        """The bytes are encrypted from now on, and nothing that was said before counts."""
        self._is_private, self._is_known = True, not self._settings.username
        self._forget()

    def _hello(self, name: bytes) -> Answer:
        if not name.strip():
            return _said("501 say your name")
        offers = ["SIZE %d" % LETTER_BYTES_MAX]  # noqa: UP031 - a figure of SMTP
        if self._has_certificate and not self._is_private:
            offers.append("STARTTLS")
        if self._settings.username and (self._is_private or not self._settings.private):
            offers.append("AUTH PLAIN LOGIN")
        words = [self._settings.name, *offers]
        return _said(*(f"250-{word}" for word in words[:-1]), f"250 {words[-1]}")

    def _private(self, _rest: bytes) -> Answer:
        if not self._has_certificate or self._is_private:
            return _said("502 not here")
        return Answer(("220 go ahead",), turns_private=True)

    def _log_in(self, rest: bytes) -> Answer:
        if not self._settings.username or self._must_be_private():
            return _said("503 not now")
        way, _, first = rest.partition(b" ")
        if way.upper() == b"PLAIN" and first:
            return self._judged(_decoded(first).split(b"\0")[1:])
        if way.upper() == b"LOGIN":
            self._asked_for = "name"
            asks = _said("334 " + base64.b64encode(b"Username:").decode())
            return self._logged_in(first) if first else asks
        return _said("504 want PLAIN or LOGIN")

    def _logged_in(self, line: bytes) -> Answer:
        if self._asked_for == "name":
            self._name, self._asked_for = _decoded(line), "password"
            return _said("334 " + base64.b64encode(b"Password:").decode())
        self._asked_for = ""
        return self._judged([self._name, _decoded(line)])

    def _judged(self, told: list[bytes]) -> Answer:
        settings = self._settings
        self._is_known = told == [settings.username.encode(), settings.password.encode()]
        return _said("235 welcome" if self._is_known else "535 5.7.8 wrong name or password")

    def _from(self, rest: bytes) -> Answer:
        path = _PATH.fullmatch(rest)
        if self._must_be_private():
            return _said("530 5.7.0 turn private first")
        if not self._is_known:
            return _said("530 5.7.0 say who you are")
        if path is None:
            return _said("501 want FROM:<address>")
        if self._faults().mail_bad_sender:
            return _said("553 5.7.1 not your address")
        self._forget()
        self.sender = path.group(1).decode(errors="replace")
        return _said("250 2.1.0 so be it")

    def _to(self, rest: bytes) -> Answer:
        path, faults = _PATH.fullmatch(rest), self._faults()
        if not self.sender or len(self.receivers) >= RECEIVERS_MAX:
            return _said("503 not now")
        if path is None or faults.mail_no_such_box:
            return _said("550 5.1.1 no such mailbox")
        if faults.mail_later:
            return _said("451 4.7.1 come back in a minute")
        self.receivers = (*self.receivers, path.group(1).decode(errors="replace"))
        return _said("250 2.1.5 known here")

    def _letter(self, _rest: bytes) -> Answer:
        if not self.receivers:
            return _said("503 to whom?")
        return Answer(("354 end with a single dot",), letter_follows=True)

    def _reset(self, _rest: bytes) -> Answer:
        self._forget()
        return _said("250 forgotten")

    def _must_be_private(self) -> bool:
        return self._settings.private and not self._is_private

    def _forget(self) -> None:
        self.sender, self.receivers = "", ()


def _said(*lines: str) -> Answer:
    return Answer(lines)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        return b""
