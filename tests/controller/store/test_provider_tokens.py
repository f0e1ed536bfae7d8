"""Processes that share a provider's token never overwrite a newer one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from controller.store import provider_tokens
from tests.support.clock import MORNING

if TYPE_CHECKING:
    from controller.store.database import Database


async def save(db: Database, sealed: bytes, *, replaces: int | None) -> bool:
    async with db.begin() as tx:
        return await provider_tokens.save(
            tx, credential="c", sealed=sealed, expires_at=MORNING, replaces=replaces
        )


async def test_only_one_of_many_keeps_the_first_token(db: Database) -> None:
    kept = await asyncio.gather(*(save(db, b"%d" % n, replaces=None) for n in range(8)))

    assert sum(kept) == 1


async def test_only_one_of_many_replaces_a_token(db: Database) -> None:
    await save(db, b"old", replaces=None)
    kept = await asyncio.gather(*(save(db, b"%d" % n, replaces=1) for n in range(8)))
    async with db.read() as tx:
        token = await provider_tokens.load(tx, "c")

    assert sum(kept) == 1
    assert token is not None
    assert token.version == 2
