"""A whole rig for tests: controller, simulated M-PESA, lab site and agent, with hands to use it."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import secrets
import socket
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import AsyncRetrying, retry_if_not_result, stop_after_delay, wait_fixed

from controller.sandbox.fingers import Fingers
from controller.sandbox.lab.traffic import PORTAL, Habit, is_online
from controller.sandbox.rig import Rig, RigPlan, RigPorts
from controller.sandbox.stall import StallError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from controller.sandbox.children import Child
    from controller.sandbox.lab.device import Answer, Device
    from controller.sandbox.lab.site import Site

ONLINE_WAIT_S = 15.0
REPORT_WAIT_S = 40.0
"""A session is read every 10 s, and records gather for 5 s before they are sent."""

LOOK_EVERY_S = 0.1

Found = TypeVar("Found")


SHOWN = re.compile(r'id="(down|up)" data-bytes="([0-9]+)"')


@dataclass(frozen=True, slots=True)
class Used:
    """Layer-3 bytes of a device, each way."""

    down_bytes: int
    up_bytes: int


class Lab:
    """A running rig, and what tests do with it. Each test takes a `fresh` device."""

    def __init__(self, rig: Rig, fingers: Fingers) -> None:
        assert rig.site is not None, "a lab needs root"
        self.rig = rig
        self.site: Site = rig.site
        if not rig.plan.empty:
            self.agent: Child = rig.agent
        self.controller: Child = rig.controller
        self.fingers = fingers
        self.agent_config = rig.agent_config
        self._numbers: Iterator[int] = itertools.count(1)
        self._strangers: Iterator[Device] = itertools.cycle(self.site.devices)

    def fresh(self) -> Device:
        """A device that no test has used yet."""
        return self.site.device(next(self._numbers))

    def stranger(self) -> Device:
        """Some device, for tests in a file where none ever pays."""
        return next(self._strangers)

    def phone(self, device: Device) -> str:
        """The phone number that pays for a device, as a customer types it."""
        return f"07000001{device.number:02d}"

    async def whole(self) -> None:
        """Wait until every part answers: what a test killed before has come back."""
        self.agent.revive()
        self.controller.revive()
        self.site.link_up()
        await self.rig.stall.ready()
        device = self.site.devices[-1]

        async def portal_answers() -> bool:
            return (await device.get(f"{PORTAL}/packages", wait_s=2)).status == 200

        await eventually(lambda: _quietly(portal_answers()), wait_s=30)

    async def sell(self, plan_id: str, **limits: Any) -> str:
        """Put a plan on sale and wait until the portal shows it; its id.

        KES 10, 2 Mbit/s, one hour, one device, unless told otherwise.
        """
        await self.whole()
        body = {
            "id": plan_id,
            "name": plan_id,
            "price": {"amount": "10.00", "currency": "KES"},
            "down_bps": 2_000_000,
            "up_bps": 2_000_000,
            **(limits or {"validity_s": 3_600}),
        }
        await self.rig.stall.add("/api/v1/plans", body)
        device = self.site.devices[-1]

        async def shown() -> bool:
            page = (await device.get(f"{PORTAL}/packages")).text
            return f'value="{plan_id}"' in page

        await eventually(shown)
        return plan_id

    async def in_step(self) -> None:
        """Wait until the site has all that the controller wants of it."""
        await eventually(lambda: _in_step(self.rig), wait_s=30)

    async def vouchers(self, plan_id: str, count: int, **how: Any) -> list[str]:
        """A batch of vouchers for a plan, known to the site; their codes."""
        body = {"plan_id": plan_id, "count": count, **how}
        codes: list[str] = (await self._made("vouchers", body))["codes"]
        return codes

    async def token(self, plan_id: str) -> str:
        """An activation token of this site for a plan, as it is shown to who bought it."""
        body = {"plan_id": plan_id, "site_id": self.rig.site_id}
        return str((await self._made("tokens", body))["token"])

    async def _made(self, noun: str, body: dict[str, Any]) -> dict[str, Any]:
        key = {"Idempotency-Key": secrets.token_hex(8)}
        answer = await self.rig.stall.client.post(f"/api/v1/{noun}", json=body, headers=key)
        assert answer.status_code == 201, answer.text
        await self.in_step()
        made: dict[str, Any] = answer.json()
        return made

    async def redeem(self, device: Device, code: str) -> Answer:
        """Type or paste a code at the portal; the answer to the form."""
        return await device.post(f"{PORTAL}/redeem", {"code": code})

    async def order(self, device: Device, plan_id: str) -> Answer:
        """Look at the portal, as people do first, and order; the answer to the form."""
        await device.browse(f"{PORTAL}/")
        return await device.post(f"{PORTAL}/order", {"plan": plan_id, "phone": self.phone(device)})

    async def pay(self, device: Device, *, pin: str = "1234") -> None:
        """Type the PIN on the phone of a device."""
        await self.fingers.pay(Habit("", self.phone(device)).msisdn, pin=pin)

    async def buy(self, device: Device, plan_id: str) -> None:
        """Order, pay, and wait until the device is online."""
        answer = await self.order(device, plan_id)
        assert answer.status == 303, answer.text
        await self.pay(device)
        await self.online(device)

    async def receipt(self, device: Device) -> str:
        """The code of the newest payment for a device."""
        found = [p for p in await self.rig.stall.list("payments") if p["device_mac"] == device.mac]
        return str(max(found, key=lambda payment: str(payment["created_at"]))["receipt"])

    async def online(self, device: Device, *, wait_s: float = ONLINE_WAIT_S) -> None:
        """Wait until the device's own probe says that it is on the internet."""
        await eventually(lambda: _quietly(is_online(device)), wait_s=wait_s)

    async def offline(self, device: Device, *, wait_s: float = ONLINE_WAIT_S) -> None:
        """Wait until the device's own probe says that it is not."""

        async def gone() -> bool:
            return not await _quietly(is_online(device))

        await eventually(gone, wait_s=wait_s)

    async def grant(self, device: Device) -> dict[str, Any]:
        """The newest grant of a device, as the controller has it."""
        found = [g for g in await self.rig.stall.list("grants") if device.mac in g["devices"]]
        return max(found, key=lambda grant: str(grant["created_at"]))

    async def used(self, device: Device) -> Used:
        """What the controller says that a device used in all of its sessions."""
        found = await self.sessions(device)
        return Used(sum(s["down_bytes"] for s in found), sum(s["up_bytes"] for s in found))

    async def uses(self, device: Device, used: Used, *, wait_s: float = REPORT_WAIT_S) -> None:
        """Wait until the controller knows of exactly that use."""

        async def agreed() -> bool:
            return await self.used(device) == used

        try:
            await eventually(lambda: _quietly(agreed()), wait_s=wait_s)
        except AssertionError as fault:
            raise AssertionError(f"{await self.used(device)}, want {used}") from fault

    async def shown(self, device: Device) -> Used:
        """What the portal shows the customer."""
        page = (await device.get(f"{PORTAL}/status")).text
        found = {key: int(count) for key, count in SHOWN.findall(page)}
        return Used(found["down"], found["up"])

    def counted(self, device: Device) -> Used:
        """What the kernel of the gateway has counted for a device, in all of its sessions."""
        table = json.loads(self.site.gateway.run("nft", "-j", "list", "table", "inet", "lango"))
        parts: dict[str, int] = {}
        names: dict[str, set[str]] = {"down": set(), "up": set()}
        own = {str(device.ipv4), str(device.ipv6)}
        for entry in table["nftables"]:
            if "counter" in entry:
                parts[entry["counter"]["name"]] = entry["counter"]["bytes"]
            elif "map" in entry and entry["map"]["name"].startswith("count_"):
                way = entry["map"]["name"].removeprefix("count_")[:-1]
                found = entry["map"].get("elem", [])
                names[way] |= {name for address, name in found if address in own}
        return Used(*(sum(parts[name] for name in names[way]) for way in ("down", "up")))

    async def sessions(self, device: Device) -> list[dict[str, Any]]:
        """The sessions of a device, as the controller has them."""
        listed = await self.rig.stall.list("sessions")
        return [session for session in listed if session["mac"] == device.mac]


