"""Protobuf in and out of the controller's own values.

Bodies of items are hashed as they are sent, so they are made in one place only, here. What comes
from outside is checked here, each fault named by its field: a number that no database column could
hold, a name that is none.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from wirepb.v1 import desired_pb2 as pb

from billing.errors import InvalidField
from billing.ids import GrantId, PlanId, RedemptionId, SessionId
from billing.plan import ID_SHAPE
from billing.proof import PROOF_BYTES
from billing.quota import UNBOUND
from controller.records import (
    DeviceJoined,
    Notice,
    ProbeResult,
    Reading,
    Redeemed,
    SessionClosed,
    SessionOpened,
    SiteRecord,
    Unreadable,
    Vitals,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from wirepb.v1 import edge_pb2, record_pb2

    from billing.grant import Grant, Spent
    from billing.plan import Burst, Limits, Plan
    from billing.quota import Allowance
    from controller.records import Fact

COUNT_MAX = 2**63 - 1
"""The largest number that a column holds."""

ADDRESSES_MAX = 64
NOTICE_CODE_MAX = 40
NOTICE_TEXT_MAX = 2_000
CODE_HASH_MAX = 32
PROBE_BODY_MAX = 64_000
MILLISECOND = timedelta(milliseconds=1)

EPOCH_1970 = datetime(1970, 1, 1, tzinfo=UTC)

PER_CENT = range(101)
COUNTER = range(COUNT_MAX + 1)
VITALS_RANGES: dict[str, range] = {
    "cpu_pct": PER_CENT,
    "memory_pct": PER_CENT,
    "disk_pct": PER_CENT,
    "temperature_c": range(-60, 201),
    "wan_down_bytes": COUNTER,
    "wan_up_bytes": COUNTER,
    "lan_down_bytes": COUNTER,
    "lan_up_bytes": COUNTER,
    "rtt_ms": range(3_600_001),
    "loss_ppm": range(1_000_001),
    "clock_skew_ms": range(-(1 << 42), 1 << 42),
    "agent_memory_kib": range(1 << 32),
    "portal_open": range(2),
    "dhcp_leases": range(1 << 24),
    "dhcp_addresses": range(1, 1 << 24),
}
"""What each number can be; `Vitals` has a field for each."""

TAKEN_MS_MAX = 1 << 42
"""The year 2109."""

UPTIME_S_MAX = 1 << 32
_BOOT = re.compile(r"[0-9a-zA-Z-]{1,32}")
_HEX_ID = re.compile(r"[0-9a-f]{32}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_ADDRESS = re.compile(r"[0-9a-f.:]{2,45}")
_WORD = re.compile(r"[\x21-\x7e]{1,64}")
_REASON = re.compile(r"[a-z_]{1,16}")


def site_body(
    *,
    operator_name: str,
    site_name: str,
    help_phone: str,
    language: str,
    rails: Sequence[str] = (),
    colour: str = "",
    languages: Sequence[str] = (),
) -> bytes:
    """The item that says how a site presents itself, and by which wallets its customers may pay."""
    site = pb.Site(
        operator_name=operator_name,
        site_name=site_name,
        help_phone=help_phone,
        language=language,
        rails=rails,
        colour=colour,
        languages=languages,
    )
    return _bytes(pb.ItemBody(site=site))


def logo_body(png: bytes) -> bytes:
    """The item with the operator's picture."""
    return _bytes(pb.ItemBody(logo=pb.Logo(png=png)))


def works_body(works: Iterable[tuple[datetime, datetime, str, str]]) -> bytes:
    """The item with works that customers are told of: from, until, in English, in Swahili."""
    told = [
        pb.Work(
            from_ms=(start - EPOCH_1970) // MILLISECOND,
            until_ms=(end - EPOCH_1970) // MILLISECOND,
            text_en=en,
            text_sw=sw,
        )
        for start, end, en, sw in works
    ]
    return _bytes(pb.ItemBody(works=pb.Works(works=told)))


def plan_body(plan: Plan, *, rank: int) -> bytes:
    """The item that puts a plan on sale."""
    wire_plan = pb.Plan(
        plan_id=plan.id,
        name=plan.name,
        price_minor=plan.price.minor,
        currency=plan.price.currency,
        limits=_limits(plan.limits),
        rank=rank,
    )
    return _bytes(pb.ItemBody(plan=wire_plan))


