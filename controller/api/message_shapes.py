"""What goes out about text messages."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from billing.msisdn import masked
from controller.noc.views import SmsMonth
from controller.notify.cost import written_cost
from controller.store.rows import SmsRow


class MessageOut(BaseModel):
    """A text message without its text. ``cost`` is in shillings, to four decimals; null: not told.

    ``state`` is ``waiting``, ``sent`` or ``given_up``; ``delivery`` is what its carrier reported of
    it: ``delivered``, ``failed``, or nothing yet.
    """

    id: str
    at: datetime
    about: str
    site_id: str | None
    phone: str
    state: str
    delivery: str
    problem: str
    parts: int
    cost: str | None
    sent_at: datetime | None
    reported_at: datetime | None

    @classmethod
    def of(cls, row: SmsRow) -> Self:
        """From its row; the phone number is masked."""
        return cls(
            id=row.id,
            at=row.created_at,
            about=row.about,
            site_id=row.site_id,
            phone=masked(row.msisdn),
            state=row.state,
            delivery=row.delivery,
            problem=row.problem,
            parts=row.parts,
            cost=None if row.cost_e4 is None else written_cost(row.cost_e4),
            sent_at=row.sent_at,
            reported_at=row.told_at,
        )


class MessageCostsOut(BaseModel):
    """The messages that were sent in a month of Nairobi, and what they cost in shillings.

    ``unpriced`` of them have no cost that we were told; they are not in the sum.
    """

    month: str
    sent: int
    parts: int
    delivered: int
    failed: int
    cost: str
    unpriced: int

    @classmethod
    def of(cls, month: str, view: SmsMonth) -> Self:
        """From a view."""
        return cls(
            month=month,
            sent=view.sent,
            parts=view.parts,
            delivered=view.delivered,
            failed=view.failed,
            cost=written_cost(view.cost_e4),
            unpriced=view.unpriced,
        )
