"""The tables of sites: what each is to have, how it joins, what it tells, what it is asked."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row, unchecked

__all__ = ["Row"]


class SiteRow(Row):
    """One place with one agent, and how far its desired state has come.

    The outbox columns say how full the agent's journal is; None until it has told. ``parent_id``
    is the site through which this one is reached: while that is silent, so is this one. Where the
    site is, in millionths of a degree, is None until staff say so.

    Invariant, kept by the use case: going up by ``parent_id`` comes to an end.
    """

    __tablename__ = "site"
    __table_args__ = (
        CheckConstraint("generation >= 0", name="generation_not_negative"),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
        CheckConstraint(
            "latitude_e6 BETWEEN -90000000 AND 90000000"
            " AND longitude_e6 BETWEEN -180000000 AND 180000000",
            name="on_earth",
        ),
        CheckConstraint("(latitude_e6 IS NULL) = (longitude_e6 IS NULL)", name="placed_whole"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    operator_name: Mapped[str] = mapped_column(String(80))
    help_phone: Mapped[str] = mapped_column(String(20))
    language: Mapped[str] = mapped_column(String(2))
    created_at: Mapped[datetime]
    generation: Mapped[int] = mapped_column(default=0)
    digest: Mapped[bytes] = mapped_column(default=bytes(32))
    applied_generation: Mapped[int] = mapped_column(default=0)
    applied_digest: Mapped[bytes] = mapped_column(default=b"")
    last_seen_at: Mapped[datetime | None]
    agent_version: Mapped[str] = mapped_column(String(32), default="")
    outbox_records: Mapped[int | None]
    outbox_records_max: Mapped[int | None]
    latitude_e6: Mapped[int | None]
    longitude_e6: Mapped[int | None]
    branch_id: Mapped[str] = mapped_column(
        ForeignKey("branch.id"), default="main", server_default="main"
    )
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))


class OutageRow(Row):
    """A time in which nothing was heard of a site: from its last report until the next.

    ``ended_at`` is None while it lasts.
    """

    __tablename__ = "outage"
    __table_args__ = (CheckConstraint("ended_at >= began_at", name="ends_after_it_began"),)

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    began_at: Mapped[datetime] = mapped_column(primary_key=True)
    ended_at: Mapped[datetime | None]


class SiteItemRow(Row):
    """One piece of a site's desired state; ``body`` is None once it was removed (a tombstone)."""

    __tablename__ = "site_item"
    __table_args__ = (Index(None, "site_id", "generation"),)

    site_id: Mapped[str] = unchecked("site.id", primary_key=True)
    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    generation: Mapped[int]
    body: Mapped[bytes | None]


class SiteGenerationRow(Row):
    """The digest that a site's desired state had at one generation.

    A step is only sent to an agent whose (generation, digest) stands here; others get a snapshot.
    """

    __tablename__ = "site_generation"

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[bytes]


class JoinTokenRow(Row):
    """A one-use right to enrol as a site; only the hash of its secret is kept.

    ``csr_hash`` says for which request it was used: the same request again gets its certificate
    again, because the answer may have been lost on the way.
    """

    __tablename__ = "join_token"

    secret_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    csr_hash: Mapped[str | None] = mapped_column(String(64))


class JoinStepRow(Row):
    """What the install script told last of one step: when it came, and its few words."""

    __tablename__ = "join_step"

    secret_hash: Mapped[str] = mapped_column(ForeignKey("join_token.secret_hash"), primary_key=True)
    step: Mapped[str] = mapped_column(String(16), primary_key=True)
    at: Mapped[datetime]
    told: Mapped[str] = mapped_column(String(80))


class CertificateRow(Row):
    """A certificate that this controller's authority signed for a site's agent."""

    __tablename__ = "certificate"

    serial: Mapped[str] = mapped_column(String(40), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class JournalRow(Row):
    """How far an agent's journal has been committed here; the ack that was promised."""

    __tablename__ = "journal"

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    journal: Mapped[str] = mapped_column(String(32), primary_key=True)
    acked_seq: Mapped[int] = mapped_column(default=0)


class PoolRow(Row):
    """A shared rate at one site. ``ports`` are bridge ports, apart by spaces, in order.

    Invariant, kept by the use case: going up by ``parent_id`` comes to an end within five pools.
    """

    __tablename__ = "pool"
    __table_args__ = (
        CheckConstraint("down_bps > 0 AND up_bps > 0", name="rates_positive"),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
        ForeignKeyConstraint(["site_id", "parent_id"], ["pool.site_id", "pool.id"]),
    )

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    parent_id: Mapped[str | None] = mapped_column(String(32))
    down_bps: Mapped[int]
    up_bps: Mapped[int]
    ports: Mapped[str] = mapped_column(Text)


class GardenRow(Row):
    """Something that everybody may reach, unpaid: a name with all below it, or a network.

    ``site_id`` is "" where it is so at every site.
    """

    __tablename__ = "garden"
    __table_args__ = (CheckConstraint("kind IN ('name', 'network')", name="kind_known"),)

    site_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    entry: Mapped[str] = mapped_column(String(253), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))


class ProbeRow(Row):
    """A look at a site's network that staff asked for; over when its result came, or too late.

    At most one of a kind is under way at a site.
    """

    __tablename__ = "probe"
    __table_args__ = (
        Index(None, "site_id", "asked_at"),
        Index(
            "uq_probe_under_way",
            "site_id",
            "kind",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[str] = mapped_column(String(8))
    target: Mapped[str] = mapped_column(String(253))
    asked_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ProbeResultRow(Row):
    """What a probe saw at a site, as JSON of its kind."""

    __tablename__ = "probe_result"

    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    probe_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]
    body: Mapped[str] = mapped_column(Text)


class NoticeRow(Row):
    """Something that staff should know; ``site_id`` is None when it concerns the controller."""

    __tablename__ = "notice"
    __table_args__ = (Index(None, "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime]
    site_id: Mapped[str | None] = mapped_column(String(32))
    code: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(Text)
