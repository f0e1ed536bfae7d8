"""What a grant has left: the one quota rule, run at the controller and at every site. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from billing.grant import Grant, Spent
    from billing.plan import Limits


class Ended(StrEnum):
    """Why a grant lets nothing pass any more."""

    REVOKED = "revoked"
    TIME = "time"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Left:
    """What is left. ``seconds`` is the nearer of the two clocks; None where no limit binds."""

    seconds: int | None
    bytes: int | None


def left(limits: Limits, spent: Spent) -> Left:
    """What remains of ``limits`` after ``spent``. Never negative, and never rises with use."""
    clocks = [
        limit - used
        for limit, used in (
            (limits.validity_s, spent.validity_s),
            (limits.uptime_s, spent.uptime_s),
        )
        if limit is not None
    ]
    return Left(
        seconds=max(0, min(clocks)) if clocks else None,
        bytes=None if limits.quota_bytes is None else max(0, limits.quota_bytes - spent.used_bytes),
    )


def ended(grant: Grant, spent: Spent) -> Ended | None:
    """Why the grant is at its end, or None while it is good."""
    if grant.revoked:
        return Ended.REVOKED
    remaining = left(grant.limits, spent)
    if remaining.seconds == 0:
        return Ended.TIME
    if remaining.bytes == 0:
        return Ended.DATA
    return None
