"""How the controller itself does: its database, its jobs, what waits, the rails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

from controller.noc import live, networks, views
from controller.noc.board import Mood
from controller.noc.text import NAIROBI, midnight
from controller.noc.words import word
from controller.rights import Right

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.jobs import Rounds
    from controller.noc.networks import Queue, RailLately, Sizes
    from controller.noc.views import SmsMonth

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
        sms = await views.sms_month(tx, month, now + timedelta(seconds=1))
    return System(
        now=now,
        version=version("lango"),
        revision=revision,
        is_sqlite=deps.db.is_sqlite,
        database_bytes=size,
        sizes=sizes,
        certificate=certificate,
        certificate_mood=SOON if certificate and certificate[1] - now < CERTIFICATE_SOON else WELL,
        queues=tuple(_queue_line(one, now) for one in waiting),
        rails=tuple(RailLine(one, _rail_mood(one)) for one in rails),
        jobs=_job_lines(deps.rounds, now),
        sms=sms,
        public_url=deps.settings.public_url,
    )


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
    found: Sequence[tuple[str, Rounds]] = sorted(rounds.items())
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


SYSTEM = live.View(
    name="System",
    path="/noc/system",
    right=Right.SEE_SYSTEM,
    look=look,
    template="system/page.html",
    panels=tuple(f"system/{panel}.html" for panel in ("facts", "queues", "rails", "jobs")),
    every_s=5.0,
)

router = live.pages(SYSTEM)
