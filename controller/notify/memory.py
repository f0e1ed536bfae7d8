"""The carrier that ships for tests and demonstrations: no network, scripted.

By default each message is taken once: a repeat of the same id is recognised and not kept twice.
`script` says beforehand how the next ones are answered, one each.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from controller.notify.sms import SmsNotSent, SmsRefused, SmsSent, SmsUnsure

if TYPE_CHECKING:
    from billing.msisdn import Msisdn

COST_E4 = 8_000
"""What each message costs here: 80 cents."""


class Scripted(Enum):
    """How one message is answered."""

    TAKE = "take"
    DOWN = "down"  # certain: not taken
    LOSE = "lose"  # taken, but the answer never comes
    REFUSE = "refuse"  # turned away for good


@dataclass(frozen=True, slots=True)
class Taken:
    """One message that reached its phone."""

    id: str
    msisdn: str
    text: str = field(repr=False)


class MemorySms:
    """An `Sms` whose messages arrive in ``taken``; ``asked`` counts every call."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.asked = 0
        self._script: deque[Scripted] = deque()

    def script(self, *answers: Scripted) -> None:
        """Answer the next messages so, one each; afterwards every message is taken again."""
        self._script.extend(answers)

    def to(self, msisdn: str) -> list[str]:
        """The texts that this phone got, in order."""
        return [one.text for one in self.taken if one.msisdn == msisdn]

    async def send(self, msisdn: Msisdn, text: str, sms_id: str) -> SmsSent:
        """Take it, or answer as scripted."""
        self.asked += 1
        answer = self._script.popleft() if self._script else Scripted.TAKE
        if answer is Scripted.DOWN:
            raise SmsNotSent("down")
        if answer is Scripted.REFUSE:
            raise SmsRefused("refused")
        if all(one.id != sms_id for one in self.taken):
            self.taken.append(Taken(sms_id, msisdn, text))
        if answer is Scripted.LOSE:
            raise SmsUnsure("lost")
        return SmsSent(f"memory-{sms_id}", COST_E4)