def grant_body(
    grant: Grant,
    spent: Spent,
    *,
    cause_id: str,
    allowance: Allowance = UNBOUND,
    suspended: bool = False,
    proofs: bytes = b"",
    pool_id: str = "",
) -> bytes:
    """The item that lets a grant's devices pass, with what is known to be spent of it.

    ``proofs`` stand one after the other, as they are kept.
    """
    assert len(proofs) % PROOF_BYTES == 0
    wire_grant = pb.Grant(
        grant_id=grant.id,
        plan_id=grant.plan_id,
        plan_name=grant.plan_name,
        limits=_limits(grant.limits),
        devices=grant.devices,
        revoked=grant.revoked,
        spent_validity_s=spent.validity_s,
        spent_uptime_s=spent.uptime_s,
        spent_bytes=spent.used_bytes,
        cause_id=cause_id,
        allowance_bytes=_bound(allowance.bytes),
        allowance_uptime_s=_bound(allowance.uptime_s),
        suspended=suspended,
        pool_id=pool_id,
        proofs=[proofs[n : n + PROOF_BYTES] for n in range(0, len(proofs), PROOF_BYTES)],
    )
    return _bytes(pb.ItemBody(grant=wire_grant))


def pool_body(
    pool_id: str, *, name: str, parent_id: str, down_bps: int, up_bps: int, ports: Sequence[str]
) -> bytes:
    """The item that makes a shared rate at a site."""
    pool = pb.Pool(
        pool_id=pool_id,
        name=name,
        parent_id=parent_id,
        down_bps=down_bps,
        up_bps=up_bps,
        ports=ports,
    )
    return _bytes(pb.ItemBody(pool=pool))


def blocked_body(devices: Sequence[str]) -> bytes:
    """Devices that may do nothing at a site."""
    return _bytes(pb.ItemBody(blocked=pb.Blocked(devices=devices)))


def garden_body(*, names: Sequence[str], networks: Sequence[str]) -> bytes:
    """The item with all that everybody may reach at a site."""
    return _bytes(pb.ItemBody(garden=pb.Garden(names=names, networks=networks)))


def probe_body(probe_id: str, *, kind: str, target: str, asked_at: datetime) -> bytes:
    """The item that makes a site look at its network once."""
    asked_at_ms = (asked_at - EPOCH_1970) // MILLISECOND
    probe = pb.Probe(probe_id=probe_id, kind=kind, target=target, asked_at_ms=asked_at_ms)
    return _bytes(pb.ItemBody(probe=probe))


def voucher_chunk_body(
    plan: Plan,
    *,
    batch: str,
    salt: bytes,
    rounds: int,
    hashes: Sequence[bytes],
    expires_at: datetime | None,
) -> bytes:
    """The item by which a site redeems some vouchers of a batch with its link down."""
    chunk = pb.VoucherChunk(
        batch=batch,
        plan_id=plan.id,
        plan_name=plan.name,
        limits=_limits(plan.limits),
        salt=salt,
        rounds=rounds,
        hashes=b"".join(hashes),
        expires_at_ms=0 if expires_at is None else (expires_at - EPOCH_1970) // MILLISECOND,
    )
    return _bytes(pb.ItemBody(vouchers=chunk))


def token_keys_body(keys: Sequence[tuple[int, bytes]]) -> bytes:
    """The item with a site's token keys, (version, secret) each, the newest last."""
    wire_keys = [pb.TokenKey(version=version, secret=secret) for version, secret in keys]
    return _bytes(pb.ItemBody(token_keys=pb.TokenKeys(keys=wire_keys)))


def token_slot_body(plan: Plan, *, slot: int) -> bytes:
    """The item that says what a token of this slot is good for."""
    wire_slot = pb.TokenSlot(
        slot=slot, plan_id=plan.id, plan_name=plan.name, limits=_limits(plan.limits)
    )
    return _bytes(pb.ItemBody(token_slot=wire_slot))


def _bound(amount: int | None) -> int:
    """On the wire 0 does not bind, so the least that binds is 1."""
    return 0 if amount is None else max(1, amount)


