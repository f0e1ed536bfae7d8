"""A batch of billing: load subscribers with what is due, ask the pure rule, save in bulk.

The single subscription that is started or renewed is a batch of one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from billing.charge import Account
from billing.errors import BillingRefusal
from billing.ids import GrantId
from billing.money import Money
from billing.run import TURNS_MAX, Outcome, caught_up, cause_of
from controller.store import billing_bulk as bulk
from controller.store import bulk_rows, notices, payers, promotions
from controller.store.billing_rows import (
    AllocationRow,
    BilledPeriodRow,
    DebtRow,
    DocumentLineRow,
    DocumentRow,
)
from controller.store.rows import LedgerTransactionRow, PostingRow
from controller.store.subscriptions import as_contract
from controller.usecases import period_grants, rewards
from controller.usecases.allocation import allocate_in
from controller.usecases.frozen import Seller, buyer_of, seller_of
from controller.usecases.invoice_rows import InvoiceRows, Named, Payer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from billing.charge import Catalogue, Contract, Use
    from billing.dunning import Policy
    from billing.run import Bill, Turn, Turned
    from controller.deps import Deps
    from controller.store.billing_rows import BranchRow, OperatorRow
    from controller.store.database import Tx

LATE_MAX = timedelta(days=92)
"""Use that a site reports so long after its period ended is not charged any more.

It is counted from when the first thing was due: what is caught up with is charged as on its day.
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """What is the same for all subscribers of a round."""

    catalogue: Catalogue
    policies: Mapping[str, Policy]
    operator: OperatorRow
    branches: Mapping[str, BranchRow]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Subscribers with what is due of theirs, as plain values; rows by subscription."""

    shop: Shop
    accounts: Mapping[str, Account]
    payers: Mapping[str, Payer]
    due: Mapping[str, Sequence[Contract]]
    uses: Mapping[str, Sequence[Use]]
    rows: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch came to. ``sites`` have news; of the ``refused`` nothing was billed."""

    turned: Mapping[str, Turned]
    sites: frozenset[str]
    refused: Mapping[str, BillingRefusal]

    def count(self, outcome: Outcome) -> int:
        """How many times subscriptions came to this."""
        return sum(turn.outcome is outcome for each in self.turned.values() for turn in each.turns)

    @property
    def invoices(self) -> int:
        """How many invoices were issued."""
        return sum(len(each.bills) for each in self.turned.values())


async def bill_in(
    tx: Tx, deps: Deps, subscriber_ids: Collection[str], now: datetime, *, lock: bool = False
) -> Batch:
    """Bill all that is due of these subscribers, in the caller's transaction.

    With ``lock`` they are locked here, and those that somebody else holds are left for later;
    without it the caller holds their locks. What other batches wait for comes last: the locks of
    sites, and then those of series of numbers.
    """
    await tx.flush()
    loaded = await load(tx, subscriber_ids, now, lock=lock)
    found, refused = decided(loaded, now)
    await _tell(tx, refused, now)
    last = {name: turn for each in found.values() for name, turn in each.last.items()}
    names = map(GrantId, bulk_rows.new_names(len(last), deps.now()))
    given = {
        name: new
        for (name, turn), grant_id in zip(last.items(), names, strict=True)
        if (new := _given(turn, loaded, now, grant_id)) is not None
    }
    rows = await _reckoned(tx, deps, loaded, found, given=given, now=now)
    await bulk.turn(
        tx,
        [(turn.contract, _grant_of(name, given, loaded)) for name, turn in last.items()],
        loaded.rows,
        now,
    )
    lapsed = [name for name, turn in last.items() if turn.outcome is Outcome.LAPSED]
    untold = await period_grants.changed(
        tx,
        period_grants.Changes(
            given=list(given.values()),
            replaced=[loaded.rows[name].grant_id for name in given],
            suspended=[loaded.rows[name].grant_id for name in lapsed],
        ),
        now,
    )
    await _write(tx, rows, found)
    sites = await untold.tell(tx)
    await _number(tx, rows)
    await _rewarded(tx, deps, rows, now)
    return Batch(found, frozenset(sites), refused)


