"""The controller comes back from an older backup, and what its sites know comes back by reports.

Real agents with real journals, and the real controller on a database file that is put back to what
it was before people redeemed and used. Every access counts once, and nobody is cut off.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from billing.metering import Volume
from controller.store.dumps import copy_sqlite
from tests.simulation import deeds
from tests.simulation.invariants import Watcher
from tests.simulation.story import Story
from tests.simulation.virtual import VirtualLoop, seeded
from tests.simulation.world import World, a_world, end

if TYPE_CHECKING:
    import random

    from tests.simulation.place import Place

pytestmark = pytest.mark.timeout(300)

QUERIES = {
    "grants": 'SELECT id, site_id, plan_id, used_bytes FROM "grant" ORDER BY id',
    "postings": "SELECT source, target, amount_minor FROM posting ORDER BY 1, 2, 3",
    "sessions": "SELECT id, down_bytes, up_bytes, closed_at IS NULL FROM session ORDER BY id",
    "doubles": "SELECT redemption_id FROM double_redemption",
}


def known(world: World) -> dict[str, list[Any]]:
    """What the controller's books say."""
    with closing(sqlite3.connect(world.office.folder / "lango.db")) as books:
        return {name: books.execute(query).fetchall() for name, query in QUERIES.items()}


async def restored(world: World) -> None:
    """Put the database back to what it was, as `lango backup restore` does, and start again."""
    await world.office.close()
    for left in ("lango.db-wal", "lango.db-shm"):
        (world.office.folder / left).unlink(missing_ok=True)
    shutil.copy(world.folder / "backup.db", world.office.folder / "lango.db")
    await world.office.kill()


def code_of(world: World, plan: str) -> str:
    """A voucher of a plan that nobody has used."""
    used = [code for code, _, _ in world.accepted]
    return next(
        code
        for code, name in world.codes.items()
        if name == plan and code not in used and code not in world.tokens
    )


async def redeemed_offline(story: Story, place: Place) -> None:
    """Somebody redeems with the link down, uses it, and the link comes back."""
    address = next(iter(place.devices))
    place.link.cut()
    await story.world.redeem(place, address, code_of(story.world, "data"))
    await story.passes(5)
    assert story.world.use(place, address, Volume(30_000, 300))
    place.link.mend()


async def told_everything(story: Story) -> None:
    """Until no site has anything left to tell."""
    for _ in range(20):
        await story.passes(60)
        if all(one.journal.acked_seq == one.journal.last_seq for one in story.world.places):
            return
    raise AssertionError("a site has something left to tell")


async def lived(chance: random.Random) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """The books before and after the restore, and whether the customer is still let through."""
    world = await a_world(chance)
    world.awake = False
    story = Story(world, Watcher(world), chance)
    try:
        await deeds.sell_codes(world)
        await story.passes(60)
        copy_sqlite(world.office.folder / "lango.db", world.folder / "backup.db")
        place = world.places[0]
        await redeemed_offline(story, place)
        await told_everything(story)
        before = known(world)
        await restored(world)
        gone = known(world)
        assert gone["grants"] == [], "the backup is older than all of it"
        await told_everything(story)
        await story.passes(120)
        await told_everything(story)
        still = world.use(place, next(iter(place.devices)), Volume(100, 10))
        return before, known(world), still
    finally:
        await end(world)


def test_what_was_redeemed_and_used_after_the_backup_comes_back_once() -> None:
    with seeded(7) as chance, asyncio.Runner(loop_factory=VirtualLoop) as runner:
        before, after, still = runner.run(lived(chance))

    assert len(before["grants"]) == 1
    assert after == before
    assert still, "the customer noticed nothing"
