"""Sign-ins as they are kept: steps under way, sessions, known browsers, failures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from controller.store.database import inserted, inserting
from controller.store.staff_rows import (
    StaffDeviceRow,
    StaffRow,
    StaffSessionRow,
    StaffStepRow,
    StaffTryRow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import InstrumentedAttribute

    from controller.store.database import Tx

KEPT_FOR = timedelta(days=1)
"""How long failures and steps are kept that are of no use any more."""


async def session(tx: Tx, token_hash: str) -> tuple[StaffSessionRow, StaffRow] | None:
    """The session of a cookie and whose it is, or None; whether it holds is not asked here."""
    query = (
        select(StaffSessionRow, StaffRow)
        .join(StaffRow, StaffRow.id == StaffSessionRow.staff_id)
        .where(StaffSessionRow.token_hash == token_hash)
    )
    found = (await tx.execute(query)).first()
    return None if found is None else (found[0], found[1])


async def touch(tx: Tx, session_id: str, now: datetime) -> None:
    """Note that a session was used."""
    row = StaffSessionRow
    await tx.execute(
        update(row).where(row.id == session_id, row.ended_at.is_(None)).values(seen_at=now)
    )


async def sessions(tx: Tx, staff_id: str, now: datetime) -> list[StaffSessionRow]:
    """The sessions of an account that are not over, the newest first."""
    row = StaffSessionRow
    query = (
        select(row)
        .where(row.staff_id == staff_id, row.ended_at.is_(None), row.ends_at > now)
        .order_by(row.created_at.desc(), row.id)
    )
    return list(await tx.scalars(query))


async def end_session(tx: Tx, staff_id: str, session_id: str, now: datetime) -> bool:
    """End one session of an account; whether it was there and on."""
    row = StaffSessionRow
    done = await tx.execute(
        update(row)
        .where(row.id == session_id, row.staff_id == staff_id, row.ended_at.is_(None))
        .values(ended_at=now)
        .returning(row.id)
    )
    return done.first() is not None


async def step(tx: Tx, token_hash: str, now: datetime, *, lock: bool) -> StaffStepRow | None:
    """A step that waits for its answer, or None."""
    query = select(StaffStepRow).where(
        StaffStepRow.token_hash == token_hash,
        StaffStepRow.used_at.is_(None),
        StaffStepRow.expires_at > now,
    )
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return (await tx.scalars(query)).one_or_none()


async def use_step(tx: Tx, token_hash: str, now: datetime) -> bool:
    """Use a step up; False when somebody was faster, or it is over."""
    row = StaffStepRow
    done = await tx.execute(
        update(row)
        .where(row.token_hash == token_hash, row.used_at.is_(None), row.expires_at > now)
        .values(used_at=now)
        .returning(row.token_hash)
    )
    return done.first() is not None


async def keep_used_step(tx: Tx, row: StaffStepRow) -> bool:
    """Note that a step was used which was not kept before; False when somebody was faster."""
    values = {c.name: getattr(row, c.name) for c in StaffStepRow.__table__.columns}
    return await inserted(tx, StaffStepRow, **values)


async def knows(tx: Tx, login: str, mark: str) -> bool:
    """Whether the account of a login was signed in to from the browser or network of a mark."""
    query = (
        select(StaffDeviceRow.mark)
        .join(StaffRow, StaffRow.id == StaffDeviceRow.staff_id)
        .where(StaffRow.login == login, StaffDeviceRow.mark == mark)
    )
    return await tx.scalar(query) is not None


async def known(tx: Tx, staff_id: str) -> dict[str, str]:
    """The marks of browsers and networks that an account was signed in from, with their kinds."""
    query = select(StaffDeviceRow.mark, StaffDeviceRow.kind).where(
        StaffDeviceRow.staff_id == staff_id
    )
    return {found[0]: found[1] for found in await tx.execute(query)}


async def know(tx: Tx, staff_id: str, marks: Mapping[str, str], now: datetime) -> None:
    """Remember browsers and networks, by their marks with their kinds."""
    for mark, kind in marks.items():
        statement = inserting(tx, StaffDeviceRow).values(
            staff_id=staff_id, mark=mark, kind=kind, first_at=now, seen_at=now
        )
        await tx.execute(
            statement.on_conflict_do_update(
                index_elements=["staff_id", "mark"], set_={"seen_at": now}
            )
        )


async def failures(
    tx: Tx, subjects: Sequence[str], now: datetime
) -> dict[str, tuple[int, datetime]]:
    """How often each has failed, and when last; locked, in order of their names."""
    found: dict[str, tuple[int, datetime]] = {}
    for subject in sorted(subjects):
        # Whoever comes at the same moment waits here, and counts from what this one has counted.
        # Read by the statement that locks: a row may be forgotten between two.
        mine = inserting(tx, StaffTryRow).values(subject=subject, failures=0, last_at=now)
        kept = mine.on_conflict_do_update(
            index_elements=["subject"], set_={"failures": StaffTryRow.failures}
        ).returning(StaffTryRow.failures, StaffTryRow.last_at)
        failed, last_at = (await tx.execute(kept)).one()
        found[subject] = (failed, last_at)
    return found


@dataclass(frozen=True, slots=True)
class Tried:
    """Of which account, and from where, a try was; None: it is not told of by that."""

    login: str | None = None
    host: str | None = None


async def keep_failures(
    tx: Tx, counts: Mapping[str, int], now: datetime, tried: Mapping[str, Tried]
) -> None:
    """Keep how often each has failed by now; what is a day old is forgotten."""
    for subject in sorted(counts):
        of = tried.get(subject, Tried())
        told = {
            "failures": counts[subject], "last_at": now, "login": of.login, "host": of.host,
        }  # fmt: skip
        statement = inserting(tx, StaffTryRow).values(subject=subject, **told)
        await tx.execute(statement.on_conflict_do_update(index_elements=["subject"], set_=told))
    await _forget(tx, StaffTryRow.subject, StaffTryRow.last_at < now - KEPT_FOR)
    await _forget(tx, StaffStepRow.token_hash, StaffStepRow.expires_at < now - KEPT_FOR)


async def _forget(tx: Tx, key: InstrumentedAttribute[str], old: ColumnElement[bool]) -> None:
    """Delete what is old, save what somebody holds: nobody waits for it, it goes another time."""
    free = select(key).where(old).with_for_update(skip_locked=True)
    await tx.execute(delete(key.class_).where(key.in_(free)))


async def take_back(tx: Tx, subjects: Mapping[str, bool]) -> None:
    """Take back one failure of each, for it was none; all of those that are true.

    Locked in order of their names, as whoever counts does.
    """
    row = StaffTryRow
    for subject, is_whole in sorted(subjects.items()):
        left = 0 if is_whole else row.failures - 1
        query = update(row).where(row.subject == subject, row.failures > 0)
        await tx.execute(query.values(failures=left))
