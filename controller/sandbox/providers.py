"""``python -m controller.sandbox.providers FILE``: all simulated providers of a trial, one process.

Each by itself is a process of 39 to 52 MB; together they are 57 MB. Each has a port of its own, and
its own command still starts it alone. See ``told.py`` for the file.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from controller.sandbox.airtel.app import build_app as build_airtel
from controller.sandbox.bank.counter import build_app as build_bank
from controller.sandbox.daraja.app import build_app as build_daraja
from controller.sandbox.mail.app import build_app as build_mail
from controller.sandbox.paystack.app import build_app as build_paystack
from controller.sandbox.told import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.applications import Starlette

    from controller.sandbox.told import Providers


def build_apps(told: Providers) -> list[tuple[Starlette, int]]:
    """Each application with its port."""

    def now() -> datetime:
        return datetime.now(UTC)

    ports = told.ports
    return [
        (build_daraja(told.daraja, now=now), ports.daraja),
        (build_airtel(told.airtel, now=now), ports.airtel),
        (build_paystack(told.paystack, now=now), ports.paystack),
        (build_mail(told.mail, now=now, smtp_port=ports.smtp), ports.mail),
        (build_bank(told.bank, now=now), ports.bank),
    ]


async def serve(apps: Sequence[tuple[Starlette, int]]) -> None:
    """Serve each at its port, until one of them ends: what stops it then is in the log."""
    servers = [_Server(_config(app, port)) for app, port in apps]
    doors = [asyncio.create_task(server.serve()) for server in servers]
    await asyncio.wait(doors, return_when=asyncio.FIRST_COMPLETED)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: nothing here is worth the wait, and SIGTERM ends all at once."""
        yield


def _config(app: Starlette, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        ws="none",
    )


def main() -> None:
    """Run until told to stop, or until one of them ends."""
    parser = argparse.ArgumentParser(
        prog="python -m controller.sandbox.providers",
        description="All simulated providers of a trial, each at its own port.",
    )
    parser.add_argument("file", type=Path)
    told = read(parser.parse_args().file.read_text())
    if faults := told.faults():
        parser.error("; ".join(faults))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(build_apps(told)))
        sys.exit("one of the providers has ended")


if __name__ == "__main__":
    main()
