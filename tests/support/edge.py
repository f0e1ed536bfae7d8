"""A small real gRPC edge in the test's own process, with throw-away certificates.

What it knows is a `MemoryController`'s; what it adds is the wire: mutual TLS and status codes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from wirepb.v1 import desired_pb2, edge_pb2_grpc, record_pb2
from wirepb.v1 import edge_pb2 as pb

from agent.uplink.grpc import SERVER_NAME, Credentials
from agent.uplink.seam import AppliedState, Backlog, Full, Held, Order, UplinkRefused
from agent.vitals import Vitals
from agent.wire import Record
from billing.ids import OrderId, RedemptionId
from billing.msisdn import Msisdn
from billing.payment import OrderStage
from portal.captive.gate import Refusal
from shaping.plane import MacAddress
from tests.support.steered import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agent.uplink.memory import MemoryController

Context = grpc.aio.ServicerContext[object, object]

_STAGES = {
    OrderStage.PROMPTED: pb.PurchaseState.STAGE_PROMPTED,
    OrderStage.CHECKING: pb.PurchaseState.STAGE_CHECKING,
    OrderStage.REFUSED: pb.PurchaseState.STAGE_REFUSED,
    OrderStage.EXPIRED: pb.PurchaseState.STAGE_EXPIRED,
    OrderStage.PAID: pb.PurchaseState.STAGE_PAID,
}


MS = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Authority:
    """A certificate authority for one test."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("test authority")
        self.certificate = self._signed(self._name, self._key.public_key(), authority=True)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def sign(self, csr_pem: bytes, *, name: str = "site-1") -> bytes:
        request = x509.load_pem_x509_csr(csr_pem)
        key = request.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return self._signed(_named(name), key).public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str) -> tuple[bytes, bytes]:
        """A fresh key and its certificate, PEM both."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(_named(name), key.public_key(), dns=name)
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ), certificate.public_bytes(serialization.Encoding.PEM)

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        dns: str = "",
        authority: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOON - timedelta(days=3650))
            .not_valid_after(NOON + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if dns:
            names = x509.SubjectAlternativeName([x509.DNSName(dns)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


@dataclass
class EdgeServer(edge_pb2_grpc.EdgeServicer, edge_pb2_grpc.JoinServicer):
    """Both services on one controller. ``secrets`` are join secrets that are still unspent.

    ``reports`` has the applied generation of each report as it comes.
    """

    controller: MemoryController
    authority: Authority = field(default_factory=Authority)
    secrets: set[str] = field(default_factory=lambda: {"sesame"})
    lose_answers: bool = False
    reports: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    edge_address: str = ""
    join_address: str = ""

    async def start(self) -> None:
        key, certificate = self.authority.issue(SERVER_NAME)
        self._open(key, certificate)
        await self._edge.start()
        await self._join.start()

    async def stop(self) -> None:
        await self._edge.stop(0)
        await self._join.stop(0)
        # The library's finalisers want a running loop.
        del self._edge, self._join
        await asyncio.sleep(0)

    def credentials(self) -> Credentials:
        key, certificate = self.authority.issue("site-1")
        return Credentials(
            edge_address=self.edge_address,
            key_pem=key,
            certificate_pem=certificate,
            ca_pem=self.authority.pem,
        )

    def _open(self, key: bytes, certificate: bytes) -> None:
        pair = [(key, certificate)]
        mutual = grpc.ssl_server_credentials(
            pair, root_certificates=self.authority.pem, require_client_auth=True
        )
        self._edge = grpc.aio.server()
        edge_pb2_grpc.add_EdgeServicer_to_server(self, self._edge)
        port = self._edge.add_secure_port(self.edge_address or "127.0.0.1:0", mutual)
        self.edge_address = f"127.0.0.1:{port}"
        self._join = grpc.aio.server()
        edge_pb2_grpc.add_JoinServicer_to_server(self, self._join)
        port = self._join.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
        self.join_address = f"127.0.0.1:{port}"

    async def Enrol(self, request: pb.EnrolRequest, context: Context) -> pb.Certificate:  # noqa: N802
        if request.secret not in self.secrets:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the token is spent or unknown")
        self.secrets.discard(request.secret)
        return self._certificate(request.csr_pem)

    async def Renew(self, request: pb.RenewRequest, context: Context) -> pb.Certificate:  # noqa: N802
        return self._certificate(request.csr_pem)

    async def Follow(  # noqa: N802
        self, request: pb.FollowRequest, context: Context
    ) -> AsyncIterator[desired_pb2.DesiredChange]:
        known = AppliedState(request.known_generation, request.known_digest)
        told = request.held
        held = Held(told.generation, told.digest, told.from_generation, told.upto_key)
        while True:
            moved = asyncio.ensure_future(self.controller.moved())
            parts = self.controller.parts_since(known, held if request.takes_parts else None)
            if not parts:
                await moved
                continue
            moved.cancel()
            known = AppliedState(parts[0].generation, parts[0].digest)
            for part in parts:
                yield desired_pb2.DesiredChange(
                    generation=part.generation,
                    from_generation=part.from_generation,
                    upserts=[desired_pb2.Item(key=key, body=body) for key, body in part.upserts],
                    removals=part.removals,
                    digest=part.digest,
                    upto_key=part.upto_key,
                    continues=part.continues,
                )

    async def Report(self, request: pb.ReportRequest, context: Context) -> pb.ReportAck:  # noqa: N802
        records = [_record(one) for one in request.records]
        applied = AppliedState(request.applied_generation, request.applied_digest)
        newest = [_record(one) for one in request.newest]
        backlog = Backlog(tuple(newest), request.outbox_records, request.outbox_records_max)
        vitals = _vitals(request.vitals) if request.HasField("vitals") else None
        acked = self.controller.take(request.journal, records, applied, backlog, vitals)
        self.reports.put_nowait(request.applied_generation)
        await self._answer(context)
        clock = self.controller.clock
        return pb.ReportAck(acked_seq=acked, now_ms=0 if clock is None else _ms(clock))

    async def Purchase(self, request: pb.Order, context: Context) -> pb.PurchaseState:  # noqa: N802
        order = Order(
            order_id=OrderId(request.order_id),
            plan_id=request.plan_id,
            msisdn=Msisdn(request.msisdn),
            device_mac=MacAddress(request.device_mac),
            age_s=request.age_s,
            rail=request.rail,
        )
        try:
            answer = self.controller.purchase(order)
        except UplinkRefused as refused:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, str(refused))
        await self._answer(context)
        return pb.PurchaseState(
            order_id=order.order_id, stage=_STAGES[answer.stage], reason=answer.reason or ""
        )

    async def Redeem(self, request: pb.Redemption, context: Context) -> pb.RedeemState:  # noqa: N802
        answer = self.controller.redeem(
            RedemptionId(request.redemption_id),
            request.code,
            MacAddress(request.device_mac),
            request.msisdn,
        )
        await self._answer(context)
        if isinstance(answer, Full):
            return pb.RedeemState(refusal=Refusal.DEVICES_FULL, grant_id=answer.grant_id)
        return pb.RedeemState(refusal=answer or "")

    async def SendCode(self, request: pb.PhoneCode, context: Context) -> pb.PhoneCodeState:  # noqa: N802
        refusal = self.controller.send_code(Msisdn(request.msisdn), MacAddress(request.device_mac))
        await self._answer(context)
        return pb.PhoneCodeState(refusal=refusal or "")

    def _certificate(self, csr_pem: bytes) -> pb.Certificate:
        return pb.Certificate(
            site_id="site-1",
            certificate_pem=self.authority.sign(csr_pem),
            ca_pem=self.authority.pem,
            edge_address=self.edge_address,
        )

    async def _answer(self, context: Context) -> None:
        if self.lose_answers:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the answer was lost")


def _record(message: record_pb2.Record) -> Record:
    """As the agent journalled it: the seq came behind."""
    seq = message.seq
    message.ClearField("seq")
    return Record(seq, message.SerializeToString())


def _vitals(message: pb.SiteVitals) -> Vitals:
    told = {one.name: getattr(message, one.name) for one, _ in message.ListFields()}
    return Vitals(taken_at=EPOCH + told.pop("taken_at_ms") * MS, **told)


def _ms(moment: datetime) -> int:
    return (moment - EPOCH) // MS


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
