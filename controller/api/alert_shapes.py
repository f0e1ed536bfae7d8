"""What goes out and comes in about alerts, maintenance, messages to areas, and outage credit."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from billing.outage import CreditRule, Gives
from controller.api.shapes import Instant, MoneyShape, Words
from controller.notify.cost import written_cost
from controller.store.alert_rows import (
    AlertDeedRow,
    AlertRouteRow,
    AlertRow,
    AreaNoticeRow,
    MaintenanceRow,
    OutageCreditRow,
    OutageCreditRunRow,
    WebhookRow,
)
from controller.store.site_rows import OutageRow
from controller.usecases.alert_routes import NewRoute
from controller.usecases.areas import Area
from controller.usecases.maintenance import Message, Plan, Preview
from controller.usecases.outage_credits import Credit, NewRun, Outcome
from controller.usecases.outages import duration_s

LongText = Annotated[str, Field(max_length=400)]
Minute = Annotated[StrictInt, Field(ge=0, le=1_439)]
Seconds = Annotated[StrictInt, Field(ge=0, le=366 * 86_400)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AlertOut(BaseModel):
    """One alert. ``held_by`` says on whose account nobody is told of it: ``site:…``, ``window:…``.

    ``site_id`` is null where the operator's business is concerned.
    """

    id: str
    rule: str
    site_id: str | None
    state: str
    severity: str
    text: str
    raised_at: datetime | None
    acked_at: datetime | None
    acked_by: str
    assigned_to: str
    recovered_at: datetime | None
    silenced_until: datetime | None
    held_by: str
    times: int

    @classmethod
    def of(cls, row: AlertRow) -> Self:
        """From its row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class DeedOut(BaseModel):
    """What happened to an alert; ``who`` is "" for the controller itself."""

    at: datetime
    who: str
    what: str
    detail: str

    @classmethod
    def of(cls, row: AlertDeedRow) -> Self:
        """From its row."""
        return cls(at=row.at, who=row.who, what=row.what, detail=row.detail)


class AlertDetailOut(AlertOut):
    """An alert and what happened to it, the newest first."""

    history: list[DeedOut]


class SilenceIn(_In):
    """For how many seconds nobody is told; 0: tell again."""

    for_s: Seconds


class AssignIn(_In):
    """Whose task it is; "" nobody's."""

    to: Words


class RouteIn(_In):
    """A new route. ``target`` is a phone, an e-mail address or a webhook's address.

    ``after_s`` above 0 makes it an escalation: told of what nobody acknowledged by then. The
    minutes are of Nairobi's day; equal ones are all day.
    """

    name: Words
    kind: Literal["sms", "email", "webhook"]
    target: Annotated[str, Field(max_length=500)]
    severity: Literal["warn", "critical"] = "warn"
    site_id: Words | None = None
    branch_id: Words | None = None
    from_minute: Minute = 0
    until_minute: Minute = 0
    after_s: Seconds = 0
    language: Literal["en", "sw"] = "en"

    def route(self) -> NewRoute:
        """As the use case wants it."""
        return NewRoute(**self.model_dump())


class RouteOut(BaseModel):
    """A route; ``shown`` is as much of where it leads as may be seen.

    ``stopped`` says why nothing goes there any more, "" while it does.
    """

    id: str
    name: str
    kind: str
    shown: str
    severity: str
    site_id: str | None
    branch_id: str | None
    from_minute: int
    until_minute: int
    after_s: int
    language: str
    created_at: datetime
    stopped: str

    @classmethod
    def of(cls, row: AlertRouteRow) -> Self:
        """From its row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class RouteMadeOut(BaseModel):
    """A new route. ``secret`` checks a webhook's signatures; it is shown this once."""

    route: RouteOut
    secret: str | None


class TriedOut(BaseModel):
    """A message that says it is a test is on its way; ``about`` names it in the outbox."""

    about: str


class WebhookOut(BaseModel):
    """A webhook that was written: waiting, sent or given up."""

    id: str
    about: str
    state: str
    created_at: datetime
    due_at: datetime | None
    tries: int
    problem: str
    sent_at: datetime | None

    @classmethod
    def of(cls, row: WebhookRow) -> Self:
        """From its row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class UpstreamIn(_In):
    """Through which site a site is reached; null: through none of ours."""

    parent_id: Words | None


class _AreaIn(_In):
    site_id: Words | None = None
    branch_id: Words | None = None

    @property
    def area(self) -> Area:
        """The site, the branch, or everything."""
        return Area(self.site_id, self.branch_id)


class MaintenanceIn(_AreaIn):
    """A window: of a site, a branch, or (neither) everything.

    ``tell_before_s`` is how long before it customers are told by SMS; null: they are not. ``id``
    (32 hexadecimal digits) makes a repeat the same window.
    """

    from_at: Instant
    until_at: Instant
    text_en: Words
    text_sw: Words = ""
    tell_before_s: Seconds | None = None
    id: Words = ""

    def plan(self) -> Plan:
        """As the use case wants it."""
        return Plan(
            area=self.area,
            **self.model_dump(exclude={"site_id", "branch_id"}),
        )


class MaintenanceOut(BaseModel):
    """A window; ``ended_at`` is set when it was ended early, or called off."""

    id: str
    site_id: str | None
    branch_id: str | None
    from_at: datetime
    until_at: datetime
    ended_at: datetime | None
    text_en: str
    text_sw: str
    created_at: datetime
    planned_by: str

    @classmethod
    def of(cls, row: MaintenanceRow) -> Self:
        """From its row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class AreaNoticeIn(_AreaIn):
    """A message to every customer of a site (and those behind it), a branch, or everybody."""

    text_en: LongText
    text_sw: LongText = ""
    leaves_at: Instant | None = None
    id: Words = ""

    def message(self) -> Message:
        """As the use case wants it."""
        return Message(area=self.area, **self.model_dump(exclude={"site_id", "branch_id"}))


