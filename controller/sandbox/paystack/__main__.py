"""``python -m controller.sandbox.paystack``: runs the simulated Paystack until it is stopped."""

from __future__ import annotations

from datetime import UTC, datetime

from controller.sandbox.paystack.app import build_app
from controller.sandbox.paystack.settings import PaystackSimSettings, sim_faults
from controller.sandbox.standalone import run

PORT = 8093


def main() -> None:
    """Run until told to stop."""
    run(
        "paystack",
        about="A simulated Paystack with a hosted card page and faults.",
        port=PORT,
        defaults=PaystackSimSettings(),
        faults=sim_faults,
        build=lambda settings: build_app(settings, now=lambda: datetime.now(UTC)),
    )


if __name__ == "__main__":
    main()
