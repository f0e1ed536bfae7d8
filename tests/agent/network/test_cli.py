"""``lango-agent network``: what it refuses, by the option, and what it only says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from agent import config as configs
from agent.config import ConfigFaults
from agent.main import ERROR, OK, USAGE, main
from agent.network.keeper import let_go
from tests.support.lan import CONFIG, a_config, a_network

if TYPE_CHECKING:
    from pathlib import Path


def network(path: Path, *words: str) -> int:
    """Run one of the command's commands; its exit code."""
    return main(["network", *words, "--config", str(path)])


def test_the_table_is_read(tmp_path: Path) -> None:
    assert configs.load(a_config(tmp_path)).network == a_network(private=("example", "com"))


def test_without_the_table_the_network_is_the_operators_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.partition("[network]")[0].format(state=tmp_path))

    assert configs.load(path).network is None
    assert network(path, "show") == ERROR
    assert "there is no [network]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('certificate = "/a.pem"', "portal.certificate, portal.key: want both or none"),
        ('certificate = "a.pem"', "portal.certificate: want an absolute path, got 'a.pem'"),
    ],
)
def test_half_a_certificate_is_told(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(f"[portal]\n{line}\n")
    with pytest.raises(ConfigFaults) as wrong:
        configs.load(path)

    assert fault in wrong.value.faults


def test_phones_are_told_of_the_portal_only_where_it_has_a_certificate(tmp_path: Path) -> None:
    path = a_config(tmp_path)
    without = configs.load(path).network
    path.write_text(path.read_text() + '[portal]\ncertificate = "/a.pem"\nkey = "/a.key"\n')
    with_one = configs.load(path).network

    assert without is not None
    assert without.api_url is None
    assert with_one is not None
    assert with_one.api_url == "https://wifi.lango/capport"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", "network.address: [network] wants it, like 10.0.0.1/24"),
        ('address = "10.0.0.1"', "network.address: '10.0.0.1' cannot be read"),
        ('range = "10.0.0.9"', "network.range: '10.0.0.9' cannot be read"),
        ('upstreams = "1.1.1.1"', "network.upstreams: want a list"),
        ("upstreams = [1]", "network.upstreams: [1] cannot be read"),
        ("lease_s = 1", "network.lease_s: want 120 to 604800, got 1"),
        ("leese_s = 1", "network.leese_s: there is no such key; did you mean network.lease_s?"),
    ],
)
def test_a_fault_in_the_table_is_told_by_its_key(tmp_path: Path, line: str, fault: str) -> None:
    path = a_config(tmp_path)
    key = line.partition(" ")[0] or "address"
    kept = [one for one in path.read_text().splitlines() if not one.startswith(f"{key} ")]
    path.write_text("\n".join([*kept, line]))
    with pytest.raises(ConfigFaults) as wrong:
        configs.load(path)

    assert any(one.startswith(fault) for one in wrong.value.faults), wrong.value.faults


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--address", "x"], "--address: 'x' is not like 10.0.0.1/24"),
        (["--address", "10.1.0.1"], "--address: '10.1.0.1' lacks its prefix, like /24"),
        (["--range", "10.1.0.1"], "--range: '10.1.0.1' is not like 10.0.0.50-10.0.0.250"),
        (["--address", "10.78.0.1/24"], "--range: 10.77.1.1-10.77.1.200 is not all in"),
        (["--address", "10.77.0.0/16"], "--address: 10.77.0.0 is not one device's address"),
        (["--range", "10.77.0.1-10.77.0.9"], "--range: 10.77.0.1-10.77.0.9 has the gateway's"),
        (["--address", "127.0.0.9/24", "--range", "127.0.0.1-127.0.0.2"], "--address: 127.0.0.9"),
        (["--range", "10.77.1.1-10.77.1.9", "--minutes", "0"], "--minutes: want 5 s to 60 min"),
        ([], "--address, --range: this is how it is already"),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_its_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], fault: str
) -> None:
    code = network(a_config(tmp_path), "try", "--dry-run", *words)

    assert code == USAGE
    assert f"lango-agent: {fault}" in capsys.readouterr().err
    assert not (tmp_path / "state" / "network" / "trial.json").exists()


def test_a_dry_run_says_what_it_would_mean_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = a_config(tmp_path)
    before = path.read_text()
    code = network(path, "try", "--dry-run", "--range", "10.77.1.1-10.77.1.250")
    said = capsys.readouterr().out
    left = sorted(one.name for one in (tmp_path / "state" / "network").iterdir())

    assert code == OK
    assert "changes: addresses for devices 10.77.1.1-10.77.1.200 -> 10.77.1.1-10.77.1.250" in said
    assert (path.read_text(), left) == (before, ["lock"])


def test_nothing_that_is_not_tried_can_be_confirmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert network(a_config(tmp_path), "confirm") == ERROR
    assert "no change is being tried" in capsys.readouterr().err


def test_nothing_that_is_not_tried_can_be_taken_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert network(a_config(tmp_path), "revert") == OK
    assert "no change was being tried" in capsys.readouterr().out


def test_the_doctor_looks_at_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["doctor", "--json", "--config", str(a_config(tmp_path))])
    found = {one["check"]: one for one in json.loads(capsys.readouterr().out)}

    assert found["lan address"]["verdict"] == "FAIL"
    assert found["lan address"]["text"] == "br-lan has no address, not 10.77.0.1/16"
    assert found["dnsmasq"]["text"] == "not running: main, captive"
    assert found["walled garden"]["verdict"] == "PASS"
    assert found["option 114"]["verdict"] == "WARN"
    assert all(one["fix"] for one in found.values() if one["verdict"] != "PASS")


def test_an_agent_without_a_network_leaves_no_trace_of_one(tmp_path: Path) -> None:
    let_go(tmp_path / "state")

    assert not (tmp_path / "state").exists()
