"""Which interfaces the install script takes, in networks of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from controller.installer.script import written
from tests.controller.installer.test_script import WORDS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.root

UPLINK = "ip link add wan0 type ifb; ip addr add 192.0.2.2/24 dev wan0; ip link set wan0 up; "
UPLINK += "ip route add default via 192.0.2.1; "
BRIDGE = "ip link add br-lan type bridge; ip link add eth1 type veth peer name veth9; "
BRIDGE += "ip link set eth1 master br-lan; "


async def tried(folder: Path, network: str, *options: str) -> tuple[int, str]:
    """What a dry run says in a new network namespace that was set up so, without a terminal."""
    script = folder / "lango.sh"
    script.write_bytes(written(WORDS))
    run = f"set -e; mount -t sysfs none /sys; {network} exec setsid sh {script} --dry-run"
    process = await asyncio.create_subprocess_exec(
        *("unshare", "-mn", "sh", "-c", f'{run} "$@"', "sh", "--root", f"{folder}/box", *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_the_uplink_is_that_of_the_default_route_and_the_only_other_is_the_lan(
    tmp_path: Path,
) -> None:
    code, told = await tried(tmp_path, UPLINK + BRIDGE)

    assert code == 0, told
    assert "devices on br-lan (10.0.0.1/24, they get 10.0.0.50-10.0.0.250)" in told
    assert "internet on wan0" in told


async def test_without_a_way_out_it_asks_for_one(tmp_path: Path) -> None:
    code, told = await tried(tmp_path, BRIDGE)

    assert code == 1
    assert "no default route): say --wan IF" in told


async def test_a_machine_with_one_interface_is_no_gateway(tmp_path: Path) -> None:
    code, told = await tried(tmp_path, UPLINK)

    assert code == 1
    assert "besides wan0 there is none: add one" in told


async def test_of_several_it_does_not_guess(tmp_path: Path) -> None:
    code, told = await tried(tmp_path, f"{UPLINK}{BRIDGE}ip link add eth5 type bridge; ")

    assert code == 1
    assert "Say --lan IF; there are: br-lan eth5" in told


async def test_the_lan_keeps_the_address_that_it_has(tmp_path: Path) -> None:
    code, told = await tried(tmp_path, f"{UPLINK}{BRIDGE}ip addr add 10.9.8.1/24 dev br-lan; ")

    assert code == 0, told
    assert "devices on br-lan (10.9.8.1/24, they get 10.9.8.50-10.9.8.250)" in told


async def test_a_lan_of_another_size_is_asked_about(tmp_path: Path) -> None:
    network = f"{UPLINK}{BRIDGE}ip addr add 10.9.8.1/22 dev br-lan; "
    code, told = await tried(tmp_path, network)
    said, plan = await tried(tmp_path, network, "--range", "10.9.8.50-10.9.11.250")

    assert code == 1
    assert "br-lan has 10.9.8.1/22: say which addresses devices get" in told
    assert said == 0
    assert "they get 10.9.8.50-10.9.11.250" in plan


async def test_a_new_lan_does_not_take_the_numbers_of_the_uplink(tmp_path: Path) -> None:
    network = f"{UPLINK}{BRIDGE}ip addr add 10.0.0.7/24 dev wan0; "
    code, told = await tried(tmp_path, network)

    assert code == 0, told
    assert "devices on br-lan (10.77.0.1/24" in told
