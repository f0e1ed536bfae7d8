"""What goes out and comes in about imports."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from billing.charge import Mode
from billing.ids import SiteId
from billing.period import midnight
from billing.voucher import shown
from controller.api.shapes import MoneyShape, Words
from controller.api.statement_shapes import Day
from controller.importing.mapping import Left, Terms
from controller.store.import_rows import ImportRow
from controller.usecases.imports import NewImport, Outlook, Undone

FILE_CHARS_MAX = 14_000_000
PRICES_MAX = 500

PlanName = Annotated[Words, Field(min_length=1, max_length=160)]
SiteName = Annotated[str, Field(pattern="^[a-z0-9-]{1,32}$")]


class Source(StrEnum):
    """From where."""

    MIKROTIK = "mikrotik"


class ImportIn(BaseModel):
    """A file of ``lango-agent router read``, and what it does not tell.

    ``prices`` are in KES, by the name of a profile, or of a plan as an import shows it.
    ``begins_on`` is the day of the first bill; until then customers are served. With ``make_good``
    a code that is partly used becomes a whole one.
    """

    model_config = ConfigDict(extra="forbid")

    source: Source = Source.MIKROTIK
    site_id: SiteName
    name: Words
    file: Annotated[str, Field(max_length=FILE_CHARS_MAX, repr=False)]
    prices: Annotated[
        dict[PlanName, Annotated[int, Field(ge=0, le=10_000_000)]],
        Field(max_length=PRICES_MAX),
    ] = {}
    mode: Mode = Mode.PREPAID
    begins_on: Day
    make_good: bool = False

    @property
    def new(self) -> NewImport:
        """As the use case takes it."""
        prices = {name: price * 100 for name, price in self.prices.items()}
        return NewImport(
            site_id=SiteId(self.site_id),
            name=self.name,
            text=self.file,
            terms=Terms(prices, self.make_good),
            mode=self.mode,
            begins_at=midnight(self.begins_on),
        )


class ImportPlan(BaseModel):
    """A plan that an import makes, or has made."""

    id: str
    name: str
    audience: str
    price: MoneyShape
    down_bps: int
    up_bps: int
    is_new: bool


class LeftOut(BaseModel):
    """A row that is left out: where it stands, its name, and why."""

    menu: str
    name: str
    reason: str
    text: str

    @classmethod
    def of(cls, one: Left) -> Self:
        """From what the mapping says."""
        return cls(menu=one.menu, name=one.name, reason=one.reason, text=one.text)


class NewCode(BaseModel):
    """A code of the router, and the voucher that takes its place."""

    name: str
    code: str


class OutlookOut(BaseModel):
    """What an import does, or would do. Who is ``loginless`` dialled in, and wants a new login.

    ``unpriced`` are names that want a price, with their rows.

    ``codes`` are told by an import only, and by each repetition of it.
    """

    counts: dict[str, int]
    plans: list[ImportPlan]
    left: list[LeftOut]
    loginless: list[LeftOut]
    unpriced: dict[str, int]
    codes: list[NewCode]

    @classmethod
    def of(cls, told: Outlook) -> Self:
        """From what the use case answers."""
        proposal = told.proposal
        return cls(
            counts=told.counts | {"subscribers_known": told.subscribers_known},
            plans=[
                ImportPlan(
                    id=told.plans[one.key],
                    name=one.plan.name,
                    audience=one.plan.audience,
                    price=MoneyShape.of(one.plan.price.minor, one.plan.price.currency),
                    down_bps=one.plan.limits.down_bps,
                    up_bps=one.plan.limits.up_bps,
                    is_new=told.is_new(one.key),
                )
                for one in proposal.plans
            ],
            left=[LeftOut.of(one) for one in proposal.left],
            loginless=[LeftOut.of(one) for one in told.loginless],
            unpriced=dict(proposal.unpriced),
            codes=[
                NewCode(name=one.name, code=shown(told.codes[one.key]))
                for one in proposal.codes
                if one.key in told.codes
            ],
        )


class BroughtOut(OutlookOut):
    """What an import did."""

    id: str

    @classmethod
    def brought(cls, import_id: str, told: Outlook) -> Self:
        """From what the use case answers."""
        return cls(id=import_id, **OutlookOut.of(told).model_dump())


class ImportOut(BaseModel):
    """An import that was made; ``undone_at`` when it was taken back."""

    id: str
    source: str
    site_id: str
    name: str
    at: datetime
    undone_at: datetime | None
    counts: dict[str, int]

    @classmethod
    def of(cls, row: ImportRow) -> Self:
        """From its row."""
        return cls(
            id=row.id,
            source=row.source,
            site_id=row.site_id,
            name=row.name,
            at=row.at,
            undone_at=row.undone_at,
            counts=json.loads(row.counts),
        )


class UndoneOut(BaseModel):
    """What became of an import that was undone; ``kept`` rows were used or billed since."""

    counts: dict[str, int]
    kept: list[str]

    @classmethod
    def of(cls, done: Undone) -> Self:
        """From what the use case answers."""
        return cls(counts=dict(done.counts), kept=list(done.kept))
