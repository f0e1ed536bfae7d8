"""The tables of what sites measure and what sessions use, and of how long that is kept.

Instants here are whole seconds since 1970 (``…_s``), not `Moment`: they are cut into buckets by
arithmetic, the same on both databases, and there are millions of them. Every value is an integer;
a mean is made of ``total`` and ``count`` when it is asked for, so that nothing is rounded twice.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row, unchecked

__all__ = ["Row"]

CLUSTERED = {"sqlite_with_rowid": False}
"""On SQLite the table is its primary key: what is read together lies together."""


class SiteSampleRow(Row):
    """How a site was at one tick; a column is None when nothing fresh was known of it.

    Rates are in bits a second. ``loss_ppm`` is of the agent's own calls to the controller.
    A site that is silent has no row: a gap in a graph is a gap.
    """

    __tablename__ = "site_sample"
    __table_args__ = CLUSTERED

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    at_s: Mapped[int] = mapped_column(primary_key=True)
    down_bps: Mapped[int | None]
    up_bps: Mapped[int | None]
    sessions: Mapped[int | None]
    outbox: Mapped[int | None]
    rtt_ms: Mapped[int | None]
    loss_ppm: Mapped[int | None]
    cpu_pct: Mapped[int | None]
    memory_pct: Mapped[int | None]
    disk_pct: Mapped[int | None]
    temperature_c: Mapped[int | None]
    clock_skew_ms: Mapped[int | None]
    wan_down_bps: Mapped[int | None]
    wan_up_bps: Mapped[int | None]
    lan_down_bps: Mapped[int | None]
    lan_up_bps: Mapped[int | None]
    agent_memory_kib: Mapped[int | None]


class SiteRollupRow(Row):
    """What one metric of a site was in one hour or one day (of Nairobi)."""

    __tablename__ = "site_rollup"
    __table_args__ = (
        CheckConstraint("span_s IN (3600, 86400)", name="span_known"),
        CheckConstraint("count > 0", name="count_positive"),
        CheckConstraint("low <= high", name="low_is_low"),
        CheckConstraint("total >= low * count AND total <= high * count", name="mean_between"),
        CLUSTERED,
    )

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    metric: Mapped[str] = mapped_column(String(20), primary_key=True)
    span_s: Mapped[int] = mapped_column(Integer, primary_key=True)
    at_s: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]
    total: Mapped[int]
    low: Mapped[int]
    high: Mapped[int]


class SeriesMarkRow(Row):
    """Up to where a rollup is done; whoever rolls up locks it, and so does each span once."""

    __tablename__ = "series_mark"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    done_until_s: Mapped[int]


class SiteMeterRow(Row):
    """All bytes that a site's readings ever added up to; it only grows."""

    __tablename__ = "site_meter"
    __table_args__ = (
        CheckConstraint("down_bytes >= 0 AND up_bytes >= 0", name="meter_not_negative"),
    )

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    down_bytes: Mapped[int]
    up_bytes: Mapped[int]


class SiteVitalsRow(Row):
    """The newest that an agent said of its box (wire v1.9); None where it does not know.

    The four interface counters are cumulative since ``boot``, a name for this life of the machine.
    """

    __tablename__ = "site_vitals"

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    at: Mapped[datetime]
    boot: Mapped[str] = mapped_column(String(32))
    uptime_s: Mapped[int]
    cpu_pct: Mapped[int | None]
    memory_pct: Mapped[int | None]
    disk_pct: Mapped[int | None]
    temperature_c: Mapped[int | None]
    rtt_ms: Mapped[int | None]
    loss_ppm: Mapped[int | None]
    clock_skew_ms: Mapped[int | None]
    wan_down_bytes: Mapped[int | None]
    wan_up_bytes: Mapped[int | None]
    lan_down_bytes: Mapped[int | None]
    lan_up_bytes: Mapped[int | None]
    agent_memory_kib: Mapped[int | None]
    portal_open: Mapped[bool | None] = mapped_column(Boolean)
    dhcp_leases: Mapped[int | None]
    dhcp_addresses: Mapped[int | None]


class SessionHourRow(Row):
    """What a session used, as far as it was told within one hour of the controller's clock.

    All hours of a session together are what its readings add up to: nothing twice, nothing lost.
    """

    __tablename__ = "session_hour"
    __table_args__ = (
        CheckConstraint("down_bytes >= 0 AND up_bytes >= 0", name="use_not_negative"),
        CLUSTERED,
    )

    site_id: Mapped[str] = unchecked("site.id", primary_key=True)
    hour_s: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = unchecked("session.id", primary_key=True)
    grant_id: Mapped[str] = mapped_column(String(32))
    down_bytes: Mapped[int]
    up_bytes: Mapped[int]


class SessionPaceRow(Row):
    """How fast an open session was between its two newest readings; ``told_s`` is when we learnt.

    The row goes with the session.
    """

    __tablename__ = "session_pace"
    __table_args__ = (
        CheckConstraint("down_bps >= 0 AND up_bps >= 0", name="pace_not_negative"),
        Index(None, "site_id"),
    )

    session_id: Mapped[str] = unchecked("session.id", primary_key=True)
    site_id: Mapped[str] = unchecked("site.id")
    told_s: Mapped[int]
    down_bps: Mapped[int]
    up_bps: Mapped[int]


class SegmentHourRow(Row):
    """What the subscribers of one segment used of one plan at one site, hour by hour.

    ``segment`` is that of the subscriber, or ``hotspot`` for plans that are sold on the portal.
    """

    __tablename__ = "segment_hour"
    __table_args__ = (
        CheckConstraint("down_bytes >= 0 AND up_bytes >= 0", name="use_not_negative"),
        CheckConstraint("sessions > 0", name="sessions_positive"),
        CLUSTERED,
    )

    site_id: Mapped[str] = unchecked("site.id", primary_key=True)
    hour_s: Mapped[int] = mapped_column(primary_key=True)
    segment: Mapped[str] = mapped_column(String(16), primary_key=True)
    plan_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    sessions: Mapped[int]
    down_bytes: Mapped[int]
    up_bytes: Mapped[int]
