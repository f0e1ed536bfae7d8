"""How full the range is that is served: leases of it that are not over, and of no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from agent.model import Instant
from agent.network import files
from agent.network.keeper import Keeper
from agent.network.situation import note_trial
from agent.network.trial import Trial
from agent.status import of_box
from agent.vitals import FRESH_MS, Box
from shaping.plane import MonotonicMs
from tests.support.lan import a_network
from tests.support.steered import SteeredClock

if TYPE_CHECKING:
    from pathlib import Path

NOW = Instant(wall=datetime(2026, 11, 26, tzinfo=UTC), mono=MonotonicMs(10_000), boot="b1")
NETWORK = replace(a_network(), first=IPv4Address("10.77.0.10"), last=IPv4Address("10.77.0.19"))
LIVE_S, OVER_S = int(NOW.wall.timestamp()) + 60, int(NOW.wall.timestamp()) - 1


def keeper(state: Path) -> Keeper:
    config = state / "agent.toml"
    return Keeper(state_dir=state, config=config, network=NETWORK, clock=SteeredClock())


def lease(n: int, address: str, *, until_s: int = LIVE_S) -> str:
    return f"{until_s} 02:00:00:00:00:{n:02x} {address} * *\n"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    taken = [lease(1, "10.77.0.10"), lease(2, "10.77.0.19"), lease(3, "10.77.0.12", until_s=OVER_S)]
    (files.folder(tmp_path) / "leases").write_text("".join([*taken, lease(4, "10.78.0.60")]))
    return tmp_path


def test_leases_of_the_range_are_counted(state: Path) -> None:
    assert keeper(state).pool(NOW) == (2, 10)


def test_before_the_first_lease_the_range_is_empty(tmp_path: Path) -> None:
    assert keeper(tmp_path).pool(NOW) == (0, 10)


def test_while_another_range_is_tried_it_is_that_one(state: Path) -> None:
    tried = Trial(
        id="t1",
        address=NETWORK.address,
        first=IPv4Address("10.78.0.50"),
        last=IPv4Address("10.78.0.69"),
        put=True,
        until_ms=20_000,
        boot="b1",
    )
    note_trial(files.folder(state), tried)
    later = replace(NOW, mono=MonotonicMs(20_000))

    assert keeper(state).pool(NOW) == (1, 20)
    assert keeper(state).pool(later) == (2, 10)


def test_a_file_that_cannot_be_read_is_not_an_empty_range(state: Path) -> None:
    path = files.folder(state) / "leases"
    path.unlink()
    path.mkdir()

    assert keeper(state).pool(NOW) is None


def test_it_is_told_with_the_vitals(state: Path) -> None:
    box = Box(lan="lan0", wan="wan0", state_dir=state, root=state)
    silent = of_box(box.vitals(NOW))
    box.pool = keeper(state).pool
    later = replace(
        NOW, mono=MonotonicMs(NOW.mono + FRESH_MS), wall=NOW.wall + timedelta(milliseconds=FRESH_MS)
    )
    told = of_box(box.vitals(later))

    assert "dhcp_leases" not in silent
    assert (told["dhcp_leases"], told["dhcp_addresses"]) == (2, 10)
