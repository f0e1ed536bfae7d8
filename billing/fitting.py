"""What money buys that is not what was asked for. PURE."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from billing.ids import PlanId

Priced = tuple["PlanId | str", int]
"""A plan's id and its price in minor units."""


class OddAmounts(StrEnum):
    """What becomes of money that is too little for what was ordered."""

    WALLET = "wallet"  # it stays in the wallet
    BEST_PLAN = "best_plan"  # it buys the dearest plan on sale that it pays for


def fit(
    held_minor: int, *, wanted: Priced, offered: Sequence[Priced], rule: OddAmounts
) -> str | None:
    """The plan that ``held_minor`` buys: the wanted one if it can be paid, else by the rule.

    Never one that costs nothing, nor more than what was wanted; of two that cost the same the first
    by its id. None: nothing is bought.
    """
    plan_id, price = wanted
    if held_minor >= price:
        return plan_id
    if rule is OddAmounts.WALLET:
        return None
    fitting = sorted(
        ((-cost, name) for name, cost in offered if 0 < cost <= min(held_minor, price))
    )
    return fitting[0][1] if fitting else None
