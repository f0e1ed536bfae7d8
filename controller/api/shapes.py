"""What goes out and comes in, as JSON. Money is text with two decimals; times are UTC."""

from datetime import UTC, datetime
from typing import Annotated, Generic, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from billing.money import MINOR_PER_MAJOR, Money, parse_money
from billing.msisdn import masked
from billing.quota import left
from controller.limits import limits_of
from controller.noc.board import is_in_step, is_online, spent_of
from controller.noc.views import (
    BalanceView,
    BatchView,
    GrantView,
    PaymentView,
    SessionView,
    ShareView,
    SiteView,
    TokenView,
    TransactionView,
)
from controller.store.code_rows import DoubleRedemptionRow
from controller.store.people_rows import BlockedDeviceRow
from controller.store.site_rows import NoticeRow, OutageRow
from controller.usecases.outages import duration_s, is_down

Line = TypeVar("Line")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("want printable characters only")
    return text


Words = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
"""Text that a person wrote, on one line."""


Mac = Annotated[Words, AfterValidator(lambda mac: mac.strip().lower().replace("-", ":"))]
"""A MAC address as people write it; the use cases check its shape."""


FIRST_AT = datetime(2000, 1, 1, tzinfo=UTC)
LAST_AT = datetime(2100, 1, 1, tzinfo=UTC)


def _of_our_time(at: datetime) -> datetime:
    if not FIRST_AT <= at < LAST_AT:
        raise ValueError("want a moment between 2000 and 2099")
    return at.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_of_our_time)]
"""A moment of a business: so far from the ends of the calendar that periods can be counted on."""


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[Line]):
    """A part of a list; ``next_cursor`` asks for the next part, and is null at the end."""

    data: list[Line]
    next_cursor: str | None


class MoneyShape(_In):
    """An amount, for example ``{"amount": "250.00", "currency": "KES"}``."""

    amount: Annotated[str, Field(max_length=24)]
    currency: Annotated[str, Field(max_length=3)] = "KES"

    @classmethod
    def of(cls, minor: int, currency: str) -> Self:
        """From minor units."""
        whole, rest = divmod(abs(minor), MINOR_PER_MAJOR[currency])
        sign = "-" if minor < 0 else ""
        return cls(amount=f"{sign}{whole}.{rest:02d}", currency=currency)

    def money(self) -> Money:
        """As money. Raises `billing.errors.InvalidField`."""
        return parse_money(self.amount, self.currency)


class SiteIn(_In):
    """A new site. ``help_phone`` is what customers are told to call."""

    id: Words
    name: Words
    operator_name: Words = ""
    help_phone: Words = ""
    language: Words = "en"


class SitePatchIn(_In):
    """Where a site is: ``place`` as "-1.2921, 36.8219" or a link to a map; null: nowhere.

    It is kept in millionths of a degree; a link has to say the coordinates itself.
    """

    place: Annotated[str, Field(max_length=2_000)] | None


class SiteOut(BaseModel):
    """A site; ``in_step`` says that its agent has applied exactly what it is wanted to."""

    id: str
    name: str
    branch_id: str
    operator_name: str
    help_phone: str
    language: str
    created_at: datetime
    online: bool
    last_seen_at: datetime | None
    agent_version: str
    generation: int
    applied_generation: int
    in_step: bool
    sessions_open: int
    latitude_e6: int | None
    longitude_e6: int | None

    @classmethod
    def of(cls, view: SiteView, now: datetime) -> Self:
        """From a view, at an instant."""
        row = view.row
        return cls(
            id=row.id,
            name=row.name,
            branch_id=row.branch_id,
            operator_name=row.operator_name,
            help_phone=row.help_phone,
            language=row.language,
            created_at=row.created_at,
            online=is_online(row, now),
            last_seen_at=row.last_seen_at,
            agent_version=row.agent_version,
            generation=row.generation,
            applied_generation=row.applied_generation,
            in_step=is_in_step(row),
            sessions_open=view.sessions_open,
            latitude_e6=row.latitude_e6,
            longitude_e6=row.longitude_e6,
        )


