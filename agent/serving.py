"""The portal's sockets and servers: on the LAN alone, and with TLS where there is a certificate."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent import log, visitors
from agent.network.plan import PORTAL_TLS_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from agent.clock import Clock
    from agent.config import Config
    from agent.gate import SiteGate

BIND_RETRY_S = 5
CERTIFICATE_LOOK_S = 3_600
"""How often it is looked whether the portal's certificate was renewed."""

STOP_S = 5
"""How long the portal may finish answers when the agent is told to stop."""


class Portal(visitors.Server):
    """The portal's HTTP server; signals are the agent's affair, not the server's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


@dataclass(slots=True)
class Door:
    """Whether the portal takes connections just now."""

    is_open: bool = False


async def serve(config: Config, gate: SiteGate, clock: Clock, door: Door) -> None:
    """Serve the portal, with TLS as well where there is a certificate."""
    from portal.captive.app import create_app

    secure = config.certificate is not None
    portal_url = f"https://{config.portal_host}/" if secure else None
    app = create_app(gate, host=config.portal_host, portal_url=portal_url)
    async with asyncio.TaskGroup() as group:
        group.create_task(
            _serve_at(config.portal_port, visitors.Config(app, **_SERVED), config, clock, door)
        )
        if secure:
            group.create_task(_serve_tls(app, config, clock))


async def _serve_tls(app: ASGIApp, config: Config, clock: Clock) -> None:
    """Serve with TLS; a certificate that cannot be used is waited for, and a renewed one taken."""
    told = ""
    files: dict[str, Any] = {
        "ssl_certfile": config.certificate,
        "ssl_keyfile": config.certificate_key,
    }
    while True:
        settings = visitors.Config(app, **files, **_SERVED)
        try:
            settings.load()
        except (OSError, ValueError) as error:
            if str(error) != told:
                log.warning("trouble", part="certificate", error=str(error))
                told = str(error)
            await clock.sleep(CERTIFICATE_LOOK_S)
            continue
        break
    async with asyncio.TaskGroup() as group:
        group.create_task(_serve_at(PORTAL_TLS_PORT, settings, config, clock, Door()))
        group.create_task(_take_renewed(settings, clock))


async def _take_renewed(settings: visitors.Config, clock: Clock) -> None:
    """Connections from now on get the certificate that is there now."""
    assert settings.ssl is not None
    assert settings.ssl_certfile is not None
    while True:
        await clock.sleep(CERTIFICATE_LOOK_S)
        try:
            settings.ssl.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
        except (OSError, ValueError) as error:
            log.warning("trouble", part="certificate", error=str(error))


async def _serve_at(
    port: int, settings: visitors.Config, config: Config, clock: Clock, door: Door
) -> None:
    """Serve at one port; a LAN that is not there yet is waited for."""
    told = False
    while True:
        try:
            sockets = _listening(config, port)
        except OSError as error:
            if not told:
                log.warning("trouble", part="portal", error=str(error))
                told = True
            await clock.sleep(BIND_RETRY_S)
            continue
        break
    door.is_open = True
    try:
        await Portal(settings).serve(sockets=sockets)
    finally:
        door.is_open = False
        for one in sockets:
            one.close()


_SERVED: dict[str, Any] = {
    "http": visitors.Visitor,
    "loop": "asyncio",
    "lifespan": "off",
    "log_config": None,
    "access_log": False,
    "server_header": False,
    # Invariant: a device is who its packets say; headers that name another are not believed.
    "proxy_headers": False,
    "limit_concurrency": visitors.CONNECTIONS_MAX,
    "timeout_keep_alive": STOP_S,
    "timeout_graceful_shutdown": STOP_S,
}


def _listening(config: Config, port: int) -> list[socket.socket]:
    """Sockets that only the LAN reaches (only this machine, on the memory plane).

    Beside routers: where they lead devices, and nowhere else.
    """
    if config.plane == "memory":
        return [_socket(socket.AF_INET, "127.0.0.1", port, device=None)]
    if config.routers:
        return _all_open(sorted({str(one.portal) for one in config.routers}), port)
    sockets = [_socket(socket.AF_INET, "0.0.0.0", port, device=config.lan)]
    if socket.has_ipv6:
        with contextlib.suppress(OSError):
            sockets.append(_socket(socket.AF_INET6, "::", port, device=config.lan))
    return sockets


def _all_open(addresses: list[str], port: int) -> list[socket.socket]:
    """A socket at each address, or none. Raises `OSError`."""
    made: list[socket.socket] = []
    try:
        made.extend(_socket(socket.AF_INET, one, port, device=None) for one in addresses)
    except OSError:
        for one in made:
            one.close()
        raise
    return made


def _socket(
    family: socket.AddressFamily, address: str, port: int, *, device: str | None
) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if device is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        made.bind((address, port))
        made.listen(512)
        made.setblocking(False)  # noqa: FBT003 - the library's signature
    except OSError:
        made.close()
        raise
    return made
