"""The controller as a process: it starts, says where it is, stops, and survives being killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import httpx2
import pytest
from pydantic import SecretStr
from wirepb.v1 import desired_pb2
from wirepb.v1 import edge_pb2 as pb
from wirepb.v1 import edge_pb2_grpc as rpc

from billing.ids import SiteId
from controller.config import CannotStart, Settings
from controller.config_sections import AirtelSection, EdgeSettings, HttpSettings, ManagementSettings
from controller.edge.authority import SERVER_NAME
from controller.main import open_controller
from controller.store.database import Database
from controller.usecases.asking import CALLBACK_PATH
from controller.usecases.choosing import choose
from controller.usecases.plans import add_plan
from controller.usecases.sites import NewSite, add_site, changes_since, new_join_token
from controller.work import due_work
from tests.controller.edge.certificates import a_csr, a_key, private_pem
from tests.controller.edge.doors import HOUR, SITE, a_settings, an_hour
from tests.support.office import an_office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.main import Running

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import sys
from pathlib import Path
from controller.choices import at_start
from controller.config import read_fixed
from controller.main import run_controller
sys.exit(run_controller(*at_start(read_fixed(Path(sys.argv[1])))))
"""
START_MAX_S = 60.0
STOP_MAX_S = 3.0


class Process:
    """A controller in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    async def event(self, name: str) -> dict[str, Any]:
        """The next line of the log with this event."""
        assert self.process.stdout is not None
        async with asyncio.timeout(START_MAX_S):
            async for raw in self.process.stdout:
                line: dict[str, Any] = json.loads(raw)
                self.lines.append(line)
                if line["event"] == name:
                    return line
        raise AssertionError(f"it ended without {name}: {self.lines}")

    async def away(self) -> tuple[str, str]:
        """Between which moments it has no door while it begins anew."""
        left = await self.event("controller_stopping")
        return left["ts"], (await self.event("controller_started"))["ts"]

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        async with asyncio.timeout(START_MAX_S):
            return await self.process.wait()


@asynccontextmanager
async def a_process(folder: Path, text: str = "") -> AsyncIterator[Process]:
    """A controller with this configuration, on free ports unless told otherwise."""
    path = folder / "controller.toml"
    path.write_text(
        f'state_dir = "{folder / "state"}"\n' + (text or "[http]\nport = 0\n") + FREE_EDGE
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        str(path),
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}", "GRPC_VERBOSITY": "NONE"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


FREE_EDGE = "[edge]\nport = 0\njoin_port = 0\n"


def free_settings(folder: Path, **changes: Any) -> Settings:
    told: dict[str, Any] = {
        "state_dir": folder / "state",
        "http": HttpSettings(port=0),
        "edge": EdgeSettings(port=0, join_port=0),
    }
    return Settings(**(told | changes))


def edge_channel(running: Running, port: int, *identity: bytes) -> grpc.aio.Channel:
    trust = grpc.ssl_channel_credentials(running.deps.authority.ca_pem, *identity)
    options = [("grpc.ssl_target_name_override", SERVER_NAME)]
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", trust, options=options)


async def test_it_starts_with_an_empty_file_and_says_where_it_is(tmp_path: Path) -> None:
    async with a_process(tmp_path) as controller:
        line = await controller.event("controller_started")
        async with httpx2.AsyncClient() as http:
            answer = await http.get(f"http://{line['http']}/healthz")

    assert answer.json() == {"status": "ok"}


async def test_it_says_that_it_cannot_sell_yet(tmp_path: Path) -> None:
    async with a_process(tmp_path) as controller:
        line = await controller.event("payments_absent")

    assert "set [mpesa]" in line["reason"]


async def test_it_stops_within_three_seconds_when_asked(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with a_process(tmp_path) as controller:
        await controller.event("controller_started")
        began = loop.time()
        code = await controller.stop()
        took = loop.time() - began

    assert code == 0
    assert took < STOP_MAX_S


async def test_what_is_chosen_is_taken_over_by_itself(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with a_process(tmp_path) as controller:
        await controller.event("controller_started")
        pid = controller.process.pid
        db = Database(f"sqlite+aiosqlite:///{state / 'lango.db'}")
        await choose(an_office(state, db).deps, {**KEYS, "mpesa.base_url": "http://127.0.0.1:9"})
        await db.close()
        line = await controller.event("controller_started")
        assert controller.process.pid == pid
        code = await controller.stop()

    assert line["payments"] == "mpesa"
    assert code == 0


@pytest.mark.postgres
async def test_of_two_controllers_of_one_database_one_is_always_there(
    tmp_path: Path, postgres_db: Database
) -> None:
    text = f'[http]\nport = 0\n[database]\nurl = "{postgres_db.url}"\n'
    one, other = (tmp_path / name for name in ("one", "other"))
    one.mkdir()
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(a_process(one, text))
        await first.event("controller_started")
        shutil.copytree(one, other)
        second = await stack.enter_async_context(a_process(other, text))
        await second.event("controller_started")
        deps = an_office(one / "state", postgres_db).deps
        await choose(deps, {**KEYS, "mpesa.base_url": "http://127.0.0.1:9"})
        away = await asyncio.gather(first.away(), second.away())

    (_, back), (left, _) = sorted(away)
    assert back <= left


KEYS = {
    "mpesa.shortcode": "600111",
    "mpesa.consumer_key": "key",
    "mpesa.consumer_secret": "a secret of the page",
    "mpesa.passkey": "a passkey of the page",
}


async def test_another_wallet_in_the_configuration_is_told_to_sites_at_the_next_start(
    tmp_path: Path,
) -> None:
    mpesa = a_settings(tmp_path).mpesa
    airtel = AirtelSection(
        base_url="http://127.0.0.1:9",
        client_id="id",
        client_secret=SecretStr("secret"),
        merchant="LANGO",
    )
    told: list[tuple[int, list[str]]] = []
    async with open_controller(free_settings(tmp_path, mpesa=mpesa)) as running:
        await add_site(running.deps, NewSite(SITE, name="Estate 1", operator_name="Mtaa Net"))
    for wallets in ({}, {"airtel": airtel}, {"airtel": airtel}):
        async with open_controller(free_settings(tmp_path, mpesa=mpesa, **wallets)) as running:
            change = await changes_since(running.deps, SITE, generation=0, digest=b"")
        assert change is not None
        site = desired_pb2.ItemBody.FromString(dict(change.upserts)["site"]).site
        told.append((change.generation, list(site.rails)))

    assert told == [(1, ["mpesa"]), (2, ["mpesa", "airtel"]), (2, ["mpesa", "airtel"])]


async def test_the_management_door_is_its_own_and_closes_with_the_rest(tmp_path: Path) -> None:
    settings = free_settings(tmp_path, management=ManagementSettings(port=0))
    async with open_controller(settings) as running, httpx2.AsyncClient() as client:
        here = f"http://127.0.0.1:{running.management_port}"
        found = await client.get(f"{here}/metrics")
        elsewhere = await client.get(f"http://127.0.0.1:{running.http_port}/metrics")
        ready = await client.get(f"{here}/readyz")

    assert (found.status_code, elsewhere.status_code, ready.status_code) == (200, 404, 200)
    assert "lango_db_up 1.0" in found.text
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", running.management_port or 0), 1)


async def test_open_streams_do_not_hold_up_a_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = asyncio.get_running_loop().time
    async with contextlib.AsyncExitStack() as agent:
        async with open_controller(free_settings(tmp_path)) as running:
            port = running.edge_port
            channel = edge_channel(running, port, *await joined(running))
            edge = rpc.EdgeStub(await agent.enter_async_context(channel))
            changes = aiter(edge.Follow(pb.FollowRequest(), timeout=30))
            await anext(changes)
            http = await agent.enter_async_context(httpx2.AsyncClient())
            page = f"http://127.0.0.1:{running.http_port}/noc/events"
            staff = {"Authorization": f"Bearer {running.deps.vault.staff_key()}"}
            live = await agent.enter_async_context(http.stream("GET", page, headers=staff))
            panels = live.aiter_text()
            await anext(panels)
            began = clock()
        took = clock() - began

    assert took < STOP_MAX_S
    assert "graceful shutdown exceeded" not in caplog.text


async def test_after_being_killed_it_is_what_it_was(tmp_path: Path) -> None:
    async with a_process(tmp_path) as controller:
        await controller.event("controller_started")
        await controller.stop(signal.SIGKILL)
    before = (tmp_path / "state" / "ca.pem").read_bytes()
    async with a_process(tmp_path) as controller:
        await controller.event("controller_started")

    assert (tmp_path / "state" / "ca.pem").read_bytes() == before


async def test_a_port_that_is_taken_is_an_exit_code_and_a_sentence(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with taken, a_process(tmp_path, f"[http]\nport = {port}\n") as controller:
        line = await controller.event("cannot_start")
        code = await controller.process.wait()

    assert code == 1
    assert line["reason"].startswith(f"http.port: cannot listen on 127.0.0.1:{port}")


async def test_a_state_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")

    with pytest.raises(CannotStart, match="state_dir: "):
        async with open_controller(free_settings(tmp_path)):
            pass


async def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "keys.json").write_text("{}")

    with pytest.raises(CannotStart, match=r"state_dir: .*keys\.json"):
        async with open_controller(free_settings(tmp_path)):
            pass


async def test_a_database_that_cannot_be_reached_is_named_without_its_password(
    tmp_path: Path,
) -> None:
    url = "postgresql+psycopg://lango:hush@127.0.0.1:1/lango"
    settings = free_settings(tmp_path, database={"url": url})

    with pytest.raises(CannotStart, match=r"database\.url: ") as refused:
        async with open_controller(settings):
            pass
    assert "hush" not in str(refused.value)


async def test_an_edge_port_that_is_taken_leaves_nothing_open(tmp_path: Path) -> None:
    async with open_controller(free_settings(tmp_path / "one")) as first:
        taken = EdgeSettings(port=first.edge_port, join_port=0)
        with pytest.raises(CannotStart, match=r"edge\.port: "):
            async with open_controller(free_settings(tmp_path / "two", edge=taken)):
                pass


async def test_the_address_that_a_provider_is_given_leads_to_the_callback(tmp_path: Path) -> None:
    async with open_controller(free_settings(tmp_path)) as running, httpx2.AsyncClient() as http:
        path = f"{CALLBACK_PATH}{'a' * 48}"
        answer = await http.post(f"http://127.0.0.1:{running.http_port}{path}", json={})

    assert answer.json()["detail"] == "there is no payment with this address"


async def test_a_controller_without_an_account_refuses_orders_as_its_own_fault(
    tmp_path: Path,
) -> None:
    async with open_controller(free_settings(tmp_path)) as running:
        key, certificate = await joined(running)
        order = pb.Order(
            order_id="0a" * 16,
            plan_id=HOUR,
            msisdn="254712345678",
            device_mac="02:00:00:00:00:01",
        )
        async with edge_channel(running, running.edge_port, key, certificate) as channel:
            state = await rpc.EdgeStub(channel).Purchase(order, timeout=10)

    assert (state.stage, state.reason) == (pb.PurchaseState.STAGE_REFUSED, "our_side")


async def test_an_agent_that_joined_before_a_restart_comes_in_after_it(tmp_path: Path) -> None:
    async with open_controller(free_settings(tmp_path)) as running:
        key, certificate = await joined(running)
    async with (
        open_controller(free_settings(tmp_path)) as running,
        edge_channel(running, running.edge_port, key, certificate) as channel,
    ):
        report = pb.ReportRequest(journal="ab" * 16, agent_version="0.1.0")
        answer = await rpc.EdgeStub(channel).Report(report, timeout=10)

    assert answer.acked_seq == 0


async def joined(running: Running) -> tuple[bytes, bytes]:
    """The key and the certificate of an agent of a site that sells an hour."""
    key = a_key()
    await add_site(running.deps, NewSite(SiteId(SITE), name="Estate", operator_name="Mtaa Net"))
    await add_plan(running.deps, an_hour())
    secret = await new_join_token(running.deps, SITE)
    async with edge_channel(running, running.join_port) as channel:
        request = pb.EnrolRequest(secret=secret, csr_pem=a_csr(key))
        answer = await rpc.JoinStub(channel).Enrol(request, timeout=10)
    return private_pem(key), answer.certificate_pem


def test_every_job_runs_every_few_seconds() -> None:
    assert [job.name for job in due_work() if not 0 < job.every_s <= 10] == []
