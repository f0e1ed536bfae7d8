"""What billing means for one subscriber at one moment, as plain data. PURE.

A real run, a preview of one, and the single subscription that is started or renewed ask the same
`turned`: it says which contracts go on and which lapse, and what stands on which invoice. Writing
that down is for others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from billing.charge import (
    Contract,
    Mode,
    due_at,
    lines_for,
    part_of_period,
    tax_day,
    volume_lines,
)
from billing.invoice import total
from billing.period import KNOWN_MAX, Period, boundary, day_of, midnight
from billing.subscription import Event, Hold, Move, State, moved

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.charge import Account, Catalogue, Taken, Use
    from billing.invoice import Line
    from billing.money import Money

TURNS_MAX = 31
"""Moments of one subscriber that are caught up with at once: a batch has to fit into memory."""


class Outcome(StrEnum):
    """What became of a contract that was due."""

    BEGUN = "begun"  # in arrears: served from now on, nothing billed yet
    BILLED = "billed"
    LAPSED = "lapsed"  # prepaid: the wallet does not hold the price


@dataclass(frozen=True, slots=True)
class Turn:
    """A contract as it is after its turn.

    ``billed`` is the part that was billed, ``served`` the period from now on that wants a grant.
    """

    contract: Contract
    outcome: Outcome
    billed: Period | None = None
    served: Period | None = None
    charged: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice to be issued: of all contracts of a subscriber for one period.

    It fell due to be issued ``at``; ``paid`` is what the wallet pays of it at once.
    """

    at: datetime
    period: Period
    lines: tuple[Line, ...]
    total: Money
    paid: Money
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Turned:
    """What a subscriber's turns come to, in their order.

    ``lowered`` are promotions, once for each invoice that they lowered.
    """

    bills: tuple[Bill, ...]
    turns: tuple[Turn, ...]
    wallet: Money
    lowered: tuple[str, ...] = ()

    @property
    def last(self) -> dict[str, Turn]:
        """The last turn of each contract: what it is now."""
        return {turn.contract.id: turn for turn in self.turns}


@lru_cache(KNOWN_MAX)
def cause_of(part: Period) -> str:
    """The cause of an invoice for a period."""
    return f"period:{part.start.isoformat()}/{part.end.isoformat()}"


def to_pay_until(bill: Bill, *, terms_days: int, now: datetime) -> datetime:
    """When an invoice that is issued now is to be paid: so many days later, in whole days.

    Who is billed late is given the days from then on. What is paid at once is due now.
    """
    if bill.paid == bill.total:
        return now
    return max(bill.at, midnight(day_of(now))) + timedelta(days=terms_days)


def first_due(contracts: Sequence[Contract]) -> list[Contract]:
    """Those that fall due first, all at the same moment: earlier periods are billed before later.

    Prepaid ones come first, so that money which is there keeps a service going.
    """
    moments = [contract.bill_at for contract in contracts if contract.bill_at is not None]
    first = min(moments, default=None)
    due = [contract for contract in contracts if contract.bill_at == first and first is not None]
    if len(due) < 2:  # noqa: PLR2004 - nearly always
        return due
    return sorted(due, key=lambda contract: (contract.mode is not Mode.PREPAID, contract.id))


def caught_up(
    account: Account,
    contracts: Sequence[Contract],
    uses: Sequence[Use],
    catalogue: Catalogue,
    *,
    upto: datetime,
    turns_max: int = TURNS_MAX,
) -> Turned:
    """All that falls due of a subscriber by then, each thing once, the earliest first.

    However long nobody looked, it comes to what it would have come to day by day. So many moments
    are done at most, and the rest is left for the next time.
    """
    found = Turned((), (), account.wallet)
    held = {contract.id: contract for contract in contracts}
    for _ in range(turns_max):
        due = first_due([one for one in held.values() if one.bill_at and one.bill_at <= upto])
        if not due:
            break
        step = turned(account, due, uses, catalogue)
        held |= {name: turn.contract for name, turn in step.last.items()}
        found = _with(found, step) if found.turns else step
        if all(one.bill_at is None or one.bill_at > upto for one in held.values()):
            break
        account = replace(account, wallet=step.wallet, taken=_left(account.taken, step.lowered))
        charged = {use for turn in step.turns for use in turn.charged}
        uses = [use for use in uses if use not in charged]
    return found


def _with(found: Turned, step: Turned) -> Turned:
    return Turned(
        found.bills + step.bills,
        found.turns + step.turns,
        step.wallet,
        found.lowered + step.lowered,
    )


