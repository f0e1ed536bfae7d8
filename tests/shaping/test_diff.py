"""Observed and desired in, ordered changes out."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shaping.diff import (
    CapRef,
    CloseWay,
    Observed,
    OpenWay,
    Standing,
    Step,
    Touched,
    Way,
    collapsed,
    diff,
    touched,
)
from shaping.plane import (
    GARDEN_MAX,
    Burst,
    Cap,
    CapKey,
    Desired,
    MacAddress,
    MonotonicMs,
    PlaneError,
    Pool,
    PoolKey,
    Rate,
    SessionKey,
)
from shaping.pools import pool_rates
from tests.support.gateway import KEY, PHONE, THIEF, an_access, mac_of, v4_of, v6_of

if TYPE_CHECKING:
    from shaping.diff import Change
    from shaping.plane import Access

NOW = MonotonicMs(1_000_000)
CAP = CapKey("grant-7")
OTHER = SessionKey("0193-other")
FAST = Rate(down_bps=8_000_000, up_bps=2_000_000)


def a_step(observed: Observed, desired: Desired, *, only: Touched | None = None) -> Step:
    return diff(observed, desired, now=NOW, epoch="e2", only=only)


def observed_after(desired: Desired, *, at: MonotonicMs = NOW, epoch: str = "e1") -> Observed:
    step = diff(Observed(), desired, now=at, epoch=epoch)
    sessions = {key: standing for key, standing in step.after.items() if standing is not None}
    return Observed(
        sessions,
        {key: cap.revision for key, cap in desired.caps.items()},
        desired.blocked,
        {address: key for key, standing in sessions.items() for address in standing.ways},
        pool_rates(desired.pools),
        collapsed(desired.garden),
    )


def desired_of(access: Access, **caps: Cap) -> Desired:
    return Desired({KEY: access}, {CapKey(key.replace("_", "-")): cap for key, cap in caps.items()})


def in_words(step: Step) -> str:
    """The changes as a table: one short line each."""
    return "\n".join(" ".join(filter(None, _words(change))) for change in step.changes)


def _words(change: Change) -> list[str]:
    return [type(change).__name__, *(_word(change, name) for name in change.__slots__)]


def _word(change: object, name: str) -> str:
    value = getattr(change, name)
    match value:
        case Way(_, until, cap):
            return f"until={until} cap={_ref(cap)}"
        case CapRef():
            return str(_ref(value))
        case Rate(down, up):
            return f"{down}/{up}"
        case tuple():
            return " > ".join(value)
        case frozenset():
            return " ".join(sorted(map(str, value)))
        case _:
            return str(value)


def _ref(cap: CapRef | None) -> str | None:
    return None if cap is None else f"{cap.key}#{cap.revision}"


AP, SECTOR, TOWER = PoolKey("ap"), PoolKey("sector"), PoolKey("tower")
TREE = {AP: Pool(FAST, SECTOR), SECTOR: Pool(FAST), TOWER: Pool(FAST)}
IN_AP = {KEY: replace(an_access(), ipv6=frozenset(), pool=AP)}

CASES = {
    "nothing": (Desired(), Desired(), ""),
    "a first session": (
        Desired(),
        Desired({KEY: an_access()}),
        """
        SetRate 0193-phone 50000000/50000000
        StartMeter 0193-phone e2
        OpenWay 0193-phone e2 10.77.0.101 until=None cap=None
        OpenWay 0193-phone e2 fd77:1::101 until=None cap=None
        """,
    ),
    "the same again": (Desired({KEY: an_access()}), Desired({KEY: an_access()}), ""),
    "a first session in a pool inside a pool": (
        Desired(),
        Desired(IN_AP, pools={AP: TREE[AP], SECTOR: TREE[SECTOR]}),
        """
        SetPool sector 8000000/2000000
        SetPool sector > ap 8000000/2000000
        SetRate 0193-phone 50000000/50000000 sector > ap
        StartMeter 0193-phone e2
        OpenWay 0193-phone e2 10.77.0.101 until=None cap=None
        """,
    ),
    "a session that moves to another pool": (
        Desired(IN_AP, pools=TREE),
        Desired({KEY: replace(IN_AP[KEY], pool=TOWER)}, pools=TREE),
        """
        SetRate 0193-phone 50000000/50000000 tower
        CloseWay 0193-phone 10.77.0.101 until=None cap=None
        OpenWay 0193-phone e1 10.77.0.101 until=None cap=None
        """,
    ),
    "a pool that becomes part of another": (
        Desired(IN_AP, pools=TREE),
        Desired(IN_AP, pools=TREE | {AP: Pool(FAST, TOWER)}),
        """
        SetPool tower > ap 8000000/2000000
        SetRate 0193-phone 50000000/50000000 tower > ap
        CloseWay 0193-phone 10.77.0.101 until=None cap=None
        DropPool sector > ap
        OpenWay 0193-phone e1 10.77.0.101 until=None cap=None
        """,
    ),
    "a pool of another rate": (
        Desired(IN_AP, pools=TREE),
        Desired(IN_AP, pools=TREE | {SECTOR: Pool(Rate(9_000_000, 9_000_000))}),
        "SetPool sector 9000000/9000000",
    ),
    "pools that go": (
        Desired(pools=TREE),
        Desired(),
        """
        DropPool sector > ap
        DropPool sector
        DropPool tower
        """,
    ),
    "a garden": (
        Desired(garden=frozenset({ip_network("192.0.2.0/25")})),
        Desired(garden=frozenset(map(ip_network, ("192.0.2.0/25", "192.0.2.128/25", "::1")))),
        "SetGarden 192.0.2.0/24 ::1/128",
    ),
    "a garden told in other words": (
        Desired(garden=frozenset({ip_network("192.0.2.0/24")})),
        Desired(garden=frozenset(map(ip_network, ("192.0.2.0/24", "192.0.2.7/32")))),
        "",
    ),
    "another speed": (
        Desired({KEY: an_access()}),
        Desired({KEY: an_access(rate=FAST)}),
        "SetRate 0193-phone 8000000/2000000",
    ),
    "more time, under the same meter": (
        Desired({KEY: replace(an_access(open_until=MonotonicMs(1_001_000)), ipv6=frozenset())}),
        Desired({KEY: replace(an_access(open_until=MonotonicMs(1_060_000)), ipv6=frozenset())}),
        """
        CloseWay 0193-phone 10.77.0.101 until=1001000 cap=None
        OpenWay 0193-phone e1 10.77.0.101 until=1060000 cap=None
        """,
    ),
    "a deadline that differs by less than a tick of doubt": (
        Desired({KEY: an_access(open_until=MonotonicMs(1_060_000))}),
        Desired({KEY: an_access(open_until=MonotonicMs(1_060_400))}),
        "",
    ),
    "a deadline that has passed": (
        Desired({KEY: replace(an_access(open_until=MonotonicMs(1_000_001)), ipv6=frozenset())}),
        Desired({KEY: replace(an_access(open_until=NOW), ipv6=frozenset())}),
        """
        CloseWay 0193-phone 10.77.0.101 until=1000001 cap=None
        FreeRate 0193-phone
        """,
    ),
    "closed, its counters awaited": (
        Desired({KEY: an_access()}),
        Desired({KEY: an_access(closed=True)}),
        """
        CloseWay 0193-phone 10.77.0.101 until=None cap=None
        CloseWay 0193-phone fd77:1::101 until=None cap=None
        FreeRate 0193-phone
        """,
    ),
    "over": (
        Desired({KEY: an_access(closed=True)}),
        Desired(),
        "StopMeter 0193-phone e1",
    ),
    "an address that moves to another session": (
        Desired({KEY: replace(an_access(), ipv6=frozenset())}),
        Desired({KEY: an_access(closed=True), OTHER: replace(an_access(), ipv6=frozenset())}),
        """
        SetRate 0193-other 50000000/50000000
        CloseWay 0193-phone 10.77.0.101 until=None cap=None
        FreeRate 0193-phone
        StartMeter 0193-other e2
        OpenWay 0193-other e2 10.77.0.101 until=None cap=None
        """,
    ),
    "a budget that grew": (
        Desired({KEY: replace(an_access(cap=CAP), ipv6=frozenset())}, {CAP: Cap(100)}),
        Desired({KEY: replace(an_access(cap=CAP), ipv6=frozenset())}, {CAP: Cap(900, revision=1)}),
        """
        CloseWay 0193-phone 10.77.0.101 until=None cap=grant-7#0
        DropCap grant-7#0
        SetCap grant-7#1 900
        OpenWay 0193-phone e1 10.77.0.101 until=None cap=grant-7#1
        """,
    ),
    "a budget told again with less left": (
        Desired({KEY: an_access(cap=CAP)}, {CAP: Cap(100)}),
        Desired({KEY: an_access(cap=CAP)}, {CAP: Cap(40)}),
        "",
    ),
    "a budget overspent elsewhere": (
        Desired(),
        Desired(caps={CAP: Cap(-5)}),
        "SetCap grant-7#0 0",
    ),
    "a blocked device": (
        Desired({KEY: replace(an_access(), ipv6=frozenset())}),
        Desired({KEY: replace(an_access(), ipv6=frozenset())}, blocked=frozenset({mac_of(PHONE)})),
        """
        CloseWay 0193-phone 10.77.0.101 until=None cap=None
        FreeRate 0193-phone
        Block 02:00:00:00:00:01
        """,
    ),
    "and unblocked": (
        Desired(blocked=frozenset({mac_of(PHONE)})),
        Desired(),
        "Unblock 02:00:00:00:00:01",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_changes_are_those_of_the_table(name: str) -> None:
    before, after, expected = CASES[name]
    step = a_step(observed_after(before), after)
    lines = [line.strip() for line in expected.strip().splitlines()]

    assert in_words(step).splitlines() == lines


@pytest.mark.parametrize("name", CASES)
def test_looking_only_at_what_was_touched_finds_the_same(name: str) -> None:
    before, after, _ = CASES[name]
    observed = observed_after(before)
    if "passed" in name:
        return  # time touches without anybody's change; the kernel cuts by itself
    narrow = diff(observed, after, now=NOW, epoch="e2", only=touched(before, after))

    assert narrow.changes == a_step(observed, after).changes


def test_link_local_addresses_never_get_a_way() -> None:
    access = replace(an_access(), ipv6=frozenset({IPv6Address("fe80::1"), v6_of(PHONE)}))
    step = a_step(Observed(), Desired({KEY: access}))
    opened = {change.address for change in step.changes if isinstance(change, OpenWay)}

    assert opened == {v4_of(PHONE), v6_of(PHONE)}


def test_a_rate_that_no_box_can_tell_apart_is_no_change() -> None:
    observed = observed_after(Desired({KEY: an_access(rate=Rate(8_000_000, 8_000_000))}))
    step = a_step(observed, Desired({KEY: an_access(rate=Rate(8_000_007, 8_000_001))}))

    assert step.changes == ()


REFUSED = {
    "session key 'No!' is not": Desired({SessionKey("No!"): an_access()}),
    "cap key 'No!' is not": Desired(caps={CapKey("No!"): Cap(1)}),
    "MAC address 'AA:bb' is not": Desired({KEY: replace(an_access(), mac=MacAddress("AA:bb"))}),
    "MAC address '; drop' is not": Desired(blocked=frozenset({MacAddress("; drop")})),
    "draws on cap 'grant-7', unknown": Desired({KEY: an_access(cap=CAP)}),
    "pool key 'No!' is not": Desired(pools={PoolKey("No!"): Pool(FAST)}),
    "pool ap has a burst": Desired(pools={AP: Pool(replace(FAST, burst=Burst(9, 9, 9)))}),
    "pool ap is in pool 'sector', unknown": Desired(pools={AP: Pool(FAST, SECTOR)}),
    "session 0193-phone is in pool 'ap', unknown": Desired(IN_AP),
    "circle: ap in sector in ap": Desired(pools={AP: Pool(FAST, SECTOR), SECTOR: Pool(FAST, AP)}),
    "circle: ap in ap": Desired(pools={AP: Pool(FAST, AP)}),
    "more than 5 deep: p6 in p5 in p4 in p3 in p2 in p1": Desired(
        pools={
            PoolKey(f"p{n}"): Pool(FAST, PoolKey(f"p{n - 1}") if n > 1 else None)
            for n in range(6, 0, -1)
        }
    ),
    "the garden has 4097 networks of 4096": Desired(
        garden=frozenset(IPv4Network((2 * n, 32)) for n in range(GARDEN_MAX + 1))
    ),
    "share 10.77.0.101": Desired({KEY: an_access(), OTHER: an_access()}),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_is_refused_by_name_and_not_to_be_retried(words: str) -> None:
    with pytest.raises(PlaneError, match=words) as refusal:
        a_step(Observed(), REFUSED[words])

    assert not refusal.value.retry


def test_an_address_of_a_session_that_was_not_looked_at_is_not_given_away() -> None:
    before = Desired({KEY: an_access()})
    with pytest.raises(PlaneError, match="share"):
        a_step(
            observed_after(before),
            Desired({KEY: an_access(), OTHER: an_access()}),
            only=Touched(frozenset({OTHER})),
        )


def test_a_budget_never_goes_back_to_an_older_revision() -> None:
    observed = observed_after(Desired(caps={CAP: Cap(5, revision=3)}))
    with pytest.raises(PlaneError, match="revision fell 3 -> 2"):
        a_step(observed, Desired(caps={CAP: Cap(5, revision=2)}))


accesses = st.builds(
    an_access,
    st.sampled_from([PHONE, THIEF]),
    rate=st.builds(Rate, st.integers(1, 10**9), st.integers(1, 10**9)),
    open_until=st.none() | st.integers(NOW - 5_000, NOW + 50_000).map(MonotonicMs),
    cap=st.none() | st.just(CAP),
    closed=st.booleans(),
)
desireds = st.builds(
    lambda access, revision, blocked: Desired(
        {} if access is None else {KEY: access},
        {CAP: Cap(1_000, revision)},
        frozenset({mac_of(THIEF)}) if blocked else frozenset(),
    ),
    st.none() | accesses,
    st.just(0),
    st.booleans(),
)


@given(desireds, desireds)
def test_after_the_changes_nothing_is_left_to_change(before: Desired, after: Desired) -> None:
    observed = observed_after(before)
    step = a_step(observed, after)
    sessions = {key: s for key, s in step.after.items() if s is not None}
    then = Observed(sessions, observed.caps, after.blocked)

    assert a_step(then, after).changes == ()


@given(desireds, desireds)
def test_what_is_closed_was_open_and_is_closed_before_it_opens(
    before: Desired, after: Desired
) -> None:
    observed = observed_after(before)
    standing = observed.sessions.get(KEY, Standing(""))
    step = a_step(observed, after)
    closed = [change.address for change in step.changes if isinstance(change, CloseWay)]
    kinds = [type(change) for change in step.changes if isinstance(change, CloseWay | OpenWay)]

    assert set(closed) <= set(standing.ways)
    assert kinds == sorted(kinds, key=lambda kind: kind is OpenWay)
