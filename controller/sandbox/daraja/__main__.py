"""``python -m controller.sandbox.daraja``: runs the simulated M-PESA until it is stopped."""

from __future__ import annotations

import argparse
from dataclasses import fields
from datetime import UTC, datetime

import uvicorn

from controller.sandbox.daraja.app import build_app
from controller.sandbox.daraja.settings import SimSettings, sim_faults

GRACE_S = 1
"""Live pages hold their connection open; they are not waited for."""


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m controller.sandbox.daraja",
        description="A simulated M-PESA with a handset and a panel of faults.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    defaults = SimSettings()
    for known in fields(SimSettings):
        default = getattr(defaults, known.name)
        option = f"--{known.name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
            continue
        kind = int if isinstance(default, int) else str
        parser.add_argument(option, type=kind, default=default)
    return parser


def main() -> None:
    """Run until told to stop."""
    arguments = _arguments()
    told = vars(arguments.parse_args())
    host, port = told.pop("host"), told.pop("port")
    settings = SimSettings(**told)
    faults = sim_faults(settings)
    if faults:
        arguments.error("; ".join(faults))
    app = build_app(settings, now=lambda: datetime.now(UTC))
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_S,
    )


if __name__ == "__main__":
    main()
