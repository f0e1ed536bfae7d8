"""``lango-agent router``: a line is pasted into a router, the agent signs in, and it stays."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from ssl import PEM_cert_to_DER_cert
from typing import TYPE_CHECKING

import pytest

from agent import config as configs
from agent import identity as identities
from agent import router as routers
from agent.clock import SystemClock
from agent.identity import Identity
from agent.main import ERROR, OK, USAGE, main
from billing.errors import InvalidField
from billing.ids import SiteId
from controller.edge.authority import open_authority
from tests.routeros.console import pasted
from tests.routeros.emulator import PASSWORD, USER
from tests.support.clock import MORNING
from tests.support.router import Emulated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.routeros.emulator import Box

CONFIG = """
state_dir = "{folder}"
plane = "routeros"
[routeros]
host = "127.0.0.1"
port = {port}
fingerprint = "{pin}"
user = "lango"
password_file = "{folder}/router.password"
interfaces = ["bridge"]
portal = "127.0.0.1"
"""
BARE = 'state_dir = "{folder}"\nplane = "memory"\n'


@pytest.fixture(params=(6, 7))
def emulated(request: pytest.FixtureRequest) -> Iterator[Emulated]:
    with Emulated(major=request.param) as router:
        yield router


@pytest.fixture
def config(emulated: Emulated, tmp_path: Path) -> Path:
    shown = sha256(PEM_cert_to_DER_cert(emulated.box.certificate_pem.decode())).hexdigest()
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.format(folder=tmp_path, port=emulated.box.tls_port, pin=shown))
    return path


def adopted(emulated: Emulated, config: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the router says when the line of ``lango-agent router adopt`` is pasted."""
    major = emulated.box.version.major
    assert main(["router", "adopt", "--config", str(config), "--routeros", str(major)]) == OK
    (line,) = capsys.readouterr().out.splitlines()
    return emulated.do(lambda box: pasted(box, line))


