"""How a simulated provider is started by itself, on this machine only."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import DataclassInstance
    from starlette.types import ASGIApp

    S = TypeVar("S", bound=DataclassInstance)

GRACE_S = 1


def run(
    name: str,
    *,
    about: str,
    port: int,
    defaults: S,
    faults: Callable[[S], tuple[str, ...]],
    build: Callable[[S], ASGIApp],
) -> None:
    """Run until told to stop: one option for each field of the settings."""
    parser = argparse.ArgumentParser(prog=f"python -m controller.sandbox.{name}", description=about)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=port)
    for known in fields(defaults):
        default = getattr(defaults, known.name)
        option = f"--{known.name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(option, action="store_true")
        else:
            parser.add_argument(option, type=type(default), default=default)
    told: dict[str, Any] = vars(parser.parse_args())
    host, at = told.pop("host"), told.pop("port")
    settings = type(defaults)(**told)
    found = faults(settings)
    if found:
        parser.error("; ".join(found))
    uvicorn.run(
        build(settings),
        host=host,
        port=at,
        log_level="warning",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_S,
    )
