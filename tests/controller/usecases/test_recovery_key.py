"""The recovery key of backups: one that nobody was shown is never taken for one that was kept."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from billing.errors import InvalidField
from controller.backup.keys import RECIPIENT_FILE, recipient_of
from controller.store import chosen
from controller.usecases import recovery_key
from controller.usecases.setup import KEY_NOTE, must_confirm

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.builders import World


class PowerCutError(Exception):
    """This process is no more."""


async def is_to_be_confirmed(world: World) -> bool:
    recipient = recipient_of(world.deps.settings.state_dir)
    async with world.deps.db.read() as tx:
        return must_confirm(recipient, await chosen.notes(tx))


async def test_a_power_cut_before_the_commit_leaves_no_key(world: World) -> None:
    def now() -> datetime:
        raise PowerCutError

    with pytest.raises(PowerCutError):
        await recovery_key.make(replace(world.deps, now=now))

    assert recipient_of(world.deps.settings.state_dir) == ""


async def test_a_key_that_could_not_be_kept_leaves_the_one_before_to_be_confirmed(
    world: World,
) -> None:
    state_dir = world.deps.settings.state_dir
    await recovery_key.make(world.deps)
    first = recipient_of(state_dir)
    in_the_way = state_dir / f"{RECIPIENT_FILE}.new"
    in_the_way.mkdir()

    with pytest.raises(InvalidField, match="could not be kept"):
        await recovery_key.make(world.deps)

    assert recipient_of(state_dir) == first
    assert await is_to_be_confirmed(world)
    in_the_way.rmdir()
    await recovery_key.make(world.deps)
    assert recipient_of(state_dir) != first
    assert await is_to_be_confirmed(world)


async def test_the_letters_of_a_key_that_backups_do_not_use_confirm_nothing(world: World) -> None:
    state_dir = world.deps.settings.state_dir
    secret = await recovery_key.make(world.deps)
    (state_dir / RECIPIENT_FILE).write_text("age1of-somewhere-else\n")

    with pytest.raises(InvalidField, match="another key"):
        await recovery_key.confirm(world.deps, secret[-6:])
    async with world.deps.db.read() as tx:
        note = (await chosen.notes(tx))[KEY_NOTE]

    assert json.loads(note.told)["kept"] is False
