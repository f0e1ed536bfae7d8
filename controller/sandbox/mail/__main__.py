"""``python -m controller.sandbox.mail``: runs the simulated mail server until it is stopped."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import uvicorn

from controller.sandbox.mail.app import build_app
from controller.sandbox.mail.settings import MailSettings


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m controller.sandbox.mail",
        description="A simulated mail server whose letters can be read at /mail.",
    )
    defaults = MailSettings()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8094)
    parser.add_argument("--smtp-port", type=int, default=2525)
    parser.add_argument("--username", default=defaults.username)
    parser.add_argument("--password", default=defaults.password)
    return parser


def main() -> None:
    """Run until told to stop."""
    told = _arguments().parse_args()
    app = build_app(
        MailSettings(username=told.username, password=told.password),
        now=lambda: datetime.now(UTC),
        smtp_host=told.host,
        smtp_port=told.smtp_port,
    )
    uvicorn.run(
        app, host=told.host, port=told.port, log_level="warning", access_log=False, ws="none"
    )


if __name__ == "__main__":
    main()
