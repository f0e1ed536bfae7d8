"""Protobuf in and out of the controller's own values.

Bodies of items are hashed as they are sent, so they are made in one place only, here. What comes
from outside is checked here, each fault named by its field: a number that no database column could
hold, a name that is none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from wirepb.v1 import desired_pb2 as pb

from billing.errors import InvalidField
from billing.ids import GrantId, SessionId
from controller.records import (
    Notice,
    Reading,
    SessionClosed,
    SessionOpened,
    SiteRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wirepb.v1 import record_pb2

    from billing.grant import Grant, Spent
    from billing.plan import Limits, Plan
    from controller.records import Fact

COUNT_MAX = 2**63 - 1
"""The largest number that a column holds."""

ADDRESSES_MAX = 64
NOTICE_CODE_MAX = 40
NOTICE_TEXT_MAX = 2_000

EPOCH_1970 = datetime(1970, 1, 1, tzinfo=UTC)

_HEX_ID = re.compile(r"[0-9a-f]{32}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_ADDRESS = re.compile(r"[0-9a-f.:]{2,45}")
_WORD = re.compile(r"[\x21-\x7e]{1,64}")
_REASON = re.compile(r"[a-z_]{1,16}")


def site_body(*, operator_name: str, site_name: str, help_phone: str, language: str) -> bytes:
    """The item that says how a site presents itself."""
    site = pb.Site(
        operator_name=operator_name,
        site_name=site_name,
        help_phone=help_phone,
        language=language,
    )
    return _bytes(pb.ItemBody(site=site))


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


def grant_body(grant: Grant, spent: Spent, *, cause_id: str) -> bytes:
    """The item that lets a grant's devices pass, with what is known to be spent of it."""
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
    )
    return _bytes(pb.ItemBody(grant=wire_grant))


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


def records(told: Iterable[record_pb2.Record]) -> tuple[SiteRecord, ...]:
    """Records as values. Raises `InvalidField` (``records[3].reading.epoch``)."""
    return tuple(_record(f"records[{n}]", record) for n, record in enumerate(told))


def _limits(limits: Limits) -> pb.Limits:
    return pb.Limits(
        down_bps=limits.down_bps,
        up_bps=limits.up_bps,
        validity_s=limits.validity_s or 0,
        uptime_s=limits.uptime_s or 0,
        quota_bytes=limits.quota_bytes or 0,
        devices_max=limits.devices_max,
    )


def _bytes(body: pb.ItemBody) -> bytes:
    return body.SerializeToString(deterministic=True)


def _record(where: str, record: record_pb2.Record) -> SiteRecord:
    if not 1 <= record.seq <= COUNT_MAX:
        raise InvalidField(f"{where}.seq", "want 1 or more")
    return SiteRecord(seq=record.seq, at=_moment(record.at_ms), fact=_fact(where, record))


def _fact(where: str, record: record_pb2.Record) -> Fact:
    match record.WhichOneof("kind"):
        case "opened":
            return _opened(f"{where}.opened", record.opened)
        case "reading":
            return _reading(f"{where}.reading", record.reading)
        case "closed":
            closed = record.closed
            return SessionClosed(
                session_id=SessionId(_hex(f"{where}.closed.session_id", closed.session_id)),
                grant_id=GrantId(_hex(f"{where}.closed.grant_id", closed.grant_id)),
                reason=_like(_REASON, f"{where}.closed.reason", closed.reason),
            )
        case "notice":
            return Notice(
                code=_shown(record.notice.code[:NOTICE_CODE_MAX]),
                text=_shown(record.notice.text[:NOTICE_TEXT_MAX]),
            )
        case _:
            raise InvalidField(f"{where}.kind", "want opened, reading, closed or notice")


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
