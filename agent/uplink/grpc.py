"""gRPC over mutual TLS: the default road to the controller.

One channel, kept alive by pings, so that a dead link behind a NAT is noticed in about a minute.
Every unary call has a deadline. A link of 64 kbit/s that loses every third packet is slow, not
dead: answers to pings queue behind what is under way, and the patience with them is meant for that.
Whether a message may have arrived is told by whether the channel
was ready when it was handed over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import grpc
from wirepb.v1 import edge_pb2 as pb
from wirepb.v1 import edge_pb2_grpc

from agent.uplink.seam import NO_BACKLOG, Full, UplinkError, UplinkRefused
from agent.wire import (
    Unreadable,
    parse_ack,
    parse_answer,
    parse_change,
    render_order,
    render_report,
)
from billing.ids import GrantId
from portal.captive.gate import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from agent.uplink.seam import (
        Acked,
        AppliedState,
        Backlog,
        DesiredChange,
        Held,
        Order,
        OrderAnswer,
    )
    from agent.vitals import Vitals
    from agent.wire import Record
    from billing.ids import RedemptionId
    from billing.msisdn import Msisdn, PhoneCode
    from billing.receipt import Receipt
    from billing.token import TokenCode
    from billing.voucher import VoucherCode
    from shaping.plane import MacAddress

R = TypeVar("R")

SERVER_NAME = "controller.lango.internal"
"""The name in the controller's certificate, whatever address it is reached at."""

REPORT_METHOD = "/wirepb.v1.Edge/Report"
CALL_S = 10
REPORT_S = 60
"""`agent.courier` keeps reports small enough for the link to take a few seconds."""

READY_S = 40
"""How long the channel may take to come up before a call is given up as not sent. A TLS handshake
takes ten packets each way; where every third is lost that is half a minute."""

MESSAGE_MAX_BYTES = 64 * 1024 * 1024
"""A snapshot of a large site is a few megabytes."""

_CHANNEL = (
    ("grpc.ssl_target_name_override", SERVER_NAME),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 45_000),
    # A ping's own answer may wait behind a whole snapshot; that the snapshot moves is enough.
    ("grpc.http2.ping_timeout_ms", 600_000),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 500),
    # Also how long one attempt may take: less than the handshake needs would never succeed.
    ("grpc.min_reconnect_backoff_ms", 20_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
    ("grpc.use_local_subchannel_pool", 1),
)

