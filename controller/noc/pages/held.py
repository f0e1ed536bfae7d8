"""What every page that acts asks beside the right: whose the thing is, and one name for one deed.

Somebody who is held to some branches gets the same answer for what is not there and for what
belongs to another branch, as at the HTTP API.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.api.errors import REFUSALS, NotFound
from controller.api.reach import Forbidden
from controller.noc import live
from controller.noc.pages import theirs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from fastapi import Request
    from fastapi.responses import RedirectResponse

    from controller.deps import Deps
    from controller.rights import Who

SHOWN = 64
SURE = "sure"
ONCE = "once"
_ONCE = re.compile(r"[0-9a-f]{32}")


async def must_be_theirs(deps: Deps, who: Who, kind: str, name: str) -> None:
    """Raise `NotFound` for what is not there, or belongs to a branch that is not theirs."""
    if who.branches is None:
        return
    if kind == "branch":
        if not who.reaches(name):
            raise NotFound(kind, name[:SHOWN])
        return
    await theirs.must_reach(deps, who, kind, name[:SHOWN])


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
