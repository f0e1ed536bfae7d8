"""What billing will do until a moment, if nothing happens before: a dry run that writes nothing.

It asks the same pure rules as the run itself (`billing.run`, `billing.dunning`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from billing.charge import Mode, resumed
from billing.dunning import StepKind
from billing.money import Money
from billing.run import Outcome
from billing.subscription import State
from controller.store import billing_bulk as bulk
from controller.usecases.billing_batch import decided, load
from controller.usecases.dunning import preview_dunning

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from billing.charge import Contract
    from billing.run import Turned
    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.usecases.billing_batch import Loaded

PAGE_MAX = 1_000
NAMES_MAX = 1_000
"""So many subscribers are named of each kind; all are counted."""

TURNS_MAX = 5_000
"""Moments of one subscriber that are foreseen."""


@dataclass(frozen=True, slots=True)
class Named:
    """A subscriber, for people."""

    subscriber_id: str
    name: str
    msisdn: str


@dataclass(frozen=True, slots=True)
class Listed:
    """How many subscribers something will happen to, and the first `NAMES_MAX` of them."""

    count: int = 0
    named: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What billing will do until a moment.

    ``invoices`` come to ``amount``, of which wallets pay ``paid`` at once. The lists are of
    subscribers who get an invoice (``billed``), whose prepaid service goes on (``renewed``), or
    lapses (``lapsing``), whose pause ends (``resumed``), and whom dunning reminds, charges,
    suspends, or gives to recovery for invoices that are issued already.
    """

    upto: datetime
    invoices: int = 0
    amount: Money = field(default_factory=lambda: Money(0))
    paid: Money = field(default_factory=lambda: Money(0))
    billed: Listed = Listed()
    renewed: Listed = Listed()
    lapsing: Listed = Listed()
    resumed: Listed = Listed()
    reminded: Listed = Listed()
    charged_late: Listed = Listed()
    suspended: Listed = Listed()
    recovered: Listed = Listed()


_OF_STEP = {
    StepKind.REMIND: "reminded",
    StepKind.FEE: "charged_late",
    StepKind.SUSPEND: "suspended",
    StepKind.RECOVERY: "recovered",
}

_SENTENCES = {
    "billed": "will be billed",
    "renewed": "will be renewed",
    "lapsing": "will lapse",
    "resumed": "will be resumed",
    "reminded": "will be reminded",
    "charged_late": "will be charged a late fee",
    "suspended": "will be suspended",
    "recovered": "will go to recovery",
}


def sentences(found: Preview) -> list[str]:
    """What will happen, for people: ``47 subscribers will be suspended``."""
    told = []
    for kind, words in _SENTENCES.items():
        count = getattr(found, kind).count
        if count:
            told.append(f"{count:,} subscriber{'' if count == 1 else 's'} {words}")
    return told


async def preview(deps: Deps, upto: datetime) -> Preview:
    """What billing will do from now until then, with counts and names. Writes nothing."""
    now = deps.now()
    sums = Counter[str]()
    lists: dict[str, dict[str, Named]] = {kind: {} for kind in _SENTENCES}
    after = ""
    async with deps.db.read() as tx:
        while ids := await bulk.due_page(tx, upto, after=after, limit=PAGE_MAX):
            loaded = await load(tx, ids, upto, lock=False, paused=True)
            resuming = _with_resumed(loaded, now)
            for one, turned in decided(resuming, upto, turns_max=TURNS_MAX)[0].items():
                _count(sums, turned)
                kinds = _kinds(turned, resuming.due[one], loaded.due[one])
                for kind in kinds:
                    lists[kind][one] = _named(loaded, one)
            after = ids[-1]
        await _add_dunning(tx, deps, upto, lists)
    return Preview(
        upto=upto,
        invoices=sums["invoices"],
        amount=Money(sums["amount"]),
        paid=Money(sums["paid"]),
        **{kind: _listed(found.values()) for kind, found in lists.items()},
    )


def _with_resumed(loaded: Loaded, now: datetime) -> Loaded:
    """The same with those whose pause ends as they are then."""
    return replace(
        loaded,
        due={
            one: [_resumed(each, loaded, now) for each in contracts]
            for one, contracts in loaded.due.items()
        },
    )


def _resumed(contract: Contract, loaded: Loaded, now: datetime) -> Contract:
    if contract.state != State.PAUSED:
        return contract
    at = max(now, loaded.rows[contract.id].resume_at)
    return resumed(replace(contract, state=State.ACTIVE), at)


def _count(sums: Counter[str], turned: Turned) -> None:
    sums["invoices"] += len(turned.bills)
    sums["amount"] += sum(bill.total.minor for bill in turned.bills)
    sums["paid"] += sum(bill.paid.minor for bill in turned.bills)


def _kinds(turned: Turned, after: Iterable[Contract], before: Iterable[Contract]) -> set[str]:
    """What happens to a subscriber."""
    kinds = {"billed"} if turned.bills else set[str]()
    for turn in turned.turns:
        if turn.outcome is Outcome.LAPSED:
            kinds.add("lapsing")
        elif turn.contract.mode is Mode.PREPAID:
            kinds.add("renewed")
    if any(one.state != other.state for one, other in zip(after, before, strict=True)):
        kinds.add("resumed")
    return kinds


async def _add_dunning(
    tx: Tx, deps: Deps, upto: datetime, lists: dict[str, dict[str, Named]]
) -> None:
    steps = await preview_dunning(tx, deps, upto)
    ids = sorted({step.subscriber_id for step in steps})
    names: dict[str, Named] = {}
    for start in range(0, len(ids), PAGE_MAX):
        rows = await bulk.subscribers(tx, ids[start : start + PAGE_MAX], lock=False)
        names |= {one: Named(one, row.name, row.msisdn) for one, row in rows.items()}
    for step in steps:
        lists[_OF_STEP[step.kind]][step.subscriber_id] = names[step.subscriber_id]


def _named(loaded: Loaded, subscriber_id: str) -> Named:
    buyer = loaded.payers[subscriber_id].buyer
    return Named(subscriber_id, buyer.name, buyer.phone)


def _listed(found: Iterable[Named]) -> Listed:
    named = tuple(found)
    return Listed(len(named), named[:NAMES_MAX])
