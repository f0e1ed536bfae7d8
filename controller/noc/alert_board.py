"""Alerts as they are shown: a line for each, in the words of whoever looks. PURE."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.alerts.texts import TABLES
from controller.noc.board import Mood
from controller.noc.words import word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.store.alert_rows import AlertDeedRow, AlertRow

SEVERITIES = {"critical": Mood(word("critical"), "bad"), "warn": Mood(word("warning"), "busy")}
STATES = {
    "pending": Mood(word("not yet"), "quiet"),
    "raised": Mood(word("raised"), "bad"),
    "acknowledged": Mood(word("acknowledged"), "busy"),
    "recovered": Mood(word("over"), "good"),
}
DEEDS = {
    "raised": word("raised"),
    "again": word("raised again"),
    "worse": word("got worse"),
    "recovered": word("over"),
    "held": word("held back"),
    "freed": word("not held back any more"),
    "acknowledged": word("acknowledged"),
    "silenced": word("silenced"),
    "unsilenced": word("not silenced any more"),
    "assigned": word("assigned to"),
}


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert. ``held`` is the name of the site or window on whose account it is held, or ""."""

    id: str
    severity: Mood
    state: Mood
    site_id: str
    site: str
    text: Mapping[str, str]
    raised_at: datetime
    recovered_at: datetime | None
    silenced_until: datetime | None
    acked_by: str
    assigned_to: str
    held_site: str
    held_window: bool
    times: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class DeedLine:
    """What happened to an alert. ``who`` is "" for the controller itself."""

    at: datetime
    what: str
    who: str
    detail: str


def alert_line(row: AlertRow, names: Mapping[str, str], now: datetime) -> AlertLine:
    """An alert as a line; ``names`` are those of sites."""
    kind, _, held = row.held_by.partition(":")
    is_silenced = row.silenced_until is not None and row.silenced_until > now
    return AlertLine(
        id=row.id,
        severity=SEVERITIES[row.severity],
        state=STATES[row.state],
        site_id=row.site_id or "",
        site="" if row.site_id is None else names.get(row.site_id, row.site_id),
        text=sentences(row),
        raised_at=row.raised_at or row.bad_at,
        recovered_at=row.recovered_at,
        silenced_until=row.silenced_until if is_silenced else None,
        acked_by=row.acked_by,
        assigned_to=row.assigned_to,
        held_site=names.get(held, held) if kind == "site" else "",
        held_window=kind == "window",
        times=row.times,
        is_open=row.state in {"raised", "acknowledged"},
    )


def sentences(row: AlertRow) -> dict[str, str]:
    """What is wrong, in each language."""
    values: dict[str, str] = json.loads(row.told)
    return {
        language: table[row.rule].format(**values) if row.rule in table else row.text
        for language, table in TABLES.items()
    }


def deed_lines(rows: Sequence[AlertDeedRow]) -> tuple[DeedLine, ...]:
    """What happened, as lines."""
    return tuple(
        DeedLine(one.at, DEEDS.get(one.what, one.what), one.who, one.detail) for one in rows
    )
