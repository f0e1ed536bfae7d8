"""The shipped fake: a controller in the same process. For tests and for dry runs.

It keeps the promises that the real one makes (generations and digests, one payment for each order
id, each record once) and lets a test play the world: `MemoryController.pay`, `cut`, `put_item`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from wirepb.v1 import desired_pb2 as pb

from agent.changes import digest
from agent.uplink.seam import (
    NO_BACKLOG,
    Acked,
    AppliedState,
    Backlog,
    DesiredChange,
    Full,
    OrderAnswer,
    UplinkError,
    UplinkRefused,
)
from billing.ids import grant_of
from billing.payment import OrderStage, Reason
from billing.quota import UNBOUND
from portal.captive.gate import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from agent.model import Chunk, Prepaid, SitePool
    from agent.uplink.seam import Held, Order
    from agent.vitals import Vitals
    from agent.wire import Record
    from billing.ids import GrantId, OrderId, RedemptionId
    from billing.msisdn import Msisdn, PhoneCode
    from billing.plan import Limits
    from billing.quota import Allowance
    from billing.receipt import Receipt
    from billing.token import TokenCode
    from billing.voucher import VoucherCode
    from portal.captive.gate import Offer, SiteFace
    from shaping.plane import MacAddress

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SENT_CODE = "246810"
"""What every phone is sent."""

PART_BYTES_MAX = 64 * 1024
"""Of keys and bodies in one part of a change."""

STEPS_KEPT_MAX = 1_000
"""Changes from which an agent can be brought up by steps; further behind it gets a snapshot."""


@dataclass(slots=True)
class _Paid:
    order: Order
    answer: OrderAnswer


@dataclass(slots=True)
class MemoryController:
    """What a controller knows of one site, in plain dictionaries.

    ``clock`` is what time it says it is, None: it does not. ``bought`` is what each code, or each
    payer's number, has bought; ``gives`` what a voucher is good for, when a grant is to follow its
    redemption.
    """

    items: dict[str, bytes] = field(default_factory=dict)
    generation: int = 1
    part_bytes_max: int = PART_BYTES_MAX
    records: dict[tuple[str, int], Record] = field(default_factory=dict)
    applied: AppliedState | None = None
    backlog: Backlog = NO_BACKLOG
    vitals: Vitals | None = None
    clock: datetime | None = None
    newest: list[Record] = field(default_factory=list)
    orders: dict[OrderId, _Paid] = field(default_factory=dict)
    vouchers: dict[str, RedemptionId | None] = field(default_factory=dict)
    sent_codes: list[tuple[Msisdn, MacAddress]] = field(default_factory=list)
    bought: dict[str, GrantId] = field(default_factory=dict)
    gives: dict[str, Limits] = field(default_factory=dict)
    steps: list[DesiredChange] = field(default_factory=list)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def put_item(self, key: str, body: bytes) -> None:
        """Change one item of desired state; followers hear of it."""
        self._step(((key, body),), ())

    def drop_item(self, key: str) -> None:
        """Drop one item of desired state; followers hear of it."""
        self._step((), (key,))

    def swap_item(self, item: tuple[str, bytes], gone: str) -> None:
        """Put one item in place of another, in one step; followers hear of it."""
        self._step((item,), (gone,))

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

    def parts_since(self, known: AppliedState, held: Held | None) -> tuple[DesiredChange, ...]:
        """The next step, in parts for who takes them; none when there is nothing to tell.

        It goes on from what is held of this very change; a later one begins anew.
        """
        step = self.since(known)
        if step is None or held is None:
            return () if step is None else (step,)
        whole = replace(step, upserts=tuple(sorted(step.upserts)))
        goes_on = (held.generation, held.digest) == (step.generation, step.digest)
        if not goes_on or held.from_generation != step.from_generation:
            return _cut(whole, self.part_bytes_max)
        rest = tuple(one for one in whole.upserts if one[0] > held.upto_key)
        return _cut(replace(whole, upserts=rest, continues=True), self.part_bytes_max)

    async def moved(self) -> None:
        """Until the desired state changes again."""
        await self._moved.wait()

    def take(
        self,
        journal: str,
        records: Sequence[Record],
        applied: AppliedState,
        backlog: Backlog = NO_BACKLOG,
        vitals: Vitals | None = None,
    ) -> int:
        """Note records, each once; the seq up to which this journal is complete here.

        What is told ahead of its turn is noted apart: it acknowledges nothing.
        """
        self.backlog = backlog
        self.vitals = vitals or self.vitals
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

    def redeem(
        self, redemption_id: RedemptionId, code: str, device: MacAddress, msisdn: str = ""
    ) -> Refusal | Full | None:
        """Redeem a code once; the same redemption again is accepted again."""
        if msisdn:
            sent = any(number == msisdn for number, _ in self.sent_codes)
            right = sent and code == SENT_CODE and msisdn in self.bought
            return self._admitted(self.bought[msisdn], device) if right else Refusal.CODE_WRONG
        if code in self.bought:
            return self._admitted(self.bought[code], device)
        if code not in self.vouchers:
            return Refusal.VOUCHER_INVALID
        if self.vouchers[code] not in {None, redemption_id}:
            return Refusal.VOUCHER_USED
        if self.vouchers[code] is None and code in self.gives:
            grant_id, limits = grant_of(redemption_id), self.gives[code]
            self.put_item(
                *grant_item(grant_id, limits=limits, devices=(device,), cause_id=redemption_id)
            )
        self.vouchers[code] = redemption_id
        return None

    def send_code(self, msisdn: Msisdn, device: MacAddress) -> Refusal | None:
        """Send a short code to a phone; whether it bought anything, nobody learns."""
        self.sent_codes.append((msisdn, device))
        return None

    def _admitted(self, grant_id: GrantId, device: MacAddress) -> Full | None:
        """Let a device use a grant that has room."""
        key = f"grant/{grant_id}"
        body = pb.ItemBody()
        body.ParseFromString(self.items[key])
        grant = body.grant
        if device in grant.devices:
            return None
        if len(grant.devices) >= grant.limits.devices_max:
            return Full(grant_id)
        grant.devices.append(device)
        self.put_item(key, body.SerializeToString(deterministic=True))
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

    async def follow(
        self, known: AppliedState, held: Held | None = None
    ) -> AsyncGenerator[DesiredChange, None]:
        """As `agent.uplink.seam.Uplink.follow`. Raises `UplinkError`."""
        while True:
            self._up()
            moved = asyncio.ensure_future(self.controller.moved())
            cut = asyncio.ensure_future(self._cut.wait())
            try:
                parts = self.controller.parts_since(known, held)
                if not parts:
                    await asyncio.wait({moved, cut}, return_when=asyncio.FIRST_COMPLETED)
                    continue
                known = AppliedState(parts[0].generation, parts[0].digest)
            finally:
                moved.cancel()
                cut.cancel()
            for part in parts:
                self._up()
                yield part

    async def report(
        self,
        journal: str,
        records: Sequence[Record],
        applied: AppliedState,
        backlog: Backlog = NO_BACKLOG,
        vitals: Vitals | None = None,
    ) -> Acked:
        """As `agent.uplink.seam.Uplink.report`. Raises `UplinkError`."""
        self._up()
        acked = self.controller.take(journal, records, applied, backlog, vitals)
        self._answer()
        return Acked(acked, self.controller.clock)

    async def purchase(self, order: Order) -> OrderAnswer:
        """As `agent.uplink.seam.Uplink.purchase`. Raises `UplinkError`, `UplinkRefused`."""
        self._up()
        answer = self.controller.purchase(order)
        self._answer()
        return answer

    async def redeem(
        self,
        redemption_id: RedemptionId,
        code: VoucherCode | Receipt | TokenCode | PhoneCode,
        device: MacAddress,
        msisdn: str = "",
    ) -> Refusal | Full | None:
        """As `agent.uplink.seam.Uplink.redeem`. Raises `UplinkError`."""
        assert device, "a redemption is for a device"
        self._up()
        answer = self.controller.redeem(redemption_id, code, device, msisdn)
        self._answer()
        return answer

    async def send_code(self, msisdn: Msisdn, device: MacAddress) -> Refusal | None:
        """As `agent.uplink.seam.Uplink.send_code`. Raises `UplinkError`."""
        self._up()
        refusal = self.controller.send_code(msisdn, device)
        self._answer()
        return refusal

    def _up(self) -> None:
        if self._cut.is_set():
            raise UplinkError("the link is cut", sent=False)

    def _answer(self) -> None:
        if self.lose_answers:
            raise UplinkError("the answer was lost", sent=True)


def _cut(change: DesiredChange, bytes_max: int) -> tuple[DesiredChange, ...]:
    """A change in parts; removals are few here, and go with the last."""
    parts: list[DesiredChange] = []
    start, left = 0, bytes_max
    for number, (key, body) in enumerate(change.upserts):
        if number > start and len(key) + len(body) > left:
            told = change.upserts[start:number]
            part = replace(change, upserts=told, removals=(), upto_key=told[-1][0])
            parts.append(part)
            change = replace(change, continues=True)
            start, left = number, bytes_max
        left -= len(key) + len(body)
    return (*parts, replace(change, upserts=change.upserts[start:]))


def site_item(face: SiteFace) -> tuple[str, bytes]:
    """The item that says how a site presents itself."""
    site = pb.Site(
        operator_name=face.operator_name,
        site_name=face.site_name,
        help_phone=face.help_phone,
        language=face.language,
        rails=face.rails,
        colour=face.colour,
        languages=face.languages,
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
    allowance: Allowance = UNBOUND,
    suspended: bool = False,
    pool_id: str = "",
    proofs: Sequence[bytes] = (),
) -> tuple[str, bytes]:
    """The item of a grant; ``spent`` is validity, connected time (seconds) and bytes."""
    grant = pb.Grant(
        grant_id=grant_id,
        plan_id="plan",
        plan_name=plan_name,
        limits=_limits(limits),
        devices=devices,
        revoked=revoked,
        spent_validity_s=spent[0],
        spent_uptime_s=spent[1],
        spent_bytes=spent[2],
        cause_id=cause_id,
        allowance_bytes=allowance.bytes or 0,
        allowance_uptime_s=allowance.uptime_s or 0,
        suspended=suspended,
        pool_id=pool_id,
        proofs=proofs,
    )
    return f"grant/{grant_id}", pb.ItemBody(grant=grant).SerializeToString(deterministic=True)


def chunk_item(key: str, chunk: Chunk) -> tuple[str, bytes]:
    """The item of some vouchers that may be redeemed with the link down."""
    expires = chunk.expires_at
    vouchers = pb.VoucherChunk(
        batch=chunk.batch,
        plan_id=chunk.prepaid.plan_id,
        plan_name=chunk.prepaid.plan_name,
        limits=_limits(chunk.prepaid.limits),
        salt=chunk.salt,
        rounds=chunk.rounds,
        hashes=chunk.hashes,
        expires_at_ms=0 if expires is None else (expires - _EPOCH) // timedelta(milliseconds=1),
    )
    return key, pb.ItemBody(vouchers=vouchers).SerializeToString(deterministic=True)


def token_keys_item(secrets: Mapping[int, bytes]) -> tuple[str, bytes]:
    """The item of the keys of a site's activation tokens."""
    keys = [pb.TokenKey(version=version, secret=secret) for version, secret in secrets.items()]
    item = pb.ItemBody(token_keys=pb.TokenKeys(keys=keys))
    return "token-keys", item.SerializeToString(deterministic=True)


