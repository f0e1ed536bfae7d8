"""The carrier of letters that ships for tests and demonstrations: no network, scripted.

By default each letter is taken once: a repeat of the same id is recognised and not kept twice.
`script` says beforehand how the next ones are answered, one each.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from controller.notify.email import EmailNotSent, EmailRefused, EmailUnsure
from controller.notify.email_message import is_address
from controller.notify.memory import Scripted

if TYPE_CHECKING:
    from controller.notify.email import EmailOut


class MemoryEmail:
    """An `Email` whose letters arrive in ``taken``, by their ids; ``asked`` counts every call."""

    is_set_up = True

    def __init__(self) -> None:
        self.taken: dict[str, EmailOut] = {}
        self.asked = 0
        self._script: deque[Scripted] = deque()

    def script(self, *answers: Scripted) -> None:
        """Answer the next letters so, one each; afterwards every letter is taken again."""
        self._script.extend(answers)

    def to(self, address: str) -> list[EmailOut]:
        """The letters that this address got, in order."""
        return [one for one in self.taken.values() if one.to == address]

    async def send(self, out: EmailOut, email_id: str) -> str:
        """Take it, or answer as scripted."""
        self.asked += 1
        answer = self._script.popleft() if self._script else Scripted.TAKE
        if answer is Scripted.DOWN:
            raise EmailNotSent("down")
        if answer is Scripted.REFUSE or not is_address(out.to):
            raise EmailRefused("refused")
        self.taken.setdefault(email_id, out)
        if answer is Scripted.LOSE:
            raise EmailUnsure("lost")
        return f"<{email_id}@memory>"
