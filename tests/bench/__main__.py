"""Runs the measurements: all, or the one that is named. Progress goes to standard error."""

from __future__ import annotations

import importlib
import logging
import sys

import structlog

NAMES = (
    "admission",
    "callback-to-online",
    "callbacks",
    "count",
    "crash",
    "dashboard",
    "forward",
    "hosted",
    "invoice",
    "ledger",
    "outbox",
    "portal",
    "radius",
    "routeros",
    "series",
    "shaper-build",
    "shaper-replan",
    "small",
)


def main(wanted: list[str]) -> int:
    """Run and print; 2 for an unknown name, 1 when a result was not correct."""
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    _log_to_stderr()
    correct = True
    for name in wanted or NAMES:
        print(f"{name} ...", file=sys.stderr)
        module = importlib.import_module(f"tests.bench.{name.replace('-', '_')}")
        for row in module.run():
            print(row.line(), flush=True)
            correct = correct and row.correct
    return 0 if correct else 1


def _log_to_stderr() -> None:
    """Standard output belongs to the figures."""
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
