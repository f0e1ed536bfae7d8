"""Settings that were chosen on screen, as they are kept: plain ones as JSON, secrets sealed."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, delete, inspect, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from controller.store.chosen_rows import ChosenRow, SetupNoteRow
from controller.store.database import inserted, upsert_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta

    from controller.store.database import Tx

CONNECT_MAX_S = 5


class ChoicesUnreadable(Exception):  # noqa: N818 - a sentence
    """The database does not answer; the message has the driver's own words."""


async def every(tx: Tx) -> list[ChosenRow]:
    """All of them, by key."""
    return list(await tx.scalars(select(ChosenRow).order_by(ChosenRow.name)))


async def put(
    tx: Tx, name: str, *, value: str | None = None, sealed: bytes | None = None, now: datetime
) -> None:
    """Keep a choice in place of an earlier one."""
    kept: dict[str, object] = {"name": name, "value": value, "sealed": sealed, "chosen_at": now}
    await upsert_many(tx, ChosenRow, keys=("name",), values=[kept])


async def forget(tx: Tx, names: Iterable[str]) -> None:
    """Let the usual hold again."""
    await tx.execute(delete(ChosenRow).where(ChosenRow.name.in_(list(names))))


def mark_of(rows: Iterable[ChosenRow]) -> str:
    """What tells one set of choices from another; "" for none. Tells nothing of the values."""
    text = "\0".join(
        f"{row.name}\0{row.value}\0{row.sealed.hex() if row.sealed else ''}" for row in rows
    )
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def every_at_start(database_url: str) -> list[ChosenRow]:
    """All of them, for who has no `Database`. Takes the same URL. Raises `ChoicesUnreadable`."""
    with _session(database_url) as session:
        rows = list(session.scalars(select(ChosenRow).order_by(ChosenRow.name)))
        session.expunge_all()
        return rows


def forget_here(database_url: str, names: Iterable[str]) -> int:
    """Let the usual hold again, for who has no `Database`; how many there were.

    Raises `ChoicesUnreadable`.
    """
    with _session(database_url) as session:
        found = list(session.scalars(select(ChosenRow).where(ChosenRow.name.in_(list(names)))))
        for row in found:
            session.delete(row)
        session.commit()
        return len(found)


@contextmanager
def _session(database_url: str) -> Iterator[Session]:
    url = database_url.replace("+aiosqlite", "")
    wait = {"connect_timeout": CONNECT_MAX_S} if url.startswith("postgresql") else {}
    engine = create_engine(url, connect_args=wait)
    try:
        with Session(engine) as session:
            yield session
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or type(error).__name__)
        raise ChoicesUnreadable(cause.splitlines()[0]) from error
    finally:
        engine.dispose()


def has_table(database_url: str) -> bool:
    """Whether choices can be kept there yet. Raises `ChoicesUnreadable`."""
    with _session(database_url) as session:
        return inspect(session.connection()).has_table(ChosenRow.__tablename__)


async def note(tx: Tx, name: str, told: str, now: datetime) -> None:
    """Keep what a step has seen, in place of what it saw before."""
    kept: dict[str, object] = {"name": name, "at": now, "told": told}
    await upsert_many(tx, SetupNoteRow, keys=("name",), values=[kept])


async def take_turn(tx: Tx, name: str, holder: str, now: datetime, *, lasts: timedelta) -> bool:
    """Whether it is this process's turn to do what only one of all does at a time.

    It is until `end_turn`, and no longer than ``lasts``: a process may die in its turn.
    """
    row = SetupNoteRow
    if await inserted(tx, row, name=name, at=now, told=holder):
        return True
    free = or_(row.told == holder, row.at < now - lasts)
    taken = update(row).where(row.name == name, free).values(at=now, told=holder)
    return (await tx.execute(taken.returning(row.name))).first() is not None


async def end_turn(tx: Tx, name: str, holder: str) -> None:
    """Let others have their turn; nothing when it is not this process's."""
    row = SetupNoteRow
    await tx.execute(delete(row).where(row.name == name, row.told == holder))


async def notes(tx: Tx) -> dict[str, SetupNoteRow]:
    """What every step has seen."""
    return {row.name: row for row in await tx.scalars(select(SetupNoteRow))}


async def forget_note(tx: Tx, name: str) -> None:
    """Take back what a step had seen."""
    await tx.execute(delete(SetupNoteRow).where(SetupNoteRow.name == name))
