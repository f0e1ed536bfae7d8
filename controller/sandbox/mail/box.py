"""The letters that came to the simulated mail server, newest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from email.message import EmailMessage

LETTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter as its reader sees it; ``raw`` is every byte of it."""

    at: datetime
    sender: str
    to: str
    subject: str
    text: str
    html: str
    message_id: str
    raw: bytes = field(repr=False)


class Box:
    """All letters of everybody."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.letters: list[Letter] = []

    def put(self, *, sender: str, receivers: tuple[str, ...], raw: bytes) -> None:
        """Keep a letter, once for each who gets it."""
        parsed = message_from_bytes(raw, policy=default)
        for to in receivers:
            self.letters.insert(
                0,
                Letter(
                    at=self._now(),
                    sender=sender,
                    to=to,
                    subject=str(parsed["Subject"] or ""),
                    text=_part(parsed, "plain"),
                    html=_part(parsed, "html"),
                    message_id=str(parsed["Message-ID"] or ""),
                    raw=raw,
                ),
            )
        del self.letters[LETTERS_MAX:]


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return "" if body is None else str(body.get_content())
