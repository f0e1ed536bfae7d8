"""Standing orders: asked of a simulated M-PESA, agreed to by PIN, and what comes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from sqlalchemy import select

from billing.errors import InvalidField
from billing.money import Money
from billing.period import day_of
from controller.payments.mpesa_ratiba import RATIBA_PATH, Frequency
from controller.store import mandates as store
from controller.store.site_rows import NoticeRow
from controller.usecases.collecting import collect_due
from controller.usecases.mandates import (
    MandateDiffers,
    MandateUnknown,
    OrderWish,
    agree_order,
    cancel,
    take_outcome,
)
from controller.usecases.paybill import register_due
from tests.support.arrivals import assert_every_shilling_is_somewhere
from tests.support.builders import hex_id
from tests.support.cards import mandate, owed
from tests.support.charges import ANNE, a_line, a_subscriber, an_invoice
from tests.support.daraja import PAYER
from tests.support.standing_orders import Door, an_account, in_a_network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.builders import World
    from tests.support.daraja import World as Network

ORDER = hex_id("order")


@dataclass(frozen=True, slots=True)
class Anne:
    """Anne's phone in a simulated network, and the controller that calls it."""

    world: World
    network: Network
    door: Door

    async def runs(self, order: str) -> int:
        """The order comes due; the status."""
        answer = await self.network.http.post(f"{self.network.url}/sim/orders/{order}/run")
        return answer.status_code

    async def state(self) -> str:
        """How the consent stands."""
        return (await mandate(self.world.deps, ORDER)).state


@pytest.fixture
async def anne(world: World) -> AsyncIterator[Anne]:
    """Anne, whose phone is in the simulated network; every shilling is looked for afterwards."""
    async with in_a_network(world) as (there, network, door):
        await a_subscriber(there.deps, msisdn=PAYER)
        yield Anne(there, network, door)
    await assert_every_shilling_is_somewhere(world.deps.db)


def a_wish(
    anne: Anne, *, shillings: int = 300, days: int = 300, often: Frequency = Frequency.MONTHLY
) -> OrderWish:
    """Anne pays KES 300 a month from today on."""
    today = day_of(anne.world.clock())
    return OrderWish(
        mandate_id=ORDER,
        subscriber=ANNE,
        amount=Money(shillings * 100),
        consent="asked for it at the counter",
        frequency=often,
        starts_on=today,
        ends_on=today + timedelta(days=days),
    )


async def agreed(anne: Anne) -> str:
    """The provider's name for an order that was agreed to."""
    await agree_order(anne.world.deps, a_wish(anne))
    await anne.network.type_pin()
    await anne.door.called("/callbacks/orders/")
    reference = (await mandate(anne.world.deps, ORDER)).provider_id
    assert reference is not None
    return reference


@pytest.mark.parametrize("other_case", [False, True])
async def test_an_order_is_active_when_its_payer_has_agreed(anne: Anne, other_case: bool) -> None:  # noqa: FBT001
    await anne.network.set_faults(order_other_case=other_case)
    asked = await agree_order(anne.world.deps, a_wish(anne))
    shown = await anne.network.look("prompts")
    await anne.network.type_pin()

    assert await anne.door.called("/callbacks/orders/") == [200]
    assert (asked.state, asked.frequency, asked.amount_minor) == ("asked", "monthly", 30_000)
    assert [prompt["kind"] for prompt in shown] == ["order"]
    assert await anne.state() == "active"


class Lossy(httpx2.AsyncHTTPTransport):
    """A line that carries every request, and loses the answers to standing orders."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Carry it."""
        response = await super().handle_async_request(request)
        if request.url.path == RATIBA_PATH:
            await response.aread()
            raise httpx2.ReadTimeout("lost", request=request)
        return response


async def test_an_order_whose_answer_is_lost_may_still_be_agreed_to(anne: Anne) -> None:
    public_url = anne.world.deps.settings.public_url
    async with httpx2.AsyncClient(transport=Lossy(), trust_env=False) as lossy:
        account = an_account(replace(anne.network, http=lossy), public_url)
        asked = await agree_order(replace(anne.world.deps, mpesa=account), a_wish(anne))
    await anne.network.type_pin()
    await anne.door.called("/callbacks/orders/")

    assert asked.state == "asked"
    assert await anne.state() == "active"


@pytest.mark.parametrize("other_case", [False, True])
async def test_an_order_is_refused_when_its_payer_has_not(anne: Anne, other_case: bool) -> None:  # noqa: FBT001
    await anne.network.set_faults(order_other_case=other_case)
    await agree_order(anne.world.deps, a_wish(anne))
    await anne.network.cancel()
    await anne.door.called("/callbacks/orders/")
    row = await mandate(anne.world.deps, ORDER)

    assert (row.state, row.end_reason) == ("refused", "code 1032")


async def test_what_an_order_pays_lands_in_the_wallet_and_pays_what_is_open(anne: Anne) -> None:
    await register_due(anne.world.deps)
    await an_invoice(anne.world.deps, ANNE, a_line(500))
    order = await agreed(anne)
    listed = await anne.network.look("orders")
    first = await anne.runs(order)
    await anne.door.called("/callbacks/c2b/")
    after_one = await owed(anne.world)
    second = await anne.runs(order)
    await anne.door.called("/callbacks/c2b/", 2)

    assert PAYER in str(listed), "the account is the phone"
    assert (first, second) == (200, 200)
    assert after_one == (200, 0)
    assert await owed(anne.world) == (0, 100)


