"""The carrier of webhooks that ships for tests and demonstrations: no network, scripted."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from controller.notify.webhook import WebhookError, WebhookOut


class MemoryWebhooks:
    """A `Webhooks` whose events arrive in ``taken``; ``asked`` counts every call."""

    def __init__(self) -> None:
        self.taken: dict[str, WebhookOut] = {}
        self.asked = 0
        self._script: deque[WebhookError | None] = deque()

    def script(self, *answers: WebhookError | None) -> None:
        """Answer the next ones so (None: take it), one each; afterwards every one is taken."""
        self._script.extend(answers)

    def said(self) -> list[dict[str, Any]]:
        """What arrived, in order."""
        return [json.loads(out.body) for out in self.taken.values()]

    async def send(self, out: WebhookOut, _at: datetime) -> None:
        """Take it, or answer as scripted."""
        self.asked += 1
        answer = self._script.popleft() if self._script else None
        if answer is not None:
            raise answer
        self.taken.setdefault(out.id, out)
