"""Money that came after the backup comes back by pull and by statement, each shilling once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from controller.backup import keys
from controller.backup.create import create
from controller.payments.seen import Road
from controller.store.database import Database
from controller.store.payment_rows import ArrivalRow
from controller.usecases.arrivals import place_due
from controller.usecases.settle import take_callback
from tests.controller.backup.test_restore import restored, settings_of
from tests.support.books import balances_now
from tests.support.builders import token_in
from tests.support.database import db_url
from tests.support.incoming import bought, came, payers
from tests.support.office import Office, a_plan, a_site, a_subscriber

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["db_url"]

PHONE = "254712345678"
TILL = "asset:mpesa:600111"


async def put_back(office: Office, path: Path, secret: str) -> Office:
    """The office after a restore of an older backup, with the same providers."""
    await office.deps.db.close()
    settings = settings_of(office)
    await asyncio.to_thread(restored, settings, path, keys.read_identity(secret))
    return Office(replace(office.deps, db=Database(settings.database_url)), office.clock)


async def test_each_shilling_that_came_after_the_backup_is_credited_once(office: Office) -> None:
    await office.keep(a_site(), a_plan(), a_subscriber())
    settings = settings_of(office)
    secret = keys.make_recovery_key(settings.state_dir)
    before = await came(office, "SGHBEFORE0", 100, reference=PHONE)
    made = await asyncio.to_thread(create, settings, office.clock())
    await came(office, "SGHAFTER01", 500, reference=PHONE, road=Road.CONFIRMATION)
    await bought(office)
    was = await balances_now(office.deps.db)
    back = await put_back(office, made.path, secret)
    assert (await balances_now(back.deps.db))[TILL] == 10_000

    # Each is told by several roads, in any order, and more than once.
    (order,) = payers(office).asked.values()
    assert order.receipt is not None
    for road in (Road.PULL, Road.STATEMENT, Road.PULL):
        await came(back, "SGHBEFORE0", 100, reference=PHONE, road=road)
        await came(back, "SGHAFTER01", 500, reference=PHONE, road=road)
        await came(back, order.receipt, 10, reference=order.push.order_id[:12], road=road)
        token = token_in(order.push.callback_url)
        body = payers(office).callback(order.provider_id)
        await take_callback(back.deps, token=token, body=body, source="")
        back.clock.forward(minutes=10)
        await place_due(back.deps)
    now = await balances_now(back.deps.db)
    async with back.deps.db.read() as tx:
        receipts = list(await tx.scalars(select(ArrivalRow.receipt)))
    await back.deps.db.close()

    assert sorted(receipts) == sorted(["SGHBEFORE0", "SGHAFTER01", order.receipt])
    assert now[TILL] == was[TILL], "the till holds what the provider gave us, as before"
    assert sum(now.values()) == 0
    assert before is not None
