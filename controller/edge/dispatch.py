"""A protobuf message in, a use case, a protobuf message out; the same for every transport.

The transport has already decided which site speaks. Here every field is checked before anything is
begun (`InvalidField` names it), and refusals of the use cases pass through as they are: only the
transport knows how its own world says no.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from wirepb.v1 import desired_pb2, edge_pb2

from billing.errors import InvalidField
from billing.ids import OrderId, PlanId, RedemptionId
from billing.msisdn import parse_msisdn
from billing.payment import OrderStage
from billing.plan import ID_SHAPE
from controller.edge import wire
from controller.edge.parts import parts
from controller.usecases.ingest import Batch
from controller.usecases.purchase import NewOrder
from controller.usecases.sites import Held

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from billing.ids import SiteId
    from billing.msisdn import Msisdn
    from controller.deps import Deps
    from controller.store.items import Change
    from controller.usecases.purchase import OrderStatus
    from controller.usecases.redeem import RedeemStatus
    from controller.usecases.sites import Issued

T = TypeVar("T")

FOLLOW_POLL_S = 15.0
"""A follower looks for news this often even when no signal came."""

GENERATION_MAX = 2**62
DIGEST_BYTES = 32
REPORT_RECORDS_MAX = 1_000
SECRET_MAX_CHARS = 128
KEY_MAX_CHARS = 256
CODE_MAX_CHARS = 64
VERSION_MAX_CHARS = 32

STAGES = {
    # An agent asks only about orders that reached us, so QUEUED is never said over the wire.
    OrderStage.QUEUED: edge_pb2.PurchaseState.STAGE_UNSPECIFIED,
    OrderStage.PROMPTED: edge_pb2.PurchaseState.STAGE_PROMPTED,
    OrderStage.CHECKING: edge_pb2.PurchaseState.STAGE_CHECKING,
    OrderStage.REFUSED: edge_pb2.PurchaseState.STAGE_REFUSED,
    OrderStage.EXPIRED: edge_pb2.PurchaseState.STAGE_EXPIRED,
    OrderStage.PAID: edge_pb2.PurchaseState.STAGE_PAID,
}

_HEX_ID = re.compile(r"[0-9a-f]{32}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_RAIL = re.compile(r"[a-z0-9-]{0,16}")


class Uncut(Protocol):
    """Waits for work that goes on when the waiting is cut off: the database is never left half."""

    def __call__(self, work: Awaitable[T], /) -> Awaitable[T]:
        """Begin ``work`` and wait for it."""
        ...


class ChangesSince(Protocol):
    """The use case of the same name."""

    async def __call__(
        self,
        deps: Deps,
        site_id: SiteId,
        /,
        *,
        generation: int,
        digest: bytes,
        held: Held | None = None,
    ) -> Change | None:
        """What is new since then; None when nothing is."""
        ...


class Redeem(Protocol):
    """The use case of the same name."""

    async def __call__(
        self,
        deps: Deps,
        site_id: SiteId,
        /,
        *,
        redemption_id: RedemptionId,
        code: str,
        device_mac: str,
    ) -> RedeemStatus:
        """A grant for a code, or why not."""
        ...


class JoinByPhone(Protocol):
    """The use case of the same name."""

    async def __call__(
        self,
        deps: Deps,
        site_id: SiteId,
        /,
        *,
        redemption_id: RedemptionId,
        msisdn: Msisdn,
        code: str,
        device_mac: str,
    ) -> RedeemStatus:
        """A grant for the code that was sent to a phone, or why not."""
        ...


@dataclass(frozen=True, slots=True)
class Verbs:
    """The use cases behind the door; ``main.py`` puts the real ones in, tests their own."""

    enrol: Callable[[Deps, str, bytes], Awaitable[Issued]]
    renew: Callable[[Deps, SiteId, bytes], Awaitable[Issued]]
    changes_since: ChangesSince
    ingest: Callable[[Deps, SiteId, Batch], Awaitable[int]]
    purchase: Callable[[Deps, SiteId, NewOrder], Awaitable[OrderStatus]]
    redeem: Redeem
    send_code: Callable[[Deps, SiteId, Msisdn], Awaitable[str | None]]
    join_by_phone: JoinByPhone
    certificate_is_good: Callable[[Deps, SiteId, str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Everything an agent may ask, for a site that the transport has vouched for.

    Every method raises `InvalidField` for a field that cannot be, and whatever its use case raises.
    """

    deps: Deps
    verbs: Verbs

    async def is_welcome(self, site_id: SiteId, serial: str) -> bool:
        """Whether a certificate may still speak for its site."""
        return await self.verbs.certificate_is_good(self.deps, site_id, serial)

    async def enrol(
        self, request: edge_pb2.EnrolRequest, *, edge_address: str
    ) -> edge_pb2.Certificate:
        """A certificate for the holder of an unused join token."""
        _sized("secret", len(request.secret), low=1, high=SECRET_MAX_CHARS)
        issued = await self.verbs.enrol(self.deps, request.secret, request.csr_pem)
        return _certificate(issued, edge_address=edge_address)

    async def renew(
        self, site_id: SiteId, request: edge_pb2.RenewRequest, *, edge_address: str
    ) -> edge_pb2.Certificate:
        """A fresh certificate for a fresh key of the same site."""
        issued = await self.verbs.renew(self.deps, site_id, request.csr_pem)
        return _certificate(issued, edge_address=edge_address)

    async def follow(
        self, site_id: SiteId, request: edge_pb2.FollowRequest, *, uncut: Uncut
    ) -> AsyncGenerator[desired_pb2.DesiredChange | None]:
        """Each change as it comes, a large one in parts if the agent takes them; without end.

        None means "is this peer still welcome?": it comes with every wake-up (a revocation is one),
        between parts, and at least every `FOLLOW_POLL_S`. Close it (``aclosing``): a follower who
        leaves must not be listened for.
        """
        generation, digest = request.known_generation, request.known_digest
        _sized("known_generation", generation, low=0, high=GENERATION_MAX)
        _digest("known_digest", digest)
        held = _held(request)
        just_admitted = True
        with self.deps.signals.listen(f"site:{site_id}") as news:
            while True:
                news.clear()
                change = await uncut(
                    self.verbs.changes_since(
                        self.deps, site_id, generation=generation, digest=digest, held=held
                    )
                )
                if change is not None:
                    generation, digest = change.generation, change.digest
                    if not request.takes_parts:
                        yield _desired_change(change)
                        continue
                    held_upto = held.upto_key if held and change.continues else ""
                    held = None
                    for part in parts(change, held_upto=held_upto):
                        yield _desired_change(part)
                        if part.upto_key:
                            yield None
                    continue
                if not just_admitted:
                    yield None
                just_admitted = False
                await _woken(news)

    async def report(self, site_id: SiteId, request: edge_pb2.ReportRequest) -> edge_pb2.ReportAck:
        """Records in; the seq up to which they are committed."""
        _hex_id("journal", request.journal)
        _sized("records", len(request.records), low=0, high=REPORT_RECORDS_MAX)
        _sized("applied_generation", request.applied_generation, low=0, high=GENERATION_MAX)
        _digest("applied_digest", request.applied_digest)
        _sized("agent_version", len(request.agent_version), low=0, high=VERSION_MAX_CHARS)
        _sized("newest", len(request.newest), low=0, high=REPORT_RECORDS_MAX)
        batch = Batch(
            journal=request.journal,
            records=wire.records(request.records),
            applied_generation=request.applied_generation,
            applied_digest=request.applied_digest,
            agent_version=request.agent_version,
            newest=wire.newest(request.newest),
            outbox_records=request.outbox_records,
            outbox_records_max=request.outbox_records_max,
            vitals=wire.vitals(request.vitals) if request.HasField("vitals") else None,
        )
        acked_seq = await self.verbs.ingest(self.deps, site_id, batch)
        return edge_pb2.ReportAck(acked_seq=acked_seq, now_ms=wire.milliseconds(self.deps.now()))

    async def purchase(self, site_id: SiteId, request: edge_pb2.Order) -> edge_pb2.PurchaseState:
        """Ask for money for an order, or tell where it stands."""
        _hex_id("order_id", request.order_id)
        if not ID_SHAPE.fullmatch(request.plan_id):
            raise InvalidField("plan_id", "want 1 to 32 of a-z, 0-9 and -")
        _mac(request.device_mac)
        order = NewOrder(
            order_id=OrderId(request.order_id),
            plan_id=PlanId(request.plan_id),
            msisdn=_msisdn(request.msisdn),
            device_mac=request.device_mac,
            age_s=request.age_s,
            rail=_rail(request.rail),
        )
        status = await self.verbs.purchase(self.deps, site_id, order)
        return edge_pb2.PurchaseState(
            order_id=status.order_id,
            stage=STAGES[status.stage],
            reason=status.reason or "",
            grant_id=status.grant_id or "",
        )

    async def redeem(self, site_id: SiteId, request: edge_pb2.Redemption) -> edge_pb2.RedeemState:
        """Redeem a code for a device: of a phone when a number comes with it, else by itself."""
        _hex_id("redemption_id", request.redemption_id)
        _sized("code", len(request.code), low=1, high=CODE_MAX_CHARS)
        _mac(request.device_mac)
        if request.msisdn:
            return await self._join_by_phone(site_id, request)
        status = await self.verbs.redeem(
            self.deps,
            site_id,
            redemption_id=RedemptionId(request.redemption_id),
            code=request.code,
            device_mac=request.device_mac,
        )
        return edge_pb2.RedeemState(refusal=status.refusal or "", grant_id=status.grant_id or "")

    async def _join_by_phone(
        self, site_id: SiteId, request: edge_pb2.Redemption
    ) -> edge_pb2.RedeemState:
        status = await self.verbs.join_by_phone(
            self.deps,
            site_id,
            redemption_id=RedemptionId(request.redemption_id),
            msisdn=_msisdn(request.msisdn),
            code=request.code,
            device_mac=request.device_mac,
        )
        return edge_pb2.RedeemState(refusal=status.refusal or "", grant_id=status.grant_id or "")

    async def send_code(
        self, site_id: SiteId, request: edge_pb2.PhoneCode
    ) -> edge_pb2.PhoneCodeState:
        """Send a short code to a phone, if it has something here; the answer does not tell."""
        _mac(request.device_mac)
        refusal = await self.verbs.send_code(self.deps, site_id, _msisdn(request.msisdn))
        return edge_pb2.PhoneCodeState(refusal=refusal or "")