class OutageOut(BaseModel):
    """A time in which nothing was heard of a site; ``ended_at`` is null while it lasts."""

    began_at: datetime
    ended_at: datetime | None
    duration_s: int

    @classmethod
    def of(cls, row: OutageRow, now: datetime) -> Self:
        """From its row, at an instant."""
        return cls(began_at=row.began_at, ended_at=row.ended_at, duration_s=duration_s(row, now))


class SiteDetailOut(SiteOut):
    """A site, its last outages, and how long it is handed enough for (``outage_s``)."""

    outbox_records: int | None
    outbox_records_max: int | None
    outage_s: int
    outages: list[OutageOut]


class JoinCommandOut(BaseModel):
    """How a machine becomes a site's gateway, with a one-use code. It is shown this once.

    ``sha256`` is that of the script which the command fetches; ``careful_command`` looks at it.
    """

    command: str
    careful_command: str
    sha256: str
    expires_at: datetime


class JoinTokenOut(BaseModel):
    """A one-use join token. It is shown this once."""

    token: str


class VouchersIn(_In):
    """A new batch of vouchers for a plan; without ``expires_at`` they do not run out.

    With the link down they are good at ``sites`` (null: at all of them, and those to come), or
    nowhere when ``online_only``.
    """

    plan_id: Words
    count: StrictInt
    expires_at: Instant | None = None
    sites: Annotated[list[Words], Field(min_length=1, max_length=1_000)] | None = None
    online_only: bool = False


class VouchersOut(BaseModel):
    """The codes of a new batch. They are shown this once: only their hashes are kept."""

    batch: str
    codes: list[str]


class BatchOut(BaseModel):
    """A batch of vouchers, without the codes."""

    batch: str
    plan_id: str
    created_at: datetime
    expires_at: datetime | None
    count: int
    redeemed: int

    @classmethod
    def of(cls, view: BatchView) -> Self:
        """From a view."""
        return cls(
            batch=view.batch,
            plan_id=view.plan_id,
            created_at=view.created_at,
            expires_at=view.expires_at,
            count=view.count,
            redeemed=view.redeemed,
        )


class DoubleOut(BaseModel):
    """A code that was redeemed twice, where nobody could know: both grants stand."""

    redemption_id: str
    kind: str
    code_name: str
    plan_id: str
    site_id: str
    first_grant_id: str
    grant_id: str
    found_at: datetime
    lost: MoneyShape

    @classmethod
    def of(cls, row: DoubleRedemptionRow) -> Self:
        """From its row."""
        return cls(
            redemption_id=row.redemption_id,
            kind=row.kind,
            code_name=row.code_name,
            plan_id=row.plan_id,
            site_id=row.site_id,
            first_grant_id=row.first_grant_id,
            grant_id=row.grant_id,
            found_at=row.found_at,
            lost=MoneyShape.of(row.amount_minor, row.currency),
        )


class TokenIn(_In):
    """A token that staff issue; to a ``phone`` it also goes by SMS."""

    site_id: Words
    plan_id: Words
    phone: Words | None = None


class TokenResendIn(_In):
    """To which phone a token is sent again; without one to that which it was sold to."""

    phone: Words | None = None


class TokenShownOut(BaseModel):
    """A token with its digits. They are shown this once."""

    id: str
    site_id: str
    plan_id: str
    token: str


class TokenOut(BaseModel):
    """A token without its digits; ``sms`` says where its last message is (null: none)."""

    id: str
    site_id: str
    plan_id: str
    phone: str | None
    issued_at: datetime
    sms: str | None
    redeemed_at: datetime | None
    grant_id: str | None

    @classmethod
    def of(cls, view: TokenView) -> Self:
        """From a view; the phone number is masked."""
        row = view.row
        return cls(
            id=row.id,
            site_id=row.site_id,
            plan_id=row.plan_id,
            phone=masked(view.msisdn) if view.msisdn else None,
            issued_at=row.issued_at,
            sms=view.sms,
            redeemed_at=row.redeemed_at,
            grant_id=row.grant_id,
        )


