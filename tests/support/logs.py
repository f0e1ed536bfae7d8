"""The log of a test run, which pytest shows of a test that fails."""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from controller.logs import set_up_logs

if TYPE_CHECKING:
    from collections.abc import Iterator


def draw_plainly() -> None:
    """Show tracebacks as Python does: structlog draws them in colours, 200 ms of CPU each."""
    *before, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, plain])


@contextmanager
def set_up() -> Iterator[io.StringIO]:
    """Where the log goes that the controller sets up; the test run's is put back afterwards."""
    root = logging.getLogger()
    handlers, level, config = root.handlers, root.level, structlog.get_config()
    out = io.StringIO()
    set_up_logs(out)
    try:
        yield out
    finally:
        root.handlers = handlers
        root.setLevel(level)  # told, or every logger would go on as it remembers
        structlog.configure(**config)
