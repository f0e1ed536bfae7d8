"""gRPC for agents: two servers, and the only place in the controller with status codes.

Join: TLS, no client certificate, one call. Edge: mutual TLS; the site is the one that the client's
certificate names, and a revoked or expired certificate is turned away at every call, also on a
connection that was opened before. A call that has begun is finished even when its caller goes away:
half of a purchase is never a good place to stop.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import grpc
import structlog
from wirepb.v1 import edge_pb2_grpc

from billing.errors import BillingRefusal, InvalidField
from controller.config import CannotStart, address
from controller.edge.admission import Admission, FreshPair, PeerRefused
from controller.store.database import DatabaseBusy
from controller.usecases.purchase import OrderDiffers
from controller.usecases.sites import JoinTokenRefused, SiteUnknown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from wirepb.v1 import desired_pb2, edge_pb2

    from billing.ids import SiteId
    from controller.deps import Deps
    from controller.edge.dispatch import Dispatch

    Context = grpc.aio.ServicerContext[Any, Any]

T = TypeVar("T")

MESSAGE_MAX_BYTES = 4 * 1024 * 1024
JOIN_MESSAGE_MAX_BYTES = 64 * 1024
STREAMS_PER_CONNECTION_MAX = 16
CALLS_MAX = 4_096
"""Calls at once on the edge port, follow streams included; one more is told RESOURCE_EXHAUSTED."""

FOLLOWS_PER_SITE_MAX = 16
"""Follow streams of one site at once: one is of use, and lost ones are noticed only after a while.
Without this one site could take all calls from the others."""

JOIN_CALLS_MAX = 32
PING_EVERY_MS = 30_000
PING_ANSWER_MS = 20_000
CLIENT_PING_GAP_MS = 10_000
STOP_STREAMS_S = 0.2
STOP_LATE_S = 0.5
STOP_CALLS_S = 1.0
"""How long a stop waits for streams, for the library, and then for calls that have begun."""


class TooManyFollowers(Exception):  # noqa: N818 - a refusal, see style
    """This site follows its desired state many times over already."""


STATUSES: dict[type[Exception], grpc.StatusCode] = {
    InvalidField: grpc.StatusCode.INVALID_ARGUMENT,
    PeerRefused: grpc.StatusCode.UNAUTHENTICATED,
    JoinTokenRefused: grpc.StatusCode.UNAUTHENTICATED,
    SiteUnknown: grpc.StatusCode.NOT_FOUND,
    OrderDiffers: grpc.StatusCode.ALREADY_EXISTS,
    BillingRefusal: grpc.StatusCode.FAILED_PRECONDITION,
    DatabaseBusy: grpc.StatusCode.UNAVAILABLE,
    TooManyFollowers: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""What each refusal is called in gRPC; the first that fits. Anything else is our own fault."""

log = structlog.get_logger("edge")


@dataclass(frozen=True, slots=True)
class EdgePorts:
    """Where the servers really listen (a configured port 0 lets the system choose)."""

    edge: int
    join: int


