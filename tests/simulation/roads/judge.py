"""What must hold of the books, in plain SQL, against what the providers really did.

Nothing of the product's judges here: neither its rules nor its readers, only its tables.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from controller.store.database import Database
    from tests.simulation.roads.play import Play
    from tests.simulation.roads.stage import Stage
    from tests.simulation.roads.truth import Truth

BOOKED = ("suspense", "credited", "returned")
NOISE = re.compile(r"[\s\-_./:#]+")


class Broken(Exception):  # noqa: N818 - a sentence
    """Something does not hold."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A row of money that came, as the judge sees it."""

    id: str
    key: tuple[str, str]
    minor: int
    state: str
    order_id: str | None
    received_id: str | None

    @property
    def is_accounts(self) -> bool:
        """Whether it is in somebody's wallet."""
        return self.received_id is not None


async def rows(db: Database, query: str) -> Sequence[Any]:
    """What a query finds."""
    async with db.read() as tx:
        return list(await tx.execute(text(query)))


async def arrived(db: Database) -> list[Arrived]:
    """All money that was told, in the order of its receipts."""
    found = await rows(
        db,
        "SELECT id, rail, receipt, amount_minor, state, order_id, received_id FROM arrival"
        " ORDER BY rail, receipt",
    )
    return [Arrived(r[0], (r[1], r[2]), r[3], r[4], r[5], r[6]) for r in found]


async def knows(db: Database, name: str) -> bool:
    """Whether an order is known to us under its provider's name for it."""
    names = await rows(db, "SELECT provider_id FROM payment")
    return name in {one[0] for one in names}


async def credited_receipt(db: Database) -> str | None:
    """A receipt of M-PESA's that has paid for something."""
    for one in await arrived(db):
        if one.state == "credited" and one.key[0] == "mpesa" and not one.key[1].startswith("WS_"):
            return one.key[1]
    return None


async def money_to_give_back(db: Database, chance: random.Random) -> Arrived | None:
    """Money that staff may give back."""
    found = [one for one in await arrived(db) if one.state in {"credited", "suspense"}]
    return chance.choice(found) if found else None


async def balances(db: Database) -> Counter[str]:
    """What each account of the ledger holds."""
    held: Counter[str] = Counter()
    for source, target, minor in await rows(db, "SELECT source, target, amount_minor FROM posting"):
        held[target] += minor
        held[source] -= minor
    return held


async def all_is_here(stage: Stage, truth: Truth, *, rails: tuple[str, ...]) -> None:
    """Everything that was settled is credited or in suspense, and its amount is right."""
    known = {one.key: one for one in await arrived(stage.deps.db)}
    stand_ins = {key[1] for key in known}
    for key, paid in truth.paid.items():
        if key[0] not in rails:
            continue
        row = known.get(key)
        if row is None and paid.push is not None and paid.push.upper() in stand_ins:
            continue  # found by asking: its receipt is still to come
        _must(row is not None, f"{key} was settled, and nobody knows of it")
        assert row is not None
        _must(
            row.state in BOOKED or paid.minor > 500_000,
            f"{key} was settled, and is {row.state} only",
        )


async def all_is_right(play: Play) -> None:
    """Everything, once the last fault is mended and the last statement is in."""
    db, truth = play.stage.deps.db, play.truth
    known = await arrived(db)
    await all_is_here(play.stage, truth, rails=("mpesa", "airtel", "card", "bank"))
    for one in known:
        if one.state in BOOKED:
            paid = truth.paid.get(one.key)
            _must(paid is not None, f"{one.key} is booked ({one.state}), and nobody ever paid it")
            assert paid is not None
            _must(paid.minor == one.minor, f"{one.key}: paid {paid.minor}, booked {one.minor}")
    for key, paid in truth.paid.items():
        row = next(one for one in known if one.key == key)
        _must(row.state in BOOKED, f"{key}: paid {paid.minor}, {row.state}")
    await _tills_are_right(db, truth)
    await _suspense_is_what_waits(db, known)
    await _receipts_are_single(db)
    await _goods_are_paid_for(db)
    await _orders_are_right(play, known)
    await _accounts_are_right(play, known)
    await _refunds_are_decided(db, truth)


async def _tills_are_right(db: Database, truth: Truth) -> None:
    held: Counter[str] = Counter()
    books = await balances(db)
    _must(sum(books.values()) == 0, "the ledger does not sum to nothing")
    for account, minor in books.items():
        kind, _, rest = account.partition(":")
        if kind == "asset" and rest.partition(":")[0] in {"mpesa", "airtel", "card", "bank"}:
            held[rest.partition(":")[0]] += minor
    untold = await _untold(db)
    for given in truth.refunds.values():
        if given.went and given.refund.refund_id in untold:
            held[given.rail] -= given.refund.amount.minor
    for rail in ("mpesa", "airtel", "card", "bank"):
        wanted = truth.held_minor(rail)
        _must(held[rail] == wanted, f"{rail} holds {wanted} for us, the books say {held[rail]}")


async def _suspense_is_what_waits(db: Database, known: list[Arrived]) -> None:
    wanted: Counter[str] = Counter()
    for one in known:
        if one.state == "suspense":
            wanted[f"liability:suspense:{one.key[0]}"] -= one.minor
    for account, minor in (await balances(db)).items():
        if account.startswith("liability:suspense:"):
            _must(minor == wanted[account], f"{account}: {minor}, waiting are {wanted[account]}")


