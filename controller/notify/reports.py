"""What carriers tell later of a message: under way, delivered, or failed. PURE.

Reports are unsigned, come in any order, more than once, or never. Sources: Africa's Talking's page
on delivery reports; resellers' reports differ in the names of their fields and in their words.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_BYTES_MAX = 16_384
FIELDS_MAX = 50

NAMES = ("id", "messageid", "msgid", "smsid", "clientsmsid")
STATES = ("status", "description", "deliverydescription", "deliverystatus", "dlrstatus")
"""Names of fields, without case and signs, in the order in which they are looked for."""

REACHED = frozenset(
    {"success", "delivered", "deliveredtoterminal", "delivrd", "deliveredtohandset"}
)
LOST = frozenset(
    {
        "failed",
        "rejected",
        "rejectd",
        "expired",
        "absentsubscriber",
        "undelivered",
        "undeliverable",
        "undeliv",
        "deliveryimpossible",
        "deliveryfailure",
        "userdoesnotexist",
        "sendernameblacklisted",
        "userinblacklist",
        "donotdisturbrejection",
    }
)
"""Words for the two ends, without case and signs; any other word is a message under way."""

_NAME = re.compile(r"[!-~]{1,64}")
_NOT_LETTERS = re.compile(r"[^a-z]")


class Delivery(StrEnum):
    """What became of a message that a carrier had taken."""

    UNDER_WAY = ""
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Report:
    """One report: the carrier's name for the message (or ours), and how far it has come."""

    name: str
    delivery: Delivery


def fields_in(body: bytes) -> dict[str, str]:
    """The fields of a report, however it was posted (a form or JSON); nothing when unreadable."""
    if len(body) > BODY_BYTES_MAX:
        return {}
    try:
        text = body.decode()
        if text.lstrip()[:1] in {"{", "["}:
            return _flat(json.loads(text))
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except (ValueError, RecursionError):
        return {}


def read_report(fields: Mapping[str, str]) -> Report | None:
    """What a report says, or None when it says nothing of any message."""
    told = {_letters(name): value.strip() for name, value in fields.items()}
    name = next((told[known] for known in NAMES if told.get(known)), "")
    state = next((told[known] for known in STATES if told.get(known)), "")
    if not _NAME.fullmatch(name) or not state:
        return None
    word = _letters(state)
    if word in REACHED:
        return Report(name, Delivery.DELIVERED)
    return Report(name, Delivery.FAILED if word in LOST else Delivery.UNDER_WAY)


def _flat(told: object) -> dict[str, str]:
    """The texts and numbers of the outermost object; a list stands for its first."""
    while isinstance(told, list) and told:
        told = told[0]
    if not isinstance(told, dict):
        return {}
    return {
        name: str(value)
        for name, value in list(told.items())[:FIELDS_MAX]
        if isinstance(value, str | int) and not isinstance(value, bool)
    }


def _letters(text: str) -> str:
    return _NOT_LETTERS.sub("", text.lower())
