"""From the portal's page to the packet that passes, by the second of two wallets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest

from agent.courier import Courier
from billing.money import Money
from controller.payments.gateway import Trust
from controller.payments.memory import MemoryGateway
from controller.store.rows import GrantRow, PaymentRow
from controller.usecases.settle import query_due, take_callback
from portal.captive.app import create_app
from tests.contract.test_edge import A, Post, Wire, a_post
from tests.controller.conftest import sqlite_template  # noqa: F401 - a fixture
from tests.controller.edge.conftest import edge_url  # noqa: F401 - a fixture
from tests.controller.edge.doors import SITE, open_doors
from tests.support.builders import token_in
from tests.support.money import assert_money_is_conserved
from tests.support.portal import GATEWAY, HOST, reached_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

WAIT_S = 20
MOMENT = timedelta(minutes=4)
FORM = {"plan": "hour", "phone": "0712 345 678"}
"""A number of M-PESA's, by its looks."""


@dataclass
class Counter:
    """A site with two wallets, whose courier works by itself, and a phone at its portal."""

    wire: Wire
    airtel: MemoryGateway
    phone: httpx2.AsyncClient

    @property
    def post(self) -> Post:
        return self.wire.here

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Until that is so, looked at whenever the site has taken something in."""
        news = asyncio.Event()
        self.post.loop.listen(lambda _facts, _resync: news.set())
        async with asyncio.timeout(WAIT_S):
            while not is_so():
                await news.wait()
                news.clear()

    def stage(self) -> str:
        order = self.post.gate.device(A).order
        return "none" if order is None else order.stage

    async def ordered(self, **told: str) -> str:
        """Send the form; the page of the order once its payer was asked."""
        sent = await self.phone.post("/order", data={**FORM, **told})
        await self.until(lambda: self.stage() == "prompted")
        return (await self.phone.get(sent.headers["location"])).text


@asynccontextmanager
async def at_work(post: Post) -> AsyncIterator[None]:
    """The courier of a site, while the block lasts."""
    courier = Courier(loop=post.loop, journal=post.journal, uplink=post.uplink, clock=post.clock)
    task = asyncio.create_task(courier.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def counter(tmp_path: Path, edge_url: str) -> AsyncIterator[Counter]:  # noqa: F811 - a fixture
    airtel = MemoryGateway(rail="airtel", place="LANGO", trust=Trust.HINT)
    async with open_doors(tmp_path, edge_url, more=(airtel,)) as doors:
        post = await a_post(doors, SITE, tmp_path / "here")
        app = reached_at(create_app(post.gate, host=HOST), GATEWAY)
        transport = httpx2.ASGITransport(app, client=(A, 40_000))
        async with (
            at_work(post),
            httpx2.AsyncClient(transport=transport, base_url=f"http://{HOST}") as phone,
        ):
            yield Counter(Wire(doors, post, post), airtel, phone)
        await post.stop()


async def test_who_chooses_airtel_pays_there_and_is_online(counter: Counter) -> None:
    doors, airtel = counter.wire.doors, counter.airtel
    shop = (await counter.phone.get("/")).text
    page = await counter.ordered(rail="airtel")
    ((name, asked),) = airtel.asked.items()
    doors.clock.advance(MOMENT)
    airtel.pay(name, doors.clock())
    token = token_in(asked.push.callback_url)
    told = await take_callback(doors.deps, token=token, body=airtel.callback(name), source="")
    was_open = counter.post.passes(A)
    doors.clock.advance(MOMENT)
    await query_due(doors.deps)
    await counter.until(lambda: counter.post.gate.device(A).access is not None)
    ((payment,), (grant,)) = [await counter.wire.rows(kind) for kind in (PaymentRow, GrantRow)]

    assert [wallet in shop for wallet in ("M-PESA", "Airtel Money")] == [True, True]
    assert "Enter your Airtel Money PIN" in page
    assert (asked.push.amount, doors.gateway.pushes) == (Money(2000), [])
    # What Airtel posts is a reason to ask, and nothing more.
    assert (told.settled, was_open) == (False, False)
    assert counter.post.passes(A)
    assert isinstance(payment, PaymentRow)
    assert (payment.rail, payment.shortcode, payment.state) == ("airtel", "LANGO", "settled")
    assert isinstance(grant, GrantRow)
    assert grant.cause_id == payment.order_id
    await assert_money_is_conserved(doors.deps.db)


@pytest.mark.parametrize(
    ("told", "wallet"), [({}, "mpesa"), ({"phone": "0733 345 678"}, "airtel")], ids=str
)
async def test_who_does_not_choose_is_asked_by_the_wallet_of_the_number(
    counter: Counter, told: dict[str, str], wallet: str
) -> None:
    await counter.ordered(**told)
    asked = [len(one.pushes) for one in (counter.wire.doors.gateway, counter.airtel)]

    assert asked == [int(wallet == "mpesa"), int(wallet == "airtel")]
