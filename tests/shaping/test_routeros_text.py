"""What is told to a router, as text that people review."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_network

import pytest

from shaping.diff import Observed, collapsed, diff
from shaping.plane import (
    Burst,
    Cap,
    CapKey,
    Desired,
    MonotonicMs,
    Pool,
    PoolKey,
    Rate,
    SessionKey,
)
from shaping.pools import pool_rates
from shaping.routeros.ops import (
    PROPERTIES,
    Seen,
    Sentence,
    boot_of,
    counted,
    drift,
    epochs_of,
    steps,
)
from shaping.routeros.rows import (
    FILTER,
    FILTER6,
    LISTS,
    QUEUES,
    Row,
    Wanted,
    Wiring,
    leases_ms,
    rows,
    speed_words,
)
from shaping.routeros.texts import span, span_ms, up_down
from tests.support.gateway import KEY, THIEF, an_access, mac_of, v4_of
from tests.support.golden import golden

NOW = MonotonicMs(1_000_000)
CAP = CapKey("grant-7")
NEXT = SessionKey("0193-next")
AP, SECTOR = PoolKey("ap-1"), PoolKey("sector-2")
BOOT = "b00t"
WIRING = Wiring(("bridge-hs", "vlan20"), IPv4Address("10.9.0.2"), 8000)
FAST = Rate(10_000_000_000, 2_000_000, Burst(20_000_000_000, 4_000_000, 8_000_000))
DESIRED = Desired(
    {
        KEY: an_access(open_until=MonotonicMs(4_600_250), cap=CAP),
        NEXT: replace(an_access(THIEF, rate=FAST), ipv6=frozenset(), pool=AP),
    },
    {CAP: Cap(5_000_000_000, revision=2)},
    frozenset({mac_of(9)}),
    {
        AP: Pool(Rate(40_000_000, 20_000_000), SECTOR),
        SECTOR: Pool(Rate(90_000_000, 30_000_000)),
    },
    frozenset(map(ip_network, ("198.51.100.9/32", "203.0.113.0/24", "fd77:2::/64"))),
)
ABSENT: dict[str, tuple[Seen, ...]] = dict.fromkeys(PROPERTIES, ())


def the_rows(desired: Desired, *, major: int = 7, left: int = 5_000_000_000) -> tuple[Row, ...]:
    after = diff(Observed(), desired, now=NOW, epoch="").after
    standings = {key: one for key, one in after.items() if one is not None}
    epochs = {key: f"{BOOT}-{number}" for number, key in enumerate(sorted(standings))}
    wanted = Wanted(
        standings,
        pool_rates(desired.pools),
        collapsed(desired.garden),
        desired.blocked,
        {CAP: left},
        epochs,
    )
    return rows(wanted, WIRING, now=NOW, boot=BOOT, major=major)


def held(some: tuple[Row, ...], *strangers: tuple[str, dict[str, str]]) -> dict[str, list[Seen]]:
    """The rows as a router prints them, after those of strangers."""
    seen: dict[str, list[Seen]] = {menu: [] for menu in PROPERTIES}
    for menu, words in strangers:
        seen[menu].append(Seen(f"*{len(seen[menu]) + 1:X}", words, NOW))
    for row in some:
        words = {"comment": row.mark, "disabled": "false", **row.words}
        if row.until is not None:
            words["timeout"] = span((row.until - NOW) // 1000)
        seen[row.menu].append(Seen(f"*{len(seen[row.menu]) + 1:X}", words, NOW))
    return seen


def in_text(rounds: tuple[tuple[Sentence, ...], ...]) -> str:
    return "\n".join("".join(f"{one.text()}\n" for one in some) for some in rounds)


@pytest.mark.parametrize(("version", "major"), [("6.49", 6), ("7", 7)])
def test_what_a_router_is_told_at_first_is_what_was_reviewed(version: str, major: int) -> None:
    text = in_text(steps(ABSENT, the_rows(DESIRED, major=major), now=NOW))

    assert golden(f"routeros/install-{version}.txt", text) == text


def test_what_a_router_is_told_for_a_change_is_what_was_reviewed() -> None:
    closed = replace(DESIRED.access[KEY], closed=True)
    moved = replace(DESIRED.access[NEXT], ipv4=v4_of(77), pool=SECTOR, rate=Rate(8_000_000, 8_000))
    pools = {SECTOR: DESIRED.pools[SECTOR]}
    after = Desired({KEY: closed, NEXT: moved}, pools=pools, garden=frozenset())
    text = in_text(steps(held(the_rows(DESIRED)), the_rows(after), now=NOW))

    assert golden("routeros/change.txt", text) == text


def test_what_a_router_is_told_in_the_end_is_what_was_reviewed() -> None:
    text = in_text(steps(held(the_rows(DESIRED)), (), now=NOW))

    assert golden("routeros/clear.txt", text) == text


def test_a_router_that_holds_what_is_wanted_is_told_nothing() -> None:
    wanted = the_rows(DESIRED)

    assert steps(held(wanted), wanted, now=NOW) == ()
    assert drift(held(wanted), wanted, now=NOW) == ()


def test_rows_of_others_are_never_named() -> None:
    strangers = (
        (QUEUES, {"name": "office", "target": "10.0.0.0/24", "comment": "not lango "}),
        (FILTER, {"chain": "lango-up", "action": "drop"}),
        (LISTS, {"list": "lango-open", "address": "10.0.0.9"}),
    )
    told = in_text(steps(held(the_rows(DESIRED), *strangers), (), now=NOW))
    theirs = [f"{menu}/remove .id=*1\n" for menu in (QUEUES, FILTER, LISTS)]

    assert [one for one in theirs if one in told] == []
    assert f"{QUEUES}/remove .id=*2\n" in told


FASTTRACK = {"chain": "forward", "action": "fasttrack-connection"}


@pytest.mark.parametrize(
    ("stranger", "told"),
    [
        (FASTTRACK, 4),
        ({**FASTTRACK, "action": "accept"}, 4),
        ({**FASTTRACK, "action": "drop"}, 0),
        ({**FASTTRACK, "chain": "input"}, 0),
        ({**FASTTRACK, "disabled": "true"}, 0),
        ({**FASTTRACK, "dynamic": "true"}, 0),
    ],
)
def test_our_rules_come_before_what_lets_packets_past_them(
    stranger: dict[str, str], told: int
) -> None:
    wanted = the_rows(DESIRED)
    orders = [
        one for some in steps(held(wanted, (FILTER, stranger)), wanted, now=NOW) for one in some
    ]

    assert len(orders) == told
    assert all(one.command == f"{FILTER}/move" for one in orders)
    assert all(one.words["destination"] == "*1" for one in orders)


def test_rules_of_our_chains_are_put_in_turn_again() -> None:
    wanted = the_rows(DESIRED)
    seen = held(wanted)
    rules = seen[FILTER]
    rules.append(rules.pop(next(n for n, row in enumerate(rules) if "lango-up 4" in row.mark)))
    orders = [one for some in steps(seen, wanted, now=NOW) for one in some]
    ids = [row.id for row in rules]
    for one in orders:
        ids.remove(one.words["numbers"])
        ids.insert(ids.index(one.words["destination"]), one.words["numbers"])
    up = [row.id for row in held(wanted)[FILTER] if row.words["chain"] == "lango-up"]

    assert [one for one in ids if one in up] == up
    assert "moved" in "".join(drift(seen, wanted, now=NOW))


def test_a_router_without_ipv6_is_told_nothing_about_it() -> None:
    there = {menu: () for menu in PROPERTIES if menu != FILTER6}
    text = in_text(steps(there, the_rows(DESIRED), now=NOW))

    assert "ipv6" not in text


def test_a_second_row_of_the_same_meaning_goes() -> None:
    wanted = the_rows(DESIRED)
    seen = held(wanted)
    double = next(row for row in seen[QUEUES] if KEY in row.mark)
    seen[QUEUES].append(replace(double, id="*FF"))

    assert in_text(steps(seen, wanted, now=NOW)) == f"{QUEUES}/remove .id=*FF\n"


def test_a_disabled_row_is_enabled() -> None:
    wanted = the_rows(DESIRED)
    seen = held(wanted)
    seen[LISTS][1] = replace(seen[LISTS][1], words={**seen[LISTS][1].words, "disabled": "true"})

    assert "disabled" not in in_text(steps(held(wanted), wanted, now=NOW))
    assert len(steps(seen, wanted, now=NOW)) == 2


def test_a_lease_lasts_as_long_as_the_budget_does_at_full_speed() -> None:
    after = diff(Observed(), DESIRED, now=NOW, epoch="").after
    standings = {key: one for key, one in after.items() if one is not None}

    def lease(left: int) -> int | None:
        wanted = Wanted(standings, {}, frozenset(), frozenset(), {CAP: left})
        return leases_ms(wanted).get(CAP)

    assert lease(5_000_000_000) == 400_000
    assert lease(1) == 90_000
    assert lease(0) is None


def test_a_spent_budget_leaves_no_way_and_keeps_the_meter() -> None:
    text = in_text(steps(ABSENT, the_rows(DESIRED, left=0), now=NOW))

    assert f"way {KEY}" not in text
    assert f"session {KEY}" in text


def test_a_lease_is_not_renewed_before_half_of_it_is_over() -> None:
    wanted = the_rows(DESIRED)
    seen = held(wanted)

    def told(left: str) -> str:
        found = next(n for n, row in enumerate(seen[LISTS]) if f"way {KEY}" in row.mark)
        words = {**seen[LISTS][found].words, "timeout": left}
        seen[LISTS][found] = replace(seen[LISTS][found], words=words)
        return in_text(steps(seen, wanted, now=NOW))

    assert told("3m21s") == ""
    assert told("3m19s").endswith("timeout=6m40s\n")
    assert told("7m").endswith("timeout=6m40s\n")


def test_an_end_is_rounded_up_and_never_to_none() -> None:
    soon = Desired({KEY: an_access(open_until=MonotonicMs(NOW + 1))})
    text = in_text(steps(ABSENT, the_rows(soon), now=NOW))

    assert "timeout=1s\n" in text


def test_meters_of_another_life_of_the_router_count_nothing() -> None:
    seen = held(the_rows(DESIRED))
    queues = [replace(row, words={**row.words, "bytes": "7/9"}) for row in seen[QUEUES]]

    assert boot_of(seen[LISTS]) == BOOT
    assert counted(queues, BOOT)[KEY].down_bytes_total == 9
    assert counted(queues, BOOT)[KEY].up_bytes_total == 7
    assert epochs_of(queues, BOOT).keys() == {KEY, NEXT}
    assert counted(queues, "other") == {}


def test_a_queue_that_the_router_made_by_itself_is_not_ours() -> None:
    seen = held(the_rows(DESIRED))
    copies = [replace(row, words={**row.words, "dynamic": "true"}) for row in seen[QUEUES]]

    assert epochs_of(copies, BOOT) == {}


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0s", 0),
        ("1h5m3s", 3_903_000),
        ("1w2d3h4m5s", 788_645_000),
        ("170ms", 170),
        ("16s330ms", 16_330),
        ("5m", 300_000),
        ("none", None),
        ("", None),
    ],
)
def test_time_spans_are_read_as_routers_print_them(text: str, ms: int | None) -> None:
    assert span_ms(text) == ms


def test_time_spans_are_written_as_routers_print_them() -> None:
    assert [span(n) for n in (0, 59, 3_903, 788_645)] == ["0s", "59s", "1h5m3s", "1w2d3h4m5s"]


def test_pairs_of_figures_are_read_upload_first() -> None:
    assert up_down("1532332/28123441") == (1532332, 28123441)
    assert up_down("") is None
    assert up_down("-1/2") is None


def test_a_speed_below_the_rate_is_no_burst_that_way() -> None:
    words = speed_words(Rate(4_000_000, 2_000_000, Burst(8_000_000, 1_000_000, 1_000_000)), 7)

    assert words == {
        "max-limit": "2000000/4000000",
        "burst-limit": "0/8000000",
        "burst-threshold": "0/4000000",
        "burst-time": "0s/2s",
    }
