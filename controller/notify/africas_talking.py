"""Text messages by Africa's Talking. One request a message; repeating is the outbox's affair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import structlog

from billing.msisdn import masked
from controller.notify import africas_talking_wire as wire
from controller.notify.sms import SmsError, SmsNotSent, SmsUnsure

if TYPE_CHECKING:
    from billing.msisdn import Msisdn
    from controller.notify.africas_talking_wire import AfricasTalkingSettings
    from controller.notify.sms import SmsSent

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 20.0

NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""Errors after which not one byte of the request has left."""

_log = structlog.get_logger(__name__)


class AfricasTalkingSms:
    """Messages of one account. ``http`` is the process's client; it follows no redirects."""

    def __init__(
        self,
        settings: AfricasTalkingSettings,
        *,
        http: httpx2.AsyncClient,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._http = http
        self._timeout = httpx2.Timeout(answer_timeout_s, connect=CONNECT_TIMEOUT_S)

    def __repr__(self) -> str:
        """Name the account; the rest is nobody's business."""
        return f"AfricasTalkingSms({self._settings.username})"

    async def send(self, msisdn: Msisdn, text: str, sms_id: str) -> SmsSent:
        """Hand over one message. Raises `SmsNotSent`, `SmsUnsure`, `SmsRefused`.

        This carrier knows no names of ours: a message that is sent again may arrive twice.
        """
        try:
            sent = await self._sent(msisdn, text)
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

    async def balance_kes(self) -> int:
        """What the account holds, in whole shillings. Raises `SmsNotSent`."""
        try:
            answer = await self._http.get(
                self._settings.base_url + wire.USER_PATH,
                params={"username": self._settings.username},
                headers=wire.headers(self._settings),
                timeout=self._timeout,
            )
        except httpx2.HTTPError as error:
            raise SmsNotSent(type(error).__name__) from None  # the request in it has the key
        return wire.read_balance(answer.status_code, answer.content)

    async def _sent(self, msisdn: Msisdn, text: str) -> SmsSent:
        try:
            answer = await self._http.post(
                self._settings.base_url + wire.SEND_PATH,
                data=wire.send_form(self._settings, msisdn, text),
                headers=wire.headers(self._settings),
                timeout=self._timeout,
            )
        except NOT_SENT as error:
            raise SmsNotSent(type(error).__name__) from None  # the request in it has the key
        except httpx2.HTTPError as error:
            raise SmsUnsure(type(error).__name__) from None
        return wire.read_answer(answer.status_code, answer.content)
