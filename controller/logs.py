"""What the log looks like, and what it never says.

JSON lines on stdout when nobody is looking (the journal of the machine reads them), colours when a
person is. Whatever the road (structlog, the standard library, a traceback) every line passes
`mask`: phone numbers keep their first four and last three digits, secrets keep nothing.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any

import structlog

from billing.msisdn import masked

if TYPE_CHECKING:
    from typing import TextIO

    from structlog.typing import EventDict, Processor

SECRET_WORDS = (
    "authorization",
    "consumer_key",
    "csr_pem",
    "key_pem",
    "passkey",
    "password",
    "secret",
    "staff_key",
    "token",
)
"""A value is hidden when the name it is logged under holds one of these."""

SECRET_NAMES = ("pin", "cookie")
"""A value is hidden when it is logged under exactly this name."""

HIDDEN = "••••"
DEPTH_MAX = 6
"""Nested values deeper than this are not shown at all."""

_PHONE = re.compile(
    r"(?:(?<![0-9A-Za-z])|(?<=%2[Bb]))(?:\+?254[ -]?|0)"
    r"([17][0-9]{2})[ -]?([0-9]{3})[ -]?([0-9]{3})(?![0-9A-Za-z])"
)
"""Kenyan mobile numbers as people and providers write them, also with blanks or in an address."""

_QUIET = ("uvicorn.access", "uvicorn.error", "httpx2", "httpcore", "aiosqlite", "alembic")


def set_up_logs(out: TextIO = sys.stdout) -> None:
    """Send every log of this process to ``out``: JSON, or for people when it is a terminal."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                mask,
                _renderer(pretty=out.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def mask(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """The event without secrets and with phone numbers masked, however deep they are."""
    return {_named(key): _shown(key, value, depth=0) for key, value in event.items()}


def _named(name: object) -> str:
    """A name under which something is logged: one that somebody chose may be a number itself."""
    return _PHONE.sub(_masked_phone, str(name))


def _shown(name: str, value: Any, *, depth: int) -> Any:
    if _is_secret(name):
        return HIDDEN
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _inside(value, depth=depth)
    if value is None or isinstance(value, bool | float):
        return value
    text = _PHONE.sub(_masked_phone, str(value))
    return value if isinstance(value, int) and text == str(value) else text


def _inside(value: Any, *, depth: int) -> Any:
    if depth == DEPTH_MAX:
        return HIDDEN
    if isinstance(value, dict):
        return {_named(k): _shown(str(k), v, depth=depth + 1) for k, v in value.items()}
    return [_shown("", item, depth=depth + 1) for item in value]


def _is_secret(name: str) -> bool:
    lowered = name.lower()
    return lowered in SECRET_NAMES or any(word in lowered for word in SECRET_WORDS)


def _masked_phone(found: re.Match[str]) -> str:
    return masked(f"254{found[1]}{found[2]}{found[3]}")


def _renderer(*, pretty: bool) -> Processor:
    if pretty:
        return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer(ensure_ascii=False)