def slot_item(number: int, prepaid: Prepaid) -> tuple[str, bytes]:
    """The item that says what the activation tokens of a slot are good for."""
    slot = pb.TokenSlot(
        slot=number,
        plan_id=prepaid.plan_id,
        plan_name=prepaid.plan_name,
        limits=_limits(prepaid.limits),
    )
    return f"slot/{number}", pb.ItemBody(token_slot=slot).SerializeToString(deterministic=True)


def pool_item(pool_id: str, pool: SitePool) -> tuple[str, bytes]:
    """The item of a shared rate."""
    message = pb.Pool(
        pool_id=pool_id,
        name=pool.name,
        parent_id=pool.parent or "",
        down_bps=pool.rate.down_bps,
        up_bps=pool.rate.up_bps,
        ports=sorted(pool.ports),
    )
    return f"pool/{pool_id}", pb.ItemBody(pool=message).SerializeToString(deterministic=True)


def login_item(name: str, secret: str, cause: str) -> tuple[str, bytes]:
    """The item by what a subscriber dials in."""
    body = pb.ItemBody(login=pb.Login(name=name, secret=secret, cause=cause))
    return f"login/{name}", body.SerializeToString(deterministic=True)


def blocked_item(devices: Sequence[str]) -> tuple[str, bytes]:
    """Key and body of the devices that are blocked."""
    blocked = pb.Blocked(devices=devices)
    return "blocked", pb.ItemBody(blocked=blocked).SerializeToString(deterministic=True)


def garden_item(*, names: Sequence[str], networks: Sequence[str]) -> tuple[str, bytes]:
    """The item of what everybody may reach."""
    garden = pb.Garden(names=names, networks=networks)
    return "garden", pb.ItemBody(garden=garden).SerializeToString(deterministic=True)


def _limits(limits: Limits) -> pb.Limits:
    message = pb.Limits(
        down_bps=limits.down_bps,
        up_bps=limits.up_bps,
        validity_s=limits.validity_s or 0,
        uptime_s=limits.uptime_s or 0,
        quota_bytes=limits.quota_bytes or 0,
        devices_max=limits.devices_max,
    )
    if limits.burst is not None:
        message.burst.down_bps = limits.burst.down_bps
        message.burst.up_bps = limits.burst.up_bps
        message.burst.burst_bytes = limits.burst.burst_bytes
    for step in limits.steps:
        message.steps.add(after_bytes=step.after_bytes, down_bps=step.down_bps, up_bps=step.up_bps)
    for window in limits.windows:
        message.windows.add(
            from_minute=window.from_minute,
            until_minute=window.until_minute,
            down_bps=window.down_bps,
            up_bps=window.up_bps,
        )
    return message
