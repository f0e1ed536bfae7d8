"""An office on SQLite for every test here, and the command at its desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.controller.cli.lango import Ran, lango_here
from tests.support.office import Office, a_day, office, opened
from tests.support.office import sqlite_only as db_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Command = Callable[..., Awaitable[Ran]]

__all__ = ["db_url", "office"]


@pytest.fixture
async def run(office: Office) -> AsyncIterator[Command]:
    """The command with the address and key of a controller that has had a day."""
    await office.keep(*a_day())
    async with opened(office) as url:

        async def at_it(*words: str, key: str = office.key) -> Ran:
            return await lango_here("--url", url, "--key", key, *words)

        yield at_it