async def eventually(
    ask: Callable[[], Awaitable[Found]], *, wait_s: float = ONLINE_WAIT_S
) -> Found:
    """The first true answer. Raises AssertionError with the last one when none comes in time."""

    async def asked() -> Found:  # tenacity awaits only what it can see to be a coroutine function
        return await ask()

    def give_up(state: Any) -> Found:
        raise AssertionError(f"not within {wait_s:g} s; last answer {state.outcome.result()!r}")

    found: Found = await AsyncRetrying(
        retry=retry_if_not_result(bool),
        stop=stop_after_delay(wait_s),
        wait=wait_fixed(LOOK_EVERY_S),
        retry_error_callback=give_up,
    )(asked)
    return found


@contextlib.asynccontextmanager
async def a_lab(
    state_dir: Path,
    *,
    devices: int = 16,
    own_names: bool = False,
    certificate: Path | None = None,
    empty: bool = False,
) -> AsyncIterator[Lab]:
    """A rig on free ports, up and its agent in step with the controller.

    With ``own_names`` the agent's own dnsmasq serves addresses and names; with a ``certificate``
    (and its key in the same file) the portal is at https as well. An ``empty`` one has no accounts
    and no site, and no agent has joined.
    """
    plan = RigPlan(
        state_dir=state_dir,
        ports=free_ports(),
        lab=True,
        devices=devices,
        own_names=own_names,
        certificate=certificate,
        empty=empty,
    )
    async with Rig(plan) as rig:
        fingers = Fingers(f"http://127.0.0.1:{plan.ports.daraja}")
        try:
            lab = Lab(rig, fingers)
            if not empty:
                await eventually(lambda: _in_step(rig), wait_s=30)
            yield lab
        finally:
            await fingers.close()


async def _in_step(rig: Rig) -> bool:
    sites = await rig.stall.list("sites")
    return any(site["id"] == rig.site_id and site["in_step"] for site in sites)


async def _quietly(asked: Awaitable[bool]) -> bool:
    try:
        return await asked
    except (OSError, EOFError, TimeoutError, StallError):
        return False


def free_ports() -> RigPorts:
    """Ports that nothing listens on at this moment."""
    with contextlib.ExitStack() as held:
        probes = [
            held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in fields(RigPorts)
        ]
        return RigPorts(*(probe.getsockname()[1] for probe in probes))
