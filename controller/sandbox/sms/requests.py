"""What the simulated Africa's Talking checks in a request, and how it answers. PURE.

Source: their messaging page. The quirk that matters most: a wrong sender id is a 201 with no
recipients; only the recipient's own status says that a message was taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

FORM_BYTES_MAX = 16_384
TEXT_MAX = 1_600
_PHONE = re.compile(r"\+254[17][0-9]{8}")


@dataclass(frozen=True, slots=True)
class Asked:
    """One message to one phone, as it was asked for; ``sender`` is "" for the shared one."""

    username: str
    phone: str
    text: str
    sender: str


class BadRequest(Exception):  # noqa: N818 - a refusal, see style
    """The request is not let in; the message is the plain text of the answer."""

    def __init__(self, words: str, *, status: int = 400) -> None:
        super().__init__(words)
        self.status = status


def read_form(body: bytes) -> Asked:
    """What was asked. Raises `BadRequest`."""
    if len(body) > FORM_BYTES_MAX:
        raise BadRequest("Request is too large")
    try:
        told = parse_qs(body.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise BadRequest("Request is not a form") from error
    fields = {name: values[-1] for name, values in told.items()}
    for name in ("username", "to", "message"):
        if not fields.get(name):
            raise BadRequest(f"Request is missing required form field '{name}'")
    if len(fields["message"]) > TEXT_MAX:
        raise BadRequest("Message is too long")
    return Asked(fields["username"], fields["to"], fields["message"], fields.get("from", ""))


def is_phone(text: str) -> bool:
    """Whether messages can be sent there."""
    return _PHONE.fullmatch(text) is not None


def taken(asked: Asked, *, name: str) -> dict[str, Any]:
    """The answer for a message that was taken."""
    recipient = {
        "statusCode": 101,
        "number": asked.phone,
        "status": "Success",
        "cost": "KES 0.8000",
        "messageId": name,
    }
    return _answer("Sent to 1/1 Total Cost: KES 0.8000", [recipient])


def refused(asked: Asked, *, code: int, status: str) -> dict[str, Any]:
    """The answer for a message that this one phone cannot get."""
    recipient = {
        "statusCode": code,
        "number": asked.phone,
        "status": status,
        "cost": "0",
        "messageId": "None",
    }
    return _answer("Sent to 0/1 Total Cost: 0", [recipient])


def bad_sender() -> dict[str, Any]:
    """The answer to a sender id that is not registered."""
    return _answer("InvalidSenderId", [])


def _answer(words: str, recipients: list[dict[str, Any]]) -> dict[str, Any]:
    return {"SMSMessageData": {"Message": words, "Recipients": recipients}}
