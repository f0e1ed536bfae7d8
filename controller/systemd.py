"""Tells systemd that we answer, still answer, or are stopping. Without systemd it says nothing.

Source: sd_notify(3): datagrams to the socket that ``NOTIFY_SOCKET`` names (``@`` means abstract),
and a sign of life at least every ``WATCHDOG_USEC`` microseconds.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, NoReturn

import structlog

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNS_PER_WATCHDOG = 3
IDLE_S = 3_600.0
"""How often a process without a watchdog wakes up to say nothing."""

log = structlog.get_logger("systemd")


class Systemd:
    """The one who started us, if it was systemd."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._path = environ.get("NOTIFY_SOCKET", "")
        watchdog = environ.get("WATCHDOG_USEC", "")
        self._watchdog_s = int(watchdog) / 1_000_000 if watchdog.isdigit() else 0.0

    def ready(self) -> None:
        """We answer."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """We were asked to stop, and do."""
        self._tell("STOPPING=1")

    async def stay_alive(self) -> NoReturn:
        """Give signs of life for as long as the event loop turns; ends only by being cancelled."""
        while True:
            if self._watchdog_s:
                self._tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_s / SIGNS_PER_WATCHDOG or IDLE_S)

    def _tell(self, message: str) -> None:
        if not self._path:
            return
        target = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as road:
                road.settimeout(0)
                road.sendto(message.encode(), target)
        except OSError as error:
            log.warning("systemd_not_told", message=message, error=str(error))
