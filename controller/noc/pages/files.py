"""Lists as files: the whole of what a page is narrowed to, as CSV, sent while it is read.

A part of the list is read at a time, each by a transaction of its own, from after the last row of
the part before: a file as long as the business holds neither memory nor the database. Lists are
newest first here, whatever their page is sorted by, so that no row is told twice or left out.
Who asked for a file, and of what, stands in the audit log before the first row is sent.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotations
from fastapi.responses import StreamingResponse

from billing.period import NAIROBI
from controller.acting import telling
from controller.api.needs import who_asks
from controller.api.papers import CSV
from controller.api.reach import must_have
from controller.noc import accounts, paint, voucher_views
from controller.noc import live as page
from controller.noc.page import preferences_of
from controller.noc.pages import customers, payments, sessions, vouchers
from controller.noc.people_board import dialled, session_line
from controller.noc.views import Mark
from controller.reports.table import Kind, harmless, plain
from controller.rights import Right
from controller.store import audit, live
from controller.store import customers as people
from controller.usecases import meant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from datetime import datetime

    from controller.noc.live import Asked
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow

PART_ROWS = 500
FOUND_MAX = 5_000
"""A search by name or phone finds no more: who wants everybody searches for nothing."""

Cells = tuple[str | int, ...]
Part = tuple[list[Cells], "Mark | None"]
"""Rows, and where the next part begins; None: these are the last."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How private things stand in a file: whole, or covered where the screen covers them."""

    is_covered: bool

    def name(self, text: str) -> str:
        """Somebody's name, or what else is theirs."""
        return paint.private(text, redacted=self.is_covered)

    def phone(self, msisdn: str) -> str:
        """A phone as people dial it: a spreadsheet would take bare digits for a number."""
        if self.is_covered and msisdn:
            return paint.phone(msisdn, redacted=True)
        return dialled(msisdn) if msisdn.isdigit() else msisdn

    def money(self, minor: int) -> str:
        """An amount, in shillings."""
        return paint.COVER * 4 if self.is_covered else plain(minor, Kind.MONEY)


@dataclass(frozen=True, slots=True)
class File:
    """A list as a file. ``part`` reads the rows after a mark, and is told how they are shown."""

    name: str
    right: Right
    heads: Callable[[Asked], Cells]
    part: Callable[[Asked, Shown, Mark | None], Awaitable[Part]]


def _next(rows: Sequence[object], at: datetime, key: str) -> Mark | None:
    return Mark(at, key) if len(rows) == PART_ROWS else None


def _at(moment: datetime | None) -> str:
    """A moment in Nairobi, as spreadsheets read it."""
    return "" if moment is None else f"{moment.astimezone(NAIROBI):%Y-%m-%d %H:%M:%S}"


async def _payments(asked: Asked, shown: Shown, after: Mark | None) -> Part:
    async with asked.deps.db.read() as tx:
        lines = await payments.lines_of(
            tx,
            payments.wanted_of(asked),
            branches=asked.who.branches,
            after=after,
            limit=PART_ROWS,
        )
    rows: list[Cells] = [
        (
            _at(p.at), p.mood.word, p.why, shown.money(p.amount_minor), p.currency,
            shown.phone(p.phone), shown.name(p.name), p.purpose, p.plan, p.site, p.rail,
            p.receipt, "" if p.waited_s is None else p.waited_s, p.id,
        )
        for p in lines
    ]  # fmt: skip
    return rows, _next(lines, lines[-1].at, lines[-1].id) if lines else None


async def _sessions(asked: Asked, shown: Shown, after: Mark | None) -> Part:
    async with asked.deps.db.read() as tx:
        found = await live.lives(
            tx,
            sessions.wanted_of(asked.query),
            sort=live.Sort.NEWEST,
            branches=asked.who.branches,
            after=None if after is None else (after.at, after.id),
            limit=PART_ROWS,
        )
    rows: list[Cells] = [
        (
            s.mac, shown.phone(s.msisdn), shown.name(s.name), s.site, s.plan, s.addresses,
            _at(s.opened_at), s.used_bytes, _known(s.down_bps), _known(s.up_bps),
            _left(s.time_left.amount), _left(s.data_left.amount), s.id,
        )
        for s in map(session_line, found)
    ]  # fmt: skip
    return rows, _next(found, found[-1].row.opened_at, found[-1].row.id) if found else None


def _known(bps: int | None) -> str | int:
    return "" if bps is None else bps


def _left(amount: int | None) -> str | int:
    return "" if amount is None else amount


