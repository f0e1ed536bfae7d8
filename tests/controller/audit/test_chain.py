"""Whoever edits the audit log past the product is found out, and the place is named."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from controller import acting
from controller.config_sections import AuditSettings
from controller.notify.memory_email import MemoryEmail
from controller.store import audit
from controller.store.audit_chain import GENESIS, Head, hash_of
from controller.store.database import Database
from controller.usecases.audit import (
    HEADS_FILE,
    Heads,
    HeadsUnreadable,
    keep_head,
    read_heads,
    seal_due,
    tell_head,
    verify,
)
from controller.usecases.emails import send_due
from tests.controller.audit.test_collecting import JANE
from tests.support.office import NOON, Office, a_notice, a_site

if TYPE_CHECKING:
    from pathlib import Path

TRIGGERS = {
    "sqlite": ("no_delete", "no_update", "unsealed_first"),
    "postgresql": ("final", "kept"),
}
COPIED = "substr(id, 2) || 'x', at, staff_id, staff_name, address, route, request_id, code"
COPIED += ", about_kind, about_id, changes, result"
FIELDS = "id, at, staff_id, staff_name, address, route, request_id, code, about_kind"
FIELDS += ", about_id, changes, result"


def copied(seq: int, to: int) -> str:
    """A statement that puts a copy of a row at a place."""
    return (
        f"INSERT INTO audit ({FIELDS}, seq, hash)"  # noqa: S608
        f" SELECT {COPIED}, {to}, hash FROM audit WHERE seq = {seq}"
    )


def moved(seq: int, to: int) -> str:
    """A statement that moves a row."""
    return f"UPDATE audit SET seq = {to} WHERE seq = {seq}"  # noqa: S608


async def with_rows(office: Office, count: int = 6) -> Office:
    """An office whose staff did so many things, all sealed, in two rounds."""
    await office.keep(a_site())
    for n in range(count):
        with acting.acting(replace(JANE, at=NOON + timedelta(minutes=n))):
            await office.keep(a_notice(f"{n:032x}"))
        if n == 1:
            await seal_due(office.deps)
    await seal_due(office.deps)
    return office


async def tampered(db: Database, *statements: str) -> None:
    """As somebody who owns the database, and takes its triggers away first."""
    kind = db.engine.dialect.name
    on = " ON audit" if kind == "postgresql" else ""
    async with db.begin() as tx:
        for name in TRIGGERS[kind]:
            await tx.execute(text(f"DROP TRIGGER audit_{name}{on}"))
        for statement in statements:
            await tx.execute(text(statement))


def heads_of(office: Office) -> Heads:
    path = office.deps.settings.state_dir / HEADS_FILE
    return read_heads(path.read_text().splitlines())


async def fault_of(office: Office, heads: Heads = Heads()) -> tuple[str, int] | None:  # noqa: B008
    found = (await verify(office.deps.db, heads)).fault
    return None if found is None else (found.what, found.seq)


async def test_a_log_that_nobody_touched_holds(office: Office) -> None:
    found = await verify((await with_rows(office)).deps.db, heads_of(office))

    assert (found.fault, found.head.seq, found.heads) == (None, 6, 2)


async def test_a_log_without_rows_holds(office: Office) -> None:
    assert await seal_due(office.deps) == 0
    found = await verify(office.deps.db, Heads())

    assert (found.fault, found.head) == (None, Head(0, GENESIS))


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["UPDATE audit SET staff_name = 'John' WHERE seq = 3"], ("changed", 3)),
        (["UPDATE audit SET changes = '[]' WHERE seq = 6"], ("changed", 6)),
        ([moved(6, 60)], ("removed", 6)),
        (["DELETE FROM audit WHERE seq = 1"], ("removed", 1)),
        (["DELETE FROM audit WHERE seq = 4"], ("removed", 4)),
        (
            [
                "DELETE FROM audit WHERE seq = 4",
                moved(5, 4),
                moved(6, 5),
            ],
            ("removed", 4),
        ),
        (
            [
                moved(6, 7),
                moved(5, 6),
                moved(4, 5),
                copied(3, 4),
            ],
            ("inserted", 4),
        ),
        (["DELETE FROM audit WHERE seq >= 5"], ("cut_off", 5)),
        (["DELETE FROM audit"], ("cut_off", 1)),
    ],
)
async def test_whatever_is_done_to_it_is_named(
    office: Office, statements: list[str], found: tuple[str, int]
) -> None:
    await with_rows(office)
    await tampered(office.deps.db, *statements)

    assert await fault_of(office, heads_of(office)) == found


async def test_two_rows_that_change_places_are_found(office: Office) -> None:
    await with_rows(office)
    moves = (
        "SET seq = 99 WHERE seq = 3",
        "SET seq = 3 WHERE seq = 4",
        "SET seq = 4 WHERE seq = 99",
    )
    await tampered(office.deps.db, *(f"UPDATE audit {move}" for move in moves))

    assert await fault_of(office) in {("changed", 3), ("removed", 3), ("inserted", 3)}


async def test_a_chain_that_was_made_anew_does_not_agree_with_the_heads(office: Office) -> None:
    await with_rows(office)
    async with office.deps.db.read() as tx:
        rows = await audit.sealed_rows(tx, after_seq=0, limit=100)
    previous, anew = GENESIS, []
    for row in rows:
        entry = replace(row.entry, staff_name="John") if row.seq == 4 else row.entry
        previous = hash_of(previous, entry, row.seq)
        anew.append(f"UPDATE audit SET hash = '{previous}' WHERE seq = {row.seq}")  # noqa: S608
    await tampered(office.deps.db, "UPDATE audit SET staff_name = 'John' WHERE seq = 4", *anew)

    assert await fault_of(office) is None, "in itself it holds"
    assert await fault_of(office, heads_of(office)) == ("rewritten", 6)


async def test_a_head_that_was_kept_elsewhere_is_enough(office: Office) -> None:
    await with_rows(office)
    async with office.deps.db.read() as tx:
        head = await audit.head(tx)
    await tampered(office.deps.db, "DELETE FROM audit WHERE seq = 6")

    assert await fault_of(office, Heads((head,))) == ("cut_off", 6)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET staff_name = 'John' WHERE seq = 1",
        "UPDATE audit SET seq = NULL, hash = NULL WHERE seq = 1",
        "UPDATE audit SET staff_name = 'John' WHERE seq IS NULL",
        "DELETE FROM audit WHERE seq = 1",
        "DELETE FROM audit WHERE seq IS NULL",
        copied(1, 9),
    ],
)
async def test_the_database_itself_refuses(office: Office, statement: str) -> None:
    await with_rows(office)
    with acting.acting(JANE):
        await office.keep(a_notice("f" * 32))

    with pytest.raises(DBAPIError, match="never changed"):
        async with office.deps.db.begin() as tx:
            await tx.execute(text(statement))


@pytest.mark.postgres
async def test_postgresql_refuses_to_empty_the_table(postgres_db: Database) -> None:
    with pytest.raises(DBAPIError, match="never changed"):
        async with postgres_db.begin() as tx:
            await tx.execute(text("TRUNCATE audit"))


async def test_two_controllers_that_seal_at_once_make_one_chain(office: Office) -> None:
    await office.keep(a_site())
    other = replace(office.deps, db=Database(office.deps.db.url))
    try:
        for turn in range(5):
            with acting.acting(replace(JANE, at=NOON + timedelta(minutes=turn))):
                for n in range(10):
                    await office.keep(a_notice(f"{turn:016x}{n:016x}"))
            await asyncio.gather(*(seal_due(deps) for deps in (office.deps, other) * 2))
    finally:
        await other.db.close()

    found = await verify(office.deps.db, heads_of(office))

    assert (found.fault, found.head.seq) == (None, 50)


async def test_a_head_whose_writing_was_cut_short_is_kept_the_next_time(office: Office) -> None:
    await with_rows(office)
    path = office.deps.settings.state_dir / HEADS_FILE
    path.write_text(path.read_text().splitlines()[0] + "\n")

    await seal_due(office.deps)

    assert heads_of(office).held[-1].seq == 6


async def test_after_an_older_backup_the_file_says_what_was_given_up(tmp_path: Path) -> None:
    one, two, three = (Head(n, f"{n:064x}") for n in (1, 2, 3))
    for head, word in ((one, ""), (two, ""), (three, ""), (one, "restored"), (two, "")):
        keep_head(tmp_path, head, NOON, word=word)

    found = read_heads((tmp_path / HEADS_FILE).read_text().splitlines())

    assert (found.held, found.given_up) == ((one, one, two), 2)


@pytest.mark.parametrize("line", ["", "17:abc", "2026-11-23T09:00:00+00:00 17:zz", "x y z"])
def test_a_file_that_holds_no_heads_is_refused(line: str) -> None:
    with pytest.raises(HeadsUnreadable, match="line 2"):
        read_heads([f"{NOON.isoformat()} 1:{'a' * 64}", line])


async def test_the_days_head_goes_to_whom_the_owner_named_once(office: Office) -> None:
    await with_rows(office)
    settings = office.deps.settings.model_copy(
        update={"audit": AuditSettings(heads_to="owner@example.test")}
    )
    email = MemoryEmail()
    deps = replace(office.deps, settings=settings, email=email)

    assert [await tell_head(deps), await tell_head(deps)] == [1, 0]
    await send_due(deps)
    assert "--head 6:" in email.to("owner@example.test")[0].text
