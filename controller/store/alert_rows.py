"""The tables of alerts: what is wrong, whom it is told, maintenance, and credit for outages."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from controller.store.rows import Row, only, unchecked

__all__ = ["Row"]


class AlertRow(Row):
    """One trouble of one subject, from its first sign to its end: see ``alerts/states.py``.

    ``subject`` is the site's id, or "" for the operator's business; a trouble of it is open once.
    ``raised_at`` is None while it is pending. ``told`` is JSON of the values of its sentence, and
    ``text`` that sentence in English.
    """

    __tablename__ = "alert"
    __table_args__ = (
        CheckConstraint(
            "state IN ('pending', 'raised', 'acknowledged', 'recovered')", name="state_known"
        ),
        CheckConstraint("severity IN ('warn', 'critical')", name="severity_known"),
        CheckConstraint("state = 'pending' OR raised_at IS NOT NULL", name="raised_has_time"),
        CheckConstraint(
            "state <> 'recovered' OR recovered_at IS NOT NULL", name="recovered_has_time"
        ),
        CheckConstraint(
            "state <> 'acknowledged' OR acked_at IS NOT NULL", name="acknowledged_has_time"
        ),
        Index("uq_alert_open", "rule", "subject", unique=True, **only("state <> 'recovered'")),
        Index("ix_alert_open", "raised_at", "id", **only("state <> 'recovered'")),
        Index(None, "raised_at", "id"),
        Index(None, "rule", "subject", "recovered_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    rule: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(40))
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    state: Mapped[str] = mapped_column(String(12))
    severity: Mapped[str] = mapped_column(String(8))
    text: Mapped[str] = mapped_column(String(300))
    told: Mapped[str] = mapped_column(Text)
    bad_at: Mapped[datetime]
    raised_at: Mapped[datetime | None]
    well_at: Mapped[datetime | None]
    acked_at: Mapped[datetime | None]
    acked_by: Mapped[str] = mapped_column(String(80), default="")
    assigned_to: Mapped[str] = mapped_column(String(80), default="")
    recovered_at: Mapped[datetime | None]
    silenced_until: Mapped[datetime | None]
    held_by: Mapped[str] = mapped_column(String(48), default="")
    freed_at: Mapped[datetime | None]
    times: Mapped[int] = mapped_column(Integer, default=0)


class AlertDeedRow(Row):
    """What happened to an alert, and by whom: "" is the controller itself."""

    __tablename__ = "alert_deed"
    __table_args__ = (Index(None, "alert_id", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alert.id"))
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(80))
    what: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str] = mapped_column(String(300))


class AlertRoundRow(Row):
    """When a controller last looked at everything, and since when that went on without a gap."""

    __tablename__ = "alert_round"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    looked_at: Mapped[datetime]
    since_at: Mapped[datetime]


class AlertReadingRow(Row):
    """A figure that somebody outside told, for rules to judge: an SMS account's balance in KES."""

    __tablename__ = "alert_reading"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int | None]
    asked_at: Mapped[datetime]
    told_at: Mapped[datetime | None]


