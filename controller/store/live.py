"""Who is online: live sessions by what staff ask for. Cost follows who is online, not who is known.

The usual order is that of an index. By use or by speed all live sessions are looked through: they
are thousands where subscribers are hundreds of thousands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, func, literal, or_, select

from controller.store.rows import GrantRow, PlanRow, SessionRow, SubscriberRow
from controller.store.scope import within
from controller.store.series_rows import SessionPaceRow
from controller.store.site_rows import SiteRow

if TYPE_CHECKING:
    from controller.store.database import Tx
    from controller.store.scope import Branches

    Query = Select[*tuple[Any, ...]]


class Sort(StrEnum):
    """In which order live sessions are listed."""

    NEWEST = "newest"
    MOST = "most"
    FASTEST = "fastest"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which sessions are wanted; "" is all. ``phone`` is the beginning of one, ``mac`` a part."""

    site_id: str = ""
    plan_id: str = ""
    phone: str = ""
    mac: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """A session with whose it is and how fast; ``mark`` is what it is sorted by, for a cursor."""

    row: SessionRow
    grant: GrantRow | None
    plan: PlanRow | None
    subscriber: SubscriberRow | None
    site_name: str
    down_bps: int | None
    up_bps: int | None
    mark: Any


async def session(tx: Tx, session_id: str) -> SessionRow | None:
    """A session, or None."""
    return await tx.get(SessionRow, session_id)


async def one(tx: Tx, session_id: str, branches: Branches) -> Live | None:
    """A session with all that is shown of it; None also when it is of another branch."""
    query = _lives(SessionRow.opened_at).where(SessionRow.id == session_id)
    found = (await tx.execute(query.where(within(SessionRow, branches)))).first()
    return None if found is None else Live(*found)


async def lives(
    tx: Tx, wanted: Filter, *, sort: Sort, branches: Branches, after: tuple[Any, str] | None,
    limit: int,
) -> list[Live]:  # fmt: skip
    """Live sessions, from after a mark and an id."""
    mark = _marks()[sort]
    query = _lives(mark).where(SessionRow.closed_at.is_(None), *_wanted(wanted))
    query = query.where(within(SessionRow, branches))
    if after is not None:
        at, key = after
        query = query.where(or_(mark < at, and_(mark == at, SessionRow.id < key)))
    query = query.order_by(mark.desc(), SessionRow.id.desc()).limit(limit)
    return [Live(*line) for line in await tx.execute(query)]


async def of_grants(tx: Tx, grant_ids: list[str], *, limit: int) -> list[Live]:
    """Sessions of grants, the live ones first, then the newest."""
    query = _lives(SessionRow.opened_at).where(SessionRow.grant_id.in_(grant_ids))
    order = (SessionRow.closed_at.is_not(None), SessionRow.opened_at.desc(), SessionRow.id)
    return [Live(*line) for line in await tx.execute(query.order_by(*order).limit(limit))]


async def count(tx: Tx, wanted: Filter, branches: Branches) -> int:
    """How many sessions are live, of those that are wanted."""
    query = select(func.count()).select_from(SessionRow)
    if wanted.plan_id or wanted.phone:
        query = query.outerjoin(GrantRow, GrantRow.id == SessionRow.grant_id)
    if wanted.phone:
        query = query.outerjoin(SubscriberRow, SubscriberRow.id == GrantRow.subscriber_id)
    query = query.where(SessionRow.closed_at.is_(None), *_wanted(wanted))
    return int((await tx.execute(query.where(within(SessionRow, branches)))).scalar_one())


def _marks() -> dict[Sort, Any]:
    return {
        Sort.NEWEST: SessionRow.opened_at,
        Sort.MOST: SessionRow.down_bytes + SessionRow.up_bytes,
        Sort.FASTEST: func.coalesce(SessionPaceRow.down_bps + SessionPaceRow.up_bps, literal(0)),
    }


def _lives(mark: Any) -> Query:
    pace = SessionPaceRow
    return (
        select(
            SessionRow,
            GrantRow,
            PlanRow,
            SubscriberRow,
            SiteRow.name,
            pace.down_bps,
            pace.up_bps,
            mark.label("mark"),
        )
        .join(SiteRow, SiteRow.id == SessionRow.site_id)
        .outerjoin(pace, pace.session_id == SessionRow.id)
        .outerjoin(GrantRow, GrantRow.id == SessionRow.grant_id)
        .outerjoin(PlanRow, PlanRow.id == GrantRow.plan_id)
        .outerjoin(SubscriberRow, SubscriberRow.id == GrantRow.subscriber_id)
    )


def _wanted(wanted: Filter) -> list[Any]:
    found: list[Any] = []
    if wanted.site_id:
        found.append(SessionRow.site_id == wanted.site_id)
    if wanted.plan_id:
        found.append(GrantRow.plan_id == wanted.plan_id)
    if wanted.phone:
        found.append(SubscriberRow.msisdn.startswith(wanted.phone, autoescape=True))
    if wanted.mac:
        found.append(SessionRow.mac.contains(wanted.mac, autoescape=True))
    return found


async def sites(tx: Tx, branches: Branches, *, limit: int) -> tuple[tuple[str, str], ...]:
    """The sites of these branches to choose from: id and name, by name."""
    query = select(SiteRow.id, SiteRow.name).where(within(SiteRow, branches))
    found = await tx.execute(query.order_by(SiteRow.name, SiteRow.id).limit(limit))
    return tuple((site_id, name) for site_id, name in found)
