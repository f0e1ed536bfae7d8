"""A large change over a link that breaks after each part: it arrives, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.changes import digest
from agent.uplink.memory import MemoryUplink, grant_item
from agent.uplink.seam import NO_PARTS, UplinkError
from tests.agent.test_disk import the_disk
from tests.agent.test_loop import Site
from tests.support.site import a_mac, some_limits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from agent.journal import Journal
    from agent.uplink.seam import AppliedState, DesiredChange, Held

GRANTS = 100
PARTS = 20


class BrittleUplink(MemoryUplink):
    """A link that breaks after each message that has items, once it is ``brittle``.

    ``seen`` is what came over it.
    """

    brittle = False
    seen: list[DesiredChange]

    async def follow(
        self, known: AppliedState, held: Held | None = None
    ) -> AsyncGenerator[DesiredChange, None]:
        async for part in super().follow(known, held):
            self.seen.append(part)
            yield part
            if self.brittle:
                raise UplinkError("the stream broke")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    made.uplink = BrittleUplink(made.controller)
    made.uplink.seen = []
    await made.start()
    made.uplink.brittle = True
    yield made
    await made.stop()


def brittle(site: Site) -> BrittleUplink:
    assert isinstance(site.uplink, BrittleUplink)
    return site.uplink


def a_large_change(site: Site) -> None:
    """A snapshot in twenty parts, all grants of the site; nobody is told yet."""
    brittle(site).seen.clear()
    grants = [
        grant_item(f"{n:032x}", limits=some_limits(), devices=[a_mac("a")]) for n in range(GRANTS)
    ]
    site.controller.items.update(grants)
    site.controller.part_bytes_max = sum(len(key) + len(body) for key, body in grants[:5])
    site.controller.put_item(*grants[0])
    site.controller.steps.clear()
    site.uplink.cut()
    site.uplink.mend()


async def test_a_change_in_twenty_parts_arrives_though_the_link_breaks_after_each(
    site: Site,
) -> None:
    a_large_change(site)
    halves = set()
    for _ in range(600):
        await site.clock.advance(1)
        halves.add(len(site.loop.state.grants))
    seen = brittle(site).seen

    assert len(seen) >= PARTS
    assert len({part.upto_key for part in seen}) == len(seen)
    assert halves == {0, GRANTS}
    assert site.loop.state.digest == digest(site.controller.items)
    assert site.journal.held == NO_PARTS


async def test_what_is_held_outlives_the_agent(site: Site) -> None:
    a_large_change(site)
    while len(brittle(site).seen) < PARTS // 2:
        await site.clock.advance(1)
    held = site.journal.held
    await site.kill()
    await site.start()
    kept = site.journal.held
    brittle(site).brittle = False
    await site.clock.advance(60)

    assert held != NO_PARTS
    assert kept.upto_key >= held.upto_key
    assert len(brittle(site).seen) <= PARTS + 2
    assert len(site.loop.state.grants) == GRANTS


async def test_a_change_that_moved_on_meanwhile_begins_anew_and_arrives(site: Site) -> None:
    a_large_change(site)
    while len(brittle(site).seen) < PARTS // 2:
        await site.clock.advance(1)
    site.controller.put_item("site", b"")
    site.controller.steps.clear()
    brittle(site).seen.clear()
    for _ in range(600):
        await site.clock.advance(1)
    first = brittle(site).seen[0]

    assert (first.continues, first.generation) == (False, site.controller.generation)
    assert len(site.loop.state.grants) == GRANTS
    assert site.loop.state.digest == digest(site.controller.items)


async def test_a_disk_that_takes_no_part_gets_the_whole(site: Site) -> None:
    the_disk(site, fails=True)
    a_large_change(site)
    await site.clock.advance(60)

    assert len(site.loop.state.grants) == GRANTS
    assert not brittle(site).seen[-1].is_part


async def test_parts_that_do_not_add_up_are_dropped_and_asked_for_again(site: Site) -> None:
    a_large_change(site)
    while len(brittle(site).seen) < PARTS // 2:
        await site.clock.advance(1)
    spoil(site.journal)
    brittle(site).brittle = False
    await site.clock.advance(120)

    assert any(not part.continues for part in brittle(site).seen[PARTS // 2 :])
    assert len(site.loop.state.grants) == GRANTS


def spoil(journal: Journal) -> None:
    """One part rots on the disk."""
    journal._db.execute(  # noqa: SLF001 - the fault
        "UPDATE part SET body = x'00' WHERE key = (SELECT min(key) FROM part)"
    )
