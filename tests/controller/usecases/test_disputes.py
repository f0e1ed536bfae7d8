"""A card's holder disputes a payment: staff are told, what is lost goes out of the books once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from billing.money import Money
from controller.store import arrivals, received
from controller.store.site_rows import NoticeRow
from controller.usecases.arrivals import arrive
from controller.usecases.refunds import refund
from controller.usecases.settle import DISPUTE, UNREADABLE, take_told
from tests.support.arrivals import assert_every_shilling_is_somewhere, money_seen
from tests.support.cards import with_cards
from tests.support.charges import ANNE, a_subscriber

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.builders import World

RECEIPT = "4100000001"
PAID = 30_000


@pytest.fixture
async def anne(world: World) -> AsyncIterator[World]:
    """The world with Anne, who paid KES 300 by card into her wallet."""
    world = with_cards(world)
    await a_subscriber(world.deps, msisdn="254700000001")
    came = money_seen(RECEIPT, shillings=300, reference="0700000001", rail="card", place="LANGO")
    assert (await arrive(world.deps, came)).state == "credited"
    yield world
    await assert_every_shilling_is_somewhere(world.deps.db)


async def told(world: World, resolution: str = "", *, minor: int = 0, about: str = RECEIPT) -> str:
    body = world.gateway.dispute(about, resolution, minor=minor)
    verdict = await take_told(world.deps, rail="card", body=body, source="-", headers={})
    return verdict.text


async def wallet(world: World) -> int:
    async with world.deps.db.read() as tx:
        return await received.wallet_minor(tx, ANNE)


async def notices(world: World) -> list[str]:
    async with world.deps.db.read() as tx:
        return [row.text for row in await tx.scalars(select(NoticeRow).order_by(NoticeRow.at))]


async def test_staff_are_told_once_that_a_payment_is_disputed(anne: World) -> None:
    labels = {await told(anne), await told(anne)}

    assert labels == {DISPUTE}
    (text,) = await notices(anne)
    assert text.startswith(f"KES 300 by card, receipt {RECEIPT}, is disputed by the card's holder")
    assert await wallet(anne) == PAID


async def test_what_is_lost_whole_goes_out_of_the_books_once(anne: World) -> None:
    await told(anne, "lost", minor=PAID)
    await told(anne, "lost", minor=PAID)

    assert await wallet(anne) == 0
    assert [text for text in await notices(anne) if "disputed it, and won" in text]


async def test_a_part_that_is_lost_is_told_to_staff_and_moves_nothing(anne: World) -> None:
    await told(anne, "lost", minor=10_000)

    assert await wallet(anne) == PAID
    assert "KES 100 went back: book it" in (await notices(anne))[0]


async def test_what_is_lost_whole_after_some_was_given_back_is_told_to_staff(anne: World) -> None:
    async with anne.deps.db.read() as tx:
        arrival = await arrivals.seen(tx, "card", RECEIPT)
    assert arrival is not None
    part = Money(10_000)
    await refund(anne.deps, arrival.id, amount=part, reason="an outage", idempotent="a" * 32)

    await told(anne, "lost", minor=PAID)

    assert await wallet(anne) == PAID - 10_000
    assert "KES 300 went back: book it" in (await notices(anne))[-1]


async def test_a_dispute_that_is_declined_moves_nothing(anne: World) -> None:
    await told(anne, "won")

    assert await wallet(anne) == PAID
    assert "stays ours" in (await notices(anne))[0]


async def test_a_dispute_about_money_we_never_saw_is_told_to_staff(anne: World) -> None:
    await told(anne, "lost", minor=PAID, about="4199999999")

    assert await wallet(anne) == PAID
    assert "a payment that we do not know by card, receipt 4199999999" in (await notices(anne))[0]


async def test_a_rail_without_cards_has_no_disputes(world: World) -> None:
    body = world.gateway.dispute(RECEIPT)
    verdict = await take_told(world.deps, rail="mpesa", body=body, source="-", headers={})

    assert verdict.text == UNREADABLE
