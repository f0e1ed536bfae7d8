"""Maintenance windows, and messages to the customers of an area: about work, or an outage.

While a window lasts, alerts of its sites, and of those behind them, are held. Portals show it, and
customers are told beforehand where staff say so; how many messages that is, and what they cost, can
be asked first. A message to an area is written down at once and goes out bit by bit: each customer
gets it once, however often that is broken off.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.alerts.texts import TABLES
from controller.noc.text import NAIROBI
from controller.notify.gsm7 import parts
from controller.store import maintenance, operators, sites
from controller.store.alert_rows import AreaNoticeRow, MaintenanceRow
from controller.usecases import faces, works
from controller.usecases.areas import Area, sites_in
from controller.usecases.messages import queue_in
from portal.account.messages import gsm7

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.scope import Branches

WINDOW_MAX = timedelta(days=14)
BEFORE_MAX = timedelta(days=14)
LATE_MAX = timedelta(minutes=5)
"""So long before it was planned a window may have begun: no outage becomes work afterwards."""

TEXT_MAX = 200
NOTICE_MAX = 400
BATCH_MAX = 500
"""Customers that one transaction writes messages to."""

GOOD_FOR = timedelta(hours=12)
ABOUT_MAX = 40
ID_SHAPE = re.compile(r"[0-9a-f]{32}")
SECOND = timedelta(seconds=1)


class MaintenanceUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such window."""


class MaintenanceDiffers(Exception):  # noqa: N818 - a refusal, see style
    """A window of this id is there with other content."""

    field = "id"


class NoticeUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such message to an area."""


class NoticeDiffers(Exception):  # noqa: N818 - a refusal, see style
    """A message of this id is there with other content."""

    field = "id"


@dataclass(frozen=True, slots=True)
class Plan:
    """A window as staff describe it; ``id`` is made by who asks, so that it is planned once.

    ``tell_before_s`` is how long before it customers are told; None: they are not.
    """

    area: Area
    from_at: datetime
    until_at: datetime
    text_en: str
    text_sw: str = ""
    tell_before_s: int | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to an area as staff describe it; ``leaves_at`` None is now."""

    area: Area
    text_en: str
    text_sw: str = ""
    leaves_at: datetime | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a message to an area would be: how many, of how many parts in all, at what cost.

    ``cost_e4`` is in 1/10,000 KES, reckoned by what a part cost last; None where nobody told.
    """

    messages: int
    parts: int
    cost_e4: int | None
    texts: Mapping[str, str]


async def plan(
    deps: Deps, new: Plan, *, who: str = "", branches: Branches = None
) -> MaintenanceRow:
    """Plan a window, and what customers (of ``branches``) are told of it.

    The same id again changes nothing.
    Raises `InvalidField`, `SiteUnknown`, `MaintenanceDiffers`, `DatabaseBusy`.
    """
    now = deps.now()
    _check_window(new, now)
    name = _id(new.id)
    row = MaintenanceRow(
        id=name,
        site_id=new.area.site_id,
        branch_id=new.area.branch_id,
        from_at=new.from_at,
        until_at=new.until_at,
        text_en=_text("text_en", new.text_en, TEXT_MAX),
        text_sw=_text("text_sw", new.text_sw or new.text_en, TEXT_MAX),
        created_at=now,
        planned_by=who[:80],
    )
    async with deps.db.begin() as tx:
        is_new = False
        if await maintenance.window(tx, name) is None:
            _must_not_be_long_begun(new, now)
            await sites_in(tx, new.area)
            is_new = await maintenance.add(tx, row)
        kept = await maintenance.window(tx, name)
        assert kept is not None, "windows stay"
        if not is_new:
            if _described(kept) != _described(row):
                raise MaintenanceDiffers(f"maintenance {name} is there with other content")
            return kept
        if new.tell_before_s is not None:
            texts = await notice_texts(tx, deps, new)
            leaves_at = max(now, new.from_at - new.tell_before_s * SECOND)
            notice = _notice(new.area, texts, now=now, leaves_at=leaves_at, who=who, of=name)
            notice.branches = _kept(branches)
            tx.add(notice)
        told = await works.tell_in(tx, now)
    faces.wake(deps, told)
    deps.signals.wake("live")
    return kept


async def end(deps: Deps, window_id: str) -> MaintenanceRow:
    """End a window now, or call it off before it begins: then customers are not told any more.

    Repeating changes nothing. Raises `MaintenanceUnknown`, `DatabaseBusy`.
    """
    now = deps.now()
    async with deps.db.begin() as tx:
        row = await maintenance.window(tx, window_id)
        if row is None:
            raise MaintenanceUnknown(f"there is no maintenance {window_id[:40]}")
        if row.ended_at is None and now < row.until_at:
            row.ended_at = now
            for told in await maintenance.notices_of(tx, row.id):
                told.done_at = told.done_at or now
            await tx.flush()
        shown = await works.tell_in(tx, now)
    faces.wake(deps, shown)
    deps.signals.wake("live")
    return row


def ends_at(row: MaintenanceRow) -> datetime:
    """When a window really ends, or ended."""
    return row.until_at if row.ended_at is None else min(row.until_at, row.ended_at)


async def preview(deps: Deps, new: Plan | Message, *, branches: Branches = None) -> Preview:
    """What telling the customers of an area, in ``branches``, would be.

    Raises `InvalidField`, `SiteUnknown`.
    """
    if isinstance(new, Plan):
        _check_window(new, deps.now())
        _must_not_be_long_begun(new, deps.now())
    async with deps.db.read() as tx:
        area = await sites_in(tx, new.area, branches)
        found = await maintenance.customers_count(tx, area)
        texts = await notice_texts(tx, deps, new)
        cost = await maintenance.part_cost_e4(tx)
    count = sum(found.values())
    all_parts = sum(n * parts(texts.get(language, texts["en"])) for language, n in found.items())
    return Preview(count, all_parts, None if cost is None else cost * all_parts, texts)


async def tell_area(
    deps: Deps, new: Message, *, who: str = "", branches: Branches = None
) -> AreaNoticeRow:
    """Tell every customer of an area, in ``branches``, something, once each.

    The same id again changes nothing.
    Raises `InvalidField`, `SiteUnknown`, `NoticeDiffers`, `DatabaseBusy`.
    """
    now = deps.now()
    name = _id(new.id)
    async with deps.db.begin() as tx:
        await sites_in(tx, new.area)
        texts = await notice_texts(tx, deps, new)
        leaves_at = max(now, new.leaves_at or now)
        row = _notice(new.area, texts, now=now, leaves_at=leaves_at, who=who, name=name)
        row.branches = _kept(branches)
        is_new = await maintenance.add(tx, row)
        kept = await maintenance.notice(tx, name)
        assert kept is not None, "messages stay"
        if not is_new and _said(kept) != _said(row):
            raise NoticeDiffers(f"message {name} is there with other content")
    return kept


async def stop_telling(deps: Deps, notice_id: str) -> AreaNoticeRow:
    """Write to no further customer. Raises `NoticeUnknown`, `DatabaseBusy`."""
    async with deps.db.begin() as tx:
        row = await maintenance.notice(tx, notice_id)
        if row is None:
            raise NoticeUnknown(f"there is no message {notice_id[:40]}")
        row.done_at = row.done_at or deps.now()
    return row


async def tell_due(deps: Deps) -> int:
    """Write the messages to areas that are due; how many. Raises `DatabaseBusy`."""
    count = 0
    while True:
        async with deps.db.begin() as tx:
            row = await maintenance.notice_due(tx, deps.now())
            if row is None:
                return count
            count += await _write_some(tx, deps, row)


async def _write_some(tx: Tx, deps: Deps, row: AreaNoticeRow) -> int:
    """Write to the next customers, and note how far that has come."""
    now = deps.now()
    held_to = None if row.branches is None else frozenset(row.branches.split())
    area = await sites_in(tx, Area(row.site_id, row.branch_id), held_to)
    found = await maintenance.customers(tx, area, after=row.after_id, limit=BATCH_MAX)
    written = 0
    for one in found:
        written += await queue_in(
            tx,
            deps,
            site_id=row.site_id,
            msisdn=one.msisdn,
            text=row.text_sw if one.language == "sw" else row.text_en,
            about=f"area {row.id}"[:ABOUT_MAX],
            now=now,
            good_for=GOOD_FOR,
            event=f"area:{row.id}:{one.id}",
        )
    row.messages += written
    if found:
        row.after_id = found[-1].id
    if len(found) < BATCH_MAX:
        row.done_at = now
    await tx.flush()
    return written


async def notice_texts(tx: Tx, deps: Deps, new: Plan | Message) -> dict[str, str]:
    """What customers read, by language, in the alphabet of text messages."""
    if isinstance(new, Message):
        said = {"en": new.text_en, "sw": new.text_sw or new.text_en}
        return {
            language: gsm7(_text(f"text_{language}", text, NOTICE_MAX))
            for language, text in said.items()
        }
    where = await _where(tx, new.area)
    here, there = new.from_at.astimezone(NAIROBI), new.until_at.astimezone(NAIROBI)
    same_day = here.date() == there.date()
    values = {
        "operator": faces.name_of(deps.settings.operator, await operators.operator(tx))[:20],
        "where": where,
        "start": f"{here:%d %b %H:%M}",
        "end": f"{there:%H:%M}" if same_day else f"{there:%d %b %H:%M}",
    }
    said = {"en": new.text_en, "sw": new.text_sw or new.text_en}
    return {
        language: gsm7(TABLES[language]["area.maintenance"].format(**values, text=text))[
            :NOTICE_MAX
        ]
        for language, text in said.items()
    }


async def _where(tx: Tx, area: Area) -> str:
    site = None if area.site_id is None else await sites.load(tx, area.site_id)
    return "" if site is None else f"{site.name}: "


def _notice(
    area: Area,
    texts: Mapping[str, str],
    *,
    now: datetime,
    leaves_at: datetime,
    who: str,
    name: str = "",
    of: str | None = None,
) -> AreaNoticeRow:
    return AreaNoticeRow(
        id=name or secrets.token_hex(16),
        maintenance_id=of,
        site_id=area.site_id,
        branch_id=area.branch_id,
        text_en=texts["en"],
        text_sw=texts["sw"],
        created_at=now,
        leaves_at=leaves_at,
        after_id="",
        messages=0,
        asked_by=who[:80],
    )


def _said(row: AreaNoticeRow) -> tuple[object, ...]:
    return (row.site_id, row.branch_id, row.branches, row.text_en, row.text_sw)


def _kept(branches: Branches) -> str | None:
    return None if branches is None else " ".join(sorted(branches))


def _described(row: MaintenanceRow) -> tuple[object, ...]:
    return (
        row.site_id,
        row.branch_id,
        row.from_at,
        row.until_at,
        row.text_en,
        row.text_sw,
    )


def _check_window(new: Plan, now: datetime) -> None:
    if new.until_at <= max(now, new.from_at):
        raise InvalidField("until_at", "want a moment to come, after it began")
    if new.until_at - new.from_at > WINDOW_MAX:
        raise InvalidField("until_at", f"want at most {WINDOW_MAX.days} days")
    if new.from_at - now > timedelta(days=366):
        raise InvalidField("from_at", "want a moment within a year")
    _text("text_en", new.text_en, TEXT_MAX)
    _text("text_sw", new.text_sw or new.text_en, TEXT_MAX)
    before = new.tell_before_s
    if before is not None and not 0 <= before <= BEFORE_MAX // SECOND:
        raise InvalidField("tell_before_s", f"want 0 seconds to {BEFORE_MAX.days} days")


def _must_not_be_long_begun(new: Plan, now: datetime) -> None:
    if now - new.from_at > LATE_MAX:
        minutes = LATE_MAX // timedelta(minutes=1)
        raise InvalidField("from_at", f"want a moment not more than {minutes} minutes ago")


def _text(field: str, text: str, length_max: int) -> str:
    text = " ".join(text.split())
    if not text or len(text) > length_max or not text.isprintable():
        raise InvalidField(field, f"want 1 to {length_max} characters")
    return text


def _id(text: str) -> str:
    if text and not ID_SHAPE.fullmatch(text):
        raise InvalidField("id", "want 32 hexadecimal digits")
    return text or secrets.token_hex(16)
