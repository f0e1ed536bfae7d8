"""What can go wrong with a bank's notices, as switches. PURE."""

from __future__ import annotations

from dataclasses import dataclass

from controller.sandbox.switches import Switch


@dataclass(frozen=True, slots=True)
class Faults:
    """Which faults are on. False and 0 are a good day."""

    notice_lost: bool = False
    notice_late_s: int = 0
    notice_doubled: bool = False
    notice_forged: bool = False


SWITCHES = (
    Switch(
        "notice_lost",
        "Notice lost",
        "The bank never tells; the money stands in its statement all the same.",
        "Nothing, until the statement is imported.",
    ),
    Switch(
        "notice_late_s",
        "Notice late by",
        "The bank tells later.",
        "Credited when it is told.",
        seconds=True,
    ),
    Switch(
        "notice_doubled",
        "Notice twice",
        "The bank tells the same twice.",
        "Credited once.",
    ),
    Switch(
        "notice_forged",
        "Notice signed by another",
        "Somebody who learnt the address tells of money that never came.",
        "Refused: it is not signed by the bank, and nothing is credited.",
    ),
)
