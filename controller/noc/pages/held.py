"""What every page that acts asks beside the right: one name for one deed, and the word typed.

Whose a thing is: `theirs`.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.api.errors import REFUSALS
from controller.api.reach import Forbidden
from controller.noc import live

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from fastapi import Request
    from fastapi.responses import RedirectResponse

    from controller.rights import Who

SURE = "sure"
ONCE = "once"
_ONCE = re.compile(r"[0-9a-f]{32}")


def must_be_of_all(who: Who) -> None:
    """Raise `Forbidden` for whoever is held to some branches: this concerns every one."""
    if who.branches is not None:
        raise Forbidden("this concerns every branch, and you are held to some")


def new_once() -> str:
    """A name for a deed that a form is about to ask for: sent twice, it is done once."""
    return secrets.token_hex(16)


def once_of(sent: Mapping[str, str]) -> str:
    """The name that a form gave its deed. Raises `InvalidField`."""
    if not _ONCE.fullmatch(sent.get(ONCE, "")):
        raise InvalidField(ONCE, "reload the page and send the form again")
    return sent[ONCE]


def must_be_sure(sent: Mapping[str, str], typed: str) -> None:
    """Raise `InvalidField` unless the word was typed that stands beside the button."""
    if sent.get(SURE, "") != typed:
        raise InvalidField(SURE, f"type {typed} to go on")


async def kept_or_again(
    request: Request, deed: Awaitable[object], *, done: str, to: str, again: str
) -> RedirectResponse:
    """Do what a form asks and go on to ``to``; when it is refused, back to the form as it was."""
    try:
        await deed
    except REFUSALS as refusal:
        told = str(refusal)
        return live.back(request, again, said=f"{told[:1].upper()}{told[1:]}", tone="bad")
    return live.back(request, to, said=done)
