"""Silence and return at real sites, by a seed, with controllers that die while they look.

The same story is played twice: once by a controller that is never killed, once by controllers that
are killed before, inside and after transactions, and take over from each other. Whoever is told of
alerts cannot tell the two apart.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller.store.alert_rows import AlertRow, AlertToldRow
from controller.store.database import Database
from controller.usecases import alerts, messages
from tests.support.alerts import DESK, hear, more_sites, route
from tests.support.builders import SITE, Killed, MortalDatabase, a_world, with_site
from tests.support.database import sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.builders import World

EVERY_S = 15
LOOKS = 90
SETTLED_S = 600


async def played(world: World, seed: int, *, kills: random.Random | None) -> Counter[str]:
    """What the desk was told, as far as it does not say to the second when it was over."""
    dice = random.Random(seed)
    names = [SITE, *await more_sites(world, "ruiru", "thika")]
    await hear(world, *names)
    await alerts.look(world.deps)
    await route(world)
    talks, turns = dict.fromkeys(names, True), dict.fromkeys(names, 0)
    for n in range(LOOKS + SETTLED_S // EVERY_S):
        world.clock.advance(EVERY_S)
        for name in names:
            if n >= LOOKS:
                talks[name] = True
            elif n >= turns[name]:
                talks[name] = not talks[name]
                turns[name] = n + dice.choice((3, 9, 14, 40))
        if talking := [name for name in names if talks[name]]:
            await hear(world, *talking)
        await looked(world, kills)
        await messages.send_due(world.deps)
    return Counter(text.partition(" (after")[0] for text in world.sms.to(DESK))


async def looked(world: World, kills: random.Random | None) -> None:
    """One look; by a controller that may die of it, and then by another one."""
    if kills is None or kills.random() > 0.3:
        await alerts.look(world.deps)
        return
    moment = kills.choice(("before", "inside", "after"))
    mortal = MortalDatabase(world.deps.db.url, nth=1, moment=moment)  # type: ignore[arg-type]
    with pytest.raises(Killed):
        await alerts.look(world.on(mortal).deps)
    await mortal.close()
    await alerts.look(world.deps)


@pytest.mark.parametrize("seed", [1])
async def test_who_is_told_cannot_tell_that_controllers_died(
    sqlite_template: Path, tmp_path: Path, seed: int
) -> None:
    told = []
    for name, kills in (("whole", None), ("killed", random.Random(seed))):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(sqlite_template, folder / "lango.db")
        db = Database(sqlite_url(folder / "lango.db"))
        world = await with_site(a_world(db, folder))
        told.append(await played(world, seed, kills=kills))
        async with db.read() as tx:
            states = Counter(await tx.scalars(select(AlertRow.state)))
            last = Counter(await tx.scalars(select(AlertToldRow.kind)))
        await db.close()
        # Everything came back: everything is over, and everybody knows.
        assert set(states) == {"recovered"}
        assert set(last) == {"resolved"}
    whole, killed = told

    assert len(whole) > 4
    assert killed == whole
