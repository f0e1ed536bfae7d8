"""Codes guessed at full speed from many MACs, and a portal flooded: who has a good code gets in."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from agent.tries import CODES_PER_DEVICE_MAX, CODES_PER_SITE_MAX
from billing.voucher import new_code
from controller.sandbox.lab.device import GATEWAY_V4
from controller.sandbox.lab.traffic import PORTAL
from tests.support.lab import a_lab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from controller.sandbox.lab.device import Device
    from tests.support.lab import Lab

pytestmark = [
    pytest.mark.root,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]

GUESSERS = 8
MACS_EACH = 8
TRIES_EACH = 8
UNANSWERED = 0
SLOWER_MAX = 3
FLOODS = ("looks", "holds", "drips")
LOOKS = 5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    async with a_lab(tmp_path_factory.mktemp("rig"), devices=20) as running:
        await running.whole()
        yield running


@dataclass(frozen=True, slots=True)
class Face:
    """One of the MACs and addresses that a device pretends to have."""

    device: Device
    link: str

    async def guesses(self) -> list[int]:
        """Vouchers and tokens out of the air, as fast as they are answered; the statuses."""
        found = []
        for number in range(TRIES_EACH):
            try:
                found.append(await self._guess(_code(number)))
            except OSError:  # it waited longer than the portal lets anybody wait
                found.append(UNANSWERED)
        return found

    async def _guess(self, code: str) -> int:
        made = self.device.ns.socket()
        self.device.ns.call(lambda: made.setsockopt(1, 25, self.link.encode()))  # SO_BINDTODEVICE
        try:
            await asyncio.get_running_loop().sock_connect(made, (GATEWAY_V4, 80))
        except OSError:
            made.close()
            raise
        reader, writer = await asyncio.open_connection(sock=made)
        with contextlib.closing(writer):
            body = urlencode({"code": code}).encode()
            head = (
                "POST /redeem HTTP/1.1\r\nHost: wifi.lango\r\nConnection: close\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            return int((await reader.read()).split(b" ", 2)[1])


def _code(number: int) -> str:
    if number % 2:
        return "".join(secrets.choice("0123456789") for _ in range(20))
    return new_code(secrets.randbelow)


def faces(device: Device) -> Iterator[Face]:
    """MACs of its own making, each with an address."""
    for number in range(MACS_EACH):
        link = f"mac{number}"
        device.ns.ip(
            f"link add link eth0 name {link} address 06:00:00:{device.number:02x}:00:{number:02x} "
            "type macvlan mode bridge",
            f"link set {link} up",
            f"addr add 10.77.{device.number}.{number + 1}/16 dev {link}",
        )
        yield Face(device, link)


async def test_guesses_are_few_and_who_has_a_good_code_gets_in(lab: Lab) -> None:
    code = (await lab.vouchers(await lab.sell("guessed"), 2))[0]
    token = await lab.token("guessed")
    good, other = lab.fresh(), lab.fresh()
    crowd = [face for _ in range(GUESSERS) for face in faces(lab.fresh())]
    lab.site.controller_away()  # so that the site alone must say no
    guessing = [asyncio.create_task(face.guesses()) for face in crowd]
    try:
        await asyncio.wait(guessing, return_when=asyncio.FIRST_COMPLETED)
        taken = [(await lab.redeem(good, code)).location, (await lab.redeem(other, token)).location]
        answers = await asyncio.gather(*guessing)
    finally:
        lab.site.controller_back()
    heard = Counter(status for of_one in answers for status in of_one)
    answered = [sum(status not in {UNANSWERED, 429} for status in of_one) for of_one in answers]

    assert taken == [f"{PORTAL}/joined"] * 2
    await lab.online(good)
    await lab.online(other)
    assert heard.keys() <= {UNANSWERED, 409, 422, 429}, heard
    assert max(answered) <= CODES_PER_DEVICE_MAX
    assert sum(answered) <= CODES_PER_SITE_MAX + len(crowd)


async def test_a_flood_slows_a_payers_sign_in_by_less_than_three(lab: Lab) -> None:
    codes = iter(await lab.vouchers(await lab.sell("flooded"), 2 * LOOKS))
    idle = [await signed_in(lab, next(codes)) for _ in range(LOOKS)]
    flooding = [flood(lab.fresh(), kind) for kind in FLOODS]
    try:
        under = [await signed_in(lab, next(codes)) for _ in range(LOOKS)]
        alive = [process.poll() is None for process in flooding]
    finally:
        for process in flooding:
            process.kill()
            process.wait()
    print(f"sign-in idle {sorted(idle)}, under a flood {sorted(under)}")

    assert alive == [True] * len(FLOODS)
    assert sorted(under)[LOOKS // 2] < SLOWER_MAX * sorted(idle)[LOOKS // 2]


async def signed_in(lab: Lab, code: str) -> float:
    """How long it takes from the code being sent until the page that says so, in seconds."""
    device = lab.site.devices[-1]
    began = time.monotonic()
    answer = await lab.redeem(device, code)
    assert answer.location == f"{PORTAL}/joined", answer.text
    page = await device.browse(f"{PORTAL}/joined")
    assert page.status == 200
    return time.monotonic() - began


def flood(device: Device, kind: str) -> subprocess.Popen[bytes]:
    """A program that does nothing else, from that device."""
    process = device.ns.popen(
        sys.executable, "-m", "tests.lab.flood", kind, GATEWAY_V4, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == b"flooding\n"
    return process
