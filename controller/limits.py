"""A plan's limits as its row holds them: columns, and its speeds as one JSON text. PURE.

Burst, steps and windows are never searched for and never change, so they need no columns.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from billing.plan import Burst, Limits, Step, Window

if TYPE_CHECKING:
    from controller.store.rows import PlanRow


def limits_of(plan: PlanRow) -> Limits:
    """What a grant of this plan allows."""
    speeds = json.loads(plan.speeds or "{}")
    burst = speeds.get("burst")
    return Limits(
        down_bps=plan.down_bps,
        up_bps=plan.up_bps,
        validity_s=plan.validity_s,
        uptime_s=plan.uptime_s,
        quota_bytes=plan.quota_bytes,
        devices_max=plan.devices_max,
        burst=None if burst is None else Burst(**burst),
        steps=tuple(Step(**step) for step in speeds.get("steps", ())),
        windows=tuple(Window(**window) for window in speeds.get("windows", ())),
    )


def speeds_text(limits: Limits) -> str | None:
    """The speeds beside the plain rate, as `limits_of` reads them; None when there are none."""
    speeds: dict[str, object] = {}
    if limits.burst is not None:
        speeds["burst"] = asdict(limits.burst)
    if limits.steps:
        speeds["steps"] = [asdict(step) for step in limits.steps]
    if limits.windows:
        speeds["windows"] = [asdict(window) for window in limits.windows]
    return json.dumps(speeds, sort_keys=True) if speeds else None