@pytest.mark.parametrize("by", ["config", "flag"])
def test_where_the_router_keeps_secrets_the_user_may_see_them(
    config: Path, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    command = ["router", "adopt", "--config", str(config)]
    main(command)
    without = capsys.readouterr().out
    if by == "config":
        words = 'pppoe = "secrets"\npppoe_network = "10.64.0.0/22"\n'
        config.write_text(config.read_text() + words)
    main([*command, *(["--pppoe-secrets"] if by == "flag" else [])])

    assert "sensitive" not in without.partition("/user group add")[2].partition("}")[0]
    assert "policy=read,write,api,sensitive" in capsys.readouterr().out


def test_rows_of_ours_are_nobody_to_bring_over(
    emulated: Emulated, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = config.parent / "router.password"
    kept.write_text(PASSWORD)
    config.write_text(config.read_text().replace('"lango"', f'"{USER}"'))
    for name, comment in (("jane", "house 7"), ("wanjiku", "lango secret wanjiku")):
        words = {"name": name, "password": "pw", "comment": comment}
        emulated.do(lambda box, told=words: box.add("/ppp/secret", **told))  # type: ignore[misc]
    assert main(["router", "read", "--config", str(config)]) == OK
    rows = json.loads(capsys.readouterr().out)["rows"]

    assert [row["name"] for row in rows["/ppp/secret"]] == ["jane"]


@pytest.mark.parametrize("verb", ["confirm", "read"])
def test_who_has_no_password_yet_is_told_what_makes_it(
    config: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    assert main(["router", verb, "--config", str(config)]) != OK
    assert "lango-agent router adopt makes it" in capsys.readouterr().err


def users(emulated: Emulated) -> set[str]:
    return {row["name"] for row in emulated.rows("/user")}


def later(box: Box) -> None:
    box.pass_time(3_600)


def test_who_signs_in_stays(
    emulated: Emulated, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adopted(emulated, config, capsys)

    assert main(["router", "confirm", "--config", str(config)]) == OK
    assert capsys.readouterr().out == "confirmed: nothing will be undone\n"
    emulated.do(later)

    assert "lango" in users(emulated)
    assert emulated.rows("/system/scheduler") == []
    assert main(["router", "confirm", "--config", str(config)]) == OK
    assert capsys.readouterr().out == "signed in; nothing waited for it\n"


def test_who_never_signs_in_is_gone(
    emulated: Emulated, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adopted(emulated, config, capsys)
    emulated.do(later)

    assert users(emulated) == {"agent"}
    assert main(["router", "confirm", "--config", str(config)]) == ERROR
    assert "refused" in capsys.readouterr().err


async def test_the_agent_confirms_by_its_first_work(
    emulated: Emulated, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adopted(emulated, config, capsys)
    (router,) = configs.load(config).routers
    assert router is not None
    plane, _ = routers.box(router, 8000, SystemClock())

    await plane.counters()
    plane.close()

    assert emulated.rows("/system/scheduler") == []


def test_the_password_is_made_once_and_kept_for_nobody_else(
    emulated: Emulated, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adopted(emulated, config, capsys)
    kept = tmp_path / "router.password"
    secret = kept.read_text().strip()

    said = adopted(emulated, config, capsys)

    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().strip() == secret
    assert len(secret) >= 32
    assert not any(secret in text for text in said)
    assert [row["password"] for row in emulated.rows("/user") if row["name"] == "lango"] == [secret]


def test_a_file_for_import_is_for_nobody_else_and_overwrites_none(
    emulated: Emulated, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["router", "adopt", "--config", str(config), "--file", str(tmp_path / "lango.rsc")]
    words += ["--routeros", str(emulated.box.version.major)]

    assert main(words) == OK
    again = main(words)
    text = (tmp_path / "lango.rsc").read_text()
    emulated.do(lambda box: pasted(box, text))

    assert again == ERROR
    assert (tmp_path / "lango.rsc").stat().st_mode & 0o777 == 0o600
    assert "lango" in users(emulated)
    assert "/import file-name=lango.rsc" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "--agent"),
        (["--agent", "10.9.0.2"], "--lan"),
        (["--agent", "here", "--lan", "bridge"], "--agent"),
        (["--agent", "10.9.0.2", "--lan", 'bridge" :reset'], "--lan"),
        (["--agent", "10.9.0.2", "--lan", "ether1"], "--wan"),
        (["--agent", "10.9.0.2", "--lan", "bridge", "--wan", "a$b"], "--wan"),
        (["--agent", "10.9.0.2", "--lan", "bridge", "--minutes", "0"], "--minutes"),
        (["--agent", "10.9.0.2", "--lan", "bridge", "--portal", "a b"], "--portal"),
    ],
)
def test_what_cannot_be_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], named: str
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(BARE.format(folder=tmp_path))

    assert main(["router", "adopt", "--config", str(path), *words]) == USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert named in said.err
    assert not (tmp_path / "router.password").exists()


def test_passwords_are_read_by_an_administrator_and_sealed(
    emulated: Emulated,
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    authority = open_authority(tmp_path / "controller", MORNING)
    identity = Identity("kahawa", "127.0.0.1:1", b"", b"", authority.ca_pem, MORNING)
    identities.save(identity, tmp_path)
    emulated.do(lambda box: box.add("/ppp/secret", name="jane", password="hidden-1"))
    adopted(emulated, config, capsys)
    words = ["router", "read", "--config", str(config), "--passwords"]

    assert main(words) == USAGE
    ran = subprocess.run(
        [sys.executable, "-m", "agent.main", *words, "--user", USER],
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told = ran.stdout

    (secret,) = json.loads(told)["rows"]["/ppp/secret"]
    assert "hidden-1" not in told
    assert "password" not in secret
    assert authority.unseal(secret["sealed"], site_id=SiteId("kahawa")) == "hidden-1"
    with pytest.raises(InvalidField):
        authority.unseal(secret["sealed"], site_id=SiteId("ruiru"))


def test_what_is_on_a_router_is_read_without_its_passwords(
    emulated: Emulated, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def filled(box: Box) -> None:
        box.add("/ppp/profile", name="10M", rate_limit="3M/10M")
        box.add(
            "/ppp/secret", name="jane", password="hidden-1", profile="10M", comment="0712345678"
        )
        box.add("/queue/simple", name="q-joe", target="10.5.50.9/32", max_limit="2M/5M")

    emulated.do(filled)
    adopted(emulated, config, capsys)

    assert main(["router", "read", "--config", str(config)]) == OK
    told = json.loads(capsys.readouterr().out)

    assert "hidden-1" not in json.dumps(told)
    (secret,) = told["rows"]["/ppp/secret"]
    assert (secret["name"], secret["comment"]) == ("jane", "0712345678")
    (queue,) = told["rows"]["/queue/simple"]
    assert queue["max-limit"] == "2000000/5000000"
    assert told["version"].startswith(str(emulated.box.version.major))


SEVERAL = """
[[router]]
name = "{name}"
host = "10.9.0.{nth}"
user = "lango"
tls = false
password_file = "{folder}/{name}.password"
interfaces = ["bridge-{name}"]
portal = "10.9.9.{nth}"
networks = ["10.5.{nth}.0/24"]
"""


@pytest.mark.parametrize(("words", "code"), [([], 1), (["--router", "west"], OK)])
def test_of_several_routers_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    path = tmp_path / "agent.toml"
    both = [
        SEVERAL.format(name=name, nth=nth, folder=tmp_path)
        for nth, name in enumerate(("east", "west"), 1)
    ]
    path.write_text(f'state_dir = "{tmp_path}"\nplane = "routeros"\n' + "".join(both))
    answered = main(["router", "adopt", "--config", str(path), *words])
    said = capsys.readouterr()

    assert answered == code
    assert ("bridge-west" in said.out) is (code == OK)
    assert "bridge-east" not in said.out
    assert ("want one of east, west" in said.err) is (code != OK)
