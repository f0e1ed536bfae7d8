"""Real agents at the real edge: gRPC over TLS, a real database, and boxes that are pretended.

Nothing happens by itself here: a test says when a site hears its controller and when it reports.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from agent.changes import NO_ITEMS
from agent.gate import SiteGate
from agent.identity import new_key, request_for
from agent.journal import Journal
from agent.lan import LoopbackLan
from agent.loop import Loop
from agent.model import Changed
from agent.uplink.grpc import Credentials, GrpcUplink, enrol
from agent.uplink.seam import AppliedState
from billing.ids import PlanId, SiteId, grant_of
from billing.token import Token, decode, encode, shown
from controller.store import activation
from controller.store.code_rows import DoubleRedemptionRow
from controller.store.rows import GrantRow, GrantSiteRow
from controller.store.site_rows import NoticeRow
from controller.usecases import token_keys, tokens
from controller.usecases.plans import add_plan
from controller.usecases.sites import NewSite, add_site
from controller.usecases.vouchers import create_vouchers
from portal.captive.gate import Refusal
from shaping.memory import MemoryPlane
from tests.controller.conftest import sqlite_template  # noqa: F401 - a fixture
from tests.controller.edge.conftest import edge_url  # noqa: F401 - a fixture
from tests.controller.edge.doors import SITE, Doors, open_doors
from tests.support.builders import a_plan, limits
from tests.support.money import assert_money_is_conserved
from tests.support.steered import AtOnce, SteeredClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from billing.token import TokenCode
    from billing.voucher import VoucherCode

THERE = SiteId("estate-2")
SHARED = PlanId("shared")
A, B, C = "127.0.0.5", "127.0.0.6", "127.0.0.7"
HEAR_S = 10
READINGS_S = 11
"""A site with few sessions writes readings every ten seconds."""
MB = 1_000_000


@dataclass
class Post:
    """A site: a whole agent but for its courier, whose work the test does."""

    folder: Path
    uplink: GrpcUplink
    clock: SteeredClock = field(default_factory=SteeredClock)
    link: bool = True

    async def start(self) -> None:
        self.plane = MemoryPlane(now=lambda: self.clock.now().mono)
        self.journal = Journal(self.folder / "journal.db")
        self.loop = Loop(journal=self.journal, plane=self.plane, clock=self.clock, disk=AtOnce())
        self.gate = SiteGate(
            loop=self.loop,
            uplink=self.uplink,
            resolve=LoopbackLan().resolve,
            secret=self.journal.id,
            link_up=lambda: self.link,
            slow=AtOnce(),
        )
        self.task = asyncio.create_task(self.loop.run())
        await settle()

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.uplink.close()
        self.journal.close()

    async def hear(self) -> None:
        """Take the next step of what the controller tells this site."""
        state = self.loop.state
        known = AppliedState(state.generation, state.digest or NO_ITEMS)
        async with aclosing(self.uplink.follow(known)) as stream:
            change = await asyncio.wait_for(anext(stream), HEAR_S)
        await self.loop.kept(Changed(change))
        await settle()

    async def report(self) -> None:
        """Tell the controller everything, once the use up to now is in the journal."""
        await self.clock.advance(READINGS_S)
        records = self.journal.unsent(1_000, bytes_max=MB)
        acked = await self.uplink.report(self.journal.id, records, self.loop.applied)
        self.journal.ack(acked.seq)

    async def redeem(self, address: str, code: str) -> Refusal | None:
        answer = await self.gate.redeem(address, code=code)
        await self.clock.advance(1, step_ms=100)
        return answer

    def passes(self, address: str, size: int = 1_000) -> bool:
        mac = LoopbackLan().resolve(ip_address(address))
        assert mac is not None
        return self.plane.pass_bytes(ip_address(address), mac, down=size, up=0)


@dataclass
class Wire:
    """A controller with two sites."""

    doors: Doors
    here: Post
    there: Post

    async def rows(self, kind: type) -> list[object]:
        async with self.doors.deps.db.read() as tx:
            return list(await tx.scalars(select(kind)))

    async def voucher(self) -> VoucherCode:
        _batch, codes = await create_vouchers(self.doors.deps, SHARED, 1, None)
        for post in (self.here, self.there):
            await post.hear()
        return codes[0]


async def a_post(doors: Doors, site_id: SiteId, folder: Path) -> Post:
    """An agent that has joined as this site."""
    key = new_key()
    issued = await enrol(
        f"127.0.0.1:{doors.ports.join}",
        ca_pem=doors.deps.authority.ca_pem,
        secret=await doors.secret(site_id),
        csr_pem=request_for(key),
    )
    uplink = GrpcUplink(
        Credentials(issued.edge_address, key, issued.certificate_pem, issued.ca_pem)
    )
    post = Post(folder, uplink)
    await post.start()
    await post.hear()
    return post


@pytest.fixture
async def wire(tmp_path: Path, edge_url: str) -> AsyncIterator[Wire]:  # noqa: F811 - a fixture
    async with open_doors(tmp_path, edge_url) as doors:
        deps = doors.deps
        await add_site(deps, NewSite(THERE, name="Estate 2", operator_name="Mtaa Net"))
        allows = limits(validity_s=None, quota_bytes=100 * MB, devices_max=2)
        await add_plan(deps, a_plan(SHARED, allows=allows))
        await token_keys.make_ready(deps)
        here = await a_post(doors, SITE, tmp_path / "here")
        there = await a_post(doors, THERE, tmp_path / "there")
        yield Wire(doors, here, there)
        await here.stop()
        await there.stop()


async def test_who_finds_a_package_full_gets_the_place_of_a_device_that_is_silent(
    wire: Wire,
) -> None:
    code = await wire.voucher()
    for address in (A, B):
        assert await wire.here.redeem(address, code) is None
        await wire.here.hear()
        assert wire.here.passes(address)
    await wire.here.clock.advance(4)
    early = await wire.here.redeem(C, code)
    places = wire.here.gate.places(C)
    for _ in range(30):
        await wire.here.clock.advance(3)
        wire.here.passes(B)
    late = await wire.here.redeem(C, code)
    through = (wire.here.passes(A), wire.here.passes(B), wire.here.passes(C))
    await wire.here.report()
    (grant,) = await wire.rows(GrantRow)
    assert isinstance(grant, GrantRow)

    assert early is Refusal.DEVICES_FULL
    assert places is not None
    assert (places.full, places.inside) == (True, False)
    assert (late, through) == (None, (False, True, True))
    assert grant.devices.split() == ["02:00:7f:00:00:06", "02:00:7f:00:00:07"]


async def a_forgery(wire: Wire) -> TokenCode:
    """Right digits, made with the site's own key; but nobody ever sold them."""
    issued = await tokens.issue(wire.doors.deps, SITE, SHARED)
    async with wire.doors.deps.db.read() as tx:
        (key,) = await activation.keys(tx, SITE)
    secret = token_keys.secret_of(wire.doors.deps, key)
    real = decode(issued.code, {token_keys.version_of(key): secret})
    assert real is not None
    return encode(Token(real.version, real.slot, 77), secret)