class RotateIn(_In):
    """Nothing needs to be said."""


class RotatedOut(BaseModel):
    """The version that stands in the site's tokens from now on."""

    version: int


class PaymentOut(BaseModel):
    """An attempt to collect. ``reason`` says why it was refused; a token is for no device."""

    order_id: str
    purpose: str
    site_id: str | None
    plan_id: str | None
    plan_name: str
    device_mac: str
    phone: str
    rail: str
    price: MoneyShape
    state: str
    code: str
    reason: str | None
    receipt: str | None
    created_at: datetime
    pushed_at: datetime | None
    settled_at: datetime | None

    @classmethod
    def of(cls, view: PaymentView) -> Self:
        """From a view; the phone number is masked."""
        row = view.row
        return cls(
            order_id=row.order_id,
            purpose=row.purpose,
            site_id=row.site_id,
            plan_id=row.plan_id,
            plan_name=view.plan_name,
            device_mac=row.device_mac,
            phone=masked(row.msisdn),
            rail=row.rail,
            price=MoneyShape.of(row.amount_minor, row.currency),
            state=row.state,
            code=row.code,
            reason=row.reason,
            receipt=row.receipt,
            created_at=row.created_at,
            pushed_at=row.pushed_at,
            settled_at=row.settled_at,
        )


class SessionOut(BaseModel):
    """One device's use of one grant; open until ``closed_at``."""

    id: str
    site_id: str
    grant_id: str
    plan_id: str | None
    phone: str | None
    mac: str
    addresses: list[str]
    opened_at: datetime
    seen_at: datetime
    closed_at: datetime | None
    closed_reason: str | None
    down_bytes: int
    up_bytes: int

    @classmethod
    def of(cls, view: SessionView) -> Self:
        """From a view; the phone number is masked."""
        row = view.row
        return cls(
            id=row.id,
            site_id=row.site_id,
            grant_id=row.grant_id,
            plan_id=view.plan.id if view.plan else None,
            phone=masked(view.msisdn) if view.msisdn else None,
            mac=row.mac,
            addresses=row.addresses.split(),
            opened_at=row.opened_at,
            seen_at=row.seen_at,
            closed_at=row.closed_at,
            closed_reason=row.closed_reason,
            down_bytes=row.down_bytes,
            up_bytes=row.up_bytes,
        )


class GrantIn(_In):
    """A grant that staff give away to a device; ``phone`` ties it to a subscriber."""

    site_id: Words
    plan_id: Words
    device_mac: Mac
    phone: Words | None = None


class DeviceIn(_In):
    """One more device for a grant."""

    device_mac: Mac


class GiveMoreIn(_In):
    """A plan for nothing for the holder of a session, and why."""

    plan_id: Words
    reason: Words


class DisconnectedOut(BaseModel):
    """A device that was taken off its grant; ``POST /grants/{grant_id}/devices`` undoes it."""

    grant_id: str
    mac: str


class BlockIn(_In):
    """A device that may do nothing at a site, or (null) at any, and why."""

    mac: Mac
    site_id: Words | None = None
    reason: Words


class UnblockIn(_In):
    """A device that may have again what it owns, there where it was blocked."""

    mac: Mac
    site_id: Words | None = None


class BlockOut(BaseModel):
    """That a device is blocked at a site, or (null) everywhere; by whom, and why."""

    mac: str
    site_id: str | None
    at: datetime
    staff_name: str
    reason: str

    @classmethod
    def of(cls, row: BlockedDeviceRow) -> Self:
        """From a row."""
        return cls(
            mac=row.mac,
            site_id=row.site_id or None,
            at=row.at,
            staff_name=row.staff_name,
            reason=row.reason,
        )


