"""From a message that a carrier took to what it told of it later: both carriers, every mood."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from controller.notify.reports import fields_in
from controller.store.rows import SmsRow
from controller.usecases import messages
from controller.usecases.delivery_reports import take_report
from tests.contract.test_sms import a_client, by_http
from tests.support.builders import PHONE, a_world
from tests.support.daraja import a_world as a_network
from tests.support.daraja import served, sim_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request

    from controller.deps import Deps
    from controller.store.database import Database
    from tests.support.daraja import World as Network


class Door:
    """Where carriers report; ``told`` counts what came."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._news = asyncio.Event()
        self.told = 0

    async def take(self, request: Request) -> Response:
        """Take one report."""
        await take_report(self._deps, "sandbox", fields_in(await request.body()))
        self.told += 1
        self._news.set()
        return Response()

    async def heard(self, count: int) -> None:
        """Wait until so many reports came."""
        async with asyncio.timeout(10):
            while self.told < count:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def a_carrier(
    db: Database, folder: Path, kind: str
) -> AsyncIterator[tuple[Deps, Door, Network]]:
    """A controller whose messages go through the simulated carrier, which reports to it."""
    deps = a_world(db, folder).deps
    door = Door(deps)
    app = Starlette(routes=[Route("/callbacks/sms/00ff", door.take, methods=["POST"])])
    async with served(app) as url:
        settings = replace(sim_settings(), sms_report_url=f"{url}/callbacks/sms/00ff")
        async with a_network(settings) as network:
            sms = a_client(network) if kind == "africas-talking" else by_http(network)
            yield replace(deps, sms=sms), door, network


async def sent(deps: Deps) -> None:
    async with deps.db.begin() as tx:
        await messages.queue_in(
            tx, deps, site_id=None, msisdn=PHONE, text="hi", about="x", now=deps.now()
        )
    await messages.send_due(deps)


async def the_row(deps: Deps) -> SmsRow:
    async with deps.db.read() as tx:
        return (await tx.scalars(select(SmsRow))).one()


KINDS = ["africas-talking", "http"]
MOODS = [
    ({}, "delivered"),
    ({"sms_undelivered": True}, "failed"),
    ({"sms_report_disorder": True}, "delivered"),
    ({"sms_report_disorder": True, "sms_undelivered": True}, "failed"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("faults", "delivery"), MOODS)
async def test_what_a_carrier_tells_later_stands_beside_the_message(
    sqlite_db: Database, tmp_path: Path, kind: str, faults: dict[str, bool], delivery: str
) -> None:
    async with a_carrier(sqlite_db, tmp_path, kind) as (deps, door, network):
        await network.set_faults(**faults)
        await sent(deps)
        await door.heard(2)
        row = await the_row(deps)

    assert (row.state, row.delivery) == ("sent", delivery)
    assert row.cost_e4 == (8_000 if kind == "africas-talking" else 6_000)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_carrier_that_never_tells_leaves_a_message_sent(
    sqlite_db: Database, tmp_path: Path, kind: str
) -> None:
    async with a_carrier(sqlite_db, tmp_path, kind) as (deps, door, network):
        await network.set_faults(sms_report_lost=True)
        await sent(deps)
        row = await the_row(deps)

    assert (door.told, row.state, row.delivery) == (0, "sent", "")


async def test_a_sender_that_is_not_registered_waits_though_the_answer_is_201(
    sqlite_db: Database, tmp_path: Path
) -> None:
    async with a_carrier(sqlite_db, tmp_path, "africas-talking") as (deps, door, network):
        await network.set_faults(sms_bad_sender=True)
        await sent(deps)
        row = await the_row(deps)

    assert (row.state, row.problem, row.cost_e4, door.told) == (
        "waiting",
        "InvalidSenderId",
        None,
        0,
    )
