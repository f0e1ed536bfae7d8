"""The ``lango-agent`` command: bad input at its doors, and joining for real."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import stat
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from agent import config as configs
from agent import identity as identities
from agent import status
from agent.config import Config, ConfigFaults
from agent.identity import IdentityError, JoinToken
from agent.journal import Journal
from agent.main import DEGRADED, ERROR, OK, UNREACHABLE, USAGE, main
from agent.uplink.grpc import GrpcUplink
from agent.uplink.memory import MemoryController
from tests.support.edge import Authority, EdgeServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime
    from pathlib import Path

    from wirepb.v1 import edge_pb2

NOBODY = 65_534

GOOD = """
state_dir = "{state}"
plane = "memory"
[lan]
interface = "br-lan"
[wan]
interface = "wan0"
masquerade = true
[portal]
port = {port}
host = "wifi.lango"
"""


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(GOOD.format(state=tmp_path / "state", port=8000))
    return path


@pytest.fixture
async def server() -> AsyncIterator[EdgeServer]:
    made = EdgeServer(MemoryController())
    await made.start()
    yield made
    await made.stop()


def a_token(
    address: str = "127.0.0.1:8444",
    *,
    der: bytes | None = None,
    secret: str = "s",  # noqa: S107 - invented
) -> str:
    authority = Authority().der if der is None else der
    raw = {"a": address, "c": base64.b64encode(authority).decode(), "s": secret}
    return "lango1." + base64.urlsafe_b64encode(json.dumps(raw).encode()).decode().rstrip("=")


def test_every_key_is_read(configured: Path, tmp_path: Path) -> None:
    assert configs.load(configured) == Config(state_dir=tmp_path / "state", plane="memory")


def test_all_faults_of_a_configuration_are_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(
        'stat_dir = "/x"\nplane = "bsd"\nlan = 3\n[wan]\ninterface = 5\nmasquerade = "yes"\n'
        '[portal]\nport = 99999\nhost = "Wifi Lango"\nhots = "x"\n[nonsense]\n'
    )
    code = main(["doctor", "--config", str(path)])
    told = capsys.readouterr().err.splitlines()

    assert code == USAGE
    assert told == [
        "lango-agent: lan: want a table [lan], got 3",
        "lango-agent: nonsense: there is no such key; did you mean network.lease_s?",
        "lango-agent: stat_dir: there is no such key; did you mean state_dir?",
        "lango-agent: wan.interface: want text in quotes, got 5",
        "lango-agent: wan.masquerade: want true or false, got 'yes'",
        "lango-agent: portal.hots: there is no such key; did you mean portal.host?",
        "lango-agent: plane: want linux, routeros, radius or memory, got 'bsd'",
        "lango-agent: portal.port: want 1 to 65535, got 99999",
        "lango-agent: portal.host: 'Wifi Lango' is no host name in lower case",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[lan]\ninterface = "a b"', "lan.interface"),
        ('[lan]\ninterface = "wan0"', "wan.interface"),
        ('state_dir = "here"', "state_dir"),
        ("port = 1", "port"),
    ],
)
def test_a_value_that_cannot_be_is_named(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(text)

    with pytest.raises(ConfigFaults) as wrong:
        configs.load(path)

    assert [one.partition(":")[0] for one in wrong.value.faults] == [fault]


def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text("state_dir = \n")

    with pytest.raises(ConfigFaults, match="line 1"):
        configs.load(path)


def test_a_missing_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--config", str(tmp_path / "none.toml")])

    assert (code, "No such file" in capsys.readouterr().err) == (USAGE, True)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "hello",
        "lango1.",
        "lango1.!!!!",
        "lango1." + base64.urlsafe_b64encode(b'{"a": 1}').decode(),
        a_token("nonsense"),
        a_token("host:99999"),
        a_token(secret=""),
        a_token(der=b"no certificate"),
        "lango1." + "a" * 10_000,
    ],
)
def test_a_token_that_cannot_be_changes_nothing(
    configured: Path, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["join", token, "--config", str(configured)])

    assert (code, "token" in capsys.readouterr().err) == (USAGE, True)
    assert not (configured.parent / "state").exists()


def test_a_dry_join_changes_nothing(configured: Path) -> None:
    code = main(["join", a_token(), "--dry-run", "--config", str(configured)])

    assert (code, (configured.parent / "state").exists()) == (OK, False)


def test_running_before_joining_says_what_to_do(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["run", "--config", str(configured)])

    assert (code, "lango-agent join" in capsys.readouterr().err) == (ERROR, True)


def test_status_without_an_agent_is_unreachable(configured: Path) -> None:
    assert main(["status", "--config", str(configured)]) == UNREACHABLE


@pytest.mark.parametrize(("link_up", "code"), [(True, OK), (False, DEGRADED)])
def test_status_tells_a_degraded_agent(
    configured: Path, capsys: pytest.CaptureFixture[str], *, link_up: bool, code: int
) -> None:
    from agent.clock import SystemClock

    values = {"link_up": link_up, "healthy": True}
    status.write(configured.parent / "state", values, at=SystemClock().now().wall)

    assert main(["status", "--json", "--config", str(configured)]) == code
    assert json.loads(capsys.readouterr().out)["link_up"] is link_up


def test_the_doctor_says_how_to_mend_each_fault(
    configured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["doctor", "--json", "--config", str(configured)])
    findings = {one["check"]: one for one in json.loads(capsys.readouterr().out)}

    assert code == ERROR
    assert findings["journal"]["verdict"] == "PASS"
    assert findings["certificate"]["verdict"] == "FAIL"
    assert all(one["fix"] for one in findings.values() if one["verdict"] != "PASS")


async def test_joining_leaves_a_key_that_only_its_owner_reads(
    server: EdgeServer, tmp_path: Path
) -> None:
    token = JoinToken(server.join_address, server.authority.pem, "sesame")
    identity = await identities.join(token, tmp_path)
    mode = stat.S_IMODE((tmp_path / identities.FILE).stat().st_mode)

    assert (mode, identities.load(tmp_path)) == (0o600, identity)
    assert identity.edge_address == server.edge_address


async def test_a_joined_agent_is_let_in(server: EdgeServer, tmp_path: Path) -> None:
    token = JoinToken(server.join_address, server.authority.pem, "sesame")
    identity = await identities.join(token, tmp_path)
    uplink = GrpcUplink(identity.credentials)
    await uplink.ready()
    await uplink.close()


async def test_a_certificate_is_renewed_for_a_fresh_key(
    server: EdgeServer, configured: Path, tmp_path: Path
) -> None:
    token = JoinToken(server.join_address, server.authority.pem, "sesame")
    first = await identities.join(token, tmp_path / "state")
    code = await asyncio.to_thread(main, ["renew", "--config", str(configured)])
    renewed = identities.load(tmp_path / "state")
    uplink = GrpcUplink(first.credentials)
    await uplink.reopen(renewed.credentials)
    await uplink.ready()
    await uplink.close()

    assert code == OK
    assert renewed.key_pem != first.key_pem


async def test_a_certificate_is_due_once_it_is_a_day_old(
    server: EdgeServer, tmp_path: Path
) -> None:
    token = JoinToken(server.join_address, server.authority.pem, "sesame")
    identity = await identities.join(token, tmp_path)
    end = identity.valid_until

    assert not identities.due(identity, end - timedelta(days=29, seconds=1))
    assert identities.due(identity, end - timedelta(days=29))


async def test_a_certificate_for_another_key_is_not_taken(tmp_path: Path) -> None:
    class Swapping(EdgeServer):
        def _certificate(self, csr_pem: bytes) -> edge_pb2.Certificate:
            other = identities.request_for(identities.new_key())
            return super()._certificate(other)

    server = Swapping(MemoryController())
    await server.start()
    token = JoinToken(server.join_address, server.authority.pem, "sesame")
    try:
        with pytest.raises(IdentityError, match="another key"):
            await identities.join(token, tmp_path)
    finally:
        await server.stop()

    assert not (tmp_path / identities.FILE).exists()


async def test_a_machine_that_joined_is_not_joined_again_by_mistake(
    server: EdgeServer, configured: Path
) -> None:
    token = a_token(server.join_address, der=server.authority.der, secret="sesame")
    joined = await asyncio.to_thread(main, ["join", token, "--config", str(configured)])
    again = await asyncio.to_thread(main, ["join", token, "--config", str(configured)])

    assert (joined, again) == (OK, ERROR)


async def test_a_machine_that_joins_another_site_sets_the_old_journal_aside(
    server: EdgeServer, configured: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    token = a_token(server.join_address, der=server.authority.der, secret="sesame")
    await asyncio.to_thread(main, ["join", token, "--config", str(configured)])
    raw = json.loads((state / identities.FILE).read_text())
    (state / identities.FILE).write_text(json.dumps({**raw, "site_id": "elsewhere"}))
    Journal(state / "journal.db").close()
    server.secrets.add("sesame")
    code = await asyncio.to_thread(main, ["join", token, "--replace", "--config", str(configured)])

    assert code == OK
    assert sorted(p.name for p in state.glob("*journal.db")) == ["elsewhere-journal.db"]


async def test_a_running_agent_serves_the_portal_and_stops_when_told(
    server: EdgeServer, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    port = unused_tcp_port_factory()
    path = tmp_path / "agent.toml"
    path.write_text(GOOD.format(state=tmp_path / "state", port=port))
    token = JoinToken(server.join_address, server.authority.pem, "sesame")
    await identities.join(token, tmp_path / "state")
    program = [sys.executable, "-m", "agent.main", "run", "--config", str(path)]
    process = await asyncio.create_subprocess_exec(*program, env=_environment())
    try:
        page = await asyncio.wait_for(_page(port), 30)
        async with asyncio.timeout(30):
            while await server.reports.get() != 1:
                pass
        shown = status.read(tmp_path / "state", now=_now())
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 20)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert b"302" in page.splitlines()[0]
    assert (code, shown is not None) == (OK, True)


async def test_a_token_may_come_from_standard_input(server: EdgeServer, configured: Path) -> None:
    token = a_token(server.join_address, der=server.authority.der, secret="sesame")
    ran = await _joined_by_pipe(configured, token)

    assert ran == (OK, f"joined as site site-1; controller at {server.edge_address}\n", "")


async def test_nothing_on_standard_input_is_no_token(configured: Path) -> None:
    code, _, told = await _joined_by_pipe(configured, "")

    assert (code, told) == (USAGE, "lango-agent: token: want one that begins with lango1.\n")


@pytest.mark.root
async def test_root_joins_for_the_user_who_owns_the_state(
    server: EdgeServer, configured: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, NOBODY, NOBODY)
    token = JoinToken(server.join_address, server.authority.pem, "sesame")
    await identities.join(token, configs.load(configured).state_dir)
    kept = (state / identities.FILE).stat()

    assert (kept.st_uid, kept.st_gid, stat.S_IMODE(kept.st_mode)) == (NOBODY, NOBODY, 0o600)


async def _joined_by_pipe(configured: Path, token: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent.main", "join", "--config", str(configured)),
        env=_environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(f"{token}\n".encode()), 30)
    return process.returncode, out.decode(), err.decode()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": ".:proto"}


def _now() -> datetime:
    from agent.clock import SystemClock

    return SystemClock().now().wall


async def _page(port: int) -> bytes:
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)  # nothing tells a client that a port has opened
            continue
        writer.write(b"GET /generate_204 HTTP/1.1\r\nHost: connectivitycheck.gstatic.com\r\n\r\n")
        page = await reader.read()
        writer.close()
        return page
