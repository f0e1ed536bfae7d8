"""Auto-pay by card: agreed to once, charged once a morning, ended at any time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.charge import Mode
from billing.errors import InvalidField
from billing.money import Money
from billing.payment import OrderStage
from controller.payments.gateway import StoredCard, Trust
from controller.payments.memory import MemoryGateway, Scripted
from controller.store import mandates as store
from controller.store.database import Database
from controller.store.rows import PaymentRow
from controller.usecases.arrivals import arrive
from controller.usecases.collecting import collect_due
from controller.usecases.mandates import MandateDiffers, MandateUnknown, agree_card, cancel
from controller.usecases.payers import SubscriberUnknown
from controller.usecases.settle import query_due, take_callback
from tests.support import cards
from tests.support.arrivals import assert_every_shilling_is_somewhere, money_seen
from tests.support.books import assert_the_books_are_right
from tests.support.builders import Killed, MortalDatabase, hex_id
from tests.support.cards import (
    EMAIL,
    TOKEN,
    a_wish,
    agreed,
    asked,
    charged,
    looked_again,
    mandate,
    morning_of,
    next_day,
    owed,
    paid,
    refused,
    texts,
    told,
    with_cards,
)
from tests.support.charges import ANNE, a_line, a_subscriber, an_invoice
from tests.support.contracts import subscribed, subscription

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from controller.payments.gateway import Push, PushAnswer
    from tests.support.builders import Moment, World

VISA = hex_id("visa")
MASTER = hex_id("master")


@pytest.fixture
async def anne(world: World) -> AsyncIterator[World]:
    """Anne has an account and a card; every shilling is looked for afterwards."""
    await a_subscriber(world.deps, msisdn="254700000001", email=EMAIL)
    yield with_cards(world)
    await assert_every_shilling_is_somewhere(world.deps.db)
    await assert_the_books_are_right(world.deps.db)


class HeldUp(MemoryGateway):
    """A charge that the provider takes, and answers only when the test says so."""

    def __init__(self) -> None:
        super().__init__(rail="card", place="LANGO", trust=Trust.SIGNED)
        self.taken, self.answering = asyncio.Event(), asyncio.Event()

    async def charge(self, push: Push, card: StoredCard, now: datetime) -> PushAnswer:
        """Take it, then wait for ``answering``."""
        answer = await super().charge(push, card, now)
        self.taken.set()
        await self.answering.wait()
        return answer


async def orders(world: World) -> list[PaymentRow]:
    """All payments into accounts, the oldest first."""
    async with world.deps.db.read() as tx:
        query = select(PaymentRow).order_by(PaymentRow.created_at, PaymentRow.order_id)
        return list(await tx.scalars(query))


async def test_a_first_payment_by_card_makes_the_consent_active(anne: World) -> None:
    status = await asked(anne)
    before = await mandate(anne.deps, VISA)
    await paid(anne)
    after = await mandate(anne.deps, VISA)

    assert (status.stage, before.state, after.state) == (OrderStage.PROMPTED, "asked", "active")
    assert (after.label, after.consent) == ("visa …4081, 12/2030", "said so on the phone")
    assert await owed(anne) == (0, cards.FIRST)


async def test_the_token_of_a_card_stands_nowhere_in_the_database(anne: World) -> None:
    await agreed(anne)
    kept = await cards.whole_database(anne.deps)
    sealed = (await mandate(anne.deps, VISA)).sealed

    assert sealed is not None
    assert TOKEN.encode() in anne.deps.vault.unseal(sealed)
    assert "visa …4081" in kept
    assert TOKEN not in kept


async def test_a_card_that_was_found_by_asking_is_kept_too(anne: World) -> None:
    await asked(anne)
    anne.gateway.pay(anne.last_provider_id, anne.clock())
    anne.clock.advance(20)
    await query_due(anne.deps)

    assert (await mandate(anne.deps, VISA)).state == "active"


async def test_a_card_that_is_told_after_its_money_is_kept_too(anne: World) -> None:
    await asked(anne, token=None)
    await paid(anne)
    early = await mandate(anne.deps, VISA)
    anne.gateway.cards[VISA] = StoredCard(TOKEN, EMAIL, "visa …4081, 12/2030")
    body = anne.gateway.callback(anne.last_provider_id) + b" "
    await take(anne, body)

    assert (early.state, early.end_reason) == ("refused", "this card may not be charged again")
    assert (await mandate(anne.deps, VISA)).state == "active"


async def take(world: World, body: bytes) -> None:
    token = world.token_of(world.last_provider_id)
    await take_callback(world.deps, token=token, body=body, source="52.31.139.75")


async def test_next_morning_the_card_pays_what_is_open(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    await collect_due(anne.deps)
    at_once = charged(anne)
    await next_day(anne)
    await paid(anne)
    await looked_again(anne)

    assert (at_once, charged(anne)) == ([], [1_400])
    assert anne.gateway.charged[0][1] == StoredCard(TOKEN, EMAIL, "visa …4081, 12/2030")
    assert await owed(anne) == (0, 0)
    assert await told(anne, "received") == 2


async def test_who_owes_nothing_is_charged_nothing(anne: World) -> None:
    await agreed(anne)
    for _ in range(3):
        await next_day(anne)

    assert charged(anne) == []
    assert (await mandate(anne.deps, VISA)).state == "active"


async def test_what_the_wallet_holds_is_not_charged(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(100))
    await next_day(anne)

    assert charged(anne) == []


async def test_no_charge_is_more_than_was_agreed_to_and_the_rest_is_for_next_morning(
    anne: World,
) -> None:
    await agreed(anne, most=1_000)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    await next_day(anne)
    await paid(anne)
    for _ in range(3):
        await looked_again(anne)
    same_day = charged(anne)
    await next_day(anne)
    await paid(anne)
    await looked_again(anne)

    assert (same_day, charged(anne)) == ([1_000], [1_000, 400])
    assert await owed(anne) == (0, 0)


async def test_cents_that_cannot_be_asked_for_are_left(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(minor=100_50))
    await next_day(anne)

    assert charged(anne) == []
    assert (await mandate(anne.deps, VISA)).due_at is not None


async def test_a_charge_is_to_the_cent(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(minor=1_500_75))
    await next_day(anne)
    await paid(anne)

    assert anne.gateway.charged[0][0].amount == Money(1_400_75)
    assert await owed(anne) == (0, 0)


async def test_a_prepaid_line_goes_on_when_the_card_has_paid(shop: World) -> None:
    world = with_cards(shop)
    await a_subscriber(world.deps, msisdn="254700000001", email=EMAIL)
    await agreed(world)
    line = await subscribed(world, ANNE, Mode.PREPAID)
    waits = (await subscription(world, line)).state
    await next_day(world)
    await paid(world)

    assert (waits, charged(world)) == ("suspended", [2_900])
    assert (await subscription(world, line)).state == "active"
    assert await owed(world) == (0, 0)


async def test_a_no_is_tried_again_on_the_calendar_then_the_card_is_left_alone(
    anne: World,
) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    tries: list[int] = []
    for day in range(24, 31):
        await morning_of(anne, f"2026-11-{day}")
        if len(charged(anne)) > len(tries):
            tries.append(day)
            await refused(anne)
        await looked_again(anne)
        await looked_again(anne)
    row = await mandate(anne.deps, VISA)

    assert tries == [24, 25, 27, 30]
    assert (row.state, row.due_at) == ("failing", None)
    assert await told(anne, "auto-pay-failed") == len(tries)
    assert await told(anne, "auto-paid") == 0


async def test_a_yes_after_a_no_begins_the_calendar_anew(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    await next_day(anne)
    await refused(anne)
    await looked_again(anne)
    once = (await mandate(anne.deps, VISA)).tries
    await next_day(anne)
    await paid(anne)
    await looked_again(anne)

    assert (once, (await mandate(anne.deps, VISA)).tries) == (1, 0)
    assert charged(anne) == [1_400, 1_400]


async def test_what_was_paid_otherwise_between_two_tries_is_not_charged(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    await next_day(anne)
    await refused(anne)
    await looked_again(anne)
    await arrive(anne.deps, money_seen(shillings=1_400, reference="0700000001"))
    await next_day(anne)

    assert charged(anne) == [1_400]
    assert await owed(anne) == (0, 0)


async def test_a_charge_of_which_nothing_is_heard_is_asked_about_and_not_repeated(
    anne: World,
) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    await next_day(anne)
    for _ in range(5):
        await looked_again(anne)
    anne.gateway.pay(anne.last_provider_id, anne.clock())
    await query_due(anne.deps)
    await looked_again(anne)

    assert charged(anne) == [1_400]
    assert await told(anne, "received") == 2


async def test_whose_bank_wants_a_yes_is_sent_where_it_is_said_once(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    anne.gateway.confirm_at = "https://checkout.example.test/3ds/7f2c"
    await next_day(anne)
    for _ in range(3):
        await looked_again(anne)
    asked_for = await told(anne, "auto-confirm")
    await paid(anne)
    await looked_again(anne)
    (text,) = await texts(anne, "auto-confirm")

    assert text.endswith("wants you to confirm KES 1,400. https://checkout.example.test/3ds/7f2c")
    assert asked_for == 1
    assert (charged(anne), await owed(anne)) == ([1_400], (0, 0))


async def test_a_charge_whose_answer_is_lost_is_not_repeated(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    anne.gateway.script(Scripted.LOSE)
    await next_day(anne)
    for _ in range(5):
        await looked_again(anne)
    await paid(anne)
    await looked_again(anne)

    assert charged(anne) == [1_400]
    assert await owed(anne) == (0, 0)


async def test_a_charge_that_stays_unknown_does_not_stop_auto_pay_for_ever(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    anne.gateway.script(Scripted.DROP)
    await next_day(anne)
    for hours in (1, 24, 24):
        anne.clock.advance(hours * 3_600)
        await query_due(anne.deps)
        await collect_due(anne.deps)
    row = await mandate(anne.deps, VISA)

    assert row.tries == 1
    assert charged(anne)[:1] == [1_400]


async def test_what_the_provider_turns_away_at_once_is_a_no(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    anne.gateway.script(Scripted.REFUSE)
    await next_day(anne)
    await looked_again(anne)

    assert (await mandate(anne.deps, VISA)).tries == 1
    assert await told(anne, "auto-pay-failed") == 1


@pytest.mark.parametrize("repeats", [1, 3])
async def test_a_consent_that_is_cancelled_collects_nothing_more(anne: World, repeats: int) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    for _ in range(repeats):
        row = await cancel(anne.deps, VISA, reason="moves away")
    await next_day(anne)

    assert (row.state, row.end_reason, row.sealed) == ("cancelled", "moves away", None)
    assert charged(anne) == []


async def test_a_charge_under_way_is_credited_though_its_consent_is_cancelled(
    anne: World,
) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    await next_day(anne)
    await cancel(anne.deps, VISA, reason="moves away")
    await paid(anne)
    await looked_again(anne)
    await an_invoice(anne.deps, ANNE, a_line(500), cause="period:december")
    await next_day(anne)

    assert charged(anne) == [1_400]
    assert await owed(anne) == (500, 0)
    assert (await mandate(anne.deps, VISA)).state == "cancelled"


async def test_a_payment_after_the_cancellation_makes_no_consent(anne: World) -> None:
    await asked(anne)
    await cancel(anne.deps, VISA, reason="changed my mind")
    await paid(anne)

    row = await mandate(anne.deps, VISA)
    assert (row.state, row.sealed) == ("cancelled", None)
    assert await owed(anne) == (0, cards.FIRST)


async def test_a_new_card_takes_the_place_of_the_one_before(anne: World) -> None:
    await agreed(anne)
    await agreed(anne, "master", token="AUTH_other")
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    await next_day(anne)
    old = await mandate(anne.deps, VISA)

    assert (old.state, old.end_reason) == ("cancelled", "another card took its place")
    assert old.sealed is None
    assert [card.token for _, card in anne.gateway.charged] == ["AUTH_other"]


async def test_a_new_card_that_was_not_paid_with_leaves_the_old_one(anne: World) -> None:
    await agreed(anne)
    await asked(anne, "master", token="AUTH_other")
    await refused(anne)
    await looked_again(anne, seconds=400)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    await next_day(anne)
    new = await mandate(anne.deps, MASTER)

    assert (new.state, new.end_reason) == ("refused", "the first payment was not made")
    assert [card.token for _, card in anne.gateway.charged] == [TOKEN]


async def test_a_card_that_failed_is_replaced_by_a_new_consent(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    for day in (24, 25, 27, 30):
        await morning_of(anne, f"2026-11-{day}")
        await refused(anne)
        await looked_again(anne)
    await agreed(anne, "master", token="AUTH_other")
    await next_day(anne)
    await paid(anne)

    assert (await mandate(anne.deps, VISA)).state == "cancelled"
    assert charged(anne)[-1] == 1_300
    assert await owed(anne) == (0, 0)


async def test_a_card_that_may_not_be_charged_again_pays_once(anne: World) -> None:
    await agreed(anne, token=None)
    row = await mandate(anne.deps, VISA)

    assert (row.state, row.due_at) == ("refused", None)
    assert await owed(anne) == (0, cards.FIRST)


async def test_a_first_payment_that_is_late_is_honoured(anne: World) -> None:
    await asked(anne)
    await looked_again(anne, seconds=400)
    await query_due(anne.deps)
    waits = (await mandate(anne.deps, VISA)).state
    await paid(anne)

    assert waits == "asked"
    assert (await mandate(anne.deps, VISA)).state == "active"


async def test_asking_again_with_the_same_id_asks_once(anne: World) -> None:
    first = await asked(anne)
    again = await asked(anne)

    assert first.order_id == again.order_id
    assert len(anne.gateway.pushes) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"consent": "signed the form"},
        {"most": Money(500_00)},
        {"subscriber": hex_id("ben")},
    ],
)
async def test_the_same_id_for_another_consent_is_refused(
    anne: World, other: dict[str, object]
) -> None:
    await a_subscriber(anne.deps, "ben", email="ben@example.test")
    await asked(anne)
    with pytest.raises(MandateDiffers):
        await agree_card(anne.deps, replace(a_wish(), **other))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("consent", {"consent": " "}),
        ("consent", {"consent": "x" * 201}),
        ("consent", {"consent": "two\nlines"}),
        ("idempotent", {"mandate_id": "visa"}),
        ("amount", {"amount": Money(0)}),
        ("amount", {"amount": Money(150)}),
        ("amount", {"amount": Money(250_001_00)}),
        ("most", {"most": Money(0)}),
        ("most", {"most": Money(10_50)}),
    ],
)
async def test_a_wish_that_cannot_be_names_its_field_and_leaves_nothing(
    anne: World, field: str, wrong: dict[str, object]
) -> None:
    with pytest.raises(InvalidField) as refusal:
        await agree_card(anne.deps, replace(a_wish(), **wrong))  # type: ignore[arg-type]

    assert refusal.value.field == field
    async with anne.deps.db.read() as tx:
        assert await store.of_subscriber(tx, ANNE) == []


async def test_a_card_wants_an_address_and_a_rail(anne: World) -> None:
    await a_subscriber(anne.deps, "ben")
    with pytest.raises(InvalidField) as without:
        await agree_card(anne.deps, a_wish(subscriber=hex_id("ben")))
    with pytest.raises(SubscriberUnknown):
        await agree_card(anne.deps, a_wish(subscriber="nobody"))
    with pytest.raises(InvalidField) as nowhere:
        await agree_card(replace(anne.deps, cards=None), a_wish())

    assert (without.value.field, nowhere.value.field) == ("email", "rail")


async def test_a_consent_that_is_not_there_cannot_be_cancelled(anne: World) -> None:
    with pytest.raises(MandateUnknown):
        await cancel(anne.deps, "nothing", reason="moves away")


async def test_a_controller_that_lost_its_rail_leaves_cards_alone(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    bare = replace(anne.deps, cards=None, more_gateways=())
    anne.clock.advance(86_400)
    await collect_due(bare)

    assert charged(anne) == []
    assert (await mandate(anne.deps, VISA)).state == "active"


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
async def test_killed_between_any_two_steps_it_is_charged_once_that_morning(
    anne: World, nth: int, moment: Moment
) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    mortal = MortalDatabase(anne.deps.db.url, nth=nth, moment=moment)
    with suppress(Killed):
        await next_day(anne.on(mortal, anne.deps.gateway))
    await mortal.close()
    assert mortal.transactions >= nth, "it was killed"
    await looked_again(anne)
    await looked_again(anne)
    sent_unknown = (nth, moment) == (4, "after")  # said to be sent, and never was

    assert charged(anne) == ([] if sent_unknown else [1_400])
    if not sent_unknown:
        await paid(anne)
        await looked_again(anne)
        assert await owed(anne) == (0, 0)
        assert await told(anne, "received") == 2
        assert await told(anne, "auto-pay-failed") == 0


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
@pytest.mark.parametrize("nth", [1, 2])
async def test_killed_while_its_end_is_noted_the_subscriber_is_told_once(
    anne: World, nth: int, moment: Moment
) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    await next_day(anne)
    await refused(anne)
    mortal = MortalDatabase(anne.deps.db.url, nth=nth, moment=moment)
    with suppress(Killed):
        await looked_again(anne.on(mortal, anne.deps.gateway))
    await mortal.close()
    await looked_again(anne)
    await looked_again(anne)

    assert await told(anne, "auto-pay-failed") == 1
    assert (await mandate(anne.deps, VISA)).tries == 1


async def test_what_was_left_unsent_for_too_long_is_charged_anew_that_morning(
    anne: World,
) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    mortal = MortalDatabase(anne.deps.db.url, nth=4, moment="before")
    with suppress(Killed):
        await next_day(anne.on(mortal, anne.deps.gateway))
    await mortal.close()
    await looked_again(anne, seconds=600)
    await looked_again(anne)
    await looked_again(anne)

    assert charged(anne) == [1_400]
    assert await told(anne, "auto-pay-failed") == 0


async def test_processes_at_once_charge_once(anne: World) -> None:
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    others = [Database(anne.deps.db.url) for _ in range(3)]
    worlds = [anne, *(anne.on(db, anne.deps.gateway) for db in others)]
    anne.clock.advance(86_400)
    await asyncio.gather(*(collect_due(world.deps) for world in worlds))
    anne.clock.advance(61)
    await asyncio.gather(*(collect_due(world.deps) for world in worlds))
    for db in others:
        await db.close()

    assert charged(anne) == [1_400]


async def test_a_process_that_is_held_up_while_others_look_charges_once(world: World) -> None:
    gateway = HeldUp()
    anne = with_cards(world, gateway)
    await a_subscriber(anne.deps, msisdn="254700000001", email=EMAIL)
    await agreed(anne)
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    other = Database(anne.deps.db.url)
    slow = asyncio.create_task(next_day(anne))
    await gateway.taken.wait()
    for _ in range(3):
        await looked_again(anne.on(other, anne.deps.gateway))
    gateway.answering.set()
    await slow
    await paid(anne)
    await looked_again(anne)
    await other.close()

    assert charged(anne) == [1_400]
    assert await owed(anne) == (0, 0)
    assert len([row for row in await orders(anne) if row.order_id != VISA]) == 1


async def test_one_consent_in_trouble_does_not_hold_up_the_others(anne: World) -> None:
    await a_subscriber(anne.deps, "ben", email="ben@example.test")
    await agreed(anne)
    await agreed(anne, "master", token="AUTH_ben", subscriber=hex_id("ben"))
    await an_invoice(anne.deps, ANNE, a_line(1_500))
    await an_invoice(anne.deps, hex_id("ben"), a_line(1_500))
    async with anne.deps.db.begin() as tx:
        row = await store.locked(tx, VISA)
        assert row is not None
        row.sealed = b"no seal of ours"
    await next_day(anne)

    assert [card.token for _, card in anne.gateway.charged] == ["AUTH_ben"]
