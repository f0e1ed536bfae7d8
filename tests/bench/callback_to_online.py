"""``callback-to-online``: from a callback's last byte to the first packet of the device outside.

Everything is the product's own: controller, agent, lab, simulated network, each in its own process;
nothing delays the link. The network is told to lose its callbacks, so that this benchmark posts
them itself and knows when the last byte left. Meanwhile the device sends a datagram every 2 ms; the
kernel of the internet's side stamps what arrives, with the clock that also stamps the last byte.

Every sample is a device that never paid before. The oracle: nothing arrived before the callback
was sent, each payment has its one grant, and the ledger has taken the price once for each device.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from controller.sandbox.lab.device import GATEWAY_V4, GATEWAY_V6, INTERNET_V4, Device
from tests.bench.row import Row, quantile
from tests.support.lab import a_lab, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab import Lab

ROUNDS = 10
DEVICES = 8
"""Devices in one round: they order together and go online one after the other, well before the
controller would ask by itself what became of their payments."""

PROBE_EVERY_S = 0.002
PROBE_PORT = 5999
PROBES_FIRST = 10
"""A device tries so often in vain before its callback is sent."""

ONLINE_WAIT_S = 10.0
PRICE_KES = 10
SO_TIMESTAMPNS = 35
"""From asm-generic/socket.h."""

_STAMP = struct.Struct("qq")


@dataclass(frozen=True, slots=True)
class _Callback:
    """What the simulated network would have posted."""

    url: str
    body: bytes


def run() -> list[Row]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="lango-bench-") as folder:
        waits_ms, correct = asyncio.run(_measure(Path(folder)))
    return [
        Row(
            name="callback-to-online",
            unit="ms (p99)",
            ours=waits_ms,
            peer=None,
            peer_is="",
            limit=None,
            limit_is="",
            lower_is_better=True,
            correct=correct,
            figure=_p99,
            more={"p50_ms": round(quantile(waits_ms, 0.5), 1), "max_ms": round(max(waits_ms), 1)},
        )
    ]


async def _measure(folder: Path) -> tuple[list[float], bool]:
    waits_ms: list[float] = []
    customers: list[Device] = []
    async with a_lab(folder, devices=DEVICES + 1) as lab:
        plan_id = await lab.sell("bench")
        await lab.fingers.client.post("/sim/faults", json={"callback_lost": True})
        for number in range(ROUNDS):
            devices = [_another(lab, place, number) for place in range(1, DEVICES + 1)]
            customers += devices
            callbacks = await _paid(lab, devices, plan_id)
            for device, callback in zip(devices, callbacks, strict=True):
                waits_ms.append(await asyncio.to_thread(_opened_ms, lab, device, callback))
            latest = waits_ms[-DEVICES:]
            print(f"  {number + 1}: {quantile(latest, 0.5):.0f} ms", file=sys.stderr)
        correct = await _right(lab, customers)
    return waits_ms, correct


def _another(lab: Lab, place: int, number: int) -> Device:
    """A device that was never here, where another was: new MAC, new addresses, new phone."""
    ns = lab.site.device(place).ns
    device = Device(ns, 10 + number * DEVICES + place, flows=lab.site.flows)
    ns.ip(
        "link set eth0 down",
        "addr flush dev eth0",
        f"link set eth0 address {device.mac} up",
        f"addr add {device.ipv4}/16 dev eth0",
        f"addr add {device.ipv6}/64 dev eth0 nodad",
        f"route replace default via {GATEWAY_V4}",
        f"route replace default via {GATEWAY_V6}",
    )
    return device


async def _paid(lab: Lab, devices: list[Device], plan_id: str) -> list[_Callback]:
    """Let the devices order and pay; what their callbacks would be."""
    before = len(await _deliveries(lab))
    for device in devices:
        answer = await lab.order(device, plan_id)
        assert answer.status == 303, answer.text
    for device in devices:
        await lab.pay(device)

    async def lost() -> list[dict[str, Any]]:
        found = (await _deliveries(lab))[before:]
        return found if len(found) == len(devices) else []

    found = await eventually(lost)
    by_phone = {_phone(one["body"]): _Callback(one["url"], one["body"].encode()) for one in found}
    return [by_phone["254" + lab.phone(device)[1:]] for device in devices]


async def _deliveries(lab: Lab) -> list[dict[str, Any]]:
    answer = await lab.fingers.client.get("/sim/callbacks")
    found: list[dict[str, Any]] = answer.json()
    return found


def _phone(body: str) -> str:
    items = json.loads(body)["Body"]["stkCallback"]["CallbackMetadata"]["Item"]
    return next(str(item["Value"]) for item in items if item["Name"] == "PhoneNumber")


def _opened_ms(lab: Lab, device: Device, callback: _Callback) -> float:
    """Post the callback; milliseconds from its last byte to the device's first packet outside."""
    with contextlib.closing(lab.site.internet.socket(kind=socket.SOCK_DGRAM)) as outside:
        outside.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        outside.bind((INTERNET_V4, PROBE_PORT))
        outside.settimeout(ONLINE_WAIT_S)
        with _probing(device):
            time.sleep(PROBES_FIRST * PROBE_EVERY_S)
            sent_ns = _post(callback)
            _, ancillary, _, _ = outside.recvmsg(64, 64)
    (stamp,) = (data for _, kind, data in ancillary if kind == SO_TIMESTAMPNS)
    seconds, nanoseconds = _STAMP.unpack(stamp)
    waited_ms: float = (seconds * 1_000_000_000 + nanoseconds - sent_ns) / 1_000_000
    assert waited_ms > 0, "a packet passed that nobody had paid for"
    return waited_ms


@contextlib.contextmanager
def _probing(device: Device) -> Iterator[None]:
    """Let the device send all the time, as an impatient phone does."""
    made = device.ns.socket(kind=socket.SOCK_DGRAM)
    made.connect((INTERNET_V4, PROBE_PORT))
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(PROBE_EVERY_S):
            with contextlib.suppress(OSError):
                made.send(b"probe")

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        made.close()


def _post(callback: _Callback) -> int:
    """Send the callback, hear the answer; the wall clock's nanoseconds at its last byte."""
    parts = urlsplit(callback.url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(callback.body)}\r\n\r\n"
    )
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as made:
        made.sendall(head.encode() + callback.body)
        sent_ns = time.time_ns()
        answer = made.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return sent_ns


async def _right(lab: Lab, customers: list[Device]) -> bool:
    """One grant for each device, and the price of each in the ledger once."""
    answer = await lab.rig.stall.client.get("/api/v1/grants", params={"limit": 200})
    devices = [mac for grant in answer.json()["data"] for mac in grant["devices"]]
    wanted = [device.mac for device in customers]
    balances = {one["account"]: one["balance"] for one in await lab.rig.stall.balances()}
    taken = str(balances["income:main:plan:bench"]["amount"]).removeprefix("-")
    return sorted(devices) == sorted(wanted) and taken == f"{len(customers) * PRICE_KES}.00"


def _p99(values: list[float]) -> float:
    return quantile(values, 0.99)
