"""The carrier of a controller that has no account with one yet: it sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.notify.sms import SmsRefused

if TYPE_CHECKING:
    from billing.msisdn import Msisdn

SENTENCE = "no SMS account is configured: set [sms] in the configuration file"


class AbsentSms:
    """Refuses every message; nothing ever leaves."""

    async def send(self, msisdn: Msisdn, text: str, sms_id: str) -> str:  # noqa: ARG002 - the seam's
        """Say at once that nothing was sent."""
        raise SmsRefused("absent")
