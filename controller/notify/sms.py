"""The seam to those who carry text messages. PURE.

Drawn as a tree; each says what may be done next:

* SmsError
  - SmsNotSent    certain: nobody got it; the same message may be sent again later
  - SmsUnsure     it may have left; sent again it may arrive twice
  - SmsRefused    certain: nobody got it, and the same message would be refused again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

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


class Sms(Protocol):
    """A carrier of text messages. Implementations: ``africas_talking``, ``absent``, ``memory``."""

    async def send(self, msisdn: Msisdn, text: str, sms_id: str) -> str:
        """Hand over one message; the carrier's name for it.

        ``sms_id`` is ours, the same at each repeat, for carriers that drop doubles. Raises
        `SmsNotSent`, `SmsUnsure`, `SmsRefused`.
        """
        ...
