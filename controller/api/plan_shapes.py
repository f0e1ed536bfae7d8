"""What goes out and comes in about plans: speeds, limits, price, tariff."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from billing.errors import InvalidField
from billing.ids import PlanId
from billing.plan import STEPS_MAX, WINDOWS_MAX, Audience, Burst, Limits, Plan, Step, Window
from billing.price import Price
from billing.rating import TIERS_MAX, Formula, Tariff, Tier, read_tariff
from billing.tax import TaxClass
from controller.api.shapes import MoneyShape, Words
from controller.limits import limits_of
from controller.store.billing_rows import PriceRow
from controller.store.rows import PlanRow
from controller.usecases.prices import Holding


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TierShape(_In):
    """Units up to and with ``upto_units`` (null: all further ones), and what one costs.

    Of a package tariff ``price`` is that of the whole block.
    """

    upto_units: StrictInt | None = None
    price: MoneyShape


class TariffShape(_In):
    """What volume costs: ``graduated``, ``package`` or ``volume`` over tiers; the last is open."""

    formula: Formula
    unit_bytes: StrictInt
    tiers: Annotated[list[TierShape], Field(max_length=TIERS_MAX)]

    @classmethod
    def of(cls, tariff: Tariff) -> Self:
        """From a tariff."""
        tiers = [
            TierShape(
                upto_units=tier.upto_units,
                price=MoneyShape.of(tier.price.minor, tier.price.currency),
            )
            for tier in tariff.tiers
        ]
        return cls(formula=tariff.formula, unit_bytes=tariff.unit_bytes, tiers=tiers)

    def tariff(self) -> Tariff:
        """As a tariff, unchecked. Raises `InvalidField` for what is no money."""
        return Tariff(self.formula, self.unit_bytes, tuple(_tiers(self.tiers)))


def _tiers(shapes: list[TierShape]) -> list[Tier]:
    tiers = []
    for n, shape in enumerate(shapes):
        try:
            tiers.append(Tier(shape.upto_units, shape.price.money()))
        except InvalidField as refusal:
            raise InvalidField(f"tariff.tiers[{n}].price", refusal.problem) from refusal
    return tiers


class BurstShape(_In):
    """So many bytes at this speed, each way, before the plan's rate holds."""

    down_bps: StrictInt
    up_bps: StrictInt
    burst_bytes: StrictInt


class StepShape(_In):
    """The speed once ``after_bytes`` of a grant are used, both directions together."""

    after_bytes: StrictInt
    down_bps: StrictInt
    up_bps: StrictInt


class WindowShape(_In):
    """The speed at certain hours, in minutes of the day in Nairobi; it may pass midnight."""

    from_minute: StrictInt
    until_minute: StrictInt
    down_bps: StrictInt
    up_bps: StrictInt


class PlanIn(_In):
    """A new plan. At least one of ``validity_s``, ``uptime_s`` and ``quota_bytes`` must bind.

    Where a site has a pool of the name ``pool_id``, devices with this plan share it. A plan for
    the audience ``contract`` is offered at no portal, may have cents, taxes on top of its price,
    and a ``tariff``: what volume costs in addition.
    """

    id: Words
    name: Words
    price: MoneyShape
    down_bps: StrictInt
    up_bps: StrictInt
    validity_s: StrictInt | None = None
    uptime_s: StrictInt | None = None
    quota_bytes: StrictInt | None = None
    devices_max: StrictInt = 1
    burst: BurstShape | None = None
    steps: Annotated[list[StepShape], Field(max_length=STEPS_MAX)] = []
    windows: Annotated[list[WindowShape], Field(max_length=WINDOWS_MAX)] = []
    rank: Annotated[StrictInt, Field(ge=0, le=10_000)] = 0
    pool_id: Words = ""
    audience: Audience = Audience.HOTSPOT
    tax_class: TaxClass = TaxClass.INTERNET
    tax_included: StrictBool = True
    tariff: TariffShape | None = None

    def plan(self) -> Plan:
        """As a plan, unchecked."""
        return Plan(
            id=PlanId(self.id),
            name=self.name,
            price=self.price.money(),
            limits=self.limits(),
            pool_id=self.pool_id,
            audience=self.audience,
            tax_class=self.tax_class,
            tax_included=self.tax_included,
            tariff=None if self.tariff is None else self.tariff.tariff(),
        )

    def limits(self) -> Limits:
        """What it allows, unchecked."""
        return Limits(
            down_bps=self.down_bps,
            up_bps=self.up_bps,
            validity_s=self.validity_s,
            uptime_s=self.uptime_s,
            quota_bytes=self.quota_bytes,
            devices_max=self.devices_max,
            burst=None if self.burst is None else Burst(**self.burst.model_dump()),
            steps=tuple(Step(**step.model_dump()) for step in self.steps),
            windows=tuple(Window(**window.model_dump()) for window in self.windows),
        )


