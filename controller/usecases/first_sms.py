"""A text message to see that messages leave, and whether the carrier tells that they arrive."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.msisdn import parse_msisdn
from controller.store import chosen
from controller.usecases.messages import queue_in

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.store.chosen_rows import SetupNoteRow

NOTE = "sms_test"
GOOD_FOR = timedelta(minutes=10)
TEXT = "{name}: your SMS account works. This is the test of the set-up."
TEXT_SW = "{name}: akaunti yako ya SMS inafanya kazi. Hili ni jaribio la usanidi."


async def begin(deps: Deps, phone: str, *, name: str, language: str = "en") -> None:
    """Write the message down; it leaves within a second. Raises `InvalidField`, `DatabaseBusy`."""
    if deps.settings.sms is None:
        raise InvalidField("sms", "keep the keys first: this controller has no account yet")
    try:
        msisdn = parse_msisdn(phone)
    except InvalidField as fault:
        raise InvalidField("phone", fault.problem) from fault
    about = f"setup:{secrets.token_hex(8)}"
    text = (TEXT_SW if language == "sw" else TEXT).format(name=name or "Lango")
    async with deps.db.begin() as tx:
        await queue_in(
            tx, deps, site_id=None, msisdn=msisdn, text=text, about=about, now=deps.now(),
            good_for=GOOD_FOR,
        )  # fmt: skip
        await chosen.note(tx, NOTE, json.dumps({"about": about}), deps.now())
    deps.signals.wake("live")


def about_of(notes: dict[str, SetupNoteRow]) -> str:
    """What the message of the last test is about; "" for none."""
    found = notes.get(NOTE)
    return "" if found is None else str(json.loads(found.told)["about"])