async def _receipts_are_single(db: Database) -> None:
    twice = await rows(
        db, "SELECT rail, upper(receipt) FROM arrival GROUP BY 1, 2 HAVING count(*) > 1"
    )
    _must(not twice, f"receipts with two rows: {twice}")
    shared = await rows(
        db,
        "SELECT receipt FROM payment WHERE receipt IS NOT NULL AND state = 'settled'"
        " GROUP BY rail, receipt HAVING count(*) > 1",
    )
    _must(not shared, f"receipts that paid for two orders: {shared}")


async def _goods_are_paid_for(db: Database) -> None:
    sold = {r[0] for r in await rows(db, "SELECT id FROM ledger_transaction")}
    goods: list[str] = []
    for table, column in (('"grant"', "cause_id"), ("token", "id")):
        goods += [r[0] for r in await rows(db, f"SELECT {column} FROM {table}")]  # noqa: S608 - ours
    _must(len(goods) == len(set(goods)), "something was given twice")
    for name in goods:
        _must(f"payment:{name}:settled" in sold, f"{name} has goods, and nothing was posted")
    for order_id, purpose in await rows(
        db, "SELECT order_id, purpose FROM payment WHERE state = 'settled'"
    ):
        _must(purpose == "account" or order_id in goods, f"{order_id} is paid, and has no goods")


async def _orders_are_right(play: Play, known: list[Arrived]) -> None:
    states = dict(await _pairs(play.stage.deps.db, "SELECT order_id, state FROM payment"))
    for order_id, order in play.orders.items():
        prompts = [p for p in play.truth.prompts.values() if p.push.order_id == order_id]
        paid = [
            one
            for one in play.truth.paid.values()
            for p in prompts
            if one.push == p.name
            or (one.rail == p.rail and NOISE.sub("", one.reference.upper()) == p.push.account)
        ]
        state = states.get(order_id)
        if not paid:
            _must(state != "settled", f"order {order_id[:8]} is settled, and nobody paid it")
            continue
        price = prompts[0].push.amount.minor
        exact = [one for one in paid if one.minor == price and one.gone_minor == 0]
        if exact and order.kind != "account" and order.does != "later":
            if play.till or "replay" in order.forgeries:
                continue  # at a Till nothing but asking finds the order, and we may not be able to
            _must(state == "settled", f"order {order_id[:8]} is paid, and is {state}")
        ours = {one.receipt for one in paid}
        for row in known:
            if row.order_id == order_id and row.state in BOOKED and not play.till:
                _must(row.key[1] in ours, f"{row.key} is for order {order_id[:8]}, which it is not")


async def _accounts_are_right(play: Play, known: list[Arrived]) -> None:
    whose = dict(await _pairs(play.stage.deps.db, "SELECT id, subscriber_id FROM received"))
    for row in known:
        if row.key[1] not in play.owners or row.received_id is None:
            continue
        wanted = play.owners[row.key[1]]
        _must(whose[row.received_id] == wanted, f"{row.key} is in the wrong wallet")
    for receipt, owner in play.owners.items():
        row = next(one for one in known if one.key[1] == receipt)
        if owner is not None and not play.till:
            _must(row.state != "suspense", f"{receipt} names its owner, and waits in suspense")


async def _untold(db: Database) -> set[str]:
    """Refunds of which nobody can be asked: staff were told to look at the statement.

    M-PESA finds no payout of a part without its own id, and Airtel no refund at all.
    """
    found = await rows(
        db,
        "SELECT r.id, a.receipt FROM refund r JOIN arrival a ON a.id = r.arrival_id"
        " WHERE (r.rail = 'airtel' OR r.rail = 'mpesa' AND r.amount_minor < a.amount_minor)"
        " AND r.state IN ('sent', 'pending', 'unknown')",
    )
    told = await rows(db, "SELECT text FROM notice WHERE code = 'refund_unknown'")
    for _, receipt in found:
        _must(any(receipt in text for (text,) in told), f"nobody was told of {receipt}'s refund")
    return {one[0] for one in found}


async def _refunds_are_decided(db: Database, truth: Truth) -> None:
    went = {g.refund.refund_id: g.went for g in truth.refunds.values()}
    for name, state in await _pairs(db, "SELECT id, state FROM refund"):
        if went.get(name) and name in await _untold(db):
            continue
        if went.get(name):
            _must(state == "settled", f"refund {name[:8]} went, and is {state}")
        else:
            _must(state != "settled", f"refund {name[:8]} did not go, and is settled")


async def _pairs(db: Database, query: str) -> list[tuple[Any, Any]]:
    return [(r[0], r[1]) for r in await rows(db, query)]


BOOKS = (
    "SELECT transaction_id, n, source, target, amount_minor FROM posting ORDER BY 1, 2",
    "SELECT rail, receipt, amount_minor, state, received_id FROM arrival WHERE state != 'doubted'",
    "SELECT order_id, state, receipt, plan_id FROM payment ORDER BY 1",
    "SELECT id, state FROM refund ORDER BY 1",
    "SELECT id, subscriber_id, amount_minor FROM received ORDER BY 1",
    'SELECT cause_id FROM "grant" ORDER BY 1',
    "SELECT id FROM token ORDER BY 1",
)


async def books(db: Database) -> list[list[tuple[Any, ...]]]:
    """All that money has done."""
    return [[tuple(row) for row in await rows(db, query)] for query in BOOKS]


async def is_unchanged(db: Database, before: list[list[tuple[Any, ...]]]) -> None:
    """Nothing has happened since."""
    for query, was, now in zip(BOOKS, before, await books(db), strict=True):
        new = [row for row in now if row not in was]
        gone = [row for row in was if row not in now]
        _must(not new and not gone, f"told again, something changed ({query}): +{new} -{gone}")


def _must(holds: bool, sentence: str) -> None:  # noqa: FBT001 - reads as one
    if not holds:
        raise Broken(sentence)