_REFUSED = {
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.OUT_OF_RANGE,
}
"""Answers that will be the same next time."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an enrolled agent shows and trusts, PEM each; and where the controller is."""

    edge_address: str
    key_pem: bytes
    certificate_pem: bytes
    ca_pem: bytes


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate as the controller issued it."""

    site_id: str
    certificate_pem: bytes
    ca_pem: bytes
    edge_address: str


class GrpcUplink:
    """The controller over gRPC. Make it inside a running event loop; `close` it at the end."""

    def __init__(self, credentials: Credentials, *, version: str = "0") -> None:
        self._version = version
        self._open(credentials)

    async def follow(
        self, known: AppliedState, held: Held | None = None
    ) -> AsyncGenerator[DesiredChange, None]:
        """As `agent.uplink.seam.Uplink.follow`. Raises `UplinkError`, `UplinkRefused`."""
        await self.ready()
        request = _follow_request(known, held)
        call = self._edge.Follow(request)
        try:
            async for message in call:
                yield parse_change(message)
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error
        except Unreadable as wrong:
            raise UplinkError(f"follow: {wrong}") from wrong
        except asyncio.CancelledError as closed:
            if _being_cancelled():
                raise
            raise UplinkError("follow: the channel was closed") from closed
        finally:
            call.cancel()
        raise UplinkError("follow: the controller ended the stream")

    async def report(
        self,
        journal: str,
        records: Sequence[Record],
        applied: AppliedState,
        backlog: Backlog = NO_BACKLOG,
        vitals: Vitals | None = None,
    ) -> Acked:
        """As `agent.uplink.seam.Uplink.report`. Raises `UplinkError`, `UplinkRefused`."""
        request = render_report(
            journal,
            records,
            applied=applied,
            backlog=backlog,
            version=self._version,
            vitals=vitals,
        )
        ack = await self._call(lambda: self._send_report(request, timeout=REPORT_S))
        return parse_ack(ack)

    async def purchase(self, order: Order) -> OrderAnswer:
        """As `agent.uplink.seam.Uplink.purchase`. Raises `UplinkError`, `UplinkRefused`."""
        request = render_order(order)
        state = await self._call(lambda: self._edge.Purchase(request, timeout=CALL_S))
        try:
            return parse_answer(state)
        except Unreadable as wrong:
            raise UplinkError(f"purchase: {wrong}") from wrong

    async def redeem(
        self,
        redemption_id: RedemptionId,
        code: VoucherCode | Receipt | TokenCode | PhoneCode,
        device: MacAddress,
        msisdn: str = "",
    ) -> Refusal | Full | None:
        """As `agent.uplink.seam.Uplink.redeem`. Raises `UplinkError`, `UplinkRefused`."""
        request = pb.Redemption(
            redemption_id=redemption_id, code=code, device_mac=device, msisdn=msisdn
        )
        state = await self._call(lambda: self._edge.Redeem(request, timeout=CALL_S))
        refusal = _refusal(state.refusal)
        if refusal is Refusal.DEVICES_FULL and state.grant_id:
            return Full(GrantId(state.grant_id))
        return refusal

    async def send_code(self, msisdn: Msisdn, device: MacAddress) -> Refusal | None:
        """As `agent.uplink.seam.Uplink.send_code`. Raises `UplinkError`, `UplinkRefused`."""
        request = pb.PhoneCode(msisdn=msisdn, device_mac=device)
        return _refusal(
            (await self._call(lambda: self._edge.SendCode(request, timeout=CALL_S))).refusal
        )

    async def renew(self, csr_pem: bytes) -> Issued:
        """A fresh certificate for a fresh key. Raises `UplinkError`, `UplinkRefused`."""
        request = pb.RenewRequest(csr_pem=csr_pem)
        return _issued(await self._call(lambda: self._edge.Renew(request, timeout=CALL_S)))

    async def reopen(self, credentials: Credentials) -> None:
        """Go on with other credentials; calls that are under way end with `UplinkError`."""
        old = self._channel
        self._open(credentials)
        await old.close()

    async def close(self) -> None:
        """End every call and close the channel."""
        await self._channel.close()

    def _open(self, credentials: Credentials) -> None:
        self._channel = grpc.aio.secure_channel(
            credentials.edge_address,
            grpc.ssl_channel_credentials(
                root_certificates=credentials.ca_pem,
                private_key=credentials.key_pem,
                certificate_chain=credentials.certificate_pem,
            ),
            options=_CHANNEL,
            compression=grpc.Compression.Gzip,
        )
        self._edge = edge_pb2_grpc.EdgeStub(self._channel)
        # A report comes here in its bytes already.
        self._send_report: grpc.aio.UnaryUnaryMultiCallable[bytes, pb.ReportAck] = (
            self._channel.unary_unary(REPORT_METHOD, response_deserializer=pb.ReportAck.FromString)
        )

    async def ready(self) -> None:
        """Until the channel is up. Raises `UplinkError` when that takes too long."""
        try:
            async with asyncio.timeout(READY_S):
                await self._channel.channel_ready()
        except TimeoutError as late:
            raise UplinkError("the controller cannot be reached", sent=False) from late
        except (asyncio.CancelledError, grpc.aio.UsageError) as closed:
            if isinstance(closed, asyncio.CancelledError) and _being_cancelled():
                raise
            raise UplinkError("the channel was closed", sent=False) from closed

    async def _call(self, make: Callable[[], Awaitable[R]]) -> R:
        await self.ready()
        try:
            return await make()
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error
        except (asyncio.CancelledError, grpc.aio.UsageError) as closed:
            if isinstance(closed, asyncio.CancelledError) and _being_cancelled():
                raise
            raise UplinkError("the channel was closed") from closed


async def enrol(address: str, *, ca_pem: bytes, secret: str, csr_pem: bytes) -> Issued:
    """Spend a join token at the controller's join port.

    Raises `UplinkError` (not reached) or `UplinkRefused` (the token is spent, old or unknown).
    """
    credentials = grpc.ssl_channel_credentials(root_certificates=ca_pem)
    async with grpc.aio.secure_channel(address, credentials, options=_CHANNEL) as channel:
        try:
            async with asyncio.timeout(READY_S):
                await channel.channel_ready()
        except TimeoutError as late:
            raise UplinkError(f"{address} cannot be reached over TLS", sent=False) from late
        request = pb.EnrolRequest(secret=secret, csr_pem=csr_pem)
        try:
            return _issued(await edge_pb2_grpc.JoinStub(channel).Enrol(request, timeout=CALL_S))
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error


def _follow_request(known: AppliedState, held: Held | None) -> pb.FollowRequest:
    request = pb.FollowRequest(
        known_generation=known.generation,
        known_digest=known.digest,
        takes_parts=held is not None,
    )
    if held is not None and held.upto_key:
        parts = pb.HeldParts(
            generation=held.generation,
            digest=held.digest,
            from_generation=held.from_generation,
            upto_key=held.upto_key,
        )
        request.held.CopyFrom(parts)
    return request


def _refusal(said: str) -> Refusal | None:
    """The controller's refusal; one that this version does not know is said of the code."""
    if not said:
        return None
    known = {refusal.value: refusal for refusal in Refusal}
    return known.get(said, Refusal.VOUCHER_INVALID)


def _issued(message: pb.Certificate) -> Issued:
    return Issued(
        site_id=message.site_id,
        certificate_pem=message.certificate_pem,
        ca_pem=message.ca_pem,
        edge_address=message.edge_address,
    )


def _translated(error: grpc.aio.AioRpcError) -> UplinkError:
    text = f"{error.code().name.lower()}: {error.details()}"
    return UplinkRefused(text) if error.code() in _REFUSED else UplinkError(text)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
