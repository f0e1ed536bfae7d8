"""What comes over the wire: read whole, or refused with the field's name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wirepb.v1 import desired_pb2 as pb
from wirepb.v1 import edge_pb2

from agent.decide import decide
from agent.model import (
    Blocked,
    Changed,
    Chunk,
    DeviceJoined,
    Garden,
    Notice,
    Prepaid,
    ProbeOrder,
    ProbeResult,
    Reading,
    Redeemed,
    SitePool,
    State,
    TokenMark,
    VoucherMark,
)
from agent.uplink.memory import (
    blocked_item,
    chunk_item,
    garden_item,
    grant_item,
    pool_item,
    slot_item,
    token_keys_item,
)
from agent.uplink.seam import AppliedState, Backlog
from agent.wire import (
    Granted,
    Slot,
    TokenKeys,
    Unreadable,
    parse_item,
    record_of,
    render_report,
)
from billing.ids import GrantId, PlanId, RedemptionId, SessionId
from billing.plan import Burst, Step, Window
from billing.quota import Allowance
from portal.captive.gate import SiteFace
from shaping.plane import MacAddress, PoolKey, Rate
from tests.support.site import Story, a_mac, some_limits
from tests.support.steered import NOON

if TYPE_CHECKING:
    from agent.model import Fact

LIMITS = replace(
    some_limits(quota=10_000_000),
    burst=Burst(9_000_000, 8_000_000, 500_000),
    steps=(Step(1_000_000, 512_000, 256_000), Step(2_000_000, 64_000, 64_000)),
    windows=(Window(1_320, 360, 8_000_000, 8_000_000),),
)
PREPAID = Prepaid(PlanId("week"), "1 week", LIMITS)
CHUNK = Chunk("batch", PREPAID, b"s" * 16, 1_000, b"h" * 32, NOON + timedelta(days=1))
POOL = SitePool("AP 1", Rate(20_000_000, 9_000_000), PoolKey("mast"), frozenset({"wlan0"}))


def test_a_grant_is_read_with_all_that_it_may_say() -> None:
    item = grant_item(
        "g1",
        limits=LIMITS,
        devices=[a_mac("a")],
        allowance=Allowance(5_000_000, 600),
        suspended=True,
        pool_id="vip",
        proofs=[b"p" * 16],
    )
    told = parse_item(*item)

    assert isinstance(told, Granted)
    assert told.grant.limits == LIMITS
    assert told.allowance == Allowance(5_000_000, 600)
    assert (told.suspended, told.pool_id, told.proofs) == (True, "vip", (b"p" * 16,))


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (chunk_item("vouchers/batch/1", CHUNK), CHUNK),
        (chunk_item("vouchers/batch/1", replace(CHUNK, expires_at=None)), None),
        (slot_item(255, PREPAID), Slot(255, PREPAID)),
        (token_keys_item({3: b"k" * 32, 0: b"l" * 32}), TokenKeys({3: b"k" * 32, 0: b"l" * 32})),
        (pool_item("ap1", POOL), POOL),
        (
            blocked_item(["02:00:00:00:00:0a"]),
            Blocked(frozenset({MacAddress("02:00:00:00:00:0a")})),
        ),
        (
            garden_item(names=["KRA.go.ke."], networks=["192.0.2.0/24", "2001:db8::/32"]),
            Garden(
                ("kra.go.ke",),
                frozenset({ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")}),
            ),
        ),
    ],
    ids=["vouchers", "vouchers for ever", "slot", "keys", "pool", "blocked", "garden"],
)
def test_an_item_is_read(item: tuple[str, bytes], value: object) -> None:
    assert parse_item(*item) == (value or replace(CHUNK, expires_at=None))


def test_an_order_for_a_probe_is_read() -> None:
    probe = pb.Probe(probe_id="p1", kind="trace", target="192.0.2.1", asked_at_ms=86_400_000)
    told = parse_item("probe/p1", pb.ItemBody(probe=probe).SerializeToString())

    assert isinstance(told, ProbeOrder)
    assert (told.id, told.kind, told.target, told.asked_at.day) == ("p1", "trace", "192.0.2.1", 2)


GRANT = pb.Grant(grant_id="g1", limits=pb.Limits(down_bps=8_000, up_bps=8_000, validity_s=1))
VOUCHERS = pb.VoucherChunk(batch="b", limits=GRANT.limits, salt=bytes(16), rounds=1)


def grant(**more: object) -> pb.ItemBody:
    body = pb.ItemBody(grant=GRANT)
    body.grant.MergeFrom(pb.Grant(**more))  # type: ignore[arg-type]  # whatever a stranger says
    return body


def vouchers(**more: object) -> pb.ItemBody:
    body = pb.ItemBody(vouchers=VOUCHERS)
    for name, value in more.items():
        setattr(body.vouchers, name, value)
    return body


def steps(*after: int) -> pb.Limits:
    return pb.Limits(
        devices_max=1,
        steps=[pb.SpeedStep(after_bytes=n, down_bps=8_000, up_bps=8_000) for n in after],
    )


REFUSED = {
    "devices_max": ("grant/g1", grant()),
    "steps": ("grant/g1", grant(limits=steps(2, 1))),
    "proofs": ("grant/g1", grant(limits=steps(), proofs=[b"short"])),
    "pool_id": ("grant/g1", grant(limits=steps(), pool_id="no such/name")),
    "salt": ("vouchers/b/1", vouchers(salt=b"short")),
    "rounds": ("vouchers/b/1", vouchers(rounds=0)),
    "rounds: want 1 to 1,000,000": ("vouchers/b/1", vouchers(rounds=2_000_000)),
    "hashes": ("vouchers/b/1", vouchers(hashes=b"x" * 17)),
    "key": ("vouchers/other/1", vouchers()),
    "keys": ("token-keys", pb.ItemBody(token_keys=pb.TokenKeys(keys=[pb.TokenKey(version=4)]))),
    "slot": ("slot/256", pb.ItemBody(token_slot=pb.TokenSlot(slot=256))),
    "devices": ("blocked", pb.ItemBody(blocked=pb.Blocked(devices=["02-00-00-00-00-0A"]))),
    "names": ("garden", pb.ItemBody(garden=pb.Garden(names=["a b"]))),
    "networks": ("garden", pb.ItemBody(garden=pb.Garden(networks=["192.0.2.1/24"]))),
    "pool/p1: pool_id": ("pool/p1", pb.ItemBody(pool=pb.Pool(pool_id="p1"))),
    "asked_at_ms": (
        "probe/p1",
        pb.ItemBody(probe=pb.Probe(probe_id="p1", asked_at_ms=2**62)),
    ),
}


@pytest.mark.parametrize("field", REFUSED)
def test_what_cannot_be_is_refused_with_its_name(field: str) -> None:
    key, body = REFUSED[field]

    with pytest.raises(Unreadable, match=field):
        parse_item(key, body.SerializeToString())


@settings(deadline=None)
@given(st.sampled_from(["grant/g", "garden", "slot/1", "vouchers/b/1", "pool/p"]), st.binary())
def test_rubbish_is_refused_and_breaks_nothing(key: str, body: bytes) -> None:
    story = Story()
    told = story._step(((key, body),), ())  # noqa: SLF001 - the story's own grammar
    state, effects = decide(State(), told, story.now())

    assert state.items == {key: body}
    assert all(isinstance(e, Notice) and e.code.startswith("item_") for e in effects)


@pytest.mark.parametrize(
    "fact",
    [
        Redeemed(
            RedemptionId("r"), GrantId("g"), PlanId("p"), a_mac("a"), VoucherMark("b", b"h" * 16)
        ),
        Redeemed(RedemptionId("r"), GrantId("g"), PlanId("p"), a_mac("a"), TokenMark(3, 255, 7)),
        Redeemed(RedemptionId("r"), GrantId("g"), PlanId("p"), a_mac("a"), TokenMark(0, 0, 0)),
        DeviceJoined(GrantId("g"), a_mac("a"), MacAddress(""), "receipt"),
        ProbeResult("p1", '{"hops": []}'),
        Reading(SessionId("s"), GrantId("g"), "e", 5, 4, 3, 2, 1),
    ],
)
def test_a_record_reads_back_the_same(fact: Fact) -> None:
    record = record_of(9, NOON, fact)

    assert (record.seq, record.at, record.fact) == (9, NOON, fact)


SEQS = [1, 127, 128, 129, 300, 16_383, 16_384, 2_097_151, 2_097_152, 2**40 + 5, 2**64 - 1]


@pytest.mark.parametrize("length", [1, 60, 200, 20_000])
def test_a_report_carries_each_record_with_its_seq(length: int) -> None:
    fact = Notice("n", "x" * length)
    records = [record_of(seq, NOON, fact) for seq in SEQS]
    backlog = Backlog((record_of(0, NOON, fact),), records=5, records_max=9)
    wire = render_report("j", records, applied=AppliedState(7, b"d"), backlog=backlog, version="1")
    report = edge_pb2.ReportRequest.FromString(wire)

    assert [record.seq for record in report.records] == SEQS
    assert {record.notice.text for record in report.records} == {"x" * length}
    assert [(record.seq, record.notice.text) for record in report.newest] == [(0, "x" * length)]
    assert (report.journal, report.applied_generation, report.outbox_records) == ("j", 7, 5)


def test_what_items_mean_goes_with_them() -> None:
    story = Story()
    items = dict(
        [
            chunk_item("vouchers/batch/1", CHUNK),
            slot_item(7, PREPAID),
            token_keys_item({1: b"k" * 32}),
            pool_item("ap1", POOL),
            garden_item(names=["kra.go.ke"], networks=[]),
        ]
    )
    probe = pb.Probe(probe_id="p1", kind="dns")
    items["probe/p1"] = pb.ItemBody(probe=probe).SerializeToString()
    told: Changed = story._step(tuple(items.items()), ())  # noqa: SLF001 - the story's own grammar
    state, effects = decide(State(), told, story.now())
    full = (state.chunks, state.slots, state.token_keys, state.pools, state.probes)
    gone: Changed = story._step((), tuple(items))  # noqa: SLF001 - the story's own grammar
    after, _ = decide(state, gone, story.now())

    assert [type(e) for e in effects] == []
    assert [list(one) for one in full] == [["vouchers/batch/1"], [7], [1], ["ap1"], ["p1"]]
    assert state.garden.names == ("kra.go.ke",)
    assert (after.chunks, after.slots, after.token_keys, after.pools) == ({}, {}, {}, {})
    assert (after.probes, after.garden, after.items) == ({}, Garden(), {})


def test_a_key_that_is_gone_from_the_ring_is_forgotten() -> None:
    story = Story()
    first = story._step((token_keys_item({1: b"k" * 32}),), ())  # noqa: SLF001 - its own grammar
    second = story._step((token_keys_item({2: b"l" * 32}),), ())  # noqa: SLF001 - its own grammar
    state, _ = decide(State(), first, story.now())
    after, effects = decide(state, second, story.now())

    assert dict(after.token_keys) == {2: b"l" * 32}
    assert not any(isinstance(e, Notice) for e in effects)


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ([], ()),
        (["mpesa"], ("mpesa",)),
        (["airtel", "mpesa"], ("airtel", "mpesa")),
        (["mpesa", "of next year", "airtel", "mpesa", ""], ("mpesa", "airtel")),
    ],
)
def test_of_a_sites_wallets_those_are_read_that_can_be_named(
    told: list[str], known: tuple[str, ...]
) -> None:
    site = pb.Site(operator_name="O", language="en", rails=told)
    face = parse_item("site", pb.ItemBody(site=site).SerializeToString())

    assert isinstance(face, SiteFace)
    assert face.rails == known


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("logo", pb.ItemBody(logo=pb.Logo(png=b"GIF89a"))),
        ("logo", pb.ItemBody(logo=pb.Logo(png=b"\x89PNG\r\n\x1a\n" + bytes(16_384)))),
        ("logos", pb.ItemBody(logo=pb.Logo(png=b"\x89PNG\r\n\x1a\n"))),
        ("works", pb.ItemBody(works=pb.Works(works=[pb.Work(from_ms=2, until_ms=2)]))),
        ("works", pb.ItemBody(works=pb.Works(works=[pb.Work(from_ms=-1, until_ms=2)]))),
        ("works", pb.ItemBody(works=pb.Works(works=[pb.Work(until_ms=1 << 62)]))),
        ("works", pb.ItemBody(works=pb.Works(works=[pb.Work(until_ms=1)] * 33))),
    ],
)
def test_a_logo_or_a_work_that_cannot_be_is_refused(key: str, body: pb.ItemBody) -> None:
    with pytest.raises(Unreadable):
        parse_item(key, body.SerializeToString())


def test_of_the_operators_looks_what_cannot_be_is_left_out() -> None:
    told = pb.Site(operator_name="O", language="en", colour="red}", languages=["fr", "sw", "sw"])
    face = parse_item("site", pb.ItemBody(site=told).SerializeToString())

    assert isinstance(face, SiteFace)
    assert (face.colour, face.languages) == ("", ("sw",))