class EdgeServers:
    """The Join and Edge servers of one process: `open` them once, then `stop` them."""

    def __init__(self, deps: Deps, dispatch: Dispatch) -> None:
        self._deps = deps
        self._dispatch = dispatch
        self._admit = Admission(deps.now, dispatch.is_welcome)
        self._calls = Calls()
        self._servers: list[grpc.aio.Server] = []

    async def open(self) -> EdgePorts:
        """Listen on both ports and answer. Raises `CannotStart`, and then answers on neither."""
        told = self._deps.settings.edge
        pair = FreshPair(self._deps.authority, self._deps.now)
        edge = _server(calls_max=CALLS_MAX, message_max_bytes=MESSAGE_MAX_BYTES)
        join = _server(calls_max=JOIN_CALLS_MAX, message_max_bytes=JOIN_MESSAGE_MAX_BYTES)
        ports = EdgePorts(
            edge=_bound(edge, "edge.port", address(told.host, told.port), pair.mutual()),
            join=_bound(join, "edge.join_port", address(told.host, told.join_port), pair.open()),
        )
        dialled = address(told.public_host, ports.edge)
        edge_door = EdgeDoor(self._dispatch, self._admit, self._calls, dialled)
        edge_pb2_grpc.add_EdgeServicer_to_server(edge_door, edge)
        join_door = JoinDoor(self._dispatch, self._calls, dialled)
        edge_pb2_grpc.add_JoinServicer_to_server(join_door, join)
        for server in (edge, join):
            await server.start()
            self._servers.append(server)
        return ports

    async def stop(self) -> None:
        """Take no more calls, cut the streams, and let what has begun finish (bounded)."""
        stopping = [asyncio.ensure_future(one.stop(STOP_STREAMS_S)) for one in self._servers]
        if stopping:
            _, late = await asyncio.wait(stopping, timeout=STOP_STREAMS_S + STOP_LATE_S)
            if late:
                log.warning("edge_stops_late", servers=len(late))
        await self._calls.finish(STOP_CALLS_S)


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A call that ended well."""

    value: T


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that ended in a status."""

    code: grpc.StatusCode
    sentence: str

    async def tell(self, context: Context) -> NoReturn:
        """End the call with this status."""
        await context.abort(self.code, self.sentence)


class Calls:
    """Calls that have begun. Each runs to its end, whatever becomes of its caller."""

    def __init__(self) -> None:
        self._running: set[asyncio.Future[Any]] = set()

    async def answer(self, context: Context, verb: str, work: Awaitable[T], **known: str) -> T:
        """The result of ``work``; its refusal ends the call with a status."""
        outcome = await self.uncut(_outcome(verb, work, known))
        if isinstance(outcome, Refused):
            await outcome.tell(context)
        return outcome.value

    async def uncut(self, work: Awaitable[T]) -> T:
        """The result of ``work``, which goes on when this waiting is cut off."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._retire)
        return await asyncio.shield(task)

    def _retire(self, task: asyncio.Future[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever still waits raises it; for who left, it is of no use

    async def finish(self, patience_s: float) -> None:
        """Wait for what is running; then give up on it, and the database undoes what is half."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=patience_s)
        for task in late:
            task.cancel()


async def _outcome(verb: str, work: Awaitable[T], known: dict[str, str]) -> Done[T] | Refused:
    try:
        return Done(await work)
    except Exception as error:  # noqa: BLE001 - every call ends here, logged once
        return refusal(error, verb=verb, **known)


def refusal(error: Exception, *, verb: str, **known: str) -> Refused:
    """What the caller is told of ``error``; what is our own fault is logged here and only here."""
    for kind, code in STATUSES.items():
        if isinstance(error, kind):
            return Refused(code, str(error))
    reference = secrets.token_hex(4)
    log.error("call_failed", verb=verb, reference=reference, exc_info=error, **known)
    sentence = f"the controller failed; its log says why under {reference}"
    return Refused(grpc.StatusCode.INTERNAL, sentence)


class JoinDoor(edge_pb2_grpc.JoinServicer):
    """Enrolment, for anyone who holds an unused join token."""

    def __init__(self, dispatch: Dispatch, calls: Calls, edge_address: str) -> None:
        self._dispatch = dispatch
        self._calls = calls
        self._edge_address = edge_address

    async def Enrol(  # noqa: N802 - named in the contract
        self, request: edge_pb2.EnrolRequest, context: Context
    ) -> edge_pb2.Certificate:
        """Spend a join token."""
        work = self._dispatch.enrol(request, edge_address=self._edge_address)
        return await self._calls.answer(context, "enrol", work, peer=context.peer())