def decided(
    loaded: Loaded, upto: datetime, *, turns_max: int = TURNS_MAX
) -> tuple[dict[str, Turned], dict[str, BillingRefusal]]:
    """What all that is due of each subscriber comes to, and of whom the rules can make nothing.

    One whose terms cannot be billed is no reason not to bill the others.
    """
    found: dict[str, Turned] = {}
    refused: dict[str, BillingRefusal] = {}
    for one, contracts in loaded.due.items():
        try:
            found[one] = caught_up(
                loaded.accounts[one],
                contracts,
                loaded.uses.get(one, ()),
                loaded.shop.catalogue,
                upto=upto,
                turns_max=turns_max,
            )
        except BillingRefusal as refusal:
            refused[one] = refusal
    return found, refused


async def _tell(tx: Tx, refused: Mapping[str, BillingRefusal], now: datetime) -> None:
    """Tell staff, once, of a subscriber who could not be billed."""
    for one, refusal in refused.items():
        await notices.add(
            tx,
            now=now,
            code="billing_refused",
            text=f"subscriber {one} could not be billed: {refusal}",
            once=f"billing_refused\n{one}\n{refusal}",
        )


async def load(
    tx: Tx, ids: Collection[str], upto: datetime, *, lock: bool, paused: bool = False
) -> Loaded:
    """Subscribers with what is due of theirs by then, in a handful of statements.

    With ``paused`` also those subscriptions whose pause is over by then.
    """
    who = await bulk.subscribers(tx, ids, lock=lock)
    rows = await bulk.due_of(tx, who, upto, lock=lock, paused=paused)
    shop = await _shop(tx)
    sellers = {name: seller_of(shop.operator, one) for name, one in shop.branches.items()}
    wallets = await bulk.wallets(tx, who)
    taken = await bulk.promotions(tx, who)
    due: dict[str, list[Contract]] = {}
    owner = dict[str, str]()
    for row in rows:
        due.setdefault(row.subscriber_id, []).append(as_contract(row))
        owner[row.id] = row.subscriber_id
    uses: dict[str, list[Use]] = {}
    first = min((row.bill_at for row in rows if row.bill_at is not None), default=upto)
    for use in await bulk.uses(tx, rows, since=min(first, upto) - LATE_MAX):
        uses.setdefault(owner[use.contract_id], []).append(use)
    return Loaded(
        shop=shop,
        accounts={
            one: Account(
                id=one,
                segment=row.segment,
                branch_id=row.branch_id,
                wallet=Money(wallets.get(one, 0)),
                taken=tuple(taken.get(one, ())),
            )
            for one, row in who.items()
        },
        payers={one: _payer(row, shop, sellers) for one, row in who.items()},
        due=due,
        uses=uses,
        rows={row.id: row for row in rows},
    )


async def _shop(tx: Tx) -> Shop:
    """What is the same for all, read once in a transaction: so all of it is billed alike."""
    if "shop" not in tx.info:
        operator, branches = await bulk.sellers(tx)
        catalogue, policies = await bulk.catalogue(tx), await bulk.policies(tx)
        tx.info["shop"] = Shop(catalogue, policies, operator, branches)
    shop: Shop = tx.info["shop"]
    return shop


def _payer(row: Any, shop: Shop, sellers: Mapping[str, Seller]) -> Payer:
    return Payer(
        subscriber_id=row.id,
        branch_id=row.branch_id,
        buyer=buyer_of(row),
        seller=sellers[row.branch_id],
        policy=shop.policies.get(row.segment, shop.policies[""]),
    )


def _given(
    turn: Turn, loaded: Loaded, now: datetime, grant_id: GrantId
) -> period_grants.New | None:
    """The grant that a turn gives; none for a period that is over already."""
    if turn.served is None or turn.served.end <= now:
        return None
    row = loaded.rows[turn.contract.id]
    return period_grants.New(
        subscription_id=row.id,
        subscriber_id=row.subscriber_id,
        site_id=row.site_id,
        plan_id=turn.contract.plan_id,
        devices=row.devices,
        start=turn.served.start,
        grant_id=grant_id,
    )


def _grant_of(
    subscription_id: str, given: Mapping[str, period_grants.New], loaded: Loaded
) -> str | None:
    new = given.get(subscription_id)
    held: str | None = loaded.rows[subscription_id].grant_id
    return held if new is None else new.grant_id


