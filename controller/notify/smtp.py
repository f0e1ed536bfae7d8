"""E-mail by SMTP (RFC 5321). One connection a letter; repeating is the outbox's affair.

The standard library's client waits in a thread. Only figures of what a server says are kept: its
words could repeat an address.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog

from controller.notify.email import EmailError, EmailNotSent, EmailRefused, EmailUnsure
from controller.notify.email_message import message_id, message_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from email.message import EmailMessage

    from controller.notify.email import EmailOut

ANSWER_TIMEOUT_S = 20.0
"""How long a server may take for each of its answers."""

OK = frozenset({250, 251})
PERMANENT = 500
"""Reply codes from here on are for good (RFC 5321 §4.2.1)."""

_log = structlog.get_logger(__name__)


class Security(StrEnum):
    """How the way to the server is kept private."""

    NONE = "none"  # not at all: for a server on this machine
    STARTTLS = "starttls"  # plain at first, and nothing is said before it is private
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """One account with a mail server. Its ``repr`` shows no secret; no ``username``: no log-in."""

    host: str
    port: int
    security: Security
    sender: str
    sender_name: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


class SmtpEmail:
    """Letters by one account. ``trust`` is whose certificates are believed: usually the system's.

    ``now`` dates the letters.
    """

    is_set_up = True

    def __init__(
        self,
        settings: SmtpSettings,
        *,
        now: Callable[[], datetime],
        trust: ssl.SSLContext | None = None,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._now = now
        self._trust = trust or ssl.create_default_context()
        self._timeout_s = answer_timeout_s

    def __repr__(self) -> str:
        """Name the server; the rest is nobody's business."""
        return f"SmtpEmail({self._settings.host})"

    async def send(self, out: EmailOut, email_id: str) -> str:
        """Hand over one letter. Raises `EmailNotSent`, `EmailUnsure`, `EmailRefused`."""
        settings = self._settings
        try:
            message = message_of(
                out,
                sender=settings.sender,
                sender_name=settings.sender_name,
                email_id=email_id,
                at=self._now(),
            )
            await asyncio.to_thread(self._sent, message, out.to)
        except EmailError as trouble:
            outcome = type(trouble).__name__
            _log.warning("email.send", email=email_id, outcome=outcome, code=trouble.code)
            raise
        _log.info("email.send", email=email_id, outcome="sent")
        return message_id(email_id, settings.sender)

    def _sent(self, message: EmailMessage, to: str) -> None:
        try:
            server = self._entered()
        except smtplib.SMTPResponseException as error:
            raise EmailNotSent(f"smtp-{error.smtp_code}") from None  # what the server said is in it
        except (OSError, smtplib.SMTPException) as error:
            raise EmailNotSent(type(error).__name__) from None
        try:
            self._posted(server, message, to)
        finally:
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()

    def _entered(self) -> smtplib.SMTP:
        """A server that knows us, by a way that is as private as was asked for."""
        settings = self._settings
        # Without a name of our own the library would look one up, which may take long.
        ours = settings.sender.rpartition("@")[2]
        server = (
            smtplib.SMTP_SSL(
                settings.host,
                settings.port,
                local_hostname=ours,
                timeout=self._timeout_s,
                context=self._trust,
            )
            if settings.security is Security.TLS
            else smtplib.SMTP(settings.host, settings.port, ours, self._timeout_s)
        )
        try:
            server.ehlo_or_helo_if_needed()
            if settings.security is Security.STARTTLS:
                server.starttls(context=self._trust)
            if settings.username:
                server.login(settings.username, settings.password)
        except BaseException:
            server.close()
            raise
        return server

    def _posted(self, server: smtplib.SMTP, message: EmailMessage, to: str) -> None:
        try:
            code, _ = server.mail(self._settings.sender)
            if code not in OK:
                # The account or its sender is wrong; staff can mend that, so the letter may wait.
                raise EmailNotSent(f"sender-{code}")
            code, _ = server.rcpt(to)
            if code not in OK:
                raise _turned_away(code)
        except (OSError, smtplib.SMTPException) as error:
            raise EmailNotSent(type(error).__name__) from None
        try:
            code, _ = server.data(message.as_bytes())
        except smtplib.SMTPDataError as error:
            raise _turned_away(error.smtp_code) from None
        except (OSError, smtplib.SMTPException) as error:
            raise EmailUnsure(type(error).__name__) from None
        if code not in OK:
            raise _turned_away(code)


def _turned_away(code: int) -> EmailError:
    """The server's no to a letter: for good, or (as greylists say) for now."""
    return EmailRefused(f"smtp-{code}") if code >= PERMANENT else EmailNotSent(f"smtp-{code}")
