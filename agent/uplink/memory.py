"""The shipped fake: a controller in the same process. For tests and for dry runs.

It keeps the promises that the real one makes (generations and digests, one payment for each order
id, each record once) and lets a test play the world: `MemoryController.pay`, `cut`, `put_item`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from wirepb.v1 import desired_pb2 as pb

from agent.changes import digest
from agent.uplink.seam import (
    NO_BACKLOG,
    AppliedState,
    Backlog,
    DesiredChange,
    OrderAnswer,
    UplinkError,
    UplinkRefused,
)
from billing.payment import OrderStage, Reason
from portal.captive.gate import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from agent.model import Record
    from agent.uplink.seam import Order
    from billing.ids import OrderId, RedemptionId
    from billing.plan import Limits
    from billing.receipt import Receipt
    from billing.voucher import VoucherCode
    from portal.captive.gate import Offer, SiteFace
    from shaping.plane import MacAddress

STEPS_KEPT_MAX = 1_000
"""Changes from which an agent can be brought up by steps; further behind it gets a snapshot."""


@dataclass(slots=True)
class _Paid:
    order: Order
    answer: OrderAnswer


@dataclass(slots=True)
class MemoryController:
    """What a controller knows of one site, in plain dictionaries."""

    items: dict[str, bytes] = field(default_factory=dict)
    generation: int = 1
    records: dict[tuple[str, int], Record] = field(default_factory=dict)
    applied: AppliedState | None = None
    backlog: Backlog = NO_BACKLOG
    newest: list[Record] = field(default_factory=list)
    orders: dict[OrderId, _Paid] = field(default_factory=dict)
    vouchers: dict[VoucherCode | Receipt, RedemptionId | None] = field(default_factory=dict)
    steps: list[DesiredChange] = field(default_factory=list)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def put_item(self, key: str, body: bytes) -> None:
        """Change one item of desired state; followers hear of it."""
        self._step(((key, body),), ())

    def drop_item(self, key: str) -> None:
        """Drop one item of desired state; followers hear of it."""
        self._step((), (key,))

    def pay(self, order_id: OrderId, *, limits: Limits) -> str:
        """The payer said yes: money is in, and a grant for the ordering device goes out."""
        paid = self.orders[order_id]
        paid.answer = OrderAnswer(stage=OrderStage.PAID, reason=None)
        grant_id = sha256(order_id.encode()).hexdigest()[:32]
        key, body = grant_item(
            grant_id, limits=limits, devices=(paid.order.device_mac,), cause_id=order_id
        )
        self.put_item(key, body)
        return grant_id

    def refuse(self, order_id: OrderId, reason: Reason) -> None:
        """The payer or the provider said no."""
        self.orders[order_id].answer = OrderAnswer(stage=OrderStage.REFUSED, reason=reason)

    def since(self, known: AppliedState) -> DesiredChange | None:
        """The next step from what an agent has; None when it has everything."""
        now = digest(self.items)
        if (known.generation, known.digest) == (self.generation, now):
            return None
        for step in self.steps:
            if step.from_generation == known.generation and known.generation:
                return step
        return DesiredChange(
            generation=self.generation,
            from_generation=0,
            upserts=tuple(self.items.items()),
            removals=(),
            digest=now,
        )

    async def moved(self) -> None:
        """Until the desired state changes again."""
        await self._moved.wait()

    def take(
        self,
        journal: str,
        records: Sequence[Record],
        applied: AppliedState,
        backlog: Backlog = NO_BACKLOG,
    ) -> int:
        """Note records, each once; the seq up to which this journal is complete here.

        What is told ahead of its turn is noted apart: it acknowledges nothing.
        """
        self.backlog = backlog
        self.newest += backlog.newest
        for record in records:
            self.records.setdefault((journal, record.seq), record)
        self.applied = applied
        return max((seq for name, seq in self.records if name == journal), default=0)

    def purchase(self, order: Order) -> OrderAnswer:
        """Take an order once. Raises `UplinkRefused` for other content under the same id."""
        known = self.orders.get(order.order_id)
        if known is None:
            known = _Paid(order, OrderAnswer(stage=OrderStage.PROMPTED, reason=None))
            if f"plan/{order.plan_id}" not in self.items:
                known.answer = OrderAnswer(OrderStage.REFUSED, Reason.PLAN_UNKNOWN)
            self.orders[order.order_id] = known
        if replace(known.order, age_s=0) != replace(order, age_s=0):
            raise UplinkRefused(f"order {order.order_id} was sent before with other content")
        return known.answer

    def redeem(self, redemption_id: RedemptionId, code: VoucherCode | Receipt) -> Refusal | None:
        """Redeem a voucher once; the same redemption again is accepted again."""
        if code not in self.vouchers:
            return Refusal.VOUCHER_INVALID
        if self.vouchers[code] not in {None, redemption_id}:
            return Refusal.VOUCHER_USED
        self.vouchers[code] = redemption_id
        return None

    def _step(self, upserts: tuple[tuple[str, bytes], ...], removals: tuple[str, ...]) -> None:
        for key in removals:
            self.items.pop(key, None)
        self.items.update(upserts)
        self.generation += 1
        step = DesiredChange(
            generation=self.generation,
            from_generation=self.generation - 1,
            upserts=upserts,
            removals=removals,
            digest=digest(self.items),
        )
        self.steps = [*self.steps[1 - STEPS_KEPT_MAX :], step]
        self._moved.set()
        self._moved = asyncio.Event()


class MemoryUplink:
    """A road to a `MemoryController` that can be cut.

    ``lose_answers`` lets messages arrive and loses what comes back.
    """

    def __init__(self, controller: MemoryController) -> None:
        self.controller = controller
        self.lose_answers = False
        self._cut = asyncio.Event()

    def cut(self) -> None:
        """Break the link: streams end, calls fail."""
        self._cut.set()

    def mend(self) -> None:
        """The link is back."""
        self._cut = asyncio.Event()

    async def follow(self, known: AppliedState) -> AsyncGenerator[DesiredChange, None]:
        """As `agent.uplink.seam.Uplink.follow`. Raises `UplinkError`."""
        while True:
            self._up()
            moved = asyncio.ensure_future(self.controller.moved())
            cut = asyncio.ensure_future(self._cut.wait())
            try:
                step = self.controller.since(known)
                if step is None:
                    await asyncio.wait({moved, cut}, return_when=asyncio.FIRST_COMPLETED)
                    continue
                known = AppliedState(step.generation, step.digest)
            finally:
                moved.cancel()
                cut.cancel()
            yield step

    async def report(
        self,
        journal: str,
        records: Sequence[Record],
        applied: AppliedState,
        backlog: Backlog = NO_BACKLOG,
    ) -> int:
        """As `agent.uplink.seam.Uplink.report`. Raises `UplinkError`."""
        self._up()
        acked = self.controller.take(journal, records, applied, backlog)
        self._answer()
        return acked

    async def purchase(self, order: Order) -> OrderAnswer:
        """As `agent.uplink.seam.Uplink.purchase`. Raises `UplinkError`, `UplinkRefused`."""
        self._up()
        answer = self.controller.purchase(order)
        self._answer()
        return answer

    async def redeem(
        self, redemption_id: RedemptionId, code: VoucherCode | Receipt, device: MacAddress
    ) -> Refusal | None:
        """As `agent.uplink.seam.Uplink.redeem`. Raises `UplinkError`."""
        assert device, "a redemption is for a device"
        self._up()
        refusal = self.controller.redeem(redemption_id, code)
        self._answer()
        return refusal

    def _up(self) -> None:
        if self._cut.is_set():
            raise UplinkError("the link is cut", sent=False)

    def _answer(self) -> None:
        if self.lose_answers:
            raise UplinkError("the answer was lost", sent=True)


def site_item(face: SiteFace) -> tuple[str, bytes]:
    """The item that says how a site presents itself."""
    site = pb.Site(
        operator_name=face.operator_name,
        site_name=face.site_name,
        help_phone=face.help_phone,
        language=face.language,
    )
    return "site", pb.ItemBody(site=site).SerializeToString(deterministic=True)


def plan_item(offer: Offer, *, rank: int = 0) -> tuple[str, bytes]:
    """The item of a plan that is for sale."""
    limits = pb.Limits(
        down_bps=offer.down_bps,
        up_bps=offer.up_bps,
        validity_s=offer.validity_s or 0,
        uptime_s=offer.uptime_s or 0,
        quota_bytes=offer.quota_bytes or 0,
        devices_max=offer.devices_max,
    )
    plan = pb.Plan(
        plan_id=offer.plan_id,
        name=offer.name,
        price_minor=offer.price.minor,
        currency=offer.price.currency,
        limits=limits,
        rank=rank,
    )
    body = pb.ItemBody(plan=plan).SerializeToString(deterministic=True)
    return f"plan/{offer.plan_id}", body


def grant_item(
    grant_id: str,
    *,
    limits: Limits,
    devices: Sequence[str],
    cause_id: str = "",
    revoked: bool = False,
    spent: tuple[int, int, int] = (0, 0, 0),
    plan_name: str = "Plan",
) -> tuple[str, bytes]:
    """The item of a grant; ``spent`` is validity, connected time (seconds) and bytes."""
    grant = pb.Grant(
        grant_id=grant_id,
        plan_id="plan",
        plan_name=plan_name,
        limits=pb.Limits(
            down_bps=limits.down_bps,
            up_bps=limits.up_bps,
            validity_s=limits.validity_s or 0,
            uptime_s=limits.uptime_s or 0,
            quota_bytes=limits.quota_bytes or 0,
            devices_max=limits.devices_max,
        ),
        devices=devices,
        revoked=revoked,
        spent_validity_s=spent[0],
        spent_uptime_s=spent[1],
        spent_bytes=spent[2],
        cause_id=cause_id,
    )
    return f"grant/{grant_id}", pb.ItemBody(grant=grant).SerializeToString(deterministic=True)