def records(told: Iterable[record_pb2.Record]) -> tuple[SiteRecord, ...]:
    """Records as values; one with an impossible field is `Unreadable`, and says which.

    A record without a place in the journal can be neither taken nor acknowledged: raises
    `InvalidField` (``records[3].seq``).
    """
    return tuple(_record(f"records[{n}]", record) for n, record in enumerate(told))


def newest(told: Iterable[record_pb2.Record]) -> tuple[SiteRecord, ...]:
    """Openings and readings ahead of their turn. What cannot be is left to come in its turn."""
    found = (SiteRecord(0, _moment(one.at_ms), _fact_or_not("newest", one)) for one in told)
    return tuple(one for one in found if isinstance(one.fact, SessionOpened | Reading))


def _limits(limits: Limits) -> pb.Limits:
    return pb.Limits(
        down_bps=limits.down_bps,
        up_bps=limits.up_bps,
        validity_s=limits.validity_s or 0,
        uptime_s=limits.uptime_s or 0,
        quota_bytes=limits.quota_bytes or 0,
        devices_max=limits.devices_max,
        burst=_burst(limits.burst),
        steps=[pb.SpeedStep(**asdict(step)) for step in limits.steps],
        windows=[pb.SpeedWindow(**asdict(window)) for window in limits.windows],
    )


def _burst(burst: Burst | None) -> pb.Burst | None:
    return None if burst is None else pb.Burst(**asdict(burst))


def login_body(*, name: str, secret: str, cause: str) -> bytes:
    """The item by what a subscriber dials in, for the grants of a cause."""
    return _bytes(pb.ItemBody(login=pb.Login(name=name, secret=secret, cause=cause)))


def _bytes(body: pb.ItemBody) -> bytes:
    return body.SerializeToString(deterministic=True)


def _record(where: str, record: record_pb2.Record) -> SiteRecord:
    if not 1 <= record.seq <= COUNT_MAX:
        raise InvalidField(f"{where}.seq", "want 1 or more")
    return SiteRecord(record.seq, _moment(record.at_ms), _fact_or_not(where, record))


def vitals(told: edge_pb2.SiteVitals) -> Vitals | None:
    """How a site's box is. What is in no range is not believed; None when nothing of it can be.

    A broken sensor must not keep a site's money from being reported.
    """
    if not _BOOT.fullmatch(told.boot) or not 0 <= told.taken_at_ms < TAKEN_MS_MAX:
        return None
    known = {
        one.name: value
        for one, value in told.ListFields()
        if one.name in VITALS_RANGES and value in VITALS_RANGES[one.name]
    }
    return Vitals(
        taken_at=EPOCH_1970 + told.taken_at_ms * MILLISECOND,
        boot=told.boot,
        uptime_s=min(told.uptime_s, UPTIME_S_MAX),
        **known,
    )


def milliseconds(moment: datetime) -> int:
    """A moment as it stands on the wire: milliseconds since 1970."""
    return (moment - EPOCH_1970) // MILLISECOND


def _fact_or_not(where: str, record: record_pb2.Record) -> Fact:
    try:
        return _fact(where, record)
    except InvalidField as error:
        return Unreadable(str(error), record.SerializeToString(deterministic=True))


def _fact(where: str, record: record_pb2.Record) -> Fact:
    kind = record.WhichOneof("kind")
    if kind is None:
        raise InvalidField(f"{where}.kind", "is none that this controller knows")
    return READERS[kind](f"{where}.{kind}", getattr(record, kind))


