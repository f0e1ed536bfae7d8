"""The carriers of a controller that has no account with one yet: they send nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.notify.email import EmailRefused
from controller.notify.sms import SmsRefused
from controller.notify.webhook import WebhookNotTaken

if TYPE_CHECKING:
    from datetime import datetime

    from billing.msisdn import Msisdn
    from controller.notify.email import EmailOut
    from controller.notify.sms import SmsSent
    from controller.notify.webhook import WebhookOut

SENTENCE = "no SMS account is configured: set [sms] in the configuration file"
NO_EMAIL = "no e-mail account is configured: set [email] in the configuration file"


class AbsentSms:
    """Refuses every message; nothing ever leaves."""

    async def send(self, msisdn: Msisdn, text: str, sms_id: str) -> SmsSent:  # noqa: ARG002 - the seam's
        """Say at once that nothing was sent."""
        raise SmsRefused("absent")


class AbsentEmail:
    """Refuses every letter; nothing ever leaves."""

    is_set_up = False

    async def send(self, out: EmailOut, email_id: str) -> str:  # noqa: ARG002 - the seam's
        """Say at once that nothing was sent."""
        raise EmailRefused("absent")


class AbsentWebhooks:
    """Takes no webhook; nothing ever leaves."""

    async def send(self, out: WebhookOut, at: datetime) -> None:  # noqa: ARG002 - the seam's
        """Say at once that nothing was sent."""
        raise WebhookNotTaken("absent")
