"""The seam to those who carry e-mail. PURE.

Drawn as a tree; each says what may be done next:

* EmailError
  - EmailNotSent  certain: nobody got it; the same letter may be sent again later
  - EmailUnsure   it may have left; sent again it may arrive twice
  - EmailRefused  certain: nobody got it, and the same letter would be refused again
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class EmailError(Exception):
    """A letter was not taken. ``code`` is the server's own, or ours; never a word of the letter."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class EmailNotSent(EmailError):  # noqa: N818 - a state, see style
    """Nobody got it; later may be better."""


class EmailUnsure(EmailError):  # noqa: N818 - a state, see style
    """The answer was lost: it may have left."""


class EmailRefused(EmailError):  # noqa: N818 - a state, see style
    """Nobody got it, and the same letter would be refused again."""


@dataclass(frozen=True, slots=True)
class EmailOut:
    """One letter to one address. ``html`` says the same as ``text``, or is "". No secrets shown."""

    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(default="", repr=False)


class Email(Protocol):
    """A carrier of e-mail. Implementations: ``smtp``, ``absent``, ``memory``."""

    is_set_up: bool
    """False when no letter could ever leave, so that none need be written."""

    async def send(self, out: EmailOut, email_id: str) -> str:
        """Hand over one letter; its Message-ID.

        ``email_id`` is ours, the same at each repeat: readers' programs drop doubles by the
        Message-ID that is made of it. Raises `EmailNotSent`, `EmailUnsure`, `EmailRefused`.
        """
        ...
