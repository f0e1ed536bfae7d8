"""Messages about alerts: who is to be told is decided and written down with what they are told of.

They are written in the look's own transaction and leave after it by the outboxes of text messages,
letters and webhooks. An event has one message to a route, however often anything is retried.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.alerts.rules import Severity
from controller.alerts.telling import Kind, Route, Told, due
from controller.alerts.texts import TABLES
from controller.noc.text import NAIROBI, span
from controller.notify.email import EmailOut
from controller.notify.gsm7 import GSM7_ALONE, is_gsm7
from controller.store import alerts, webhooks
from controller.store.alert_rows import AlertToldRow
from controller.usecases.emails import email_in
from controller.usecases.messages import queue_in
from portal.account.messages import gsm7

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.alert_rows import AlertRouteRow, AlertRow
    from controller.store.database import Tx
    from controller.usecases.alert_facts import Looked

TOGETHER_FROM = 4
"""So many alerts at once are one message to a route: the controller's own link may be down."""

NAMED_MAX = 5
GOOD_FOR = timedelta(hours=2)
"""An SMS about an alert that could not leave for so long is of no use."""

OPERATOR_MAX = 20
SUBJECT_MAX = 40
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Message:
    """One alert that one route is to be told of."""

    row: AlertRow
    kind: Kind
    n: int


async def tell_in(tx: Tx, deps: Deps, looked: Looked, *, now: datetime) -> int:
    """Write down every message that is due; how many, within the caller's transaction."""
    routes = [one for one in await alerts.routes(tx) if not one.stopped]
    if not routes:
        return 0
    await tx.flush()
    rows = {row.id: row for row in await alerts.open_alerts(tx)}
    rows |= {row.id: row for row in await alerts.owing(tx)}
    told = await alerts.told(tx, rows.keys())
    names = {site.id: site.name for site in looked.sites.values()}
    count = 0
    for route in routes:
        found = _due_of(route, rows.values(), told, looked, now)
        for message in found:
            _note_told(tx, route, message, told.get((message.row.id, route.id)), now)
        count += await _written(tx, deps, route, found, names=names, now=now)
    return count


def _due_of(
    row: AlertRouteRow,
    found: Iterable[AlertRow],
    told: Mapping[tuple[str, str], AlertToldRow],
    looked: Looked,
    now: datetime,
) -> list[Message]:
    """What a route is to be told now, the worst first."""
    route = as_route(row)
    here = now.astimezone(NAIROBI)
    messages = []
    for one in found:
        site = None if one.site_id is None else looked.sites.get(one.site_id)
        last = told.get((one.id, row.id))
        alert = alerts.as_alert(one)
        branch_id = None if site is None else site.branch_id
        kind = due(
            alert,
            None if last is None else Told(Kind(last.kind), Severity(last.severity), last.bad_at),
            route,
            now,
            minute=here.hour * 60 + here.minute,
            concerns=route.concerns(alert, site_id=one.site_id, branch_id=branch_id),
        )
        if kind is not None:
            messages.append(Message(one, kind, 1 if last is None else last.n + 1))
    return sorted(messages, key=lambda each: (each.row.severity, each.row.id))


def as_route(row: AlertRouteRow) -> Route:
    """A route as it is reckoned with."""
    return Route(
        least=Severity(row.severity),
        site_id=row.site_id,
        branch_id=row.branch_id,
        from_minute=row.from_minute,
        until_minute=row.until_minute,
        after_s=row.after_s,
    )


def _note_told(
    tx: Tx, route: AlertRouteRow, message: Message, last: AlertToldRow | None, now: datetime
) -> None:
    is_over = message.kind is Kind.RESOLVED
    if last is None:
        assert not is_over, "who was not told that it began need not hear that it ended"
        last = AlertToldRow(alert_id=message.row.id, route_id=route.id)
        tx.add(last)
    last.kind, last.n, last.severity = message.kind.value, message.n, message.row.severity
    if not is_over:
        last.bad_at = now


async def _written(
    tx: Tx,
    deps: Deps,
    route: AlertRouteRow,
    found: Sequence[Message],
    *,
    names: Mapping[str, str],
    now: datetime,
) -> int:
    """Write the messages of a route down: one by one, or together when there are many."""
    if not found:
        return 0
    if route.kind == "webhook":
        for one in found:
            body = payload(one.row, one.kind, names, now)
            await webhook_in(tx, deps, route, _event(route, one), body=body, now=now)
        return len(found)
    for group in [found] if len(found) >= TOGETHER_FROM else [[one] for one in found]:
        lines = [text_of(deps, one.row, one.kind, route.language, names) for one in group]
        about = f"alert {group[0].row.id}" if len(group) == 1 else f"{len(group)} alerts"
        event = _event(route, *group)
        if route.kind == "sms":
            text = lines[0] if len(group) == 1 else _together(deps, group, route.language, names)
            await sms_in(tx, deps, route, text, about=about, event=event, now=now)
        else:
            subject = _subject_line(group, route.language, names)
            await letter_in(tx, deps, route, subject, lines, about=about, event=event, now=now)
    return len(found)


