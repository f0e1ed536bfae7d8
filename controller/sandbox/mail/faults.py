"""What can go wrong on the way of a letter, as switches. PURE."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class MailFaults:
    """Which faults are on; False is a good day."""

    mail_down: bool = False
    mail_later: bool = False
    mail_no_such_box: bool = False
    mail_bad_sender: bool = False
    mail_no_answer: bool = False


SWITCHES: Mapping[str, tuple[str, str]] = {
    "mail_down": (
        "The server answers 421: too busy to talk.",
        "The letter comes as soon as the server is back.",
    ),
    "mail_later": (
        "A greylisting server answers 451 to a receiver that it has not seen before.",
        "The letter comes a little later.",
    ),
    "mail_no_such_box": (
        "The receiver's server knows no such mailbox: 550.",
        "It is not tried again; staff see that the address is wrong.",
    ),
    "mail_bad_sender": (
        "The account may not send under this sender's address: 553.",
        "Letters wait until staff have put it right.",
    ),
    "mail_no_answer": (
        "The letter was taken, and the line broke before the server said so.",
        "The same letter may come twice, with the same Message-ID; never not at all.",
    ),
}
"""Of each: what a real server does, and what is to be seen when the product copes."""


class BadFaults(Exception):  # noqa: N818 - a refusal, see style
    """Some switches were set to what they cannot be; ``faults`` says for each what it wants."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {wants}" for name, wants in faults.items()))
        self.faults = dict(faults)


def switched(faults: MailFaults, wanted: Mapping[str, object]) -> MailFaults:
    """``faults`` with all of the wanted changes. Raises `BadFaults` naming every wrong one."""
    known = {one.name for one in fields(MailFaults)}
    wrong = {
        name: "want true or false" if name in known else "there is no such switch"
        for name, value in wanted.items()
        if name not in known or not isinstance(value, bool)
    }
    if wrong:
        raise BadFaults(wrong)
    checked: dict[str, Any] = dict(wanted)
    return replace(faults, **checked)