class AreaNoticeOut(BaseModel):
    """A message to an area; ``messages`` are written so far, all of them at ``done_at``."""

    id: str
    maintenance_id: str | None
    site_id: str | None
    branch_id: str | None
    text_en: str
    text_sw: str
    created_at: datetime
    leaves_at: datetime
    messages: int
    done_at: datetime | None
    asked_by: str

    @classmethod
    def of(cls, row: AreaNoticeRow) -> Self:
        """From its row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class TellingOut(BaseModel):
    """What telling an area would be; ``cost`` in shillings, null where no carrier told a price."""

    messages: int
    parts: int
    cost: str | None
    text_en: str
    text_sw: str

    @classmethod
    def of(cls, found: Preview) -> Self:
        """From a preview."""
        return cls(
            messages=found.messages,
            parts=found.parts,
            cost=None if found.cost_e4 is None else written_cost(found.cost_e4),
            text_en=found.texts["en"],
            text_sw=found.texts["sw"],
        )


class SiteOutageOut(BaseModel):
    """A time in which nothing was heard of a site; ``ended_at`` is null while it lasts."""

    site_id: str
    began_at: datetime
    ended_at: datetime | None
    duration_s: int

    @classmethod
    def of(cls, row: OutageRow, now: datetime) -> Self:
        """From its row, at an instant."""
        return cls(
            site_id=row.site_id,
            began_at=row.began_at,
            ended_at=row.ended_at,
            duration_s=duration_s(row, now),
        )


class CreditRunIn(_AreaIn):
    """A rule for outages that ended in a time, in an area.

    More than ``more_than_s`` lost in a billed period gives the ``share`` of its price that the lost
    time is, the worth of ``days``, or an ``amount``.
    """

    id: Words
    from_at: Instant
    until_at: Instant
    more_than_s: Seconds
    gives: Gives
    days: Annotated[StrictInt, Field(ge=0, le=366)] = 0
    amount: MoneyShape | None = None

    def run(self) -> NewRun:
        """As the use case wants it. Raises `InvalidField`."""
        amount = None if self.amount is None else self.amount.money()
        rule = CreditRule(self.more_than_s, self.gives, self.days, amount)
        return NewRun(self.id, self.area, self.from_at, self.until_at, rule)


class CreditOut(BaseModel):
    """What one subscription is given for the outages of one billed period."""

    subscription_id: str
    site_id: str
    document_id: str
    outages: list[datetime]
    lost_s: int
    amount: MoneyShape

    @classmethod
    def of(cls, one: Credit) -> Self:
        """From what a run decided."""
        return cls(
            subscription_id=one.of.subscription_id,
            site_id=one.of.site_id,
            document_id=one.of.document_id,
            outages=[lost.began_at for lost in one.lost],
            lost_s=one.lost_s,
            amount=MoneyShape.of(one.amount.minor, one.amount.currency),
        )


class CreditPreviewOut(BaseModel):
    """What a run would give; the first lines of it."""

    outages: int
    subscriptions: int
    total: MoneyShape
    data: list[CreditOut]

    @classmethod
    def of(cls, found: Outcome, *, limit: int) -> Self:
        """From what a run would decide."""
        return cls(
            outages=found.outages,
            subscriptions=len(found.credits),
            total=MoneyShape.of(found.total_minor, "KES"),
            data=[CreditOut.of(one) for one in found.credits[:limit]],
        )


class CreditedOut(BaseModel):
    """What stands in the books of one outage of one subscription; see `OutageCreditRow`."""

    subscription_id: str
    site_id: str
    began_at: datetime
    document_id: str
    lasted_s: int
    amount: MoneyShape
    done_at: datetime | None

    @classmethod
    def of(cls, row: OutageCreditRow) -> Self:
        """From its row."""
        plain = {name: getattr(row, name) for name in cls.model_fields if name != "amount"}
        return cls(**plain, amount=MoneyShape.of(row.amount_minor, row.currency))


class CreditRunOut(BaseModel):
    """A run of a rule."""

    id: str
    site_id: str | None
    branch_id: str | None
    from_at: datetime
    until_at: datetime
    more_than_s: int
    gives: str
    days: int | None
    amount: MoneyShape | None
    made_at: datetime
    made_by: str

    @classmethod
    def of(cls, row: OutageCreditRunRow) -> Self:
        """From its row."""
        plain = {name: getattr(row, name) for name in cls.model_fields if name != "amount"}
        minor = row.amount_minor
        amount = None if minor is None else MoneyShape.of(minor, "KES")
        return cls(**plain, amount=amount)


class CreditRunDetailOut(CreditRunOut):
    """A run, and what it gave for which outage."""

    data: list[CreditedOut]
