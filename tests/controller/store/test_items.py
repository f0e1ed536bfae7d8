"""The digest and the generation of a site's desired state, kept step by step."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from billing.ids import SiteId
from controller.store import items
from controller.store.site_rows import SiteGenerationRow, SiteItemRow, SiteRow
from tests.support.clock import MORNING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.store.database import Database

SITE = SiteId("kahawa")


@pytest.fixture
async def site_db(db: Database) -> Database:
    async with db.begin() as tx:
        tx.add(
            SiteRow(
                id=SITE,
                name="K",
                operator_name="O",
                help_phone="",
                language="en",
                created_at=MORNING,
            )
        )
    return db


async def put(db: Database, wanted: Mapping[str, bytes | None]) -> int | None:
    async with db.begin() as tx:
        return await items.put(tx, SITE, wanted)


async def digest(db: Database) -> bytes:
    async with db.read() as tx:
        return (await tx.get_one(SiteRow, SITE)).digest


async def test_every_change_is_a_new_generation(site_db: Database) -> None:
    assert await put(site_db, {"a": b"1"}) == 1
    assert await put(site_db, {"a": b"2", "b": b"1"}) == 2
    assert await put(site_db, {"a": None}) == 3


async def test_what_stands_already_is_no_change(site_db: Database) -> None:
    await put(site_db, {"a": b"1"})

    assert await put(site_db, {"a": b"1"}) is None
    assert await put(site_db, {"never": None}) is None


async def test_digest_kept_step_by_step_is_that_of_the_items(site_db: Database) -> None:
    chance, held = random.Random(11), dict[str, bytes]()
    for _ in range(60):
        wanted: dict[str, bytes | None] = {
            f"item/{chance.randrange(8)}": chance.choice([None, b"", b"x", b"y" * 50])
            for _ in range(chance.randrange(1, 4))
        }
        await put(site_db, wanted)
        held = {k: b for k, b in {**held, **wanted}.items() if b is not None}

        assert await digest(site_db) == items.digest_of(held)


def test_digest_does_not_depend_on_the_order() -> None:
    assert items.digest_of({"a": b"1", "b": b"2"}) == items.digest_of({"b": b"2", "a": b"1"})


def test_digest_of_nothing_is_zero() -> None:
    assert items.digest_of({}) == bytes(32)


def test_digest_knows_key_from_body() -> None:
    assert items.digest_of({"ab": b"c"}) != items.digest_of({"a": b"bc"})


async def test_empty_body_is_not_a_removal(site_db: Database) -> None:
    await put(site_db, {"a": b""})
    async with site_db.read() as tx:
        change = await items.change_since(tx, SITE, generation=0, digest=b"")

    assert change is not None
    assert change.upserts == (("a", b""),)


async def test_old_generations_and_tombstones_are_forgotten(site_db: Database) -> None:
    await put(site_db, {"gone": b"1"})
    first = await digest(site_db)
    await put(site_db, {"gone": None})
    async with site_db.begin() as tx:
        for n in range(items.GENERATIONS_KEPT + items.FORGET_EVERY):
            await items.put(tx, SITE, {"a": b"%d" % n})
    async with site_db.read() as tx:
        kept = (await tx.execute(select(func.count()).select_from(SiteGenerationRow))).scalar_one()
        change = await items.change_since(tx, SITE, generation=1, digest=first)
        keys = set(await tx.scalars(select(SiteItemRow.key)))

    assert items.GENERATIONS_KEPT < kept <= items.GENERATIONS_KEPT + items.FORGET_EVERY
    assert keys == {"a"}
    assert change is not None
    assert change.from_generation == 0


async def test_many_sites_are_changed_as_each_would_be_alone(site_db: Database) -> None:
    async with site_db.begin() as tx:
        tx.add(
            SiteRow(
                id="ruiru",
                name="R",
                operator_name="O",
                help_phone="",
                language="en",
                created_at=MORNING,
            )
        )
    other = SiteId("ruiru")
    await put(site_db, {"a": b"1"})
    async with site_db.begin() as tx:
        changed = await items.put_many(tx, {SITE: {"a": b"1"}, other: {"a": b"1", "b": b"2"}})
    async with site_db.read() as tx:
        site = await tx.get_one(SiteRow, other)

    assert changed == {other: 1}
    assert site.digest == items.digest_of({"a": b"1", "b": b"2"})