async def test_a_code_that_nobody_sold_ends_when_the_controller_hears_of_it(wire: Wire) -> None:
    forged = await a_forgery(wire)
    wire.here.link = False
    answer = await wire.here.redeem(A, shown(forged))
    before = wire.here.passes(A)
    await wire.here.report()
    await wire.here.hear()
    codes = {row.code for row in await wire.rows(NoticeRow) if isinstance(row, NoticeRow)}

    assert (answer, before, wire.here.passes(A)) == (None, True, False)
    assert not wire.here.loop.state.grants or all(
        use.grant.revoked for use in wire.here.loop.state.grants.values()
    )
    assert await wire.rows(GrantRow) == []
    assert "redemption_doubtful" in codes


async def test_a_package_that_began_offline_at_one_site_goes_on_at_another_to_the_byte(
    wire: Wire,
) -> None:
    code = await wire.voucher()
    wire.here.link = False
    assert await wire.here.redeem(A, code) is None
    assert wire.here.passes(A, 30 * MB)
    await wire.here.report()
    await wire.here.hear()
    assert await wire.there.redeem(B, code) is None
    await wire.there.hear()
    assert wire.there.passes(B, 20 * MB)
    for post in (wire.here, wire.there, wire.here):
        await post.report()
    (grant,) = await wire.rows(GrantRow)
    shares = [row for row in await wire.rows(GrantSiteRow) if isinstance(row, GrantSiteRow)]
    assert isinstance(grant, GrantRow)

    assert grant.id == grant_of(grant.cause_id)  # type: ignore[arg-type]
    assert {row.site_id: row.own_bytes for row in shares} == {SITE: 30 * MB, THERE: 20 * MB}
    assert grant.used_bytes == 50 * MB
    assert await wire.rows(DoubleRedemptionRow) == []


async def test_a_voucher_taken_at_two_sites_without_a_link_gives_twice_and_is_booked_once(
    wire: Wire,
) -> None:
    code = await wire.voucher()
    for post, address in ((wire.here, A), (wire.there, B)):
        post.link = False
        assert await post.redeem(address, code) is None
        assert post.passes(address, MB)
    for post in (wire.here, wire.there, wire.here, wire.there):
        await post.report()
    for post in (wire.here, wire.there):
        await post.hear()
    grants = [row for row in await wire.rows(GrantRow) if isinstance(row, GrantRow)]

    assert (wire.here.passes(A), wire.there.passes(B)) == (True, True)
    assert [row.used_bytes for row in grants] == [MB, MB]
    assert len(await wire.rows(DoubleRedemptionRow)) == 1
    await assert_money_is_conserved(wire.doors.deps.db)


async def test_what_a_site_redeemed_itself_it_knows_again_after_every_word_of_the_controller(
    wire: Wire,
) -> None:
    code = await wire.voucher()
    wire.here.link = False
    assert await wire.here.redeem(A, code) is None
    wire.here.passes(A, 60 * MB)
    await wire.here.report()
    await wire.here.hear()
    answer = await wire.here.redeem(B, code)

    assert (answer, wire.here.passes(B)) == (None, True)
    assert len(wire.here.loop.state.grants) == 1