class AlertRouteRow(Row):
    """Where alerts go. ``target`` is sealed: a phone, an e-mail address, a webhook's address.

    ``shown`` is what staff see of it. ``secret`` is sealed, and signs webhooks. ``after_s`` above 0
    makes it an escalation. Minutes are of Nairobi's day. ``stopped`` says why nothing goes there
    any more, "" while it does.
    """

    __tablename__ = "alert_route"
    __table_args__ = (
        CheckConstraint("kind IN ('sms', 'email', 'webhook')", name="kind_known"),
        CheckConstraint("severity IN ('warn', 'critical')", name="severity_known"),
        CheckConstraint("(kind = 'webhook') = (secret IS NOT NULL)", name="webhook_has_secret"),
        CheckConstraint("site_id IS NULL OR branch_id IS NULL", name="one_scope"),
        CheckConstraint("after_s >= 0", name="after_not_negative"),
        CheckConstraint(
            "from_minute BETWEEN 0 AND 1439 AND until_minute BETWEEN 0 AND 1439",
            name="minutes_of_a_day",
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(8))
    target: Mapped[bytes]
    shown: Mapped[str] = mapped_column(String(120))
    secret: Mapped[bytes | None]
    severity: Mapped[str] = mapped_column(String(8))
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    branch_id: Mapped[str | None] = mapped_column(ForeignKey("branch.id"))
    from_minute: Mapped[int] = mapped_column(Integer, default=0)
    until_minute: Mapped[int] = mapped_column(Integer, default=0)
    after_s: Mapped[int] = mapped_column(Integer, default=0)
    language: Mapped[str] = mapped_column(String(2), default="en")
    created_at: Mapped[datetime]
    stopped: Mapped[str] = mapped_column(String(80), default="")
    removed_at: Mapped[datetime | None]


class AlertToldRow(Row):
    """What a route was told last of an alert, and how many messages that were."""

    __tablename__ = "alert_told"
    __table_args__ = (
        CheckConstraint("kind IN ('raised', 'escalated', 'resolved')", name="kind_known"),
        Index("ix_alert_told_owing", "alert_id", **only("kind <> 'resolved'")),
    )

    alert_id: Mapped[str] = mapped_column(ForeignKey("alert.id"), primary_key=True)
    route_id: Mapped[str] = mapped_column(ForeignKey("alert_route.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    severity: Mapped[str] = mapped_column(String(8))
    bad_at: Mapped[datetime]
    n: Mapped[int] = mapped_column(Integer)


class WebhookRow(Row):
    """A webhook on its way out, as `SmsRow`: forgotten once it is out or given up."""

    __tablename__ = "webhook"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'given_up')", name="state_known"),
        CheckConstraint("(state = 'waiting') = (due_at IS NOT NULL)", name="waiting_is_due"),
        CheckConstraint("(state = 'waiting') = (sealed IS NOT NULL)", name="waiting_has_body"),
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        Index(None, "due_at"),
        Index(None, "route_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    route_id: Mapped[str] = mapped_column(ForeignKey("alert_route.id"))
    event: Mapped[str] = mapped_column(String(120), unique=True)
    about: Mapped[str] = mapped_column(String(40))
    sealed: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    created_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    problem: Mapped[str] = mapped_column(String(80), default="")
    sent_at: Mapped[datetime | None]


class MaintenanceRow(Row):
    """Time given to work on a site, a branch, or (neither) everything; alerts are held meanwhile.

    ``ended_at`` is set when staff end it early, or call it off.
    """

    __tablename__ = "maintenance"
    __table_args__ = (
        CheckConstraint("until_at > from_at", name="ends_after_it_began"),
        CheckConstraint("site_id IS NULL OR branch_id IS NULL", name="one_scope"),
        Index(None, "until_at"),
        Index(None, "from_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    branch_id: Mapped[str | None] = mapped_column(ForeignKey("branch.id"))
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    text_en: Mapped[str] = mapped_column(String(200))
    text_sw: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    planned_by: Mapped[str] = mapped_column(String(80), default="")


class AreaNoticeRow(Row):
    """A message to every customer of an area: written down at once, sent out bit by bit.

    ``after_id`` is the subscriber up to whom it has come; ``done_at`` is set at the last one, or
    when it was called off. ``messages`` counts those that were written. ``branches`` (ids,
    apart by spaces) are those that whoever asked is held to: nobody is told at sites of others.
    """

    __tablename__ = "area_notice"
    __table_args__ = (
        CheckConstraint("site_id IS NULL OR branch_id IS NULL", name="one_scope"),
        Index("ix_area_notice_due", "leaves_at", **only("done_at IS NULL")),
        Index(None, "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    maintenance_id: Mapped[str | None] = mapped_column(ForeignKey("maintenance.id"))
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    branch_id: Mapped[str | None] = mapped_column(ForeignKey("branch.id"))
    branches: Mapped[str | None] = mapped_column(Text)
    text_en: Mapped[str] = mapped_column(String(400))
    text_sw: Mapped[str] = mapped_column(String(400))
    created_at: Mapped[datetime]
    leaves_at: Mapped[datetime]
    after_id: Mapped[str] = mapped_column(String(32), default="")
    messages: Mapped[int] = mapped_column(Integer, default=0)
    done_at: Mapped[datetime | None]
    asked_by: Mapped[str] = mapped_column(String(80), default="")


class OutageCreditRunRow(Row):
    """A rule of credit for outages, applied to a time: the same id again is the same run."""

    __tablename__ = "outage_credit_run"
    __table_args__ = (
        CheckConstraint("until_at > from_at", name="ends_after_it_began"),
        CheckConstraint("gives IN ('share', 'amount', 'days')", name="gives_known"),
        Index(None, "made_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    branch_id: Mapped[str | None] = mapped_column(ForeignKey("branch.id"))
    from_at: Mapped[datetime]
    until_at: Mapped[datetime]
    more_than_s: Mapped[int]
    gives: Mapped[str] = mapped_column(String(8))
    amount_minor: Mapped[int | None]
    days: Mapped[int | None] = mapped_column(Integer)
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(80), default="")


class OutageCreditRow(Row):
    """What one subscription was given for one outage of its site; an outage is credited once.

    All outages of one billed period that a run credits carry the same ``cause``, by which the
    credit note of the invoice ``document_id`` is issued once; the amount stands at the first of
    them. ``lasted_s`` is without maintenance.
    """

    __tablename__ = "outage_credit"
    __table_args__ = (
        CheckConstraint("lasted_s > 0", name="lasted_positive"),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        Index(None, "run_id"),
        Index(None, "done_at", **only("done_at IS NULL")),
    )

    subscription_id: Mapped[str] = mapped_column(ForeignKey("subscription.id"), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), primary_key=True)
    began_at: Mapped[datetime] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("outage_credit_run.id"))
    document_id: Mapped[str] = unchecked("document.id")
    lasted_s: Mapped[int]
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3), default="KES")
    cause: Mapped[str] = mapped_column(String(120))
    done_at: Mapped[datetime | None]
