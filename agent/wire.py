"""Protobuf in and out: the only file outside ``uplink/`` that knows ``wirepb``. PURE.

Nothing that came over the wire is believed: what cannot be is refused with `Unreadable`, which
names the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_network
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple, TypeVar, assert_never

from google.protobuf.message import DecodeError
from wirepb.v1 import desired_pb2, edge_pb2, record_pb2

from agent.model import (
    Blocked,
    Chunk,
    DeviceJoined,
    Garden,
    Listing,
    Login,
    Logo,
    Notice,
    Prepaid,
    ProbeOrder,
    ProbeResult,
    Reading,
    Redeemed,
    SessionClosed,
    SessionOpened,
    SitePool,
    TokenMark,
    VoucherMark,
    Why,
    Works,
)
from agent.uplink.seam import Acked, DesiredChange, OrderAnswer
from billing.errors import InvalidField
from billing.grant import Grant, Spent
from billing.ids import GrantId, PlanId, RedemptionId, SessionId
from billing.money import Money
from billing.msisdn import WALLETS
from billing.payment import OrderStage, Reason
from billing.plan import ID_SHAPE, NAME_MAX, Burst, Limits, Step, Window, check_limits
from billing.proof import PROOF_BYTES
from billing.quota import Allowance
from billing.token import SECRET_BYTES, SLOTS, VERSIONS
from portal.captive.gate import Offer, SiteFace, Work
from shaping.plane import MacAddress, PoolKey, Rate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent.model import Fact, Mark
    from agent.uplink.seam import AppliedState, Backlog, Order
    from agent.vitals import Vitals

V = TypeVar("V")

MAC_SHAPE = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
LOGIN_SHAPE = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{0,62}[a-z0-9])?")
SECRET_SHAPE = re.compile(r"[\x21-\x7e]{1,64}")
KEY_SHAPE = re.compile(r"[a-z0-9-]{1,48}")
DIGEST_BYTES = 32
TEXT_MAX = 120
WORK_TEXT_MAX = 200
WORKS_MAX = 32
LANGUAGES = ("en", "sw")
COLOUR_SHAPE = re.compile(r"#[0-9a-f]{6}")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
LOGO_BYTES_MAX = 16_384
LOGO_NAME_CHARS = 16
MOMENT_MS_MAX = 1 << 42
"""The year 2109."""

SALT_BYTES = 16
HASH_BYTES = 16
ROUNDS_MAX = 1_000_000
"""Of a voucher's hash: one that takes a small box longer than a second would keep it from work."""

GARDEN_MAX = 1_000
"""Names, and networks, of the walled garden."""

BLOCKED_MAX = 4_096
"""Devices that are blocked at a site; more are not people whom somebody knows."""

PROOFS_MAX = 64
"""Codes that one grant can be joined by."""

PORT_LENGTH_MAX = 32

SHARED_MAX = 512
"""Kinds of limits and names of plans of which all grants share one object each."""

NAME_SHAPE = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)*[a-z0-9][a-z0-9-]{0,62}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_NOW_MS_MAX = 1 << 42

_RECORDS_TAG = 2 << 3 | 2
_NEWEST_TAG = 6 << 3 | 2
_SEQ_TAG = 1 << 3
"""The fields of a report and of a record that are written by hand: number and wire type."""

_SEQ_LOW = [bytes((_SEQ_TAG, low | 128)) for low in range(128)]
"""That field's tag and first byte, where more bytes follow."""

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
    allowance: Allowance
    suspended: bool
    pool_id: str
    proofs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """The secrets of this site's activation tokens, by their version."""

    secrets: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Slot:
    """What the activation tokens of one slot are good for."""

    number: int
    prepaid: Prepaid


class Record(NamedTuple):
    """A fact with its place in the journal, as it was journalled; parsed only for who asks.

    (journal, seq) is its identity for ever. A tuple, because a thousand are made at once.
    """

    seq: int
    body: bytes

    @property
    def at(self) -> datetime:
        """When it was written, by the site's clock. Raises `Unreadable`."""
        return _EPOCH + self._message().at_ms * _MS

    @property
    def fact(self) -> Fact:
        """What it says. Raises `Unreadable`."""
        return _fact(self._message())

    def _message(self) -> record_pb2.Record:
        try:
            return record_pb2.Record.FromString(self.body)
        except DecodeError as broken:
            raise Unreadable(f"record {self.seq}: the body is no Record") from broken