class BlocksOut(BaseModel):
    """Devices that are blocked, newest first."""

    data: list[BlockOut]


class UnblockedOut(BaseModel):
    """Whether the device had been blocked there."""

    was_blocked: bool


class GrantOut(BaseModel):
    """A right to use, what was spent of it, and what is left (null: no limit binds)."""

    id: str
    site_id: str
    plan_id: str
    phone: str | None
    cause_id: str
    devices: list[str]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    ended_reason: str | None
    suspended_at: datetime | None
    spent_validity_s: int
    spent_uptime_s: int
    used_bytes: int
    left_s: int | None
    left_bytes: int | None

    @classmethod
    def of(cls, view: GrantView) -> Self:
        """From a view; the phone number is masked."""
        row = view.row
        rest = left(limits_of(view.plan), spent_of(row))
        return cls(
            id=row.id,
            site_id=row.site_id,
            plan_id=row.plan_id,
            phone=masked(view.msisdn) if view.msisdn else None,
            cause_id=row.cause_id,
            devices=row.devices.split(),
            created_at=row.created_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            ended_reason=row.ended_reason,
            suspended_at=row.suspended_at,
            spent_validity_s=row.spent_validity_s,
            spent_uptime_s=row.spent_uptime_s,
            used_bytes=row.used_bytes,
            left_s=rest.seconds,
            left_bytes=rest.bytes,
        )


class ShareOut(BaseModel):
    """A site's share of a grant: what it may use unasked (null: no limit binds) and has used.

    ``risked_bytes`` is the most that it may still act on, should it not have heard of less.
    """

    site_id: str
    online: bool
    handed_bytes: int | None
    risked_bytes: int | None
    handed_uptime_s: int | None
    own_bytes: int
    own_uptime_s: int

    @classmethod
    def of(cls, view: ShareView, now: datetime) -> Self:
        """From a view, at an instant."""
        row = view.row
        return cls(
            site_id=row.site_id,
            online=not is_down(view.last_seen_at, now),
            handed_bytes=row.handed_bytes,
            risked_bytes=row.risked_bytes,
            handed_uptime_s=row.handed_uptime_s,
            own_bytes=row.own_bytes,
            own_uptime_s=row.own_uptime_s,
        )


class GrantDetailOut(GrantOut):
    """A grant and its shares; ``exposure_bytes`` is how far its use can exceed its quota at most.

    ``exposure`` says the same in words.
    """

    exposure_bytes: int
    exposure: str
    sites: list[ShareOut]


class BalanceOut(BaseModel):
    """What one ledger account holds; debits are positive."""

    account: str
    balance: MoneyShape

    @classmethod
    def of(cls, view: BalanceView) -> Self:
        """From a view."""
        return cls(account=view.account, balance=MoneyShape.of(view.minor, view.currency))


class BalancesOut(BaseModel):
    """Every account. All balances of one currency sum to zero."""

    data: list[BalanceOut]


class PostingOut(BaseModel):
    """An amount from one account (credited) to another (debited)."""

    source: str
    target: str
    amount: MoneyShape


class TransactionOut(BaseModel):
    """An atomic list of postings and its cause."""

    id: str
    at: datetime
    cause: str
    postings: list[PostingOut]

    @classmethod
    def of(cls, view: TransactionView) -> Self:
        """From a view."""
        return cls(
            id=view.row.id,
            at=view.row.at,
            cause=view.row.cause,
            postings=[
                PostingOut(
                    source=p.source,
                    target=p.target,
                    amount=MoneyShape.of(p.amount_minor, p.currency),
                )
                for p in view.postings
            ],
        )


class NoticeOut(BaseModel):
    """Something that staff should know; without a site it concerns the controller."""

    id: str
    at: datetime
    site_id: str | None
    code: str
    text: str

    @classmethod
    def of(cls, row: NoticeRow) -> Self:
        """From its row."""
        return cls(id=row.id, at=row.at, site_id=row.site_id, code=row.code, text=row.text)
