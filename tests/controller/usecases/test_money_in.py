"""Money that comes in: booked once, paying the oldest first, never to the wrong cent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.store import debts, received
from tests.support.books import assert_the_books_are_right
from tests.support.charges import ANNE, a_subscriber, an_invoice, paid_in

if TYPE_CHECKING:
    from tests.support.builders import World


@pytest.fixture
async def anne(world: World) -> World:
    """The world with one subscriber."""
    await a_subscriber(world.deps)
    return world


async def wallet(world: World, subscriber_id: str = ANNE) -> int:
    async with world.deps.db.read() as tx:
        return await received.wallet_minor(tx, subscriber_id)


async def owed(world: World, subscriber_id: str = ANNE) -> int:
    async with world.deps.db.read() as tx:
        return await debts.owed_minor(tx, subscriber_id)


async def test_money_pays_what_is_open_and_what_is_left_stays_in_the_wallet(anne: World) -> None:
    await an_invoice(anne.deps)
    await paid_in(anne.deps, 2_000)

    assert (await owed(anne), await wallet(anne)) == (0, 50_000)
    await assert_the_books_are_right(anne.deps.db)