class PlanOut(BaseModel):
    """A plan, on sale unless ``withdrawn_at`` says since when it is not."""

    id: str
    name: str
    price: MoneyShape
    down_bps: int
    up_bps: int
    validity_s: int | None
    uptime_s: int | None
    quota_bytes: int | None
    devices_max: int
    burst: BurstShape | None
    steps: list[StepShape]
    windows: list[WindowShape]
    rank: int
    pool_id: str | None
    audience: str
    tax_class: str
    tax_included: bool
    tariff: TariffShape | None
    created_at: datetime
    withdrawn_at: datetime | None

    @classmethod
    def of(cls, row: PlanRow) -> Self:
        """From its row."""
        allows = limits_of(row)
        burst = None if allows.burst is None else BurstShape(**asdict(allows.burst))
        return cls(
            id=row.id,
            name=row.name,
            price=MoneyShape.of(row.price_minor, row.currency),
            down_bps=row.down_bps,
            up_bps=row.up_bps,
            validity_s=row.validity_s,
            uptime_s=row.uptime_s,
            quota_bytes=row.quota_bytes,
            devices_max=row.devices_max,
            burst=burst,
            steps=[StepShape(**asdict(step)) for step in allows.steps],
            windows=[WindowShape(**asdict(window)) for window in allows.windows],
            rank=row.rank,
            pool_id=row.pool_id,
            audience=row.audience,
            tax_class=row.tax_class,
            tax_included=row.tax_included,
            tariff=None if row.tariff is None else TariffShape.of(read_tariff(row.tariff)),
            created_at=row.created_at,
            withdrawn_at=row.withdrawn_at,
        )


class PriceIn(_In):
    """Another amount for a plan; "" is every segment, and every branch.

    From ``from_day`` (null: today) up to, and without, ``until_day`` (null: no end yet). The most
    specific price holds: segment and branch, then segment, then branch, then the plan's own.
    """

    amount: MoneyShape
    segment: Words = ""
    branch_id: Words = ""
    from_day: date | None = None
    until_day: date | None = None

    def price(self, plan_id: PlanId, today: date) -> Price:
        """As a price, unchecked."""
        return Price(
            plan_id=plan_id,
            segment=self.segment,
            branch_id=self.branch_id,
            amount=self.amount.money(),
            from_day=self.from_day or today,
            until_day=self.until_day,
        )


class PriceEndIn(_In):
    """Up to, and without, which day a price holds; null: it ended yesterday."""

    until_day: date | None = None


class PriceOut(BaseModel):
    """A price; ``state`` is ``holds``, ``to_come`` or ``over``."""

    id: str
    plan_id: str
    segment: str
    branch_id: str
    amount: MoneyShape
    from_day: date
    until_day: date | None
    state: str
    created_at: datetime

    @classmethod
    def of(cls, row: PriceRow, today: date) -> Self:
        """From its row, on a day."""
        over = row.until_day is not None and row.until_day <= today
        begun = "over" if over else "holds"
        return cls(
            id=row.id,
            plan_id=row.plan_id,
            segment=row.segment,
            branch_id=row.branch_id,
            amount=MoneyShape.of(row.amount_minor, row.currency),
            from_day=row.from_day,
            until_day=row.until_day,
            state=begun if row.from_day <= today else "to_come",
            created_at=row.created_at,
        )


class HoldingOut(BaseModel):
    """What a plan costs a segment at a branch on the day that was asked for."""

    segment: str
    branch_id: str
    amount: MoneyShape

    @classmethod
    def of(cls, one: Holding) -> Self:
        """From what holds."""
        return cls(
            segment=one.segment,
            branch_id=one.branch_id,
            amount=MoneyShape.of(one.amount.minor, one.amount.currency),
        )
