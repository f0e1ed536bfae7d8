"""All simulated providers in one process, told by one file, and the merchant's side of it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import httpx2
import pytest

from controller.sandbox import shop, told
from controller.sandbox.rig import provider_ports
from controller.tls import trusted
from controller.usecases import doors
from controller.vault import open_vault
from tests.support.lab import eventually, free_ports

if TYPE_CHECKING:
    from pathlib import Path

    from controller.sandbox.shop import Shop

CONTROLLER = "http://127.0.0.1:9"
URLS = shop.Urls(controller=CONTROLLER, phone="http://127.0.0.1:9/", site_id="trial")


def opened(folder: Path, ports: told.ProviderPorts) -> Shop:
    return shop.opened(folder, ports=ports, urls=URLS, vault=open_vault(folder))


async def test_each_answers_at_its_own_port_and_all_end_together(tmp_path: Path) -> None:
    ports = provider_ports(free_ports())
    file = opened(tmp_path, ports).file
    pages = {
        ports.daraja: "/trial",
        ports.airtel: "/",
        ports.paystack: "/",
        ports.bank: "/",
        ports.mail: "/mail",
    }
    argv = [sys.executable, "-m", "controller.sandbox.providers", str(file)]
    running = await asyncio.create_subprocess_exec(*argv)
    try:
        async with httpx2.AsyncClient(trust_env=False, verify=trusted()) as http:
            found = {
                port: await eventually(partial(_page, http, port, page), wait_s=30)
                for port, page in pages.items()
            }
    finally:
        running.terminate()
        code = await running.wait()

    links = [f"http://127.0.0.1:{port}{page}" for port, page in pages.items()]
    assert all(f'href="{link}"' in found[ports.daraja] for link in links[1:])
    assert code == -signal.SIGTERM


async def test_all_end_when_one_cannot_begin(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = replace(provider_ports(free_ports()), smtp=taken.getsockname()[1])
        argv = [sys.executable, "-m", "controller.sandbox.providers"]
        running = await asyncio.create_subprocess_exec(*argv, str(opened(tmp_path, ports).file))
        async with asyncio.timeout(30):
            code = await running.wait()

    assert code > 0


def test_what_they_are_told_is_read_as_it_was_written() -> None:
    made = told.Providers(provider_ports(free_ports()))

    assert told.read(told.written(made).decode()) == made


def test_what_is_wrong_is_named_with_its_part() -> None:
    made = told.Providers(provider_ports(free_ports()))
    odd = replace(made, daraja=replace(made.daraja, passkey=""))

    assert odd.faults() == ["daraja.passkey: is empty"]


def test_each_knows_the_door_that_the_controller_has_for_it(tmp_path: Path) -> None:
    file = opened(tmp_path, provider_ports(free_ports())).file
    made, vault = told.read(file.read_text()), open_vault(tmp_path)
    given = {
        doors.PAYBILL: made.daraja.confirm_url,
        doors.VALIDATE: made.daraja.validate_url,
        doors.SMS: made.daraja.sms_report_url,
        doors.AIRTEL: made.airtel.callback_url,
        doors.CARD: made.paystack.callback_url,
        doors.BANK: made.bank.callback_url,
    }

    assert given == {door: doors.address(vault, CONTROLLER, door) for door in given}
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("section", "key"), [("mpesa", "certificate"), ("bank", "public_key")])
def test_a_second_start_finds_the_same_keys(tmp_path: Path, section: str, key: str) -> None:
    # A certificate is made anew of the key that is kept; its key is what is encrypted for.
    first, second = (opened(tmp_path, provider_ports(free_ports())).accounts for _ in range(2))

    assert first[section][key] == second[section][key]


async def _page(http: httpx2.AsyncClient, port: int, path: str) -> str:
    try:
        answer = await http.get(f"http://127.0.0.1:{port}{path}")
    except httpx2.HTTPError:
        return ""
    return answer.text if answer.status_code == 200 else ""
