"""A gate without a site: for ``--dry-run`` demonstrations and tests.

It keeps every promise of `gate.Gate` in memory; what the controller and the kernel would bring
about is told to it by name (`moved_to`, `went_online`, `granted`, `voucher`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import uuid4

from billing.errors import InvalidField
from billing.msisdn import masked, parse_msisdn
from billing.payment import OrderStage
from billing.voucher import parse_code
from portal.captive.gate import AccessView, DeviceView, OrderView, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from billing.payment import Reason
    from portal.captive.gate import Offer, SiteFace

OPEN_STAGES = frozenset({OrderStage.QUEUED, OrderStage.PROMPTED, OrderStage.CHECKING})


@dataclass(slots=True)
class _Device:
    """What is known of one address."""

    order: OrderView | None = None
    msisdn: str = ""
    access: AccessView | None = None
    grant: AccessView | None = None


@dataclass(slots=True)
class MemoryGate:
    """`gate.Gate` in memory. ``clock`` gives aware instants; ages are measured by it.

    ``stage_when_placed`` is what a new order shows until it is told more; ``strangers`` are
    addresses without a neighbour entry.
    """

    site_face: SiteFace
    for_sale: Sequence[Offer]
    clock: Callable[[], datetime]
    stage_when_placed: OrderStage = OrderStage.PROMPTED
    strangers: set[str] = field(default_factory=set)
    new_id: Callable[[], str] = lambda: uuid4().hex
    _devices: dict[str, _Device] = field(default_factory=dict)
    _vouchers: dict[str, AccessView | Refusal] = field(default_factory=dict)

    def face(self) -> SiteFace:
        """The names it was given."""
        return self.site_face

    def offers(self) -> Sequence[Offer]:
        """The offers it was given."""
        return self.for_sale

    def device(self, address: str) -> DeviceView:
        """What it was told of the address, with the order's age of now."""
        known = self._devices.get(address, _Device())
        order = known.order
        if order is not None:
            age = self.clock() - order.placed_at
            order = replace(order, age_s=age.days * 86_400 + age.seconds)
        return DeviceView(_ref(address), address not in self.strangers, known.access, order)

    async def sign_in(self, address: str) -> bool:
        """Give the access that `granted` promised, if any."""
        device = self._device(address)
        if device.access is None and device.grant is not None:
            device.access, device.grant = device.grant, None
        return device.access is not None

    async def order(self, address: str, *, plan_id: str, phone: str) -> str | Refusal:
        """Note the order; nobody is charged."""
        if address in self.strangers:
            return Refusal.DEVICE_UNKNOWN
        device = self._device(address)
        offer = next((o for o in self.for_sale if o.plan_id == plan_id), None)
        if offer is None:
            return Refusal.PLAN_UNKNOWN
        try:
            msisdn = parse_msisdn(phone or device.msisdn)
        except InvalidField:
            return Refusal.PHONE_INVALID
        if device.order is not None and device.order.stage in OPEN_STAGES:
            same = (device.order.offer.plan_id, device.msisdn) == (plan_id, msisdn)
            return device.order.order_id if same else Refusal.ORDER_OPEN
        device.msisdn = msisdn
        device.order = OrderView(
            order_id=self.new_id(),
            offer=offer,
            msisdn_masked=masked(msisdn),
            stage=self.stage_when_placed,
            reason=None,
            placed_at=self.clock(),
            age_s=0,
        )
        return device.order.order_id

    async def redeem(self, address: str, *, code: str) -> Refusal | None:
        """Redeem one of the codes that `voucher` made known, once."""
        if address in self.strangers:
            return Refusal.DEVICE_UNKNOWN
        try:
            wanted = parse_code(code)
        except InvalidField:
            return Refusal.VOUCHER_INVALID
        found = self._vouchers.get(wanted, Refusal.VOUCHER_INVALID)
        if isinstance(found, Refusal):
            return found
        self._vouchers[wanted] = Refusal.VOUCHER_USED
        self._device(address).grant = found
        return None

    def moved_to(self, address: str, stage: OrderStage, reason: Reason | None = None) -> None:
        """The controller said where the order of ``address`` stands."""
        device = self._device(address)
        assert device.order is not None
        device.order = replace(device.order, stage=stage, reason=reason)

    def went_online(self, address: str, access: AccessView | None) -> None:
        """The kernel lets ``address`` pass, or with None no longer."""
        self._device(address).access = access

    def granted(self, address: str, access: AccessView) -> None:
        """``address`` has a grant that is still good, but is not online."""
        self._device(address).grant = access

    def voucher(self, code: str, answer: AccessView | Refusal) -> None:
        """What the voucher ``code`` gives, or why it is refused."""
        self._vouchers[parse_code(code)] = answer

    def _device(self, address: str) -> _Device:
        return self._devices.setdefault(address, _Device())


def _ref(address: str) -> str:
    """Six characters that stand for the address, the same every time."""
    letters = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
    number = sum(ord(c) * 131**i for i, c in enumerate(address))
    return "".join(letters[number // 31**i % 31] for i in range(6))
