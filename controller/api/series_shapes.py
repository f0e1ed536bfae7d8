"""What series of sites and reports of use look like over HTTP."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from controller.api.needs import OfSite
from controller.store.series import Metric
from controller.store.usage_reports import By

if TYPE_CHECKING:
    from controller.store.series import Point
    from controller.store.series_rows import SiteVitalsRow
    from controller.store.usage_reports import SegmentUse, Talker

TALKERS_MAX = 100


class SeriesAsked(BaseModel):
    """Which points: from ``since``, or so many hours, or a day; in a step that fits."""

    model_config = ConfigDict(extra="forbid")

    metric: Metric
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    hours: Annotated[int | None, Field(ge=1, le=43_920)] = None
    step: Annotated[int | None, Field(ge=1, le=31_622_400, description="Seconds.")] = None


class PointOut(BaseModel):
    """What a metric was in one step that begins ``at``."""

    at: datetime
    low: int
    mean: int
    high: int

    @classmethod
    def of(cls, point: Point) -> PointOut:
        """As it is."""
        return cls(at=point.at, low=point.low, mean=point.mean, high=point.high)


class SeriesOut(BaseModel):
    """At most 1,000 points, in order; a step in which nothing was measured has none."""

    site_id: str
    metric: Metric
    since: datetime
    until: datetime
    step_s: int
    data: list[PointOut]


class VitalsOut(BaseModel):
    """How a site's box was ``at`` the moment that this reached us; null where it does not know."""

    at: datetime
    uptime_s: int
    cpu_pct: int | None
    memory_pct: int | None
    disk_pct: int | None
    temperature_c: int | None
    rtt_ms: int | None
    loss_ppm: int | None
    clock_skew_ms: int | None
    wan_down_bytes: int | None
    wan_up_bytes: int | None
    lan_down_bytes: int | None
    lan_up_bytes: int | None
    agent_memory_kib: int | None
    portal_open: bool | None
    dhcp_leases: int | None
    dhcp_addresses: int | None

    @classmethod
    def of(cls, row: SiteVitalsRow) -> VitalsOut:
        """As it was told."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class Span(StrEnum):
    """Now (bits a second), or the last 24 hours (bytes)."""

    NOW = "now"
    DAY = "24h"


class TopAsked(BaseModel):
    """Which talkers."""

    model_config = ConfigDict(extra="forbid")

    by: By = By.SUBSCRIBER
    span: Span = Span.DAY
    site_id: OfSite = None
    branch: OfSite = None
    limit: int = Field(20, ge=1, le=TALKERS_MAX)


class TalkerOut(BaseModel):
    """One that uses much. All of ``id``, ``name`` and ``msisdn`` are "" for what nobody holds."""

    id: str
    name: str
    msisdn: str
    sessions: int
    down: int
    up: int

    @classmethod
    def of(cls, talker: Talker) -> TalkerOut:
        """As it is."""
        return cls(
            id=talker.id,
            name=talker.name,
            msisdn=talker.msisdn,
            sessions=talker.sessions,
            down=talker.down,
            up=talker.up,
        )


class TopOut(BaseModel):
    """Those who use the most, the greediest first; ``unit`` is of ``down`` and ``up``."""

    by: By
    span: Span
    unit: str
    data: list[TalkerOut]


class SegmentsAsked(BaseModel):
    """Which hours: the last 24 unless said otherwise, at most 31 days of them."""

    model_config = ConfigDict(extra="forbid")

    site_id: OfSite = None
    branch: OfSite = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class SegmentUseOut(BaseModel):
    """What a segment used in the hour that begins ``at``."""

    at: datetime
    segment: str
    sessions: int
    down_bytes: int
    up_bytes: int

    @classmethod
    def of(cls, use: SegmentUse) -> SegmentUseOut:
        """As it is."""
        return cls(
            at=use.at,
            segment=use.segment,
            sessions=use.sessions,
            down_bytes=use.down_bytes,
            up_bytes=use.up_bytes,
        )


class SegmentsOut(BaseModel):
    """Use by segment and hour, in order."""

    since: datetime
    until: datetime
    data: list[SegmentUseOut]
