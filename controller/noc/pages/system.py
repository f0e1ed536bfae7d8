"""How the controller itself does: its database, its jobs, what waits, the rails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from controller.noc import live, networks, views
from controller.noc.board import Mood
from controller.noc.text import NAIROBI, midnight
from controller.noc.words import word
from controller.rights import Right
from controller.store import backups
from controller.version import version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.jobs import Rounds
    from controller.noc.networks import Queue, RailLately, Sizes
    from controller.noc.views import SmsMonth
    from controller.store.backup_rows import BackupRow

LATE_FACTOR = 3
LATE_LEAST = timedelta(seconds=90)
CERTIFICATE_SOON = timedelta(days=14)
QUEUE_LATE = timedelta(minutes=2)

WELL = Mood(word("well"), "good")
LATE = Mood(word("late"), "busy")
FAILING = Mood(word("failing"), "bad")
STARTING = Mood(word("starting"), "quiet")
QUIET = Mood(word("quiet"), "quiet")
EMPTY = Mood(word("nothing waits"), "good")
WAITING = Mood(word("waiting"), "busy")
STUCK = Mood(word("stuck"), "bad")
SOON = Mood(word("ends soon"), "bad")
UNDER_WAY = Mood(word("under way"), "busy")
FAILED = Mood(word("failed"), "bad")
NO_BACKUP = Mood(word("no backup"), "bad")

BACKUPS_SHOWN = 6
BACKUP_LATE = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job of this process."""

    name: str
    mood: Mood
    every_s: int
    last_at: datetime | None
    failures: int
    face: str


@dataclass(frozen=True, slots=True)
class QueueLine:
    """Work that waits."""

    queue: Queue
    mood: Mood
    lag_s: int


@dataclass(frozen=True, slots=True)
class RailLine:
    """A rail and how collecting by it goes."""

    rail: RailLately
    mood: Mood


@dataclass(frozen=True, slots=True)
class BackupLine:
    """A backup; ``is_tried``: it was restored into a scratch database, with ``trial_problem``."""

    began_at: datetime
    mood: Mood
    size_bytes: int | None
    is_tried: bool
    problem: str


@dataclass(frozen=True, slots=True)
class System:
    """The whole page."""

    now: datetime
    version: str
    revision: str
    is_sqlite: bool
    database_bytes: int
    sizes: Sizes
    certificate: tuple[str, datetime] | None
    certificate_mood: Mood
    backups: tuple[BackupLine, ...]
    backup_at: datetime | None
    backup_mood: Mood
    queues: tuple[QueueLine, ...]
    rails: tuple[RailLine, ...]
    jobs: tuple[JobLine, ...]
    sms: SmsMonth
    public_url: str


async def look(asked: live.Asked) -> System:
    """All that is known of the controller."""
    now, deps = asked.now, asked.deps
    month = midnight(now).astimezone(NAIROBI).replace(day=1)
    async with deps.db.read() as tx:
        revision = await views.schema_revision(tx)
        size = await networks.database_bytes(tx)
        sizes = await networks.site_sizes(tx, now, None)
        certificate = await networks.certificate_ends(tx)
        waiting = await networks.queues(tx, now)
        rails = await networks.rails_lately(tx, tuple(deps.rails), now)
        kept = await backups.listed(tx, limit=BACKUPS_SHOWN)
        done = await backups.last_success(tx)
        sms = await views.sms_month(tx, month, now + timedelta(seconds=1))
    return System(
        now=now,
        version=version(),
        revision=revision,
        is_sqlite=deps.db.is_sqlite,
        database_bytes=size,
        sizes=sizes,
        certificate=certificate,
        certificate_mood=SOON if certificate and certificate[1] - now < CERTIFICATE_SOON else WELL,
        backups=tuple(_backup_line(row) for row in kept),
        backup_at=None if done is None else done.began_at,
        backup_mood=_backup_mood(done, now),
        queues=tuple(_queue_line(one, now) for one in waiting),
        rails=tuple(RailLine(one, _rail_mood(one)) for one in rails),
        jobs=_job_lines(deps.rounds, now),
        sms=sms,
        public_url=deps.settings.public_url,
    )


def _backup_line(row: BackupRow) -> BackupLine:
    moods = {backups.DONE: WELL, backups.FAILED: FAILED}
    return BackupLine(
        began_at=row.began_at,
        mood=FAILED if row.trial_problem else moods.get(row.state, UNDER_WAY),
        size_bytes=row.size_bytes,
        is_tried=row.tried_at is not None,
        problem=row.problem or row.trial_problem,
    )


def _backup_mood(done: BackupRow | None, now: datetime) -> Mood:
    if done is None:
        return NO_BACKUP
    return LATE if now - done.began_at > BACKUP_LATE else WELL


def _queue_line(queue: Queue, now: datetime) -> QueueLine:
    lag = now - queue.oldest_at if queue.oldest_at is not None else timedelta()
    mood = EMPTY if not queue.due else STUCK if lag > QUEUE_LATE else WAITING
    return QueueLine(queue, mood, max(0, lag // timedelta(seconds=1)))


def _rail_mood(rail: RailLately) -> Mood:
    tried = rail.tried
    decided = tried.settled + tried.refused
    if not decided and not tried.waiting and not rail.unknown:
        return QUIET
    # Most people who refuse do so themselves; that money stays unknown is the rail's own trouble.
    if rail.unknown > tried.settled:
        return FAILING
    return WELL


def _job_lines(rounds: Mapping[str, Rounds], now: datetime) -> tuple[JobLine, ...]:
    def worst_first(item: tuple[str, Rounds]) -> tuple[bool, str]:
        return _job_mood(item[1], now) in {WELL, STARTING}, item[0]

    found: Sequence[tuple[str, Rounds]] = sorted(rounds.items(), key=worst_first)
    return tuple(
        JobLine(
            name=name.replace("_", " "),
            mood=_job_mood(one, now),
            every_s=int(one.every_s),
            last_at=one.last_at,
            failures=one.failures,
            face=one.face,
        )
        for name, one in found
    )


def _job_mood(rounds: Rounds, now: datetime) -> Mood:
    if rounds.failures:
        return FAILING
    patience = max(LATE_LEAST, timedelta(seconds=rounds.every_s) * LATE_FACTOR)
    if now - (rounds.last_at or rounds.began_at) > patience:
        return LATE
    return WELL if rounds.last_at else STARTING


PANELS = ("facts", "queues", "rails", "backups", "jobs")

SYSTEM = live.View(
    name="System",
    path="/noc/system",
    right=Right.SEE_SYSTEM,
    look=look,
    template="system/page.html",
    panels=tuple(
        f"system/{panel}.html" for panel in ("facts", "queues", "rails", "backups", "jobs")
    ),
    every_s=5.0,
)

router = live.pages(SYSTEM)
