"""The recovery key of backups, made on screen: shown once, and shown to have been kept."""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.backup import keys
from controller.store import chosen
from controller.usecases.setup import KEY_NOTE, must_confirm

if TYPE_CHECKING:
    from controller.deps import Deps

ASKED_CHARS = 6
"""So many of its last letters are to be typed again."""


async def make(deps: Deps) -> str:
    """Make the key; its secret half, which is kept nowhere. Raises `InvalidField`, `DatabaseBusy`.

    One that nobody has shown to have kept may be made anew; backups that are there keep theirs.
    """
    told, state_dir = deps.settings.backup.recipient, deps.settings.state_dir
    if told:
        raise InvalidField("recovery_key", "is set by backup.recipient, and made elsewhere")
    secret, recipient = keys.new_recovery_key()
    async with deps.db.begin() as tx:
        notes = await chosen.notes(tx)
        known = keys.recipient_of(state_dir)
        if known and not must_confirm(known, notes):
            raise InvalidField("recovery_key", "there is one already: `lango backup key --replace`")
        note = {
            "recipient": recipient,
            "before": known,
            "kept": False,
            "ending": _hidden(deps, secret[-ASKED_CHARS:]),
        }
        await chosen.note(tx, KEY_NOTE, json.dumps(note), deps.now())
    # Invariant: backups are encrypted to no key made here that is not noted as one to be confirmed.
    try:
        keys.keep_recipient(state_dir, recipient)
    except OSError as error:
        problem = f"its public half could not be kept: {error.strerror}"
        raise InvalidField("recovery_key", problem) from error
    deps.signals.wake("live")
    return secret


async def confirm(deps: Deps, ending: str) -> None:
    """Take its last letters as the sign that somebody has kept it.

    Raises `InvalidField` (``ending``), `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        row = (await chosen.notes(tx)).get(KEY_NOTE)
        if row is None:
            raise InvalidField("ending", "no key was made here")
        told = json.loads(row.told)
        if told["recipient"] != keys.recipient_of(deps.settings.state_dir):
            raise InvalidField("ending", "backups use another key: make one anew")
        offered = _hidden(deps, ending.replace(" ", "").upper()[-ASKED_CHARS:])
        if not hmac.compare_digest(offered, told["ending"]):
            raise InvalidField("ending", f"these are not its last {ASKED_CHARS} letters")
        await chosen.note(tx, KEY_NOTE, json.dumps({**told, "kept": True}), deps.now())
    deps.signals.wake("live")


def _hidden(deps: Deps, ending: str) -> str:
    return deps.vault.fingerprint("recovery-ending", ending)
