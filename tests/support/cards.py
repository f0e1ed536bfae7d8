"""Subscribers who have agreed that a card pays: what the card is, what it is charged, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from billing.autopay import MORNING_HOUR, next_morning
from billing.money import Money
from billing.period import midnight
from controller.payments.gateway import StoredCard, Trust
from controller.payments.memory import MemoryGateway
from controller.store import debts, mandates, received
from controller.store.rows import Row, SmsRow
from controller.usecases.collecting import collect_due
from controller.usecases.mandates import CardWish, agree_card
from tests.support.builders import World, hex_id
from tests.support.charges import ANNE

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.store.payment_rows import MandateRow
    from controller.usecases.account_payments import AccountPaymentStatus

EMAIL = "anne@example.test"
TOKEN = "AUTH_72btv547"
FIRST = 100
"""Shillings of a first payment by card."""


def with_cards(world: World, cards: MemoryGateway | None = None) -> World:
    """The same controller with a rail for cards; the world's gateway is that one."""
    gateway = cards or MemoryGateway(rail="card", place="LANGO", trust=Trust.SIGNED)
    deps = replace(world.deps, more_gateways=(gateway,), cards=gateway)
    return World(deps, gateway, world.clock, world.sms, world.email)


def a_wish(name: str = "visa", *, most: int | None = None, subscriber: str = ANNE) -> CardWish:
    """Anne pays KES 100 by card, and agrees that it pays from now on, up to ``most`` shillings."""
    return CardWish(
        mandate_id=hex_id(name),
        subscriber=subscriber,
        amount=Money(FIRST * 100),
        consent="said so on the phone",
        most=None if most is None else Money(most * 100),
    )


async def asked(
    world: World,
    name: str = "visa",
    *,
    most: int | None = None,
    token: str | None = TOKEN,
    subscriber: str = ANNE,
) -> AccountPaymentStatus:
    """The wish of a card, whose page is open; ``token`` None: it may not be charged again."""
    if token is not None:
        card = StoredCard(token, EMAIL, f"{name} …4081, 12/2030")
        world.gateway.cards[hex_id(name)] = card
    return await agree_card(world.deps, a_wish(name, most=most, subscriber=subscriber))


async def agreed(
    world: World,
    name: str = "visa",
    *,
    most: int | None = None,
    token: str | None = TOKEN,
    subscriber: str = ANNE,
) -> str:
    """A card with which the first payment was made; the consent's id."""
    await asked(world, name, most=most, token=token, subscriber=subscriber)
    await paid(world)
    return hex_id(name)


async def paid(world: World) -> None:
    """The newest payment is made, and its provider says so."""
    world.gateway.pay(world.last_provider_id, world.clock())
    await world.call_back()


async def refused(world: World) -> None:
    """The newest payment is refused, and its provider says so."""
    world.gateway.refuse(world.last_provider_id, "1")
    await world.call_back()


async def next_day(world: World) -> None:
    """The next morning comes, and cards are charged."""
    world.clock.to(next_morning(world.clock()))
    await collect_due(world.deps)


async def morning_of(world: World, day: str) -> None:
    """The morning of a day in Nairobi comes, and cards are charged."""
    world.clock.to(midnight(date.fromisoformat(day)) + timedelta(hours=MORNING_HOUR))
    await collect_due(world.deps)


async def looked_again(world: World, *, seconds: int = 61) -> None:
    """A minute later whoever looks after charges has looked."""
    world.clock.advance(seconds)
    await collect_due(world.deps)


def charged(world: World) -> list[int]:
    """What stored cards were charged, in shillings, in order."""
    return [push.amount.minor // 100 for push, _ in world.gateway.charged]


async def mandate(deps: Deps, mandate_id: str) -> MandateRow:
    """A consent as it is kept."""
    async with deps.db.read() as tx:
        row = await mandates.load(tx, mandate_id)
    assert row is not None
    return row


async def due_at(deps: Deps, mandate_id: str) -> datetime | None:
    """When a consent is looked after next."""
    return (await mandate(deps, mandate_id)).due_at


async def owed(world: World, subscriber: str = ANNE) -> tuple[int, int]:
    """What is open, and what the wallet holds, in shillings."""
    async with world.deps.db.read() as tx:
        open_minor = await debts.owed_minor(tx, subscriber)
        held = await received.wallet_minor(tx, subscriber)
    return open_minor // 100, held // 100


async def told(world: World, about: str) -> int:
    """How many messages there are about ``received`` or ``auto-pay-failed``, say."""
    return len(await _about(world, about))


async def texts(world: World, about: str) -> list[str]:
    """Those messages, as long as they have not left."""
    unseal = world.deps.vault.unseal
    return [unseal(row.sealed).decode() for row in await _about(world, about) if row.sealed]


async def _about(world: World, about: str) -> list[SmsRow]:
    async with world.deps.db.read() as tx:
        return list(await tx.scalars(select(SmsRow).where(SmsRow.event.startswith(f"{about}:"))))


async def whole_database(deps: Deps) -> str:
    """Everything that is kept, as text."""
    async with deps.db.read() as tx:
        tables = [await tx.execute(select(table)) for table in Row.metadata.sorted_tables]
        return "\n".join(repr(tuple(row)) for rows in tables for row in rows)
