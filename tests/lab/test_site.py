"""The lab by itself: packets go where they should, and nothing is left behind."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from controller.sandbox.lab.device import INTERNET_V6, asking_bytes
from controller.sandbox.lab.phone import DeviceRoad, Phone, serve_phone
from controller.sandbox.lab.site import CONTROLLER_V4, Ports, Site
from tests.support.machine import descendants, machine, outlives

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.root

MASQUERADE = """
table ip test_nat {
  chain post { type nat hook postrouting priority srcnat; oifname "wan0" masquerade; }
}
"""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path, devices=2) as lab:
        yield lab


@pytest.fixture
def open_site(site: Site) -> Site:
    """A site whose gateway lets everybody out, as no site with an agent does."""
    site.gateway.run("nft", "-f", "-", stdin=MASQUERADE)
    return site


async def test_the_resolver_of_the_gateway_knows_the_portal(site: Site) -> None:
    assert await site.device(1).resolve("wifi.lango") == "10.77.0.1"


async def test_any_other_name_is_on_the_internet(site: Site) -> None:
    assert await site.device(1).resolve("anything.example") == "198.51.100.1"


async def test_devices_see_each_other_through_the_bridge(site: Site) -> None:
    seen = site.device(1).ns.run("ping", "-c1", "-W2", str(site.device(2).ipv4))

    assert "1 received" in seen


async def test_without_translation_no_answer_comes_back(site: Site) -> None:
    assert not await site.device(1).reaches("198.51.100.1", 80)


@pytest.mark.parametrize(
    ("url", "status", "body"),
    [
        ("http://connectivitycheck.gstatic.com/generate_204", 204, b""),
        ("http://www.msftconnecttest.com/connecttest.txt", 200, b"Microsoft Connect Test"),
        ("http://detectportal.firefox.com/success.txt?ipv4", 200, b"success\n"),
    ],
)
async def test_probe_hosts_answer_what_means_online(
    open_site: Site, url: str, status: int, body: bytes
) -> None:
    answer = await open_site.device(1).get(url)

    assert (answer.status, answer.body) == (status, body)


async def test_ipv6_reaches_the_internet_too(open_site: Site) -> None:
    answer = await open_site.device(1).get("http://hello.example/", address=INTERNET_V6)

    assert "fd77::11" in answer.text


async def test_udp_up_is_counted_to_the_byte(open_site: Site) -> None:
    moved = await open_site.device(1).udp_up(200_000, bps=4_000_000)

    assert moved.received_bytes == moved.sent_bytes == 200_000


async def test_udp_down_is_counted_to_the_byte(open_site: Site) -> None:
    moved = await open_site.device(1).udp_down(200_000, bps=4_000_000, address=INTERNET_V6)

    assert moved.received_bytes == moved.sent_bytes == 200_000


async def test_the_kernel_counts_what_the_flows_count(open_site: Site) -> None:
    device = open_site.device(1)
    rules = f"""table inet seen {{
      chain onward {{ type filter hook forward priority 0;
        ip saddr {device.ipv4} counter
        ip daddr {device.ipv4} counter
      }}
    }}
    """
    open_site.gateway.run("nft", "-f", "-", stdin=rules)
    await device.udp_up(100_000, bps=4_000_000)
    await device.udp_down(300_000, bps=4_000_000)
    counted = open_site.gateway.run("nft", "list", "table", "inet", "seen")

    assert f"bytes {100_000 + asking_bytes()}" in counted
    assert "bytes 300000" in counted


async def test_a_cut_link_loses_packets_and_a_mended_one_does_not(open_site: Site) -> None:
    open_site.link_down()
    cut = await open_site.device(1).reaches("198.51.100.1", 80)
    open_site.link_up()
    mended = await open_site.device(1).reaches("198.51.100.1", 80, wait_s=5)

    assert (cut, mended) == (False, True)


async def test_the_gateway_reaches_the_machine_at_the_controllers_address(tmp_path: Path) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Site(tmp_path, devices=1, ports=Ports(edge=port)) as lab:
        made = lab.gateway.socket()
        await asyncio.get_running_loop().sock_connect(made, (CONTROLLER_V4, port))
        reader, writer = await asyncio.open_connection(sock=made)
        said = await reader.read()
        writer.close()

    assert said == b"hello"


async def test_the_machine_is_as_it_was(tmp_path: Path) -> None:
    before = machine()
    async with Site(tmp_path, devices=2):
        during = machine()

    assert before == during == machine()


def test_after_kill_9_no_process_and_no_namespace_is_left(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from controller.sandbox.lab.site import Site\n"
        "async def main():\n"
        "    async with Site(pathlib.Path(sys.argv[1]), devices=2):\n"
        "        print('up', flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    before = machine()
    argv = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        children = descendants(owner.pid)
        owner.send_signal(signal.SIGKILL)

    assert (len(children), outlives(children)) == (2, 0)
    assert machine() == before


async def test_a_browser_out_here_browses_as_the_device(open_site: Site) -> None:
    async with await serve_phone(Phone(DeviceRoad(open_site.device(1))), port=0) as served:
        port = served.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        page = await reader.read()
        writer.close()

    assert b"You are on the internet" in page