Parsed = (
    SiteFace
    | Listing
    | Granted
    | SitePool
    | Logo
    | Works
    | Garden
    | Blocked
    | TokenKeys
    | Slot
    | Chunk
    | ProbeOrder
    | Login
)


def parse_item(key: str, body: bytes) -> Parsed | None:
    """What an item means; None for a kind that this version does not know. Raises `Unreadable`."""
    message = desired_pb2.ItemBody()
    try:
        message.ParseFromString(body)
    except DecodeError as broken:
        raise Unreadable(f"{key}: the body is no ItemBody") from broken
    try:
        return _parsed(key, message)
    except InvalidField as wrong:
        raise Unreadable(f"{key}: {wrong}") from wrong


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
        upto_key=message.upto_key,
        continues=message.continues,
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
        rail=order.rail,
    )


def render_report(
    journal: str,
    records: Sequence[Record],
    *,
    applied: AppliedState,
    backlog: Backlog,
    version: str,
    vitals: Vitals | None = None,
) -> bytes:
    """A ``ReportRequest``, with the version that was last applied.

    A protobuf message is its fields one after the other, so bodies are put in as they were
    journalled, with their seq behind them: nothing is parsed to be written again.
    """
    request = edge_pb2.ReportRequest(
        journal=journal,
        applied_generation=applied.generation,
        applied_digest=applied.digest,
        agent_version=version,
        outbox_records=backlog.records,
        outbox_records_max=backlog.records_max,
        vitals=None if vitals is None else _vitals(vitals),
    )
    parts = [request.SerializeToString()]
    for tag, told in ((_RECORDS_TAG, records), (_NEWEST_TAG, backlog.newest)):
        placed = [body + _place(seq) if seq else body for seq, body in told]
        parts.append(_repeated(tag, placed))
    return b"".join(parts)


def parse_ack(message: edge_pb2.ReportAck) -> Acked:
    """How far a journal is committed. A clock that cannot be is as none."""
    at = None
    if 0 < message.now_ms < _NOW_MS_MAX:
        at = _EPOCH + message.now_ms * _MS
    return Acked(message.acked_seq, at)


def _vitals(vitals: Vitals) -> edge_pb2.SiteVitals:
    return edge_pb2.SiteVitals(
        taken_at_ms=(vitals.taken_at - _EPOCH) // _MS,
        boot=vitals.boot,
        uptime_s=vitals.uptime_s,
        cpu_pct=vitals.cpu_pct,
        memory_pct=vitals.memory_pct,
        disk_pct=vitals.disk_pct,
        temperature_c=vitals.temperature_c,
        wan_down_bytes=vitals.wan_down_bytes,
        wan_up_bytes=vitals.wan_up_bytes,
        lan_down_bytes=vitals.lan_down_bytes,
        lan_up_bytes=vitals.lan_up_bytes,
        rtt_ms=vitals.rtt_ms,
        loss_ppm=vitals.loss_ppm,
        clock_skew_ms=vitals.clock_skew_ms,
        agent_memory_kib=vitals.agent_memory_kib,
        portal_open=vitals.portal_open,
        dhcp_leases=vitals.dhcp_leases,
        dhcp_addresses=vitals.dhcp_addresses,
    )


