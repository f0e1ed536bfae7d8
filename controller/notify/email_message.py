"""A letter as RFC 5322 and MIME want it. PURE."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from controller.notify.email import EmailRefused

if TYPE_CHECKING:
    from datetime import datetime

    from controller.notify.email import EmailOut

SUBJECT_MAX = 160
ADDRESS_MAX = 254
"""RFC 5321 §4.5.3.1.3, less its angle brackets."""

_POLICY = SMTP.clone(cte_type="7bit")
"""Whatever a server on the way can do, seven bits arrive."""

_ADDRESS = re.compile(r"[!#-'*+/-9=?A-Z^-~.-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")


def is_address(text: str) -> bool:
    """Whether a letter may be addressed so: one plain mailbox, in ASCII."""
    return len(text) <= ADDRESS_MAX and _ADDRESS.fullmatch(text) is not None


def message_id(email_id: str, sender: str) -> str:
    """The name that a letter has in the world; the same whenever it is sent again."""
    return f"<{email_id}@{sender.rpartition('@')[2]}>"


def message_of(
    out: EmailOut, *, sender: str, sender_name: str, email_id: str, at: datetime
) -> EmailMessage:
    """The letter as it goes over the wire. Raises `EmailRefused` for an address that is none."""
    if not is_address(out.to):
        raise EmailRefused("address")
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(_one_line(sender_name), addr_spec=sender)
    message["To"] = Address(addr_spec=out.to)
    message["Subject"] = _one_line(out.subject)[:SUBJECT_MAX]
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id(email_id, sender)
    # RFC 3834: nobody's holiday answers to a machine.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(out.text)
    if out.html:
        message.add_alternative(out.html, subtype="html")
    return message


def _one_line(text: str) -> str:
    """A header's text: a line break in it would be another header."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
