"""Whether our public address leads here: asked by ourselves, as far as that can be known from here.

What this proves: name, certificate and proxy lead to this controller, or to another one with the
same keys. What it does not: that Safaricom's network finds the way too. A callback that came does.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from controller.config import LOOPBACK
from controller.notify.outside import NotHeard
from controller.store import chosen

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.vault import Vault

HERE_PATH = "/callbacks/here/"
NOTE = "address"
OURS, OTHER, THIS_MACHINE = "ours", "other", "this_machine"


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at an address: ``ours``, ``other``, ``this_machine``, or why nothing was."""

    url: str
    verdict: str
    at: datetime


def answer_of(vault: Vault, nonce: str) -> str:
    """What only we answer to a nonce."""
    return vault.fingerprint("here", nonce)


def is_this_machine(url: str) -> bool:
    """Whether an address is of this machine's own, which nobody outside can call."""
    return urlsplit(url).hostname in LOOPBACK


async def look(deps: Deps, public_url: str) -> Look:
    """Ask our public address for what only we know, and keep what came of it."""
    nonce = secrets.token_hex(16)
    try:
        heard = await deps.outside.ask(f"{public_url}{HERE_PATH}{nonce}")
        is_ours = hmac.compare_digest(heard.strip().encode(), answer_of(deps.vault, nonce).encode())
        verdict = OURS if is_ours else OTHER
    except NotHeard as silence:
        verdict = THIS_MACHINE if is_this_machine(public_url) else silence.why
    async with deps.db.begin() as tx:
        told = json.dumps({"url": public_url, "verdict": verdict})
        await chosen.note(tx, NOTE, told, deps.now())
    deps.signals.wake("live")
    return Look(public_url, verdict, deps.now())


async def last_look(tx: Tx) -> Look | None:
    """What was seen the last time."""
    row = (await chosen.notes(tx)).get(NOTE)
    return None if row is None else Look(**json.loads(row.told), at=row.at)
