"""From what the database knows to the facts that alerts are judged by: one look at everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.alerts.rules import (
    OFFICE_RULES,
    SITE_RULES,
    Mood,
    OfficeFacts,
    Seen,
    SiteFacts,
)
from controller.noc import text
from controller.store import alert_facts as kept
from controller.store import backups, maintenance
from controller.usecases.areas import Area, line_of
from controller.usecases.outages import DOWN_AFTER
from controller.usecases.together import SOURCE as CALLBACK

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from controller.alerts.rules import Thresholds
    from controller.store.alert_facts import SiteSigns
    from controller.store.database import Tx
    from controller.store.series_rows import SiteVitalsRow

SECOND = timedelta(seconds=1)
HEARD_S = 30
"""A site that said something so shortly ago is there."""

OFFICE = ""
"""The subject of alerts that are of no site."""

SMS_BALANCE = "sms_balance"
READING_HOLDS = timedelta(hours=6)
"""A figure that somebody told is believed for so long."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One look: every site as it is, what is known of it, and of the business."""

    sites: Mapping[str, SiteSigns]
    facts: Mapping[str, SiteFacts]
    office: OfficeFacts
    silent: frozenset[str] = field(default_factory=frozenset)
    """Sites that were not heard for so long that those behind them may be silent by it."""

    windows: tuple[tuple[str, Area], ...] = ()
    """What is worked on just now, by the id of its window."""

    off: frozenset[str] = frozenset()
    """Rules that the operator does not want."""

    def held_by(self, subject: str) -> str:
        """On whose account nobody is told of a subject's alerts now; "" nobody's.

        ``window:ID`` where somebody works on it, or on what it is reached through; ``site:ID`` for
        the highest silent site through which it is reached.
        """
        line = line_of(self.sites, subject)
        for window_id, area in self.windows:
            if area.covers(line):
                return f"window:{window_id}"
        silent = [one.id for one in line[1:] if one.id in self.silent]
        return f"site:{silent[-1]}" if silent else ""

    def bad(self, thresholds: Thresholds) -> dict[tuple[str, str], Seen]:
        """What is bad now, by rule and subject."""
        found = {}
        for site_id, facts in self.facts.items():
            for rule in SITE_RULES:
                seen = rule.judge(facts, thresholds)
                if seen.mood is Mood.BAD and rule.name not in self.off:
                    found[rule.name, site_id] = seen
        for office_rule in OFFICE_RULES:
            seen = office_rule.judge(self.office, thresholds)
            if seen.mood is Mood.BAD and office_rule.name not in self.off:
                found[office_rule.name, OFFICE] = seen
        return found

    def seen(self, rule_name: str, subject: str, thresholds: Thresholds) -> Seen:
        """What one rule says of one subject; nothing of a rule that is no more."""
        if rule_name in self.off:
            return Seen(Mood.WELL)
        for rule in SITE_RULES:
            if rule.name == rule_name and subject in self.facts:
                return rule.judge(self.facts[subject], thresholds)
        for office_rule in OFFICE_RULES:
            if office_rule.name == rule_name and subject == OFFICE:
                return office_rule.judge(self.office, thresholds)
        return Seen(Mood.WELL)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found of all sites, by their ids."""

    ends: Mapping[str, datetime]
    tries: Mapping[str, int]
    users: Mapping[str, int]
    users_then: Mapping[str, list[int]]
    vitals: Mapping[str, SiteVitalsRow]
    rates: Mapping[str, int]
    rates_then: Mapping[str, list[int]]

    def of(self, site: SiteSigns, now: datetime, since: datetime) -> SiteFacts:
        """The facts of one site. How many use it is known of a site that is heard only."""
        unheard_s = _unheard_s(site, now)
        is_heard = unheard_s is not None and unheard_s < HEARD_S
        said = self.vitals.get(site.id)
        return SiteFacts(
            silent_s=_silent_s(site, now, since),
            unheard_s=unheard_s,
            last_seen=_last_seen(site),
            loss_ppm=None if said is None else said.loss_ppm,
            users_now=self.users.get(site.id, 0) if is_heard else None,
            users_then=min(self.users_then.get(site.id, ()), default=None),
            disk_pct=None if said is None else said.disk_pct,
            temperature_c=None if said is None else said.temperature_c,
            clock_skew_ms=None if said is None else said.clock_skew_ms,
            dhcp_pct=_dhcp_pct(said),
            outbox_pct=_outbox_pct(site),
            certificate_s=_left_s(self.ends.get(site.id), now),
            voucher_tries=self.tries.get(site.id, 0),
            down_bps=self.rates.get(site.id),
            down_then_bps=max(self.rates_then.get(site.id, ()), default=None),
        )


async def look_at_everything(
    tx: Tx,
    now: datetime,
    *,
    since: datetime,
    thresholds: Thresholds,
    off: Collection[str] = (),
) -> Looked:
    """All facts of this moment. ``since`` is how long we have been looking without a gap."""
    sites = {one.id: one for one in await kept.site_signs(tx)}
    known = _Known(
        ends=await kept.certificates(tx),
        tries=await kept.voucher_tries(tx, now),
        users=await kept.users(tx),
        users_then=await kept.usual(tx, "sessions", now),
        vitals=await kept.vitals(tx, now),
        rates=await kept.rates(tx, now),
        rates_then=await kept.usual(tx, "down_bps", now),
    )
    facts = {site.id: known.of(site, now, since) for site in sites.values()}
    silent = frozenset(
        site_id
        for site_id, one in facts.items()
        if one.unheard_s is not None and one.unheard_s >= thresholds.suspect_s
    )
    return Looked(
        sites,
        facts,
        await _office(tx, now, thresholds),
        silent,
        windows=await _windows(tx, now),
        off=frozenset(off),
    )


def _silent_s(site: SiteSigns, now: datetime, since: datetime) -> int | None:
    """How long we have listened and heard nothing."""
    return None if site.last_seen_at is None else _age_s(max(site.last_seen_at, since), now)


def _unheard_s(site: SiteSigns, now: datetime) -> int | None:
    return None if site.last_seen_at is None else _age_s(site.last_seen_at, now)


def _last_seen(site: SiteSigns) -> str:
    if site.last_seen_at is None:
        return ""
    return f"{site.last_seen_at.astimezone(text.NAIROBI):%d %b %H:%M:%S} EAT"


def _left_s(ends: datetime | None, now: datetime) -> int | None:
    return None if ends is None else (ends - now) // SECOND


def _outbox_pct(site: SiteSigns) -> int | None:
    if site.outbox_records is None or not site.outbox_records_max:
        return None
    return site.outbox_records * 100 // site.outbox_records_max


def _dhcp_pct(said: SiteVitalsRow | None) -> int | None:
    """How full the addresses are that the site itself gives out, rounded up to 100 at most."""
    if said is None or said.dhcp_leases is None or not said.dhcp_addresses:
        return None
    return min(100, -(-said.dhcp_leases * 100 // said.dhcp_addresses))


async def _windows(tx: Tx, now: datetime) -> tuple[tuple[str, Area], ...]:
    rows = await maintenance.windows(tx, since=now, until=now + SECOND, branches=None)
    return tuple((row.id, Area(row.site_id, row.branch_id)) for row in rows if row.from_at <= now)


async def _office(tx: Tx, now: datetime, thresholds: Thresholds) -> OfficeFacts:
    tried, settled = await kept.payment_ends(tx, now)
    waiting = await kept.not_connected(tx, now, heard_since=now - DOWN_AFTER)
    unmatched = await kept.unmatched(tx)
    prompts, callbacks = await kept.callbacks(
        tx, now, within=thresholds.callback_silence_s * SECOND, source=CALLBACK
    )
    person, host = await kept.guessed_person(tx, now), await kept.guessing_host(tx, now)
    return OfficeFacts(
        hour=now.astimezone(text.NAIROBI).hour,
        payments_tried=tried,
        payments_settled=settled,
        not_connected=waiting.count,
        not_connected_s=_age_s(waiting.since, now),
        unmatched=unmatched.count,
        unmatched_s=_age_s(unmatched.since, now),
        prompts=prompts,
        callbacks=callbacks,
        backup_s=await _backup_s(tx, now, thresholds),
        sms_balance=await _reading(tx, SMS_BALANCE, now),
        free_grants=await kept.free_grants(tx, now),
        cloned_devices=await kept.cloned_devices(tx, now),
        double_redemptions=await kept.double_redemptions(tx, now),
        sign_in_tries=person.tries,
        sign_in_who=person.who,
        sign_in_where=person.where,
        host_tries=host.tries,
        host=host.where,
    )


async def _backup_s(tx: Tx, now: datetime, thresholds: Thresholds) -> int | None:
    """How old the last good backup is; where none was ever good, older than it may be."""
    good = await backups.last_success(tx)
    if good is not None and good.ended_at is not None:
        return _age_s(good.ended_at, now)
    failed = await backups.last_failure(tx)
    return None if failed is None or failed.ended_at is None else thresholds.backup_s + 1


def _age_s(since: datetime | None, now: datetime) -> int:
    return 0 if since is None else max(0, (now - since) // SECOND)


async def _reading(tx: Tx, name: str, now: datetime) -> int | None:
    found = await kept.reading(tx, name)
    if found is None or found.told_at is None or now - found.told_at > READING_HOLDS:
        return None
    return found.value