def turned(
    account: Account, due: Sequence[Contract], uses: Sequence[Use], catalogue: Catalogue
) -> Turned:
    """What the contracts that are due at one moment come to, in the order in which they are given.

    ``uses`` are the volumes of theirs that are not charged yet.
    """
    wallet, turns, bills = account.wallet, list[Turn](), dict[Period, Bill]()
    lowered = dict[tuple[str, Period], None]()
    for contract in due:
        if contract.state == State.PENDING and contract.mode is Mode.ARREARS:
            turns.append(_begun(contract))
            continue
        mine = [use for use in uses if use.contract_id == contract.id]
        part = part_of_period(contract)
        elsewhere = [use_id for use_id, period in lowered if period != part]
        seen = replace(account, taken=_left(account.taken, elsewhere)) if elsewhere else account
        turn, lines, used = _turn(contract, part, seen, mine, catalogue)
        cost = total(lines).total
        if contract.mode is Mode.PREPAID and wallet.minor < cost.minor:
            turns.append(_lapsed(contract))
            continue
        paid = min(wallet, cost)
        wallet -= paid
        turns.append(turn)
        lowered |= dict.fromkeys((use_id, part) for use_id in used)
        assert contract.bill_at is not None
        bill = Bill(contract.bill_at, part, lines, cost, paid, (turn,))
        bills[part] = _together(bills.get(part), bill)
    names = tuple(use_id for use_id, _ in lowered)
    return Turned(tuple(bills.values()), tuple(turns), wallet, names)


def _left(taken: Sequence[Taken], lowered: Sequence[str]) -> tuple[Taken, ...]:
    """What is left of promotions that lowered these invoices."""
    return tuple(
        one if one.left is None else replace(one, left=max(0, one.left - lowered.count(one.use_id)))
        for one in taken
    )


def _begun(contract: Contract) -> Turn:
    part = part_of_period(contract)
    move = moved(State(contract.state), None, Event.START)
    begun = replace(contract, state=move.state, hold=move.hold, billed_until=part.start)
    return Turn(replace(begun, bill_at=due_at(begun)), Outcome.BEGUN, served=part)


def _lapsed(contract: Contract) -> Turn:
    return Turn(_moved(replace(contract, bill_at=None), Event.LAPSE), Outcome.LAPSED)


def _turn(
    contract: Contract, part: Period, account: Account, uses: Sequence[Use], catalogue: Catalogue
) -> tuple[Turn, tuple[Line, ...], tuple[str, ...]]:
    """A contract whose part is billed: what it is then, the lines, and what lowered them."""
    in_arrears = contract.mode is Mode.ARREARS
    plan_id = contract.plan_id if in_arrears else contract.next_plan_id or contract.plan_id
    lines, used = lines_for(contract, account, catalogue, part=part, plan_id=plan_id)
    volume, charged = volume_lines(contract, account, catalogue, uses, day=tax_day(contract, part))
    after = _gone_on(contract, part)
    served = part
    if in_arrears:
        served = Period(part.end, _end_after(contract))
    return Turn(after, Outcome.BILLED, part, served, charged), (*lines, *volume), used


def _gone_on(contract: Contract, part: Period) -> Contract:
    """A contract whose part is billed: the next one is its turn."""
    move = _move(contract, Event.BILLED)
    changes = contract.next_plan_id is not None
    return Contract(
        id=contract.id,
        plan_id=contract.next_plan_id or contract.plan_id,
        mode=contract.mode,
        cycle=contract.cycle,
        anchor_at=contract.anchor_at,
        n=contract.n + 1,
        bill_at=part.end if contract.mode is not Mode.ARREARS else _end_after(contract),
        billed_until=part.end,
        bespoke=None if changes else contract.bespoke,
        state=move.state,
        hold=move.hold,
    )


def _end_after(contract: Contract) -> datetime:
    """When the period after the running one ends."""
    return boundary(contract.cycle, contract.anchor_at, contract.n + 2)


def _moved(contract: Contract, event: Event) -> Contract:
    move = _move(contract, event)
    return replace(contract, state=move.state, hold=move.hold)


def _move(contract: Contract, event: Event) -> Move:
    hold = None if contract.hold is None else Hold(contract.hold)
    return moved(State(contract.state), hold, event)


def _together(bill: Bill | None, more: Bill) -> Bill:
    if bill is None:
        return more
    return Bill(
        bill.at,
        bill.period,
        (*bill.lines, *more.lines),
        bill.total + more.total,
        bill.paid + more.paid,
        (*bill.turns, *more.turns),
    )