async def _customers(asked: Asked, shown: Shown, after: Mark | None) -> Part:
    typed = meant.meant(asked.query.get("q", ""))
    async with asked.deps.db.read() as tx:
        rows = await _people(tx, asked, typed, after)
        views = [
            view
            for start in range(0, len(rows), PART_ROWS)
            for view in await accounts.with_money(tx, rows[start : start + PART_ROWS])
        ]
    may_money = asked.who.may(Right.SEE_MONEY)
    lines: list[Cells] = [
        (
            *_person(view.row, shown),
            *((shown.money(view.wallet_minor), shown.money(view.owed_minor)) if may_money else ()),
        )
        for view in views
    ]
    if not rows or typed.text:
        return lines, None
    return lines, _next(rows, rows[-1].created_at, rows[-1].id)


async def _people(
    tx: Tx, asked: Asked, typed: meant.Meant, after: Mark | None
) -> list[SubscriberRow]:
    wanted, branches = customers.wanted_of(asked.query), asked.who.branches
    if typed.text:
        return await people.found(tx, typed, wanted, branches=branches, limit=FOUND_MAX)
    mark = None if after is None else (after.at, after.id)
    return await people.page(tx, wanted, branches=branches, after=mark, limit=PART_ROWS)


def _person(row: SubscriberRow, shown: Shown) -> Cells:
    return (
        shown.name(row.name), shown.phone(row.msisdn), shown.name(row.email),
        shown.name(row.address), row.segment, row.branch_id, row.language, _at(row.created_at),
        row.id,
    )  # fmt: skip


async def _vouchers(asked: Asked, shown: Shown, after: Mark | None) -> Part:
    async with asked.deps.db.read() as tx:
        found = await voucher_views.batch_lines(tx, after=after, limit=PART_ROWS)
    rows: list[Cells] = [
        (
            b.name, b.mood.word, b.plan, shown.money(b.price_minor), b.currency, b.made, b.sold,
            b.redeemed, b.left, _at(b.created_at), _at(b.expires_at),
        )
        for b in (vouchers.batch_of(line, asked.now) for line in found)
    ]  # fmt: skip
    if not found:
        return rows, None
    return rows, _next(found, found[-1].batch.created_at, found[-1].batch.batch)


def _person_heads(asked: Asked) -> Cells:
    known = ("name", "phone", "email", "address", "segment", "branch", "language", "since", "id")
    return (*known, *(("wallet", "owes") if asked.who.may(Right.SEE_MONEY) else ()))


PAYMENT_HEADS = (
    "at", "state", "why", "amount", "currency", "phone", "name", "purpose", "plan", "site", "rail",
    "receipt", "online_after_s", "id",
)  # fmt: skip
SESSION_HEADS = (
    "mac", "phone", "name", "site", "plan", "addresses", "since", "used_bytes", "down_bps",
    "up_bps", "time_left_s", "data_left_bytes", "id",
)  # fmt: skip
BATCH_HEADS = (
    "batch", "state", "plan", "price", "currency", "made", "sold", "used", "left", "made_at",
    "good_until",
)  # fmt: skip

FILES = (
    File("payments", Right.SEE_MONEY, lambda _: PAYMENT_HEADS, _payments),
    File("sessions", Right.SEE_SESSIONS, lambda _: SESSION_HEADS, _sessions),
    File("customers", Right.SEE_CUSTOMERS, _person_heads, _customers),
    File("vouchers", Right.SEE_VOUCHERS, lambda _: BATCH_HEADS, _vouchers),
)

router = page.pages()


def _sender(of: File) -> Callable[[Request], Awaitable[StreamingResponse]]:
    async def sent(request: Request) -> StreamingResponse:
        who = await who_asks(request)
        must_have(who, of.right)
        asked = page.asked_of(request, who)
        shown = Shown(preferences_of(request).redacted)
        first = await of.part(asked, shown, None)
        await _told(request, asked, of, shown)
        name = f"{of.name}-{asked.now.astimezone(NAIROBI):%Y-%m-%d-%H%M}.csv"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        }
        return StreamingResponse(_written(of, asked, shown, first), media_type=CSV, headers=headers)

    return sent


async def _told(request: Request, asked: Asked, of: File, shown: Shown) -> None:
    """Say in the audit log who takes what with them."""
    with telling(request.scope):
        async with asked.deps.db.begin() as tx:
            narrowed = {**asked.query, "covered": shown.is_covered}
            audit.note(tx, "file_sent", ("file", of.name), after=narrowed)


async def _written(of: File, asked: Asked, shown: Shown, first: Part) -> AsyncIterator[bytes]:
    yield "\ufeff".encode() + _lines([of.heads(asked)])
    rows, after = first
    yield _lines(rows)
    while after is not None:
        rows, after = await of.part(asked, shown, after)
        yield _lines(rows)


def _lines(rows: Sequence[Cells]) -> bytes:
    out = StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(map(_harmless, rows))
    return out.getvalue().encode()


def _harmless(row: Cells) -> Iterator[str | int]:
    return (harmless(cell) if isinstance(cell, str) else cell for cell in row)


for one in FILES:
    router.add_api_route(f"/noc/{one.name}.csv", _sender(one), methods=["GET"], response_model=None)
