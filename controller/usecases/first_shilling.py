"""One shilling by M-PESA, to see each hop of a payment: for the set-up, and whenever staff wonder.

It is a payment into the account of the phone that pays, like any other: what comes in is in that
subscriber's wallet, and buys internet later.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import OrderId
from billing.money import Money
from billing.msisdn import parse_msisdn
from controller.store import chosen, subscribers
from controller.usecases.account_payments import AccountPayment, pay_account

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.chosen_rows import SetupNoteRow

NOTE, ANSWERED = "mpesa_test", "mpesa_answered"
SHILLING = Money(100)
RAIL = "mpesa"

UNDER_WAY: set[asyncio.Task[None]] = set()
"""What this process is asking the provider just now."""


async def begin(deps: Deps, phone: str) -> OrderId:
    """Ask a phone for one shilling; answers before the provider does.

    Raises `InvalidField` (``phone``, ``mpesa``), `DatabaseBusy`.
    """
    if RAIL not in deps.rails:
        raise InvalidField("mpesa", "keep the keys first: this controller has no account yet")
    try:
        payer = parse_msisdn(phone)
    except InvalidField as fault:
        raise InvalidField("phone", fault.problem) from fault
    order_id = OrderId(secrets.token_hex(16))
    async with deps.db.begin() as tx:
        whose = await subscribers.locked(tx, payer, deps.now())
        told = json.dumps({"order_id": order_id, "shortcode": deps.rails[RAIL].place})
        await chosen.note(tx, NOTE, told, deps.now())
        await chosen.forget_note(tx, ANSWERED)
        wish = AccountPayment(order_id, whose.id, SHILLING, payer=payer, rail=RAIL)
    task = asyncio.create_task(_asked(deps, wish), name=f"shilling {order_id}")
    UNDER_WAY.add(task)
    task.add_done_callback(UNDER_WAY.discard)
    return order_id


async def _asked(deps: Deps, wish: AccountPayment) -> None:
    await pay_account(deps, wish)
    async with deps.db.begin() as tx:
        await chosen.note(tx, ANSWERED, json.dumps({"order_id": wish.order_id}), deps.now())
    deps.signals.wake("live")


def order_of(notes: dict[str, SetupNoteRow]) -> str:
    """The order of the last test; "" for none."""
    found = notes.get(NOTE)
    return "" if found is None else str(json.loads(found.told)["order_id"])


def answered_at(notes: dict[str, SetupNoteRow]) -> datetime | None:
    """When the provider had answered the push of the last test."""
    found = notes.get(ANSWERED)
    if found is None or json.loads(found.told)["order_id"] != order_of(notes):
        return None
    return found.at
