"""What the simulated mail server is told. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MailSettings:
    """One mailbox provider with one customer. The defaults are invented, and worth nothing.

    Without a ``username`` letters are taken from anybody. ``private`` wants STARTTLS before a
    log-in or a letter; ``wrapped`` is TLS from the first byte. Both need a certificate.
    """

    username: str = "trial"
    password: str = field(default="trial-mail-password", repr=False)
    private: bool = False
    wrapped: bool = False
    name: str = "mail.lango.example"
