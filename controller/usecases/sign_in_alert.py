"""The word to somebody that their account was signed in to from a new browser or network.

It goes where their login is: by SMS to a phone, else by e-mail; and a notice is left for staff in
any case, because there may be no account to send either by. No list of countries is asked (none is
on this machine, and none is looked up elsewhere): a network that was not seen before stands for a
new place.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from billing.period import NAIROBI
from controller.notify.email import EmailOut
from controller.notify.money_texts import sms_text
from controller.notify.texts import TABLES
from controller.slowing import place_of
from controller.store import notices
from controller.usecases.emails import email_in
from controller.usecases.messages import queue_in
from controller.usecases.staff_names import is_phone, shown_login

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.staff_rows import StaffRow

NOTICE = "staff_sign_in_new"
ABOUT = "sign-in"
GOOD_FOR = timedelta(hours=12)


async def tell_new_in(tx: Tx, deps: Deps, row: StaffRow, *, device: str, address: str) -> None:
    """Leave the word, within the caller's transaction."""
    now = deps.now()
    told = {
        "who": row.name,
        "device": device,
        "network": place_of(address),
        "at": now.astimezone(NAIROBI).strftime("%d.%m. %H:%M"),
    }
    if is_phone(row.login):
        await queue_in(
            tx,
            deps,
            site_id=None,
            msisdn=row.login,
            text=sms_text("staff_sign_in", row.language, **told),
            about=ABOUT,
            now=now,
            good_for=GOOD_FOR,
        )
    else:
        words = TABLES.get(row.language, TABLES["en"])
        letter = EmailOut(
            to=row.login,
            subject=words["mail.staff_sign_in_subject"],
            text=words["mail.staff_sign_in"].format(**told) + "\n",
        )
        await email_in(
            tx, deps, letter, subscriber_id=None, about=ABOUT, now=now, good_for=GOOD_FOR
        )
    await notices.add(
        tx,
        now=now,
        code=NOTICE,
        text=f"{row.name} ({shown_login(row.login)}) signed in from {told['device']}, "
        f"{told['network']}, for the first time",
    )
