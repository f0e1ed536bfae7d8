"""What changing the plan of a subscription comes to, before and when it is done. PURE."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from billing.charge import Mode, floored, lines_for, part_of_period, whole_price
from billing.invoice import total
from billing.money import Money
from billing.period import Period, day_of, number_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.charge import Account, Catalogue, Contract
    from billing.invoice import Line


@dataclass(frozen=True, slots=True)
class Change:
    """A plan that changes now, with the beginning of the day.

    ``contract`` is what it is then. Of the old plan ``credit`` is given back; ``served`` is what of
    it is billed in arrears. ``charge`` is for the new plan until ``rest`` ends, and ``lowered`` by
    these promotions. From then on a whole period costs ``next_price``.
    """

    contract: Contract
    rest: Period
    served: Period | None
    credit: tuple[Line, ...]
    charge: tuple[Line, ...]
    lowered: tuple[str, ...]
    next_price: Money

    @property
    def credited(self) -> Money:
        """What is given back."""
        return _sum(self.credit, self.next_price)

    @property
    def charged(self) -> Money:
        """What is charged now."""
        return _sum(self.charge, self.next_price)

    @property
    def to_pay(self) -> Money:
        """What is charged more than given back; negative when it is less."""
        return self.charged - self.credited


def cut_of(contract: Contract, now: datetime, *, billed: Period | None) -> datetime:
    """From when the new plan is charged: from the day's beginning, if that is in the same part."""
    begins = billed.start if billed is not None else contract.billed_until or contract.anchor_at
    return max(begins, floored(contract.cycle, now))


def changed(
    contract: Contract,
    account: Account,
    catalogue: Catalogue,
    *,
    plan_id: str,
    price: Money | None,
    now: datetime,
    billed: Period | None,
    credit: Sequence[Line],
) -> Change:
    """What it comes to that a contract is on another plan from now on.

    ``billed`` is the billed part that runs, and ``credit`` what can be given back of it. Where none
    runs nothing is credited or charged: what is due is billed on the new plan.
    """
    cut = cut_of(contract, now, billed=billed)
    after = replace(contract, plan_id=plan_id, bespoke=price, next_plan_id=None)
    in_arrears = contract.mode is Mode.ARREARS
    rest = part_of_period(contract) if billed is None else billed
    rest = Period(cut, rest.end)
    lines: tuple[Line, ...] = ()
    lowered: tuple[str, ...] = ()
    served = None
    if in_arrears:
        begun = part_of_period(contract).start
        served = Period(begun, cut) if begun < cut else None
        after = replace(after, billed_until=cut)
    elif billed is not None:
        running = replace(after, n=number_at(contract.cycle, contract.anchor_at, cut))
        lines, lowered = lines_for(running, account, catalogue, part=rest, plan_id=plan_id)
    return Change(
        contract=after,
        rest=rest,
        served=served,
        credit=tuple(credit),
        charge=lines,
        lowered=lowered,
        next_price=whole_price(after, account, catalogue, day=day_of(rest.end), plan_id=plan_id),
    )


def _sum(lines: Sequence[Line], like: Money) -> Money:
    return total(lines).total if lines else Money(0, like.currency)
