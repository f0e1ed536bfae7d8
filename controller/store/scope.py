"""Which branch a row belongs to: one condition for each kind, for lists and single rows alike.

Staff who are held to some branches see a row when `within` is true of it. Rows that belong to no
branch (money that fits nobody yet, notices about the controller) are then nobody's but theirs who
are held to none. ``branches`` None is: all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select, true

from controller.store.alert_rows import AlertRow, AreaNoticeRow, MaintenanceRow
from controller.store.billing_rows import (
    BranchRow,
    DebtRow,
    DocumentRow,
    PriceRow,
    ReceivedRow,
    SubscriptionRow,
)
from controller.store.code_rows import DoubleRedemptionRow, TokenRow
from controller.store.payment_rows import ArrivalRow, MandateRow, RefundRow
from controller.store.rows import GrantRow, PaymentRow, SessionRow, SmsRow, SubscriberRow
from controller.store.site_rows import GardenRow, NoticeRow, SiteRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement

    from controller.store.database import Tx
    from controller.store.rows import Row

    Condition = ColumnElement[bool]

Branches = frozenset[str] | None
"""The branches that somebody is held to; None: to none."""


def within(row: type[Row], branches: Branches) -> Condition:
    """What is true of rows that belong to one of ``branches``."""
    return true() if branches is None else _WITHIN[row](sorted(branches))


async def belongs(tx: Tx, kind: str, name: str, branches: Branches) -> bool:
    """Whether there is such a thing, and it belongs to one of ``branches``."""
    row, named = _KINDS[kind]
    return (
        await tx.scalar(select(row).where(named(name), within(row, branches)).limit(1)) is not None
    )


def _sites(branches: Sequence[str]) -> Any:
    return select(SiteRow.id).where(SiteRow.branch_id.in_(branches))


def _subscribers(branches: Sequence[str]) -> Any:
    return select(SubscriberRow.id).where(SubscriberRow.branch_id.in_(branches))


def _payment(branches: Sequence[str]) -> Condition:
    """Of the site where it buys something; money for an account, of the subscriber."""
    account = and_(
        PaymentRow.site_id.is_(None), PaymentRow.subscriber_id.in_(_subscribers(branches))
    )
    return or_(PaymentRow.site_id.in_(_sites(branches)), account)


def _arrival(branches: Sequence[str]) -> Condition:
    orders = select(PaymentRow.order_id).where(_payment(branches))
    received = select(ReceivedRow.id).where(ReceivedRow.branch_id.in_(branches))
    return or_(
        and_(ArrivalRow.order_id.is_not(None), ArrivalRow.order_id.in_(orders)),
        and_(ArrivalRow.received_id.is_not(None), ArrivalRow.received_id.in_(received)),
    )


def _message(branches: Sequence[str]) -> Condition:
    """Of the site that it is about; else of the subscriber who has the phone."""
    phones = select(SubscriberRow.msisdn).where(SubscriberRow.branch_id.in_(branches))
    of_phone = and_(SmsRow.site_id.is_(None), SmsRow.msisdn.in_(phones))
    return or_(SmsRow.site_id.in_(_sites(branches)), of_phone)


def _garden(branches: Sequence[str]) -> Condition:
    """What is reached at a site of theirs, by an entry of it or by one of every site."""
    return or_(GardenRow.site_id == "", GardenRow.site_id.in_(_sites(branches)))


def _area(row: type[MaintenanceRow | AreaNoticeRow]) -> Callable[[Sequence[str]], Condition]:
    """Of a site or branch of theirs; what concerns everything is nobody's."""
    return lambda some: or_(row.site_id.in_(_sites(some)), row.branch_id.in_(some))


_WITHIN: dict[type[Row], Callable[[Sequence[str]], Condition]] = {
    BranchRow: BranchRow.id.in_,
    SiteRow: SiteRow.branch_id.in_,
    SubscriberRow: SubscriberRow.branch_id.in_,
    PriceRow: PriceRow.branch_id.in_,
    SessionRow: lambda some: SessionRow.site_id.in_(_sites(some)),
    GrantRow: lambda some: GrantRow.site_id.in_(_sites(some)),
    TokenRow: lambda some: TokenRow.site_id.in_(_sites(some)),
    DoubleRedemptionRow: lambda some: DoubleRedemptionRow.site_id.in_(_sites(some)),
    NoticeRow: lambda some: NoticeRow.site_id.in_(_sites(some)),
    AlertRow: lambda some: AlertRow.site_id.in_(_sites(some)),
    MaintenanceRow: _area(MaintenanceRow),
    AreaNoticeRow: _area(AreaNoticeRow),
    GardenRow: _garden,
    SmsRow: _message,
    PaymentRow: _payment,
    ArrivalRow: _arrival,
    RefundRow: lambda some: RefundRow.arrival_id.in_(select(ArrivalRow.id).where(_arrival(some))),
    ReceivedRow: ReceivedRow.branch_id.in_,
    MandateRow: lambda some: MandateRow.subscriber_id.in_(_subscribers(some)),
    SubscriptionRow: lambda some: SubscriptionRow.subscriber_id.in_(_subscribers(some)),
    DocumentRow: DocumentRow.branch_id.in_,
    DebtRow: lambda some: DebtRow.document_id.in_(
        select(DocumentRow.id).where(DocumentRow.branch_id.in_(some))
    ),
}


def document_named(name: str) -> Condition:
    """The document of an id, or of a number as it is printed: ``INV-main-000042``."""
    series, _, number = name.rpartition("-")
    named = DocumentRow.id == name
    if series and number.isascii() and number.isdigit() and len(number) <= _DIGITS_MAX:
        numbered = and_(DocumentRow.series == series, DocumentRow.number == int(number))
        named = or_(named, numbered)
    return named


_DIGITS_MAX = 18

_KINDS: dict[str, tuple[type[Any], Callable[[str], Condition]]] = {
    "branch": (BranchRow, lambda name: BranchRow.id == name),
    "site": (SiteRow, lambda name: SiteRow.id == name),
    "subscriber": (
        SubscriberRow,
        lambda name: or_(SubscriberRow.id == name, SubscriberRow.msisdn == name),
    ),
    "subscription": (SubscriptionRow, lambda name: SubscriptionRow.id == name),
    "document": (DocumentRow, document_named),
    "price": (PriceRow, lambda name: PriceRow.id == name),
    "grant": (GrantRow, lambda name: GrantRow.id == name),
    "session": (SessionRow, lambda name: SessionRow.id == name),
    "token": (TokenRow, lambda name: TokenRow.id == name),
    "payment": (PaymentRow, lambda name: PaymentRow.order_id == name),
    "received": (ReceivedRow, lambda name: ReceivedRow.id == name),
    "arrival": (ArrivalRow, lambda name: ArrivalRow.id == name),
    "refund": (RefundRow, lambda name: RefundRow.id == name),
    "alert": (AlertRow, lambda name: AlertRow.id == name),
    "maintenance": (MaintenanceRow, lambda name: MaintenanceRow.id == name),
    "area_notice": (AreaNoticeRow, lambda name: AreaNoticeRow.id == name),
    "mandate": (MandateRow, lambda name: MandateRow.id == name),
}

KINDS = frozenset(_KINDS)
"""What can be asked of `belongs`; a subscriber by id, or by phone as it is kept."""
