"""What the simulated Airtel Money is told. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field

TOKEN_LIFE_S = 180
PROMPT_LIFE_MAX_S = 600
WORKING_MAX_MS = 60_000


@dataclass(frozen=True, slots=True)
class AirtelSimSettings:
    """One application of a simulated Airtel. The defaults are invented, and worth nothing.

    ``callback_url`` is what the portal has on file: one address for all payments. ``signed`` makes
    version 2 the only one. ``hash_key`` is the key of the portal with which callbacks are hashed.
    """

    client_id: str = "trial-airtel-id"
    client_secret: str = field(default="trial-airtel-secret", repr=False)
    hash_key: str = field(default="trial-airtel-hash", repr=False)
    country: str = "KE"
    currency: str = "KES"
    prompt_life_s: int = 60
    working_ms: int = 600
    opening_shillings: int = 1_000
    callback_url: str = ""
    signed: bool = False


def sim_faults(settings: AirtelSimSettings) -> tuple[str, ...]:
    """Everything that is wrong with ``settings``, one sentence each, naming the field."""
    faults = [
        f"{name}: is empty"
        for name in ("client_id", "client_secret", "hash_key", "country", "currency")
        if not getattr(settings, name)
    ]
    if not 1 <= settings.prompt_life_s <= PROMPT_LIFE_MAX_S:
        faults.append(f"prompt_life_s: want 1 to {PROMPT_LIFE_MAX_S}")
    if not 0 <= settings.working_ms <= WORKING_MAX_MS:
        faults.append(f"working_ms: want 0 to {WORKING_MAX_MS:,}")
    if settings.opening_shillings < 0:
        faults.append("opening_shillings: want 0 or more")
    return tuple(faults)
