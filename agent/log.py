"""What the agent tells its log: an event and its facts, one line each, as ``key=value``.

The standard library alone: a logging library costs more memory than the agent's whole state.
"""

from __future__ import annotations

import logging
import sys
import time

NAME = "lango.agent"


def info(event: str, **facts: object) -> None:
    """Something happened as it should."""
    logging.getLogger(NAME).info(line(event, facts))


def warning(event: str, **facts: object) -> None:
    """Something is not as it should be, and is being dealt with."""
    logging.getLogger(NAME).warning(line(event, facts))


def error(event: str, **facts: object) -> None:
    """Something failed that staff should look at."""
    logging.getLogger(NAME).error(line(event, facts))


def line(event: str, facts: dict[str, object]) -> str:
    """One line; whatever has spaces or control characters in it is quoted."""
    return " ".join([f"event={event}", *(f"{key}={_plain(facts[key])}" for key in facts)])


def to_stderr() -> None:
    """Send all lines to standard error, with the time in UTC; for ``main``."""
    form = logging.Formatter("%(asctime)s.%(msecs)03dZ level=%(levelname)s %(message)s")
    form.datefmt = "%Y-%m-%dT%H:%M:%S"
    form.converter = time.gmtime
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(form)
    root = logging.getLogger()
    root.handlers = [out]
    root.setLevel(logging.WARNING)
    logging.getLogger(NAME).setLevel(logging.INFO)


def _plain(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and text and " " not in text else repr(text)
