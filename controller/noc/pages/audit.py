"""What staff did, newest first: who, from where, what it changed, and on to what it was about."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from billing.errors import InvalidField
from billing.period import midnight
from controller.api import pages as cursors
from controller.noc import live
from controller.noc.audit_log import AuditAsked, about_customer, audit_rows
from controller.noc.pages import held
from controller.noc.views import Mark
from controller.rights import Right
from controller.store import subscribers
from controller.usecases.subscribers import normal_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.store.audit_rows import AuditRow
    from controller.store.database import Tx

LINES = 50
CHANGES_SHOWN = 8
"""Of one deed; the API has them all."""

PAGES_OF = {
    "site": "/noc/sites/{}",
    "subscriber": "/noc/customers/{}",
    "payment": "/noc/payments/{}",
    "order": "/noc/payments/{}",
    "arrival": "/noc/payments/{}",
    "session": "/noc/sessions/{}",
}
"""Where a kind of object has a page of its own."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A column and what it held; None: nothing, or what it held is not shown."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of one row: "new", "changed" or "gone". ``hidden`` columns are never shown."""

    what: str
    table: str
    key: str
    cells: tuple[Cell, ...]
    hidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of the page. ``href`` is the page of what it was about, or ""."""

    id: str
    at: datetime
    who: str
    address: str
    what: str
    about_kind: str
    about_id: str
    href: str
    result: str
    changes: tuple[Changed, ...]
    more: int
    seq: int | None


@dataclass(frozen=True, slots=True)
class Log:
    """One page of the log, and how to go on."""

    now: datetime
    deeds: tuple[Deed, ...]
    wanted: Mapping[str, str]
    older: str
    is_first: bool


async def look(asked: live.Asked) -> Log:
    """The log, narrowed to what the address says."""
    held.must_be_of_all(asked.who)
    after = cursors.read(asked.query.get("cursor", ""))
    async with asked.deps.db.read() as tx:
        wanted = await _widened(tx, _wanted(asked.query))
        rows = await audit_rows(tx, wanted, after=after, limit=LINES)
    return Log(
        now=asked.now,
        deeds=tuple(map(deed_of, rows)),
        wanted=asked.query,
        older=_older(asked.query, rows),
        is_first=after is None,
    )


async def _widened(tx: Tx, wanted: AuditAsked) -> AuditAsked:
    """About a customer is also what is about their grants, sessions and payments."""
    kind, _, name = wanted.about.partition(":")
    if kind != "subscriber" or not name:
        return wanted
    row = await subscribers.by_phone(tx, normal_name(name)) or await subscribers.by_id(tx, name)
    return wanted if row is None else replace(wanted, names=await about_customer(tx, row))


def deed_of(row: AuditRow) -> Deed:
    """A row as people read it."""
    told: list[dict[str, Any]] = json.loads(row.changes)
    changes = [_changed(one) for one in told if "more" not in one]
    counted = sum(sum(one["more"].values()) for one in told if "more" in one)
    page = PAGES_OF.get(row.about_kind, "")
    return Deed(
        id=row.id,
        at=row.at,
        who=row.staff_name,
        address=row.address,
        what=row.code.replace("_", " ") or row.route,
        about_kind=row.about_kind,
        about_id=row.about_id,
        href=page.format(quote(row.about_id, safe="")) if row.about_id else "",
        result=row.result,
        changes=tuple(changes[:CHANGES_SHOWN]),
        more=counted + max(0, len(changes) - CHANGES_SHOWN),
        seq=row.seq,
    )


def _changed(one: Mapping[str, Any]) -> Changed:
    before, after = one.get("before"), one.get("after")
    names = list(dict.fromkeys([*(before or {}), *(after or {})]))
    cells = [Cell(name, _text(before, name), _text(after, name)) for name in names]
    key = " ".join(str(part) for part in (one.get("key") or {}).values() if part is not None)
    what = "new" if before is None else "gone" if after is None else "changed"
    return Changed(
        what=what if "table" in one else "note",
        table=str(one.get("table") or one.get("note", "")).replace("_", " "),
        key=key,
        cells=tuple(cell for cell in cells if (cell.before, cell.after) != (None, None)),
        hidden=tuple(one.get("hidden", ())),
    )


def _text(values: Mapping[str, Any] | None, name: str) -> str | None:
    value = (values or {}).get(name)
    return None if value is None else str(value)


def _wanted(query: Mapping[str, str]) -> AuditAsked:
    since = until = None
    if query.get("day"):
        day = _day(query["day"])
        since, until = midnight(day), midnight(day + timedelta(days=1))
    return AuditAsked(
        query.get("who", ""), query.get("about", ""), query.get("what", ""), since, until
    )


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
        midnight(day + timedelta(days=1))
    except (ValueError, OverflowError) as strange:
        raise InvalidField("day", "want a day like 2026-11-03") from strange
    return day


def _older(query: Mapping[str, str], rows: list[AuditRow]) -> str:
    if len(rows) < LINES:
        return ""
    kept = {name: value for name, value in query.items() if name != "cursor"}
    last = rows[-1]
    return "?" + urlencode({**kept, "cursor": cursors.written(Mark(last.at, last.id))})


router = live.pages(
    live.View(
        name="audit",
        path="/noc/audit",
        right=Right.SEE_AUDIT,
        look=look,
        template="audit/page.html",
        panels=("audit/lines.html",),
        every_s=5.0,
    ),
)
