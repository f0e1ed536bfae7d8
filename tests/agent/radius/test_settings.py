"""The ``[radius]`` table: all its faults at once, and no secret that everybody can read."""

from __future__ import annotations

import re
import socket
import tomllib
from pathlib import Path

import pytest

from agent import doctor, status
from agent.clock import SystemClock
from agent.config import ConfigFaults, parse, with_secrets
from agent.findings import Verdict
from agent.radius.settings import Kind, Radius, Unpaid
from agent.status import line
from tests.support.radius import free_port

PACKAGING = Path(__file__).parents[3] / "packaging"
GOOD = """
[radius]
listen = "10.0.0.1"
unpaid = "list"

[[radius.nas]]
name = "tower-1"
address = "10.0.0.2"
secret_file = "{folder}/tower-1"
kind = "wispr"
coa_port = 1700
without_message_authenticator = true

[[radius.nas]]
name = "tower-2"
address = "10.0.0.3"
secret_file = "{folder}/tower-2"
"""

BAD = """
[radius]
auth_port = 0
unpaid = "shoot"
lisen = "10.0.0.1"

[[radius.nas]]
name = "Tower 1"
address = "10.0.0"
secret_file = "secret"
secret = "in the open"

[[radius.nas]]
name = "tower-2"
"""


def radius_of(text: str) -> Radius:
    found = parse(tomllib.loads(text)).radius
    assert found is not None
    return found


def test_a_good_table_is_read(tmp_path: Path) -> None:
    radius = radius_of(GOOD.format(folder=tmp_path))

    assert radius.unpaid is Unpaid.LIST
    assert [nas.kind for nas in radius.nases] == [Kind.WISPR, Kind.MIKROTIK]
    assert radius.weak == ("tower-1",)
    assert radius.nases[1].coa_port == 3799


def test_the_example_is_one_that_is_read() -> None:
    lines = (PACKAGING / "examples" / "agent.toml").read_text().partition("# [radius]")[2]
    shown = [line[2:] for line in lines.splitlines() if " = " in line or line.startswith("# [[")]

    radius = radius_of("\n".join(("[radius]", *shown)))

    assert radius.nases[0].name == "tower-1"
    assert not radius.weak


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigFaults) as caught:
        parse(tomllib.loads(BAD))

    faults = "\n".join(caught.value.faults)
    for key in (
        "radius.auth_port: want 1 to 65535, got 0",
        'radius.unpaid: want "refuse" or "list"',
        "radius.lisen: there is no such key; did you mean listen?",
        "radius.nas Tower 1.name",
        "radius.nas Tower 1.address",
        "radius.nas Tower 1.secret_file: want an absolute path",
        "radius.nas Tower 1.secret: there is no such key; did you mean secret_file?",
        "radius.nas tower-2: address is missing",
        "radius.nas tower-2: secret_file is missing",
    ):
        assert key in faults


def test_one_port_is_not_two(tmp_path: Path) -> None:
    text = GOOD.format(folder=tmp_path).replace("[radius]", "[radius]\nacct_port = 1812", 1)
    with pytest.raises(ConfigFaults, match=r"radius\.acct_port: 1812 is the auth_port as well"):
        radius_of(text)


@pytest.mark.parametrize("text", ["radius = 5", "[radius]", "[radius]\nnas = 5"])
def test_a_table_without_a_nas_is_none(text: str) -> None:
    with pytest.raises(ConfigFaults):
        parse(tomllib.loads(text))


def test_secrets_come_from_files_of_their_own(tmp_path: Path) -> None:
    for name in ("tower-1", "tower-2"):
        (tmp_path / name).write_text(f"the secret of {name}\n")
        (tmp_path / name).chmod(0o600)

    known = with_secrets(parse(tomllib.loads(GOOD.format(folder=tmp_path)))).radius

    assert known is not None
    assert [nas.secret for nas in known.nases] == [
        b"the secret of tower-1",
        b"the secret of tower-2",
    ]
    assert "the secret" not in repr(known)


def test_secrets_that_are_none_are_all_told(tmp_path: Path) -> None:
    (tmp_path / "tower-1").write_text("short")
    (tmp_path / "tower-1").chmod(0o604)

    with pytest.raises(ConfigFaults) as caught:
        with_secrets(parse(tomllib.loads(GOOD.format(folder=tmp_path))))

    faults = "\n".join(caught.value.faults)
    assert "want 12 to 128 letters, got 5" in faults
    assert "everybody here can read it" in faults
    assert "No such file" in faults
    assert "short" not in faults


