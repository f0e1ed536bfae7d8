"""By what a subscriber dials in: told to the site that serves them, and sealed here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from agent.model import Login
from agent.wire import parse_item
from billing.charge import Mode
from billing.errors import InvalidField, SubscriptionEnded
from billing.ids import SiteId
from controller.store import logins
from controller.store.site_rows import SiteItemRow
from controller.usecases.logins import set_credentials
from controller.usecases.placement import place
from controller.usecases.sites import NewSite, add_site
from controller.usecases.subscriptions import SubscriptionUnknown, end
from tests.support.builders import SITE
from tests.support.contracts import a_subscriber, subscribed

if TYPE_CHECKING:
    from tests.support.builders import World

RUIRU = SiteId("ruiru")


async def told(world: World, site_id: str, name: str) -> Login | None:
    """What a site is told under a name, as its agent reads it."""
    async with world.deps.db.read() as tx:
        row = await tx.get(SiteItemRow, (site_id, f"login/{name}"))
    if row is None or row.body is None:
        return None
    login = parse_item(row.key, row.body)
    assert isinstance(login, Login)
    return login


async def test_a_secret_is_made_told_to_the_site_and_sealed_here(shop: World) -> None:
    line = await subscribed(shop, await a_subscriber(shop), Mode.ADVANCE)

    made = await set_credentials(shop.deps, line)

    login = await told(shop, SITE, made.name)
    async with shop.deps.db.read() as tx:
        kept = await logins.load(tx, line)
    assert login is not None
    assert (login.secret, login.cause) == (made.secret, f"sub:{line}")
    assert len(made.secret) == 14
    assert kept is not None
    assert made.secret.encode() not in kept.sealed
    assert made.secret not in repr(made)


async def test_another_name_and_secret_take_the_place_of_the_first(shop: World) -> None:
    line = await subscribed(shop, await a_subscriber(shop), Mode.ADVANCE)
    first = await set_credentials(shop.deps, line)
    again = await set_credentials(shop.deps, line)

    renamed = await set_credentials(shop.deps, line, name="wanjiku", secret="from-the-old-router")

    assert again.name == first.name
    assert again.secret != first.secret
    assert await told(shop, SITE, first.name) is None
    login = await told(shop, SITE, "wanjiku")
    assert login is not None
    assert login.secret == renamed.secret == "from-the-old-router"


async def test_a_login_follows_its_subscription_and_ends_with_it(shop: World) -> None:
    line = await subscribed(shop, await a_subscriber(shop), Mode.ADVANCE)
    made = await set_credentials(shop.deps, line)
    await add_site(shop.deps, NewSite(RUIRU, "Ruiru", "Lango Net", "0700 000 000"))

    await place(shop.deps, line, site_id=RUIRU)
    here, there = await told(shop, SITE, made.name), await told(shop, RUIRU, made.name)
    await end(shop.deps, line)

    assert here is None
    assert there is not None
    assert there.secret == made.secret
    assert await told(shop, RUIRU, made.name) is None
    with pytest.raises(SubscriptionEnded):
        await set_credentials(shop.deps, line)


@pytest.mark.parametrize(
    ("name", "secret", "field"),
    [("Wanjiku", None, "name"), ("a b", None, "name"), ("a", "short", "secret")],
)
async def test_what_cannot_be_dialled_in_by_is_refused(
    shop: World, name: str, secret: str | None, field: str
) -> None:
    line = await subscribed(shop, await a_subscriber(shop), Mode.ADVANCE)

    with pytest.raises(InvalidField, match=field):
        await set_credentials(shop.deps, line, name=name, secret=secret)


async def test_a_name_is_one_subscriptions_alone(shop: World) -> None:
    subscriber = await a_subscriber(shop)
    one = await subscribed(shop, subscriber, Mode.ADVANCE)
    two = await subscribed(shop, subscriber, Mode.ADVANCE, name="second")
    await set_credentials(shop.deps, one, name="wanjiku")

    with pytest.raises(InvalidField, match="name of another"):
        await set_credentials(shop.deps, two, name="wanjiku")
    with pytest.raises(SubscriptionUnknown):
        await set_credentials(shop.deps, "0" * 32)


async def test_a_name_that_two_want_at_once_is_one_s_and_refused_to_the_other(shop: World) -> None:
    lines = [
        await subscribed(shop, await a_subscriber(shop, phone), Mode.ADVANCE)
        for phone in ("254712000101", "254712000102")
    ]
    asked = (set_credentials(shop.deps, line, name="jane") for line in lines)
    told_them = await asyncio.gather(*asked, return_exceptions=True)
    (refused,) = (one for one in told_them if isinstance(one, Exception))

    assert isinstance(refused, InvalidField)
    assert refused.field == "name"
