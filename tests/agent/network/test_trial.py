"""A change that is only tried: when it is over, what it means, and what a note of it may hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Interface

import pytest

from agent.model import Instant
from agent.network.edit import with_values
from agent.network.leases import Lease, leases
from agent.network.trial import Trial, TrialDamaged, decoded, encoded, overlapping, preview
from shaping.plane import MonotonicMs
from tests.support.lan import a_network

NOW = Instant(wall=datetime(2026, 11, 26, tzinfo=UTC), mono=MonotonicMs(10_000), boot="b1")
TRIAL = Trial(
    id="t1",
    address=IPv4Interface("10.78.0.1/24"),
    first=IPv4Address("10.78.0.50"),
    last=IPv4Address("10.78.0.99"),
    put=True,
    until_ms=20_000,
    boot="b1",
)


def at(mono: int, *, boot: str = "b1") -> Instant:
    return replace(NOW, mono=MonotonicMs(mono), boot=boot)


@pytest.mark.parametrize(
    ("now", "left_s"),
    [(at(10_000), 10), (at(19_001), 1), (at(20_000), 0), (at(90_000), 0), (at(1, boot="b2"), 0)],
)
def test_a_trial_ends_with_its_time_or_with_the_life_of_the_machine(
    now: Instant, left_s: int
) -> None:
    assert (TRIAL.left_s(now), TRIAL.over(now)) == (left_s, left_s == 0)


def test_a_clock_that_is_set_moves_no_end() -> None:
    assert not TRIAL.over(replace(NOW, wall=datetime(2082, 1, 1, tzinfo=UTC)))


def test_a_note_says_the_same_when_it_is_read() -> None:
    assert decoded(encoded(TRIAL)) == TRIAL


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", encoded(TRIAL).replace("10.78.0.1/24", "x")]
)
def test_a_damaged_note_is_told(text: str) -> None:
    with pytest.raises(TrialDamaged):
        decoded(text)


def test_the_preview_names_what_changes_what_stays_and_who_moves() -> None:
    held = [Lease(f"02:00:00:00:00:{n:02x}", IPv4Address("10.77.1.0") + n, 0) for n in range(1, 25)]
    wider = replace(TRIAL, first=IPv4Address("10.77.1.3"), last=IPv4Address("10.77.1.99"))
    lines = list(preview(a_network(), wider.of(a_network()), held))

    assert lines[0] == ("changes: gateway 10.77.0.1/16 -> 10.78.0.1/24; both serve during the try")
    assert (
        lines[1] == "changes: addresses for devices 10.77.1.1-10.77.1.200 -> 10.77.1.3-10.77.1.99"
    )
    assert "stays: LAN br-lan, portal http://wifi.lango/, name servers 198.51.100.1" in lines
    assert "devices: 22 keep their address for good" in lines
    assert lines[-2:] == ["  10.77.1.1 02:00:00:00:00:01", "  10.77.1.2 02:00:00:00:00:02"]


def test_the_preview_of_many_devices_is_short() -> None:
    held = [Lease("02:00:00:00:00:01", IPv4Address("10.77.1.0") + n, 0) for n in range(1, 101)]
    lines = list(preview(a_network(), TRIAL.of(a_network()), held))

    assert lines[-1] == "  and 80 more"


def test_an_address_that_reaches_into_another_network_is_found() -> None:
    wan = [("lo", IPv4Interface("127.0.0.1/8")), ("wan0", IPv4Interface("10.78.0.200/30"))]

    assert overlapping(TRIAL.address, wan) == wan[1]
    assert overlapping(TRIAL.address, wan[:1]) is None


LEASES = """\
1000 02:00:00:00:00:01 10.77.1.5 * 01:02:00:00:00:00:01
0 02:00:00:00:00:02 10.77.1.4 * *
5 02:00:00:00:00:03 10.77.1.6 * *
1000 02:00:00:00:00:04 10.77.1.300 * *
1000 02:00:00:00:00:05 10.77.1.7 two words *
1000 zz:00:00:00:00:06 10.77.1.8 * *
99999999999999 02:00:00:00:00:07 10.77.1.9 * *
duid 00:01:00:01
\x1b[31m
1000 02:00:00:00:00:08 10.77.1.10 *"""


def test_leases_are_read_strictly_and_those_that_are_over_are_none() -> None:
    assert [str(lease.address) for lease in leases(LEASES, now_s=500)] == ["10.77.1.4", "10.77.1.5"]


TOML = """\
# top
state_dir = "/s"
[lan]
address = "not this"
[network]
address = "10.0.0.1/24"  # ours
upstreams = ["1.1.1.1"]
[portal]
range = "nor this"
"""


def test_values_are_written_where_they_belong_and_all_else_stays() -> None:
    values = {"address": "10.1.0.1/24", "range": "a-b"}

    assert with_values(TOML, "network", values) == (
        TOML.replace('"10.0.0.1/24"', '"10.1.0.1/24"').replace(
            "[network]\n", '[network]\nrange = "a-b"\n'
        )
    )


def test_a_text_without_the_table_stays_as_it_is() -> None:
    assert with_values("a = 1\n", "network", {"b": "c"}) == "a = 1\n"
