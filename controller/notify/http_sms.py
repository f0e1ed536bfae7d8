"""Text messages by any carrier whose HTTP interface the settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
import structlog

from billing.msisdn import masked
from controller.notify import http_sms_wire as wire
from controller.notify.africas_talking import ANSWER_TIMEOUT_S, CONNECT_TIMEOUT_S, NOT_SENT
from controller.notify.sms import SmsError, SmsNotSent, SmsUnsure

if TYPE_CHECKING:
    from billing.msisdn import Msisdn
    from controller.notify.http_sms_wire import HttpSmsSettings
    from controller.notify.sms import SmsSent

_log = structlog.get_logger(__name__)


class HttpSms:
    """Messages of one account. ``http`` is the process's client; it follows no redirects."""

    def __init__(
        self,
        settings: HttpSmsSettings,
        *,
        http: httpx2.AsyncClient,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._http = http
        self._timeout = httpx2.Timeout(answer_timeout_s, connect=CONNECT_TIMEOUT_S)

    def __repr__(self) -> str:
        """Name the carrier; the rest is nobody's business."""
        return f"HttpSms({urlsplit(self._settings.url).hostname})"

    async def send(self, msisdn: Msisdn, text: str, sms_id: str) -> SmsSent:
        """Hand over one message. Raises `SmsNotSent`, `SmsUnsure`, `SmsRefused`.

        Whether a message that is sent again arrives twice depends on the carrier.
        """
        try:
            sent = await self._sent(msisdn, text, sms_id)
        except SmsError as trouble:
            _log.warning(
                "sms.send",
                sms=sms_id,
                phone=masked(msisdn),
                outcome=type(trouble).__name__,
                code=trouble.code,
            )
            raise
        _log.info("sms.send", sms=sms_id, phone=masked(msisdn), outcome="sent", name=sent.name)
        return sent

    async def _sent(self, msisdn: Msisdn, text: str, sms_id: str) -> SmsSent:
        settings = self._settings
        asked = wire.request_of(settings, msisdn, text, sms_id)
        fields = dict(asked.fields)
        try:
            answer = await self._http.request(
                settings.method,
                settings.url,
                params=fields if settings.form is wire.Form.QUERY else None,
                json=fields if settings.form is wire.Form.JSON else None,
                data=fields if settings.form is wire.Form.FORM else None,
                headers=dict(asked.headers),
                timeout=self._timeout,
            )
        except NOT_SENT as error:
            raise SmsNotSent(type(error).__name__) from None  # the request in it has the key
        except httpx2.HTTPError as error:
            raise SmsUnsure(type(error).__name__) from None
        return wire.read_answer(settings, answer.status_code, answer.content, text=text)