async def _woken(news: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(FOLLOW_POLL_S):
            await news.wait()


def _certificate(issued: Issued, *, edge_address: str) -> edge_pb2.Certificate:
    return edge_pb2.Certificate(
        site_id=issued.site_id,
        certificate_pem=issued.certificate_pem,
        ca_pem=issued.ca_pem,
        edge_address=edge_address,
    )


def _desired_change(change: Change) -> desired_pb2.DesiredChange:
    return desired_pb2.DesiredChange(
        generation=change.generation,
        from_generation=change.from_generation,
        upserts=[desired_pb2.Item(key=key, body=body) for key, body in change.upserts],
        removals=change.removals,
        digest=change.digest,
        upto_key=change.upto_key,
        continues=change.continues,
    )


def _held(request: edge_pb2.FollowRequest) -> Held | None:
    """What the agent holds of a change that broke off."""
    if not (request.takes_parts and request.held.upto_key):
        return None
    held = request.held
    _sized("held.generation", held.generation, low=1, high=GENERATION_MAX)
    _sized("held.from_generation", held.from_generation, low=0, high=GENERATION_MAX)
    _sized("held.upto_key", len(held.upto_key), low=1, high=KEY_MAX_CHARS)
    _digest("held.digest", held.digest)
    return Held(
        generation=held.generation,
        digest=held.digest,
        from_generation=held.from_generation,
        upto_key=held.upto_key,
    )


def _msisdn(text: str) -> Msisdn:
    try:
        msisdn = parse_msisdn(text)
    except InvalidField as error:
        raise InvalidField("msisdn", error.problem) from error
    if msisdn != text:
        raise InvalidField("msisdn", "want 254 and nine digits")
    return msisdn


def _rail(text: str) -> str:
    """The wallet of an order; whether it collects is not for us to know."""
    if not _RAIL.fullmatch(text):
        raise InvalidField("rail", "want at most 16 of a-z, 0-9 and -")
    return text


def _hex_id(field: str, text: str) -> None:
    if not _HEX_ID.fullmatch(text):
        raise InvalidField(field, "want 32 hexadecimal digits in lower case")


def _mac(text: str) -> None:
    if not _MAC.fullmatch(text):
        raise InvalidField("device_mac", "want a MAC address like 02:00:00:00:00:01")


def _digest(field: str, digest: bytes) -> None:
    if len(digest) not in (0, DIGEST_BYTES):
        raise InvalidField(field, f"want {DIGEST_BYTES} bytes, or none")


def _sized(field: str, size: int, *, low: int, high: int) -> None:
    if not low <= size <= high:
        raise InvalidField(field, f"want {low:,} to {high:,}, got {size:,}")
