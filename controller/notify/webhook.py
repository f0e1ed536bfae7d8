"""The seam to those who are told by webhooks. PURE.

Drawn as a tree; each says what may be done next:

* WebhookError
  - WebhookNotTaken  no 2xx came: later may be better, after ``retry_s`` if that was said
  - WebhookGone      certain: nobody wants it any more (410), nor any other
  - WebhookRefused   we do not go there: its address is none that we may call
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks call a secret
SECRET_BYTES = 32


class WebhookError(Exception):
    """A webhook was not taken. ``code`` is ours, or the HTTP status; never a word of the answer."""

    def __init__(self, code: str, *, retry_s: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_s = retry_s


class WebhookNotTaken(WebhookError):  # noqa: N818 - a state, see style
    """Nobody said that it arrived; sent again it has the same id, so that doubles are dropped."""


class WebhookGone(WebhookError):  # noqa: N818 - a state, see style
    """The receiver wants nothing more."""


class WebhookRefused(WebhookError):  # noqa: N818 - a state, see style
    """Its address leads where we do not go."""


@dataclass(frozen=True, slots=True)
class WebhookOut:
    """One event for one receiver. ``id`` is the same at each repeat; ``secret`` signs it."""

    id: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    body: str = field(repr=False)


class Webhooks(Protocol):
    """Who carries webhooks. Implementations: ``http_webhook``, ``memory_webhook``."""

    async def send(self, out: WebhookOut, at: datetime) -> None:
        """Hand over one event; returns when it was taken.

        Raises `WebhookNotTaken`, `WebhookGone`, `WebhookRefused`.
        """
        ...
