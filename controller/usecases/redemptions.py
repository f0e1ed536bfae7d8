"""Codes that a site redeemed with its link down: believed, booked, and found when they come twice.

The site has given access already, so the grant stands whatever is found here: what the centre finds
out late is the operator's loss and never the customer's. A code that nobody sold grants nothing:
the site is told that its grant does not stand, and ends it.

To teach this a further kind of code: a function like `_voucher` that says what was bought
(`Bought`), and a line in `bought`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.ids import AccountName, TransactionId, grant_of
from billing.ledger import Posting, Transaction
from billing.money import Money
from controller.store import (
    activation,
    grants,
    ledger,
    notices,
    payments,
    plans,
    redemptions,
    vouchers,
)
from controller.usecases import token_keys, tokens
from controller.usecases.grants import give_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from billing.ids import GrantId, SiteId
    from controller.records import Redeemed
    from controller.store.code_rows import TokenRow, VoucherRow
    from controller.store.database import Tx
    from controller.store.rows import PlanRow
    from controller.usecases.allowances import Told

VOUCHER = "voucher"
TOKEN = "token"  # noqa: S105 - a kind of code


@dataclass(frozen=True, slots=True)
class Sold:
    """The codes that may be meant, locked: vouchers by batch and hash, tokens by key and serial."""

    vouchers: Mapping[tuple[str, bytes], VoucherRow]
    tokens: Mapping[tuple[int, int], TokenRow]


@dataclass(frozen=True, slots=True)
class Bought:
    """What a code stands for. ``first`` is the grant of an earlier redemption by another name.

    ``code_name`` says which code without opening anything. ``mark`` notes the grant that a first
    redemption made; it is called within the same transaction.
    """

    kind: str
    code_name: str
    plan_id: str
    subscriber_id: str | None
    first: str | None
    mark: Callable[[GrantId], None]


async def take(
    tx: Tx, site_id: SiteId, told_of: Sequence[Redeemed], *, now: datetime, told: Told
) -> None:
    """Give what was redeemed at a site, each once; ``told`` gets the items.

    Invariant: every redemption is answered, with the item of its grant or with the removal of it.
    Until then the site keeps what it gave, since only our word may end it.
    """
    sold = Sold(
        await vouchers.locked_offline(tx, {(one.batch, one.code_hash) for one in told_of}),
        await _tokens_locked(tx, site_id, told_of),
    )
    for one in told_of:
        problem = await _taken(tx, site_id, one, sold=sold, now=now, told=told)
        if problem is not None:
            await _object(tx, site_id, one, now, problem)
        told.answer(site_id, one.grant_id)


def bought(one: Redeemed, *, sold: Sold, now: datetime) -> Bought | None:
    """What a redeemed code stands for; None when nobody sold such a code.

    The seam for further kinds of code: it is asked before anything is written.
    """
    return _voucher(one, sold, now) if one.batch else _token(one, sold, now)


async def _taken(
    tx: Tx,
    site_id: SiteId,
    one: Redeemed,
    *,
    sold: Sold,
    now: datetime,
    told: Told,
) -> str | None:
    """Why a redemption gives nothing, or None when it has given."""
    grant_id = grant_of(one.redemption_id)
    if one.grant_id != grant_id:
        return f"it names grant {one.grant_id}, which is not that of its redemption"
    given = await grants.by_cause(tx, one.redemption_id)
    if given is not None:
        # Sent, lost, and done offline; or a record that came again under another journal.
        return None if given.id == grant_id else "its name is that of another purchase"
    if await payments.load(tx, one.redemption_id) is not None:
        return "its name is that of an order"
    what = bought(one, sold=sold, now=now)
    if what is None:
        return "nobody sold such a code"
    plan = await plans.load(tx, what.plan_id)
    if plan is None or await plans.load(tx, one.plan_id) is None:
        return f"there never was a plan {one.plan_id}"
    await give_in(
        tx,
        site_id=site_id,
        plan_id=what.plan_id,
        subscriber_id=what.subscriber_id,
        cause_id=one.redemption_id,
        devices=(one.device_mac,),
        now=now,
        grant_id=grant_id,
        told=told,
    )
    if what.plan_id != one.plan_id:
        text = f"the site gave plan {one.plan_id}, the code was sold for {what.plan_id}"
        await _object(tx, site_id, one, now, text)
    if what.first is not None:
        await _book_double(tx, site_id, one, what=what, plan=plan, now=now)
    else:
        what.mark(grant_id)
    return None


async def _tokens_locked(
    tx: Tx, site_id: SiteId, told_of: Sequence[Redeemed]
) -> dict[tuple[int, int], TokenRow]:
    meant = {(one.key_version, one.serial) for one in told_of if not one.batch}
    numbers = {}
    if meant:
        keys = await activation.keys(tx, site_id)
        numbers = {token_keys.version_of(key): key.number for key in keys}
    found = {}
    for version, serial in sorted(meant):
        if version in numbers:
            row = await activation.locked(tx, site_id, key_number=numbers[version], serial=serial)
            if row is not None:
                found[version, serial] = row
    return found


def _token(one: Redeemed, sold: Sold, now: datetime) -> Bought | None:
    row = sold.tokens.get((one.key_version, one.serial))
    if row is None or row.slot != one.slot:
        return None

    def mark(_grant_id: GrantId) -> None:
        tokens.mark(row, one.redemption_id, now=now)

    return Bought(TOKEN, row.id, row.plan_id, row.subscriber_id, row.grant_id, mark)


def _voucher(one: Redeemed, sold: Sold, now: datetime) -> Bought | None:
    row = sold.vouchers.get((one.batch, one.code_hash))
    if row is None:
        return None

    def mark(grant_id: GrantId) -> None:
        vouchers.redeemed(row, redemption_id=one.redemption_id, grant_id=grant_id, now=now)

    name = f"{row.batch} {one.code_hash.hex()}"
    return Bought(VOUCHER, name, row.plan_id, None, row.grant_id, mark)


async def _book_double(
    tx: Tx, site_id: SiteId, one: Redeemed, *, what: Bought, plan: PlanRow, now: datetime
) -> None:
    """Both grants stand; the second is income that the operator paid himself."""
    assert what.first is not None
    price = Money(plan.price_minor, plan.currency)
    new = await redemptions.note_double(
        tx,
        redemption_id=one.redemption_id,
        kind=what.kind,
        code_name=what.code_name,
        plan_id=plan.id,
        first_grant_id=what.first,
        grant_id=grant_of(one.redemption_id),
        site_id=site_id,
        found_at=now,
        amount=price,
    )
    assert new, f"redemption {one.redemption_id} was double already, and has no grant"
    if price.minor:
        posted = await ledger.post(tx, _loss(site_id, one, price, now))
        # Invariant: a double redemption that was not known is in no ledger.
        assert posted is ledger.Posted.CREATED
    text = f"{what.kind} {what.code_name} was redeemed before as grant {what.first}: {price} lost"
    await notices.add(
        tx,
        now=now,
        code="double_redemption",
        text=text,
        site_id=site_id,
        once=f"double\n{one.redemption_id}",
    )


def _loss(site_id: SiteId, one: Redeemed, price: Money, now: datetime) -> Transaction:
    """What was given away is no sale: no plan earned it, and no tax is due on it."""
    return Transaction(
        id=TransactionId(f"redemption:{one.redemption_id}:double"),
        at=now,
        cause=f"redemption {one.redemption_id} of a code that was redeemed before",
        postings=(
            Posting(
                source=AccountName(f"income:double-redemption:{site_id}"),
                target=AccountName(f"expense:double-redemption:{site_id}"),
                amount=price,
            ),
        ),
    )


async def _object(tx: Tx, site_id: SiteId, one: Redeemed, now: datetime, problem: str) -> None:
    await notices.add(
        tx,
        now=now,
        code="redemption_doubtful",
        text=f"redemption {one.redemption_id}: {problem}",
        site_id=site_id,
        once=f"redemption\n{one.redemption_id}\n{problem}",
    )
