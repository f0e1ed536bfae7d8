"""What the simulated Paystack is told. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field

RETRY_MS_MAX = 600_000
WORKING_MAX_MS = 60_000


@dataclass(frozen=True, slots=True)
class PaystackSimSettings:
    """One business on a simulated Paystack. The defaults are invented, and worth nothing.

    ``callback_url`` is where events go, as the dashboard has it. ``retry_ms`` is how long an event
    that was not answered with 200 waits before it is tried again (three minutes in truth).
    """

    secret_key: str = field(default="sk_test_trial", repr=False)
    business: str = "Lango Wifi"
    currency: str = "KES"
    callback_url: str = ""
    working_ms: int = 300
    retry_ms: int = 3_000
    opening_cents: int = 10_000_00


def sim_faults(settings: PaystackSimSettings) -> tuple[str, ...]:
    """Everything that is wrong with ``settings``, one sentence each, naming the field."""
    faults = [
        f"{name}: is empty"
        for name in ("secret_key", "business", "currency")
        if not getattr(settings, name)
    ]
    if not 0 <= settings.working_ms <= WORKING_MAX_MS:
        faults.append(f"working_ms: want 0 to {WORKING_MAX_MS:,}")
    if not 1 <= settings.retry_ms <= RETRY_MS_MAX:
        faults.append(f"retry_ms: want 1 to {RETRY_MS_MAX:,}")
    if settings.opening_cents < 0:
        faults.append("opening_cents: want 0 or more")
    return tuple(faults)
