"""Bodies say what was meant; what comes from outside is checked field by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirepb.v1 import desired_pb2, record_pb2

from billing.errors import InvalidField
from billing.grant import Grant, Spent
from billing.ids import GrantId, PlanId, SessionId
from billing.plan import Burst, Step, Window
from billing.quota import Allowance
from controller.edge import wire
from controller.records import (
    Notice,
    Reading,
    SessionClosed,
    SessionOpened,
    SiteRecord,
    Unreadable,
)
from tests.support.builders import MAC, OTHER_MAC, a_plan, limits

SESSION, GRANT = "a" * 32, "b" * 32


def body(encoded: bytes) -> desired_pb2.ItemBody:
    return desired_pb2.ItemBody.FromString(encoded)


def a_reading(**changed: object) -> record_pb2.Record:
    fields: dict[str, object] = {"session_id": SESSION, "grant_id": GRANT, "epoch": "e"}
    message = record_pb2.Reading()
    for name, value in {**fields, **changed}.items():
        setattr(message, name, value)
    return record_pb2.Record(seq=1, reading=message)


def a_redemption(**changed: object) -> record_pb2.Record:
    usual = {
        "redemption_id": SESSION,
        "grant_id": GRANT,
        "plan_id": "hour",
        "device_mac": MAC,
        "batch": "20261126-0a0b",
        "code_hash": bytes(16),
    }
    redeemed = record_pb2.Redeemed(**{**usual, **changed})  # type: ignore[arg-type]
    return record_pb2.Record(seq=1, redeemed=redeemed)


def a_join(**changed: object) -> record_pb2.Record:
    usual = {"grant_id": GRANT, "mac": MAC, "proof": "cookie"}
    joined = record_pb2.DeviceJoined(**{**usual, **changed})  # type: ignore[arg-type]
    return record_pb2.Record(seq=1, joined=joined)


def a_probe(**changed: object) -> record_pb2.Record:
    usual = {"probe_id": SESSION, "body": "{}"}
    probed = record_pb2.ProbeResult(**{**usual, **changed})  # type: ignore[arg-type]
    return record_pb2.Record(seq=1, probed=probed)


def test_site_body_says_how_the_site_presents_itself() -> None:
    told = body(
        wire.site_body(operator_name="O", site_name="S", help_phone="07", language="sw")
    ).site

    assert (told.operator_name, told.site_name, told.help_phone, told.language) == (
        "O",
        "S",
        "07",
        "sw",
    )


def test_site_body_says_which_wallets_collect_and_without_them_what_it_always_said() -> None:
    named = {"operator_name": "O", "site_name": "S", "help_phone": "07", "language": "sw"}
    told = body(wire.site_body(**named, rails=("mpesa", "airtel"))).site

    assert list(told.rails) == ["mpesa", "airtel"]
    assert wire.site_body(**named) == wire.site_body(**named, rails=())


def test_plan_body_says_price_limits_and_rank() -> None:
    told = body(wire.plan_body(a_plan(), rank=3)).plan

    assert (told.plan_id, told.price_minor, told.currency, told.rank) == ("hour", 2_000, "KES", 3)
    assert (told.limits.down_bps, told.limits.validity_s) == (4_000_000, 3_600)


def test_limit_that_does_not_bind_is_zero_on_the_wire() -> None:
    told = body(wire.plan_body(a_plan(allows=limits(quota_bytes=None)), rank=0)).plan

    assert (told.limits.uptime_s, told.limits.quota_bytes) == (0, 0)


def test_plan_body_says_its_burst_steps_and_hours() -> None:
    allows = replace(
        limits(),
        burst=Burst(8_000_000, 4_000_000, 20_000_000),
        steps=(Step(10**9, 10**6, 10**6),),
        windows=(Window(1_320, 360, 10**7, 10**7),),
    )
    told = body(wire.plan_body(a_plan(allows=allows), rank=0)).plan.limits

    assert told.burst.burst_bytes == 20_000_000
    assert [step.after_bytes for step in told.steps] == [10**9]
    assert [(w.from_minute, w.until_minute, w.down_bps) for w in told.windows] == [
        (1_320, 360, 10**7)
    ]


def test_grant_body_says_who_may_pass_and_what_is_spent() -> None:
    grant = Grant(GrantId(GRANT), PlanId("hour"), "Hour", limits(), (MAC, OTHER_MAC))
    spent = Spent(validity_s=1, uptime_s=2, used_bytes=3)
    told = body(wire.grant_body(grant, spent, cause_id="c")).grant

    assert (list(told.devices), told.revoked, told.cause_id) == ([MAC, OTHER_MAC], False, "c")
    assert (told.spent_validity_s, told.spent_uptime_s, told.spent_bytes) == (1, 2, 3)


def test_same_value_has_the_same_bytes() -> None:
    assert wire.plan_body(a_plan(), rank=1) == wire.plan_body(a_plan(), rank=1)


def test_records_become_values() -> None:
    told = [
        record_pb2.Record(
            seq=1,
            at_ms=1_000,
            opened=record_pb2.SessionOpened(
                session_id=SESSION, grant_id=GRANT, mac=MAC, addresses=["10.0.0.2", "fd00::2"]
            ),
        ),
        a_reading(down_bytes_total=5, up_bytes_total=6, grant_validity_s=7, grant_uptime_s=8),
        record_pb2.Record(
            seq=3,
            closed=record_pb2.SessionClosed(session_id=SESSION, grant_id=GRANT, reason="idle"),
        ),
        record_pb2.Record(seq=4, notice=record_pb2.Notice(code="drift", text="t")),
    ]
    session, grant = SessionId(SESSION), GrantId(GRANT)
    dawn = datetime(1970, 1, 1, tzinfo=UTC)

    assert wire.records(told) == (
        SiteRecord(
            1,
            dawn.replace(second=1),
            SessionOpened(session, grant, MAC, ("10.0.0.2", "fd00::2")),
        ),
        SiteRecord(1, dawn, Reading(session, grant, "e", 5, 6, 7, 8)),
        SiteRecord(3, dawn, SessionClosed(session, grant, "idle")),
        SiteRecord(4, dawn, Notice("drift", "t")),
    )


@pytest.mark.parametrize(
    ("field", "record"),
    [
        ("kind", record_pb2.Record(seq=1)),
        ("reading.session_id", a_reading(session_id="x")),
        ("reading.grant_id", a_reading(grant_id="")),
        ("reading.epoch", a_reading(epoch="")),
        ("reading.epoch", a_reading(epoch="e" * 65)),
        ("reading.epoch", a_reading(epoch="a\0b")),
        ("reading.down_bytes_total", a_reading(down_bytes_total=2**64 - 1)),
        ("reading.up_bytes_total", a_reading(up_bytes_total=2**63)),
        ("reading.grant_validity_s", a_reading(grant_validity_s=2**64 - 1)),
        ("reading.own_uptime_s", a_reading(own_uptime_s=2**64 - 1)),
        ("redeemed.redemption_id", a_redemption(redemption_id="r")),
        ("redeemed.grant_id", a_redemption(grant_id="")),
        ("redeemed.plan_id", a_redemption(plan_id="No Plan")),
        ("redeemed.device_mac", a_redemption(device_mac="x")),
        ("redeemed.batch", a_redemption(batch="a b")),
        ("redeemed.code_hash", a_redemption(code_hash=bytes(33))),
        ("joined.mac", a_join(mac="x")),
        ("joined.instead_of", a_join(instead_of="x")),
        ("joined.proof", a_join(proof="")),
        ("probed.probe_id", a_probe(probe_id="p")),
        ("probed.body", a_probe(body="b" * 64_001)),
        ("probed.body", a_probe(body="a\0b")),
        (
            "opened.mac",
            record_pb2.Record(
                seq=1, opened=record_pb2.SessionOpened(session_id=SESSION, grant_id=GRANT, mac="x")
            ),
        ),
        (
            "opened.addresses",
            record_pb2.Record(
                seq=1,
                opened=record_pb2.SessionOpened(
                    session_id=SESSION, grant_id=GRANT, mac=MAC, addresses=["not one"]
                ),
            ),
        ),
        (
            "opened.addresses",
            record_pb2.Record(
                seq=1,
                opened=record_pb2.SessionOpened(
                    session_id=SESSION, grant_id=GRANT, mac=MAC, addresses=["10.0.0.2"] * 65
                ),
            ),
        ),
        (
            "closed.reason",
            record_pb2.Record(
                seq=1,
                closed=record_pb2.SessionClosed(
                    session_id=SESSION, grant_id=GRANT, reason="because of the rain"
                ),
            ),
        ),
    ],
)
def test_record_that_cannot_be_is_set_aside_by_field(field: str, record: record_pb2.Record) -> None:
    """One of them must not keep all that follow from being taken, again and again."""
    (told,) = wire.records([record])

    assert isinstance(told.fact, Unreadable)
    assert told.fact.problem.startswith(f"records[0].{field}: ")
    assert record_pb2.Record.FromString(told.fact.whole) == record


@pytest.mark.parametrize("seq", [0, 2**63])
def test_record_without_a_place_in_the_journal_is_refused(seq: int) -> None:
    with pytest.raises(InvalidField) as refusal:
        wire.records([record_pb2.Record(seq=seq, notice=record_pb2.Notice())])

    assert refusal.value.field == "records[0].seq"


def test_what_runs_ahead_is_openings_and_readings_only() -> None:
    ahead = [
        a_reading(),
        a_reading(epoch=""),
        record_pb2.Record(notice=record_pb2.Notice(code="drift")),
        a_redemption(),
    ]

    assert [type(one.fact) for one in wire.newest(ahead)] == [Reading]


def test_every_kind_of_record_of_the_contract_is_read() -> None:
    kinds = {field.name for field in record_pb2.Record.DESCRIPTOR.oneofs_by_name["kind"].fields}

    assert set(wire.READERS) == kinds


def test_an_allowance_of_nothing_still_binds() -> None:
    grant = Grant(GrantId(GRANT), PlanId("hour"), "Hour", limits(), (MAC,))
    told = body(
        wire.grant_body(grant, Spent(), cause_id="c", allowance=Allowance(bytes=0, uptime_s=None))
    ).grant

    assert (told.allowance_bytes, told.allowance_uptime_s) == (1, 0)


def test_grant_body_carries_each_proof_and_says_that_it_is_suspended() -> None:
    grant = Grant(GrantId(GRANT), PlanId("hour"), "Hour", limits(), (MAC,))
    told = body(
        wire.grant_body(grant, Spent(), cause_id="c", suspended=True, proofs=b"a" * 16 + b"b" * 16)
    ).grant

    assert told.suspended
    assert list(told.proofs) == [b"a" * 16, b"b" * 16]


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_clock_can_be_read(at_ms: int) -> None:
    record = record_pb2.Record(seq=1, at_ms=at_ms, notice=record_pb2.Notice(code="c"))

    assert wire.records([record])[0].at.tzinfo is UTC


def test_a_notice_cannot_steer_the_terminal_of_its_reader() -> None:
    notice = record_pb2.Notice(code="c\x1b[2J\0", text="\x1b]0;t\x07 a\nb\u202e")
    read = wire.records([record_pb2.Record(seq=1, notice=notice)])

    assert read[0].fact == Notice("c [2J ", " ]0;t  a b ")