def _event(route: AlertRouteRow, *messages: Message) -> str:
    """The name of what is told, the same however often it is retried."""
    told = "\n".join(f"{one.row.id}:{one.n}" for one in messages)
    return f"alert:{route.id}:{hashlib.sha256(told.encode()).hexdigest()[:40]}"


def subject_of(row: AlertRow, names: Mapping[str, str], language: str) -> str:
    """What an alert is about, as people call it."""
    if row.site_id is None:
        return TABLES.get(language, TABLES["en"])["office"]
    return names.get(row.site_id, row.site_id)


def sentence_of(row: AlertRow, language: str) -> str:
    """What is wrong, in a language; as it was written down where the rule is no more."""
    table = TABLES.get(language, TABLES["en"])
    values: dict[str, str] = json.loads(row.told)
    return table[row.rule].format(**values) if row.rule in table else row.text


def text_of(deps: Deps, row: AlertRow, kind: Kind, language: str, names: Mapping[str, str]) -> str:
    """One alert in one line."""
    table = TABLES.get(language, TABLES["en"])
    lasted = (row.recovered_at or row.bad_at) - row.bad_at
    return table[kind.value].format(
        operator=deps.settings.operator.name[:OPERATOR_MAX],
        severity=table[row.severity],
        subject=subject_of(row, names, language)[:SUBJECT_MAX],
        text=sentence_of(row, language),
        span=span(lasted // SECOND),
    )


def _together(deps: Deps, group: Sequence[Message], language: str, names: Mapping[str, str]) -> str:
    """Many alerts in one text message: how many of which kind, and the first sites."""
    table = TABLES.get(language, TABLES["en"])
    over = sum(one.kind is Kind.RESOLVED for one in group)
    first = ", ".join(subject_of(one.row, names, language) for one in group[:NAMED_MAX])
    return table["together"].format(
        operator=deps.settings.operator.name[:OPERATOR_MAX],
        raised=len(group) - over,
        over=over,
        first=first,
    )


def _subject_line(group: Sequence[Message], language: str, names: Mapping[str, str]) -> str:
    table = TABLES.get(language, TABLES["en"])
    first = group[0]
    line = table[f"mail.{first.kind.value}"].format(subject=subject_of(first.row, names, language))
    return line if len(group) == 1 else f"{line} (+{len(group) - 1})"


async def sms_in(
    tx: Tx, deps: Deps, route: AlertRouteRow, text: str, *, about: str, event: str, now: datetime
) -> None:
    """Write a text message down: one part of it, cut where it is longer."""
    plain = gsm7(text)
    assert is_gsm7(plain), "spelt in the alphabet of text messages"
    await queue_in(
        tx,
        deps,
        site_id=None,
        msisdn=target_of(deps, route),
        text=plain[:GSM7_ALONE],
        about=about,
        now=now,
        good_for=GOOD_FOR,
        event=event,
    )


async def letter_in(
    tx: Tx,
    deps: Deps,
    route: AlertRouteRow,
    subject: str,
    lines: Sequence[str],
    *,
    about: str,
    event: str,
    now: datetime,
) -> None:
    """Write a letter down."""
    out = EmailOut(to=target_of(deps, route), subject=subject, text="\n".join(lines) + "\n")
    await email_in(tx, deps, out, subscriber_id=None, about=about, event=event, now=now)


async def webhook_in(
    tx: Tx,
    deps: Deps,
    route: AlertRouteRow,
    event: str,
    *,
    body: dict[str, object],
    now: datetime,
) -> None:
    """Write a webhook down."""
    await webhooks.add(
        tx,
        webhook_id=f"msg_{secrets.token_hex(16)}",
        route_id=route.id,
        event=event,
        about=str(body["type"]),
        sealed=deps.vault.seal(json.dumps(body, ensure_ascii=False).encode()),
        now=now,
    )


def target_of(deps: Deps, route: AlertRouteRow) -> str:
    """Where a route leads to."""
    return deps.vault.unseal(route.target).decode()


def payload(
    row: AlertRow, kind: Kind, names: Mapping[str, str], now: datetime
) -> dict[str, object]:
    """What a webhook says (Standard Webhooks, "Payload structure")."""
    return {
        "type": f"alert.{kind.value}",
        "timestamp": _written_at(now),
        "data": {
            "id": row.id,
            "rule": row.rule,
            "severity": row.severity,
            "state": row.state,
            "site_id": row.site_id,
            "site_name": None if row.site_id is None else names.get(row.site_id),
            "text": sentence_of(row, "en"),
            "raised_at": _written_at(row.raised_at),
            "recovered_at": _written_at(row.recovered_at),
        },
    }


def _written_at(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