def record_bodies(told: Iterable[tuple[Fact, datetime]]) -> list[bytes]:
    """Facts as the journal keeps them, before they have a seq.

    Most are readings: one message is filled again and again for those.
    """
    again = record_pb2.Record()
    reading, serialize = again.reading, again.SerializeToString
    bodies: list[bytes] = []
    same: datetime | None = None
    for fact, at in told:
        if isinstance(fact, Reading):
            if at is not same:
                again.at_ms = (at - _EPOCH) // _MS
                same = at
            _put_reading(reading, fact)
            bodies.append(serialize())
        else:
            message = record_pb2.Record(at_ms=(at - _EPOCH) // _MS)
            _put_fact(message, fact)
            bodies.append(message.SerializeToString())
    return bodies


def record_of(seq: int, at: datetime, fact: Fact) -> Record:
    """A fact with its place."""
    (body,) = record_bodies([(fact, at)])
    return Record(seq, body)


def readable(rows: Iterable[tuple[int, bytes]]) -> list[Record]:
    """Records of their seq and body, each of which a report may carry. Raises `Unreadable`."""
    records = list(map(Record._make, rows))
    try:
        edge_pb2.ReportRequest.FromString(_repeated(_RECORDS_TAG, [body for _, body in records]))
    except DecodeError as broken:
        raise Unreadable(f"record {records[0].seq} or one after it is no Record") from broken
    return records


def _parsed(key: str, message: desired_pb2.ItemBody) -> Parsed | None:  # noqa: C901, PLR0911, PLR0912 - one for each kind
    match message.WhichOneof("kind"):
        case "site":
            return _face(key, message.site)
        case "logo":
            return _logo(key, message.logo)
        case "works":
            return _works(key, message.works)
        case "plan":
            return _listing(key, message.plan)
        case "grant":
            return _granted(key, message.grant)
        case "pool":
            return _pool(key, message.pool)
        case "garden":
            return _garden(key, message.garden)
        case "blocked":
            return _blocked(key, message.blocked)
        case "token_keys":
            return _token_keys(key, message.token_keys)
        case "token_slot":
            return _slot(key, message.token_slot)
        case "vouchers":
            return _chunk(key, message.vouchers)
        case "probe":
            return _probe(key, message.probe)
        case "login":
            return _login(key, message.login)
        case _:
            return None


def _face(key: str, site: desired_pb2.Site) -> SiteFace:
    _same_key(key, "site")
    if site.language not in LANGUAGES:
        raise InvalidField("language", f"want en or sw, got {site.language!r}")
    return SiteFace(
        operator_name=site.operator_name[:TEXT_MAX],
        site_name=site.site_name[:TEXT_MAX],
        help_phone=site.help_phone[:TEXT_MAX],
        language=site.language,
        rails=tuple(dict.fromkeys(one for one in site.rails if one in WALLETS)),
        colour=site.colour if COLOUR_SHAPE.fullmatch(site.colour) else "",
        languages=tuple(dict.fromkeys(one for one in site.languages if one in LANGUAGES))
        or LANGUAGES,
    )


def _logo(key: str, logo: desired_pb2.Logo) -> Logo:
    _same_key(key, "logo")
    if not logo.png.startswith(PNG_SIGNATURE) or len(logo.png) > LOGO_BYTES_MAX:
        raise InvalidField("png", f"want a PNG of at most {LOGO_BYTES_MAX:,} bytes")
    return Logo(logo.png, sha256(logo.png).hexdigest()[:LOGO_NAME_CHARS])


def _works(key: str, works: desired_pb2.Works) -> Works:
    _same_key(key, "works")
    if len(works.works) > WORKS_MAX:
        raise InvalidField("works", f"want at most {WORKS_MAX}")
    return Works(tuple(map(_work, works.works)))


def _work(work: desired_pb2.Work) -> Work:
    if not 0 <= work.from_ms < work.until_ms <= MOMENT_MS_MAX:
        raise InvalidField("until_ms", "want a moment after from_ms")
    return Work(
        from_at=_EPOCH + work.from_ms * _MS,
        until_at=_EPOCH + work.until_ms * _MS,
        text_en=work.text_en[:WORK_TEXT_MAX],
        text_sw=work.text_sw[:WORK_TEXT_MAX],
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
        plan_id=_one(PlanId(grant.plan_id)),
        plan_name=_one(grant.plan_name[:NAME_MAX]),
        limits=_limits(grant.limits),
        devices=tuple(dict.fromkeys(grant.devices)),
        revoked=grant.revoked,
    )
    spent = Spent(
        validity_s=grant.spent_validity_s,
        uptime_s=grant.spent_uptime_s,
        used_bytes=grant.spent_bytes,
    )
    if len(grant.proofs) > PROOFS_MAX or any(len(one) != PROOF_BYTES for one in grant.proofs):
        raise InvalidField("proofs", f"want at most {PROOFS_MAX} of {PROOF_BYTES} bytes")
    if grant.pool_id and not KEY_SHAPE.fullmatch(grant.pool_id):
        raise InvalidField("pool_id", f"{grant.pool_id!r} is no pool id")
    return Granted(
        grant=right,
        spent=spent,
        cause_id=grant.cause_id[:TEXT_MAX],
        allowance=_one(Allowance(grant.allowance_bytes or None, grant.allowance_uptime_s or None)),
        suspended=grant.suspended,
        pool_id=grant.pool_id,
        proofs=tuple(grant.proofs),
    )


def _pool(key: str, pool: desired_pb2.Pool) -> SitePool:
    _same_key(key, f"pool/{pool.pool_id}")
    for field, name in (("pool_id", pool.pool_id), ("parent_id", pool.parent_id)):
        if not KEY_SHAPE.fullmatch(name or "none"):
            raise InvalidField(field, f"{name!r} is no pool id")
    if not (pool.pool_id and pool.down_bps and pool.up_bps):
        raise InvalidField("pool_id", "want a name, and a rate each way")
    return SitePool(
        name=pool.name[:TEXT_MAX],
        rate=Rate(down_bps=pool.down_bps, up_bps=pool.up_bps),
        parent=PoolKey(pool.parent_id) if pool.parent_id else None,
        ports=frozenset(port[:PORT_LENGTH_MAX] for port in pool.ports if port),
    )


def _garden(key: str, garden: desired_pb2.Garden) -> Garden:
    _same_key(key, "garden")
    if len(garden.names) > GARDEN_MAX or len(garden.networks) > GARDEN_MAX:
        raise InvalidField("garden", f"want at most {GARDEN_MAX:,} names, and as many networks")
    names = tuple(dict.fromkeys(name.lower().rstrip(".") for name in garden.names))
    for name in names:
        if len(name) > 253 or not NAME_SHAPE.fullmatch(name):  # noqa: PLR2004 - the longest name
            raise InvalidField("names", f"{name!r} is no host name")
    try:
        networks = frozenset(ip_network(text) for text in garden.networks)
    except ValueError as wrong:
        raise InvalidField("networks", str(wrong)) from wrong
    return Garden(names=names, networks=networks)


def _blocked(key: str, blocked: desired_pb2.Blocked) -> Blocked:
    _same_key(key, "blocked")
    if len(blocked.devices) > BLOCKED_MAX:
        raise InvalidField("devices", f"want at most {BLOCKED_MAX:,} blocked devices")
    for mac in blocked.devices:
        if not MAC_SHAPE.fullmatch(mac):
            raise InvalidField("devices", f"{mac[:20]!r} is no MAC address")
    return Blocked(frozenset(map(MacAddress, blocked.devices)))


def _token_keys(key: str, keys: desired_pb2.TokenKeys) -> TokenKeys:
    _same_key(key, "token-keys")
    for one in keys.keys:
        if one.version >= VERSIONS or len(one.secret) != SECRET_BYTES:
            raise InvalidField("keys", f"want versions below {VERSIONS}, {SECRET_BYTES} bytes each")
    return TokenKeys({one.version: one.secret for one in keys.keys})


def _slot(key: str, slot: desired_pb2.TokenSlot) -> Slot:
    _same_key(key, f"slot/{slot.slot}")
    if slot.slot >= SLOTS:
        raise InvalidField("slot", f"want 0 to {SLOTS - 1}, got {slot.slot}")
    return Slot(slot.slot, _prepaid(slot))


def _chunk(key: str, chunk: desired_pb2.VoucherChunk) -> Chunk:
    if not key.startswith(f"vouchers/{chunk.batch}/"):
        raise InvalidField("key", f"the body is that of batch {chunk.batch!r}")
    if not KEY_SHAPE.fullmatch(chunk.batch):
        raise InvalidField("batch", f"{chunk.batch!r} is no batch")
    if len(chunk.salt) != SALT_BYTES:
        raise InvalidField("salt", f"want {SALT_BYTES} bytes, got {len(chunk.salt)}")
    if not 1 <= chunk.rounds <= ROUNDS_MAX:
        raise InvalidField("rounds", f"want 1 to {ROUNDS_MAX:,}, got {chunk.rounds:,}")
    if len(chunk.hashes) % HASH_BYTES:
        raise InvalidField(
            "hashes", f"want {HASH_BYTES} bytes each, got {len(chunk.hashes)} in all"
        )
    return Chunk(
        batch=chunk.batch,
        prepaid=_prepaid(chunk),
        salt=chunk.salt,
        rounds=chunk.rounds,
        hashes=chunk.hashes,
        expires_at=_at("expires_at_ms", chunk.expires_at_ms) if chunk.expires_at_ms else None,
    )


def _prepaid(item: desired_pb2.TokenSlot | desired_pb2.VoucherChunk) -> Prepaid:
    return Prepaid(
        plan_id=PlanId(item.plan_id),
        plan_name=item.plan_name[:NAME_MAX],
        limits=_limits(item.limits),
    )


def _probe(key: str, probe: desired_pb2.Probe) -> ProbeOrder:
    _same_key(key, f"probe/{probe.probe_id}")
    if not KEY_SHAPE.fullmatch(probe.probe_id):
        raise InvalidField("probe_id", f"{probe.probe_id!r} is no probe id")
    return ProbeOrder(
        id=probe.probe_id,
        kind=probe.kind[:TEXT_MAX],
        target=probe.target[:TEXT_MAX],
        asked_at=_at("asked_at_ms", probe.asked_at_ms),
    )


def _login(key: str, login: desired_pb2.Login) -> Login:
    _same_key(key, f"login/{login.name}")
    if not LOGIN_SHAPE.fullmatch(login.name):
        raise InvalidField("name", f"{login.name!r} is no name to dial in by")
    if not SECRET_SHAPE.fullmatch(login.secret):
        raise InvalidField("secret", "want printable ASCII, at most 64 letters")
    if not login.cause:
        raise InvalidField("cause", "want that of the grants")
    return Login(name=login.name, secret=login.secret, cause=login.cause[:TEXT_MAX])


def _at(field: str, ms: int) -> datetime:
    try:
        return _EPOCH + ms * _MS
    except OverflowError as wrong:
        raise InvalidField(field, f"{ms} is no moment") from wrong


def _limits(message: desired_pb2.Limits) -> Limits:
    limits = Limits(
        down_bps=message.down_bps,
        up_bps=message.up_bps,
        validity_s=message.validity_s or None,
        uptime_s=message.uptime_s or None,
        quota_bytes=message.quota_bytes or None,
        devices_max=message.devices_max,
        burst=_burst(message.burst) if message.HasField("burst") else None,
        steps=tuple(Step(one.after_bytes, one.down_bps, one.up_bps) for one in message.steps),
        windows=tuple(
            Window(one.from_minute, one.until_minute, one.down_bps, one.up_bps)
            for one in message.windows
        ),
    )
    check_limits(limits)
    shared: Limits = _one(limits)
    return shared


@lru_cache(SHARED_MAX)
def _one(value: V) -> V:
    """One object of what thousands of grants have in common."""
    return value


def _burst(burst: desired_pb2.Burst) -> Burst:
    return Burst(burst.down_bps, burst.up_bps, burst.burst_bytes)


def _same_key(key: str, want: str) -> None:
    if key != want:
        raise InvalidField("key", f"the body is that of {want}")


@lru_cache(SHARED_MAX)
def _varint(number: int) -> bytes:
    """A number as protobuf writes it: seven bits in each byte, the lowest first."""
    if number < 1 << 7:
        return bytes((number,))
    return bytes((number & 127 | 128,)) + _varint(number >> 7)


def _repeated(tag: int, messages: Sequence[bytes]) -> bytes:
    """Messages as a repeated field of another."""
    heads = map(_head, repeat(tag), map(len, messages))
    return b"".join(chain.from_iterable(zip(heads, messages, strict=True)))


@lru_cache(SHARED_MAX)
def _head(tag: int, size: int) -> bytes:
    return bytes((tag,)) + _varint(size)


def _place(seq: int) -> bytes:
    """The field of a seq. Neighbours differ in the lowest bits alone."""
    if seq < 1 << 7:
        return bytes((_SEQ_TAG, seq))
    return _SEQ_LOW[seq & 127] + _varint(seq >> 7)


def _put_reading(message: record_pb2.Reading, fact: Reading) -> None:
    """Set every field: what the message said before is gone."""
    message.session_id = fact.session_id
    message.grant_id = fact.grant_id
    message.epoch = fact.epoch
    message.down_bytes_total = fact.down_bytes_total
    message.up_bytes_total = fact.up_bytes_total
    message.grant_validity_s = fact.grant_validity_s
    message.grant_uptime_s = fact.grant_uptime_s
    message.own_uptime_s = fact.own_uptime_s


def _put_fact(message: record_pb2.Record, fact: Fact) -> None:
    """Give the message its kind."""
    match fact:
        case Reading():
            _put_reading(message.reading, fact)
        case SessionOpened():
            message.opened.session_id = fact.session_id
            message.opened.grant_id = fact.grant_id
            message.opened.mac = fact.mac
            message.opened.addresses.extend(fact.addresses)
        case SessionClosed():
            message.closed.session_id = fact.session_id
            message.closed.grant_id = fact.grant_id
            message.closed.reason = fact.reason
        case DeviceJoined():
            message.joined.grant_id = fact.grant_id
            message.joined.mac = fact.mac
            message.joined.instead_of = fact.instead_of
            message.joined.proof = fact.proof
        case Redeemed():
            _put_redeemed(message.redeemed, fact)
        case ProbeResult():
            message.probed.probe_id = fact.probe_id
            message.probed.body = fact.body
        case Notice():
            message.notice.code = fact.code
            message.notice.text = fact.text
        case _:
            assert_never(fact)


def _put_redeemed(message: record_pb2.Redeemed, fact: Redeemed) -> None:
    message.redemption_id = fact.redemption_id
    message.grant_id = fact.grant_id
    message.plan_id = fact.plan_id
    message.device_mac = fact.mac
    match fact.mark:
        case VoucherMark():
            message.batch = fact.mark.batch
            message.code_hash = fact.mark.code_hash
        case TokenMark():
            message.key_version = fact.mark.version
            message.slot = fact.mark.slot
            message.serial = fact.mark.serial
        case _:
            assert_never(fact.mark)


def _redeemed(message: record_pb2.Redeemed) -> Redeemed:
    mark: Mark = TokenMark(message.key_version, message.slot, message.serial)
    if message.code_hash:
        mark = VoucherMark(message.batch, message.code_hash)
    return Redeemed(
        redemption_id=RedemptionId(message.redemption_id),
        grant_id=GrantId(message.grant_id),
        plan_id=PlanId(message.plan_id),
        mac=MacAddress(message.device_mac),
        mark=mark,
    )


def _fact(message: record_pb2.Record) -> Fact:  # noqa: PLR0911 - one for each kind
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
            own_uptime_s=reading.own_uptime_s,
        )
    if kind == "closed":
        return SessionClosed(
            session_id=SessionId(message.closed.session_id),
            grant_id=GrantId(message.closed.grant_id),
            reason=Why(message.closed.reason),
        )
    if kind == "joined":
        return DeviceJoined(
            grant_id=GrantId(message.joined.grant_id),
            mac=MacAddress(message.joined.mac),
            instead_of=MacAddress(message.joined.instead_of),
            proof=message.joined.proof,
        )
    if kind == "redeemed":
        return _redeemed(message.redeemed)
    if kind == "probed":
        return ProbeResult(probe_id=message.probed.probe_id, body=message.probed.body)
    if kind == "notice":
        return Notice(code=message.notice.code, text=message.notice.text)
    raise Unreadable(f"record {message.seq}: it has no kind")