def _shown(text: str) -> str:
    """Free text without what would steer the terminal of whoever reads it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _opened(where: str, opened: record_pb2.SessionOpened) -> SessionOpened:
    if len(opened.addresses) > ADDRESSES_MAX:
        raise InvalidField(f"{where}.addresses", f"want at most {ADDRESSES_MAX}")
    return SessionOpened(
        session_id=SessionId(_hex(f"{where}.session_id", opened.session_id)),
        grant_id=GrantId(_hex(f"{where}.grant_id", opened.grant_id)),
        mac=_like(_MAC, f"{where}.mac", opened.mac),
        addresses=tuple(_like(_ADDRESS, f"{where}.addresses", one) for one in opened.addresses),
    )


def _reading(where: str, reading: record_pb2.Reading) -> Reading:
    return Reading(
        session_id=SessionId(_hex(f"{where}.session_id", reading.session_id)),
        grant_id=GrantId(_hex(f"{where}.grant_id", reading.grant_id)),
        epoch=_like(_WORD, f"{where}.epoch", reading.epoch),
        down_bytes_total=_count(f"{where}.down_bytes_total", reading.down_bytes_total),
        up_bytes_total=_count(f"{where}.up_bytes_total", reading.up_bytes_total),
        grant_validity_s=_count(f"{where}.grant_validity_s", reading.grant_validity_s),
        grant_uptime_s=_count(f"{where}.grant_uptime_s", reading.grant_uptime_s),
        own_uptime_s=_count(f"{where}.own_uptime_s", reading.own_uptime_s),
    )


def _redeemed(where: str, told: record_pb2.Redeemed) -> Redeemed:
    if len(told.code_hash) > CODE_HASH_MAX:
        raise InvalidField(f"{where}.code_hash", f"want at most {CODE_HASH_MAX} bytes")
    if told.batch:
        _like(_WORD, f"{where}.batch", told.batch)
    return Redeemed(
        redemption_id=RedemptionId(_hex(f"{where}.redemption_id", told.redemption_id)),
        grant_id=GrantId(_hex(f"{where}.grant_id", told.grant_id)),
        plan_id=PlanId(_like(ID_SHAPE, f"{where}.plan_id", told.plan_id)),
        device_mac=_like(_MAC, f"{where}.device_mac", told.device_mac),
        batch=told.batch,
        code_hash=told.code_hash,
        key_version=told.key_version,
        slot=told.slot,
        serial=told.serial,
    )


def _joined(where: str, told: record_pb2.DeviceJoined) -> DeviceJoined:
    if told.instead_of:
        _like(_MAC, f"{where}.instead_of", told.instead_of)
    return DeviceJoined(
        grant_id=GrantId(_hex(f"{where}.grant_id", told.grant_id)),
        mac=_like(_MAC, f"{where}.mac", told.mac),
        instead_of=told.instead_of,
        proof=_like(_REASON, f"{where}.proof", told.proof),
    )


def _sized(field: str, text: str, most: int) -> str:
    if len(text) > most or "\0" in text:
        raise InvalidField(field, f"want at most {most:,} characters, and no zero among them")
    return text


def _closed(where: str, closed: record_pb2.SessionClosed) -> SessionClosed:
    return SessionClosed(
        session_id=SessionId(_hex(f"{where}.session_id", closed.session_id)),
        grant_id=GrantId(_hex(f"{where}.grant_id", closed.grant_id)),
        reason=_like(_REASON, f"{where}.reason", closed.reason),
    )


def _notice(_where: str, notice: record_pb2.Notice) -> Notice:
    return Notice(
        code=_shown(notice.code[:NOTICE_CODE_MAX]), text=_shown(notice.text[:NOTICE_TEXT_MAX])
    )


def _probed(where: str, probed: record_pb2.ProbeResult) -> ProbeResult:
    return ProbeResult(
        probe_id=_hex(f"{where}.probe_id", probed.probe_id),
        body=_sized(f"{where}.body", probed.body, PROBE_BODY_MAX),
    )


def _moment(at_ms: int) -> datetime:
    """The site's clock; what no calendar holds is as wrong as 1970."""
    try:
        return EPOCH_1970 + timedelta(milliseconds=at_ms)
    except OverflowError:
        return EPOCH_1970


def _hex(field: str, text: str) -> str:
    return _like(_HEX_ID, field, text)


def _like(shape: re.Pattern[str], field: str, text: str) -> str:
    if not shape.fullmatch(text):
        raise InvalidField(field, f"want {shape.pattern}")
    return text


def _count(field: str, value: int) -> int:
    # A counter that sums to more than a column holds could never be booked.
    if value > COUNT_MAX // 1_024:
        raise InvalidField(field, "is beyond any real counter")
    return value


READERS: Mapping[str, Callable[[str, Any], Fact]] = {
    "opened": _opened,
    "reading": _reading,
    "closed": _closed,
    "notice": _notice,
    "redeemed": _redeemed,
    "joined": _joined,
    "probed": _probed,
}
"""How each kind of record is read; every kind of the contract has its line."""
