"""What the SMS account holds: asked of carriers that tell it, once an hour, for alerts to judge."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from controller.notify.sms import SmsError, TellsBalance
from controller.store import alert_facts
from controller.usecases.alert_facts import SMS_BALANCE

if TYPE_CHECKING:
    from controller.deps import Deps

EVERY = timedelta(hours=1)


async def ask_due(deps: Deps) -> int:
    """Ask, if it is time and the carrier tells; 1 when it did. Raises `DatabaseBusy`."""
    carrier = deps.sms
    if not isinstance(carrier, TellsBalance):
        return 0
    async with deps.db.begin() as tx:
        if not await alert_facts.claim_reading(tx, SMS_BALANCE, deps.now(), every=EVERY):
            return 0
    try:
        holds = await carrier.balance_kes()
    except SmsError:
        return 0  # not told this time: what is known grows old, and then it is unknown
    async with deps.db.begin() as tx:
        await alert_facts.keep_reading(tx, SMS_BALANCE, holds, deps.now())
    return 1
