"""The seam to those who carry text messages. PURE.

Drawn as a tree; each says what may be done next:

* SmsError
  - SmsNotSent    certain: nobody got it; the same message may be sent again later
  - SmsUnsure     it may have left; sent again it may arrive twice
  - SmsRefused    certain: nobody got it, and the same message would be refused again
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from billing.msisdn import Msisdn


class SmsError(Exception):
    """A message was not taken. ``code`` is the carrier's own, or ours; never the text."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class SmsNotSent(SmsError):  # noqa: N818 - a state, see style
    """Nobody got it; later may be better."""


class SmsUnsure(SmsError):  # noqa: N818 - a state, see style
    """No answer, or one that says nothing: it may have left."""


class SmsRefused(SmsError):  # noqa: N818 - a state, see style
    """Nobody got it, and the same message would be refused again."""


@dataclass(frozen=True, slots=True)
class SmsSent:
    """A message that was taken. ``name`` is the carrier's for it, "" where it gave none.

    ``cost_e4`` is what it cost, in 1/10,000 of a shilling; None where that is not told.
    """

    name: str
    cost_e4: int | None = None


class Sms(Protocol):
    """A carrier of text messages.

    Implementations: ``africas_talking``, ``http_sms``, ``absent``, ``memory``.
    """

    async def send(self, msisdn: Msisdn, text: str, sms_id: str) -> SmsSent:
        """Hand over one message; how the carrier calls it, and what it costs.

        ``sms_id`` is ours, the same at each repeat, for carriers that drop doubles. Raises
        `SmsNotSent`, `SmsUnsure`, `SmsRefused`.
        """
        ...


@runtime_checkable
class TellsBalance(Protocol):
    """A carrier that says what our account holds. Implementation: ``africas_talking``."""

    async def balance_kes(self) -> int:
        """What the account holds, in whole shillings. Raises `SmsError`."""
        ...
