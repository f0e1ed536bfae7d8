"""``python -m controller.sandbox.airtel``: runs the simulated Airtel Money until it is stopped."""

from __future__ import annotations

from datetime import UTC, datetime

from controller.sandbox.airtel.app import build_app
from controller.sandbox.airtel.settings import AirtelSimSettings, sim_faults
from controller.sandbox.standalone import run

PORT = 8092


def main() -> None:
    """Run until told to stop."""
    run(
        "airtel",
        about="A simulated Airtel Money with faults.",
        port=PORT,
        defaults=AirtelSimSettings(),
        faults=sim_faults,
        build=lambda settings: build_app(settings, now=lambda: datetime.now(UTC)),
    )


if __name__ == "__main__":
    main()