def test_one_secret_for_two_is_a_fault(tmp_path: Path) -> None:
    for name in ("tower-1", "tower-2"):
        (tmp_path / name).write_text("one secret for all")
        (tmp_path / name).chmod(0o600)

    with pytest.raises(ConfigFaults, match="tower-1, tower-2: each NAS wants a secret of its own"):
        with_secrets(parse(tomllib.loads(GOOD.format(folder=tmp_path))))


def test_a_weak_nas_is_red(tmp_path: Path) -> None:
    weak = radius_of(GOOD.format(folder=tmp_path))
    printed: list[str] = []
    doctor.printed([doctor.weak_nases(weak)], printed.append, colours=True)
    said = line("radius_without_message_authenticator", ["tower-1"], colours=True)

    assert printed[0].startswith("\033[31mFAIL")
    assert said.startswith("\033[31m")
    assert "tower-1" in said
    strong = Radius(nases=weak.nases[1:])
    assert doctor.weak_nases(strong).verdict is Verdict.PASS


ALONE = 'plane = "radius"\n'


def test_a_site_of_nases_alone_says_so(tmp_path: Path) -> None:
    config = parse(tomllib.loads(ALONE + GOOD.format(folder=tmp_path)))

    assert config.plane == "radius"


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("", 'plane: "radius" wants a table [radius]'),
        (GOOD + '[network]\naddress = "10.0.0.1/24"\n', "network: only with"),
    ],
)
def test_a_site_of_nases_alone_wants_nases_and_no_lan(
    tmp_path: Path, more: str, fault: str
) -> None:
    with pytest.raises(ConfigFaults, match=re.escape(fault)):
        parse(tomllib.loads(ALONE + more.format(folder=tmp_path)))


async def findings_of(
    folder: Path, plane: str, port: int, *, listen: str = "127.0.0.1"
) -> dict[str, tuple[Verdict, str, str]]:
    """What the doctor finds at a site with one NAS that asks at ``port``."""
    (folder / "secret").write_text("twelve letters and more")
    (folder / "secret").chmod(0o600)
    text = f"""
        state_dir = "{folder}"
        plane = "{plane}"
        [radius]
        listen = "{listen}"
        auth_port = {port}
        acct_port = {free_port()}
        [[radius.nas]]
        name = "tower-1"
        address = "10.0.0.2"
        secret_file = "{folder}/secret"
    """
    found = await doctor.examine(parse(tomllib.loads(text)), SystemClock().now())
    return {one.check: (one.verdict, one.text, one.fix) for one in found}


async def test_the_doctor_knows_a_site_of_nases_alone(tmp_path: Path) -> None:
    honest = await findings_of(tmp_path, "radius", free_port())
    pretended = await findings_of(tmp_path, "memory", free_port())

    assert honest["plane"][:2] == (Verdict.PASS, "no packet passes here: the NASes forward them")
    assert pretended["plane"][0] is Verdict.WARN
    assert 'plane = "radius"' in pretended["plane"][2]
    assert "capabilities" not in honest


async def test_the_doctor_sees_that_this_machine_has_no_such_address(tmp_path: Path) -> None:
    found = await findings_of(tmp_path, "radius", free_port(), listen="192.0.2.1")
    verdict, text, fix = found["radius ports"]

    assert verdict is Verdict.FAIL
    assert "192.0.2.1" in text
    assert "ip -4 address" in fix


async def test_the_doctor_sees_that_another_answers_radius_here(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        taken = await findings_of(tmp_path, "radius", port)
        values = {"link_up": True, "healthy": True}
        status.write(tmp_path, values, at=SystemClock().now().wall)
        ours = await findings_of(tmp_path, "radius", port)
    free = await findings_of(tmp_path, "radius", port)

    verdict, text, fix = taken["radius ports"]
    assert (verdict, text) == (Verdict.FAIL, f"127.0.0.1 port {port}: Address already in use")
    assert "ss -lnup" in fix
    assert [one["radius ports"][0] for one in (ours, free)] == [Verdict.PASS] * 2
