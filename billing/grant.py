"""The right to use, bought or given. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from billing.ids import GrantId, PlanId
    from billing.plan import Limits


@dataclass(frozen=True, slots=True)
class Grant:
    """A right to use: what was bought, frozen at the moment of buying.

    ``devices`` are the MAC addresses that may use it, in the order in which they were added;
    ``revoked`` ends it for good.
    """

    id: GrantId
    plan_id: PlanId
    plan_name: str
    limits: Limits
    devices: tuple[str, ...]
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been used of a grant.

    ``validity_s`` is whole seconds since the first access (0 before it), ``uptime_s`` is connected
    time, ``used_bytes`` counts both directions. None of them ever falls.
    """

    validity_s: int = 0
    uptime_s: int = 0
    used_bytes: int = 0

    def __post_init__(self) -> None:
        assert self.validity_s >= 0
        assert self.uptime_s >= 0
        assert self.used_bytes >= 0


def most(a: Spent, b: Spent) -> Spent:
    """Two views of the same grant joined: nobody's paid time is counted less than either saw."""
    return Spent(
        validity_s=max(a.validity_s, b.validity_s),
        uptime_s=max(a.uptime_s, b.uptime_s),
        used_bytes=max(a.used_bytes, b.used_bytes),
    )
