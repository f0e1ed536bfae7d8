"""What can be done from the one box: "disconnect 0712…", "dark mode". PURE.

A command is a place to go to: the page there asks before anything is done. Only those are offered
whose right somebody has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from billing.errors import InvalidField
from billing.msisdn import parse_msisdn
from controller.rights import Right

if TYPE_CHECKING:
    from controller.rights import Who
    from controller.usecases.meant import Meant


@dataclass(frozen=True, slots=True)
class Command:
    """Something to do. ``says`` is English with ``{phone}`` left open; ``to`` is where it is done.

    ``scheme`` is a colour scheme to switch to, of those commands that do only that.
    """

    says: str
    to: str
    phone: str = ""
    scheme: str = ""


@dataclass(frozen=True, slots=True)
class _Of:
    verbs: tuple[str, ...]
    says: str
    to: str
    right: Right


OF_A_PHONE = (
    _Of(
        ("why", "kwa nini", "check"),
        "Why is {phone} not online?",
        "#why-title",
        Right.SEE_CUSTOMERS,
    ),
    _Of(
        ("disconnect", "kick", "kata"), "Disconnect {phone}", "#sessions-title", Right.RUN_SESSIONS
    ),
    _Of(
        ("extend", "give", "ongeza"),
        "Give {phone} more time or data",
        "/edit#give",
        Right.GIVE_ACCESS,
    ),
    _Of(("message", "sms", "ujumbe"), "Write to {phone}", "/edit#message", Right.MESSAGE),
    _Of(("note", "kumbuka"), "Note something about {phone}", "/edit#note", Right.EDIT_CUSTOMERS),
    _Of(("edit", "hariri"), "Edit {phone}", "/edit", Right.EDIT_CUSTOMERS),
)

PLAIN = (
    (("dark mode", "dark", "giza"), "Dark mode", "", "dark"),
    (("light mode", "light", "mwanga"), "Light mode", "", "light"),
    (("auto mode", "auto"), "Light or dark as the device is", "", "auto"),
)

PLACES = (
    (("add site", "new site"), "Add a site", "/noc/sites/new", Right.RUN_SITES),
    (
        ("add customer", "new customer"),
        "Add a customer",
        "/noc/customers/add",
        Right.EDIT_CUSTOMERS,
    ),
    (
        ("make vouchers", "new vouchers"),
        "Make vouchers",
        "/noc/vouchers?add=1",
        Right.MAKE_VOUCHERS,
    ),
)
OF_ALL = frozenset({Right.RUN_SITES, Right.MAKE_VOUCHERS})
"""Places of these concern every branch: offered to nobody who is held to some."""

TYPED_MIN = 3
"""So many letters of a command offer it; fewer begin too many words."""


def commands(asked: Meant, who: Who) -> tuple[Command, ...]:
    """What the text offers to do."""
    small = asked.text.lower()
    if len(small) < TYPED_MIN:
        return ()
    offered = [
        Command(says, to, scheme=scheme)
        for names, says, to, scheme in PLAIN
        if any(name.startswith(small) for name in names)
    ]
    offered += [
        Command(says, to)
        for names, says, to, right in PLACES
        if who.may(right)
        and (who.branches is None or right not in OF_ALL)
        and any(name.startswith(small) for name in names)
    ]
    return (*offered, *_of_a_phone(small, who))


def _of_a_phone(small: str, who: Who) -> tuple[Command, ...]:
    for one in OF_A_PHONE:
        for verb in one.verbs:
            phone = small.removeprefix(verb)
            if phone == small or not phone.startswith(" ") or not who.may(one.right):
                continue
            try:
                msisdn = parse_msisdn(phone.strip())
            except InvalidField:
                continue
            return (Command(one.says, f"/noc/customers/{quote(msisdn)}{one.to}", phone=msisdn),)
    return ()
