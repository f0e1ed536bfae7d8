"""What goes out about runs of billing: what they did, and what the next one will do."""

import json
from datetime import datetime
from typing import Self

from pydantic import BaseModel

from controller.api.shapes import MoneyShape
from controller.store.billing_rows import BillingRunRow
from controller.usecases.billing_preview import Listed, Preview, sentences


class RunOut(BaseModel):
    """A round of due work, and how much of what it did."""

    id: str
    began_at: datetime
    ended_at: datetime | None
    done: dict[str, int]

    @classmethod
    def of(cls, row: BillingRunRow) -> Self:
        """From its row."""
        return cls(
            id=row.id, began_at=row.began_at, ended_at=row.ended_at, done=json.loads(row.done)
        )


class DoneOut(BaseModel):
    """How much was due and is done now."""

    billed: int
    dunned: int


class NamedOut(BaseModel):
    """A subscriber, for people."""

    subscriber_id: str
    name: str
    phone: str


class ListedOut(BaseModel):
    """How many subscribers something will happen to, and the first thousand of them."""

    count: int
    named: list[NamedOut]

    @classmethod
    def of(cls, listed: Listed) -> Self:
        """From a list."""
        return cls(
            count=listed.count,
            named=[
                NamedOut(subscriber_id=one.subscriber_id, name=one.name, phone=one.msisdn)
                for one in listed.named
            ],
        )


class PreviewOut(BaseModel):
    """What billing will do until a moment, if nothing happens before.

    ``invoices`` come to ``amount``, of which wallets pay ``paid`` at once.
    """

    upto: datetime
    sentences: list[str]
    invoices: int
    amount: MoneyShape
    paid: MoneyShape
    billed: ListedOut
    renewed: ListedOut
    lapsing: ListedOut
    resumed: ListedOut
    reminded: ListedOut
    charged_late: ListedOut
    suspended: ListedOut
    recovered: ListedOut

    @classmethod
    def of(cls, found: Preview) -> Self:
        """From a preview."""
        return cls(
            upto=found.upto,
            sentences=sentences(found),
            invoices=found.invoices,
            amount=MoneyShape.of(found.amount.minor, found.amount.currency),
            paid=MoneyShape.of(found.paid.minor, found.paid.currency),
            billed=ListedOut.of(found.billed),
            renewed=ListedOut.of(found.renewed),
            lapsing=ListedOut.of(found.lapsing),
            resumed=ListedOut.of(found.resumed),
            reminded=ListedOut.of(found.reminded),
            charged_late=ListedOut.of(found.charged_late),
            suspended=ListedOut.of(found.suspended),
            recovered=ListedOut.of(found.recovered),
        )
