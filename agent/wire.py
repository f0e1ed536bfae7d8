"""Protobuf in and out: the only file outside ``uplink/`` that knows ``wirepb``. PURE.

Nothing that came over the wire is believed: what cannot be is refused with `Unreadable`, which
names the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from google.protobuf.message import DecodeError
from wirepb.v1 import desired_pb2, edge_pb2, record_pb2

from agent.model import Listing, Notice, Reading, Record, SessionClosed, SessionOpened, Why
from agent.uplink.seam import DesiredChange, OrderAnswer
from billing.errors import InvalidField
from billing.grant import Grant, Spent
from billing.ids import GrantId, PlanId, SessionId
from billing.money import Money
from billing.payment import OrderStage, Reason
from billing.plan import ID_SHAPE, NAME_MAX, Limits, check_limits
from portal.captive.gate import Offer, SiteFace
from shaping.plane import MacAddress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.model import Fact
    from agent.uplink.seam import AppliedState, Backlog, Order

MAC_SHAPE = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
KEY_SHAPE = re.compile(r"[a-z0-9-]{1,48}")
DIGEST_BYTES = 32
TEXT_MAX = 120
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_PB = edge_pb2.PurchaseState
_STAGES = {
    _PB.STAGE_PROMPTED: OrderStage.PROMPTED,
    _PB.STAGE_CHECKING: OrderStage.CHECKING,
    _PB.STAGE_REFUSED: OrderStage.REFUSED,
    _PB.STAGE_EXPIRED: OrderStage.EXPIRED,
    _PB.STAGE_PAID: OrderStage.PAID,
}


class Unreadable(Exception):  # noqa: N818 - a refusal, in a sentence
    """Something that came over the wire cannot be; the message names the field."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant as the controller tells it: the right, what it knows to be spent, its cause."""

    grant: Grant
    spent: Spent
    cause_id: str


Parsed = SiteFace | Listing | Granted


def parse_item(key: str, body: bytes) -> Parsed | None:
    """What an item means; None for a kind that this version does not know. Raises `Unreadable`."""
    message = desired_pb2.ItemBody()
    try:
        message.ParseFromString(body)
    except DecodeError as broken:
        raise Unreadable(f"{key}: the body is no ItemBody") from broken
    kind = message.WhichOneof("kind")
    try:
        if kind == "site":
            return _face(key, message.site)
        if kind == "plan":
            return _listing(key, message.plan)
        if kind == "grant":
            return _granted(key, message.grant)
    except InvalidField as wrong:
        raise Unreadable(f"{key}: {wrong}") from wrong
    return None


def parse_change(message: desired_pb2.DesiredChange) -> DesiredChange:
    """A step of desired state, bodies unparsed. Raises `Unreadable`."""
    if not message.generation:
        raise Unreadable("generation: want 1 or more")
    if len(message.digest) != DIGEST_BYTES:
        raise Unreadable(f"digest: want {DIGEST_BYTES} bytes, got {len(message.digest)}")
    return DesiredChange(
        generation=message.generation,
        from_generation=message.from_generation,
        upserts=tuple((item.key, item.body) for item in message.upserts),
        removals=tuple(message.removals),
        digest=message.digest,
    )


def parse_answer(message: edge_pb2.PurchaseState) -> OrderAnswer:
    """Where an order stands. A reason this version does not know is shown as our own trouble.

    Raises `Unreadable`.
    """
    stage = _STAGES.get(message.stage)
    if stage is None:
        raise Unreadable(f"stage: {message.stage} means nothing to this version")
    if stage is not OrderStage.REFUSED:
        return OrderAnswer(stage=stage, reason=None)
    known = {reason.value: reason for reason in Reason}
    return OrderAnswer(stage=stage, reason=known.get(message.reason, Reason.OUR_SIDE))


def render_order(order: Order) -> edge_pb2.Order:
    """An order for the wire."""
    return edge_pb2.Order(
        order_id=order.order_id,
        plan_id=order.plan_id,
        msisdn=order.msisdn,
        device_mac=order.device_mac,
        age_s=order.age_s,
    )