async def test_asking_again_with_the_same_id_asks_the_phone_once(anne: Anne) -> None:
    for _ in range(3):
        await agree_order(anne.world.deps, a_wish(anne))

    assert len(await anne.network.look("prompts")) == 1


async def test_the_same_id_for_another_order_is_refused(anne: Anne) -> None:
    await agree_order(anne.world.deps, a_wish(anne))
    with pytest.raises(MandateDiffers):
        await agree_order(anne.world.deps, a_wish(anne, shillings=400))
    with pytest.raises(MandateDiffers):
        await agree_order(anne.world.deps, a_wish(anne, often=Frequency.WEEKLY))
    with pytest.raises(MandateDiffers):
        await agree_order(anne.world.deps, a_wish(anne, days=30))


async def test_an_order_that_daraja_turns_away_is_refused(anne: Anne) -> None:
    await agree_order(anne.world.deps, a_wish(anne))
    other = replace(a_wish(anne), mandate_id=f"{ORDER[:8]}{'0' * 24}")
    row = await agree_order(anne.world.deps, other)

    assert row.state == "refused"
    assert row.end_reason


async def test_staff_are_told_that_an_order_ends_at_the_phone(anne: Anne) -> None:
    order = await agreed(anne)
    await register_due(anne.world.deps)
    for _ in range(2):
        await cancel(anne.world.deps, ORDER, reason="moves away")
    await anne.runs(order)
    await anne.door.called("/callbacks/c2b/")
    async with anne.world.deps.db.read() as tx:
        codes = list(await tx.scalars(select(NoticeRow.code)))

    assert codes.count("order_ends_at_the_phone") == 1
    assert await anne.state() == "cancelled"
    assert await owed(anne.world) == (0, 300)


async def test_an_answer_after_the_cancellation_changes_nothing(anne: Anne) -> None:
    await agree_order(anne.world.deps, a_wish(anne))
    await cancel(anne.world.deps, ORDER, reason="typed it wrong")
    await anne.network.type_pin()
    await anne.door.called("/callbacks/orders/")

    assert await anne.state() == "cancelled"


async def test_after_its_last_day_an_order_is_over(anne: Anne) -> None:
    await agreed(anne)
    anne.world.clock.advance(300 * 86_400)
    await collect_due(anne.world.deps)
    on_the_last_day = await anne.state()
    anne.world.clock.advance(86_400)
    await collect_due(anne.world.deps)
    row = await mandate(anne.world.deps, ORDER)

    assert on_the_last_day == "active"
    assert (row.state, row.end_reason, row.due_at) == ("cancelled", "its last day is over", None)


async def test_a_message_that_is_none_changes_nothing(anne: Anne) -> None:
    await agreed(anne)
    path = next(path for path, _ in anne.door.answered if path.startswith("/callbacks/orders/"))
    token = path.rpartition("/")[2]
    told = [
        await take_outcome(anne.world.deps, token=token, body=body)
        for body in (b"", b"{}", other("00ff", "0"), other("00ff", "1032"))
    ]

    assert told == [True] * 4
    assert not await take_outcome(anne.world.deps, token="0" * 48, body=other("00ff", "0"))
    assert await anne.state() == "active"


def other(reference: str, code: str) -> bytes:
    """News of an order with this name."""
    return (
        f'{{"responseHeader": {{"responseRefID": "{reference}", "responseCode": "{code}"}},'
        f' "responseBody": {{"responseData": []}}}}'
    ).encode()


@pytest.mark.parametrize(
    ("field_", "wrong"),
    [
        ("consent", {"consent": ""}),
        ("amount", {"amount": Money(10_50)}),
        ("amount", {"amount": Money(0)}),
        ("starts_on", {"starts_on": -1}),
        ("ends_on", {"ends_on": -1}),
        ("ends_on", {"ends_on": 20_000}),
    ],
)
async def test_an_order_that_cannot_be_names_its_field_and_asks_nobody(
    anne: Anne, field_: str, wrong: dict[str, Any]
) -> None:
    today = day_of(anne.world.clock())
    told: dict[str, Any] = {
        name: today + timedelta(days=value) if isinstance(value, int) else value
        for name, value in wrong.items()
    }
    with pytest.raises(InvalidField) as refusal:
        await agree_order(anne.world.deps, replace(a_wish(anne), **told))

    assert refusal.value.field == field_
    assert await anne.network.look("prompts") == []
    with pytest.raises(MandateUnknown):
        await cancel(anne.world.deps, ORDER, reason="never was")


async def test_without_an_account_no_order_is_asked_for(anne: Anne) -> None:
    with pytest.raises(InvalidField) as refusal:
        await agree_order(replace(anne.world.deps, mpesa=None), a_wish(anne))
    async with anne.world.deps.db.read() as tx:
        kept = await store.of_subscriber(tx, ANNE)

    assert (refusal.value.field, kept) == ("rail", [])