async def _reckoned(
    tx: Tx,
    deps: Deps,
    loaded: Loaded,
    found: Mapping[str, Turned],
    *,
    given: Mapping[str, period_grants.New],
    now: datetime,
) -> InvoiceRows:
    """The rows of all invoices, by branch and then by when they fell due, without numbers."""
    rows = InvoiceRows()
    bills = [(one, bill) for one, each in found.items() for bill in each.bills]
    bills.sort(key=lambda each: (loaded.accounts[each[0]].branch_id, each[1].at))
    causes = await _causes(tx, bills)
    names = bulk_rows.new_names(2 * len(bills), deps.now())
    pairs = zip(names[::2], names[1::2], strict=True)
    for (one, bill), cause, (document_id, allocation_id) in zip(bills, causes, pairs, strict=True):
        named = Named(
            bill=bill,
            payer=loaded.payers[one],
            document_id=document_id,
            allocation_id=allocation_id,
            cause=cause,
            grants={t.contract.id: _used_by(t, given, loaded) for t in bill.turns},
        )
        rows.add(named, now)
    return rows


async def _number(tx: Tx, rows: InvoiceRows) -> None:
    """Take numbers for all invoices at once, and write what bears them."""
    numbers = list[int]()
    for series, count in Counter(row[2] for row in rows.documents).items():
        first = await bulk.take_numbers(tx, series, count)
        numbers += range(first, first + count)
    rows.numbered(numbers)
    await bulk_rows.write(tx, DocumentRow, rows.documents)
    await bulk_rows.write(tx, LedgerTransactionRow, rows.transactions)


async def _rewarded(tx: Tx, deps: Deps, rows: InvoiceRows, now: datetime) -> None:
    """Give what loyalty earns for invoices that wallets paid at once; where none runs, nothing."""
    if not await promotions.loyalties(tx, now):
        return
    settled = {debt[0] for debt in rows.debts if not debt[3]}
    paid: dict[str, list[AllocationRow]] = {}
    for values in rows.allocations:
        row = AllocationRow(
            **dict(zip(AllocationRow.__table__.columns.keys(), values, strict=True))
        )
        if row.document_id in settled:
            paid.setdefault(row.subscriber_id, []).append(row)
    for subscriber_id, allocations in paid.items():
        subscriber = await payers.loaded(tx, subscriber_id)
        if await rewards.earned_in(tx, subscriber, allocations, now):
            await allocate_in(tx, deps, subscriber, now)


def _used_by(turn: Turn, given: Mapping[str, period_grants.New], loaded: Loaded) -> str | None:
    """The grant whose use belongs to a billed period: in arrears the one that was used in it."""
    held: str | None = loaded.rows[turn.contract.id].grant_id
    if turn.contract.mode == "arrears":
        return held
    new = given.get(turn.contract.id)
    is_running = new is not None and turn.served is not None and turn.served.start == new.start
    return new.grant_id if new is not None and is_running else None


async def _causes(tx: Tx, bills: Sequence[tuple[str, Bill]]) -> list[str]:
    """The cause of each bill; who joined a period that is invoiced already has one of his own."""
    if not bills:
        return []
    plain = [cause_of(bill.period) for _, bill in bills]
    earliest = min(bill.period.start for _, bill in bills)
    known = await bulk.causes(tx, {one for one, _ in bills}, since=earliest)
    return [
        f"{cause}:{bill.turns[0].contract.id}" if (one, cause) in known else cause
        for (one, bill), cause in zip(bills, plain, strict=True)
    ]


async def _write(tx: Tx, rows: InvoiceRows, found: Mapping[str, Turned]) -> None:
    """Write all of the invoices that bears no number, and what they change of older ones."""
    await bulk_rows.write(tx, DocumentLineRow, rows.lines)
    await bulk_rows.write(tx, DebtRow, rows.debts)
    await bulk_rows.write(tx, BilledPeriodRow, rows.periods)
    await bulk_rows.write(tx, PostingRow, rows.postings)
    await bulk_rows.write(tx, AllocationRow, rows.allocations)
    await bulk.lowered(tx, [use for each in found.values() for use in each.lowered])
    turns = [turn for each in found.values() for turn in each.turns]
    await bulk.charged(tx, [use for turn in turns for use in turn.charged])