class EdgeDoor(edge_pb2_grpc.EdgeServicer):
    """Everything that an enrolled agent asks, for the site that its certificate names."""

    def __init__(
        self, dispatch: Dispatch, admit: Admission, calls: Calls, edge_address: str
    ) -> None:
        self._dispatch = dispatch
        self._admit = admit
        self._calls = calls
        self._edge_address = edge_address
        self._followers = Counter[str]()

    async def Renew(  # noqa: N802 - named in the contract
        self, request: edge_pb2.RenewRequest, context: Context
    ) -> edge_pb2.Certificate:
        """Exchange a certificate for a fresh one."""
        there = self._edge_address
        return await self._answer(
            context, "renew", lambda site: self._dispatch.renew(site, request, edge_address=there)
        )

    async def Follow(  # noqa: N802 - named in the contract
        self, request: edge_pb2.FollowRequest, context: Context
    ) -> AsyncIterator[desired_pb2.DesiredChange]:
        """Changes of the site's desired state, until the caller or this process goes away."""
        uncut = self._calls.uncut
        try:
            peer = await uncut(self._admit(context))
            with self._one_more(peer.site_id):
                async with aclosing(
                    self._dispatch.follow(peer.site_id, request, uncut=uncut)
                ) as changes:
                    async for change in changes:
                        if change is None:
                            await uncut(self._admit(context))
                        else:
                            yield change
        except Exception as error:  # noqa: BLE001 - every call ends here, logged once
            await refusal(error, verb="follow", peer=context.peer()).tell(context)

    @contextmanager
    def _one_more(self, site_id: SiteId) -> Iterator[None]:
        """Count a follower of this site while the block lasts. Raises `TooManyFollowers`."""
        if self._followers[site_id] >= FOLLOWS_PER_SITE_MAX:
            raise TooManyFollowers(f"{site_id} follows {FOLLOWS_PER_SITE_MAX} times already")
        self._followers[site_id] += 1
        try:
            yield
        finally:
            self._followers[site_id] -= 1

    async def Report(  # noqa: N802 - named in the contract
        self, request: edge_pb2.ReportRequest, context: Context
    ) -> edge_pb2.ReportAck:
        """Take records; the answer is sent after the commit."""
        return await self._answer(
            context, "report", lambda site: self._dispatch.report(site, request)
        )

    async def Purchase(  # noqa: N802 - named in the contract
        self, request: edge_pb2.Order, context: Context
    ) -> edge_pb2.PurchaseState:
        """Ask for money, or tell where an order stands."""
        return await self._answer(
            context, "purchase", lambda site: self._dispatch.purchase(site, request)
        )

    async def Redeem(  # noqa: N802 - named in the contract
        self, request: edge_pb2.Redemption, context: Context
    ) -> edge_pb2.RedeemState:
        """Redeem a voucher."""
        return await self._answer(
            context, "redeem", lambda site: self._dispatch.redeem(site, request)
        )

    async def SendCode(  # noqa: N802 - named in the contract
        self, request: edge_pb2.PhoneCode, context: Context
    ) -> edge_pb2.PhoneCodeState:
        """Send a short code to a phone."""
        return await self._answer(
            context, "send_code", lambda site: self._dispatch.send_code(site, request)
        )

    async def _answer(
        self, context: Context, verb: str, work: Callable[[SiteId], Awaitable[T]]
    ) -> T:
        async def admitted() -> T:
            peer = await self._admit(context)
            return await work(peer.site_id)

        return await self._calls.answer(context, verb, admitted(), peer=context.peer())


def _server(*, calls_max: int, message_max_bytes: int) -> grpc.aio.Server:
    return grpc.aio.server(
        maximum_concurrent_rpcs=calls_max,
        compression=grpc.Compression.Gzip,
        options=[
            # Without this a second controller would silently share the port.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", message_max_bytes),
            ("grpc.max_send_message_length", message_max_bytes),
            ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION_MAX),
            ("grpc.keepalive_time_ms", PING_EVERY_MS),
            ("grpc.keepalive_timeout_ms", PING_ANSWER_MS),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", CLIENT_PING_GAP_MS),
        ],
    )


def _bound(
    server: grpc.aio.Server, key: str, listen: str, credentials: grpc.ServerCredentials
) -> int:
    try:
        return server.add_secure_port(listen, credentials)
    except RuntimeError as error:
        raise CannotStart(f"{key}: cannot listen on {listen}; is another process there?") from error
