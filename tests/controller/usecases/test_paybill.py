"""Money from payers' own menus, in a simulated M-PESA: told, missed, doubted, made up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from controller.store import arrivals, places, received
from controller.store.site_rows import NoticeRow
from controller.usecases import doors
from controller.usecases.paybill import (
    LIST_LAG,
    PULL_EVERY,
    balance_due,
    confirm_due,
    pull_due,
    register_due,
)
from tests.support.arrivals import assert_every_shilling_is_somewhere
from tests.support.charges import ANNE, a_subscriber
from tests.support.daraja import PAYER
from tests.support.standing_orders import CONFIRM_ABOVE, Door, in_a_network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.builders import World
    from tests.support.daraja import World as Network

CONFIRM = "/callbacks/c2b/"
RESULTS = "/callbacks/results/"
MUCH = CONFIRM_ABOVE + 100


@dataclass(frozen=True, slots=True)
class Anne:
    """Anne's phone in a simulated network, and the controller that it calls."""

    world: World
    network: Network
    door: Door

    async def pays(self, shillings: int = 300, *, account: str = PAYER) -> str:
        """She pays from the phone's menu; the receipt."""
        wish = {"msisdn": PAYER, "shillings": shillings, "account": account}
        answer = await self.network.http.post(f"{self.network.url}/sim/pay", json=wish)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["receipt"])

    async def confirmed(self, count: int = 1) -> None:
        """Wait for so many confirmations (each is asked before it is told)."""
        await self.door.called(CONFIRM, 2 * count)

    async def wallet(self) -> int:
        """What she has."""
        async with self.world.deps.db.read() as tx:
            return await received.wallet_minor(tx, ANNE)

    async def arrival(self, receipt: str) -> Any:
        """What is known of her money."""
        async with self.world.deps.db.read() as tx:
            return await arrivals.seen(tx, "mpesa", receipt)

    async def notices(self) -> set[str]:
        """What staff were told."""
        async with self.world.deps.db.read() as tx:
            return set(await tx.scalars(select(NoticeRow.code)))


@pytest.fixture
async def anne(world: World) -> AsyncIterator[Anne]:
    """Anne, whose phone is in the simulated network; every shilling is looked for afterwards."""
    async with in_a_network(world) as (there, network, door):
        await a_subscriber(there.deps, msisdn=PAYER)
        yield Anne(there, network, door)
    await assert_every_shilling_is_somewhere(world.deps.db)


async def test_our_addresses_are_registered_once(anne: Anne) -> None:
    done = [await register_due(anne.world.deps) for _ in range(3)]

    assert done == [1, 0, 0]
    urls = (await anne.network.http.get(f"{anne.network.url}/sim/urls")).json()
    assert doors.address(
        anne.world.deps.vault, anne.world.deps.settings.public_url, doors.PAYBILL
    ) in str(urls)


async def test_money_from_the_menu_is_in_the_wallet(anne: Anne) -> None:
    await register_due(anne.world.deps)
    await anne.pays()
    await anne.confirmed()

    assert await anne.wallet() == 30_000


async def test_a_confirmation_that_is_lost_is_pulled_once(anne: Anne) -> None:
    await register_due(anne.world.deps)
    await anne.network.set_faults(confirm_lost=True)
    receipt = await anne.pays()
    anne.world.clock.advance(60)
    news = [await pull_due(anne.world.deps) for _ in range(3)]

    assert news == [1, 0, 0]
    assert await anne.wallet() == 30_000
    assert (await anne.arrival(receipt)).roads == "pull"


async def test_a_pull_looks_back_over_what_came_late(anne: Anne) -> None:
    await pull_due(anne.world.deps)
    await anne.network.set_faults(confirm_lost=True, pull_lag_s=1_200)
    await anne.pays()
    found = []
    for _ in range(4):
        anne.world.clock.advance(int(PULL_EVERY.total_seconds()))
        found.append(await pull_due(anne.world.deps))

    assert sum(found) == 1
    assert await anne.wallet() == 30_000


async def test_much_money_is_looked_up_before_it_is_believed(anne: Anne) -> None:
    await register_due(anne.world.deps)
    receipt = await anne.pays(MUCH)
    await anne.confirmed()

    assert (await anne.arrival(receipt)).state == "doubted"
    assert await anne.wallet() == 0

    assert await confirm_due(anne.world.deps) == 1
    await anne.door.called(RESULTS)

    assert await anne.wallet() == MUCH * 100
    assert (await anne.arrival(receipt)).roads == "confirmation status"


async def made_up(anne: Anne, receipt: str, shillings: int) -> int:
    """A stranger who learnt our address confirms what never came; what he is answered."""
    body = {
        "TransactionType": "Pay Bill",
        "TransID": receipt,
        "TransTime": "20260714101502",
        "TransAmount": f"{shillings}.00",
        "BusinessShortCode": anne.network.settings.shortcode,
        "BillRefNumber": PAYER,
        "MSISDN": "2547 ***** 126",
        "FirstName": "NOBODY",
    }
    deps = anne.world.deps
    address = doors.address(deps.vault, deps.settings.public_url, doors.PAYBILL)
    return (await anne.network.http.post(address, json=body)).status_code


async def test_much_money_that_was_made_up_is_never_believed(anne: Anne) -> None:
    assert await made_up(anne, "FAKE000001", MUCH) == 200
    await confirm_due(anne.world.deps)
    await anne.door.called(RESULTS)

    assert (await anne.arrival("FAKE000001")).state == "doubted"
    assert await anne.wallet() == 0


async def test_little_money_that_was_made_up_is_shown_to_staff(anne: Anne) -> None:
    await register_due(anne.world.deps)
    await anne.pays()
    await anne.confirmed()
    await pull_due(anne.world.deps)
    await made_up(anne, "FAKE000001", 300)
    async with anne.world.deps.db.begin() as tx:
        row = await arrivals.by_receipt(tx, "mpesa", "FAKE000001")
        assert row is not None
        row.at = anne.world.clock()
    anne.world.clock.advance(int((LIST_LAG + PULL_EVERY).total_seconds()))
    await pull_due(anne.world.deps)
    async with anne.world.deps.db.read() as tx:
        told = list(
            await tx.scalars(select(NoticeRow.text).where(NoticeRow.code == "payment_not_listed"))
        )

    assert [text for text in told if "FAKE000001" in text] == told
    assert len(told) == 1


async def test_the_balance_is_asked_for_and_kept(anne: Anne) -> None:
    assert [await balance_due(anne.world.deps) for _ in range(2)] == [1, 0]
    await anne.door.called(RESULTS)
    async with anne.world.deps.db.read() as tx:
        (place,) = await places.all_places(tx)

    assert place.balance_minor == anne.network.settings.merchant_shillings * 100
    assert place.balance_at == anne.world.clock()
