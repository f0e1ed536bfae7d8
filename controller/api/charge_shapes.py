"""What goes out and comes in about what is charged: subscriptions, documents, debts."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from billing.invoice import shown_number
from controller.api.shapes import MoneyShape
from controller.store.billing_rows import DebtRow, DocumentRow, SubscriptionRow


class CycleShape(BaseModel):
    """How long a period is; ``anchor_day`` is a fixed day of months on which periods begin."""

    unit: str
    count: int
    anchor_day: int | None


class SubscriptionOut(BaseModel):
    """A standing contract for a plan.

    ``bill_at`` is when it is billed next, ``paid_until`` when the billed time ends. ``price`` is a
    bespoke price, null for that of the plan. ``hold`` says why it is suspended.
    """

    id: str
    subscriber_id: str
    plan_id: str
    next_plan_id: str | None
    site_id: str
    devices: list[str]
    mode: str
    cycle: CycleShape
    price: MoneyShape | None
    state: str
    hold: str | None
    state_at: datetime
    bill_at: datetime | None
    paid_until: datetime | None
    resume_at: datetime | None
    grant_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: SubscriptionRow) -> Self:
        """From its row."""
        return cls(
            id=row.id,
            subscriber_id=row.subscriber_id,
            plan_id=row.plan_id,
            next_plan_id=row.next_plan_id,
            site_id=row.site_id,
            devices=row.devices.split(),
            mode=row.mode,
            cycle=CycleShape(unit=row.cycle_unit, count=row.cycle_count, anchor_day=row.anchor_day),
            price=None if row.price_minor is None else MoneyShape.of(row.price_minor, "KES"),
            state=row.state,
            hold=row.hold,
            state_at=row.state_at,
            bill_at=row.bill_at,
            paid_until=row.paid_until,
            resume_at=row.resume_at,
            grant_id=row.grant_id,
            created_at=row.created_at,
        )


class DocumentOut(BaseModel):
    """An invoice, credit note or receipt as it was issued; ``open`` is what is not paid of it."""

    id: str
    kind: str
    number: str
    subscriber_id: str
    branch_id: str
    issued_at: datetime
    due_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    net: MoneyShape
    excise: MoneyShape
    vat: MoneyShape
    total: MoneyShape
    open: MoneyShape | None
    refers_to: str | None

    @classmethod
    def of(cls, row: DocumentRow, debt: DebtRow | None) -> Self:
        """From its row, and that of its debt."""

        def money(minor: int) -> MoneyShape:
            return MoneyShape.of(minor, row.currency)

        return cls(
            id=row.id,
            kind=row.kind,
            number=shown_number(row.series, row.number),
            subscriber_id=row.subscriber_id,
            branch_id=row.branch_id,
            issued_at=row.issued_at,
            due_at=row.due_at,
            period_start=row.period_start,
            period_end=row.period_end,
            net=money(row.net_minor),
            excise=money(row.excise_minor),
            vat=money(row.vat_minor),
            total=money(row.total_minor),
            open=None if debt is None else money(debt.open_minor),
            refers_to=row.refers_to,
        )
