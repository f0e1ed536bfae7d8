"""All parts of a trial, wired: controller, simulated providers, site, agent, the phone.

The parts are the product's own programs, started by their own commands. The rig only writes their
configuration, starts them in order, keeps them up, and stops them together.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from controller.keep import write_private
from controller.sandbox import shop
from controller.sandbox.children import Child, ChildFailed, Program, once
from controller.sandbox.lab.device import GATEWAY_V4, GATEWAY_V6, INTERNET_V4
from controller.sandbox.lab.phone import DeviceRoad, LoopbackRoad, Phone, serve_phone
from controller.sandbox.lab.site import CONTROLLER_V4, PORTAL_HOST, Ports, Site, missing_tools
from controller.sandbox.stall import Stall
from controller.sandbox.told import ProviderPorts
from controller.vault import open_vault

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

LOOPBACK = "127.0.0.1"
PHONE_SOURCE = "127.0.0.11"
"""Where the browser's phone comes from when there is no lab."""

JOIN_WAIT_S = 30.0
STOP_WAIT_S = 20.0
PHONE_DEVICE = 1
"""The lab device that the browser drives."""


class PortTaken(Exception):  # noqa: N818 - a sentence for the screen
    """Another program listens where a part of the trial has to; the message names the port."""


@dataclass(frozen=True, slots=True)
class RigPorts:
    """Where the parts listen: all on this machine's loopback, but the portal on its site."""

    http: int = 8080
    edge: int = 8443
    join: int = 8444
    daraja: int = 8090
    phone: int = 8091
    portal: int = 8000
    airtel: int = 8092
    paystack: int = 8093
    mail: int = 8094
    bank: int = 8095
    smtp: int = 2525


@dataclass(frozen=True, slots=True)
class RigPlan:
    """What to build. ``lab`` None means: the real lab when this machine and user allow it.

    ``own_names`` has the lab's agent serve addresses and names by its own dnsmasq. Unlike all else
    of a rig, that outlives a killed one: it is made to outlive everything but its own end.
    ``certificate`` is a file with the portal's certificate and key, for https. With ``empty``
    nothing is set up: no accounts, no plans, no site; the set-up begins there.
    """

    state_dir: Path
    ports: RigPorts = field(default_factory=RigPorts)
    lab: bool | None = None
    devices: int = 4
    own_names: bool = False
    certificate: Path | None = None
    empty: bool = False


def lab_obstacle() -> str | None:
    """Why there can be no lab here, as words for the screen; None when there can."""
    if not sys.platform.startswith("linux"):
        return "the lab needs Linux"
    if os.geteuid() != 0:
        return "the lab needs root"
    if missing := missing_tools():
        return f"the lab needs {', '.join(missing)}"
    return None