def render_record(record: Record) -> record_pb2.Record:
    """A record for the wire."""
    message = record_pb2.Record(seq=record.seq, at_ms=(record.at - _EPOCH) // _MS)
    _put_fact(message, record.fact)
    return message


def render_report(
    journal: str,
    records: Sequence[Record],
    *,
    applied: AppliedState,
    backlog: Backlog,
    version: str,
) -> edge_pb2.ReportRequest:
    """A batch of records for the wire, with the version that was last applied."""
    return edge_pb2.ReportRequest(
        journal=journal,
        records=[render_record(record) for record in records],
        applied_generation=applied.generation,
        applied_digest=applied.digest,
        agent_version=version,
        newest=[render_record(record) for record in backlog.newest],
        outbox_records=backlog.records,
        outbox_records_max=backlog.records_max,
    )


def record_body(fact: Fact, at: datetime) -> bytes:
    """A fact as the journal keeps it, before it has a seq."""
    return render_record(Record(seq=0, at=at, fact=fact)).SerializeToString()


def parse_record(seq: int, body: bytes) -> Record:
    """A record as it was journalled. Raises `Unreadable`."""
    message = record_pb2.Record()
    try:
        message.ParseFromString(body)
    except DecodeError as broken:
        raise Unreadable(f"record {seq}: the body is no Record") from broken
    return Record(seq=seq, at=_EPOCH + message.at_ms * _MS, fact=_fact(message))


def _face(key: str, site: desired_pb2.Site) -> SiteFace:
    _same_key(key, "site")
    if site.language not in {"en", "sw"}:
        raise InvalidField("language", f"want en or sw, got {site.language!r}")
    return SiteFace(
        operator_name=site.operator_name[:TEXT_MAX],
        site_name=site.site_name[:TEXT_MAX],
        help_phone=site.help_phone[:TEXT_MAX],
        language=site.language,
    )


def _listing(key: str, plan: desired_pb2.Plan) -> Listing:
    _same_key(key, f"plan/{plan.plan_id}")
    if not ID_SHAPE.fullmatch(plan.plan_id):
        raise InvalidField("plan_id", f"{plan.plan_id!r} is no plan id")
    limits = _limits(plan.limits)
    offer = Offer(
        plan_id=PlanId(plan.plan_id),
        name=plan.name[:NAME_MAX],
        price=Money(plan.price_minor, plan.currency),
        down_bps=limits.down_bps,
        up_bps=limits.up_bps,
        validity_s=limits.validity_s,
        uptime_s=limits.uptime_s,
        quota_bytes=limits.quota_bytes,
        devices_max=limits.devices_max,
    )
    return Listing(rank=plan.rank, offer=offer)


def _granted(key: str, grant: desired_pb2.Grant) -> Granted:
    _same_key(key, f"grant/{grant.grant_id}")
    if not KEY_SHAPE.fullmatch(grant.grant_id):
        raise InvalidField("grant_id", f"{grant.grant_id!r} is no grant id")
    for mac in grant.devices:
        if not MAC_SHAPE.fullmatch(mac):
            raise InvalidField("devices", f"{mac!r} is no MAC address in canonical form")
    right = Grant(
        id=GrantId(grant.grant_id),
        plan_id=PlanId(grant.plan_id),
        plan_name=grant.plan_name[:NAME_MAX],
        limits=_limits(grant.limits),
        devices=tuple(dict.fromkeys(grant.devices)),
        revoked=grant.revoked,
    )
    spent = Spent(
        validity_s=grant.spent_validity_s,
        uptime_s=grant.spent_uptime_s,
        used_bytes=grant.spent_bytes,
    )
    return Granted(grant=right, spent=spent, cause_id=grant.cause_id[:TEXT_MAX])


def _limits(message: desired_pb2.Limits) -> Limits:
    limits = Limits(
        down_bps=message.down_bps,
        up_bps=message.up_bps,
        validity_s=message.validity_s or None,
        uptime_s=message.uptime_s or None,
        quota_bytes=message.quota_bytes or None,
        devices_max=message.devices_max,
    )
    check_limits(limits)
    return limits


def _same_key(key: str, want: str) -> None:
    if key != want:
        raise InvalidField("key", f"the body is that of {want}")


def _put_fact(message: record_pb2.Record, fact: Fact) -> None:
    """Give the message its kind. Each part is looked up once: there are many readings."""
    match fact:
        case Reading():
            reading = message.reading
            reading.session_id = fact.session_id
            reading.grant_id = fact.grant_id
            reading.epoch = fact.epoch
            reading.down_bytes_total = fact.down_bytes_total
            reading.up_bytes_total = fact.up_bytes_total
            reading.grant_validity_s = fact.grant_validity_s
            reading.grant_uptime_s = fact.grant_uptime_s
        case SessionOpened():
            message.opened.session_id = fact.session_id
            message.opened.grant_id = fact.grant_id
            message.opened.mac = fact.mac
            message.opened.addresses.extend(fact.addresses)
        case SessionClosed():
            message.closed.session_id = fact.session_id
            message.closed.grant_id = fact.grant_id
            message.closed.reason = fact.reason
        case Notice():
            message.notice.code = fact.code
            message.notice.text = fact.text
        case _:
            assert_never(fact)


def _fact(message: record_pb2.Record) -> Fact:
    kind = message.WhichOneof("kind")
    if kind == "opened":
        return SessionOpened(
            session_id=SessionId(message.opened.session_id),
            grant_id=GrantId(message.opened.grant_id),
            mac=MacAddress(message.opened.mac),
            addresses=tuple(message.opened.addresses),
        )
    if kind == "reading":
        reading = message.reading
        return Reading(
            session_id=SessionId(reading.session_id),
            grant_id=GrantId(reading.grant_id),
            epoch=reading.epoch,
            down_bytes_total=reading.down_bytes_total,
            up_bytes_total=reading.up_bytes_total,
            grant_validity_s=reading.grant_validity_s,
            grant_uptime_s=reading.grant_uptime_s,
        )
    if kind == "closed":
        return SessionClosed(
            session_id=SessionId(message.closed.session_id),
            grant_id=GrantId(message.closed.grant_id),
            reason=Why(message.closed.reason),
        )
    if kind == "notice":
        return Notice(code=message.notice.code, text=message.notice.text)
    raise Unreadable(f"record {message.seq}: it has no kind")
