"""A whole agent that answers RADIUS: told by its controller, asked by radclient."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from agent import status
from agent.clock import SystemClock
from agent.config import Config
from agent.journal import Journal
from agent.lan import LoopbackLan
from agent.radius.settings import Nas, Radius
from agent.running import ConfigFile, Parts, operate
from agent.uplink.memory import MemoryController, MemoryUplink, grant_item, login_item
from shaping.memory import MemoryPlane
from tests.support.radius import CAUSE, HERE, NAME, NAS_SECRET, SECRET, free_port, radclient
from tests.support.site import some_limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASKED = f'User-Name = "{NAME}"\nUser-Password = "{SECRET}"\nMessage-Authenticator = 0x00'


async def test_an_agent_lets_in_whom_its_controller_told_it_of(tmp_path: Path) -> None:
    controller = MemoryController()
    controller.put_item(*login_item(NAME, SECRET, CAUSE))
    limits = some_limits(validity=3600)
    controller.put_item(*grant_item("g1", limits=limits, devices=(), cause_id=f"{CAUSE}:1"))
    nas = Nas("tower-1", IPv4Address(HERE), tmp_path / "s", weak=True, secret=NAS_SECRET.encode())
    radius = Radius((nas,), IPv4Address(HERE), auth_port=free_port(), acct_port=free_port())
    config = Config(state_dir=tmp_path, plane="radius", portal_port=free_port(), radius=radius)
    clock = SystemClock()
    parts = Parts(
        "here", MemoryPlane(now=lambda: clock.now().mono), LoopbackLan(), MemoryUplink(controller)
    )
    journal = Journal(tmp_path / "journal.db")
    file = ConfigFile(tmp_path / "agent.toml", config)
    work = asyncio.create_task(operate(file, parts, journal, clock=clock, identity=None))
    try:
        await until(lambda: controller.applied is not None and controller.applied.generation > 2)
        answer = await radclient(f"{HERE}:{radius.auth_port}", "auth", NAS_SECRET, ASKED)
        await until(lambda: "accepted" in _said(tmp_path)["radius_packets"])
        said = _said(tmp_path)
        portal_was_open = await opens(config.portal_port)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        journal.close()

    assert answer is not None
    assert answer.kind == "Access-Accept"
    assert said["radius_logins"] == 1
    assert said["radius_without_message_authenticator"] == ["tower-1"]
    assert not portal_was_open


async def opens(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        _, writer = await asyncio.open_connection(HERE, port)
    except OSError:
        return False
    writer.close()
    return True


async def until(so: Callable[[], bool]) -> None:
    """Until an agent has come so far; it tells nobody when."""
    async with asyncio.timeout(15):
        while not so():  # noqa: ASYNC110 - it is looked at from outside
            await asyncio.sleep(0.05)


def _said(state_dir: Path) -> dict[str, Any]:
    return status.read(state_dir, now=SystemClock().now().wall) or {"radius_packets": ""}