class Rig:
    """A running trial. Enter to start it, leave to stop it; a killed one leaves nothing running.

    Raises `PortTaken`, `ChildFailed`, `StallError`, `NamespaceError`.
    """

    def __init__(self, plan: RigPlan) -> None:
        self.plan = plan
        self.has_lab = plan.lab if plan.lab is not None else lab_obstacle() is None
        self.site: Site | None = None
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held = contextlib.AsyncExitStack()
        self._keeping: set[asyncio.Task[None]] = set()
        self._dir = plan.state_dir.absolute()
        self.site_id = "trial-lab" if self.has_lab else "trial-memory"

    async def __aenter__(self) -> Self:
        check_ports(self._ports_wanted())
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        (self._dir / "logs").mkdir(parents=True, exist_ok=True)
        ports = self.plan.ports
        vault = open_vault(self._private("controller"))
        self.staff_key = vault.staff_key()
        self.stall = Stall(url=self._controller_url, staff_key=self.staff_key)
        self._held.push_async_callback(self.stall.close)
        self._shop = shop.opened(
            self._private("providers"),
            ports=provider_ports(ports),
            urls=shop.Urls(
                controller=self._controller_url,
                phone=f"http://{LOOPBACK}:{ports.phone}/",
                site_id=self.site_id,
            ),
            vault=vault,
        )
        self.simulators = self._keep(self._simulators_program())
        self.controller = self._keep(self._controller_program())
        if self.has_lab:
            lab_ports = Ports(edge=ports.edge, join=ports.join)
            lab = Site(
                self._dir / "lab",
                devices=self.plan.devices,
                ports=lab_ports,
                own_names=self.plan.own_names,
            )
            self.site = await self._held.enter_async_context(lab)
        await self._or_failed(self.stall.ready())
        if not self.plan.empty:
            await self.stall.fill(site_id=self.site_id, site_name="Trial site")
            await self.join(self.site_id)
        self.phone_server = await serve_phone(Phone(self._road()), port=ports.phone)
        self._held.callback(self.phone_server.close)

    async def _stop(self) -> None:
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        if self.site is not None and self.plan.own_names:
            await once(self._agent_program("stop-names", "network", "stop"), wait_s=STOP_WAIT_S)
        await self._held.aclose()
        if not self.failed.done():
            self.failed.cancel()

    def _keep(self, program: Program) -> Child:
        child = Child(program)
        task = asyncio.create_task(child.keep(), name=program.name)
        self._keeping.add(task)
        task.add_done_callback(self._note_failure)
        return child

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) and not self.failed.done():
            self.failed.set_exception(fault)

    async def _or_failed(self, work: Coroutine[object, object, None]) -> None:
        """Await ``work``, but give up as soon as a program does not stay up."""
        task = asyncio.create_task(work)
        await asyncio.wait({task, self.failed}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.failed.result()
        await task

    async def join(self, site_id: str) -> None:
        """Have the agent join as a site that is there, and run from then on.

        Raises `ChildFailed`, `StallError`.
        """
        # The note is written after the agent has its certificate: a join that was cut off is
        # repeated with a new token.
        joined = self._agent_dir / "joined-by-trial"
        self._write_agent_config()
        if not joined.exists():
            token = await self.stall.join_token(site_id)
            await once(self._agent_program("join", "join", token, "--replace"), wait_s=JOIN_WAIT_S)
            joined.touch()
        self.agent = self._keep(self._agent_program("agent", "run"))

    def _simulators_program(self) -> Program:
        argv = (sys.executable, "-m", "controller.sandbox.providers", str(self._shop.file))
        return self._program("providers", argv)

    def _controller_program(self) -> Program:
        path = self._dir / "controller.toml"
        write_private(path, self._controller_config().encode())
        return self._program("controller", (_command("lango"), "run", "--config", str(path)))

    def _agent_program(self, name: str, verb: str, *words: str) -> Program:
        argv = (_command("lango-agent"), verb, *words, "--config", str(self.agent_config))
        return self._program(name, argv, inside=True)

    def _program(self, name: str, argv: tuple[str, ...], *, inside: bool = False) -> Program:
        return Program(
            name=name,
            argv=argv,
            log_path=self._dir / "logs" / f"{name}.log",
            inside=self.site.gateway if inside and self.site else None,
        )

    def _controller_config(self) -> str:
        ports = self.plan.ports
        public_host = CONTROLLER_V4 if self.has_lab else LOOPBACK
        at = {} if self.plan.empty else {"public_url": self._controller_url}
        return _toml(
            {"state_dir": str(self._dir / "controller")},
            http={"port": ports.http, "callback_sources": [LOOPBACK], **at},
            edge={"port": ports.edge, "join_port": ports.join, "public_host": public_host},
            operator={"name": "Lango trial", "help_phone": "0700 000 000"},
            simulated=dict.fromkeys(("mpesa", "sms"), f"http://{LOOPBACK}:{ports.daraja}"),
            **({} if self.plan.empty else self._shop.accounts),
        )

    def _write_agent_config(self) -> None:
        plane = "linux" if self.has_lab else "memory"
        network = {"network": _LAB_NETWORK} if self.has_lab and self.plan.own_names else {}
        text = _toml(
            {"state_dir": str(self._agent_dir), "plane": plane},
            lan={"interface": "br-lan"},
            wan={"interface": "wan0", "masquerade": True},
            portal={"port": self.plan.ports.portal, "host": PORTAL_HOST, **self._certificate()},
            **network,
        )
        write_private(self.agent_config, text.encode())

    def _certificate(self) -> dict[str, str]:
        path = self.plan.certificate
        return {} if path is None else {"certificate": str(path), "key": str(path)}

    @property
    def _controller_url(self) -> str:
        return f"http://{LOOPBACK}:{self.plan.ports.http}"

    @property
    def agent_config(self) -> Path:
        """The file that the agent reads its configuration from."""
        return self._agent_dir / "agent.toml"

    @property
    def _agent_dir(self) -> Path:
        return self._private("agent-lab" if self.has_lab else "agent-memory")

    def _private(self, name: str) -> Path:
        path = self._dir / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def _road(self) -> DeviceRoad | LoopbackRoad:
        if self.site is not None:
            return DeviceRoad(self.site.device(PHONE_DEVICE))
        return LoopbackRoad(source=PHONE_SOURCE, portal_port=self.plan.ports.portal)

    def _ports_wanted(self) -> dict[str, int]:
        ports = self.plan.ports
        wanted = {
            "the controller's pages": ports.http,
            "the controller's sites": ports.edge,
            "joining sites": ports.join,
            "the simulated M-PESA": ports.daraja,
            "the phone": ports.phone,
            "the simulated Airtel Money": ports.airtel,
            "the simulated Paystack": ports.paystack,
            "the simulated bank": ports.bank,
            "the letters": ports.mail,
            "the simulated mail server": ports.smtp,
        }
        return wanted if self.has_lab else {**wanted, "the captive portal": ports.portal}


def provider_ports(ports: RigPorts) -> ProviderPorts:
    """Those of them at which the simulated providers listen."""
    return ProviderPorts(
        daraja=ports.daraja,
        airtel=ports.airtel,
        paystack=ports.paystack,
        mail=ports.mail,
        smtp=ports.smtp,
        bank=ports.bank,
    )


_LAB_NETWORK = {
    "address": f"{GATEWAY_V4}/16",
    "address6": f"{GATEWAY_V6}/64",
    "range": "10.77.1.1-10.77.1.250",
    "lease_s": 600,
    "upstreams": [INTERNET_V4],
    # The lab's internet is of addresses that a careful resolver takes for somebody's LAN.
    "private_names": ["com", "example", "lab", "org"],
}


def check_ports(wanted: Mapping[str, int]) -> None:
    """Raise `PortTaken` naming every port of ``wanted`` (its use, its number) that is in use."""
    taken = [f"port {port}, for {use}" for use, port in wanted.items() if not _is_free(port)]
    if taken:
        raise PortTaken(f"already in use on {LOOPBACK}: {'; '.join(taken)}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _command(name: str) -> str:
    """One of our own commands: from where this Python has its commands, else from PATH."""
    found = shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)
    if found is None:
        raise ChildFailed(f"the command {name} is not installed; run make setup")
    return found


def _toml(top: Mapping[str, object], **sections: Mapping[str, object]) -> str:
    # Text, whole numbers, booleans and lists of text are written alike in TOML and in JSON.
    def lines(values: Mapping[str, object]) -> list[str]:
        return [f"{key} = {json.dumps(value)}" for key, value in values.items()]

    written = lines(top)
    for name, values in sections.items():
        written += ["", f"[{name}]", *lines(values)]
    return "\n".join(written) + "\n"
