"""Everything that moves money, at once, from two processes: nobody waits for ever, books hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.charge import Mode
from billing.money import Money
from billing.promo import Loyalty, Referral
from controller.store.billing_rows import DebtRow, ReceivedRow
from controller.store.database import Database
from controller.usecases.billing_run import bill_due
from controller.usecases.debts import DebtSettled, dun_due, write_off
from controller.usecases.money_in import receive, reverse
from controller.usecases.promotions import create
from controller.usecases.wallets import WalletTooLow, transfer
from tests.support.books import assert_the_books_are_right
from tests.support.builders import hex_id
from tests.support.charges import a_subscriber, an_invoice
from tests.support.contracts import subscribed, with_plans

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.support.builders import World

ROUNDS = 3
NAMES = ("anne", "ben", "carol")
MODES = (Mode.PREPAID, Mode.ADVANCE, Mode.ARREARS)


async def some_people(world: World) -> list[str]:
    """Three who brought each other, each with a line of another mode."""
    await with_plans(world)
    await create(
        world.deps,
        promotion_id="bring",
        name="Bring a friend",
        terms=Referral(referrer=Money(20_000), referred=Money(5_000)),
    )
    await create(world.deps, promotion_id="loyal", name="Loyal", terms=Loyalty(basis_points=1_000))
    people: list[str] = []
    for n, (name, mode) in enumerate(zip(NAMES, MODES, strict=True)):
        brought_by = people[-1] if people else None
        people.append(await a_subscriber(world.deps, name, referred_by=brought_by))
        await subscribed(world, people[-1], mode, devices=(f"02:00:00:00:00:{n:02x}",))
    return people


async def pay(world: World, who: str, name: str) -> None:
    await receive(
        world.deps,
        msisdn_or_id=who,
        amount=Money(170_000),
        rail="cash",
        receipt="",
        idempotent=hex_id(name),
    )


async def give(world: World, source: str, target: str, name: str) -> None:
    try:
        await transfer(
            world.deps, source=source, target=target, amount=Money(500), idempotent=hex_id(name)
        )
    except WalletTooLow:
        return


async def take_back_one(world: World) -> None:
    async with world.deps.db.read() as tx:
        query = select(ReceivedRow.id).where(ReceivedRow.reversed_at.is_(None))
        found = await tx.scalar(query.order_by(ReceivedRow.id))
    if found is not None:
        await reverse(world.deps, found, reason="mistake")


async def lose_one(world: World, name: str) -> None:
    async with world.deps.db.read() as tx:
        query = select(DebtRow.document_id).where(DebtRow.settled_at.is_(None))
        found = await tx.scalar(query.order_by(DebtRow.document_id))
    if found is not None:
        try:
            await write_off(world.deps, found, reason="lost", idempotent=hex_id(name))
        except DebtSettled:
            return


def deeds(world: World, people: list[str], n: str) -> list[Awaitable[object]]:
    """One of everything, for everybody."""
    found: list[Awaitable[object]] = [bill_due(world.deps), dun_due(world.deps)]
    for who, other in zip(people, people[1:] + people[:1], strict=True):
        found += [
            pay(world, who, f"p{n}{who[:8]}"),
            give(world, who, other, f"g{n}{who[:8]}"),
            an_invoice(world.deps, who, cause=f"sale:{n}"),
        ]
    return [*found, take_back_one(world), lose_one(world, f"l{n}")]


async def test_all_at_once_for_months_nobody_waits_for_ever_and_the_books_hold(
    world: World, db_url: str
) -> None:
    people = await some_people(world)
    second = Database(db_url)
    other = world.on(second)
    for n in range(ROUNDS):
        await asyncio.gather(*deeds(world, people, f"{n}a"), *deeds(other, people, f"{n}b"))
        await assert_the_books_are_right(world.deps.db)
        world.clock.advance(16 * 86_400)
    await second.close()
